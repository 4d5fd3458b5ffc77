//! A table of figures on its way to `cargo xtask bench`, which knows medians, ratios and goals.

use std::time::Duration;

use serde_json::{Value, json};

/// One line of a table: every single figure, in the order in which it was measured.
pub(crate) struct Row {
    what: String,
    samples: Vec<f64>,
    goals: Vec<Value>,
}

impl Row {
    /// A row without figures.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Row { what: what.into(), samples: Vec::new(), goals: Vec::new() }
    }

    /// Are there no figures?
    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// One more figure.
    pub(crate) fn push(&mut self, sample: f64) {
        self.samples.push(sample);
    }

    /// One more duration, in milliseconds.
    pub(crate) fn took(&mut self, took: Duration) {
        self.push(took.as_secs_f64() * 1000.0);
    }

    /// What it should be: `of` is `median` or `p95`.
    pub(crate) fn at_most(mut self, of: &str, value: f64) -> Self {
        self.goals.push(json!({ "of": of, "at_most": value }));
        self
    }

    /// The same, in terms of another row's median.
    pub(crate) fn times(mut self, times: f64, against: &str) -> Self {
        self.goals.push(json!({ "of": "median", "at_most": times, "against": against }));
        self
    }
}

/// Prints a table; ratios are to the row called `against`.
pub(crate) fn print(title: &str, unit: &str, against: Option<&str>, rows: &[Row], notes: &[&str]) {
    let rows: Vec<Value> = rows
        .iter()
        .map(|Row { what, samples, goals }| json!({ "what": what, "samples": samples, "goals": goals }))
        .collect();
    let table = json!({
        "title": title, "unit": unit, "against": against, "rows": rows, "notes": notes,
    });
    println!("{table}");
}
