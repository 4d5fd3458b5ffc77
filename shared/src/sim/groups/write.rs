//! What the kernel does with what is written to a group's files, and how it says no.

use super::{Controller, Dialect, Errno, GroupKey, Groups, Machine};
use crate::cgroup::{ControllerSet, shares_of_weight};
use crate::sim::cpu::Bandwidth;
use crate::sim::memory::MemoryLimits;
use crate::spec::parse_cpu_list;

/// The most microseconds of a quota (`max_cfs_runtime`).
const QUOTA_MAX_USEC: u64 = 203_186_500;

impl Groups {
    /// Writes to a file, as `echo value > file` does. Who enters a group is [`Groups::enter`].
    pub fn write(
        &mut self,
        machine: &mut Machine<'_>,
        key: GroupKey,
        file: &str,
        text: &str,
    ) -> Result<(), Errno> {
        if !self.files(key).contains(&file) {
            return Err(Errno::Enoent);
        }
        let text = text.trim();
        match file {
            "cpu.cfs_quota_us" | "cpu.cfs_period_us" | "cpu.cfs_burst_us" | "cpu.max"
            | "cpu.max.burst" => self.write_bandwidth(machine, key, file, text),
            "cpu.shares" => self.write_shares(machine, key, number(text)?),
            "cpu.weight" => {
                let weight = number(text)?;
                if !(1..=10_000).contains(&weight) {
                    return Err(Errno::Erange);
                }
                self.write_shares(machine, key, shares_of_weight(weight))
            }
            "cpuset.cpus" => self.write_cpus(machine, key, text),
            "cpuset.mems" => {
                let mems = match text {
                    "0" => true,
                    "" => false,
                    _ => return Err(Errno::Einval),
                };
                if !mems && self.dialect == Dialect::V1 && self.procs(key).next().is_some() {
                    return Err(Errno::Enospc);
                }
                self.all[key.0].mems = mems;
                Ok(())
            }
            "memory.limit_in_bytes" | "memory.max" | "memory.high" | "memory.swap.max" => {
                self.write_memory(machine, key, file, text)
            }
            "memory.oom.group" => {
                self.all[key.0].oom_group = switch(text)?;
                Ok(())
            }
            "pids.max" => {
                self.all[key.0].pids.max = match text {
                    "max" => None,
                    text => Some(number(text)?),
                };
                Ok(())
            }
            "freezer.state" => {
                let frozen = match text {
                    "FROZEN" => true,
                    "THAWED" => false,
                    _ => return Err(Errno::Einval),
                };
                self.freeze(machine, key, frozen)
            }
            "cgroup.freeze" => match text.parse::<i32>() {
                Ok(frozen @ 0..=1) => self.freeze(machine, key, frozen == 1),
                Ok(_) => Err(Errno::Erange),
                Err(_) => Err(Errno::Einval),
            },
            "cgroup.subtree_control" => self.hand_on(key, text),
            "notify_on_release" => {
                self.all[key.0].notify_on_release = number(text)? != 0;
                Ok(())
            }
            "cgroup.clone_children" => {
                self.all[key.0].clone_children = number(text)? != 0;
                Ok(())
            }
            "memory.failcnt" | "memory.max_usage_in_bytes" => Ok(()),
            _ => Err(Errno::Einval),
        }
    }

    fn freeze(
        &mut self,
        machine: &mut Machine<'_>,
        key: GroupKey,
        frozen: bool,
    ) -> Result<(), Errno> {
        self.all[key.0].frozen = frozen;
        self.place_all(machine, key);
        Ok(())
    }

    fn write_shares(
        &mut self,
        machine: &mut Machine<'_>,
        key: GroupKey,
        shares: u64,
    ) -> Result<(), Errno> {
        let it = &mut self.all[key.0];
        let group = it.cpu.ok_or(Errno::Enoent)?;
        machine.cpus.set_shares(group, shares).map_err(|_| Errno::Einval)?;
        it.shares = shares.clamp(*crate::sim::cpu::SHARES.start(), *crate::sim::cpu::SHARES.end());
        Ok(())
    }

    /// The three v1 files and the two of v2 are one setting. v1 looks at the ratio of the group above
    /// and of those below (`tg_cfs_schedulable_down`); in v2 the smaller one holds.
    fn write_bandwidth(
        &mut self,
        machine: &mut Machine<'_>,
        key: GroupKey,
        file: &str,
        text: &str,
    ) -> Result<(), Errno> {
        let it = &self.all[key.0];
        let group = it.cpu.ok_or(Errno::Enoent)?;
        let (mut quota, mut period, mut burst) = (it.quota_usec, it.period_usec, it.burst_usec);
        match file {
            "cpu.cfs_quota_us" => {
                let given: i64 = text.parse().map_err(|_| Errno::Einval)?;
                quota = u64::try_from(given).ok();
            }
            "cpu.cfs_period_us" => period = number(text)?,
            "cpu.max" => {
                let mut words = text.split_whitespace();
                quota = match words.next() {
                    Some("max") => None,
                    Some(word) => Some(number(word)?),
                    None => return Err(Errno::Einval),
                };
                // As `sscanf` has it: what is no number is not there.
                let digits =
                    words.next().map(|word| word.trim_end_matches(|c: char| !c.is_ascii_digit()));
                period = digits.and_then(|digits| digits.parse().ok()).unwrap_or(period);
            }
            _ => burst = number(text)?,
        }
        if quota.is_some_and(|quota| quota > QUOTA_MAX_USEC) {
            return Err(Errno::Einval);
        }
        if self.dialect == Dialect::V1 && !self.fits(key, quota, period) {
            return Err(Errno::Einval);
        }
        let limit = quota.map(|quota| Bandwidth {
            quota_nsec: quota * 1_000,
            period_nsec: period.saturating_mul(1_000),
            burst_nsec: burst.saturating_mul(1_000),
        });
        let period_nsec = period.saturating_mul(1_000);
        if limit.is_none() && !crate::sim::cpu::PERIOD_NSEC.contains(&period_nsec) {
            return Err(Errno::Einval);
        }
        machine.cpus.set_bandwidth(group, limit).map_err(|_| Errno::Einval)?;
        let it = &mut self.all[key.0];
        (it.quota_usec, it.period_usec, it.burst_usec) = (quota, period, burst);
        Ok(())
    }

    /// Is a quota no more than the one above has, and no less than those below?
    fn fits(&self, key: GroupKey, quota: Option<u64>, period: u64) -> bool {
        let limit = |at: GroupKey| Some((self.all[at.0].quota_usec?, self.all[at.0].period_usec));
        let Some(quota) = quota else { return true };
        let over = |small: (u64, u64), large: (u64, u64)| {
            u128::from(small.0) * u128::from(large.1) > u128::from(large.0) * u128::from(small.1)
        };
        let own = (quota, period.max(1));
        let above = self.way_up(key).skip(1).find_map(limit);
        let below = (0..self.all.len())
            .map(GroupKey)
            .filter(|at| !self.all[at.0].gone && *at != key && self.is_below(*at, key));
        !above.is_some_and(|above| over(own, above))
            && !below.filter_map(limit).any(|below| over(below, own))
    }

    fn write_cpus(
        &mut self,
        machine: &mut Machine<'_>,
        key: GroupKey,
        text: &str,
    ) -> Result<(), Errno> {
        let Some(parent) = self.parent(key) else { return Err(Errno::Eacces) };
        let cpus: Vec<usize> = match text {
            "" => Vec::new(),
            text => {
                let cpus = parse_cpu_list(text).ok_or(Errno::Einval)?;
                cpus.into_iter().map(|cpu| usize::try_from(cpu).unwrap_or(usize::MAX)).collect()
            }
        };
        if cpus.iter().any(|cpu| *cpu >= self.n_cpus) {
            return Err(Errno::Erange);
        }
        if self.dialect == Dialect::V1 {
            // No more than above, no less than below, and not nothing while somebody is in it.
            let above = &self.all[parent.0].cpus;
            let below =
                |child: GroupKey| self.all[child.0].cpus.iter().all(|cpu| cpus.contains(cpu));
            if !cpus.iter().all(|cpu| above.contains(cpu)) {
                return Err(Errno::Eacces);
            }
            if !self.children(key).all(below) {
                return Err(Errno::Ebusy);
            }
            if cpus.is_empty() && self.procs(key).next().is_some() {
                return Err(Errno::Enospc);
            }
        }
        self.all[key.0].cpus = cpus;
        self.place_all(machine, key);
        Ok(())
    }

    fn write_memory(
        &mut self,
        machine: &mut Machine<'_>,
        key: GroupKey,
        file: &str,
        text: &str,
    ) -> Result<(), Errno> {
        let account = self.all[key.0].account.ok_or(Errno::Enoent)?;
        if self.parent(key).is_none() {
            return Err(Errno::Einval);
        }
        let unlimited = if self.dialect == Dialect::V1 { "-1" } else { "max" };
        let limit = if text == unlimited { None } else { Some(bytes(text)?) };
        let old = machine.memory.limits(account);
        let limits = match file {
            "memory.high" => MemoryLimits { high: limit, ..old },
            "memory.swap.max" => MemoryLimits { swap_max: limit, ..old },
            _ => MemoryLimits { max: limit, ..old },
        };
        // v1 refuses a limit that cannot be reached by reclaim; v2 sets it, and kills.
        if !machine.memory.set_limits(account, limits) && self.dialect == Dialect::V1 {
            machine.memory.set_limits(account, old);
            return Err(Errno::Ebusy);
        }
        Ok(())
    }

    /// `+cpu -memory`: all of it or nothing. A controller must be there, and nobody below may use one
    /// that goes; processes may not be in a group that hands controllers on.
    fn hand_on(&mut self, key: GroupKey, text: &str) -> Result<(), Errno> {
        let mut set = self.all[key.0].handed_on;
        for word in text.split_whitespace() {
            let (sign, name) = word.split_at_checked(1).ok_or(Errno::Einval)?;
            let known =
                Controller::named(name).filter(|it| self.has(0, *it)).ok_or(Errno::Einval)?;
            match sign {
                "+" if !self.available(key).has(known) => return Err(Errno::Enoent),
                "+" => set = set.with(known),
                "-" => {
                    let used = |child: GroupKey| self.all[child.0].handed_on.has(known);
                    if self.children(key).any(used) {
                        return Err(Errno::Ebusy);
                    }
                    set = set.iter().filter(|it| *it != known).collect();
                }
                _ => return Err(Errno::Einval),
            }
        }
        let is_root = self.parent(key).is_none();
        let new = set.iter().filter(|it| !self.all[key.0].handed_on.has(*it));
        let new: ControllerSet = new.collect();
        let threaded = !new.has(Controller::Memory) && self.can_be_thread_root(key);
        if !is_root && !new.is_empty() && !threaded && self.procs(key).next().is_some() {
            return Err(Errno::Ebusy);
        }
        self.all[key.0].handed_on = set;
        Ok(())
    }
}

fn number(text: &str) -> Result<u64, Errno> {
    text.parse().map_err(|_| Errno::Einval)
}

fn switch(text: &str) -> Result<bool, Errno> {
    match number(text)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Errno::Einval),
    }
}

/// A number with one of the letters that `memparse` knows, down to whole pages.
fn bytes(text: &str) -> Result<u64, Errno> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let bytes = number(digits)?.checked_mul(1 << shift).ok_or(Errno::Einval)?;
    Ok(bytes / crate::sim::memory::PAGE * crate::sim::memory::PAGE)
}
