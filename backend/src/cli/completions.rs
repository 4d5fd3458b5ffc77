//! `vitrine completions`: what a shell needs to complete our words.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

/// `vitrine completions`.
#[derive(Clone, Copy, Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine completions bash > /etc/bash_completion.d/vitrine
  vitrine completions zsh  > /usr/local/share/zsh/site-functions/_vitrine
  vitrine completions fish > ~/.config/fish/completions/vitrine.fish
  source <(vitrine completions bash)            # only for this shell")]
pub struct Completions {
    /// Which shell.
    #[arg(value_enum, value_name = "bash|elvish|fish|powershell|zsh")]
    shell: Shell,
}

impl Completions {
    /// The script for that shell.
    pub fn text(self) -> Vec<u8> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vitrine", &mut text);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_knows_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let text = String::from_utf8(Completions { shell }.text()).unwrap();
            for command in Cli::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
            assert!(text.contains("no-headers"), "{shell}");
        }
    }
}
