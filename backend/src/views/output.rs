//! Standard output: written in one piece, and a reader who has gone is no error.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};

use anyhow::Context as _;
use serde::Serialize;

use super::text;
use crate::launcher::sys;

/// Writes text to standard output. `false`: whoever read it has gone (as `head -1` does), and
/// there is nobody left to write for.
pub fn write(text: impl AsRef<[u8]>) -> anyhow::Result<bool> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(err) if err.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(err) => Err(err).context("write to standard output"),
    }
}

/// Writes lines; on a terminal each is cut to its width.
pub(crate) fn write_lines(lines: &[String]) -> anyhow::Result<bool> {
    let columns = columns();
    let mut all = String::new();
    for line in lines {
        all.push_str(columns.map_or(line.as_str(), |columns| text::cut(line, columns)));
        all.push('\n');
    }
    write(all)
}

/// Writes a value as JSON for people and programs.
pub(crate) fn write_json(value: &impl Serialize) -> anyhow::Result<bool> {
    let mut text = serde_json::to_vec_pretty(value).context("write JSON")?;
    text.push(b'\n');
    write(text)
}

/// Columns of the terminal that standard output is.
fn columns() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let size = sys::window_size(sys::borrow_stdio(1))?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}
