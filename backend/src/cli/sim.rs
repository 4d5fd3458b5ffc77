//! `vitrine sim`: a script on the simulated machine.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::sim;

/// `vitrine sim`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine sim lesson.sh                         # as the page's simulator would run it
  echo 'ps -ef; free -m' | vitrine sim -        # from standard input
  vitrine sim --cgroup v2 --cpus 4 lesson.sh    # another machine
  vitrine sim --json --seed 7 lesson.sh         # output, status, simulated time

Nothing of this host is touched, and no privilege is needed. Time is simulated: an hour passes in
less than a second. The exit status is the script's own; 124 when it has not ended in time.")]
pub struct Sim {
    /// The script; - reads it from standard input.
    script: PathBuf,
    /// CPUs of the machine, 1 to 64.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    cpus: u8,
    /// What chance is drawn from: the same seed, the same run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Memory of the machine, in mebibytes.
    #[arg(long, value_name = "MIB", default_value_t = 4_096, value_parser = clap::value_parser!(u64).range(16..=1_048_576))]
    memory: u64,
    /// How its cgroups are mounted.
    #[arg(long, value_name = "DIALECT", default_value = "v1")]
    cgroup: Cgroup,
    /// Simulated seconds after which it is stopped.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Tell output, status and simulated time as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Cgroup {
    /// A hierarchy for each controller, as in the text.
    V1,
    /// The unified hierarchy.
    V2,
}

impl From<&Sim> for sim::Options {
    fn from(args: &Sim) -> Self {
        use vitrine_shared::cgroup::Dialect;
        let mut setup = vitrine_shared::sim::kernel::Setup {
            memory_bytes: args.memory << 20,
            dialect: match args.cgroup {
                Cgroup::V1 => Dialect::V1,
                Cgroup::V2 => Dialect::V2,
            },
            ..Default::default()
        };
        setup.hardware.n_cpus = usize::from(args.cpus);
        setup.hardware.seed = args.seed;
        sim::Options { script: args.script.clone(), setup, seconds: args.seconds, json: args.json }
    }
}
