//! The launcher: root of the tree of processes, the only one with privilege, one thread.
//!
//! In reading order:
//!
//! - [`serve`]: the loop of `vitrine serve`; what happens when who dies
//! - [`requests`]: commands from web, looked at again, and done
//! - [`machine`]: what is held of a machine and its containers, and how they end
//! - [`birth`]: how a process becomes a container, step by step
//! - [`mounts`], [`confine`], [`userns`]: the steps themselves
//! - [`cgroup`], [`uids`], [`images`]: what machines are made of
//! - [`privilege`]: root of the host, or of a user namespace of one's own; [`missing`]: what it lacks
//! - [`run`]: `vitrine run`, the same without a server; [`image`]: `vitrine image`
//! - [`supervise`], [`signals`], [`sweep`], [`kill`], [`talk`], [`memfd`], [`sys`]: tools
//!
//! **Invariant:** it has one thread, so that a child of `clone3` may run ordinary Rust. It never
//! reads a byte from the network, and believes nothing that web says.

pub(crate) mod birth;
pub(crate) mod cage;
pub(crate) mod cgroup;
pub(crate) mod confine;
pub(crate) mod directories;
pub(crate) mod explain;
pub(crate) mod host;
pub mod image;
pub(crate) mod images;
pub(crate) mod kill;
pub(crate) mod limits;
pub(crate) mod machine;
pub(crate) mod memfd;
pub(crate) mod missing;
pub(crate) mod mounts;
pub mod privilege;
pub(crate) mod requests;
pub mod run;
pub mod serve;
pub(crate) mod signals;
pub(crate) mod step;
pub(crate) mod supervise;
pub(crate) mod sweep;
pub(crate) mod sys;
pub(crate) mod systemd;
pub(crate) mod talk;
pub(crate) mod truth;
pub(crate) mod uids;
pub(crate) mod userns;

use nix::errno::Errno;
use vitrine_shared::message::StepName;

use step::StepError;

/// 128 random bits.
pub(crate) fn random_id() -> Result<u128, StepError> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(u128::from_ne_bytes(bytes)),
        Err(_) => Err(StepError::new(StepName::Clone, "getrandom", Errno::EIO)),
    }
}
