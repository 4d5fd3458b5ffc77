//! Text of processes for a terminal, and numbers for people.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::observer::parse;

/// Text that cannot move a cursor, break a line or reorder its neighbours: what could is written
/// as `\x1b` or `\u{202e}`.
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c if c.is_control() && u32::from(c) < 0x100 => {
                shown.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c if c.is_control() || parse::is_invisible(c) => {
                shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Columns of a terminal that a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The part of a text that fits into so many columns, from a column on.
pub(crate) fn cut(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// Bytes as `512`, `1.5K`, `64.0M`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["K", "M", "G", "T", "P", "E"];
    if bytes < 1024 {
        return bytes.to_string();
    }
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10 / 1024;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{}{}", tenths / 10, tenths % 10, UNITS[unit])
}

/// CPU time as `1:02.34`: minutes, seconds, hundredths.
pub(crate) fn cpu_time(nsec: u64) -> String {
    let hundredths = nsec / 10_000_000;
    format!("{}:{:02}.{:02}", hundredths / 6_000, hundredths / 100 % 60, hundredths % 100)
}

/// Thousandths as `12.5`, per cent.
pub(crate) fn percent(permille: u32) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

/// A usage against its limit: `3/64`, `3/max`.
pub(crate) fn against(used: &str, limit: Option<String>) -> String {
    format!("{used}/{}", limit.as_deref().unwrap_or("max"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_the_cursor() {
        assert_eq!(escape("a\x1b[2Jb\n\t\r\x7f\u{9b}"), "a\\x1b[2Jb\\n\\t\\r\\x7f\\x9b");
        assert_eq!(escape("\u{202e}evil\u{200b}"), "\\u{202e}evil\\u{200b}");
        assert_eq!(escape("sh -c 'echo \\n' 玻璃"), "sh -c 'echo \\n' 玻璃");
    }

    #[test]
    fn columns() {
        assert_eq!((width("玻璃 ab"), cut("玻璃ab", 3), cut("玻璃ab", 5)), (7, "玻", "玻璃a"));
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn numbers() {
        for (number, shown) in [
            (0, "0"),
            (1023, "1023"),
            (1536, "1.5K"),
            (64 << 20, "64.0M"),
            ((1 << 30) - 1, "1023.9M"),
            (u64::MAX, "15.9E"),
        ] {
            assert_eq!(bytes(number), shown);
        }
        assert_eq!(cpu_time(62_345_678_901), "1:02.34");
        assert_eq!((percent(5), percent(1_234)), ("0.5".into(), "123.4".into()));
        assert_eq!(against("3", None), "3/max");
    }
}
