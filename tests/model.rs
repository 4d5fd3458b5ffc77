//! The simulator's CPU beside the kernel's: the same groups, limits and busy loops in both.
//!
//! Settings are drawn by a seed that is printed (`VITRINE_SEED` gives another), `VITRINE_SETTINGS`
//! says how many. Alone in its program, because everything else on the CPUs would be seen in it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests; the table is what it is for")]

#[allow(dead_code, reason = "each of the test programs uses its part")]
mod harness;

#[path = "model/kernel.rs"]
mod kernel;
#[path = "model/scene.rs"]
mod scene;

use std::time::Duration;

use harness::busy::Dice;
use scene::Scene;

/// Settings that are tried without being told: more, by `VITRINE_SETTINGS`, on a quiet machine.
const SETTINGS: usize = 3;
/// How long each is looked at.
const HOW_LONG: Duration = Duration::from_millis(2_500);
/// Points of one CPU, and of the periods, that the median may be apart: the goals are 2 and 5, on a
/// machine that does nothing else; single settings are printed.
const APART: (f64, f64) = (8.0, 20.0);

#[test]
fn the_model_does_what_the_kernel_does() {
    let count = std::env::var("VITRINE_SETTINGS").ok().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(SETTINGS);
    let mut dice = Dice::new(20_261_130);
    println!("VITRINE_SEED={} {count} settings of {HOW_LONG:?}", dice.seed);
    let cpus = kernel::cpus();
    let mut worst = Vec::new();
    for number in 1..=count {
        let scene = Scene::draw(&mut dice, &cpus);
        let (real, model) = (kernel::run(&scene, HOW_LONG), scene::run(&scene, &cpus, HOW_LONG));
        for (at, (real, model)) in real.iter().zip(&model).enumerate() {
            let apart = real.apart(model);
            println!(
                "{number:3}.{at} {:5.1} {:5.1} | {real} | {model} | {}",
                apart.0, apart.1, scene.groups[at]
            );
            worst.push((apart, number));
        }
    }
    let median = report(&mut worst);
    let seed = dice.seed;
    assert!(median.0 <= APART.0 && median.1 <= APART.1, "VITRINE_SEED={seed}: {median:?}");
}

/// Prints median and worst of both; tells the medians.
fn report(all: &mut [((f64, f64), usize)]) -> (f64, f64) {
    let mut one = |what: &str, of: fn(&(f64, f64)) -> f64| {
        all.sort_by(|a, b| of(&a.0).total_cmp(&of(&b.0)));
        let (median, last) = (of(&all[all.len() / 2].0), &all[all.len() - 1]);
        println!(
            "{what}: median {median:.2} points, worst {:.2} (setting {})",
            of(&last.0),
            last.1
        );
        median
    };
    (one("usage", |apart| apart.0), one("throttled", |apart| apart.1))
}
