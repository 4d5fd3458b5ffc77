//! The steps of a birth: what each is called, what was done, how long it took.

use serde::{Deserialize, Serialize};

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
    /// Become the user that it runs as, and go to its directory.
    RunAs,
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
