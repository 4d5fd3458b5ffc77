//! Births and deaths by the thousand against one server, and what is left of them: nothing.
//!
//! `soak CYCLES MINUTES` ends after whichever comes first; `cargo xtask soak` reads its tables.
//! Six pages work at once, each at the rate that a connection is allowed: three start and end
//! machines, three start and end containers in one machine that stays.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "its output is what it is for")]

mod count;
mod worker;

#[allow(dead_code, reason = "each of the test programs uses its part")]
#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "shared with the benches, which compare")]
#[path = "../bench/table.rs"]
mod table;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use count::Count;
use harness::held;
use harness::server::Server;
use table::Row;
use worker::{Kind, Worker};

/// Cycles before the first count: what is kept for ever, is kept by then.
const WARM: u32 = 120;
const WORKERS: usize = 6;

/// What all workers share.
struct Work {
    left: AtomicU32,
    deadline: Instant,
    births: Mutex<[Row; 2]>,
    deaths: Mutex<[Row; 2]>,
}

fn main() {
    let mut numbers =
        std::env::args().skip(1).filter(|word| word != "--bench").map(|word| word.parse::<u32>());
    let mut number = || numbers.next().and_then(Result::ok).expect("soak CYCLES MINUTES");
    let (cycles, minutes) = (number(), number());
    let server = Server::start();
    let mut workers = worker::team(&server, WORKERS);
    let patience = Duration::from_secs(60 * u64::from(minutes));
    run(&server, &mut workers, &Work::new(WARM, Instant::now() + patience));

    let deadline = Instant::now() + patience;
    worker::level(&mut workers);
    let before = Count::at_rest(&server);
    let begun = Instant::now();
    let work = Work::new(cycles, deadline);
    let readings = run(&server, &mut workers, &work);
    let took = begun.elapsed();
    worker::level(&mut workers);
    let after = Count::again(&server, &before);
    let done = cycles - work.left.load(Ordering::Relaxed).min(cycles);
    report(done, took, work, &readings);
    undone(cycles - done);
    count::report(&before, &after, worker::still_held(&workers));
}

impl Work {
    fn new(cycles: u32, deadline: Instant) -> Self {
        let rows = |what| Kind::ALL.map(|kind| Row::new(format!("{what} of a {}", kind.name())));
        Work {
            left: AtomicU32::new(cycles),
            deadline,
            births: Mutex::new(rows("birth")),
            deaths: Mutex::new(rows("end")),
        }
    }

    /// One cycle less; none when there is no more to do.
    fn take(&self) -> Option<()> {
        if Instant::now() > self.deadline {
            return None;
        }
        let less = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok().map(drop)
    }
}

/// Resident memory at one moment.
struct Reading {
    cycles: f64,
    kib: [f64; 3],
}

/// The parts of the server, as they are called in a table.
const PARTS: [&str; 3] = ["launcher", "web", "observer"];

/// Works until it is done, and reads the memory of the server's parts in the meantime.
#[expect(clippy::cast_precision_loss, reason = "thousands")]
fn run(server: &Server, workers: &mut [Worker], work: &Work) -> Vec<Reading> {
    let pids = [server.pid(), server.service("vitrine-web"), server.service("vitrine-observer")];
    let all = work.left.load(Ordering::Relaxed);
    let mut readings = Vec::new();
    std::thread::scope(|scope| {
        let hands: Vec<_> =
            workers.iter_mut().map(|worker| scope.spawn(move || worker.run(work))).collect();
        while hands.iter().any(|hand| !hand.is_finished()) {
            std::thread::sleep(Duration::from_millis(500));
            let cycles = f64::from(all - work.left.load(Ordering::Relaxed).min(all));
            readings.push(Reading { cycles, kib: pids.map(|pid| held::rss_kib(pid) as f64) });
        }
    });
    readings
}

fn report(done: u32, took: Duration, work: Work, readings: &[Reading]) {
    let rate = f64::from(done) / took.as_secs_f64();
    let note = format!(
        "{done} cycles in {:.0} s, {rate:.0} a second, by {WORKERS} pages at once.",
        took.as_secs_f64()
    );
    let lock = "a worker has panicked";
    let rows: Vec<Row> = work
        .births
        .into_inner()
        .expect(lock)
        .into_iter()
        .chain(work.deaths.into_inner().expect(lock))
        .filter(|row| !row.is_empty())
        .collect();
    table::print("command → answer, six at once", "ms", None, &rows, &[&note]);

    // Growth as a straight line through all readings; the allocator's own ups and downs cancel.
    let most = [1_024.0, 4_096.0, 1_024.0];
    let mut sizes = PARTS.map(|part| Row::new(format!("{part}: resident")));
    let mut growth = Vec::new();
    for (at, part) in PARTS.iter().enumerate() {
        let points: Vec<(f64, f64)> = readings.iter().map(|r| (r.cycles, r.kib[at])).collect();
        points.iter().for_each(|point| sizes[at].push(point.1));
        let mut row = Row::new(format!("{part}: growth over all cycles, by the slope"));
        row.push(slope(&points) * f64::from(done));
        growth.push(row.at_most("median", most[at]));
    }
    let rows: Vec<Row> = sizes.into_iter().chain(growth).collect();
    table::print("memory, read twice a second", "KiB", None, &rows, &[]);
}

/// A soak that ran out of time has not shown what it was asked to.
fn undone(cycles: u32) {
    let mut row = Row::new("cycles that were not done in time".to_string());
    row.push(f64::from(cycles));
    table::print("asked for", "cycles", None, &[row.at_most("median", 0.0)], &[]);
}

/// Least squares.
#[expect(clippy::cast_precision_loss, reason = "hundreds")]
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|p| p.0), mean(|p| p.1));
    let over: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let under: f64 = points.iter().map(|p| (p.0 - x).powi(2)).sum();
    if under == 0.0 { 0.0 } else { over / under }
}
