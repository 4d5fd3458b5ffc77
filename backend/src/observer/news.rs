//! What the launcher is told for the feeds of its machines: who was killed for memory, and which
//! groups are throttled. Looked for once a second, also while nobody looks at a machine.

use std::path::Path;

use vitrine_shared::cgroup::{Dialect, GroupId};
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Victim;

use super::oom::Killed;
use super::throttle::Turn;
use super::{Observer, clock};
use crate::ipc::FromObserver;

const SEC_NSEC: u64 = 1_000_000_000;
/// News that waits for room; the launcher reads at once or is broken.
const MAX_NEWS: usize = 1_024;

impl Observer {
    pub(super) fn look_for_news(&mut self) {
        let now_nsec = clock::monotonic_nsec();
        if now_nsec < self.news_due_nsec {
            return;
        }
        self.news_due_nsec = now_nsec + SEC_NSEC;
        for (machine, killed) in self.reader.oom_kills() {
            self.note_kills(machine, vec![killed]);
        }
        self.note_kills_in_made_groups();
        for (machine, Turn { group, ended }) in self.reader.throttled() {
            self.note(FromObserver::Throttled { machine, group, ended });
        }
    }

    fn note(&mut self, news: FromObserver) {
        if self.news.len() < MAX_NEWS {
            self.news.push_back(news);
        }
    }

    /// In v1 a kill is counted in the victim's group only, and of the groups that somebody made no
    /// counter is kept here: the log tells of them by itself.
    fn note_kills_in_made_groups(&mut self) {
        let Some(log) = &mut self.log else { return };
        let roots = self.reader.with_made_groups();
        let roots: Vec<_> =
            roots.into_iter().filter(|(_, root)| root.dialect == Dialect::V1).collect();
        if !roots.is_empty() {
            log.catch_up();
        }
        let mut found = Vec::new();
        for (machine, root) in roots {
            while let Some((group, victim)) =
                log.take_below(&root.directory, |path| root.made(path))
            {
                found.push(FromObserver::OomKilled { machine, group, victim: Some(victim) });
            }
        }
        found.into_iter().for_each(|news| self.note(news));
    }

    pub(super) fn note_kills(&mut self, machine: MachineId, kills: Vec<Killed>) {
        if let Some(log) = self.log.as_mut().filter(|_| !kills.is_empty()) {
            log.catch_up();
        }
        for Killed { group, directory } in kills {
            let mut victims = self.victims(machine, group, &directory);
            if victims.is_empty() {
                victims.push((group, None));
            }
            for (group, victim) in victims {
                self.note(FromObserver::OomKilled { machine, group, victim });
            }
        }
    }

    /// Who was killed there, by the log. v2 counts a kill in a group that somebody made as one of
    /// the machine's root.
    fn victims(
        &mut self,
        machine: MachineId,
        group: GroupId,
        directory: &Path,
    ) -> Vec<(GroupId, Option<Victim>)> {
        let Some(log) = &mut self.log else { return Vec::new() };
        let own = std::iter::from_fn(|| log.take(directory));
        let mut victims: Vec<_> = own.map(|victim| (group, Some(victim))).collect();
        let mut roots = self.reader.with_made_groups();
        roots.retain(|(id, root)| {
            *id == machine && group == GroupId::Root && root.dialect == Dialect::V2
        });
        for (_, root) in roots {
            let made = std::iter::from_fn(|| log.take_below(directory, |path| root.made(path)));
            victims.extend(made.map(|(made, victim)| (made, Some(victim))));
        }
        victims
    }
}
