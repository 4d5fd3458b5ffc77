//! Commands, answers and events: everything that crosses the line between page and server.
//!
//! Everything the page shows is a fold over [`Event`]s. Events carry values, never differences,
//! and are safe to hear twice. Each [`Command`] gets exactly one [`Answer`].
//!
//! The types are written so that postcard can carry them: externally tagged, no `flatten`, no
//! `untagged`, no `skip_serializing_if`. A test takes every message through both encodings.

use serde::{Deserialize, Serialize};

use crate::cgroup::{CgroupSample, Dialect, GroupId, Knob};
use crate::discovery::Discovery;
use crate::focus::{CpuSample, Focus};
use crate::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use crate::process::Process;
use crate::role::Identity;
use crate::spec::ContainerSpec;
use crate::truth::{Output, Probe, ProcView};
use crate::uses::UseSample;

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

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Answer {
    /// It was done.
    Done {
        /// What was really done, in order.
        deeds: Vec<Deed>,
        /// What it made, if anything.
        made: Option<Made>,
    },
    /// The request was wrong; nothing changed.
    Refused {
        /// Why.
        reason: Refusal,
        /// What to do, in English.
        hint: String,
    },
    /// The server failed; what had been done was undone.
    Failed {
        /// The step that failed.
        step: StepName,
        /// What exactly was being done, to what; in English, for the log and for programs.
        what: String,
        /// The kernel's error, by name (`EPERM`); empty when it was not the kernel's.
        errno: String,
        /// What to do, in English.
        hint: String,
    },
}

/// What a command made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Made {
    /// A machine.
    Machine {
        /// Its id.
        machine: MachineId,
    },
    /// A container.
    Container {
        /// In this machine.
        machine: MachineId,
        /// Its id.
        container: ContainerId,
        /// Its terminal, if it has one.
        terminal: Option<TerminalId>,
    },
    /// A process, by its PID on the host.
    Process {
        /// The PID.
        pid: u32,
    },
    /// A group.
    Group {
        /// In this machine.
        machine: MachineId,
        /// Which.
        group: GroupId,
    },
    /// What a command printed.
    Output(Output),
    /// What one line printed in two places.
    Both {
        /// In the container.
        inside: Output,
        /// In its machine.
        outside: Output,
    },
}

/// One thing that was really done, and the shell line that does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Deed {
    /// What.
    pub act: Act,
    /// The shell equivalent; empty where there is none.
    pub shell: String,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Act {
    /// A system call, as `strace` would write it.
    Syscall {
        /// The call.
        call: String,
    },
    /// A file was written.
    Wrote {
        /// Its full path.
        path: String,
        /// What it said before.
        old: String,
        /// What it says now, read back.
        new: String,
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

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Machine {
    /// Its id.
    pub id: MachineId,
    /// Whose it is.
    pub owner: ParticipantId,
    /// What it lets its owner do.
    pub profile: Profile,
    /// The host PID of its PID 1.
    pub init_pid: u32,
    /// The first of its 65,536 uids on the host.
    pub uid_base: u32,
    /// Where its cgroups are below each hierarchy.
    pub cgroup_path: String,
    /// Unix time of its birth, in milliseconds.
    pub born_msec: u64,
    /// How it was born.
    pub steps: Vec<Step>,
    /// Its containers, oldest first; a few that have ended among them.
    pub containers: Vec<Container>,
}

/// What a machine lets its owner do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Profile {
    /// Safe to expose to strangers: no capabilities, no nested namespaces, no cgroupfs inside.
    Strict,
    /// For people one knows: inside its own user namespace the machine's root may mount, unshare
    /// and write to the machine's own cgroups.
    Lab,
}

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Container {
    /// Its id.
    pub id: ContainerId,
    /// Its short name in the machine: `c1`, `c2` …
    pub name: String,
    /// What was asked for.
    pub spec: ContainerSpec,
    /// Alive or not.
    pub state: ContainerState,
    /// Its terminal, while it lives.
    pub terminal: Option<TerminalId>,
    /// Which level of [`Process::pids`] its `/proc` shows: 2 for a PID namespace of its own with
    /// `/proc` remounted, 1 (the machine's) otherwise.
    pub proc_depth: u8,
    /// Unix time of its birth, in milliseconds.
    pub born_msec: u64,
    /// How it was born.
    pub steps: Vec<Step>,
}

/// Alive or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ContainerState {
    /// It runs; its first process has this PID on the host.
    Running {
        /// The PID.
        pid: u32,
    },
    /// It has ended.
    Exited {
        /// As a shell writes it: 128 + n for signal n.
        status: i32,
        /// CPU time it used, in milliseconds.
        cpu_msec: u64,
        /// Its largest resident set, in bytes.
        max_rss_bytes: u64,
    },
}

/// One step of a birth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// What it is called; the page has a sentence for each.
    pub name: StepName,
    /// The call as `strace` would write it.
    pub call: String,
    /// How long it took, in microseconds.
    pub took_usec: u32,
}

/// The steps of a birth, in their usual order, and what else can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum StepName {
    /// Make the cgroups and write their limits.
    Cgroup,
    /// Make the user namespace and write its id maps.
    IdMap,
    /// `clone3` with the new namespaces.
    Clone,
    /// Enter the namespaces that are shared with the machine.
    Setns,
    /// Move into the cgroup, then unshare the cgroup namespace.
    EnterCgroup,
    /// Set the host name.
    Hostname,
    /// Bring the loopback device up.
    Loopback,
    /// Id-mapped lower layer, tmpfs upper layer, overlay.
    Rootfs,
    /// Mount `/proc` and mask it, or bind the machine's.
    Proc,
    /// A minimal `/dev` with its own devpts.
    Dev,
    /// A pseudo-terminal in that devpts.
    Pty,
    /// `pivot_root`, or `chroot` without a mount namespace.
    PivotRoot,
    /// Enter the user namespace and become its root.
    EnterUser,
    /// Drop every capability, lock securebits, set `no_new_privs`.
    Capabilities,
    /// Resource limits, keyring, parent-death signal.
    Rlimits,
    /// Load the seccomp program.
    Seccomp,
    /// Close every other descriptor and `execve`.
    Execve,
    /// No step of a birth: the command's way through the server.
    Ask,
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

/// Something that happened in a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FeedEntry {
    /// Counts up from 1 in each machine.
    pub seq: u64,
    /// Unix time, in milliseconds.
    pub at_msec: u64,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Happening {
    /// The machine was born.
    MachineBorn {
        /// How long it took, in microseconds.
        took_usec: u32,
    },
    /// A container was born.
    ContainerBorn {
        /// Its name.
        name: String,
        /// How long it took, in microseconds.
        took_usec: u32,
    },
    /// A container ended.
    ContainerExited {
        /// Its name.
        name: String,
        /// As a shell writes it.
        status: i32,
    },
    /// A command was started in a container.
    ExecStarted {
        /// The container's name.
        name: String,
        /// The command line.
        command: String,
        /// Its host PID.
        pid: u32,
    },
    /// A line was run in a container and in its machine.
    RanBoth {
        /// The container's name.
        name: String,
        /// The line.
        line: String,
    },
    /// A file was written.
    Wrote {
        /// Its full path.
        path: String,
        /// What it said before.
        old: String,
        /// What it says now.
        new: String,
        /// The shell line that does the same.
        shell: String,
    },
    /// A group was made.
    GroupMade {
        /// Its path below the machine's cap.
        path: String,
    },
    /// A group was removed.
    GroupRemoved {
        /// Its path below the machine's cap.
        path: String,
    },
    /// A process was moved.
    ProcessMoved {
        /// Its PID on the host.
        pid: u32,
        /// Where it was, below the machine's cap; in v1 where it was for its CPU.
        from: String,
        /// Where it is.
        to: String,
    },
    /// The kernel refused a write.
    KernelRefused {
        /// The full path.
        path: String,
        /// What was to be written.
        text: String,
        /// The error's name.
        errno: String,
    },
    /// The kernel killed a process for memory.
    OomKilled {
        /// The container's name; empty for the machine.
        name: String,
        /// Whom, where the kernel's log says it and can be read.
        victim: Option<Victim>,
    },
}

/// Who was killed for memory, as the kernel's log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Victim {
    /// The PID on the host.
    pub pid: u32,
    /// The process's name, at most 15 bytes of its own choice, made printable.
    pub name: String,
}

/// What this server stands on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HostInfo {
    /// Version of Vitrine.
    pub version: String,
    /// Kernel release.
    pub kernel: String,
    /// CPUs online.
    pub cpus: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// The dialect of the cpu controller.
    pub cpu_dialect: Dialect,
    /// The profiles that machines can have here; the first is what a machine has when none is named.
    pub profiles: Vec<Profile>,
    /// The images that containers can have, by name, beside `busybox` and `lab`.
    pub images: Vec<String>,
    /// Was it started by an ordinary user?
    pub rootless: bool,
    /// Did lxcfs run when the server started? Else its view of `/proc` is refused until it does.
    pub lxcfs: bool,
    /// Can it be reached from other hosts without TLS?
    pub plain_http: bool,
    /// What it cannot do, why, and what mends it.
    pub missing: Vec<Missing>,
}

/// Something that this host or this user does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missing {
    /// What.
    pub feature: Feature,
    /// Why.
    pub because: Because,
    /// The command that mends it; empty where there is none.
    pub mend: String,
}

/// What can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Feature {
    /// A cgroup controller: its limits cannot be set and its numbers not be read.
    Controller(crate::cgroup::Controller),
    /// 65,536 ids of its own for each machine: they share those of the user who started the server.
    OwnIds,
    /// More than one id in a machine.
    ManyIds,
    /// Images whose files belong to the machine's root, whatever that is on the host.
    IdMappedMounts,
    /// Users of their own for the server's parts that talk to the network and read `/proc`.
    ServiceUsers,
    /// Landlock around the part that talks to the network.
    Landlock,
    /// The static busybox that the smallest image is made from.
    Busybox,
    /// Time namespaces.
    TimeNamespaces,
}

/// Why it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Because {
    /// The kernel is too old, or was built without it.
    Kernel,
    /// It is not mounted.
    NotMounted,
    /// The cgroup was not delegated to this user.
    NotDelegated,
    /// `/etc/subuid` and `/etc/subgid` have no range for this user.
    NoSubIds,
    /// `newuidmap` and `newgidmap` are not installed, or have lost their privilege.
    NoNewIdMap,
    /// Only root has it.
    NotRoot,
    /// It is not installed.
    NotInstalled,
    /// The file system that holds the data cannot.
    FileSystem,
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
