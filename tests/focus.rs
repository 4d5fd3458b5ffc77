//! The close look at a group's CPU: twenty readings a second, each true.

use std::time::Duration;

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::focus::{CpuSample, Focus};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Command, Event, Refusal};
use vitrine_shared::refusal::Thing;

use crate::harness::busy::{Busy, Dice, Setting, idle};
use crate::harness::client::{Client, Codec};
use crate::harness::server::Server;

/// Settings that are tried here; `cargo xtask bench --only cpu` tries thirty.
const SETTINGS: usize = 4;
/// Points of one CPU: the goal is 1, on a machine that does nothing else.
const WIDE: f64 = 3.0;

fn close(event: Event) -> Option<CpuSample> {
    match event {
        Event::Cpu(sample) => Some(sample),
        _ => None,
    }
}

#[test]
fn what_a_page_shows_is_what_the_kernel_counts() {
    let server = Server::start();
    let mut busy = Busy::new(&server);
    let mut dice = Dice::new(20_261_125);
    for _ in 0..SETTINGS {
        let setting = dice.setting(busy.cpus());
        let compared = busy.compare(&setting, Duration::from_millis(1_500));
        let said = format!(
            "VITRINE_SEED={} {setting:?}: shown {:.2} %, counted {:.2} %, {} readings",
            dice.seed,
            compared.shown,
            compared.counted,
            compared.samples.len()
        );
        assert!(compared.points() <= WIDE, "{said}");
        assert!(compared.samples.len() >= 10, "{said}");
        check(&setting, &compared.samples, &said);
    }
}

/// Every reading of a setting says what was set, and its counters only go up.
#[track_caller]
fn check(setting: &Setting, samples: &[CpuSample], said: &str) {
    for pair in samples.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        assert!(b.at_nsec > a.at_nsec && b.usage_nsec >= a.usage_nsec, "{said}");
        assert!(b.nr_periods >= a.nr_periods && b.nr_throttled >= a.nr_throttled, "{said}");
    }
    let last = samples.last().unwrap();
    assert_eq!((last.quota_usec, last.period_usec), (setting.quota_usec, setting.period_usec));
    // The container's own first process, and the loops.
    assert_eq!(last.n_threads, setting.threads + 1, "{said}");
    assert_eq!(last.threads.len(), last.n_threads as usize, "{said}");
    let first = &samples[0];
    let run: u64 = last.threads.iter().map(|thread| thread.run_nsec).sum();
    let run = run - first.threads.iter().map(|thread| thread.run_nsec).sum::<u64>();
    let used = last.usage_nsec - first.usage_nsec;
    // Each thread's time is as old as the last tick of its CPU.
    assert!(run.abs_diff(used) < 50_000_000, "threads ran {run} ns, the group {used} ns: {said}");
    if !last.cpus_nsec.is_empty() {
        let cpus: u64 = last.cpus_nsec.iter().sum();
        assert!(cpus.abs_diff(last.usage_nsec) < 50_000_000, "{cpus} on all CPUs: {said}");
    }
}

#[test]
fn a_throttled_group_says_so_and_its_thread_has_waited() {
    let server = Server::start();
    let mut busy = Busy::new(&server);
    busy.knob(Knob::CpuMax { quota_usec: Some(20_000), period_usec: 100_000 });
    busy.knob(Knob::CpuBurst(20_000));
    busy.spin();
    let on = Some(busy.focus());
    busy.page.done(Command::Focus { on });
    let first = busy.page.event("the first", |event| close(event).filter(|s| s.n_threads == 2));
    // On a host that does much else a loop may not get its quota in every period.
    let last = busy.page.event("five throttled periods", |event| {
        close(event).filter(|sample| sample.nr_throttled >= first.nr_throttled + 5)
    });
    let said = format!("{first:?} {last:?}");
    assert!(last.nr_periods - first.nr_periods >= 5, "{said}");
    assert!(last.throttled_usec > first.throttled_usec + 50_000, "{said}");
    assert_eq!(last.burst_usec, 20_000);
    // The quota, and what may have been saved up.
    let shown = last.permille_since(&first).expect("a rate");
    assert!(shown > 0.0 && shown < 400.0, "{shown}: {said}");
    let waited: u64 = last.threads.iter().map(|thread| thread.wait_nsec).sum();
    let waited = waited - first.threads.iter().map(|thread| thread.wait_nsec).sum::<u64>();
    assert!(waited > 100_000_000, "{waited} ns of waiting: {said}");
}

#[test]
fn a_page_has_one_focus_and_only_on_what_there_is() {
    let server = Server::start();
    let mut busy = Busy::new(&server);
    let focus = busy.focus();
    let unknown = |what| Refusal::Unknown { what };
    let on = |on| Command::Focus { on: Some(on) };
    let nobodys = Focus { machine: MachineId(1), ..focus };
    assert_eq!(busy.page.refused(on(nobodys)), unknown(Thing::Machine));
    let gone = Focus { group: GroupId::Container(ContainerId(1)), ..focus };
    assert_eq!(busy.page.refused(on(gone)), unknown(Thing::Group));

    let root = Focus { group: GroupId::Root, ..focus };
    busy.page.done(on(root));
    busy.page.event("the root", |event| close(event).filter(|sample| sample.focus == root));
    busy.page.done(on(focus));
    busy.page.event("the container", |event| close(event).filter(|sample| sample.focus == focus));
    busy.page.event("the container, and nothing else", |event| {
        let sample = close(event)?;
        assert_eq!(sample.focus, focus);
        Some(())
    });
    // The group ends with its container: nothing more is heard, and nothing breaks.
    let machine = focus.machine;
    busy.page.done(Command::StopContainer { machine, container: busy.started.container });
    busy.page.listen(Duration::from_millis(300));
    busy.page.forget();
    busy.page.listen(Duration::from_millis(300));
    let started = busy.page.start(Some(machine), idle());
    let next = Focus { group: GroupId::Container(started.container), ..focus };
    busy.page.done(on(next));
    busy.page.event("the next", |event| {
        let sample = close(event)?;
        assert_eq!(sample.focus, next);
        Some(())
    });
}

#[test]
fn others_hear_their_samples_at_their_rate_while_somebody_looks_closely() {
    let server = Server::start();
    let mut busy = Busy::new(&server);
    let mut other = Client::connect(&server, Codec::Postcard);
    let on = Some(busy.focus());
    busy.page.done(Command::Focus { on });
    other.watch(busy.started.machine, 4);
    other.forget();
    let at = |other: &mut Client| other.sample("a sample", |sample| Some(sample.at_msec));
    let first = at(&mut other);
    let last = (0..8).map(|_| at(&mut other)).last().unwrap();
    let took_msec = last - first;
    assert!((1_500..6_000).contains(&took_msec), "8 samples at 4 Hz in {took_msec} ms");
}
