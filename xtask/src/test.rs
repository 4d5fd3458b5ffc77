//! `cargo xtask test`: the stages one after another, and a table at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

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
    let mut results: Vec<(Stage, Outcome, Duration)> = Vec::new();
    for stage in &chosen {
        let (name, what) = stage.described();
        say::step(format_args!("[{name}] {what}"));
        let begun = Instant::now();
        let outcome = outcome(project, *stage, &chosen, &results);
        if let Outcome::Failed(error) = &outcome {
            say::error(error);
        }
        results.push((*stage, outcome, begun.elapsed()));
    }
    say::table(table(&results));
    let failed = |(_, outcome, _): &&(_, Outcome, _)| !matches!(outcome, Outcome::Passed);
    match results.iter().filter(failed).count() {
        0 => Ok(()),
        count => bail!("{count} of {} stages did not pass", results.len()),
    }
}

fn outcome(
    project: &Project,
    stage: Stage,
    chosen: &[Stage],
    before: &[(Stage, Outcome, Duration)],
) -> Outcome {
    let failed = before.iter().find(|(earlier, outcome, _)| {
        stage.after().contains(earlier) && !matches!(outcome, Outcome::Passed)
    });
    if let Some((earlier, _, _)) = failed {
        return Outcome::NotRun(*earlier);
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

fn table(results: &[(Stage, Outcome, Duration)]) -> String {
    let mut text = format!("\n{:12} {:>8}  {}\n", "stage", "seconds", "result");
    for (stage, outcome, took) in results {
        let result = match outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed(error) => format!("FAILED: {error}"),
            Outcome::NotRun(earlier) => format!("NOT RUN: {} did not pass", earlier.described().0),
        };
        text += &format!("{:12} {:>8.1}  {result}\n", stage.described().0, took.as_secs_f64());
    }
    let total: Duration = results.iter().map(|(_, _, took)| *took).sum();
    text += &format!("{:12} {:>8.1}", "all", total.as_secs_f64());
    text
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Stage, chosen, table};
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
        let results = [
            (Stage::Web, Outcome::Failed(anyhow::anyhow!("no npm")), Duration::from_millis(1500)),
            (Stage::Server, Outcome::NotRun(Stage::Web), Duration::ZERO),
        ];
        let table = table(&results);
        assert!(table.contains("web               1.5  FAILED: no npm"), "{table}");
        assert!(table.contains("server            0.0  NOT RUN: web did not pass"), "{table}");
    }
}
