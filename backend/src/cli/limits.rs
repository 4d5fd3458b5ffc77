//! Limits that `vitrine serve` takes as flags; a refusal quotes their names.

use clap::Args;
use vitrine_shared::limits as default;

use super::run::parse_bytes;
use crate::launcher::serve::Limits;

/// What a machine's memory may be: enough for a shell, and no slip of the finger.
const MEMORY: std::ops::RangeInclusive<u64> = (32 << 20)..=(1 << 40);

/// Limits of machines.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Machines on this server.
    #[arg(long, value_name = "N", env = "VITRINE_MACHINES", default_value_t = default::MACHINES.value,
          value_parser = clap::value_parser!(u64).range(1..=1_000))]
    machines: u64,
    /// Machines of one participant.
    #[arg(long, value_name = "N", env = "VITRINE_MACHINES_PER_PARTICIPANT",
          default_value_t = default::MACHINES_PER_PARTICIPANT.value,
          value_parser = clap::value_parser!(u64).range(1..=100))]
    machines_per_participant: u64,
    /// Memory of one machine, its files included: bytes, or with k, m, g.
    #[arg(long, value_name = "BYTES", env = "VITRINE_MACHINE_MEMORY", default_value = "256m",
          value_parser = memory)]
    machine_memory: u64,
    /// CPU of one machine, in thousandths of one CPU.
    #[arg(long, value_name = "N", env = "VITRINE_MACHINE_CPU",
          default_value_t = default::MACHINE_CPU.value,
          value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    machine_cpu: u64,
    /// Processes in one machine.
    #[arg(long, value_name = "N", env = "VITRINE_MACHINE_PIDS",
          default_value_t = default::MACHINE_PIDS.value,
          value_parser = clap::value_parser!(u64).range(32..=32_768))]
    machine_pids: u64,
    /// How long a machine lives, in seconds; then it is ended.
    #[arg(long, value_name = "SECONDS", env = "VITRINE_MACHINE_LIFETIME",
          default_value_t = default::MACHINE_LIFETIME.value,
          value_parser = clap::value_parser!(u64).range(60..=30 * 86_400))]
    machine_lifetime: u64,
}

fn memory(text: &str) -> Result<u64, String> {
    let bytes = parse_bytes(text)?;
    let allowed = || format!("allowed is {}m to {}g", MEMORY.start() >> 20, MEMORY.end() >> 30);
    MEMORY.contains(&bytes).then_some(bytes).ok_or_else(allowed)
}

impl From<&LimitArgs> for Limits {
    fn from(args: &LimitArgs) -> Self {
        Limits {
            machines: default::MACHINES.with(args.machines),
            machines_per_participant: default::MACHINES_PER_PARTICIPANT
                .with(args.machines_per_participant),
            machine_memory: default::MACHINE_MEMORY.with(args.machine_memory),
            machine_cpu: default::MACHINE_CPU.with(args.machine_cpu),
            machine_pids: default::MACHINE_PIDS.with(args.machine_pids),
            machine_lifetime: default::MACHINE_LIFETIME.with(args.machine_lifetime),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(Debug, clap::Parser)]
    struct Alone {
        #[command(flatten)]
        limits: LimitArgs,
    }

    #[test]
    fn without_a_flag_they_are_the_defaults() {
        let alone = Alone::parse_from(["x"]);
        assert_eq!(Limits::from(&alone.limits), Limits::default());
    }

    #[test]
    fn typed_wrong_they_say_what_is_allowed() {
        for (flag, said) in [
            ("--machines=0", "1..=1000"),
            ("--machine-memory=1m", "allowed is 32m to 1024g"),
            ("--machine-memory=lots", "64m"),
            ("--machine-cpu=1.5", "--machine-cpu"),
            ("--machine-pids=1", "32..=32768"),
            ("--machine-lifetime=1", "60..=2592000"),
        ] {
            let err = Alone::try_parse_from(["x", flag]).unwrap_err().to_string();
            assert!(err.contains(said), "{flag}: {err}");
        }
    }
}
