//! The `vitrine` command line: what was typed, or which of the three processes this is.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use tracing_subscriber::EnvFilter;
use vitrine::cli::{Cli, Command, image};
use vitrine::config;
use vitrine::doctor;
use vitrine::launcher::{run, serve};
use vitrine::sim;

use vitrine::views::{cgroups, namespaces, output, ps, top};

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
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    let is_run = std::env::args_os().nth(1).is_some_and(|word| word == "run");
    match (error.exit_code(), printed) {
        // A reader who has had enough (`| head`) is no failure.
        (0, Err(err)) if err.kind() != ErrorKind::BrokenPipe => {
            finish(Err(anyhow::Error::from(err).context("write to standard output")))
        }
        (0, _) => ExitCode::SUCCESS,
        // A closed standard error leaves nobody to tell.
        _ if is_run => ExitCode::from(125),
        (code, _) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
    }
}

fn command(cli: &Cli) -> ExitCode {
    match &cli.command {
        Command::Serve(args) if args.print_config => {
            print(config::print(&args.settings).trim_end().to_string() + "\n")
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
            let report = run::run(&run::Options::from(&**args));
            match &report.error {
                _ if args.json => say_line(&serde_json::to_string(&report).unwrap_or_default()),
                Some(error) => say_line(&format!("vitrine: {error}")),
                None => {}
            }
            ExitCode::from(u8::try_from(report.status).unwrap_or(125))
        }
        Command::Image(args) => match image(args) {
            Ok(text) => print(&text),
            Err(error) => finish(Err(error)),
        },
        Command::Ps(args) => finish(ps::ps(&args.into())),
        Command::Top(args) => top(&args.into()),
        Command::Cgroups(args) => finish(cgroups::cgroups(&args.into())),
        Command::Namespaces(args) => finish(namespaces::namespaces(&args.into())),
        Command::Doctor(args) => {
            let definition = Cli::command();
            let serve = definition.find_subcommand("serve").cloned().unwrap_or_default();
            match doctor::doctor(&doctor::Options::from(args), &serve) {
                Ok(true) => ExitCode::SUCCESS,
                Ok(false) => ExitCode::FAILURE,
                Err(error) => finish(Err(error)),
            }
        }
        Command::Sim(args) => match sim::sim(&args.into()) {
            Ok(status) => ExitCode::from(status),
            Err(error) => finish(Err(error)),
        },
        Command::Schema(args) => print(args.text() + "\n"),
        Command::Completions(args) => print(args.text()),
        Command::Man(args) => finish(args.write()),
    }
}

/// Ends with the signal's number when one ended it.
fn top(options: &top::Options) -> ExitCode {
    match top::top(options) {
        Ok(status) => ExitCode::from(status),
        Err(error) => finish(Err(error)),
    }
}

fn print(text: impl AsRef<[u8]>) -> ExitCode {
    finish(output::write(text).map(drop))
}

fn log_to_stderr(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Said on standard error as well, which is what cannot be written to: that would be a panic.
    log.log_internal_errors(false).init();
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say_line(&format!("vitrine: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn say_line(line: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(std::io::stderr(), "{line}");
}
