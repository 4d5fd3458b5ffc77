//! What a script has to say of itself; whoever shows it has the words.

use crate::cgroup::Dialect;

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// What it is, and for which dialect.
    Head(Dialect),
    /// How it is run, and that it removes what it makes.
    Run,
    /// The shell stands for the machine; its caps and namespaces are not made.
    Machine,
    /// The tools that it needs.
    Tools,
    /// v1: where each controller is mounted, and a group of its own there.
    Hierarchies,
    /// v1: nobody can enter an empty cpuset.
    Inherit,
    /// v2: where the hierarchy is mounted.
    Unified,
    /// v2: a parent hands controllers to its children; that stays.
    HandOut,
    /// Groups are made, removed and moved to in every hierarchy.
    Groups,
    /// A shell that moves itself.
    Enter,
    /// Everybody in a group is killed and the group removed.
    EndGroup,
    /// What is done in the end, whatever happens.
    CleanUp,
    /// The one group that it makes at the top.
    Own,
    /// A group for `unshare` and `nsenter`, which wait, and a directory for roots.
    Helpers,
    /// A static busybox, for the last steps in a new root.
    Busybox,
    /// The smallest image, put together from it.
    BusyboxImage,
    /// A user namespace apart, whose maps are written before anybody enters.
    UserNamespace,
    /// What is done in the new namespaces.
    Inside,
    /// The new process waits until its limits are written.
    Gate,
    /// The child of `nsenter` is the process; `nsenter` itself leaves the group.
    Joined,
    /// What the launcher does besides and no tool of the shell does.
    GivesUp,
    /// The launcher lays the image by an id-mapped mount.
    IdMap,
    /// Without a user namespace: here that is the host's.
    NoUser,
    /// A terminal: here a pipe, at this place below the working directory.
    Terminal(String),
    /// A tiny init is a shell that waits here.
    Init,
    /// Another view of `/proc`: not here.
    ProcView,
    /// The lab image is the host's own files here.
    Lab,
    /// An image that has to be unpacked to a directory, named by this variable.
    Image {
        /// The image.
        name: String,
        /// The variable.
        variable: String,
    },
    /// The process was started by other means: a sleeping one stands for it.
    StandIn(u32),
    /// The container was there before the page listened.
    Before(String),
    /// The dialect has no such file.
    NoCounterpart(Dialect),
    /// A line that was run in the machine too: that would be this host, and is left out.
    InsideOnly,
    /// No tool of the shell does it.
    NotByShell,
    /// What it is about is not known any more.
    Unknown,
    /// Said in the end: everything stands until Enter.
    Stands,
}

/// The marks in the parts.
pub(super) const PARTS: &[(&str, Note)] = &[
    ("Hierarchies", Note::Hierarchies),
    ("Inherit", Note::Inherit),
    ("Unified", Note::Unified),
    ("HandOut", Note::HandOut),
    ("Groups", Note::Groups),
    ("Enter", Note::Enter),
    ("EndGroup", Note::EndGroup),
    ("CleanUp", Note::CleanUp),
    ("Own", Note::Own),
    ("Helpers", Note::Helpers),
    ("Busybox", Note::Busybox),
    ("BusyboxImage", Note::BusyboxImage),
    ("UserNamespace", Note::UserNamespace),
    ("Inside", Note::Inside),
    ("Gate", Note::Gate),
    ("Joined", Note::Joined),
];
