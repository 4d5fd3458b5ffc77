//! The flags that the two lists of processes have in common: `vitrine ps` and `vitrine top`.

use clap::Args;

/// Which processes, and how they are listed.
#[derive(Debug, Args)]
pub(super) struct Processes {
    /// Every process of the host, not only those of machines and containers.
    #[arg(short, long)]
    pub(super) all: bool,
    /// Only the machine whose id begins with these digits.
    #[arg(long, value_name = "ID", value_parser = super::parse_machine)]
    pub(super) machine: Option<String>,
    /// Leave out the line with the names of the columns.
    #[arg(long)]
    pub(super) no_headers: bool,
}
