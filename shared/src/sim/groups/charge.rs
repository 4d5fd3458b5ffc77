//! Memory of processes: charged where they are, and who has to go when there is none left.

use super::{Groups, Machine, Page, Proc};
use crate::sim::memory::Full;

impl Groups {
    /// A process takes memory. `Err` says who is killed for it; when they have ended, it tries again.
    ///
    /// The victim is whoever has the most memory below the group that is full (`oom_badness`), and with
    /// `memory.oom.group` everybody in the largest such group around the victim.
    pub fn allocate(
        &mut self,
        machine: &mut Machine<'_>,
        proc: Proc,
        bytes: u64,
    ) -> Result<(), Vec<Proc>> {
        let account = self
            .members
            .get(&proc)
            .and_then(|member| member.at.iter().find_map(|key| self.all[key.0].account));
        let Some(account) = account else { return Ok(()) };
        match machine.memory.charge(account, Page::Anon, bytes) {
            Ok(()) => {
                let bytes = bytes.div_ceil(crate::sim::memory::PAGE) * crate::sim::memory::PAGE;
                let charged = self.members.get_mut(&proc).map(|member| &mut member.charged);
                match charged
                    .as_ref()
                    .and_then(|all| all.iter().position(|(key, _)| *key == account))
                {
                    Some(at) => charged.into_iter().for_each(|all| all[at].1 += bytes),
                    None => charged.into_iter().for_each(|all| all.push((account, bytes))),
                }
                Ok(())
            }
            Err(full) => Err(self.victims(machine, full)),
        }
    }

    fn victims(&mut self, machine: &mut Machine<'_>, full: Full) -> Vec<Proc> {
        let below = |proc: &Proc| {
            let charged = self.members[proc].charged.iter();
            charged.filter(|(key, _)| machine.memory.is_below(*key, full.0)).map(|(_, n)| n).sum()
        };
        let most = |proc: &&Proc| -> u64 { below(proc) };
        let Some(victim) = self.members.keys().max_by_key(most).copied() else { return Vec::new() };
        machine.memory.killed(full);
        let at = self.members[&victim].at.iter().find(|key| self.all[key.0].account.is_some());
        let together = at.into_iter().flat_map(|key| self.way_up(*key)).filter(|key| {
            let account = self.all[key.0].account;
            let inside = account.is_some_and(|it| machine.memory.is_below(it, full.0));
            inside && self.all[key.0].oom_group
        });
        match together.last() {
            None => vec![victim],
            Some(group) => {
                let inside =
                    |proc: &&Proc| self.members[proc].at.iter().any(|at| self.is_below(*at, group));
                self.members.keys().filter(inside).copied().collect()
            }
        }
    }

    /// Bytes of a process's own memory.
    pub fn anon_of(&self, proc: Proc) -> u64 {
        let charged = self.members.get(&proc).into_iter().flat_map(|member| &member.charged);
        charged.map(|(_, bytes)| bytes).sum()
    }
}
