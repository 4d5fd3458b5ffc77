//! `vitrine man`: a manual page for the program and for each command, out of their `--help`.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};

use super::Cli;
use crate::views::output;

/// `vitrine man`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  vitrine man | man -l -                        # read them here
  vitrine man /usr/local/share/man/man1         # install them")]
pub struct Man {
    /// Write each page to a file in this directory, which is made where it is missing
    /// [default: all pages, one after the other, to standard output].
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Man {
    /// Writes the pages.
    pub fn write(&self) -> anyhow::Result<()> {
        let pages = pages()?;
        match &self.directory {
            None => output::write(pages.concat_text()).map(drop),
            Some(directory) => write_files(&pages, directory),
        }
    }
}

/// File names and the text in them.
struct Pages(Vec<(String, Vec<u8>)>);

impl Pages {
    fn concat_text(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(_, text)| text.clone()).collect()
    }
}

fn write_files(pages: &Pages, directory: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    for (name, text) in &pages.0 {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

fn pages() -> anyhow::Result<Pages> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    add(&root, &mut pages)?;
    Ok(Pages(pages))
}

/// The page of a command, and those of the commands below it.
fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    let version = format!("vitrine {}", env!("CARGO_PKG_VERSION"));
    let notes = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let page = Page::new(command.clone().after_help(None::<&str>));
    let page = page.manual("Vitrine").source(version);
    let mut text = Vec::new();
    page.render(&mut text).context("write a manual page")?;
    sections(&notes).to_writer(&mut text).context("write a manual page")?;
    pages.push((page.get_filename(), text));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        add(below, pages)?;
    }
    Ok(())
}

/// What stands behind the options in a command's help: notes, and examples that keep their lines.
fn sections(help: &str) -> Roff {
    let mut page = Roff::new();
    let (notes, rest) = help.split_once("Examples:\n").unwrap_or((help, ""));
    // Lines that are indented are examples; what comes behind them are notes again.
    let (examples, more): (Vec<&str>, Vec<&str>) =
        rest.lines().partition(|line| line.starts_with("  "));
    let notes: Vec<&str> = notes.lines().chain(more).filter(|line| !line.is_empty()).collect();
    if !notes.is_empty() {
        page.control("SH", ["NOTES"]);
        page.text(notes.iter().map(|line| roman(line.to_string())).collect::<Vec<_>>());
    }
    if !examples.is_empty() {
        page.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples {
            page.text([roman(line.trim_start().to_string())]);
        }
        page.control("fi", []);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_every_command_with_its_flags_and_examples() {
        let pages = pages().unwrap();
        let of = |name: &str| {
            let found = pages.0.iter().find(|(file, _)| file == name);
            String::from_utf8(found.unwrap_or_else(|| panic!("no {name}")).1.clone()).unwrap()
        };
        assert!(of("vitrine.1").contains("vitrine\\-ps(1)"), "{}", of("vitrine.1"));
        for command in Cli::command().get_subcommands() {
            let page = of(&format!("vitrine-{}.1", command.get_name()));
            assert!(page.contains(".SH EXAMPLES"), "{}: {page}", command.get_name());
        }
        assert!(of("vitrine-ps.1").contains("no\\-headers"));
    }
}
