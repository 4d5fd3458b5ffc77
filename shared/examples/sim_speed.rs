//! How long the model takes for 60 s of 8 CPUs with 64 tasks: median of eleven runs.
//!
//! `cargo run --release -p vitrine-shared --example sim_speed`

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a figure on the terminal")]

#[path = "sim_trace/load.rs"]
mod load;

use std::time::Instant;

const MS: u64 = 1_000_000;

fn main() {
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let mut model = load::scene();
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
