//! Memory, processes and devices of a group: what a page is told is what the kernel counts, and
//! who was killed has a name.

use std::time::Duration;

use vitrine_shared::cgroup::{Dialect, GroupId, Knob};
use vitrine_shared::focus::{Focus, Look};
use vitrine_shared::message::{Command, Event, Happening, Made, Victim};
use vitrine_shared::spec::{ContainerSpec, Limits};
use vitrine_shared::uses::UseSample;

use crate::harness::cgroup;
use crate::harness::client::{Client, Started};
use crate::harness::server::Server;

const MIB: u64 = 1 << 20;
/// Holds 20 MiB for some seconds, and ends by itself.
const EATER: &str = "dd if=/dev/zero bs=20M count=1 | (sleep 20; cat > /dev/null)";
/// Asks for more processes than it may have; those that it got end by themselves, and are waited
/// for: whom nobody waits for goes on being counted.
const BOMB: &str = "seq 200 | xargs -P 200 -n 1 sh -c 'sleep 5' >/dev/null 2>&1";
/// The kernel logs ten kills in five seconds, of the whole host: others may be first.
const TRIES: usize = 4;

fn quiet(limits: Limits) -> ContainerSpec {
    let argv = ["sleep", "1000"].map(str::to_string).to_vec();
    ContainerSpec { argv, tty: false, limits, ..ContainerSpec::one_click() }
}

/// Looks at a container, with a command running in it.
fn look(page: &mut Client, started: &Started, script: &str) -> Focus {
    let Started { machine, container, .. } = *started;
    let focus = Focus { machine, group: GroupId::Container(container), look: Look::Use };
    page.done(Command::Focus { on: Some(focus) });
    let argv = ["sh", "-c", script].map(str::to_string).to_vec();
    page.done(Command::Exec { machine, container, argv });
    focus
}

/// The first reading that something is true of.
fn reading(page: &mut Client, what: &str, is_it: impl Fn(&UseSample) -> bool) -> UseSample {
    page.event(what, |event| match event {
        Event::Use(sample) if is_it(&sample) => Some(*sample),
        _ => None,
    })
}

#[test]
fn who_was_killed_for_memory_has_a_name() {
    // Without it a victim is "a process".
    std::fs::File::open("/dev/kmsg").expect("this test needs /dev/kmsg, the kernel's log");
    let server = Server::start();
    let mut page = server.client();
    let limits = Limits { memory_bytes: Some(24 * MIB), ..Limits::default() };
    let Started { machine, container, .. } = page.start(None, quiet(limits));
    page.watch(machine, 4);
    let eater = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"].map(str::to_string);
    let mut named = None;
    for _ in 0..TRIES {
        let made = page.done(Command::Exec { machine, container, argv: eater.to_vec() });
        let Some(Made::Process { pid }) = made else { panic!("{made:?}") };
        let victim = page.event("the kill", |event| {
            let Event::Feed { entries, .. } = event else { return None };
            entries.into_iter().rev().find_map(|entry| match entry.what {
                Happening::OomKilled { victim, .. } => Some(victim),
                _ => None,
            })
        });
        if let Some(victim) = victim {
            named = Some((pid, victim));
            break;
        }
        std::thread::sleep(Duration::from_secs(5));
    }
    let (pid, victim) = named.expect("a victim with a name");
    assert_eq!(victim, Victim { pid, name: "dd".into() });
}

#[test]
fn the_parts_of_memory_add_up_and_limits_are_the_kernels() {
    let server = Server::start();
    let mut page = server.client();
    let limits = Limits { memory_bytes: Some(64 * MIB), ..Limits::default() };
    let started = page.start(None, quiet(limits));
    let focus = look(&mut page, &started, EATER);
    // The kernel brings its parts together every two seconds at least.
    let sample = reading(&mut page, "20 MiB of its own", |sample| {
        sample.memory.as_ref().is_some_and(|memory| memory.anon_bytes >= 20 * MIB)
    });
    assert_eq!(sample.focus, focus);
    let memory = sample.memory.unwrap();
    assert_eq!(memory.dialect, cgroup::dialect("memory"));
    assert_eq!(memory.max_bytes, Some(64 * MIB));
    assert!(memory.current_bytes >= 20 * MIB && memory.current_bytes <= 64 * MIB, "{memory:?}");
    let parts = memory.anon_bytes + memory.file_bytes + memory.kernel_bytes.unwrap_or(0);
    // A CPU charges some pages at once and keeps the rest for later.
    assert!(parts.abs_diff(memory.current_bytes) <= 4 * MIB, "{parts}: {memory:?}");
    assert_eq!(memory.met_high.is_some(), memory.dialect == Dialect::V2);
    assert_eq!(memory.reclaimed_pages.is_some(), memory.dialect == Dialect::V2);

    let Focus { machine, group, .. } = focus;
    if memory.dialect == Dialect::V2 {
        page.done(Command::SetKnob { machine, group, knob: Knob::MemoryHigh(Some(48 * MIB)) });
        reading(&mut page, "memory.high", |sample| {
            sample.memory.as_ref().is_some_and(|memory| memory.high_bytes == Some(48 * MIB))
        });
    }
    page.done(Command::SetKnob { machine, group, knob: Knob::MemoryMax(None) });
    reading(&mut page, "no limit", |sample| {
        sample.memory.as_ref().is_some_and(|memory| memory.max_bytes.is_none())
    });
}

#[test]
fn a_refused_fork_is_counted() {
    let server = Server::start();
    let mut page = server.client();
    let limits = Limits { pids_max: Some(8), ..Limits::default() };
    let started = page.start(None, quiet(limits));
    look(&mut page, &started, BOMB);
    let sample = reading(&mut page, "a refused fork", |sample| {
        sample.pids.is_some_and(|pids| pids.refused.is_some_and(|refused| refused > 0))
    });
    let pids = sample.pids.unwrap();
    assert_eq!(pids.max, Some(8));
    assert!(pids.current <= 8, "{pids:?}");
    reading(&mut page, "the bomb to end by itself", |sample| {
        sample.pids.is_some_and(|pids| pids.current <= 2)
    });
}

#[test]
fn looking_elsewhere_ends_it() {
    let server = Server::start();
    let mut page = server.client();
    let started = page.start(None, quiet(Limits::default()));
    let focus = look(&mut page, &started, "true");
    reading(&mut page, "a reading", |sample| sample.focus == focus);
    let cpu = Focus { look: Look::Cpu, ..focus };
    page.done(Command::Focus { on: Some(cpu) });
    page.event("the CPU, and nothing else", |event| match event {
        Event::Use(_) => panic!("still told of what else it uses"),
        Event::Cpu(sample) => (sample.focus == cpu).then_some(()),
        _ => None,
    });
}
