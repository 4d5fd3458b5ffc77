//! `vitrine ps`: its flags.

use clap::Args;

use super::processes::Processes;
use crate::views::ps;

/// `vitrine ps`.
#[derive(Debug, Args)]
#[command(after_help = "\
Columns: PID on the host; PIDS-IN, its PIDs in the PID namespaces below, the innermost last;
UID on the host and UID-IN inside its user namespace; S, the state as in ps(1); TIME on a CPU;
RSS, resident memory; CONTAINER, as MACHINE/cN or run:PID of the vitrine run; NS, a letter for
each namespace of its own (Pid Mount Hostname Ipc User Net Cgroup Time), a dot for one of the
host's, a question mark for one that cannot be read.
Only root sees the namespaces of other users' processes; one line on standard error says what
could not be read.

Examples:
  vitrine ps                                    # what runs in machines and containers
  vitrine ps -a --sort rss                      # every process of the host, the largest first
  vitrine ps --machine 3f2a                     # the machine whose id begins so
  vitrine ps --json | jq '.processes[] | {pid, pids, own}'")]
pub struct Ps {
    #[command(flatten)]
    which: Processes,
    /// What to sort by.
    #[arg(long, value_enum, value_name = "KEY", default_value_t = ps::Sort::Pid)]
    sort: ps::Sort,
    /// Print JSON; docs/cli-json.md says what each field is.
    #[arg(long)]
    json: bool,
}

impl From<&Ps> for ps::Options {
    fn from(args: &Ps) -> Self {
        ps::Options {
            all: args.which.all,
            machine: args.which.machine.clone(),
            json: args.json,
            no_headers: args.which.no_headers,
            sort: args.sort,
        }
    }
}
