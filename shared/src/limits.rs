//! Every bound on what a participant can use up: its name, its default, its unit.
//!
//! A refusal quotes the name, so that whoever meets a limit can find it here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Unit {
    /// Machines.
    Machines,
    /// Containers.
    Containers,
    /// Shells.
    Shells,
    /// Namespaces of each kind.
    NamespacesOfEachKind,
    /// Cgroups.
    Cgroups,
    /// Levels.
    Levels,
    /// Groups.
    Groups,
    /// Commands.
    Commands,
    /// Records.
    Records,
    /// Sockets.
    Sockets,
    /// Connections.
    Connections,
    /// Tries a minute.
    TriesAMinute,
    /// Bytes.
    Bytes,
    /// Frames a second.
    FramesASecond,
    /// Commands a second.
    CommandsASecond,
    /// Messages.
    Messages,
    /// Columns or rows.
    ColumnsOrRows,
    /// Words.
    Words,
    /// Processes.
    Processes,
    /// Thousandths of one CPU.
    ThousandthsOfOneCpu,
    /// Seconds.
    Seconds,
    /// Inodes.
    Inodes,
    /// Terminals.
    Terminals,
    /// Images.
    Images,
    /// Files.
    Files,
    /// Layers.
    Layers,
    /// Directories.
    Directories,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Machines => "machines",
            Unit::Containers => "containers",
            Unit::Shells => "shells",
            Unit::NamespacesOfEachKind => "namespaces of each kind",
            Unit::Cgroups => "cgroups",
            Unit::Levels => "levels",
            Unit::Groups => "groups",
            Unit::Commands => "commands",
            Unit::Records => "records",
            Unit::Sockets => "sockets",
            Unit::Connections => "connections",
            Unit::TriesAMinute => "tries a minute",
            Unit::Bytes => "bytes",
            Unit::FramesASecond => "frames a second",
            Unit::CommandsASecond => "commands a second",
            Unit::Messages => "messages",
            Unit::ColumnsOrRows => "columns or rows",
            Unit::Words => "words",
            Unit::Processes => "processes",
            Unit::ThousandthsOfOneCpu => "thousandths of one CPU",
            Unit::Seconds => "seconds",
            Unit::Inodes => "inodes",
            Unit::Terminals => "terminals",
            Unit::Images => "images",
            Unit::Files => "files",
            Unit::Layers => "layers",
            Unit::Directories => "directories",
        })
    }
}

/// A named limit and its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name that messages quote.
    pub name: &'static str,
    /// The value in force.
    pub value: u64,
    /// What it counts.
    pub unit: Unit,
}

const fn limit(name: &'static str, value: u64, unit: Unit) -> Limit {
    Limit { name, value, unit }
}

impl Limit {
    /// The same limit with another value in force.
    pub const fn with(self, value: u64) -> Limit {
        Limit { value, ..self }
    }
}

/// Machines on one server.
pub const MACHINES: Limit = limit("machines", 100, Unit::Machines);
/// Machines of one participant.
pub const MACHINES_PER_PARTICIPANT: Limit = limit("machines-per-participant", 4, Unit::Machines);
/// Living containers in one machine.
pub const CONTAINERS_PER_MACHINE: Limit = limit("containers-per-machine", 4, Unit::Containers);
/// Living shells in one machine itself, beside its containers.
pub const SHELLS_PER_MACHINE: Limit = limit("shells-per-machine", 4, Unit::Shells);
/// Namespaces of each kind that the owner of a machine of profile `lab` can make in it. Those of
/// the machine and of containers that the page starts are not among them, but for their user
/// namespaces.
pub const LAB_NAMESPACES: Limit = limit("lab-namespaces", 64, Unit::NamespacesOfEachKind);
/// Cgroups below a machine of profile `lab`, the launcher's own among them, where the kernel can
/// bound them (v2); elsewhere the machine's memory does.
pub const LAB_CGROUPS: Limit = limit("lab-cgroups", 500, Unit::Cgroups);
/// How deep they can be nested, where the kernel can bound that (v2).
pub const LAB_CGROUP_DEPTH: Limit = limit("lab-cgroup-depth", 32, Unit::Levels);
/// Groups below one machine's root that a page can make, or is shown: what a shell in the machine
/// makes beyond it is counted and not shown.
pub const MADE_GROUPS: Limit = limit("made-groups", 500, Unit::Groups);
/// Of those, groups of one machine whose raw files are read for those who look; any number of
/// connections may look at the same one.
pub const SHOWN_FILES: Limit = limit("shown-files", 16, Unit::Groups);
/// Extra commands started in one container by the page.
pub const EXECS_PER_CONTAINER: Limit = limit("execs-per-container", 8, Unit::Commands);
/// Probes of one machine that run at the same time; a line that is run in both is one.
pub const PROBES_PER_MACHINE: Limit = limit("probes-per-machine", 2, Unit::Commands);
/// Output of one probe, or of a line in one of two places; what comes after is not kept.
pub const PROBE_BYTES: Limit = limit("probe-bytes", 16 * 1024, Unit::Bytes);
/// How long one probe, or a line that is run in both, may take; then it is killed.
pub const PROBE_SECS: Limit = limit("probe-secs", 3, Unit::Seconds);
/// Records of ended containers kept in one machine.
pub const ENDED_CONTAINERS: Limit = limit("ended-containers", 8, Unit::Records);
/// Sockets of one participant, telemetry and terminals together.
pub const SOCKETS_PER_PARTICIPANT: Limit = limit("sockets-per-participant", 16, Unit::Sockets);
/// Sockets on the whole server.
pub const SOCKETS: Limit = limit("sockets", 2_000, Unit::Sockets);
/// TCP connections to the server that are not WebSockets (yet).
pub const CONNECTIONS: Limit = limit("connections", 2_500, Unit::Connections);
/// The same from one address (of IPv6: from one /64), which may be a whole class behind one router.
pub const CONNECTIONS_PER_ADDRESS: Limit = limit("connections-per-address", 512, Unit::Connections);
/// Tries to exchange a one-time token, from one address.
pub const TOKEN_TRIES: Limit = limit("token-tries", 10, Unit::TriesAMinute);
/// A frame from a page on the telemetry socket.
pub const COMMAND_BYTES: Limit = limit("command-bytes", 16 * 1024, Unit::Bytes);
/// A frame from a page on a terminal socket.
pub const TERMINAL_FRAME_BYTES: Limit = limit("terminal-frame-bytes", 64 * 1024, Unit::Bytes);
/// Frames from a page on a terminal socket; above it, reading waits.
pub const TERMINAL_FRAME_RATE: Limit = limit("terminal-frame-rate", 1_000, Unit::FramesASecond);
/// Terminal input of one connection that the program has not taken yet.
pub const TERMINAL_INPUT_BYTES: Limit = limit("terminal-input-bytes", 256 * 1024, Unit::Bytes);
/// Commands of one connection in a burst.
pub const COMMAND_BURST: Limit = limit("command-burst", 60, Unit::Commands);
/// Commands of one connection, sustained.
pub const COMMAND_RATE: Limit = limit("command-rate", 20, Unit::CommandsASecond);
/// Groups on the whole server whose CPU is read twenty times a second; any number of connections
/// may look at the same one.
pub const FOCUSES: Limit = limit("focuses", 32, Unit::Groups);
/// Refused messages in a row after which a connection is closed.
pub const BAD_MESSAGES: Limit = limit("bad-messages", 50, Unit::Messages);
/// Terminal output kept for those who come back.
pub const TERMINAL_RING_BYTES: Limit = limit("terminal-ring-bytes", 256 * 1024, Unit::Bytes);
/// Terminal output sent and not yet acknowledged; reading stops above it.
pub const TERMINAL_UNACKED_BYTES: Limit = limit("terminal-unacked-bytes", 128 * 1024, Unit::Bytes);
/// Largest terminal, in either direction.
pub const TERMINAL_CELLS: Limit = limit("terminal-cells", 500, Unit::ColumnsOrRows);
/// Command-line words of a container.
pub const ARGV_WORDS: Limit = limit("argv-words", 64, Unit::Words);
/// Bytes of a container's command line.
pub const ARGV_BYTES: Limit = limit("argv-bytes", 4096, Unit::Bytes);
/// Processes in one machine (`pids.max` of its cap).
pub const MACHINE_PIDS: Limit = limit("machine-pids", 256, Unit::Processes);
/// Memory of one machine, its tmpfs included.
pub const MACHINE_MEMORY: Limit = limit("machine-memory", 256 << 20, Unit::Bytes);
/// CPU of one machine, in thousandths of one CPU.
pub const MACHINE_CPU: Limit = limit("machine-cpu", 1500, Unit::ThousandthsOfOneCpu);
/// How long a machine lives; then it is ended.
pub const MACHINE_LIFETIME: Limit = limit("machine-lifetime", 8 * 3600, Unit::Seconds);
/// What can be written to one rootfs.
pub const ROOTFS_BYTES: Limit = limit("rootfs-bytes", 64 << 20, Unit::Bytes);
/// Files and directories that can be made in one rootfs.
pub const ROOTFS_INODES: Limit = limit("rootfs-inodes", 16_384, Unit::Inodes);
/// Pseudo-terminals in one container: with every machine and container there can be, fewer than
/// the kernel gives out to the whole host (`kernel.pty.max`, 4096).
pub const CONTAINER_PTYS: Limit = limit("container-ptys", 8, Unit::Terminals);
/// Images that were added.
pub const IMAGES: Limit = limit("images", 64, Unit::Images);
/// Bytes of one image unpacked, and of an archive that is decompressed on the way.
pub const IMAGE_BYTES: Limit = limit("image-bytes", 4 << 30, Unit::Bytes);
/// Entries of one image's archives, all layers together.
pub const IMAGE_FILES: Limit = limit("image-files", 500_000, Unit::Files);
/// Layers of one image.
pub const IMAGE_LAYERS: Limit = limit("image-layers", 128, Unit::Layers);
/// Bytes of one manifest, index or configuration of an image.
pub const IMAGE_MANIFEST_BYTES: Limit = limit("image-manifest-bytes", 4 << 20, Unit::Bytes);
/// Bytes of what an archive says about one entry: a long name, extended attributes.
pub const IMAGE_ENTRY_BYTES: Limit = limit("image-entry-bytes", 1 << 20, Unit::Bytes);
/// Directories within each other in an image.
pub const IMAGE_DEPTH: Limit = limit("image-depth", 256, Unit::Directories);

/// All of them, for the documentation and the tests.
pub const ALL: &[Limit] = &[
    MACHINES,
    MACHINES_PER_PARTICIPANT,
    CONTAINERS_PER_MACHINE,
    SHELLS_PER_MACHINE,
    LAB_NAMESPACES,
    LAB_CGROUPS,
    LAB_CGROUP_DEPTH,
    MADE_GROUPS,
    SHOWN_FILES,
    EXECS_PER_CONTAINER,
    PROBES_PER_MACHINE,
    PROBE_BYTES,
    PROBE_SECS,
    ENDED_CONTAINERS,
    SOCKETS_PER_PARTICIPANT,
    SOCKETS,
    CONNECTIONS,
    CONNECTIONS_PER_ADDRESS,
    TOKEN_TRIES,
    COMMAND_BYTES,
    TERMINAL_FRAME_BYTES,
    TERMINAL_FRAME_RATE,
    TERMINAL_INPUT_BYTES,
    COMMAND_BURST,
    COMMAND_RATE,
    FOCUSES,
    BAD_MESSAGES,
    TERMINAL_RING_BYTES,
    TERMINAL_UNACKED_BYTES,
    TERMINAL_CELLS,
    ARGV_WORDS,
    ARGV_BYTES,
    MACHINE_PIDS,
    MACHINE_MEMORY,
    MACHINE_CPU,
    MACHINE_LIFETIME,
    ROOTFS_BYTES,
    ROOTFS_INODES,
    CONTAINER_PTYS,
    IMAGES,
    IMAGE_BYTES,
    IMAGE_FILES,
    IMAGE_LAYERS,
    IMAGE_MANIFEST_BYTES,
    IMAGE_ENTRY_BYTES,
    IMAGE_DEPTH,
];

/// A limit as a message carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reached {
    /// The limit's name.
    pub name: String,
    /// Its value.
    pub value: u64,
    /// What it counts.
    pub unit: Unit,
}

impl From<Limit> for Reached {
    fn from(limit: Limit) -> Self {
        Reached { name: limit.name.into(), value: limit.value, unit: limit.unit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_terminals_together_leave_the_host_some() {
        let devpts = MACHINES.value * (CONTAINERS_PER_MACHINE.value + 1);
        assert!(devpts * CONTAINER_PTYS.value < 4096);
    }

    #[test]
    fn names_are_unique_and_values_positive() {
        for (i, limit) in ALL.iter().enumerate() {
            assert!(limit.value > 0, "{}", limit.name);
            assert!(ALL[..i].iter().all(|other| other.name != limit.name), "{}", limit.name);
        }
    }
}
