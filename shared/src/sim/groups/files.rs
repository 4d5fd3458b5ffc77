//! What a group's files say.

use super::{Controller, Cpus, Dialect, Errno, GroupKey, Groups, Memory};
use crate::cgroup::{ControllerSet, weight_of_shares};
use crate::sim::cpu::Stat;

/// v1 has no word for "no limit": it is the largest number of whole pages.
const NO_LIMIT_V1: u64 = 9_223_372_036_854_771_712;

impl Groups {
    /// The names of the files in a directory, sorted as `ls` does.
    pub fn files(&self, key: GroupKey) -> Vec<&'static str> {
        let it = &self.all[key.0];
        let is_root = it.parent.is_none();
        let mut names: Vec<&'static str> = match self.dialect {
            Dialect::V1 => {
                vec!["cgroup.clone_children", "cgroup.procs", "notify_on_release", "tasks"]
            }
            Dialect::V2 => vec!["cgroup.controllers", "cgroup.procs", "cgroup.subtree_control"],
        };
        if self.dialect == Dialect::V2 && !is_root {
            names.extend(["cgroup.events", "cgroup.freeze", "cgroup.kill", "cgroup.type"]);
        }
        for controller in self.available(key).iter() {
            names.extend(match (self.dialect, controller, is_root) {
                (Dialect::V1, Controller::Cpu, false) => &[
                    "cpu.cfs_burst_us",
                    "cpu.cfs_period_us",
                    "cpu.cfs_quota_us",
                    "cpu.shares",
                    "cpu.stat",
                ][..],
                (Dialect::V1, Controller::Cpu, true) => &[
                    "cpu.cfs_burst_us",
                    "cpu.cfs_period_us",
                    "cpu.cfs_quota_us",
                    "cpu.shares",
                    "cpu.stat",
                ],
                (Dialect::V1, Controller::Cpuacct, _) => &["cpuacct.usage", "cpuacct.usage_percpu"],
                (Dialect::V1, Controller::Cpuset, _) => {
                    &["cpuset.cpus", "cpuset.effective_cpus", "cpuset.mems"]
                }
                (Dialect::V1, Controller::Memory, _) => &[
                    "memory.failcnt",
                    "memory.limit_in_bytes",
                    "memory.max_usage_in_bytes",
                    "memory.oom_control",
                    "memory.usage_in_bytes",
                ],
                (Dialect::V1, Controller::Freezer, false) => &["freezer.state"],
                (_, Controller::Pids, false) => &["pids.current", "pids.events", "pids.max"],
                (Dialect::V2, Controller::Cpu, false) => {
                    &["cpu.max", "cpu.max.burst", "cpu.stat", "cpu.weight"]
                }
                (Dialect::V2, Controller::Cpu, true) => &["cpu.stat"],
                (Dialect::V2, Controller::Cpuset, false) => {
                    &["cpuset.cpus", "cpuset.cpus.effective", "cpuset.mems"]
                }
                (Dialect::V2, Controller::Cpuset, true) => &["cpuset.cpus.effective"],
                (Dialect::V2, Controller::Memory, false) => &[
                    "memory.current",
                    "memory.events",
                    "memory.high",
                    "memory.max",
                    "memory.oom.group",
                    "memory.peak",
                    "memory.swap.current",
                    "memory.swap.max",
                ],
                _ => &[],
            });
        }
        names.sort_unstable();
        names
    }

    /// The controllers of a group.
    pub fn available(&self, key: GroupKey) -> ControllerSet {
        let it = &self.all[key.0];
        match (self.dialect, it.parent) {
            (Dialect::V2, Some(parent)) => self.all[parent.0].handed_on,
            _ => self.hierarchies()[it.hierarchy].iter().copied().collect(),
        }
    }

    /// The text of a file, with its last newline. PIDs are not known here: `cgroup.procs` and `tasks`
    /// are [`Groups::procs`].
    pub fn read(
        &self,
        cpus: &Cpus,
        memory: &Memory,
        key: GroupKey,
        file: &str,
    ) -> Result<String, Errno> {
        if !self.files(key).contains(&file) {
            return Err(Errno::Enoent);
        }
        let text = match file.split('.').next() {
            Some("cpu" | "cpuacct") => self.read_cpu(cpus, key, file),
            Some("cpuset") => self.read_cpuset(key, file),
            Some("memory") => self.read_memory(memory, key, file),
            Some("pids") => self.read_pids(key, file),
            _ => self.read_core(key, file),
        };
        // A file that is only written.
        let lists = ["cgroup.controllers", "cgroup.subtree_control"];
        let line = |text: String| match text.is_empty() && lists.contains(&file) {
            true => text,
            false => text + "\n",
        };
        text.map(line).ok_or(Errno::Einval)
    }

    fn read_cpu(&self, cpus: &Cpus, key: GroupKey, file: &str) -> Option<String> {
        let it = &self.all[key.0];
        let group = it.cpu?;
        let stat = cpus.stat(group).ok()?;
        let quota = it.quota_usec.map(|quota| quota.to_string());
        Some(match file {
            "cpu.cfs_quota_us" => quota.unwrap_or_else(|| "-1".into()),
            "cpu.cfs_period_us" => it.period_usec.to_string(),
            "cpu.cfs_burst_us" | "cpu.max.burst" => it.burst_usec.to_string(),
            "cpu.shares" => it.shares.to_string(),
            "cpu.weight" => weight_of_shares(it.shares).to_string(),
            "cpu.max" => format!("{} {}", quota.unwrap_or_else(|| "max".into()), it.period_usec),
            "cpu.stat" => self.cpu_stat(key, &stat),
            "cpuacct.usage" => stat.usage_nsec.to_string(),
            "cpuacct.usage_percpu" => {
                let each = cpus.usage_by_cpu(group).ok()?;
                // The kernel ends each number with a space.
                each.iter().map(|nsec| format!("{nsec} ")).collect()
            }
            _ => return None,
        })
    }

    fn cpu_stat(&self, key: GroupKey, stat: &Stat) -> String {
        let Stat { nr_periods, nr_throttled, nr_bursts, .. } = stat;
        match self.dialect {
            Dialect::V1 => format!(
                "nr_periods {nr_periods}\nnr_throttled {nr_throttled}\nthrottled_time {}\nnr_bursts {nr_bursts}\nburst_time {}",
                stat.throttled_nsec, stat.burst_nsec
            ),
            Dialect::V2 => {
                // The model knows no system time: all of it is the programs' own.
                let usec = stat.usage_nsec / 1_000;
                let base = format!("usage_usec {usec}\nuser_usec {usec}\nsystem_usec 0");
                if self.parent(key).is_none() {
                    return base;
                }
                format!(
                    "{base}\nnr_periods {nr_periods}\nnr_throttled {nr_throttled}\nthrottled_usec {}\nnr_bursts {nr_bursts}\nburst_usec {}",
                    stat.throttled_nsec / 1_000,
                    stat.burst_nsec / 1_000
                )
            }
        }
    }

    fn read_cpuset(&self, key: GroupKey, file: &str) -> Option<String> {
        let it = &self.all[key.0];
        Some(match file {
            "cpuset.cpus" => list(&it.cpus),
            "cpuset.mems" => if it.mems { "0" } else { "" }.into(),
            "cpuset.effective_cpus" | "cpuset.cpus.effective" => list(&self.effective_cpus(key)),
            _ => return None,
        })
    }

    fn read_memory(&self, memory: &Memory, key: GroupKey, file: &str) -> Option<String> {
        let it = &self.all[key.0];
        let account = it.account?;
        let (limits, charged) = (memory.limits(account), memory.charged(account));
        let events = memory.events(account);
        let is_root = it.parent.is_none();
        let v1 = |limit: Option<u64>| limit.filter(|_| !is_root).unwrap_or(NO_LIMIT_V1).to_string();
        let v2 = |limit: Option<u64>| limit.map_or_else(|| "max".into(), |limit| limit.to_string());
        Some(match file {
            "memory.limit_in_bytes" => v1(limits.max),
            "memory.usage_in_bytes" | "memory.current" => charged.in_memory().to_string(),
            "memory.max_usage_in_bytes" | "memory.peak" => charged.peak.to_string(),
            "memory.failcnt" => events.max.to_string(),
            "memory.oom_control" => {
                format!("oom_kill_disable 0\nunder_oom 0\noom_kill {}", events.oom_kill)
            }
            "memory.max" => v2(limits.max),
            "memory.high" => v2(limits.high),
            "memory.swap.max" => v2(limits.swap_max),
            "memory.swap.current" => charged.swap.to_string(),
            "memory.oom.group" => u8::from(it.oom_group).to_string(),
            "memory.events" => format!(
                "low 0\nhigh {}\nmax {}\noom {}\noom_kill {}\noom_group_kill 0",
                events.high, events.max, events.oom, events.oom_kill
            ),
            _ => return None,
        })
    }

    fn read_pids(&self, key: GroupKey, file: &str) -> Option<String> {
        let pids = self.all[key.0].pids;
        Some(match file {
            "pids.max" => pids.max.map_or_else(|| "max".into(), |max| max.to_string()),
            "pids.current" => self.count(key).to_string(),
            "pids.events" => format!("max {}", pids.refused),
            _ => return None,
        })
    }

    fn read_core(&self, key: GroupKey, file: &str) -> Option<String> {
        let it = &self.all[key.0];
        let words = |set: ControllerSet| {
            let names: Vec<_> = set.iter().map(Controller::name).collect();
            names.join(" ")
        };
        Some(match file {
            "freezer.state" => if self.is_frozen(key) { "FROZEN" } else { "THAWED" }.into(),
            "cgroup.freeze" => u8::from(it.frozen).to_string(),
            "cgroup.controllers" => words(self.available(key)),
            "cgroup.subtree_control" => words(it.handed_on),
            "cgroup.type" => "domain".into(),
            "cgroup.events" => format!(
                "populated {}\nfrozen {}",
                u8::from(self.count(key) > 0),
                u8::from(self.is_frozen(key))
            ),
            "cgroup.clone_children" => u8::from(it.clone_children).to_string(),
            "notify_on_release" => u8::from(it.notify_on_release).to_string(),
            _ => return None,
        })
    }

    fn is_frozen(&self, key: GroupKey) -> bool {
        self.way_up(key).any(|at| self.all[at.0].frozen)
    }
}

/// `0-1,4`, as the kernel writes lists of CPUs.
pub(super) fn list(cpus: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => parts.push((cpu, cpu)),
        }
    }
    let word = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    parts.iter().map(word).collect::<Vec<_>>().join(",")
}
