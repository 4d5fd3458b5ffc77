//! What the observer would read of a machine: its processes and its groups.

use std::collections::BTreeMap;

use super::groups::{Place, available, own_names};
use super::{Host, MSEC, SECOND};
use crate::cgroup::{
    CgroupSample, Controller, ControllerSet, Dialect, FILES, GroupId, Member, RawFile,
};
use crate::id::{ContainerId, MachineId};
use crate::message::Sample;
use crate::namespace::Namespace;
use crate::process::Process;
use crate::sim::kernel::Kernel;
use crate::sim::procs::{Life, Proc};

/// Bytes of a command line, and of a file's text, that are shown.
const TEXT_BYTES: usize = 512;
/// v1's word for "no limit".
const NO_LIMIT_V1: u64 = 9_223_372_036_854_771_712;
/// Clock ticks of a second.
const HZ: u64 = 100;

/// Of what a rate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Process(Proc),
    Group(MachineId, GroupId),
}

/// CPU rates: of the time since the reading before, or since one that is long enough ago when readings
/// come closer together than they would in real time.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    last: BTreeMap<Of, Reading>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    at_nsec: u64,
    used_nsec: u64,
    permille: u32,
}

impl Rates {
    fn permille(&mut self, of: Of, at_nsec: u64, used_nsec: u64, least_nsec: u64) -> u32 {
        let Some(last) = self.last.get_mut(&of) else {
            self.last.insert(of, Reading { at_nsec, used_nsec, permille: 0 });
            return 0;
        };
        let passed = at_nsec.saturating_sub(last.at_nsec);
        if passed >= least_nsec.max(1) {
            let used = used_nsec.saturating_sub(last.used_nsec);
            let permille = u128::from(used) * 1_000 / u128::from(passed);
            let permille = u32::try_from(permille).unwrap_or(u32::MAX);
            *last = Reading { at_nsec, used_nsec, permille };
        }
        last.permille
    }

    /// Those that were not read at this moment have gone.
    fn forget(&mut self, at_nsec: u64) {
        self.last.retain(|_, last| at_nsec - last.at_nsec < 5 * SECOND);
    }
}

impl Host {
    /// A machine at this moment; `hertz` is how often it is looked at.
    pub(super) fn sample(&mut self, id: MachineId, hertz: u8) -> Option<Sample> {
        let it = self.find(id)?;
        let (init, cap, own) = (it.init, it.cap.clone(), own_names(it));
        let live: Vec<(String, ContainerId)> = it
            .live
            .iter()
            .filter(|live| !live.is_shell)
            .map(|live| (live.name.clone(), live.id))
            .collect();
        let (groups, more_groups) = self.groups_of(id);
        let files = self.files.filter(|(machine, _)| *machine == id).map(|(_, group)| group);
        let now = self.now_nsec();
        // A little less than the time between two, for those that come a little early.
        let least = SECOND / u64::from(hertz.max(1)) * 9 / 10;
        let (world, rates) = (self.world.clone(), &mut self.rates);
        let sample = world.look(|kernel| {
            let mut processes = Vec::new();
            let mut others = 0;
            let machine = kernel.procs().space_of(init, Namespace::Pid)?;
            for proc in kernel.procs().all() {
                if kernel.procs().pid_in(proc, machine).is_none() {
                    others += 1;
                    continue;
                }
                let paths = super::knobs::paths_of(kernel, &cap, proc);
                let container = live.iter().find(|(name, _)| {
                    let path = format!("root/{name}");
                    paths.iter().any(|one| *one == path || one.starts_with(&format!("{path}/")))
                });
                let used = kernel.used_nsec(proc);
                let permille = rates.permille(Of::Process(proc), now, used, least);
                processes.push(process(kernel, init, proc, container.map(|(_, id)| *id), permille));
            }
            processes.sort_by_key(Process::host_pid);
            let groups = groups.iter().map(|(group, place)| {
                let shown = !matches!(group, GroupId::Made(_)) || files == Some(*group);
                let mut sample = group_sample(kernel, *group, place, shown);
                let of = Of::Group(id, *group);
                sample.cpu_permille = rates.permille(of, now, sample.cpu_nsec, least);
                sample
            });
            Some(Sample {
                machine: id,
                at_msec: now / MSEC,
                processes,
                groups: groups.collect(),
                more_groups,
                other_processes: others,
            })
        })?;
        self.rates.forget(now);
        // Names that are the server's are among the groups by their ids.
        debug_assert!(own.len() == live.len());
        Some(sample)
    }
}

fn process(
    kernel: &Kernel,
    machine_init: Proc,
    proc: Proc,
    container: Option<ContainerId>,
    cpu_permille: u32,
) -> Process {
    let procs = kernel.procs();
    let user = |of| procs.space_of(of, Namespace::User);
    let uid = |of| user(of).map_or(65_534, |space| procs.uid_in(proc, space));
    let zombie = procs.life(proc) != Life::Alive;
    let name = kernel.name(proc).to_owned();
    let command = kernel.argv(proc).join(" ");
    let parent = procs.parent(proc).and_then(|parent| procs.pids(parent).first().copied());
    Process {
        pids: procs.pids(proc).to_vec(),
        parent: parent.unwrap_or(0),
        container,
        host_uid: uid(kernel.init()),
        uid: uid(machine_init),
        state: kernel.state(proc),
        command: if zombie { String::new() } else { cut(&command) },
        name,
        cpu_permille,
        cpu_msec: kernel.used_nsec(proc) / MSEC,
        rss_bytes: if zombie { 0 } else { kernel.anon_bytes(proc) },
        start_ticks: kernel.started_nsec(proc) / (SECOND / HZ),
        namespaces: Namespace::ALL
            .map(|kind| procs.space_of(proc, kind).map_or(0, |space| procs.inode(space))),
    }
}

fn cut(text: &str) -> String {
    let end = (0..=TEXT_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}

/// The files of a group that are shown, with what they say.
pub(super) fn texts(kernel: &Kernel, place: &Place) -> Vec<(&'static str, String, bool)> {
    let dialect = kernel.groups().dialect();
    let of_dialect = FILES.iter().filter(|rule| rule.dialect == dialect);
    let read = of_dialect.filter_map(|rule| {
        let key = place.of(kernel, rule.controller)?;
        let text = kernel.group_file(key, rule.name).ok()?;
        let text = text.strip_suffix('\n').unwrap_or(&text).to_owned();
        Some((rule.name, text, rule.takes.is_some()))
    });
    read.collect()
}

/// A number; `None` for the dialect's word for none.
pub(super) fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok().filter(|value| *value < NO_LIMIT_V1)
}

/// The number behind a name in a table.
pub(super) fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn group_sample(kernel: &Kernel, group: GroupId, place: &Place, shown: bool) -> CgroupSample {
    let all = available(kernel, place);
    let mut sample = CgroupSample {
        group,
        path: place.path.clone(),
        dialect: kernel.groups().dialect(),
        available: all,
        enabled: handed_on(kernel, place).unwrap_or(all),
        members: members(kernel, place),
        ..CgroupSample::default()
    };
    for (name, text, takes) in texts(kernel, place) {
        measure(&mut sample, name, &text);
        if shown {
            let writable = takes && group != GroupId::Cap;
            sample.files.push(RawFile { name: name.into(), value: cut(&text), writable });
        }
    }
    if let Some((stat, _)) = place.of(kernel, Controller::Cpu).and_then(|key| kernel.group_cpu(key))
    {
        sample.cpu_nsec = stat.usage_nsec;
    }
    sample
}

/// v2: what the children of a group have.
fn handed_on(kernel: &Kernel, place: &Place) -> Option<ControllerSet> {
    if kernel.groups().dialect() == Dialect::V1 {
        return None;
    }
    let key = place.keys().next()?;
    let text = kernel.group_file(key, "cgroup.subtree_control").ok()?;
    Some(ControllerSet::named(&text).with(Controller::Freezer))
}

fn members(kernel: &Kernel, place: &Place) -> Vec<Member> {
    let groups = kernel.groups();
    let mut found: BTreeMap<u32, ControllerSet> = BTreeMap::new();
    for (key, controllers) in place.keys.iter().zip(groups.hierarchies()) {
        let Some(key) = key else { continue };
        let set: ControllerSet = controllers.iter().copied().collect();
        for proc in groups.procs(*key) {
            let pid = kernel.procs().pids(proc).first().copied().unwrap_or(0);
            let entry = found.entry(pid).or_default();
            *entry = entry.and(set);
        }
    }
    found.into_iter().map(|(pid, controllers)| Member { pid, controllers }).collect()
}

/// Takes the meters out of a file's text.
fn measure(sample: &mut CgroupSample, name: &str, text: &str) {
    let value = || text.trim().parse().unwrap_or(0);
    match name {
        "cpu.cfs_quota_us" => sample.cpu.quota_usec = limit(text),
        "cpu.cfs_period_us" => sample.cpu.period_usec = value(),
        "cpu.max" => {
            if let Some((quota, period)) = text.split_once(' ') {
                sample.cpu.quota_usec = limit(quota);
                sample.cpu.period_usec = period.trim().parse().unwrap_or(0);
            }
        }
        "cpu.stat" => {
            sample.cpu.nr_periods = field(text, "nr_periods");
            sample.cpu.nr_throttled = field(text, "nr_throttled");
            sample.cpu.throttled_usec =
                field(text, "throttled_usec").max(field(text, "throttled_time") / 1_000);
        }
        "cpu.shares" | "cpu.weight" => sample.cpu_weight = value(),
        "cpuset.effective_cpus" | "cpuset.cpus.effective" => sample.cpus = cut(text),
        "memory.usage_in_bytes" | "memory.current" => sample.memory_bytes = value(),
        "memory.limit_in_bytes" | "memory.max" => sample.memory_max = limit(text),
        "memory.high" => sample.memory_high = limit(text),
        "memory.swap.current" => sample.swap_bytes = value(),
        "memory.failcnt" => sample.met.memory_max = value(),
        "memory.oom_control" => sample.met.oom_kills = field(text, "oom_kill"),
        "memory.events" => {
            sample.met.memory_high = field(text, "high");
            sample.met.memory_max = field(text, "max");
            sample.met.oom_kills = field(text, "oom_kill");
        }
        "pids.current" => sample.pids = value(),
        "pids.max" => sample.pids_max = limit(text),
        "pids.events" => sample.met.pids_max = field(text, "max"),
        _ => {}
    }
}
