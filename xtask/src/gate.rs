//! How large the page is, as a table, and whether that is too much.

use std::fmt::Write as _;

use anyhow::{Result, bail};

use crate::say;

/// 250 KB: mounted in about 0.6 s on the link of three quarters of all people.
const MOST_BROTLI: usize = 250_000;
/// A classroom on plain `http://192.168.…` gets gzip: browsers offer brotli in secure contexts only.
const MOST_GZIP: usize = 300_000;

/// One file of the page.
pub(crate) struct Row {
    /// Its name in `target/web-dist`.
    pub(crate) name: String,
    /// Needed before the page shows anything.
    pub(crate) critical: bool,
    pub(crate) raw: usize,
    pub(crate) gzip: usize,
    pub(crate) brotli: usize,
}

impl Row {
    /// A piece of the page's program that is loaded later.
    fn is_chunk(&self) -> bool {
        !self.critical && self.name.ends_with(".wasm")
    }
}

/// The table, the critical path first.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| (!row.critical, std::cmp::Reverse(row.raw)));
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(24);
    let mut text = format!("{:width$} {:>9} {:>9} {:>9}\n", "file", "raw", "gzip", "brotli");
    for row in sorted {
        let path = match row.critical {
            true => "critical",
            false if row.is_chunk() => "chunk",
            false => "lazy",
        };
        let Row { name, raw, gzip, brotli, .. } = row;
        let _ = writeln!(text, "{name:width$} {raw:>9} {gzip:>9} {brotli:>9}  {path}");
    }
    let (gzip, brotli) = critical(rows);
    let raw: usize = rows.iter().filter(|row| row.critical).map(|row| row.raw).sum();
    let _ = writeln!(text, "{:width$} {raw:>9} {gzip:>9} {brotli:>9}", "critical path");
    let _ = write!(text, "{:width$} {:>9} {MOST_GZIP:>9} {MOST_BROTLI:>9}", "at most", "");
    text
}

/// Fails when the critical path is too large, or one of the chunks, which somebody waits for too.
pub(crate) fn check(rows: &[Row]) -> Result<()> {
    for Row { name, gzip, brotli, .. } in rows.iter().filter(|row| row.is_chunk()) {
        if *gzip > MOST_GZIP || *brotli > MOST_BROTLI {
            bail!(
                "{name} is too large: {gzip} bytes gzip (at most {MOST_GZIP}) and {brotli} bytes \
                 brotli (at most {MOST_BROTLI}); part its views among two split points"
            );
        }
    }
    let (gzip, brotli) = critical(rows);
    if gzip > MOST_GZIP || brotli > MOST_BROTLI {
        bail!(
            "the page is too large: its critical path is {gzip} bytes gzip (at most {MOST_GZIP}) \
             and {brotli} bytes brotli (at most {MOST_BROTLI})"
        );
    }
    say::note(say::words(
        format!("critical path: {brotli} bytes brotli, {gzip} gzip"),
        format!("关键路径：brotli {brotli} 字节，gzip {gzip} 字节"),
    ));
    Ok(())
}

fn critical(rows: &[Row]) -> (usize, usize) {
    let critical = rows.iter().filter(|row| row.critical);
    critical.fold((0, 0), |(gzip, brotli), row| (gzip + row.gzip, brotli + row.brotli))
}

#[cfg(test)]
mod tests {
    use super::{Row, check, table};

    fn row(name: &str, critical: bool, size: usize) -> Row {
        Row { name: name.to_owned(), critical, raw: size, gzip: size, brotli: size }
    }

    #[test]
    fn only_the_critical_path_counts() {
        let rows = [row("page.wasm", true, 249_000), row("xterm.mjs", false, 400_000)];
        check(&rows).unwrap();
        let table = table(&rows);
        assert!(
            table.contains("critical path               249000    249000    249000"),
            "{table}"
        );
    }

    #[test]
    fn one_byte_too_many_fails() {
        let limit = |gzip, brotli| Row { gzip, brotli, ..row("page.wasm", true, 1) };
        check(&[limit(300_000, 250_000)]).unwrap();
        assert!(check(&[limit(300_001, 1)]).is_err());
        assert!(check(&[limit(1, 250_001)]).is_err());
        let chunk = |brotli| Row { critical: false, ..limit(1, brotli) };
        check(&[chunk(250_000), chunk(250_000)]).unwrap();
        assert!(check(&[chunk(250_001)]).is_err());
    }
}
