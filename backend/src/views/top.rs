//! `vitrine top`: processes live, with their CPU, how throttled they are, and their group's memory.

mod keys;
mod page;
mod sample;
mod screen;

use std::time::{Duration, Instant};

use self::page::Page;
use self::sample::Sampler;
use self::screen::{Happened, Screen};
use super::ps::Sort;
use super::{Host, output};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Every process of the host.
    pub all: bool,
    /// Only of the machines whose id begins so.
    pub machine: Option<String>,
    /// JSON, one document a line.
    pub json: bool,
    /// A table without its first line.
    pub no_headers: bool,
    /// In which order.
    pub sort: Sort,
    /// Time between two readings.
    pub interval: Duration,
    /// Stop after so many.
    pub iterations: Option<u64>,
}

/// Shows it until it is told to stop; gives the status to exit with.
pub fn top(options: &Options) -> anyhow::Result<u8> {
    let sampler = Sampler::new(Host::this()?, options.machine.clone())?;
    if options.json || !screen::is_possible() {
        return piped(options, sampler).map(|()| 0);
    }
    live(options, sampler)
}

/// Samples for a file or a program: each after one interval.
fn piped(options: &Options, mut sampler: Sampler) -> anyhow::Result<()> {
    let mut previous = Instant::now();
    // Its rates are of no time at all.
    let first = sampler.sample(options.all)?;
    let mut missed = first.missed;
    for n in 0..options.iterations.unwrap_or(1) {
        std::thread::sleep(options.interval.saturating_sub(previous.elapsed()));
        previous = Instant::now();
        let mut sample = sampler.sample(options.all)?;
        missed = sample.missed;
        sample.sort(options.sort);
        let text = if options.json {
            sample.json(options.interval)?
        } else {
            // A blank line between two, so that each is a table of its own.
            let gap = if n > 0 { "\n" } else { "" };
            let lines = sample.lines(!options.no_headers);
            lines.iter().fold(gap.to_string(), |text, line| text + line + "\n")
        };
        if !output::write(text)? {
            break;
        }
    }
    missed.tell();
    Ok(())
}

/// A page on the terminal.
fn live(options: &Options, mut sampler: Sampler) -> anyhow::Result<u8> {
    let mut screen = Screen::enter()?;
    let mut page = Page::new(options);
    let mut sample = sampler.sample(page.all)?;
    let mut n_readings = 0;
    // The first rates are there early.
    let mut due = Instant::now() + options.interval.min(FIRST);
    loop {
        sample.sort(page.sort);
        let (rows, columns) = screen.size();
        screen.draw(&page.frame(&sample, rows, columns))?;
        if options.iterations.is_some_and(|n| n_readings >= n) {
            return Ok(0);
        }
        match screen.wait(due)? {
            Happened::Time => {
                n_readings += 1;
                due = Instant::now() + options.interval;
                sample = sampler.sample(page.all)?;
            }
            Happened::Keys(keys) => {
                let all = page.all;
                if keys.into_iter().any(|key| !page.press(key, rows)) {
                    return Ok(0);
                }
                if page.all != all {
                    sample = sampler.sample(page.all)?;
                }
            }
            Happened::Resized => {}
            Happened::Ended(status) => return Ok(status),
        }
    }
}

/// The first rates are shown so soon.
const FIRST: Duration = Duration::from_millis(300);
