//! A group's use beside every limit on the way up, and which of them binds.
//!
//! A limit holds for the group and everything below it, so of all limits on the way up the one that
//! is nearest to being reached is what holds the group back, be it its own or one far above.

use vitrine_shared::cgroup::{CgroupSample, GroupId};

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Thousandths of one CPU.
    Cpu,
    /// Bytes.
    Memory,
    /// Bytes above which it is slowed down (v2).
    MemoryHigh,
    /// Processes and threads.
    Pids,
}

impl Resource {
    const ALL: [Resource; 4] =
        [Resource::Cpu, Resource::Memory, Resource::MemoryHigh, Resource::Pids];

    /// Those that the groups on a way up can be limited in: `memory.high` only where one has it.
    pub(crate) fn on(groups: &[CgroupSample], way: &[usize]) -> Vec<Resource> {
        let has_high = |&at: &usize| groups.get(at).is_some_and(|one| one.memory_high.is_some());
        let is_told = |one: &Resource| *one != Resource::MemoryHigh || way.iter().any(has_high);
        Resource::ALL.into_iter().filter(is_told).collect()
    }
}

/// How much of a limit is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) used: u64,
    /// `None`: there is no limit at this level.
    pub(crate) limit: Option<u64>,
}

impl Use {
    /// Thousandths of the limit.
    pub(crate) fn permille(self) -> Option<u64> {
        let limit = self.limit?;
        // A limit of nothing is reached by nothing.
        Some(self.used.saturating_mul(1_000).checked_div(limit).unwrap_or(1_000))
    }
}

/// What a group uses of a resource; of the CPU over the last second, where that is known: a single
/// reading holds two periods or three, and the limit that binds would change with it.
pub(crate) fn of(group: &CgroupSample, resource: Resource, second: Option<u32>) -> Use {
    match resource {
        Resource::Cpu => {
            Use { used: second.unwrap_or(group.cpu_permille).into(), limit: quota_permille(group) }
        }
        Resource::Memory => Use { used: group.memory_bytes, limit: group.memory_max },
        Resource::MemoryHigh => Use { used: group.memory_bytes, limit: group.memory_high },
        Resource::Pids => Use { used: group.pids, limit: group.pids_max },
    }
}

fn quota_permille(group: &CgroupSample) -> Option<u64> {
    let quota = group.cpu.quota_usec?;
    (group.cpu.period_usec > 0).then(|| quota.saturating_mul(1_000) / group.cpu.period_usec)
}

/// The group and those above it, from below, as places in the sample.
pub(crate) fn way_up(groups: &[CgroupSample], from: GroupId) -> Vec<usize> {
    let Some(start) = groups.iter().position(|group| group.group == from) else {
        return Vec::new();
    };
    let mut way = vec![start];
    let mut path = groups[start].path.as_str();
    let find = |wanted: &str| groups.iter().position(|group| group.path == wanted);
    while let Some(above) = super::tree::nearest_above(path, find) {
        way.push(above);
        path = &groups[above].path;
    }
    way
}

/// Of the groups on the way up, the one whose limit is nearest to being reached; the nearer one
/// when two are alike. `None` where there is no limit at all.
pub(crate) fn binding(
    groups: &[CgroupSample],
    way: &[usize],
    resource: Resource,
    second: impl Fn(GroupId) -> Option<u32>,
) -> Option<usize> {
    let full = |&at: &usize| {
        let group = groups.get(at)?;
        Some((of(group, resource, second(group.group)).permille()?, at))
    };
    let mut most: Option<(u64, usize)> = None;
    for (permille, at) in way.iter().filter_map(full) {
        if most.is_none_or(|(known, _)| permille > known) {
            most = Some((permille, at));
        }
    }
    most.map(|(_, at)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn group(path: &str, cpu: u32, quota: Option<u64>, pids: (u64, Option<u64>)) -> CgroupSample {
        let group = match path {
            "" => GroupId::Cap,
            "root" => GroupId::Root,
            path => GroupId::Made(path.strip_prefix("root/").unwrap().parse().unwrap()),
        };
        let (pids, pids_max) = pids;
        CgroupSample {
            group,
            path: path.into(),
            pids,
            pids_max,
            ..fixture::group(cpu, quota, 0, 0)
        }
    }

    #[test]
    fn the_limit_that_is_nearest_to_being_reached_binds() {
        let groups = [
            group("", 950, Some(150_000), (60, Some(256))),
            group("root", 950, None, (60, None)),
            group("root/a", 195, Some(20_000), (10, Some(11))),
            group("root/a/b", 190, Some(100_000), (10, Some(100))),
        ];
        let way = way_up(&groups, groups[3].group);
        assert_eq!(way, [3, 2, 1, 0]);
        assert_eq!(of(&groups[2], Resource::Cpu, None), Use { used: 195, limit: Some(200) });
        assert_eq!(binding(&groups, &way, Resource::Cpu, |_| None), Some(2), "its parent's quota");
        assert_eq!(binding(&groups, &way, Resource::Pids, |_| None), Some(2));
        assert_eq!(binding(&groups, &way, Resource::Memory, |_| None), None, "nobody limits it");
        assert_eq!(binding(&groups, &way[3..], Resource::Pids, |_| None), Some(0));
        let second = |id| (id == GroupId::Cap).then_some(1_500);
        assert_eq!(binding(&groups, &way, Resource::Cpu, second), Some(0), "over a second");
    }

    #[test]
    fn what_slows_memory_down_is_a_limit_where_there_is_one() {
        let mut groups = [
            group("", 0, None, (0, None)),
            group("root", 0, None, (0, None)),
            group("root/a", 0, None, (0, None)),
        ];
        let way = way_up(&groups, groups[2].group);
        let on = |groups: &[CgroupSample]| Resource::on(groups, &way).len();
        assert_eq!(on(&groups), 3);
        (groups[1].memory_high, groups[1].memory_bytes) = (Some(100), 90);
        (groups[0].memory_max, groups[0].memory_bytes) = (Some(200), 95);
        assert_eq!(on(&groups), 4);
        assert_eq!(binding(&groups, &way, Resource::MemoryHigh, |_| None), Some(1));
        assert_eq!(binding(&groups, &way, Resource::Memory, |_| None), Some(0));
    }

    #[test]
    fn of_two_that_are_alike_the_nearer_and_nothing_divides_by_nothing() {
        let groups = [
            group("", 0, None, (5, Some(10))),
            group("root", 0, None, (5, Some(10))),
            group("root/a", 0, None, (0, Some(0))),
        ];
        let way = way_up(&groups, groups[2].group);
        assert_eq!(binding(&groups, &way[1..], Resource::Pids, |_| None), Some(1));
        assert_eq!(
            binding(&groups, &way, Resource::Pids, |_| None),
            Some(2),
            "a limit of nothing is reached"
        );
        assert_eq!(way_up(&groups, GroupId::Shell), Vec::<usize>::new());
        let mut odd = groups[0].clone();
        (odd.cpu.quota_usec, odd.cpu.period_usec) = (Some(1), 0);
        assert_eq!(of(&odd, Resource::Cpu, None).limit, None);
    }
}
