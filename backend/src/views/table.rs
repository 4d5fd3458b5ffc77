//! Columns of text under their headings.

use super::text;

/// On which side a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A column's heading, and the side of its cells.
pub(crate) type Column = (&'static str, Align);

/// The lines of a table; the last column is as wide as it likes. Cells are escaped already.
pub(crate) fn lines(columns: &[Column], rows: &[Vec<String>], headers: bool) -> Vec<String> {
    let titles: Vec<String> = columns.iter().map(|(title, _)| title.to_string()).collect();
    let shown = || headers.then_some(&titles).into_iter().chain(rows);
    let mut widths = vec![0; columns.len()];
    for row in shown() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = text::width(cell).max(*width);
        }
    }
    shown().map(|row| line(columns, row, &widths)).collect()
}

fn line(columns: &[Column], cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (i, ((_, align), cell)) in columns.iter().zip(cells).enumerate() {
        let pad = widths[i].saturating_sub(text::width(cell));
        if *align == Align::Right {
            line.extend(std::iter::repeat_n(' ', pad));
        }
        line.push_str(cell);
        if *align == Align::Left {
            line.extend(std::iter::repeat_n(' ', pad));
        }
        line.push(' ');
    }
    line.truncate(line.trim_end().len());
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_their_headings() {
        let columns = [("PID", Align::Right), ("NAME", Align::Left), ("COMMAND", Align::Left)];
        let row = |cells: [&str; 3]| cells.map(str::to_string).to_vec();
        let rows = [row(["1", "玻", "a b"]), row(["12345", "x", "c"])];
        assert_eq!(
            lines(&columns, &rows, true),
            ["  PID NAME COMMAND", "    1 玻   a b", "12345 x    c"]
        );
        assert_eq!(lines(&columns, &rows[..1], false), ["1 玻 a b"]);
    }
}
