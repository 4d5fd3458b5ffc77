//! The scene by which the model's speed is told: 8 CPUs, 64 tasks.

use vitrine_shared::sim::cpu::{Bandwidth, Cpus, Demand, Hardware, ROOT};

const MS: u64 = 1_000_000;

/// Eight groups with quotas and weights; half of the tasks busy, the others at bursts and requests.
pub(crate) fn scene() -> Cpus {
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
