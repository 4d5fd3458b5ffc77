//! What the command line shows of this host: processes, groups and namespaces, with no server.
//!
//! ```text
//!  /proc ──────► watch (the observer's readers) ──► Row ──────┐
//!  cgroupfs ───► groups (the observer's readers) ─► Sample ───┼─► ps, top, cgroups, namespaces
//!  mountinfo ──► namespaces ──────────────────────► Namespace ┘     └─► table or JSON, output
//! ```
//!
//! Each view is a function from a [`Host`] (whose paths are parameters) to values, and those are
//! written as a table or as JSON; `docs/cli-json.md` says what each field of the JSON means.
//! As root they see everything, as another user what `/proc` grants; [`missed::Missed`] is what
//! they say then.
//!
//! In reading order: [`place`] (whose group is it?), [`groups`], [`watch`], then the views
//! [`ps`], [`top`], [`cgroups`], [`namespaces`], and what writes them: [`text`], [`table`],
//! [`output`].
//!
//! **Invariant:** nothing is written but to standard output and error, and no text of a process
//! reaches a terminal unescaped.

pub mod cgroups;
pub(crate) mod groups;
pub(crate) mod missed;
pub mod namespaces;
pub mod output;
pub(crate) mod place;
pub mod ps;
pub(crate) mod table;
pub(crate) mod text;
pub mod top;
pub(crate) mod uids;
pub(crate) mod watch;

use std::path::PathBuf;

use anyhow::Context as _;

use crate::ipc::ObservedHierarchy;
use crate::launcher::cgroup::Hierarchies;

/// The `version` at the top of every JSON document; see `docs/cli-json.md` for what may change
/// without a new one.
pub(crate) const JSON_VERSION: u32 = 1;

/// Where things are read.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// `/proc`.
    pub(crate) proc: PathBuf,
    /// The cgroup hierarchies, each with the directory where it is mounted.
    pub(crate) hierarchies: Vec<ObservedHierarchy>,
}

impl Host {
    /// This host.
    pub(crate) fn this() -> anyhow::Result<Self> {
        let found = Hierarchies::detect().context("read /proc/self/mountinfo")?;
        let hierarchies = found.iter().map(|hierarchy| ObservedHierarchy {
            controllers: hierarchy.controllers.iter().map(|c| c.name().to_string()).collect(),
            dialect: hierarchy.dialect,
            directory: hierarchy.root.clone(),
        });
        Ok(Host { proc: "/proc".into(), hierarchies: hierarchies.collect() })
    }
}

#[cfg(test)]
#[path = "views/tests/tree.rs"]
pub(crate) mod tests_tree;
