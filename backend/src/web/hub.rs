//! The hub: the latest of everything, and who wants to hear of it.
//!
//! Subscribe, then snapshot, then changes. Each page has a bounded outbox: a slow page loses
//! samples that a later one has replaced, but no change of structure; when those do not fit, the
//! page is told that it is behind, closed, and comes back for a new snapshot.
//!
//! **Invariant:** a page hears only of machines that its identity may watch.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use vitrine_shared::cgroup::GroupId;
use vitrine_shared::discovery::Discovery;
use vitrine_shared::focus::Focus;
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId};
use vitrine_shared::limits::{FOCUSES, SHOWN_FILES};
use vitrine_shared::message::{Event, FeedEntry, Machine, Refusal, Sample};
use vitrine_shared::refusal::Thing;
use vitrine_shared::role::Identity;

use super::codec::Told;
use super::outbox::{Next, Outbox};

/// Entries of a feed that are kept for those who come.
const FEED_ENTRIES: usize = 64;

/// The latest of everything, and the pages.
#[derive(Default)]
pub(crate) struct Hub {
    inner: Mutex<Inner>,
    /// The observer should look at other machines, or at another rate.
    pub(crate) rates_changed: Notify,
    /// Somebody wants to know a machine's namespaces.
    pub(crate) discovery_wanted: Notify,
    /// A page came or went.
    pub(crate) viewers_changed: Notify,
}

#[derive(Default)]
struct Inner {
    machines: BTreeMap<MachineId, Known>,
    pages: HashMap<u64, Page>,
    last_page: u64,
    /// Machines whose namespaces the observer has still to be asked for.
    discoveries: BTreeSet<MachineId>,
}

struct Known {
    owner: ParticipantId,
    containers: Vec<ContainerId>,
    told: Arc<Told>,
    feed: VecDeque<FeedEntry>,
    sample: Option<Arc<Told>>,
}

struct Page {
    identity: Identity,
    watch: Option<Watch>,
    files: Option<(MachineId, GroupId)>,
    focus: Option<Focus>,
    /// The machine whose namespaces it has asked for and not heard of yet.
    discovery: Option<MachineId>,
    outbox: Arc<Outbox>,
}

/// What a page looks at.
struct Watch {
    machine: MachineId,
    hertz: u8,
    /// Samples before this moment are not for it.
    due_msec: u64,
}

/// A page's place in the hub; left when dropped.
pub(crate) struct Seat {
    hub: Arc<Hub>,
    page: u64,
    outbox: Arc<Outbox>,
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page comes; the first it hears are the machines, then `Synced`.
    pub(crate) fn sit(self: &Arc<Self>, identity: Identity) -> Seat {
        let outbox = Arc::new(Outbox::default());
        let mut inner = self.lock();
        for known in inner.machines.values().filter(|known| identity.may_watch(known.owner)) {
            outbox.push(&known.told);
        }
        outbox.push(&Arc::new(Told::new(Event::Synced)));
        inner.last_page += 1;
        let page = inner.last_page;
        inner.pages.insert(
            page,
            Page {
                identity,
                watch: None,
                files: None,
                discovery: None,
                focus: None,
                outbox: outbox.clone(),
            },
        );
        self.viewers_changed.notify_one();
        Seat { hub: self.clone(), page, outbox }
    }

    /// Whose a machine is.
    pub(crate) fn owner(&self, machine: MachineId) -> Option<ParticipantId> {
        self.lock().machines.get(&machine).map(|known| known.owner)
    }

    /// Does the machine still have a record of this container?
    pub(crate) fn has_container(&self, machine: MachineId, container: ContainerId) -> bool {
        let inner = self.lock();
        inner.machines.get(&machine).is_some_and(|known| known.containers.contains(&container))
    }

    /// A machine as it is now.
    pub(crate) fn machine(&self, machine: Machine) {
        let mut inner = self.lock();
        let (id, owner) = (machine.id, machine.owner);
        let containers = machine.containers.iter().map(|container| container.id).collect();
        let told = Arc::new(Told::new(Event::Machine(machine)));
        let known = inner.machines.entry(id).or_insert_with(|| Known {
            owner,
            containers: Vec::new(),
            told: told.clone(),
            feed: VecDeque::new(),
            sample: None,
        });
        known.told = told.clone();
        known.containers = containers;
        // The owner of a machine never changes; the first word counts.
        let owner = known.owner;
        for page in inner.pages.values().filter(|page| page.identity.may_watch(owner)) {
            page.outbox.push(&told);
        }
    }

    /// A machine is gone.
    pub(crate) fn gone(&self, machine: MachineId) {
        let mut inner = self.lock();
        let Some(known) = inner.machines.remove(&machine) else { return };
        let told = Arc::new(Told::new(Event::MachineGone { machine }));
        for page in inner.pages.values_mut().filter(|page| page.identity.may_watch(known.owner)) {
            if page.watches(machine) {
                page.watch = None;
                page.outbox.forget_sample();
            }
            page.files = page.files.filter(|(of, _)| *of != machine);
            if page.focus.is_some_and(|focus| focus.machine == machine) {
                page.focus = None;
                page.outbox.forget_close_samples();
            }
            page.discovery.take_if(|asked| *asked == machine);
            page.outbox.push(&told);
        }
        self.rates_changed.notify_one();
    }

    /// New entries of a machine's feed.
    pub(crate) fn feed(&self, machine: MachineId, entries: Vec<FeedEntry>) {
        let mut inner = self.lock();
        let Some(known) = inner.machines.get_mut(&machine) else { return };
        known.feed.extend(entries.iter().cloned());
        let surplus = known.feed.len().saturating_sub(FEED_ENTRIES);
        known.feed.drain(..surplus);
        let told = Arc::new(Told::new(Event::Feed { machine, entries }));
        for page in inner.pages.values().filter(|page| page.watches(machine)) {
            page.outbox.push(&told);
        }
    }

    /// What was measured; a page hears it when its own rate says so.
    pub(crate) fn sample(&self, sample: Sample) {
        let mut inner = self.lock();
        let (machine, at_msec) = (sample.machine, sample.at_msec);
        let Some(known) = inner.machines.get_mut(&machine) else { return };
        let told = Arc::new(Told::new(Event::Sample(sample)));
        known.sample = Some(told.clone());
        for page in inner.pages.values_mut() {
            if let Some(watch) = &mut page.watch
                && watch.machine == machine
                && watch.is_due(at_msec)
            {
                page.outbox.replace_sample(&told);
            }
        }
    }

    /// The groups that somebody made and whose raw files are looked at.
    pub(crate) fn shown_files(&self) -> BTreeMap<MachineId, BTreeSet<GroupId>> {
        self.lock().shown_files()
    }

    /// What a look at namespaces found, for the pages that have asked.
    pub(crate) fn discovery(&self, discovery: Discovery) {
        let mut inner = self.lock();
        let machine = discovery.machine;
        if !inner.machines.contains_key(&machine) {
            return;
        }
        let told = Arc::new(Told::new(Event::Discovery(Box::new(discovery))));
        for page in inner.pages.values_mut() {
            if page.discovery.take_if(|asked| *asked == machine).is_some() {
                page.outbox.replace_discovery(&told);
            }
        }
    }

    /// Takes the machines that the observer has to be asked for.
    pub(crate) fn take_discoveries(&self) -> BTreeSet<MachineId> {
        std::mem::take(&mut self.lock().discoveries)
    }

    /// Asks again for what was not heard of: the observer is a new one.
    pub(crate) fn ask_discoveries_again(&self) {
        let mut inner = self.lock();
        let asked: Vec<MachineId> =
            inner.pages.values().filter_map(|page| page.discovery).collect();
        inner.discoveries.extend(asked);
    }

    /// What was read of a group that is looked at closely.
    pub(crate) fn close(&self, focus: Focus, sample: Event) {
        let inner = self.lock();
        let told = Arc::new(Told::new(sample));
        for page in inner.pages.values().filter(|page| page.focus == Some(focus)) {
            page.outbox.push_close_sample(&told);
        }
    }

    /// The groups that somebody looks at closely.
    pub(crate) fn focuses(&self) -> BTreeSet<Focus> {
        self.lock().focuses()
    }

    /// Tells every page how many there are.
    pub(crate) fn tell_viewers(&self) {
        let inner = self.lock();
        let count = u32::try_from(inner.pages.len()).unwrap_or(u32::MAX);
        let told = Arc::new(Told::new(Event::Viewers { count }));
        inner.pages.values().for_each(|page| page.outbox.replace_viewers(&told));
    }

    /// How often each machine must be read: as often as whoever wants it most.
    pub(crate) fn rates(&self) -> HashMap<MachineId, u8> {
        let mut rates = HashMap::new();
        for watch in self.lock().pages.values().filter_map(|page| page.watch.as_ref()) {
            let rate = rates.entry(watch.machine).or_insert(watch.hertz);
            *rate = watch.hertz.max(*rate);
        }
        rates
    }
}

impl Inner {
    fn shown_files(&self) -> BTreeMap<MachineId, BTreeSet<GroupId>> {
        let mut shown = BTreeMap::<_, BTreeSet<_>>::new();
        for (machine, group) in self.pages.values().filter_map(|page| page.files) {
            shown.entry(machine).or_default().insert(group);
        }
        shown
    }

    fn focuses(&self) -> BTreeSet<Focus> {
        self.pages.values().filter_map(|page| page.focus).collect()
    }
}

impl Page {
    fn watches(&self, machine: MachineId) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.machine == machine)
    }
}

impl Watch {
    /// Is this sample one of the page's? A quarter of a period early is in time.
    fn is_due(&mut self, at_msec: u64) -> bool {
        let period = 1000 / u64::from(self.hertz.max(1));
        // A clock that has jumped back is a new observer's: begin again.
        let restarted = at_msec + 2 * period < self.due_msec;
        if at_msec + period / 4 < self.due_msec && !restarted {
            return false;
        }
        // Early ones do not add up; late ones are not made up for.
        let on_time = !restarted && at_msec < self.due_msec + period;
        self.due_msec = if on_time { self.due_msec + period } else { at_msec + period };
        true
    }
}

impl Seat {
    /// Looks at one machine, or at none; the caller has checked that it may. The page hears the
    /// feed and the latest sample first.
    pub(crate) fn watch(&self, machine: Option<MachineId>, hertz: u8) {
        let mut inner = self.hub.lock();
        let inner = &mut *inner;
        let Some(page) = inner.pages.get_mut(&self.page) else { return };
        self.outbox.forget_sample();
        page.watch = machine.map(|machine| Watch { machine, hertz, due_msec: 0 });
        let known = machine.and_then(|machine| inner.machines.get(&machine).map(|k| (machine, k)));
        if let Some((machine, known)) = known {
            let entries = known.feed.iter().cloned().collect();
            self.outbox.push(&Arc::new(Told::new(Event::Feed { machine, entries })));
            known.sample.iter().for_each(|sample| self.outbox.replace_sample(sample));
        }
        self.hub.rates_changed.notify_one();
    }

    /// Looks at the raw files of one group, or of none; the caller has checked that it may.
    pub(crate) fn show_files(
        &self,
        machine: MachineId,
        group: Option<GroupId>,
    ) -> Result<(), Refusal> {
        let mut inner = self.hub.lock();
        let Some(page) = inner.pages.get_mut(&self.page) else { return Ok(()) };
        // Those of the others always come.
        let made = group.filter(|group| matches!(group, GroupId::Made(_)));
        let before = std::mem::replace(&mut page.files, made.map(|group| (machine, group)));
        let shown = inner.shown_files().get(&machine).map_or(0, BTreeSet::len);
        if shown as u64 > SHOWN_FILES.value {
            if let Some(page) = inner.pages.get_mut(&self.page) {
                page.files = before;
            }
            return Err(Refusal::Limit(SHOWN_FILES.into()));
        }
        self.hub.rates_changed.notify_one();
        Ok(())
    }

    /// Asks for the namespaces of a machine; the caller has checked that it may watch it.
    pub(crate) fn discover(&self, machine: MachineId) {
        let mut inner = self.hub.lock();
        let Some(page) = inner.pages.get_mut(&self.page) else { return };
        page.discovery = Some(machine);
        inner.discoveries.insert(machine);
        self.hub.discovery_wanted.notify_one();
    }

    /// Looks at one group closely, or at none; the caller has checked that it may.
    pub(crate) fn focus(&self, on: Option<Focus>) -> Result<(), Refusal> {
        let mut inner = self.hub.lock();
        if let Some(Focus { machine, group: GroupId::Container(container), .. }) = on {
            let known = inner.machines.get(&machine);
            if !known.is_some_and(|known| known.containers.contains(&container)) {
                return Err(Refusal::Unknown { what: Thing::Group });
            }
        }
        let Some(page) = inner.pages.get_mut(&self.page) else { return Ok(()) };
        let before = std::mem::replace(&mut page.focus, on);
        self.outbox.forget_close_samples();
        if inner.focuses().len() as u64 > FOCUSES.value {
            if let Some(page) = inner.pages.get_mut(&self.page) {
                page.focus = before;
            }
            return Err(Refusal::Limit(FOCUSES.into()));
        }
        self.hub.rates_changed.notify_one();
        Ok(())
    }

    /// What the page must hear next.
    pub(crate) async fn next(&self) -> Next {
        self.outbox.next().await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.lock().pages.remove(&self.page);
        self.hub.rates_changed.notify_one();
        self.hub.viewers_changed.notify_one();
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
