//! Two processes: what they share and what not, with the lines that show it.

use vitrine_shared::namespace::Namespace;
use vitrine_shared::process::Process;

/// One type of two processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) kind: Namespace,
    /// `None` where one of them could not be read.
    pub(crate) shared: Option<bool>,
    /// What a root shell says on the host, for each of the two.
    pub(crate) evidence: [Evidence; 2],
}

/// A line typed, and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) line: String,
    pub(crate) prints: String,
}

/// All eight types.
pub(crate) fn compare(a: &Process, b: &Process) -> Vec<Pair> {
    let pair = |kind: Namespace| {
        let ids = [a, b].map(|process| process.namespaces[kind as usize]);
        Pair {
            kind,
            shared: (!ids.contains(&0)).then_some(ids[0] == ids[1]),
            evidence: [evidence(a, kind), evidence(b, kind)],
        }
    };
    Namespace::ALL.into_iter().map(pair).collect()
}

fn evidence(process: &Process, kind: Namespace) -> Evidence {
    let (pid, name) = (process.host_pid(), kind.proc_name());
    let id = process.namespaces[kind as usize];
    let prints = if id == 0 { String::new() } else { format!("{name}:[{id}]") };
    Evidence { line: format!("readlink /proc/{pid}/ns/{name}"), prints }
}
