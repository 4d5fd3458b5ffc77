//! Refusals, and what they name: everything typed, so that a page words them in its own language.
//!
//! `Display` is the English that logs, the command line and other people's programs get.

pub mod samples;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cgroup::{BadGroup, BadWrite};
use crate::limits::Reached;
use crate::message::{Feature, Missing, Profile, StepName};
use crate::role::Role;
use crate::spec::SpecError;

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Refusal {
    /// The role does not allow it.
    #[error("a {role:?} may not do this")]
    NotAllowed {
        /// The role on this connection.
        role: Role,
    },
    /// No such thing, or none of yours.
    #[error("there is no such {what} here")]
    Unknown {
        /// What kind of thing.
        what: Thing,
    },
    /// A limit is reached.
    #[error("the limit {} is reached: {} {}", .0.name, .0.value, .0.unit)]
    Limit(Reached),
    /// Commands come faster than the limit allows.
    #[error("too fast: the limit {} is {} {}", .0.name, .0.value, .0.unit)]
    TooFast(Reached),
    /// The spec cannot be.
    #[error(transparent)]
    Spec(SpecError),
    /// The file or value cannot be.
    #[error(transparent)]
    Write(BadWrite),
    /// The group cannot be made, removed or moved to.
    #[error(transparent)]
    Group(BadGroup),
    /// The kernel said no.
    #[error("the kernel refused {text:?} in {file}: {errno}")]
    Kernel {
        /// The full path.
        file: String,
        /// What was to be written.
        text: String,
        /// The error's name, such as `EINVAL`.
        errno: String,
        /// Why, when it is known.
        why: Why,
    },
    /// The server does not offer machines of this profile.
    #[error("this server offers no machines of profile {profile:?}")]
    ProfileOff {
        /// Which.
        profile: Profile,
    },
    /// It has ended already.
    #[error("the {what} is not running any more")]
    NotRunning {
        /// What kind of thing.
        what: Thing,
    },
    /// This host cannot do it.
    #[error("this host has no {what}")]
    Missing {
        /// What is missing, and what is known of it.
        what: Lacking,
    },
    /// The message could not be read.
    #[error("the message cannot be read: {detail}")]
    Unreadable {
        /// What is wrong with it.
        detail: String,
    },
    /// The host is simulated, and the model does not have it.
    #[error("the simulator does not model {what}")]
    NotModelled {
        /// What.
        what: Unmodelled,
    },
}

/// What the simulator does not model; reads on from "the simulator does not model".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Unmodelled {
    /// Programs that run as another user than root.
    #[error("programs of another user than root")]
    User,
    /// Offsets of clocks in time namespaces.
    #[error("offsets of clocks")]
    Clocks,
    /// Other files on those of `/proc`.
    #[error("other files in the place of those of /proc")]
    ProcView,
    /// A file of a group.
    #[error("the file {file}")]
    File {
        /// Its name.
        file: String,
    },
}

/// The kernel's known reasons, which a page explains in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Why {
    /// No known reason.
    Unknown,
    /// A child's quota ÷ period may not be above its parent's (v1: `EINVAL`).
    ChildAboveParent,
    /// A parent may not be set below what a child has (v1: `EINVAL`).
    ParentBelowChild,
    /// More memory is in use than the new limit (`EBUSY`).
    InUse,
    /// A group with processes in it is not removed (`EBUSY`).
    HasProcesses,
    /// A group with groups in it is not removed (`EBUSY`, v1 `ENOTEMPTY`).
    HasChildren,
    /// There is a group or a file of that name (`EEXIST`).
    Exists,
    /// v2: a group that hands controllers to its children takes no processes (`EBUSY`).
    HandsOut,
    /// v1: the group has no CPUs or memory nodes yet (`ENOSPC`).
    NoCpus,
}

/// What a command can name and a server not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Thing {
    /// A machine.
    Machine,
    /// A container.
    Container,
    /// A group.
    Group,
    /// A process.
    Process,
}

impl Thing {
    /// All of them.
    pub const ALL: [Thing; 4] = [Thing::Machine, Thing::Container, Thing::Group, Thing::Process];
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Thing::Machine => "machine",
            Thing::Container => "container",
            Thing::Group => "group",
            Thing::Process => "process",
        })
    }
}

/// What a host does not have for a command; reads on from "this host has no".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Lacking {
    /// A feature, with the reason and the command that mends it.
    #[error("{}", feature_name(.0.feature))]
    Feature(Missing),
    /// A file that only cgroup v2 has, while its controller is mounted as v1.
    #[error("{file} (only cgroup v2 has it)")]
    OnlyV2 {
        /// The file.
        file: String,
    },
    /// lxcfs does not run where distributions mount it.
    #[error("lxcfs running at /var/lib/lxcfs")]
    Lxcfs,
    /// No image of this name was added.
    #[error("image {name}")]
    Image {
        /// Its name.
        name: String,
    },
    /// A block device.
    #[error("block device {major}:{minor}")]
    BlockDevice {
        /// Its major number.
        major: u32,
        /// Its minor number.
        minor: u32,
    },
}

fn feature_name(feature: Feature) -> String {
    match feature {
        Feature::Controller(controller) => format!("{} controller", controller.name()),
        Feature::OwnIds => "ids of its own for each machine".into(),
        Feature::ManyIds => "more than one id for a machine".into(),
        Feature::IdMappedMounts => "id-mapped mounts".into(),
        Feature::ServiceUsers => "users of their own for the server's parts".into(),
        Feature::Landlock => "Landlock".into(),
        Feature::Busybox => "static busybox".into(),
        Feature::TimeNamespaces => "time namespaces".into(),
    }
}

/// What is known to help when a step fails in this way. The kernel's errors by name, as in
/// [`Answer::Failed`](crate::message::Answer::Failed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// `/proc` is covered in part here, so none can be mounted.
    ProcCovered,
    /// This host lets only root mount overlay or tmpfs.
    OnlyRootMounts,
    /// The data directory is on a file system with `noexec`.
    NoExec,
    /// The data directory is on a file system without id-mapped mounts.
    NoIdMappedMounts,
    /// A limit on the number of namespaces is reached.
    NamespaceLimit,
    /// The host restricts namespaces.
    NamespacesRestricted,
    /// No room for another process.
    NoProcess,
    /// The cgroup hierarchies are not as they should be.
    Cgroups,
    /// No such program in the root file system.
    NoSuchProgram,
    /// The file is there, and cannot be executed.
    NotExecutable,
    /// The image has no such user, or the user's id is not one of the machine's.
    OtherUser,
    /// The working directory is none.
    OtherDirectory,
    /// The server has too much to do.
    Busy,
    /// The server is stopping.
    Stopping,
    /// Nothing is known: the log has the details.
    SeeLog,
}

impl Advice {
    /// All of them.
    pub const ALL: [Advice; 15] = [
        Advice::ProcCovered,
        Advice::OnlyRootMounts,
        Advice::NoExec,
        Advice::NoIdMappedMounts,
        Advice::NamespaceLimit,
        Advice::NamespacesRestricted,
        Advice::NoProcess,
        Advice::Cgroups,
        Advice::NoSuchProgram,
        Advice::NotExecutable,
        Advice::OtherUser,
        Advice::OtherDirectory,
        Advice::Busy,
        Advice::Stopping,
        Advice::SeeLog,
    ];

    /// What helps when this step ends with this error, which is empty when it was not the kernel's.
    pub fn on(step: StepName, errno: &str) -> Self {
        match (step, errno) {
            (StepName::Proc, "EPERM") => Advice::ProcCovered,
            (StepName::Rootfs, "EPERM") => Advice::OnlyRootMounts,
            (StepName::Rootfs, "EACCES") => Advice::NoExec,
            (StepName::Rootfs, "EINVAL" | "EOPNOTSUPP") => Advice::NoIdMappedMounts,
            (StepName::Clone | StepName::IdMap, "ENOSPC") => Advice::NamespaceLimit,
            (StepName::Clone | StepName::IdMap, "EPERM") => Advice::NamespacesRestricted,
            (StepName::Clone, "EAGAIN") => Advice::NoProcess,
            (StepName::Cgroup | StepName::EnterCgroup, _) => Advice::Cgroups,
            (StepName::Execve, "ENOENT") => Advice::NoSuchProgram,
            (StepName::Execve, "EACCES" | "ENOEXEC") => Advice::NotExecutable,
            (StepName::RunAs, "ENOENT" | "EINVAL") => Advice::OtherUser,
            (StepName::RunAs, "ELOOP" | "ENOTDIR" | "EEXIST" | "EACCES" | "ENAMETOOLONG") => {
                Advice::OtherDirectory
            }
            (StepName::Ask, "") => Advice::Stopping,
            (StepName::Ask, _) => Advice::Busy,
            _ => Advice::SeeLog,
        }
    }

    /// The same in English.
    pub const fn in_english(self) -> &'static str {
        match self {
            Advice::ProcCovered => {
                "/proc is covered in part here (by a container around us?), so none can be mounted; run vitrine outside, or leave /proc whole: docker run --security-opt systempaths=unconfined"
            }
            Advice::OnlyRootMounts => {
                "this host lets only root mount overlay or tmpfs; run vitrine as root"
            }
            Advice::NoExec => "choose a directory on a file system without noexec: --data DIR",
            Advice::NoIdMappedMounts => {
                "the file system of the data directory must support id-mapped mounts (ext4, xfs, btrfs); choose another with --data"
            }
            Advice::NamespaceLimit => {
                "a limit in /proc/sys/user/max_*_namespaces is reached; raise it or end machines"
            }
            Advice::NamespacesRestricted => {
                "this host restricts namespaces; run as root and see /proc/sys/user and the LSM's settings"
            }
            Advice::NoProcess => "the host or the machine has no room for another process",
            Advice::Cgroups => {
                "see which controllers are mounted below /sys/fs/cgroup and whether this process may write there"
            }
            Advice::NoSuchProgram => "there is no such program in the rootfs",
            Advice::NotExecutable => "the file is there, but cannot be executed",
            Advice::OtherUser => {
                "name another user, such as 0 for root (vitrine run -u); a number need not be in the image's list"
            }
            Advice::OtherDirectory => {
                "name another directory of the image (vitrine run -w); links that lead out of it are not followed"
            }
            Advice::Busy => "the server has too much to do; try again in a moment",
            Advice::Stopping => "the server is stopping",
            Advice::SeeLog => "the server's log has the details; nothing was left behind",
        }
    }
}
