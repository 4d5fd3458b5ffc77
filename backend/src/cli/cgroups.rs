//! `vitrine cgroups`: its flags.

use clap::Args;

use crate::views::cgroups;

/// `vitrine cgroups`.
#[derive(Debug, Args)]
#[command(after_help = "\
The hierarchies of cgroup v1 are merged by path: a line is one group, wherever its controllers
are mounted. QUOTA/PERIOD are microseconds; THROTTLED is throttled periods of all periods under
a quota; MEMORY and PIDS are usage against the group's own limit.
BOUND-ABOVE names limits of groups above that are tighter than the group's own: cpu^2 is the
quota two levels up.

Examples:
  vitrine cgroups                               # the groups of machines and containers
  vitrine cgroups --all --flat                  # every group of the host by its path
  vitrine cgroups --json | jq '.groups[] | {path, cpu}'")]
pub struct Cgroups {
    /// Every group of the host, not only those of machines and containers.
    #[arg(short, long)]
    all: bool,
    /// Draw a tree (the default).
    #[arg(long, conflicts_with = "flat")]
    tree: bool,
    /// One whole path a line, no tree.
    #[arg(long)]
    flat: bool,
    /// Leave out the line with the names of the columns.
    #[arg(long)]
    no_headers: bool,
    /// Print JSON; docs/cli-json.md says what each field is.
    #[arg(long)]
    json: bool,
}

impl From<&Cgroups> for cgroups::Options {
    fn from(args: &Cgroups) -> Self {
        cgroups::Options {
            all: args.all,
            json: args.json,
            flat: args.flat && !args.tree,
            no_headers: args.no_headers,
        }
    }
}
