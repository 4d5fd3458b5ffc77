//! `cargo xtask test`: the stages one after another, and a table at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::project::Project;
use crate::say;
use crate::stage::Stage;

/// How a stage ended.
enum Outcome {
    Passed,
    Failed(anyhow::Error),
    /// A stage that it builds on failed.
    NotRun(Stage),
}

/// One line of the table.
struct Row {
    stage: Stage,
    outcome: Outcome,
    took: Duration,
    /// What its programs used of all CPUs: two cores are idle for half of the time where it is as
    /// long as the stage itself. (A stage's own thread and what outlives it are not counted.)
    busy: Duration,
}

/// Prints the stages.
pub(crate) fn list() {
    for stage in Stage::all() {
        let (name, what) = stage.described();
        say::table(format_args!("{name:12} {what}"));
    }
}

/// Runs all stages, or `only` some and what they need. A failure does not keep the later ones from running.
pub(crate) fn test(project: &Project, only: &[Stage]) -> Result<()> {
    let chosen = chosen(only);
    let mut results: Vec<Row> = Vec::new();
    for stage in &chosen {
        let (name, what) = stage.described();
        say::step(format_args!("[{name}] {what}"));
        let (begun, busy) = (Instant::now(), used_by_children());
        let outcome = outcome(project, *stage, &chosen, &results);
        if let Outcome::Failed(error) = &outcome {
            say::error(error);
        }
        let busy = used_by_children().saturating_sub(busy);
        results.push(Row { stage: *stage, outcome, took: begun.elapsed(), busy });
    }
    say::table(table(&results));
    let failed = |row: &&Row| !matches!(row.outcome, Outcome::Passed);
    match results.iter().filter(failed).count() {
        0 => Ok(()),
        count => bail!("{count} of {} stages did not pass", results.len()),
    }
}

fn outcome(project: &Project, stage: Stage, chosen: &[Stage], before: &[Row]) -> Outcome {
    let failed = before.iter().find(|earlier| {
        stage.after().contains(&earlier.stage) && !matches!(earlier.outcome, Outcome::Passed)
    });
    if let Some(earlier) = failed {
        return Outcome::NotRun(earlier.stage);
    }
    match stage.run(project, chosen) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(error),
    }
}

/// The stages to run, in their order, with those that they build on.
fn chosen(only: &[Stage]) -> Vec<Stage> {
    if only.is_empty() {
        return Stage::all().to_vec();
    }
    let mut wanted = only.to_vec();
    let mut at = 0;
    while at < wanted.len() {
        wanted.extend(wanted[at].after());
        at += 1;
    }
    Stage::all().iter().filter(|stage| wanted.contains(stage)).copied().collect()
}

/// CPU time of all programs that were started here and have ended.
fn used_by_children() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_CHILDREN) else { return Duration::ZERO };
    let [user, system] = [usage.user_time(), usage.system_time()]
        .map(|time| Duration::from_micros(time.num_microseconds().try_into().unwrap_or(0)));
    user + system
}

fn table(results: &[Row]) -> String {
    let mut text = format!("\n{:12} {:>8} {:>8}  {}\n", "stage", "seconds", "cpu", "result");
    for Row { stage, outcome, took, busy } in results {
        let result = match outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed(error) => format!("FAILED: {error}"),
            Outcome::NotRun(earlier) => format!("NOT RUN: {} did not pass", earlier.described().0),
        };
        let (name, took, busy) = (stage.described().0, took.as_secs_f64(), busy.as_secs_f64());
        text += &format!("{name:12} {took:>8.1} {busy:>8.1}  {result}\n");
    }
    let total: Duration = results.iter().map(|row| row.took).sum();
    let busy: Duration = results.iter().map(|row| row.busy).sum();
    text += &format!("{:12} {:>8.1} {:>8.1}", "all", total.as_secs_f64(), busy.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Row, Stage, chosen, table};
    use std::time::Duration;

    #[test]
    fn one_stage_brings_what_it_builds_on() {
        let browser = [Stage::Setup, Stage::Web, Stage::Server, Stage::Browser];
        assert_eq!(chosen(&[Stage::Browser]), browser);
        assert_eq!(chosen(&[Stage::Fmt]), [Stage::Fmt]);
        assert_eq!(chosen(&[]).len(), Stage::all().len());
    }

    #[test]
    fn stages_come_after_what_they_build_on() {
        for (at, stage) in Stage::all().iter().enumerate() {
            for before in stage.after() {
                assert!(Stage::all()[..at].contains(before), "{stage:?} before {before:?}");
            }
        }
    }

    #[test]
    fn the_table_names_what_did_not_run_and_why() {
        let row = |stage, outcome, msec| {
            let took = Duration::from_millis(msec);
            Row { stage, outcome, took, busy: took * 2 }
        };
        let results = [
            row(Stage::Web, Outcome::Failed(anyhow::anyhow!("no npm")), 1_500),
            row(Stage::Server, Outcome::NotRun(Stage::Web), 0),
        ];
        let table = table(&results);
        assert!(table.contains("web               1.5      3.0  FAILED: no npm"), "{table}");
        assert!(
            table.contains("server            0.0      0.0  NOT RUN: web did not pass"),
            "{table}"
        );
    }
}
