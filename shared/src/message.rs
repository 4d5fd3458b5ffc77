//! Commands, answers and events: everything that crosses the line between page and server.
//!
//! Everything the page shows is a fold over [`Event`]s. Events carry values, never differences,
//! and are safe to hear twice. Each [`Command`] gets exactly one [`Answer`].
//!
//! The types are written so that postcard can carry them: externally tagged, no `flatten`, no
//! `untagged`, no `skip_serializing_if`. A test takes every message through both encodings.

mod answer;
mod birth;
mod feed;
mod host;
mod machine;

use serde::{Deserialize, Serialize};

use crate::cgroup::{CgroupSample, GroupId, Knob};
use crate::discovery::Discovery;
use crate::focus::{CpuSample, Focus};
use crate::id::{ContainerId, MachineId};
use crate::process::Process;
use crate::role::Identity;
use crate::spec::ContainerSpec;
use crate::truth::{Probe, ProcView};
use crate::uses::UseSample;

pub use self::answer::{Act, Answer, Deed, Made};
pub use self::birth::{Step, StepName};
pub use self::feed::{FeedEntry, Happening, Spell, Victim};
pub use self::host::{Because, Feature, HostInfo, Missing};
pub use self::machine::{Container, ContainerState, Machine, Profile};
pub use crate::refusal::{Refusal, Why};

/// What a page asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Command {
    /// Asks for nothing; the answer measures the way there and back.
    Ping {
        /// Anything; the page puts its clock here.
        token: u64,
    },
    /// Look at one machine in full, at this rate; `None` looks at none.
    Subscribe {
        /// Which machine.
        machine: Option<MachineId>,
        /// Samples a second, 1 to 20.
        hertz: u8,
    },
    /// Look once at the namespaces of a machine that one may watch: [`Event::Discovery`] follows.
    Discover {
        /// Which machine.
        machine: MachineId,
    },
    /// Start a machine of this profile.
    StartMachine {
        /// What it lets its owner do; the server says which it offers.
        profile: Profile,
    },
    /// Start a container; without a machine, start one of the server's first profile too.
    StartContainer {
        /// Where; `None` for a new machine of the participant's.
        machine: Option<MachineId>,
        /// What.
        spec: ContainerSpec,
    },
    /// Run one more command in a container, without a terminal.
    Exec {
        /// The container's machine.
        machine: MachineId,
        /// Where.
        container: ContainerId,
        /// What.
        argv: Vec<String>,
    },
    /// End a container and everything in it.
    StopContainer {
        /// The container's machine.
        machine: MachineId,
        /// Which.
        container: ContainerId,
    },
    /// Kill the commands that [`Command::Exec`] started in a container, and nothing else.
    StopExecs {
        /// The container's machine.
        machine: MachineId,
        /// Which container's.
        container: ContainerId,
    },
    /// End a machine and everything in it.
    EndMachine {
        /// Which.
        machine: MachineId,
    },
    /// Turn a knob of a group, in whatever dialect the host speaks.
    SetKnob {
        /// The group's machine.
        machine: MachineId,
        /// Which group.
        group: GroupId,
        /// The new setting.
        knob: Knob,
    },
    /// Write one raw file of a group.
    WriteFile {
        /// The group's machine.
        machine: MachineId,
        /// Which group.
        group: GroupId,
        /// The file's name, one of [`crate::cgroup::FILES`].
        file: String,
        /// The text.
        value: String,
    },
    /// Make a group, in every hierarchy that its parent is in.
    MakeGroup {
        /// In this machine.
        machine: MachineId,
        /// Which it will be in: the machine's root, its shell's, or one that was made.
        parent: GroupId,
        /// Its name, one level.
        name: String,
    },
    /// Remove a group that was made, from every hierarchy. The kernel refuses one with processes or
    /// groups in it.
    RemoveGroup {
        /// In this machine.
        machine: MachineId,
        /// Which.
        group: GroupId,
    },
    /// Move a process of the machine's own, with all its threads, to one of the machine's own
    /// groups, in every hierarchy that the group is in.
    MoveProcess {
        /// In this machine.
        machine: MachineId,
        /// Its PID on the host.
        pid: u32,
        /// Where to.
        group: GroupId,
    },
    /// Send the raw files of this group too, which somebody made in the machine; `None` ends it. A
    /// connection has one at a time; those of the other groups always come.
    ShowFiles {
        /// In this machine, which the connection looks at.
        machine: MachineId,
        /// Which.
        group: Option<GroupId>,
    },
    /// Run a command that shows what a container is told, and give its output:
    /// [`Made::Output`]. It ends by itself or within the limit `probe-secs`.
    Probe {
        /// The container's machine.
        machine: MachineId,
        /// Where; `None` asks in the machine itself, beside its containers.
        container: Option<ContainerId>,
        /// What.
        probe: Probe,
    },
    /// Lay other files on those of a container's `/proc` that tell of the whole host, or take them
    /// away. Who has such a file open reads on in the old one.
    SetProcView {
        /// The container's machine.
        machine: MachineId,
        /// Which container's.
        container: ContainerId,
        /// Which files.
        view: ProcView,
    },
    /// Run one line by `/bin/sh -c` in a container and in its machine, at the same time, and give
    /// what both printed: [`Made::Both`]. Each ends by itself or within the limit `probe-secs`;
    /// what the line has left running in its session then ends too.
    RunBoth {
        /// The container's machine, which is the surroundings: never the host.
        machine: MachineId,
        /// Inside.
        container: ContainerId,
        /// What a shell is to run.
        line: String,
    },
    /// Read one group's CPU some twenty times a second, or its memory, processes and devices four
    /// times, beside what [`Command::Subscribe`] asks for; `None` ends it. A connection has one at a time. For those who may change the machine.
    Focus {
        /// Which group.
        on: Option<Focus>,
    },
}

/// What the server tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Event {
    /// A machine, as it is now.
    Machine(Machine),
    /// A machine is gone.
    MachineGone {
        /// Which.
        machine: MachineId,
    },
    /// What was measured in the subscribed machine.
    Sample(Sample),
    /// What a look at a machine's namespaces found; for the pages that asked.
    Discovery(Box<Discovery>),
    /// The latest entries of a machine's feed.
    Feed {
        /// Whose.
        machine: MachineId,
        /// In order; a page keeps those whose `seq` is new to it.
        entries: Vec<FeedEntry>,
    },
    /// The snapshot is complete; what follows are changes.
    Synced,
    /// How many pages are connected, for the header.
    Viewers {
        /// Connections on this server.
        count: u32,
    },
    /// The CPU of the group that [`Command::Focus`] names.
    Cpu(CpuSample),
    /// Memory, processes and devices of the group that [`Command::Focus`] names.
    Use(Box<UseSample>),
}

/// What was measured in one machine at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sample {
    /// Which machine.
    pub machine: MachineId,
    /// Monotonic time of the reading, in milliseconds.
    pub at_msec: u64,
    /// Its processes, by host PID.
    pub processes: Vec<Process>,
    /// Its groups, parents first.
    pub groups: Vec<CgroupSample>,
    /// Groups that somebody made in the machine and that are not among them: beyond the limit
    /// `made-groups`, too deep, or by a name that cannot be shown.
    pub more_groups: u32,
    /// Processes on the host that are not this machine's.
    pub other_processes: u32,
}

/// From a page: a command and the number its answer will carry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClientMessage {
    /// Chosen by the page.
    pub id: u32,
    /// The command.
    pub command: Command,
}

/// From the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ServerMessage {
    /// The first message.
    Welcome {
        /// Who you are here.
        identity: Identity,
        /// What you are talking to.
        host: HostInfo,
    },
    /// The answer to a command.
    Answer {
        /// The command's number.
        id: u32,
        /// What came of it.
        answer: Answer,
    },
    /// Something to know.
    Event(Event),
    /// A message that could not be read, and so has no number to answer to.
    Unreadable {
        /// Why.
        reason: Refusal,
    },
}
