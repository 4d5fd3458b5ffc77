//! The simulator's CPU beside the kernel's under settings that are drawn: how far they are apart.

use std::time::Duration;

use crate::harness::busy::Dice;
use crate::kernel;
use crate::scene::{self, Scene};
use crate::table::{self, Row};

/// Settings that are tried, however many rounds there are.
const SETTINGS: usize = 60;
const HOW_LONG: Duration = Duration::from_millis(2_500);

pub(crate) fn bench(_rounds: usize) {
    let mut dice = Dice::new(20_261_130);
    eprintln!("settings by VITRINE_SEED={}", dice.seed);
    let cpus = kernel::cpus();
    let (mut usage, mut throttled) = (Row::new("all"), Row::new("all"));
    let mut points = (Vec::new(), Vec::new());
    let kinds = ["one group", "two beside each other", "below another one"];
    let mut by_kind = kinds.map(|kind| (Row::new(kind), Row::new(kind)));
    for number in 1..=SETTINGS {
        let scene = Scene::draw(&mut dice, &cpus);
        let kind = scene.groups.len().clamp(1, kinds.len()) - 1;
        let (real, model) = (kernel::run(&scene, HOW_LONG), scene::run(&scene, &cpus, HOW_LONG));
        for (group, (real, model)) in scene.groups.iter().zip(real.iter().zip(&model)) {
            let apart = real.apart(model);
            eprintln!("{number:3} {:5.1} {:5.1} | {real} | {model} | {group}", apart.0, apart.1);
            usage.push(apart.0);
            throttled.push(apart.1);
            points.0.push(apart.0);
            points.1.push(apart.1);
            by_kind[kind].0.push(apart.0);
            by_kind[kind].1.push(apart.1);
        }
    }
    let settings = format!(
        "{SETTINGS} settings of quota, period, burst, weights, cpuset, threads and hierarchy, drawn by seed {}; \
         each {HOW_LONG:?} on the kernel, in groups that weigh more than all else on the machine.",
        dice.seed
    );
    let largest = |all: &[f64]| {
        let mut row = Row::new("the largest of all");
        row.push(all.iter().copied().fold(0.0, f64::max));
        row
    };
    let ends = [largest(&points.0), largest(&points.1)];
    let (mut used, mut waited): (Vec<Row>, Vec<Row>) = by_kind.into_iter().unzip();
    used.insert(0, usage.at_most("median", 2.0));
    waited.insert(0, throttled.at_most("median", 5.0));
    for (rows, end) in [&mut used, &mut waited].into_iter().zip(ends) {
        rows.push(end);
    }
    for (title, unit, mut rows) in [
        ("simulator − kernel: CPU, without its sign", "points of one CPU", used),
        ("simulator − kernel: throttled periods, without its sign", "points", waited),
    ] {
        rows.retain(|row| !row.is_empty());
        table::print(title, unit, None, &rows, &[&settings]);
    }
}
