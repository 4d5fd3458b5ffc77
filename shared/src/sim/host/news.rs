//! What feeds tell by themselves: throttling that begins and ends, and kills for memory. The model's
//! counters are looked at once a second, as the observer looks at the kernel's.

use std::collections::BTreeMap;

use super::sample::{field, texts};
use super::{Host, SECOND};
use crate::cgroup::GroupId;
use crate::cpu::spell::{Counters, Run};
use crate::id::MachineId;
use crate::message::Happening;

/// What was read last of each group.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// When it is looked at again.
    pub(super) due_nsec: u64,
    groups: BTreeMap<(MachineId, GroupId), Watched>,
}

#[derive(Clone, Debug)]
struct Watched {
    run: Run,
    kills: u64,
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
                };
                let kills =
                    sum("memory.oom_control", "oom_kill") + sum("memory.events", "oom_kill");
                seen.push((id, group));
                self.turn(id, group, counters, kills);
            }
        }
        self.news.groups.retain(|key, _| seen.contains(key));
    }

    fn turn(&mut self, id: MachineId, group: GroupId, counters: Counters, all_kills: u64) {
        let now = self.now_nsec();
        let new = || Watched { run: Run::of_new_group(), kills: 0 };
        let watched = self.news.groups.entry((id, group)).or_insert_with(new);
        let kills = all_kills.saturating_sub(std::mem::replace(&mut watched.kills, all_kills));
        let turn = watched.run.hear(counters, now);
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
