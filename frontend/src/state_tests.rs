//! Events in, state out.

use vitrine_shared::message::{Happening, Profile, Refusal};
use vitrine_shared::refusal::Thing;

use super::*;
use crate::fixture::{self, CONTAINER, MACHINE};

fn heard(message: ServerMessage) -> Action {
    Action::Heard { message, now_msec: 1_000 }
}

fn event(event: Event) -> Action {
    heard(ServerMessage::Event(event))
}

fn lab() -> State {
    let mut state = State::default();
    for action in [
        heard(fixture::welcome()),
        event(Event::Machine(fixture::machine())),
        event(Event::Synced),
        event(Event::Sample(fixture::sample(10))),
    ] {
        state.apply(action);
    }
    state
}

fn feed(seqs: &[u64]) -> Event {
    let entry = |&seq| FeedEntry { seq, at_msec: 0, what: Happening::MachineBorn { took_usec: 1 } };
    Event::Feed { machine: MACHINE, entries: seqs.iter().map(entry).collect() }
}

#[test]
fn a_page_that_comes_back_finds_its_container() {
    let state = lab();
    assert_eq!(state.link, Link::Live);
    assert_eq!(state.focus, Some(MACHINE));
    assert_eq!(state.container().map(|c| c.id), Some(CONTAINER));
    assert!(state.may_change());
}

#[test]
fn every_event_can_be_heard_twice() {
    let events = [
        Event::Machine(fixture::machine()),
        Event::Sample(fixture::sample(20)),
        Event::Discovery(Box::new(fixture::discovery(MACHINE))),
        feed(&[1, 2]),
        Event::Synced,
        Event::Viewers { count: 2 },
    ];
    let mut once = lab();
    let mut twice = lab();
    for one in events {
        once.apply(event(one.clone()));
        twice.apply(event(one.clone()));
        twice.apply(event(one));
    }
    assert_eq!(once, twice);
    once.apply(event(Event::MachineGone { machine: MACHINE }));
    twice.apply(event(Event::MachineGone { machine: MACHINE }));
    twice.apply(event(Event::MachineGone { machine: MACHINE }));
    assert_eq!(once, twice);
    assert_eq!(once.machine(), None);
}

#[test]
fn the_feed_is_in_order_without_doubles_and_bounded() {
    let mut state = lab();
    state.apply(event(feed(&[3, 4])));
    state.apply(event(feed(&[1, 2, 3])));
    let seqs: Vec<_> = state.feeds[&MACHINE].iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
    state.apply(event(feed(&(5..1_000).collect::<Vec<_>>())));
    assert_eq!(state.feeds[&MACHINE].len(), FEED_KEPT);
}

#[test]
fn machines_that_went_while_we_were_away_are_forgotten() {
    let mut state = lab();
    state.apply(Action::Link(Link::Lost { tries: 1 }));
    state.apply(heard(fixture::welcome()));
    assert_eq!(state.focus, Some(MACHINE), "until the snapshot is complete");
    state.apply(event(Event::Synced));
    assert!(state.machines.is_empty() && state.focus.is_none() && state.sample.is_none());
}

#[test]
fn a_ping_is_timed_and_not_told() {
    let mut state = lab();
    state.apply(Action::Asked { id: 7, command: Command::Ping { token: 980 } });
    let answer = Answer::Done { deeds: Vec::new(), made: None };
    state.apply(heard(ServerMessage::Answer { id: 7, answer }));
    assert_eq!((state.latency_msec, state.last.clone()), (Some(20), None));
}

#[test]
fn a_refusal_stands_at_its_place_until_it_is_done() {
    let mut state = lab();
    let command = Command::WriteFile {
        machine: MACHINE,
        group: GroupId::Root,
        file: "cpu.shares".into(),
        value: "x".into(),
    };
    let place = Place::File(GroupId::Root, "cpu.shares".into());
    let reason = Refusal::Unknown { what: Thing::Group };
    state.apply(Action::Asked { id: 1, command: command.clone() });
    let answer = Answer::Refused { reason: reason.clone(), hint: "look".into() };
    state.apply(heard(ServerMessage::Answer { id: 1, answer }));
    assert_eq!(state.troubles[&place], Trouble::Refused { reason, hint: "look".into() });
    state.apply(Action::Asked { id: 2, command });
    let answer = Answer::Done { deeds: Vec::new(), made: None };
    state.apply(heard(ServerMessage::Answer { id: 2, answer }));
    assert!(state.troubles.is_empty());
    assert_eq!(state.last.map(|told| told.number), Some(2));
}

#[test]
fn what_was_asked_when_the_line_broke_is_said_to_be_unanswered() {
    let mut state = lab();
    let command = Command::EndMachine { machine: MACHINE };
    state.apply(Action::Asked { id: 1, command });
    state.apply(Action::Link(Link::Lost { tries: 1 }));
    assert_eq!(state.troubles.get(&Place::End), Some(&Trouble::NoAnswer));
    assert!(state.pending.is_empty());
}

#[test]
fn a_made_container_is_looked_at_even_before_its_event() {
    let mut state = State::default();
    state.apply(heard(fixture::welcome()));
    state.apply(event(Event::Synced));
    let spec = fixture::machine().containers[0].spec.clone();
    state.apply(Action::Asked { id: 1, command: Command::StartContainer { machine: None, spec } });
    assert!(state.is_starting());
    let made = Made::Container { machine: MACHINE, container: CONTAINER, terminal: None };
    let answer = Answer::Done { deeds: Vec::new(), made: Some(made) };
    state.apply(heard(ServerMessage::Answer { id: 1, answer }));
    assert_eq!((state.focus, state.chosen), (Some(MACHINE), Some(CONTAINER)));
    state.apply(event(Event::Machine(fixture::machine())));
    assert_eq!(state.container().map(|c| c.id), Some(CONTAINER));
}

#[test]
fn samples_of_other_machines_are_not_ours() {
    let mut state = lab();
    let before = state.clone();
    let mut other = fixture::sample(30);
    other.machine = MachineId(99);
    state.apply(event(Event::Sample(other)));
    assert_eq!(state, before);
}

#[test]
fn a_look_at_namespaces_is_kept_for_the_machine_that_is_looked_at() {
    let mut state = lab();
    let told = |id| event(Event::Discovery(Box::new(fixture::discovery(id))));
    state.apply(told(MachineId(99)));
    assert_eq!(state.discovery, None);
    state.apply(told(MACHINE));
    assert_eq!(state.discovery.as_ref().map(|found| found.machine), Some(MACHINE));
    state.apply(event(Event::MachineGone { machine: MACHINE }));
    assert_eq!(state.discovery, None);
}

fn started(state: &mut State, answer: Answer) {
    state.apply(Action::Plan(ContainerSpec::machine_shell()));
    let command = Command::StartMachine { profile: Profile::Lab };
    state.apply(Action::Asked { id: 1, command });
    assert!(state.is_starting());
    state.apply(heard(ServerMessage::Answer { id: 1, answer }));
}

#[test]
fn what_was_planned_is_due_when_its_machine_is_there() {
    let mut state = State::default();
    state.apply(heard(fixture::welcome()));
    let made = Some(Made::Machine { machine: MACHINE });
    started(&mut state, Answer::Done { deeds: Vec::new(), made });
    assert_eq!(state.due, Some((MACHINE, ContainerSpec::machine_shell())));
    assert!(state.is_starting(), "until it has been asked for");
    state.apply(Action::Begun);
    assert!(state.due.is_none() && !state.is_starting());
}

#[test]
fn a_machine_that_was_refused_takes_the_plan_along() {
    let mut state = State::default();
    state.apply(heard(fixture::welcome()));
    let reason = Refusal::ProfileOff { profile: Profile::Lab };
    started(&mut state, Answer::Refused { reason, hint: String::new() });
    assert!(state.due.is_none() && state.planned.is_none() && !state.is_starting());
    assert!(state.troubles.contains_key(&Place::Start));
}

#[test]
fn the_question_goes_when_its_machine_goes() {
    let mut state = lab();
    state.apply(Action::Dialog(Some(Dialog::EndMachine(MACHINE))));
    state.apply(event(Event::MachineGone { machine: MachineId(99) }));
    assert_eq!(state.dialog, Some(Dialog::EndMachine(MACHINE)));
    state.apply(event(Event::MachineGone { machine: MACHINE }));
    assert_eq!(state.dialog, None);
}

#[test]
fn nothing_of_one_server_is_taken_for_something_of_another() {
    let mut state = lab();
    let ask = Command::EndMachine { machine: MACHINE };
    state.apply(Action::Asked { id: 1, command: ask });
    state.apply(Action::Source { simulated: true });
    let expected =
        State { simulated: true, session: Session::Open, welcomes: 1, ..State::default() };
    assert_eq!(
        state, expected,
        "only the number of welcomes goes on, so that the next is a new one"
    );
    state.apply(Action::Source { simulated: false });
    assert_eq!((state.simulated, &state.session, state.welcomes), (false, &Session::Checking, 1));
}
