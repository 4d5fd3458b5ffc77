//! What feeds tell by themselves: throttling that begins and ends, and kills for memory. The model's
//! counters are looked at once a second, as the observer looks at the kernel's.

use std::collections::BTreeMap;

use super::sample::{field, texts};
use super::{Host, MSEC, SECOND};
use crate::cgroup::GroupId;
use crate::id::MachineId;
use crate::message::{Happening, Spell};

/// A spell is over when no period was throttled for so long.
const QUIET_NSEC: u64 = 3 * SECOND;

/// What was read last of each group.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// When it is looked at again.
    pub(super) due_nsec: u64,
    groups: BTreeMap<(MachineId, GroupId), Run>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Run {
    counters: Counters,
    spell: Option<Open>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counters {
    periods: u64,
    throttled: u64,
    kills: u64,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    from: Counters,
    from_nsec: u64,
    /// At the last reading that had throttled periods.
    to: Counters,
    to_nsec: u64,
}

impl Run {
    /// Hears the counters; says what began (`None`) or ended.
    fn hear(&mut self, now: Counters, now_nsec: u64) -> Option<Option<Spell>> {
        let last = std::mem::replace(&mut self.counters, now);
        if now.throttled > last.throttled {
            let open = Open { from: last, from_nsec: now_nsec, to: now, to_nsec: now_nsec };
            let known = self.spell.is_some();
            let spell = self.spell.get_or_insert(open);
            (spell.to, spell.to_nsec) = (now, now_nsec);
            return (!known).then_some(None);
        }
        let over = |open: &mut Open| now_nsec.saturating_sub(open.to_nsec) >= QUIET_NSEC;
        self.spell.take_if(over).map(|open| {
            Some(Spell {
                lasted_msec: open.to_nsec.saturating_sub(open.from_nsec) / MSEC,
                periods: open.to.periods.saturating_sub(open.from.periods),
                throttled: open.to.throttled.saturating_sub(open.from.throttled),
            })
        })
    }
}

impl Host {
    pub(super) fn follow_news(&mut self) {
        let now = self.now_nsec();
        self.news.due_nsec = now + SECOND;
        let machines: Vec<MachineId> = self.boxes.iter().map(|it| it.record.id).collect();
        let mut seen = Vec::new();
        for id in machines {
            let (groups, _) = self.groups_of(id);
            for (group, place) in groups {
                if matches!(group, GroupId::Made(_)) {
                    continue;
                }
                let all = self.world.look(|kernel| texts(kernel, &place));
                let sum = |file: &str, name: &str| {
                    let text = all.iter().find(|(known, _, _)| *known == file);
                    text.map_or(0, |(_, text, _)| field(text, name))
                };
                let counters = Counters {
                    periods: sum("cpu.stat", "nr_periods"),
                    throttled: sum("cpu.stat", "nr_throttled"),
                    kills: sum("memory.oom_control", "oom_kill") + sum("memory.events", "oom_kill"),
                };
                seen.push((id, group));
                self.turn(id, group, counters);
            }
        }
        self.news.groups.retain(|key, _| seen.contains(key));
    }

    fn turn(&mut self, id: MachineId, group: GroupId, counters: Counters) {
        let now = self.now_nsec();
        let run = self.news.groups.entry((id, group)).or_default();
        let kills = counters.kills.saturating_sub(run.counters.kills);
        let turn = run.hear(counters, now);
        let name = match group {
            GroupId::Container(container) => {
                self.live(id, container).map(|live| live.name.clone()).unwrap_or_default()
            }
            _ => String::new(),
        };
        match turn {
            Some(None) => {
                self.happened(id, Happening::ThrottleBegan { name: name.clone() });
            }
            Some(Some(spell)) => {
                self.happened(id, Happening::ThrottleEnded { name: name.clone(), spell });
            }
            None => {}
        }
        for _ in 0..kills.min(8) {
            self.happened(id, Happening::OomKilled { name: name.clone(), victim: None });
        }
    }
}
