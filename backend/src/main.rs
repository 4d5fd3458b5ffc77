//! The `vitrine` command line: what was typed, or which of the three processes this is.

use std::io::Write as _;
use std::process::ExitCode;

use clap::CommandFactory as _;
use tracing_subscriber::EnvFilter;
use vitrine::cli::{Cli, Command};
use vitrine::config;
use vitrine::doctor;
use vitrine::launcher::{run, serve};

fn main() -> ExitCode {
    match std::env::args_os().next().as_deref().and_then(|name| name.to_str()) {
        Some("vitrine-web") => finish(vitrine::service::web()),
        Some("vitrine-observer") => finish(vitrine::service::observer()),
        _ => match Cli::read(std::env::args_os()) {
            Ok(cli) => command(&cli),
            Err(error) => misread(&error),
        },
    }
}

/// Help, or what was typed wrong: 125 for `run`, whose other codes are the program's own.
fn misread(error: &clap::Error) -> ExitCode {
    // A closed standard error leaves nobody to tell.
    let _ = error.print();
    let is_run = std::env::args_os().nth(1).is_some_and(|word| word == "run");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if is_run => ExitCode::from(125),
        code => ExitCode::from(u8::try_from(code).unwrap_or(1)),
    }
}

fn command(cli: &Cli) -> ExitCode {
    match &cli.command {
        Command::Serve(args) if args.print_config => {
            finish(print(config::print(&args.settings).trim_end()))
        }
        Command::Serve(args) => {
            log_to_stderr(&args.log);
            let names = std::env::vars_os().map(|(name, _)| name);
            for unknown in config::unknown_variables(&Cli::command(), names) {
                tracing::warn!("{unknown}");
            }
            finish(serve::serve(&serve::Options::from(args)))
        }
        Command::Run(args) => {
            let (status, error) = run::run(&run::Options::from(&**args));
            if let Some(error) = error {
                say(&error);
            }
            ExitCode::from(u8::try_from(status).unwrap_or(125))
        }
        Command::Doctor(args) => {
            let definition = Cli::command();
            let serve = definition.find_subcommand("serve").cloned().unwrap_or_default();
            match doctor::doctor(&doctor::Options::from(args), &serve) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => finish(Err(error)),
            }
        }
        Command::Schema(args) => finish(print(&args.text())),
    }
}

/// A reader that has had enough (`| head`) is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Err(err.into()),
        _ => Ok(()),
    }
}

fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "an error of the command line belongs there")]
fn say(error: &anyhow::Error) {
    eprintln!("vitrine: {error:#}");
}
