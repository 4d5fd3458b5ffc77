//! One group looked at closely: its CPU some twenty times a second, or what else it uses four times.

use super::Host;
use super::groups::Place;
use super::sample::{field, limit, texts};
use crate::cgroup::{Controller, Dialect};
use crate::focus::{CPUS, CpuSample, Focus, Look, THREADS, ThreadTime};
use crate::message::Event;
use crate::sim::kernel::Kernel;
use crate::sim::procs::Proc;
use crate::uses::{MemoryUse, PidsUse, UseSample};

impl Host {
    /// `None` while there is no such group.
    pub(super) fn close_sample(&self, focus: Focus) -> Option<Event> {
        let place = self.place(focus.machine, focus.group).ok()?;
        let at_nsec = self.now_nsec();
        self.world.look(|kernel| match focus.look {
            Look::Cpu => cpu(kernel, focus, &place, at_nsec).map(Event::Cpu),
            Look::Use => Some(Event::Use(Box::new(uses(kernel, focus, &place, at_nsec)))),
        })
    }
}

fn cpu(kernel: &Kernel, focus: Focus, place: &Place, at_nsec: u64) -> Option<CpuSample> {
    let key = place.of(kernel, Controller::Cpu)?;
    let (stat, by_cpu) = kernel.group_cpu(key)?;
    let groups = kernel.groups();
    let hierarchy = super::groups::hierarchy_of(kernel, Controller::Cpu).unwrap_or(0);
    let mut inside: Vec<Proc> = kernel
        .procs()
        .all()
        .filter(|proc| groups.group_of(*proc, hierarchy).is_some_and(|at| groups.is_below(at, key)))
        .collect();
    inside.sort_by_key(|proc| kernel.procs().pids(*proc).first().copied());
    let thread = |proc: &Proc| ThreadTime {
        tid: kernel.procs().pids(*proc).first().copied().unwrap_or(0),
        run_nsec: kernel.used_nsec(*proc),
        wait_nsec: kernel.waited_nsec(*proc),
    };
    let mut sample = CpuSample::new(focus, at_nsec);
    sample.usage_nsec = stat.usage_nsec;
    // v2 does not count it so.
    if groups.dialect() == Dialect::V1 {
        sample.cpus_nsec = by_cpu.into_iter().take(CPUS).collect();
    }
    sample.threads = inside.iter().take(THREADS).map(thread).collect();
    sample.n_threads = u32::try_from(inside.len()).unwrap_or(u32::MAX);
    for (name, text, _) in texts(kernel, place) {
        match name {
            "cpu.cfs_quota_us" => sample.quota_usec = limit(&text),
            "cpu.cfs_period_us" => sample.period_usec = text.parse().unwrap_or(0),
            "cpu.max" => {
                if let Some((quota, period)) = text.split_once(' ') {
                    sample.quota_usec = limit(quota);
                    sample.period_usec = period.parse().unwrap_or(0);
                }
            }
            "cpu.cfs_burst_us" | "cpu.max.burst" => sample.burst_usec = text.parse().unwrap_or(0),
            _ => {}
        }
    }
    sample.nr_periods = stat.nr_periods;
    sample.nr_throttled = stat.nr_throttled;
    sample.throttled_usec = stat.throttled_nsec / 1_000;
    sample.nr_bursts = stat.nr_bursts;
    sample.burst_used_usec = stat.burst_nsec / 1_000;
    Some(sample)
}

fn uses(kernel: &Kernel, focus: Focus, place: &Place, at_nsec: u64) -> UseSample {
    let all = texts(kernel, place);
    let text =
        |name: &str| all.iter().find(|(known, _, _)| *known == name).map(|(_, text, _)| text);
    let value = |name: &str| text(name).and_then(|text| text.parse::<u64>().ok());
    let ceiling = |name: &str| text(name).and_then(|text| limit(text));
    let memory = place.of(kernel, Controller::Memory).and_then(|key| kernel.group_memory(key));
    let memory = memory.map(|charged| {
        let dialect = kernel.groups().dialect();
        let v2 = dialect == Dialect::V2;
        let events = text("memory.events").cloned().unwrap_or_default();
        let kills = text("memory.oom_control")
            .map_or_else(|| field(&events, "oom_kill"), |text| field(text, "oom_kill"));
        MemoryUse {
            dialect,
            current_bytes: charged.in_memory(),
            anon_bytes: charged.anon,
            file_bytes: charged.file,
            swap_bytes: v2.then_some(charged.swap),
            high_bytes: ceiling("memory.high"),
            max_bytes: ceiling("memory.limit_in_bytes").or_else(|| ceiling("memory.max")),
            met_high: v2.then(|| field(&events, "high")),
            met_max: value("memory.failcnt").unwrap_or_else(|| field(&events, "max")),
            oom_kills: kills,
            ..MemoryUse::default()
        }
    });
    let pids = value("pids.current").map(|current| PidsUse {
        current,
        max: ceiling("pids.max"),
        refused: text("pids.events").map(|text| field(text, "max")),
    });
    UseSample { focus, at_nsec, memory, pids, io: None }
}
