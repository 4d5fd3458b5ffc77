//! What `xtask` tells the person at the terminal, in English or in Chinese.

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::LazyLock;

/// Chinese when the locale says so; `LC_ALL` wins over `LC_MESSAGES`, that over `LANG`.
static CHINESE: LazyLock<bool> = LazyLock::new(|| {
    ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty())
        .is_some_and(|value| value.starts_with("zh"))
});

/// The one of the two that the reader's locale asks for.
pub(crate) fn words<T>(english: T, chinese: T) -> T {
    if *CHINESE { chinese } else { english }
}

/// A step begins.
pub(crate) fn step(what: impl Display) {
    line(format_args!("\x1b[1;36m==>\x1b[0m {what}"));
}

/// Something about the step that runs.
pub(crate) fn note(what: impl Display) {
    line(format_args!("    {what}"));
}

/// Something went less well than it should have.
pub(crate) fn warn(what: impl Display) {
    line(format_args!("\x1b[1;33m{}\x1b[0m {what}", words("warning:", "警告：")));
}

/// The end of the road, with each cause on a line of its own.
pub(crate) fn error(error: &anyhow::Error) {
    line(format_args!("\x1b[1;31m{}\x1b[0m {error}", words("error:", "错误：")));
    for cause in error.chain().skip(1) {
        line(format_args!("  {} {cause}", words("because:", "原因：")));
    }
}

/// Asks for yes or no. Nobody to ask is a no.
pub(crate) fn ask(question: impl Display) -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let mut stderr = io::stderr().lock();
    let asked =
        write!(stderr, "\x1b[1;36m ? \x1b[0m {question} [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    let heard = io::stdin().lock().read_line(&mut answer);
    asked.is_ok() && heard.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "是")
}

/// A line that others may want to read too: tables and lists, on standard output.
pub(crate) fn table(text: impl Display) {
    // A closed pipe (`| head`) is the reader's choice, not a failure.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

fn line(text: impl Display) {
    let mut shown = text.to_string();
    if !io::stderr().is_terminal() {
        shown = plain(&shown);
    }
    let _ = writeln!(io::stderr().lock(), "{shown}");
}

/// Without the colours, for logs.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\x1b[") {
        out.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn logs_have_no_colours() {
        assert_eq!(super::plain("\x1b[1;36m==>\x1b[0m hello"), "==> hello");
        assert_eq!(super::plain("no colour"), "no colour");
    }
}
