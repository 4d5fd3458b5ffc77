//! `vitrine top`: its flags.

use std::num::NonZeroU64;
use std::time::Duration;

use clap::Args;

use super::processes::Processes;
use crate::views::{ps, top};

/// `vitrine top`.
#[derive(Debug, Args)]
#[command(after_help = "\
Columns are those of vitrine ps, and: %CPU of one CPU since the last reading; THR%, the share of
periods in which its cgroup was throttled since then; GROUP-MEM, the memory of its cgroup
against the limit.
Keys: q or Ctrl-C quits, arrows and PgUp, PgDn scroll, s sorts by the next column, a shows all
processes of the host or only those of machines and containers, h helps.
Without a terminal it prints one sample after one interval (or as many as --iterations says).
Colours are left out where NO_COLOR is set.

Examples:
  vitrine top                                   # live, once a second
  vitrine top --interval 0.2 --sort rss
  vitrine top --iterations 5 | cat              # five samples as text
  vitrine top --json --iterations 60            # one JSON document a line")]
pub struct Top {
    #[command(flatten)]
    which: Processes,
    /// What to sort by.
    #[arg(long, value_enum, value_name = "KEY", default_value_t = ps::Sort::Cpu)]
    sort: ps::Sort,
    /// Time between two readings, 0.05 to 3600 seconds.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = parse_interval)]
    interval: Duration,
    /// Stop after so many readings [default: 1 without a terminal, else none].
    #[arg(long, value_name = "N")]
    iterations: Option<NonZeroU64>,
    /// Print one JSON document a line; docs/cli-json.md says what each field is.
    #[arg(long)]
    json: bool,
}

impl From<&Top> for top::Options {
    fn from(args: &Top) -> Self {
        top::Options {
            all: args.which.all,
            machine: args.which.machine.clone(),
            json: args.json,
            no_headers: args.which.no_headers,
            sort: args.sort,
            interval: args.interval,
            iterations: args.iterations.map(NonZeroU64::get),
        }
    }
}

fn parse_interval(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| (0.05..=3_600.0).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{text:?} is not a number of seconds from 0.05 to 3600"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        assert_eq!(parse_interval("0.2"), Ok(Duration::from_millis(200)));
        for bad in ["", "0", "-1", "nan", "inf", "1e9", "1s", "0.01"] {
            assert!(parse_interval(bad).is_err(), "{bad}");
        }
    }
}
