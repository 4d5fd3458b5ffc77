//! A table of figures: read from a bench, summed up, laid out as text and as Markdown.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

/// A table as a bench prints it: every single figure, nothing summed up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    /// What was measured.
    pub(crate) title: String,
    /// Of all figures.
    unit: String,
    /// The row that the others are compared with.
    #[serde(default)]
    against: Option<String>,
    rows: Vec<Row>,
    #[serde(default)]
    notes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    what: String,
    samples: Vec<f64>,
    #[serde(default)]
    goals: Vec<Goal>,
    /// The row that this one is compared with, when it is another than the table's.
    #[serde(default)]
    against: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Goal {
    of: Of,
    #[serde(default)]
    at_most: Option<f64>,
    /// For what is better when there is more of it.
    #[serde(default)]
    at_least: Option<f64>,
    /// Then `at_most` is a multiple of that row's.
    #[serde(default)]
    against: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    Median,
    P95,
}

const MISSED: &str = "**missed**";

/// One line of the finished table.
struct Line {
    cells: [String; 7],
}

const HEADS: [&str; 7] = ["", "n", "median", "p95", "min", "ratio", "goal"];

impl Table {
    /// The tables in a bench's output; other lines are an error, for nothing else belongs there.
    pub(crate) fn read_all(text: &str) -> Result<Vec<Self>> {
        let lines = text.lines().filter(|line| line.starts_with('{'));
        let read = |line: &str| {
            let table: Self = serde_json::from_str(line).with_context(|| format!("read {line}"))?;
            if let Some(row) = table.rows.iter().find(|row| row.samples.is_empty()) {
                bail!("{}: {} has no figures", table.title, row.what);
            }
            let open = |goal: &Goal| goal.at_most.is_none() && goal.at_least.is_none();
            if table.rows.iter().any(|row| row.goals.iter().any(open)) {
                bail!("{}: a goal without a bound", table.title);
            }
            Ok(table)
        };
        let tables: Vec<Self> = lines.map(read).collect::<Result<_>>()?;
        if tables.is_empty() {
            bail!("a bench has printed no table");
        }
        Ok(tables)
    }

    /// For the terminal.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines();
        let width = |at: usize| {
            let cells = lines.iter().map(|line| line.cells[at].chars().count());
            cells.chain([HEADS[at].len()]).max().unwrap_or(0)
        };
        let mut text = format!("\n{} ({})\n", self.title, self.unit);
        for cells in [&HEADS.map(String::from)].into_iter().chain(lines.iter().map(|l| &l.cells)) {
            let _ = write!(text, "{:<1$}", cells[0], width(0));
            for (at, cell) in cells.iter().enumerate().skip(1) {
                let pad = width(at) - cell.chars().count();
                let _ = match at {
                    6 => write!(text, "  {cell}"),
                    _ => write!(text, "  {}{cell}", " ".repeat(pad)),
                };
            }
            text.push('\n');
        }
        text
    }

    /// For `docs/measured/`.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("## {} ({})\n\n", self.title, self.unit);
        let _ = writeln!(text, "| {} |", HEADS.join(" | "));
        let _ = writeln!(text, "|---|{}---|", "---:|".repeat(5));
        for line in self.lines() {
            let _ = writeln!(text, "| {} |", line.cells.join(" | "));
        }
        for note in &self.notes {
            let _ = write!(text, "\n{note}\n");
        }
        text
    }

    /// The goals that were not reached, in words.
    pub(crate) fn missed(&self) -> Vec<String> {
        let lines = self.lines().into_iter().filter(|line| line.cells[6].contains(MISSED));
        lines
            .map(|line| format!("{} {} ({})", line.cells[0], line.cells[2], line.cells[6]))
            .collect()
    }

    fn lines(&self) -> Vec<Line> {
        self.rows.iter().map(|row| self.line(row)).collect()
    }

    fn line(&self, row: &Row) -> Line {
        let against = row.against.as_ref().or(self.against.as_ref());
        let ratio = against.and_then(|name| self.median_of(name)).map(|base| row.median() / base);
        let number =
            |value: f64| if value < 100.0 { format!("{value:.2}") } else { format!("{value:.0}") };
        let goals: Vec<String> = row.goals.iter().filter_map(|goal| self.goal(row, goal)).collect();
        Line {
            cells: [
                row.what.clone(),
                row.samples.len().to_string(),
                number(row.median()),
                number(row.at(0.95)),
                number(row.at(0.0)),
                ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}×")),
                goals.join(", "),
            ],
        }
    }

    fn median_of(&self, name: &str) -> Option<f64> {
        self.rows.iter().find(|row| row.what == name).map(Row::median)
    }

    /// The goal in words, and whether it was reached.
    fn goal(&self, row: &Row, goal: &Goal) -> Option<String> {
        let (name, value) = match goal.of {
            Of::Median => ("median", row.median()),
            Of::P95 => ("p95", row.at(0.95)),
        };
        let (is_met, words) = match (goal.at_most, goal.at_least, &goal.against) {
            (Some(most), _, Some(other)) => {
                let name = other.split(' ').next().unwrap_or(other);
                (value <= most * self.median_of(other)?, format!("≤ {most}× {name}"))
            }
            (Some(most), _, None) => (value <= most, format!("{name} ≤ {most}")),
            (None, least, _) => {
                let least = least?;
                (value >= least, format!("{name} ≥ {least}"))
            }
        };
        let met = if is_met { "met" } else { MISSED };
        Some(format!("{words}: {met}"))
    }
}

impl Row {
    fn median(&self) -> f64 {
        self.at(0.5)
    }

    /// The value at a fraction of the sorted list.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a short list"
    )]
    fn at(&self, fraction: f64) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted.get((last as f64 * fraction).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    const TABLE: &str = r#"{"title":"t","unit":"ms","against":"bwrap x","notes":["a note"],"rows":[
        {"what":"ours","samples":[3,1,2],"goals":[{"of":"median","at_most":0.5,"against":"bwrap x"},
         {"of":"p95","at_most":3},{"of":"median","at_least":2}]},{"what":"bwrap x","samples":[3,3,30]}]}"#;

    fn table() -> Table {
        Table::read_all(&TABLE.replace('\n', "")).unwrap().remove(0)
    }

    #[test]
    fn medians_ratios_and_goals() {
        let text = table().text();
        let ours = text.lines().find(|line| line.starts_with("ours")).unwrap();
        let words: Vec<&str> = ours.split_whitespace().collect();
        assert_eq!(words[1..6], ["3", "2.00", "3.00", "1.00", "0.67×"], "{text}");
        assert!(
            ours.ends_with("≤ 0.5× bwrap: **missed**, p95 ≤ 3: met, median ≥ 2: met"),
            "{ours}"
        );
        let markdown = table().markdown();
        assert!(
            markdown.contains("| bwrap x | 3 | 3.00 | 30.00 | 3.00 | 1.00× |  |"),
            "{markdown}"
        );
        assert!(markdown.ends_with("\na note\n"));
    }

    #[test]
    fn a_bench_without_figures_is_an_error() {
        assert!(Table::read_all("nothing").is_err());
        let empty = r#"{"title":"t","unit":"ms","rows":[{"what":"x","samples":[]}]}"#;
        assert!(Table::read_all(empty).unwrap_err().to_string().contains("no figures"));
        assert!(Table::read_all(r#"{"titel":"t"}"#).is_err());
    }
}
