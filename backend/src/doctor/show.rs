//! The report: for people, aligned and coloured on a terminal; for programs, as JSON.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;

use super::leftovers::Removed;
use super::{Finding, GROUPS, Host, Severity};

/// The version of the JSON; changes only when a key changes its meaning or goes.
const JSON_VERSION: u32 = 1;
const RESET: &str = "\x1b[0m";

/// What is reported.
pub(super) struct Report<'a> {
    pub(super) host: &'a Host,
    pub(super) findings: &'a [Finding],
    pub(super) cleaned: &'a [Removed],
}

impl Severity {
    const ALL: [Severity; 4] = [Severity::Ok, Severity::Note, Severity::Warning, Severity::Error];

    const fn word(self) -> &'static str {
        match self {
            Severity::Ok => "ok",
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Severity::Ok => "\x1b[32m",
            Severity::Note => "\x1b[36m",
            Severity::Warning => "\x1b[33m",
            Severity::Error => "\x1b[31m",
        }
    }
}

impl Report<'_> {
    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// A reader that has gone (`| head`) needs no more.
fn through_to_the_end(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// For people.
pub(super) fn human(report: &Report<'_>) -> io::Result<()> {
    let out = io::stdout();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = out.is_terminal() && !no_colour;
    through_to_the_end(write_human(&mut out.lock(), report, colour))
}

fn write_human(out: &mut impl Write, report: &Report<'_>, colour: bool) -> io::Result<()> {
    if !report.host.is_root() {
        writeln!(out, "As {} (not root): what this user gets.\n", report.host.user)?;
    }
    for Removed { what, path } in report.cleaned {
        writeln!(out, "removed {what} {path}")?;
    }
    if !report.cleaned.is_empty() {
        writeln!(out, "{} removed\n", report.cleaned.len())?;
    }
    let ids = GROUPS.iter().flat_map(|(_, ids)| ids.iter());
    let width = ids.map(|id| id.len()).max().unwrap_or(0);
    for (group, ids) in GROUPS {
        writeln!(out, "{group}")?;
        for finding in report.findings.iter().filter(|finding| ids.contains(&finding.id)) {
            write_finding(out, finding, width, colour)?;
        }
        writeln!(out)?;
    }
    let counts: Vec<String> =
        Severity::ALL.iter().map(|&s| plural(report.count(s), s.word())).collect();
    let verdict = match report.count(Severity::Error) {
        0 => "Vitrine runs here",
        _ => "something important does not work here",
    };
    writeln!(out, "{}: {verdict}", counts.join(", "))
}

fn write_finding(
    out: &mut impl Write,
    finding: &Finding,
    width: usize,
    colour: bool,
) -> io::Result<()> {
    let (on, off) = if colour { (finding.severity.colour(), RESET) } else { ("", "") };
    let word = finding.severity.word();
    writeln!(out, "  {on}{word:7}{off}  {:width$}  {}", finding.id, finding.found)?;
    let indent = width + 13;
    if !finding.why.is_empty() {
        writeln!(out, "{:indent$}{}", "", finding.why)?;
    }
    if !finding.mend.is_empty() {
        writeln!(out, "{:indent$}mend: {}", "", finding.mend)?;
    }
    Ok(())
}

fn plural(count: usize, word: &str) -> String {
    let s = if count == 1 || word == "ok" { "" } else { "s" };
    format!("{count} {word}{s}")
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    vitrine: &'static str,
    uid: u32,
    user: &'a str,
    seats: u64,
    summary: Summary,
    findings: Vec<JsonFinding<'a>>,
    cleaned: Vec<JsonRemoved<'a>>,
}

#[derive(Serialize)]
struct Summary {
    ok: usize,
    note: usize,
    warning: usize,
    error: usize,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    id: &'static str,
    group: &'static str,
    severity: &'static str,
    found: &'a str,
    why: &'a str,
    mend: &'a str,
}

#[derive(Serialize)]
struct JsonRemoved<'a> {
    what: &'static str,
    path: &'a str,
}

/// For programs.
pub(super) fn json(report: &Report<'_>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&as_json(report))?;
    Ok(through_to_the_end(writeln!(io::stdout().lock(), "{text}"))?)
}

fn as_json<'a>(report: &'a Report<'a>) -> Json<'a> {
    let finding = |finding: &'a Finding| JsonFinding {
        id: finding.id,
        group: group_of(finding.id),
        severity: finding.severity.word(),
        found: &finding.found,
        why: &finding.why,
        mend: &finding.mend,
    };
    let removed = |removed: &'a Removed| JsonRemoved { what: removed.what, path: &removed.path };
    Json {
        version: JSON_VERSION,
        vitrine: env!("CARGO_PKG_VERSION"),
        uid: report.host.uid,
        user: &report.host.user,
        seats: report.host.seats,
        summary: Summary {
            ok: report.count(Severity::Ok),
            note: report.count(Severity::Note),
            warning: report.count(Severity::Warning),
            error: report.count(Severity::Error),
        },
        findings: report.findings.iter().map(finding).collect(),
        cleaned: report.cleaned.iter().map(removed).collect(),
    }
}

fn group_of(id: &str) -> &'static str {
    GROUPS.iter().find(|(_, ids)| ids.contains(&id)).map_or("", |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::fixture;
    use std::collections::BTreeSet;

    fn with_report<T>(look: impl FnOnce(&Report<'_>) -> T) -> T {
        let (_dir, host) = fixture(&[]);
        let findings = [
            Finding::ok("overlay", "mounted"),
            Finding::new(Severity::Error, "busybox", "none", "images need it", "apt-get install x"),
        ];
        let cleaned = [Removed { what: "stage", path: "/run/vitrine/stage-1-1".into() }];
        look(&Report { host: &host, findings: &findings, cleaned: &cleaned })
    }

    fn human(colour: bool) -> String {
        with_report(|report| {
            let mut out = Vec::new();
            write_human(&mut out, report, colour).unwrap();
            String::from_utf8(out).unwrap()
        })
    }

    #[test]
    fn people_read_what_why_and_what_to_type() {
        let text = human(false);
        for line in [
            "removed stage /run/vitrine/stage-1-1",
            "  ok       overlay                 mounted",
            "  error    busybox                 none",
            "                                   images need it",
            "                                   mend: apt-get install x",
        ] {
            assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
        }
        assert!(text.ends_with(
            "1 ok, 0 notes, 0 warnings, 1 error: something important does not work here\n"
        ));
        assert!(!text.contains('\x1b'));
        assert!(human(true).contains("\x1b[31merror  \x1b[0m"));
    }

    #[test]
    fn every_key_and_every_id_of_the_json_is_documented_and_the_other_way_round() {
        let json = with_report(|report| serde_json::to_value(as_json(report)).unwrap());
        let mut keys = BTreeSet::new();
        for (place, value) in [
            ("", &json),
            ("summary.", &json["summary"]),
            ("findings[].", &json["findings"][0]),
            ("cleaned[].", &json["cleaned"][0]),
        ] {
            keys.extend(value.as_object().unwrap().keys().map(|key| format!("{place}{key}")));
        }
        let ids: BTreeSet<String> =
            GROUPS.iter().flat_map(|(_, ids)| ids.iter().map(ToString::to_string)).collect();
        let documented = |text: &str, section: &str| -> BTreeSet<String> {
            let text = text.split_once(section).unwrap().1;
            let text = text.split("\n## ").next().unwrap();
            let first = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_string());
            text.lines().filter_map(first).collect()
        };
        // There the elements of a list have lines of their own.
        let all = include_str!("../../../docs/cli-json.md");
        let mut said = documented(all, "## `vitrine doctor --json`\n");
        said.retain(|key| !key.ends_with("[]"));
        assert_eq!(said, keys);
        assert_eq!(documented(include_str!("../../../docs/doctor-json.md"), "## Ids"), ids);
    }
}
