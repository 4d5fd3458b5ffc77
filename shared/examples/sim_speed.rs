//! How long the model takes for 60 s of 8 CPUs with 64 tasks: median of eleven runs.
//!
//! `cargo run --release -p vitrine-shared --example sim_speed`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a figure on the terminal")]

use std::time::Instant;

use vitrine_shared::sim::cpu::{Bandwidth, Cpus, Demand, Hardware, ROOT};

const MS: u64 = 1_000_000;

fn main() {
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let mut model = scene();
            let begun = Instant::now();
            model.advance(60_000 * MS);
            let took = begun.elapsed().as_secs_f64() * 1_000.0;
            std::hint::black_box(model.trace_hash());
            took
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("60 s, 8 CPUs, 64 tasks: {:.1} ms (goal: at most 50)", times[times.len() / 2]);
}

/// Eight groups with quotas and weights; half of the tasks busy, the others at bursts and requests.
fn scene() -> Cpus {
    let mut model = Cpus::new(Hardware { n_cpus: 8, ..Hardware::default() });
    for at in 0..8 {
        let group = model.make_group(ROOT).unwrap();
        let limit =
            Bandwidth { quota_nsec: (40 + 20 * at) * MS, period_nsec: 100 * MS, burst_nsec: 0 };
        model.set_bandwidth(group, (at % 4 != 3).then_some(limit)).unwrap();
        for task in 0..8 {
            let demand = match task {
                0..4 => Demand::Busy,
                4..6 => Demand::Bursts { run_nsec: 5 * MS, every_nsec: 50 * MS },
                _ => Demand::Requests { run_nsec: 2 * MS, think_nsec: 20 * MS },
            };
            model.spawn(group, demand).unwrap();
        }
    }
    model
}
