//! Tests of the hub: who hears what, in which order.

use vitrine_shared::focus::{CpuSample, Look};
use vitrine_shared::message::Profile;
use vitrine_shared::role::Role;

use super::*;

const ANN: ParticipantId = ParticipantId(1);
const BOB: ParticipantId = ParticipantId(2);

fn machine(id: u128, owner: ParticipantId) -> Machine {
    Machine {
        id: MachineId(id),
        owner,
        profile: Profile::Strict,
        init_pid: 1,
        uid_base: 100_000,
        cgroup_path: "vitrine/m".into(),
        born_msec: 0,
        steps: Vec::new(),
        newborn: Default::default(),
        containers: Vec::new(),
    }
}

fn sample(id: u128, at_msec: u64) -> Sample {
    Sample {
        machine: MachineId(id),
        at_msec,
        processes: Vec::new(),
        groups: Vec::new(),
        more_groups: 0,
        other_processes: 0,
    }
}

fn hub() -> Arc<Hub> {
    let hub = Arc::new(Hub::default());
    hub.machine(machine(10, ANN));
    hub.machine(machine(20, BOB));
    hub
}

fn sit(hub: &Arc<Hub>, participant: ParticipantId, role: Role) -> Seat {
    hub.sit(Identity { participant, role })
}

/// What the page hears, in short.
fn heard(seat: &Seat) -> Vec<String> {
    let mut heard = Vec::new();
    while let Some(Next::Event(told)) = seat.outbox.take() {
        heard.push(match told.event() {
            Event::Machine(machine) => format!("machine {}", machine.id.0),
            Event::MachineGone { machine } => format!("gone {}", machine.0),
            Event::Sample(sample) => format!("sample {}", sample.at_msec),
            Event::Discovery(found) => format!("discovery {}", found.machine.0),
            Event::Feed { entries, .. } => format!("feed {}", entries.len()),
            Event::Synced => "synced".into(),
            Event::Viewers { count } => format!("viewers {count}"),
            Event::Cpu(sample) => format!("cpu {}", sample.at_nsec),
            Event::Use(sample) => format!("use {}", sample.at_nsec),
        });
    }
    heard
}

#[test]
fn a_snapshot_of_what_one_may_see() {
    let hub = hub();
    let everything = ["machine 10", "machine 20", "synced"];
    assert_eq!(heard(&sit(&hub, BOB, Role::Teacher)), everything);
    assert_eq!(heard(&sit(&hub, BOB, Role::Viewer)), everything);
    assert_eq!(heard(&sit(&hub, BOB, Role::Student)), ["machine 20", "synced"]);
}

#[test]
fn changes_reach_only_those_who_may_watch() {
    let hub = hub();
    let (ann, bob) = (sit(&hub, ANN, Role::Student), sit(&hub, BOB, Role::Student));
    heard(&ann);
    heard(&bob);
    hub.machine(machine(30, ANN));
    hub.gone(MachineId(10));
    assert_eq!(heard(&ann), ["machine 30", "gone 10"]);
    assert!(heard(&bob).is_empty());
    hub.machine(machine(30, BOB));
    assert_eq!(hub.owner(MachineId(30)), Some(ANN), "the owner never changes");
}

#[test]
fn feed_and_samples_of_the_watched_machine_only() {
    let hub = hub();
    let seat = sit(&hub, ANN, Role::Student);
    let entry = |seq| FeedEntry {
        seq,
        at_msec: 0,
        what: vitrine_shared::message::Happening::MachineBorn { took_usec: 1 },
    };
    hub.feed(MachineId(10), (0..100).map(entry).collect());
    hub.sample(sample(10, 1000));
    assert_eq!(heard(&seat), ["machine 10", "synced"]);
    seat.watch(Some(MachineId(10)), 1);
    assert_eq!(heard(&seat), ["feed 64", "sample 1000"]);
    hub.feed(MachineId(10), vec![entry(101)]);
    hub.sample(sample(20, 5000));
    hub.sample(sample(10, 2000));
    hub.sample(sample(10, 3000));
    assert_eq!(heard(&seat), ["feed 1", "sample 3000"]);
    seat.watch(None, 1);
    hub.sample(sample(10, 4000));
    assert!(heard(&seat).is_empty());
}

#[test]
fn each_page_at_its_own_rate() {
    let hub = hub();
    let (slow, fast) = (sit(&hub, ANN, Role::Teacher), sit(&hub, BOB, Role::Teacher));
    slow.watch(Some(MachineId(10)), 2);
    fast.watch(Some(MachineId(10)), 20);
    assert_eq!(hub.rates(), HashMap::from([(MachineId(10), 20)]));
    let mut counts = (0, 0);
    heard(&slow);
    heard(&fast);
    for tick in 0..400 {
        hub.sample(sample(10, 10_000 + tick * 50));
        counts.0 += heard(&slow).len();
        counts.1 += heard(&fast).len();
    }
    assert!((39..=41).contains(&counts.0), "20 s at 2 Hz: {}", counts.0);
    assert_eq!(counts.1, 400);
    drop(fast);
    assert_eq!(hub.rates(), HashMap::from([(MachineId(10), 2)]));
    hub.gone(MachineId(10));
    assert!(hub.rates().is_empty());
}

#[test]
fn viewers_are_counted() {
    let hub = Arc::new(Hub::default());
    let seats: Vec<_> = (0..3).map(|_| sit(&hub, ANN, Role::Viewer)).collect();
    hub.tell_viewers();
    hub.tell_viewers();
    assert_eq!(heard(&seats[0]), ["synced", "viewers 3"]);
}

#[test]
fn raw_files_are_asked_for_by_those_who_look_and_bounded() {
    let hub = hub();
    let made = |n: u64| GroupId::Made(format!("g{n}").parse().unwrap());
    let (m, seat) = (MachineId(10), sit(&hub, ANN, Role::Student));
    assert_eq!(seat.show_files(m, Some(made(0))), Ok(()));
    assert_eq!(hub.shown_files()[&m], BTreeSet::from([made(0)]));
    assert_eq!(seat.show_files(m, Some(GroupId::Root)), Ok(()), "which come anyway");
    assert!(hub.shown_files().is_empty());
    let seats: Vec<_> = (0..SHOWN_FILES.value)
        .map(|n| {
            let seat = sit(&hub, ANN, Role::Student);
            assert_eq!(seat.show_files(m, Some(made(n))), Ok(()));
            seat
        })
        .collect();
    let more = seat.show_files(m, Some(made(99)));
    assert_eq!(more, Err(Refusal::Limit(SHOWN_FILES.into())));
    assert_eq!(seat.show_files(m, Some(made(3))), Ok(()), "one that is read already");
    drop((seats, seat));
    assert!(hub.shown_files().is_empty());
    let seat = sit(&hub, ANN, Role::Student);
    assert_eq!(seat.show_files(m, Some(made(1))), Ok(()));
    hub.gone(m);
    assert!(hub.shown_files().is_empty());
}

fn discovery(id: u128) -> Discovery {
    Discovery {
        machine: MachineId(id),
        at_msec: 0,
        initial: [0; 8],
        machines: [0; 8],
        namespaces: Vec::new(),
        id_maps: Vec::new(),
        mounts: Vec::new(),
        devices: Vec::new(),
        cut: false,
    }
}

fn hear(hub: &Hub, sample: CpuSample) {
    hub.close(sample.focus, Event::Cpu(sample));
}

fn close(id: u128, at_nsec: u64) -> CpuSample {
    let focus = Focus { machine: MachineId(id), group: GroupId::Root, look: Look::Cpu };
    CpuSample { period_usec: 100_000, ..CpuSample::new(focus, at_nsec) }
}

#[test]
fn a_discovery_is_for_those_who_asked_once() {
    let hub = hub();
    let (ann, other, bob) = (
        sit(&hub, ANN, Role::Student),
        sit(&hub, ANN, Role::Student),
        sit(&hub, BOB, Role::Student),
    );
    for seat in [&ann, &other, &bob] {
        heard(seat);
    }
    ann.discover(MachineId(10));
    bob.discover(MachineId(20));
    assert_eq!(hub.take_discoveries(), [MachineId(10), MachineId(20)].into());
    hub.discovery(discovery(10));
    hub.discovery(discovery(10));
    hub.discovery(discovery(30));
    assert_eq!(heard(&ann), ["discovery 10"]);
    assert!(heard(&other).is_empty() && heard(&bob).is_empty());
    // A new observer is asked for what the old one has not told.
    hub.ask_discoveries_again();
    assert_eq!(hub.take_discoveries(), [MachineId(20)].into());
    hub.gone(MachineId(20));
    hub.ask_discoveries_again();
    assert!(hub.take_discoveries().is_empty());
}

#[test]
fn close_samples_reach_who_has_this_focus_and_end_with_the_machine() {
    let hub = hub();
    let (near, far) = (sit(&hub, ANN, Role::Student), sit(&hub, ANN, Role::Student));
    let focus = close(10, 0).focus;
    assert_eq!(near.focus(Some(focus)), Ok(()));
    assert_eq!(hub.focuses(), BTreeSet::from([focus]));
    heard(&near);
    heard(&far);
    hear(&hub, close(10, 50));
    hear(&hub, close(20, 60));
    hear(&hub, close(10, 100));
    assert_eq!(heard(&near), ["cpu 50", "cpu 100"]);
    assert!(heard(&far).is_empty());
    let unknown = Focus { group: GroupId::Container(ContainerId(5)), ..focus };
    assert_eq!(near.focus(Some(unknown)), Err(Refusal::Unknown { what: Thing::Group }));
    hub.gone(MachineId(10));
    assert!(hub.focuses().is_empty());
    hear(&hub, close(10, 150));
    assert_eq!(heard(&near), ["gone 10"]);
}

#[test]
fn the_groups_in_focus_are_bounded_and_a_page_has_one() {
    let hub = hub();
    let on = |id| Some(Focus { machine: MachineId(id), group: GroupId::Root, look: Look::Cpu });
    let mut seats = Vec::new();
    for id in 0..FOCUSES.value {
        let seat = sit(&hub, ANN, Role::Teacher);
        assert_eq!(seat.focus(on(id.into())), Ok(()));
        seats.push(seat);
    }
    let more = sit(&hub, ANN, Role::Teacher);
    assert_eq!(more.focus(on(1_000)), Err(Refusal::Limit(FOCUSES.into())));
    assert_eq!(more.focus(on(3)), Ok(()), "a group that is read already");
    assert_eq!(seats[0].focus(on(1_000)), Ok(()), "one instead of another");
    drop(seats);
    assert_eq!(hub.focuses().len(), 1);
    assert_eq!(more.focus(None), Ok(()));
    assert!(hub.focuses().is_empty());
}
