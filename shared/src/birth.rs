//! The birth of a machine or a container, frame by frame.
//!
//! The launcher tells which steps it took, with the calls and how long each took ([`Step`]), and
//! looks at the new process once, when it runs its program ([`Newborn`]). [`frames`] makes of both
//! what there was after each step. Nothing is added to it: what did not happen is in no frame, what
//! was not read has no value, and what only follows from a rule of the kernel says so
//! ([`Origin::Modelled`]).
//!
//! In reading order: the two reports, then [`frames`] and what a frame is made of, then `fold` (what
//! each step does) and `calls` (what is read of a call).

mod calls;
mod fold;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::discovery::Extent;
use crate::message::Step;
use crate::namespace::Namespace;
use crate::spec::ContainerSpec;

pub use fold::frames;

/// What the kernel says of a new process as soon as it runs its program.
///
/// Everything here is decided by the birth, and it could change none of it in this moment, or only
/// give more up. All of it is empty when the process had ended before it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Newborn {
    /// `NSpid`: its PID in each PID namespace, the host's first.
    pub pids: Vec<u32>,
    /// Inode numbers of its namespaces, in the order of [`Namespace::ALL`]; 0 where not read.
    pub namespaces: [u64; 8],
    /// Its user on the host.
    pub host_uid: u32,
    /// `uid_map` of its user namespace, as the host reads it.
    pub uids: Vec<Extent>,
    /// `CapEff`: the capabilities it has.
    pub capabilities: u64,
    /// `CapBnd`: those it could ever get.
    pub bounding: u64,
    /// `NoNewPrivs`.
    pub no_new_privs: bool,
    /// `Seccomp_filters`: how many filters each of its calls goes through.
    pub filters: u32,
    /// Most files it may have open.
    pub open_files: u64,
    /// Most processes of its user.
    pub processes: u64,
    /// The mounts that it sees, the first of them ([`MOUNTS`]).
    pub mounts: Vec<Mounted>,
}

/// Most mounts that are told of a new process.
pub const MOUNTS: usize = 64;

impl Newborn {
    /// Was it there to be looked at?
    pub fn was_seen(&self) -> bool {
        !self.pids.is_empty()
    }

    fn namespace(&self, kind: Namespace) -> u64 {
        self.namespaces[kind as usize]
    }
}

/// A mount as a new process sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mounted {
    /// Where.
    pub path: String,
    /// The type of its file system.
    pub kind: String,
    /// Is it mounted read-only?
    pub read_only: bool,
}

/// A birth that failed. Whatever it had made was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Attempt {
    /// What the container would have been called.
    pub name: String,
    /// What was asked for; long words of its command line are cut.
    pub spec: ContainerSpec,
    /// The steps that were done, and last the one that failed: its call is what was being done.
    pub steps: Vec<Step>,
    /// The kernel's error, by name (`ENOENT`).
    pub errno: String,
}

/// What is known of a birth.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// The steps, in order.
    pub steps: &'a [Step],
    /// The last step failed.
    pub failed: bool,
    /// The group, below the machine's cap: `root/c1`.
    pub group: &'a str,
    /// The program's name; empty for a machine, whose first process is Vitrine's own init.
    pub program: &'a str,
    /// What the kernel said of the new process.
    pub own: &'a Newborn,
    /// What it said of the machine's first process; none in the birth of a machine.
    pub machine: Option<&'a Newborn>,
}

/// What there was after one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The step.
    pub step: &'a Step,
    /// Microseconds of the steps before it.
    pub since_usec: u64,
    /// It was tried, and failed: nothing of it is among the objects.
    pub failed: bool,
    /// The objects that are there, in the order of [`What`].
    pub objects: Vec<Object>,
}

/// One object of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Which.
    pub what: What,
    /// How it is.
    pub state: State,
    /// What this step did to it.
    pub change: Change,
    /// How that is known.
    pub origin: Origin,
}

/// Which object, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// The process.
    Process,
    /// One of its namespaces.
    Namespace(Namespace),
    /// The id map of its own user namespace.
    Ids,
    /// Its host name.
    Hostname,
    /// The loopback device of its network.
    Loopback,
    /// The offsets of its clocks.
    Clocks,
    /// Its group.
    Group,
    /// Its root.
    Root,
    /// Its `/dev`.
    Dev,
    /// Its `/proc`.
    Proc,
    /// The cgroup file systems in it.
    Hierarchies,
    /// Its standard descriptors.
    Descriptors,
    /// Its user.
    User,
    /// Its capabilities.
    Capabilities,
    /// Its resource limits.
    Limits,
    /// Its seccomp filters.
    Seccomp,
}

/// How an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Not the process yet, but one of the launcher's that enters the machine to make it there.
    Helper,
    /// The process: still the launcher's program, with its PIDs where they are known.
    Copy(Vec<u32>),
    /// The process, running its program.
    Program(Vec<u32>, String),
    /// A namespace of the process.
    Namespace {
        /// Who is in it.
        whose: Whose,
        /// Its inode number; 0 where it is not known.
        id: u64,
        /// Is the process in it? If not, it is made and waits.
        entered: bool,
    },
    /// The lines of an id map.
    Map(Vec<Extent>),
    /// What a call has set.
    Set(String),
    /// The loopback device is up.
    Up,
    /// A group.
    Group {
        /// Its path below the machine's cap.
        path: String,
        /// The limits that were written, as calls.
        wrote: Vec<String>,
        /// Is the process in it?
        inside: bool,
    },
    /// A root.
    Root {
        /// How the process came into it; none while it is only put together.
        entered: Option<Entered>,
        /// Its mount, where it was read.
        mount: Option<Mounted>,
    },
    /// A part of the file system and its mounts, where they were read.
    Mounts(Vec<Mounted>),
    /// 0, 1 and 2 are its own terminal.
    Terminal {
        /// Every other descriptor is closed.
        alone: bool,
    },
    /// 0, 1 and 2 are not a terminal, and every other descriptor is closed.
    NoTerminal,
    /// User 0, and which that is on the host; not where it was not read.
    Root0(Option<u32>),
    /// The launcher's own, which it began with.
    Launchers,
    /// All there are, but they count in its user namespace only.
    AllInside,
    /// Capabilities as they were read.
    Capabilities {
        /// `CapEff`.
        has: u64,
        /// `CapBnd`.
        most: u64,
        /// `NoNewPrivs`.
        no_new_privs: bool,
    },
    /// Resource limits as they were read.
    Limits {
        /// Open files.
        open_files: u64,
        /// Processes.
        processes: u64,
    },
    /// Filters that each call goes through.
    Filters(u32),
    /// It was done; the values were not read.
    Done,
}

/// Whose namespace it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The host's: nothing is separated.
    Host,
    /// The machine's: shared with it.
    Machine,
    /// A new one.
    Own,
}

/// How a process came into its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entered {
    /// `pivot_root`: the old one is out of reach.
    Pivot,
    /// `chroot`: the mounts are shared.
    Chroot,
}

/// What a step did to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there since this step.
    New,
    /// This step changed it.
    Changed,
    /// It is as before.
    Same,
}

/// How the state of an object is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The launcher told which call it made.
    Report,
    /// The kernel said it, when the process ran its program.
    Kernel,
    /// It follows from a rule of the kernel; nobody looked.
    Modelled,
}
