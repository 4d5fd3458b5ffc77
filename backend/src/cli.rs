//! The command line: each command's flags as a type, in a file of its own.

mod image;
mod run;
mod schema;
mod serve;

use clap::{Parser, Subcommand};

pub use image::{Image, image};
pub use run::Run;
pub use schema::Schema;
pub use serve::Serve;

/// See through the container trick: real Linux containers, live in a browser page.
#[derive(Debug, Parser)]
#[command(name = "vitrine", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the page and its machines.
    Serve(Serve),
    /// Run one container on this host, as `docker run` does.
    Run(Box<Run>),
    /// Add, list and remove the root file systems that containers can have.
    Image(Image),
    /// Print the JSON Schema of the protocol.
    Schema(Schema),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn typed_wrong_it_says_what_is_allowed() {
        let wrong = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap_err().to_string();
        assert!(wrong("vitrine rum").contains("run"));
        assert!(wrong("vitrine image").contains("add"));
        assert!(wrong("vitrine image add x").contains("<SOURCE>"));
        assert!(wrong("vitrine image rm x").contains("remove"));
        // A flag typed wrong is no program.
        assert!(wrong("vitrine run --memroy 64m true").contains("--memory"));
        assert!(wrong("vitrine run --cpus x true").contains("0.5"));
        assert!(wrong("vitrine run --seccomp none true").contains("strict, off"));
        assert!(wrong("vitrine serve --listen nonsense").contains("--listen"));
    }
}
