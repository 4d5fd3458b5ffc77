//! How long a throttled container takes to die.
//!
//! A busy loop under 1 % of one CPU: it stands still for 99 ms of 100 and would see its SIGKILL
//! only when it runs again. Beside it the same, killed as `kill -9` does.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::message::{Command, ContainerState, Event};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::client::{Client, Started};
use crate::harness::proc;
use crate::harness::server::Server;
use crate::table::{self, Row};

/// Two periods and a half: the quota of this one and the next is used up.
const THROTTLED: Duration = Duration::from_millis(250);

pub(crate) fn bench(rounds: usize) {
    let server = Server::start();
    let mut client = server.client();
    let machine = client.start(None, ContainerSpec::one_click()).machine;
    let mut gone = Row::new("StopContainer: processes gone").at_most("median", 5.0);
    let mut answered = Row::new("StopContainer: answer heard");
    let mut plain = Row::new("kill -9, still throttled");
    for round in 0..=rounds {
        let (busy, pid) = busy(&mut client, machine);
        let begun = Instant::now();
        let number = client.send(Command::StopContainer { machine, container: busy.container });
        let gone_after = dead_after(begun, pid);
        client.answer(number);
        let answered_after = begun.elapsed();

        let (other, pid) = self::busy(&mut client, machine);
        let begun = Instant::now();
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).expect("kill -9");
        let plain_after = dead_after(begun, pid);
        client.ask(Command::StopContainer { machine, container: other.container });
        if round > 0 {
            gone.took(gone_after);
            answered.took(answered_after);
            plain.took(plain_after);
        }
    }
    let notes = [
        "A busy loop under a quota of 1,000 µs in 100,000 µs, killed 250 ms after the quota was set.",
    ];
    table::print("the end of a throttled container", "ms", None, &[gone, answered, plain], &notes);
}

/// A container that is throttled, and the host's PID of its first process.
fn busy(client: &mut Client, machine: vitrine_shared::id::MachineId) -> (Started, u32) {
    let spec = ContainerSpec {
        argv: ["sh", "-c", "while : ; do : ; done"].map(String::from).into(),
        tty: false,
        ..ContainerSpec::one_click()
    };
    client.forget();
    let started = client.start(Some(machine), spec);
    let pid = client.event("the container runs", |event| match event {
        Event::Machine(machine) => {
            machine.containers.iter().find_map(|container| match container.state {
                ContainerState::Running { pid } if container.id == started.container => Some(pid),
                _ => None,
            })
        }
        _ => None,
    });
    // After the birth, which would be as slow.
    let knob = Knob::CpuMax { quota_usec: Some(1_000), period_usec: 100_000 };
    client.done(Command::SetKnob { machine, group: GroupId::Container(started.container), knob });
    client.listen(THROTTLED);
    (started, pid)
}

#[track_caller]
fn dead_after(begun: Instant, pid: u32) -> Duration {
    while !proc::is_dead(pid) {
        assert!(begun.elapsed() < Duration::from_secs(5), "PID {pid} does not die");
        std::thread::yield_now();
    }
    begun.elapsed()
}
