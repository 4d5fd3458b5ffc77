//! The line to the observer: which machines to read, and what it read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::focus::Focus;
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Event;

use super::hub::Hub;
use super::link::Link;
use crate::ipc::{Inbox, ObserverToWeb, WebToObserver};

/// Serves one channel to the observer until it closes; the launcher sends another then.
pub(crate) async fn observe(hub: &Hub, link: Link) {
    let ended = tokio::select! {
        ended = hear(hub, &link) => ended,
        ended = tell(hub, &link) => ended,
    };
    match ended {
        Ok(()) => tracing::warn!("the observer has gone"),
        Err(err) => tracing::warn!("the line to the observer: {err}"),
    }
}

async fn hear(hub: &Hub, link: &Link) -> io::Result<()> {
    let mut inbox = Inbox::default();
    while let Some((heard, _)) = link.recv(&mut inbox).await? {
        match heard {
            ObserverToWeb::Sample(sample) => hub.sample(*sample),
            ObserverToWeb::Discovery(discovery) => hub.discovery(*discovery),
            ObserverToWeb::Cpu(sample) => hub.close(sample.focus, Event::Cpu(*sample)),
            ObserverToWeb::Use(sample) => hub.close(sample.focus, Event::Use(sample)),
        }
    }
    Ok(())
}

/// Tells the differences between what it reads and what it should read.
async fn tell(hub: &Hub, link: &Link) -> io::Result<()> {
    let mut told: HashMap<MachineId, u8> = HashMap::new();
    let mut shown = BTreeMap::new();
    hub.ask_discoveries_again();
    let mut focused = BTreeSet::new();
    loop {
        let wanted = hub.rates();
        let stopped = told.keys().filter(|machine| !wanted.contains_key(machine));
        let mut changes: Vec<_> = stopped.map(|&machine| (machine, 0)).collect();
        changes.extend(
            wanted
                .iter()
                .filter(|&(m, hertz)| told.get(m) != Some(hertz))
                .map(|(&m, &hertz)| (m, hertz)),
        );
        for (machine, hertz) in changes {
            link.send(&WebToObserver::Watch { machine, hertz }).await?;
        }
        told = wanted;
        tell_files(hub.shown_files(), &mut shown, link).await?;
        tell_focuses(hub.focuses(), &mut focused, link).await?;
        for machine in hub.take_discoveries() {
            link.send(&WebToObserver::Discover { machine }).await?;
        }
        tokio::select! {
            () = hub.rates_changed.notified() => {}
            () = hub.discovery_wanted.notified() => {}
        }
    }
}

async fn tell_files(
    wanted: BTreeMap<MachineId, BTreeSet<GroupId>>,
    told: &mut BTreeMap<MachineId, BTreeSet<GroupId>>,
    link: &Link,
) -> io::Result<()> {
    for (&machine, groups) in &wanted {
        if told.get(&machine) != Some(groups) {
            let groups = groups.iter().copied().collect();
            link.send(&WebToObserver::Files { machine, groups }).await?;
        }
    }
    for (&machine, _) in told.iter().filter(|(machine, _)| !wanted.contains_key(machine)) {
        link.send(&WebToObserver::Files { machine, groups: Vec::new() }).await?;
    }
    *told = wanted;
    Ok(())
}

async fn tell_focuses(
    wanted: BTreeSet<Focus>,
    told: &mut BTreeSet<Focus>,
    link: &Link,
) -> io::Result<()> {
    // Those that are over first: the observer has places for no more than the limit.
    for &focus in told.difference(&wanted) {
        link.send(&WebToObserver::Focus { focus, on: false }).await?;
    }
    for &focus in wanted.difference(told) {
        link.send(&WebToObserver::Focus { focus, on: true }).await?;
    }
    *told = wanted;
    Ok(())
}
