//! `cargo xtask`: what turns this repository into a running, tested Vitrine.
//!
//! ```text
//! cargo xtask web     page: wasm compiler ► wasm-bindgen ► wasm-opt ► hashed names ► .br .gz ► size gate
//! cargo xtask run     set-up ► web ► server ► vitrine serve
//! cargo xtask dev     the same without optimising, assets from disk, rebuilt and reloaded on a change
//! cargo xtask test    every check there is, stage by stage
//! cargo xtask vm      kernel tests in a small VM with cgroup v2 only: all of them, or those one names
//! cargo xtask bench   figures beside those of other programs, kept in docs/measured/
//! cargo xtask dist    one static binary, its licences, its bill of materials, a Debian package
//! cargo xtask soak    ten thousand births and deaths, and what is left of them
//! ```
//!
//! A second run with nothing changed does nothing: see [`stamp`].

mod project;
mod say;
mod tool;

mod setup;
mod wasm;

mod assets;
mod gate;
mod packed;
mod stamp;
mod web;

mod bench;
mod dev;
mod dist;
mod elf;
mod run;
mod soak;
mod split;
mod stage;
mod test;
mod vm;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::project::Project;

/// Builds, runs and tests Vitrine.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up what is missing, build the page and the server, and start it
    Run(Serve),
    /// Run every check: formatting, lints, docs, unit, kernel, protocol and browser tests
    Test(Test),
    /// Run kernel tests in the small VM, whose kernel has cgroup v2 only: what CI runs there, all, or some
    Vm(Vm),
    /// Like `run`, but unoptimised, with assets from disk; rebuild and reload on a change
    Dev(Serve),
    /// Build only the page, into target/web-dist, and hold it to its size
    Web(Consent),
    /// Measure, beside other programs where there are some, and keep the tables in docs/measured/
    Bench(Measure),
    /// Start and end machines and containers, thousands of them, and count what is left
    Soak(Soak),
    /// Build what is handed on: one static binary, licence notices, SBOM, unit, manual pages
    Dist(Dist),
}

#[derive(Args)]
struct Consent {
    /// Install missing packages without asking (as root on Debian and its relatives; CI=true says the same)
    #[arg(long, short)]
    yes: bool,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    consent: Consent,
    /// Arguments for `vitrine serve`
    #[arg(last = true, value_name = "SERVE ARGS")]
    args: Vec<String>,
}

#[derive(Args)]
struct Measure {
    #[command(flatten)]
    consent: Consent,
    /// Measure just this (may be given more than once)
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<bench::Bench>,
    /// How often each of them takes its turn
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How long a page is watched growing; below 30 the table says that it was a short run
    #[arg(long, value_name = "M", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=1440))]
    minutes: u16,
    /// List what can be measured and stop
    #[arg(long)]
    list: bool,
}

#[derive(Args)]
struct Dist {
    #[command(flatten)]
    consent: Consent,
    /// A Debian package too, unpacked and started once
    #[arg(long)]
    deb: bool,
    /// Only the page, for a host that hands out files and no more: it runs on the simulator
    #[arg(long = "static", value_name = "DIR", conflicts_with_all = ["deb", "out"])]
    still: Option<std::path::PathBuf>,
    /// Where everything goes [default: target/dist-out]
    #[arg(long, value_name = "DIR")]
    out: Option<std::path::PathBuf>,
}

#[derive(Args)]
struct Soak {
    #[command(flatten)]
    consent: Consent,
    /// How many machines and containers come and go
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    cycles: u32,
    /// Stop after so many minutes, however far it has come
    #[arg(long, value_name = "M", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1440))]
    minutes: u32,
}

#[derive(Args)]
struct Vm {
    #[command(flatten)]
    consent: Consent,
    /// Everything that can run there, also what was never judged on v2; emulated, half an hour
    #[arg(long, conflicts_with = "names")]
    all: bool,
    /// Only tests with one of these in their names: lab_shut::, groups::a_page
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Args)]
struct Test {
    #[command(flatten)]
    consent: Consent,
    /// Run just this stage and what it needs (may be given more than once)
    #[arg(long, value_enum, value_name = "STAGE")]
    only: Vec<stage::Stage>,
    /// List the stages and stop
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| usage(&error));
    let result = match cli.command {
        Command::Run(serve) => run::run(&Project::find(serve.consent.yes), &serve.args),
        Command::Dev(serve) => dev::dev(&Project::find(serve.consent.yes), &serve.args),
        Command::Web(consent) => web::print(&Project::find(consent.yes)),
        Command::Bench(measure) if measure.list => {
            bench::list();
            Ok(())
        }
        Command::Bench(measure) => {
            let project = Project::find(measure.consent.yes);
            let effort = bench::Effort { rounds: measure.rounds.into(), minutes: measure.minutes };
            bench::bench(&project, &measure.only, effort)
        }
        Command::Dist(Dist { consent, still: Some(dir), .. }) => {
            dist::still::export(&Project::find(consent.yes), &dir)
        }
        Command::Dist(dist) => dist::dist(&Project::find(dist.consent.yes), dist.out, dist.deb),
        Command::Soak(soak) => {
            soak::soak(&Project::find(soak.consent.yes), soak.cycles, soak.minutes)
        }
        Command::Test(test) if test.list => {
            test::list();
            Ok(())
        }
        Command::Vm(vm) => {
            let wish = match vm.names {
                _ if vm.all => vm::Wish::All,
                names if names.is_empty() => vm::Wish::Ci,
                names => vm::Wish::Named(names),
            };
            vm::alone(&Project::find(vm.consent.yes), &wish)
        }
        Command::Test(test) => test::test(&Project::find(test.consent.yes), &test.only),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&error);
            ExitCode::FAILURE
        }
    }
}

/// What clap says, and what would have been right.
fn usage(error: &clap::Error) -> ! {
    // Help is an "error" too; a closed pipe is nothing to report.
    let _ = error.print();
    let given = std::env::args().nth(1).unwrap_or_default();
    if let Some(names) = allowed(error.kind(), &given) {
        say::note(format_args!("{} {names}", say::words("allowed:", "可用：")));
    }
    std::process::exit(error.exit_code())
}

/// The names that could have stood where the unknown one does.
fn allowed(mistake: ErrorKind, command: &str) -> Option<String> {
    let mut cli = Cli::command();
    cli.build();
    let names: Vec<String> = match (mistake, cli.find_subcommand(command)) {
        (ErrorKind::UnknownArgument, Some(command)) => {
            let flags = command.get_arguments().filter_map(clap::Arg::get_long);
            flags.map(|name| format!("--{name}")).collect()
        }
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, None) => {
            cli.get_subcommands().map(|command| command.get_name().to_owned()).collect()
        }
        _ => return None,
    };
    Some(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::{Cli, ErrorKind, allowed};
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_mistake_is_told_what_is_allowed() {
        let commands = allowed(ErrorKind::InvalidSubcommand, "frob").unwrap();
        assert_eq!(commands, "run, test, vm, dev, web, bench, soak, dist, help");
        let flags = allowed(ErrorKind::UnknownArgument, "test").unwrap();
        assert_eq!(flags, "--yes, --only, --list, --help");
        assert!(allowed(ErrorKind::DisplayHelp, "test").is_none());
    }
}
