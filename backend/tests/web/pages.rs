//! What pages hear: welcome, snapshot, changes, samples, answers.

use vitrine::ipc::{ObserverToWeb, ToWeb, WebToObserver};
use vitrine_shared::message::{
    Act, Answer, Command, Deed, Event, FeedEntry, Happening, Refusal, Sample, ServerMessage,
};
use vitrine_shared::refusal::Thing;
use vitrine_shared::spec::ContainerSpec;
use vitrine_shared::wire::close;

use crate::client::{Page, closed};
use crate::stage::{ANN, ANNS, BOBS, OTHER, STUDENT, Stage, TEACHER, VIEWER, machine, send, soon};

fn done(call: &str) -> Answer {
    let deed = Deed { act: Act::Syscall { call: call.into() }, shell: String::new() };
    Answer::Done { deeds: vec![deed], made: None }
}

fn start() -> Command {
    Command::StartContainer { machine: Some(ANNS), spec: ContainerSpec::one_click() }
}

#[tokio::test]
async fn welcome_snapshot_synced_in_both_subprotocols() {
    let stage = Stage::new().await;
    for (who, machines) in [(TEACHER, 2), (VIEWER, 2), (STUDENT, 1)] {
        for json in [false, true] {
            let mut page = Page::fresh(&stage, who, json).await;
            let ServerMessage::Welcome { identity, host } = page.next().await else { panic!() };
            assert_eq!((identity, host.cpus), (who, 2));
            let mut count = 0;
            loop {
                match page.next().await {
                    ServerMessage::Event(Event::Machine(_)) => count += 1,
                    ServerMessage::Event(Event::Synced) => break,
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(count, machines, "{who:?}");
        }
    }
}

#[tokio::test]
async fn answers_find_those_who_asked_in_any_order() {
    let mut stage = Stage::new().await;
    let mut ann = Page::new(&stage, STUDENT, true).await;
    let mut teacher = Page::new(&stage, TEACHER, false).await;
    let mut lost = Page::new(&stage, TEACHER, false).await;
    let first = ann.send(start()).await;
    let (number_1, by, command) = stage.request().await;
    assert_eq!((by, command), (STUDENT, start()));
    let second = ann.send(Command::EndMachine { machine: ANNS }).await;
    let (number_2, ..) = stage.request().await;
    lost.send(Command::EndMachine { machine: BOBS }).await;
    let (number_3, ..) = stage.request().await;
    let third = teacher.send(Command::EndMachine { machine: BOBS }).await;
    let (number_4, ..) = stage.request().await;
    drop(lost);
    for (number, call) in [(number_4, "4"), (number_3, "3"), (number_2, "2"), (number_1, "1")] {
        stage.answer(number, done(call));
    }
    assert_eq!(teacher.answer().await, (third, done("4")));
    assert_eq!(ann.answer().await, (second, done("2")));
    assert_eq!(ann.answer().await, (first, done("1")));
    // An answer comes once; the next is another command's.
    stage.answer(number_1, done("again"));
    assert_eq!(
        ann.ask(Command::Ping { token: 1 }).await,
        Answer::Done { deeds: vec![], made: None }
    );
}

#[tokio::test]
async fn what_one_may_not_do_never_reaches_the_launcher() {
    let mut stage = Stage::new().await;
    let refusal = |answer| match answer {
        Answer::Refused { reason, hint } if !hint.is_empty() => reason,
        other => panic!("{other:?}"),
    };
    let unknown = Refusal::Unknown { what: Thing::Machine };
    let mut viewer = Page::new(&stage, VIEWER, true).await;
    let reason = refusal(viewer.ask(start()).await);
    assert_eq!(reason, Refusal::NotAllowed { role: VIEWER.role });
    let mut bob = Page::new(&stage, OTHER, false).await;
    assert_eq!(refusal(bob.ask(start()).await), unknown);
    let look = Command::Subscribe { machine: Some(ANNS), hertz: 4 };
    assert_eq!(refusal(bob.ask(look).await), unknown);
    let nothing = Command::EndMachine { machine: vitrine_shared::id::MachineId(77) };
    let mut teacher = Page::new(&stage, TEACHER, false).await;
    assert_eq!(refusal(teacher.ask(nothing).await), unknown);
    let mut spec = ContainerSpec::one_click();
    spec.argv.clear();
    let bad = Command::StartContainer { machine: None, spec };
    assert!(matches!(refusal(teacher.ask(bad).await), Refusal::Spec(_)));
    // The first that the launcher hears is the one that is allowed.
    teacher.send(start()).await;
    assert_eq!(stage.request().await.1, TEACHER);
}

#[tokio::test]
async fn changes_reach_those_who_may_see_them() {
    let stage = Stage::new().await;
    let mut ann = Page::new(&stage, STUDENT, false).await;
    let mut bob = Page::new(&stage, OTHER, false).await;
    let mut changed = machine(ANNS, ANN);
    changed.init_pid = 4242;
    stage.tell(&ToWeb::Machine(Box::new(changed.clone())));
    stage.tell(&ToWeb::MachineGone { machine: BOBS });
    let heard = ann.event("the change", |event| match event {
        Event::Machine(machine) => Some(machine),
        Event::MachineGone { .. } => panic!("that is Bob's"),
        _ => None,
    });
    assert_eq!(heard.await, changed);
    let heard = bob.event("the end", |event| match event {
        Event::MachineGone { machine } => Some(machine),
        Event::Machine(machine) => panic!("{machine:?} is Ann's"),
        _ => None,
    });
    assert_eq!(heard.await, BOBS);
}

#[tokio::test]
async fn samples_at_the_rate_that_is_wanted() {
    let mut stage = Stage::new().await;
    let mut slow = Page::new(&stage, STUDENT, false).await;
    let mut fast = Page::new(&stage, TEACHER, true).await;
    let entry = FeedEntry { seq: 1, at_msec: 0, what: Happening::MachineBorn { took_usec: 9 } };
    stage.tell(&ToWeb::Feed { machine: ANNS, entries: vec![entry] });
    slow.ask(Command::Subscribe { machine: Some(ANNS), hertz: 1 }).await;
    assert_eq!(rate(&mut stage).await, 1);
    fast.ask(Command::Subscribe { machine: Some(ANNS), hertz: 20 }).await;
    assert_eq!(rate(&mut stage).await, 20);
    let sample = |at_msec| {
        ObserverToWeb::Sample(Box::new(Sample {
            machine: ANNS,
            at_msec,
            processes: Vec::new(),
            groups: Vec::new(),
            more_groups: 0,
            other_processes: 3,
        }))
    };
    let at = |event| match event {
        Event::Sample(sample) => Some(sample.at_msec),
        _ => None,
    };
    // The feed comes with the subscription, or as a change just after it.
    fast.event("the feed", |event| matches!(event, Event::Feed { .. }).then_some(())).await;
    for at_msec in [1000, 1050, 1100] {
        send(&stage.observer, &sample(at_msec), &[]);
        assert_eq!(fast.event("a sample", at).await, at_msec);
    }
    send(&stage.observer, &sample(2000), &[]);
    let first = slow.event("a sample", at).await;
    if first == 1000 {
        assert_eq!(slow.event("a sample", at).await, 2000, "1050 and 1100 are not for it");
    } else {
        assert_eq!(first, 2000, "the latest wins");
    }
    drop(fast);
    assert_eq!(rate(&mut stage).await, 1);
    stage.restart_observer();
    assert_eq!(rate(&mut stage).await, 1);
    drop(slow);
    assert_eq!(rate(&mut stage).await, 0);
}

async fn rate(stage: &mut Stage) -> u8 {
    let Some(WebToObserver::Watch { machine, hertz }) = soon("a watch", stage.watches.recv()).await
    else {
        panic!("no observer")
    };
    assert_eq!(machine, ANNS);
    hertz
}

#[tokio::test]
async fn viewers_are_counted() {
    let stage = Stage::new().await;
    let mut first = Page::new(&stage, TEACHER, true).await;
    let _second = Page::new(&stage, VIEWER, true).await;
    first.event("2 viewers", |event| (event == Event::Viewers { count: 2 }).then_some(())).await;
}

#[tokio::test]
async fn a_page_that_does_not_read_is_closed_and_holds_up_nobody() {
    let stage = Stage::new().await;
    let mut slow = Page::new(&stage, TEACHER, false).await;
    let mut fast = Page::new(&stage, STUDENT, false).await;
    // More than the sockets of the kernel and the page's outbox hold together.
    for n in 0..2_500 {
        let mut changed = machine(ANNS, ANN);
        changed.init_pid = 1000 + n;
        changed.cgroup_path = "x".repeat(20_000);
        stage.tell(&ToWeb::Machine(Box::new(changed)));
        let pid = |event| match event {
            Event::Machine(machine) => Some(machine.init_pid),
            _ => None,
        };
        assert_eq!(fast.event("each change", pid).await, 1000 + n);
    }
    assert_eq!(closed(&mut slow.socket).await.0, close::BEHIND);
    let mut again = Page::new(&stage, TEACHER, false).await;
    again.ask(Command::Ping { token: 1 }).await;
}
