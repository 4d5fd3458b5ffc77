//! Memory that groups are charged for, in bytes: limits on the way up, reclaim, and who is killed.
//!
//! Follows `Documentation/admin-guide/cgroup-v2.rst` (*Memory*) and `mm/memcontrol.c`: what is charged
//! to a group is charged to all above it; at a `max` pages of files are dropped, then swapped out what
//! may be; when that is not enough, somebody below the group that is full is killed.
//!
//! Not modelled: the time that reclaim takes, slab and page tables, pages that groups share.

/// Bytes of a page.
pub const PAGE: u64 = 4_096;

/// What pages hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// A process's own memory.
    Anon,
    /// A file's; it can be dropped.
    File,
}

/// Limits of a group; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Nothing above it (`memory.max`, `memory.limit_in_bytes`).
    pub max: Option<u64>,
    /// Above it its pages are reclaimed, and who charges waits (`memory.high`).
    pub high: Option<u64>,
    /// Swap (`memory.swap.max`).
    pub swap_max: Option<u64>,
}

/// What is charged to a group and those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charged {
    /// Processes' own memory.
    pub anon: u64,
    /// Pages of files.
    pub file: u64,
    /// Swapped out.
    pub swap: u64,
    /// The most that `anon` and `file` were together.
    pub peak: u64,
}

impl Charged {
    /// What counts against `max`.
    pub fn in_memory(&self) -> u64 {
        self.anon + self.file
    }
}

/// How often limits were met (`memory.events`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryEvents {
    /// Above `high`.
    pub high: u64,
    /// At `max`.
    pub max: u64,
    /// Not enough could be reclaimed.
    pub oom: u64,
    /// Processes that were killed for it.
    pub oom_kill: u64,
}

/// A group's account.
#[derive(Clone, Debug, Default)]
struct Account {
    parent: Option<usize>,
    limits: MemoryLimits,
    /// What is charged here and below.
    charged: Charged,
    /// What is charged here alone.
    own: Charged,
    events: MemoryEvents,
}

/// The key of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(usize);

/// A charge that cannot be made: the group that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full(pub AccountKey);

/// The memory of a machine.
#[derive(Clone, Debug)]
pub struct Memory {
    accounts: Vec<Account>,
    swap_total: u64,
}

impl Memory {
    /// A machine with so much memory and swap, and its root group.
    pub fn new(total: u64, swap_total: u64) -> Self {
        let limits = MemoryLimits { max: Some(total), ..MemoryLimits::default() };
        Memory { accounts: vec![Account { limits, ..Account::default() }], swap_total }
    }

    /// The root group's account: its limit is the machine's memory.
    pub fn root(&self) -> AccountKey {
        AccountKey(0)
    }

    /// An account below another one.
    pub fn open(&mut self, parent: AccountKey) -> AccountKey {
        self.accounts.push(Account { parent: Some(parent.0), ..Account::default() });
        AccountKey(self.accounts.len() - 1)
    }

    /// Closes an account: what is left in it goes to the one above, as pages of a removed group do.
    pub fn close(&mut self, key: AccountKey) {
        let Some(parent) = self.accounts[key.0].parent else { return };
        let left = std::mem::take(&mut self.accounts[key.0].own);
        self.accounts[key.0].charged = Charged::default();
        let above = &mut self.accounts[parent].own;
        above.anon += left.anon;
        above.file += left.file;
        above.swap += left.swap;
    }

    /// What is charged to a group and those below it.
    pub fn charged(&self, key: AccountKey) -> Charged {
        self.accounts[key.0].charged
    }

    /// How often its limits were met.
    pub fn events(&self, key: AccountKey) -> MemoryEvents {
        self.accounts[key.0].events
    }

    /// Its limits.
    pub fn limits(&self, key: AccountKey) -> MemoryLimits {
        self.accounts[key.0].limits
    }

    /// Sets them. What is above a new `max` is reclaimed as far as it goes; tells whether all of it was.
    pub fn set_limits(&mut self, key: AccountKey, limits: MemoryLimits) -> bool {
        self.accounts[key.0].limits = limits;
        let Some(max) = limits.max else { return true };
        let over = self.accounts[key.0].charged.in_memory().saturating_sub(max);
        self.reclaim(key.0, over) >= over
    }

    /// Charges bytes, rounded up to pages, to a group and all above it. `Err` names the group that is
    /// full: somebody below it has to go, and the charge is tried again.
    pub fn charge(&mut self, key: AccountKey, page: Page, bytes: u64) -> Result<(), Full> {
        let bytes = bytes.div_ceil(PAGE).saturating_mul(PAGE);
        for at in self.way_up(key.0) {
            let Some(max) = self.accounts[at].limits.max else { continue };
            let wanted = self.accounts[at].charged.in_memory().saturating_add(bytes);
            let over = wanted.saturating_sub(max);
            if over == 0 {
                continue;
            }
            self.accounts[at].events.max += 1;
            if self.reclaim(at, over) < over {
                self.accounts[at].events.oom += 1;
                return Err(Full(AccountKey(at)));
            }
        }
        let own = &mut self.accounts[key.0].own;
        *kind(own, page) += bytes;
        for at in self.way_up(key.0) {
            let account = &mut self.accounts[at];
            *kind(&mut account.charged, page) += bytes;
            account.charged.peak = account.charged.peak.max(account.charged.in_memory());
            let over = account
                .limits
                .high
                .map_or(0, |high| account.charged.in_memory().saturating_sub(high));
            if over > 0 {
                account.events.high += 1;
                self.reclaim(at, over);
            }
        }
        Ok(())
    }

    /// Takes a charge back; of a process's memory what is swapped out goes first.
    pub fn uncharge(&mut self, key: AccountKey, page: Page, bytes: u64) {
        let own = &mut self.accounts[key.0].own;
        let swapped = if page == Page::Anon { bytes.min(own.swap) } else { 0 };
        let resident = (bytes - swapped).min(*kind(own, page));
        own.swap -= swapped;
        *kind(own, page) -= resident;
        for at in self.way_up(key.0) {
            let charged = &mut self.accounts[at].charged;
            charged.swap = charged.swap.saturating_sub(swapped);
            *kind(charged, page) = kind(charged, page).saturating_sub(resident);
        }
    }

    /// Counts a kill in the group that was full.
    pub fn killed(&mut self, full: Full) {
        self.accounts[full.0.0].events.oom_kill += 1;
    }

    /// Is an account another one, or below it?
    pub fn is_below(&self, key: AccountKey, above: AccountKey) -> bool {
        self.way_up(key.0).contains(&above.0)
    }

    fn way_up(&self, from: usize) -> Vec<usize> {
        std::iter::successors(Some(from), |at| self.accounts[*at].parent).collect()
    }

    /// Drops pages of files in a group and below, then swaps out; tells how much memory that freed.
    fn reclaim(&mut self, at: usize, wanted: u64) -> u64 {
        let wanted = wanted.div_ceil(PAGE).saturating_mul(PAGE);
        let mut freed = 0;
        let below: Vec<usize> =
            (0..self.accounts.len()).filter(|other| self.way_up(*other).contains(&at)).collect();
        for other in &below {
            let dropped = self.accounts[*other].own.file.min(wanted - freed);
            self.uncharge(AccountKey(*other), Page::File, dropped);
            freed += dropped;
        }
        for other in below {
            let room = self.swap_room(other);
            let out = self.accounts[other].own.anon.min(wanted - freed).min(room);
            self.accounts[other].own.anon -= out;
            self.accounts[other].own.swap += out;
            for above in self.way_up(other) {
                let charged = &mut self.accounts[above].charged;
                charged.anon -= out.min(charged.anon);
                charged.swap += out;
            }
            freed += out;
        }
        freed
    }

    /// How much a group may still swap out: its own limits, those above, the machine's swap.
    fn swap_room(&self, at: usize) -> u64 {
        let machine = self.swap_total.saturating_sub(self.accounts[0].charged.swap);
        let limited = |at: usize| {
            let account = &self.accounts[at];
            account.limits.swap_max.map(|max| max.saturating_sub(account.charged.swap))
        };
        let room = self.way_up(at).into_iter().filter_map(limited).fold(machine, u64::min);
        room / PAGE * PAGE
    }
}

fn kind(charged: &mut Charged, page: Page) -> &mut u64 {
    match page {
        Page::Anon => &mut charged.anon,
        Page::File => &mut charged.file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn max(bytes: u64) -> MemoryLimits {
        MemoryLimits { max: Some(bytes), ..MemoryLimits::default() }
    }

    #[test]
    fn what_is_charged_is_charged_to_all_above() {
        let mut memory = Memory::new(1_024 * MIB, 0);
        let above = memory.open(memory.root());
        let group = memory.open(above);
        memory.charge(group, Page::Anon, 1).unwrap();
        for key in [group, above, memory.root()] {
            assert_eq!(memory.charged(key).anon, PAGE);
        }
        memory.uncharge(group, Page::Anon, PAGE);
        assert_eq!(memory.charged(above), Charged { peak: PAGE, ..Charged::default() });
    }

    #[test]
    fn at_max_files_are_dropped_before_anybody_is_killed() {
        let mut memory = Memory::new(1_024 * MIB, 0);
        let group = memory.open(memory.root());
        memory.set_limits(group, max(10 * MIB));
        memory.charge(group, Page::File, 6 * MIB).unwrap();
        memory.charge(group, Page::Anon, 8 * MIB).unwrap();
        assert_eq!(memory.charged(group).file, 2 * MIB);
        assert_eq!(memory.charge(group, Page::Anon, 3 * MIB), Err(Full(group)));
        assert_eq!(memory.events(group), MemoryEvents { high: 0, max: 2, oom: 1, oom_kill: 0 });
    }

    #[test]
    fn the_group_above_can_be_the_full_one() {
        let mut memory = Memory::new(1_024 * MIB, 0);
        let above = memory.open(memory.root());
        let group = memory.open(above);
        memory.set_limits(above, max(4 * MIB));
        memory.set_limits(group, max(8 * MIB));
        assert_eq!(memory.charge(group, Page::Anon, 5 * MIB), Err(Full(above)));
    }

    #[test]
    fn swap_takes_what_it_may() {
        let mut memory = Memory::new(1_024 * MIB, 100 * MIB);
        let group = memory.open(memory.root());
        let limits = MemoryLimits { swap_max: Some(2 * MIB), ..max(4 * MIB) };
        memory.set_limits(group, limits);
        memory.charge(group, Page::Anon, 4 * MIB).unwrap();
        memory.charge(group, Page::Anon, 2 * MIB).unwrap();
        assert_eq!((memory.charged(group).anon, memory.charged(group).swap), (4 * MIB, 2 * MIB));
        assert!(memory.charge(group, Page::Anon, MIB).is_err());
    }

    #[test]
    fn above_high_it_is_reclaimed_and_counted_but_nobody_is_killed() {
        let mut memory = Memory::new(1_024 * MIB, 0);
        let group = memory.open(memory.root());
        memory.set_limits(group, MemoryLimits { high: Some(2 * MIB), ..MemoryLimits::default() });
        memory.charge(group, Page::Anon, 3 * MIB).unwrap();
        memory.charge(group, Page::File, MIB).unwrap();
        assert_eq!(memory.charged(group).file, 0);
        assert_eq!(memory.events(group).high, 2);
    }

    #[test]
    fn a_new_limit_below_the_use_says_what_it_could_not_free() {
        let mut memory = Memory::new(1_024 * MIB, 0);
        let group = memory.open(memory.root());
        memory.charge(group, Page::Anon, 3 * MIB).unwrap();
        memory.charge(group, Page::File, 3 * MIB).unwrap();
        assert!(memory.set_limits(group, max(4 * MIB)));
        assert!(!memory.set_limits(group, max(2 * MIB)));
    }

    #[test]
    fn what_a_removed_group_leaves_belongs_to_the_one_above() {
        let mut memory = Memory::new(1_024 * MIB, 0);
        let above = memory.open(memory.root());
        let group = memory.open(above);
        memory.charge(group, Page::File, MIB).unwrap();
        memory.close(group);
        assert_eq!(memory.charged(above).file, MIB);
        memory.set_limits(above, max(PAGE));
        assert_eq!(memory.charged(above).file, PAGE);
    }
}
