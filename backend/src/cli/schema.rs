//! `vitrine schema`: the protocol for programs in other languages.

use clap::Args;

/// `vitrine schema`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine schema > vitrine.schema.json
  vitrine schema | jq '.[\"$defs\"].Command'      # what may be asked for

docs/protocol.md tells how to get in, and has a client in 60 lines of Python.")]
pub struct Schema {
    /// It is JSON in any case; taken so that every command that tells something takes it.
    #[arg(long)]
    json: bool,
}

impl Schema {
    /// The JSON Schema of commands, answers and events, as text.
    pub fn text(self) -> String {
        format!("{:#}", vitrine_shared::schema::protocol())
    }
}
