//! Cgroup files written from a page: what is taken, what is refused, and by whom.

use std::path::PathBuf;

use vitrine_shared::cgroup::{BadWrite, Dialect, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Act, Answer, Command, Event, Refusal, Why};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::cgroup::{self, by_dialect};
use crate::harness::client::{Client, Started};
use crate::harness::server::Server;

struct Lab {
    server: Server,
    page: Client,
    started: Started,
}

impl Lab {
    fn new() -> Self {
        let server = Server::start();
        let mut page = server.client();
        let spec = ContainerSpec {
            argv: vec!["sleep".into(), "1000".into()],
            tty: false,
            ..ContainerSpec::one_click()
        };
        let started = page.start(None, spec);
        Lab { server, page, started }
    }

    fn group(&self) -> GroupId {
        GroupId::Container(self.started.container)
    }

    /// The directory of the container's group (`root/c1`) or of the machine's root (`root`).
    fn directory(&self, controller: &str, path: &str) -> PathBuf {
        let ours = cgroup::of_instance_in(self.server.pid(), controller);
        let name = self.started.machine.to_string()[..12].to_string();
        ours.join(name).join(path)
    }

    fn write(&self, group: GroupId, file: &str, value: &str) -> Command {
        let (file, value) = (file.into(), value.into());
        Command::WriteFile { machine: self.started.machine, group, file, value }
    }

    fn knob(&self, group: GroupId, knob: Knob) -> Command {
        Command::SetKnob { machine: self.started.machine, group, knob }
    }
}

/// The file of a quota and its text, as this host's cpu controller writes them.
fn quota(usec: &str) -> (&'static str, String) {
    let v2 = format!("{} 100000", usec.replace("-1", "max"));
    by_dialect("cpu", ("cpu.cfs_quota_us", usec.to_string()), ("cpu.max", v2))
}

#[test]
fn a_file_is_written_and_told_with_its_old_and_new_value() {
    let mut lab = Lab::new();
    let (dir, machine) = (lab.directory("cpu", "root/c1"), lab.started.machine);
    let ((file, before), (_, after)) = (quota("-1"), quota("20000"));
    assert_eq!(cgroup::read(&dir, file), before);
    lab.page.watch(machine, 1);
    let write = lab.write(lab.group(), file, &format!(" {after} "));
    let Answer::Done { deeds, .. } = lab.page.ask(write) else { panic!("not done") };
    assert_eq!(cgroup::read(&dir, file), after);
    let path = dir.join(file).display().to_string();
    assert_eq!(deeds.len(), 1);
    assert_eq!(deeds[0].shell, format!("echo {after} > {path}"));
    let wrote = Act::Wrote { path: path.clone(), old: before, new: after };
    assert_eq!(deeds[0].act, wrote);
    // The feed has it too.
    lab.page.event("the feed", |event| match event {
        Event::Feed { entries, .. } => {
            entries.iter().any(|entry| format!("{entry:?}").contains(&path)).then_some(())
        }
        _ => None,
    });
}

#[test]
fn what_is_not_in_the_table_is_refused_and_nothing_changes() {
    let mut lab = Lab::new();
    let group = lab.group();
    for (file, value) in [
        ("cgroup.procs", "1"),
        ("tasks", "1"),
        ("notify_on_release", "1"),
        ("release_agent", "/bin/sh"),
        ("../cpu.shares", "2"),
        ("../../../../etc/passwd", "x"),
        ("/etc/passwd", "x"),
        ("cpu.shares\0", "2"),
        ("", "2"),
        ("devices.allow", "a"),
    ] {
        let write = lab.write(group, file, value);
        let refused = lab.page.refused(write);
        assert!(
            matches!(refused, Refusal::Write(BadWrite::UnknownFile { .. })),
            "{file:?}: {refused:?}"
        );
    }
    let counters = ["cpu.stat", "pids.current", by_dialect("cpu", "cpuacct.usage", "pids.events")];
    for file in counters {
        let write = lab.write(group, file, "0");
        let refused = lab.page.refused(write);
        assert!(
            matches!(refused, Refusal::Write(BadWrite::ReadOnly { .. })),
            "{file}: {refused:?}"
        );
    }
    let dialects = [
        by_dialect("cpu", ("cpu.cfs_quota_us", "999"), ("cpu.max", "999 100000")),
        by_dialect("cpu", ("cpu.cfs_quota_us", "20000\n30000"), ("cpu.max", "20000\n30000")),
        by_dialect("cpu", ("cpu.cfs_period_us", "1000001"), ("cpu.max", "20000 1000001")),
        by_dialect("cpu", ("cpu.shares", "1"), ("cpu.weight", "0")),
        by_dialect("memory", ("memory.limit_in_bytes", "1048575"), ("memory.max", "1048575")),
        by_dialect(
            "memory",
            ("memory.limit_in_bytes", "x"),
            ("memory.high", "99999999999999999999"),
        ),
        by_dialect("freezer", ("freezer.state", "FREEZING"), ("cgroup.freeze", "2")),
    ];
    for (file, value) in
        dialects.into_iter().chain([("cpuset.cpus", "0;1"), ("pids.max", "0"), ("pids.max", "-1")])
    {
        let write = lab.write(group, file, value);
        let refused = lab.page.refused(write);
        let named =
            matches!(&refused, Refusal::Write(BadWrite::Value { file: f, .. }) if f == file);
        assert!(named, "{file} {value:?}: {refused:?}");
    }
    let dir = lab.directory("cpu", "root/c1");
    assert_eq!(cgroup::cpu_max(&dir), "max 100000");
    let (weight, default) = by_dialect("cpu", ("cpu.shares", "1024"), ("cpu.weight", "100"));
    assert_eq!(cgroup::read(&dir, weight), default);
}

#[test]
fn the_cap_is_out_of_reach_and_what_is_not_there_is_unknown() {
    let mut lab = Lab::new();
    let (file, unlimited) = quota("-1");
    let cap = lab.write(GroupId::Cap, file, &unlimited);
    assert!(matches!(lab.page.refused(cap), Refusal::Write(BadWrite::Cap)));
    let cap = lab.knob(GroupId::Cap, Knob::PidsMax(None));
    assert!(matches!(lab.page.refused(cap), Refusal::Write(BadWrite::Cap)));
    let nobody = lab.write(GroupId::Container(ContainerId(7)), "pids.max", "2");
    assert!(matches!(lab.page.refused(nobody), Refusal::Unknown { .. }));
    let nowhere = Command::EndMachine { machine: MachineId(7) };
    assert!(matches!(lab.page.refused(nowhere), Refusal::Unknown { .. }));
    assert_eq!(cgroup::cpu_max(&lab.directory("cpu", "")), "150000 100000");
}

/// The kernel's own refusal, with the reason, and the old value is still there.
#[track_caller]
fn kernel_refuses(lab: &mut Lab, command: Command, reason: Why) {
    match lab.page.refused(command) {
        Refusal::Kernel { errno, why, .. } => assert_eq!((errno.as_str(), why), ("EINVAL", reason)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_child_above_its_parent_is_refused_by_v1_and_held_back_by_v2() {
    let mut lab = Lab::new();
    let group = lab.group();
    let dir = lab.directory("cpu", "root/c1");
    let (file, half) = quota("50000");
    let done = lab.write(group, file, &half);
    lab.page.done(done);
    // The cap is one and a half CPUs; two are more.
    let (_, two) = quota("200000");
    let above = lab.write(group, file, &two);
    if cgroup::dialect("cpu") == Dialect::V2 {
        // Taken, and of no use: what counts is the least of a group's own and those above.
        lab.page.done(above);
        assert_eq!(cgroup::cpu_max(&dir), "200000 100000");
        let (_, tenth) = quota("10000");
        let below = lab.write(GroupId::Root, file, &tenth);
        lab.page.done(below);
        assert_eq!(cgroup::cpu_max(&lab.directory("cpu", "root")), "10000 100000");
        return;
    }
    kernel_refuses(&mut lab, above, Why::ChildAboveParent);
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "50000");
    let above = Knob::CpuMax { quota_usec: Some(900_000), period_usec: 200_000 };
    let above = lab.knob(group, above);
    kernel_refuses(&mut lab, above, Why::ChildAboveParent);
    assert_eq!(cgroup::cpu_max(&dir), "50000 100000", "half of a knob was left turned");
    // And the other way round.
    let below = lab.write(GroupId::Root, "cpu.cfs_quota_us", "10000");
    kernel_refuses(&mut lab, below, Why::ParentBelowChild);
    assert_eq!(cgroup::cpu_max(&lab.directory("cpu", "root")), "max 100000");
}

#[test]
fn every_knob_turns() {
    let mut lab = Lab::new();
    let group = lab.group();
    let max = |quota_usec, period_usec| Knob::CpuMax { quota_usec, period_usec };
    let mib64 = 64 << 20;
    let swap = Knob::MemorySwap { swap_bytes: Some(1 << 20), memory_bytes: Some(mib64) };
    for (knob, controller, v1, v2) in [
        (
            max(Some(30_000), 50_000),
            "cpu",
            ("cpu.cfs_quota_us", "30000"),
            ("cpu.max", "30000 50000"),
        ),
        (Knob::CpuBurst(10_000), "cpu", ("cpu.cfs_burst_us", "10000"), ("cpu.max.burst", "10000")),
        (Knob::CpuBurst(0), "cpu", ("cpu.cfs_burst_us", "0"), ("cpu.max.burst", "0")),
        (max(None, 100_000), "cpu", ("cpu.cfs_quota_us", "-1"), ("cpu.max", "max 100000")),
        (Knob::CpuShares(512), "cpu", ("cpu.shares", "512"), ("cpu.weight", "59")),
        (Knob::CpuIdle(true), "cpu", ("cpu.idle", "1"), ("cpu.idle", "1")),
        (Knob::CpuIdle(false), "cpu", ("cpu.idle", "0"), ("cpu.idle", "0")),
        (Knob::CpusetCpus("0".into()), "cpuset", ("cpuset.cpus", "0"), ("cpuset.cpus", "0")),
        (
            Knob::MemoryMax(Some(mib64)),
            "memory",
            ("memory.limit_in_bytes", "67108864"),
            ("memory.max", "67108864"),
        ),
        (
            swap,
            "memory",
            ("memory.memsw.limit_in_bytes", "68157440"),
            ("memory.swap.max", "1048576"),
        ),
        (Knob::PidsMax(Some(40)), "pids", ("pids.max", "40"), ("pids.max", "40")),
        (Knob::PidsMax(None), "pids", ("pids.max", "max"), ("pids.max", "max")),
        (Knob::Freeze(true), "freezer", ("freezer.state", "FROZEN"), ("cgroup.freeze", "1")),
        (Knob::Freeze(false), "freezer", ("freezer.state", "THAWED"), ("cgroup.freeze", "0")),
    ] {
        let (file, value) = by_dialect(controller, v1, v2);
        let dir = lab.directory(controller, "root/c1");
        // Swap is counted only where the kernel was told to (`swapaccount`).
        if file.starts_with("memory.memsw") && !dir.join(file).exists() {
            continue;
        }
        let command = lab.knob(group, knob);
        lab.page.done(command);
        assert_eq!(cgroup::read(&dir, file), value);
    }
    let refused = lab.knob(group, Knob::CpuShares(1));
    assert!(matches!(lab.page.refused(refused), Refusal::Write(_) | Refusal::Spec(_)));
}

#[test]
fn knobs_that_only_v2_has() {
    let mut lab = Lab::new();
    let group = lab.group();
    for (knob, file, value) in [
        (Knob::MemoryHigh(Some(32 << 20)), "memory.high", "33554432"),
        (Knob::OomGroup(true), "memory.oom.group", "1"),
    ] {
        let command = lab.knob(group, knob);
        if cgroup::dialect("memory") == Dialect::V2 {
            lab.page.done(command);
            assert_eq!(cgroup::read(&lab.directory("memory", "root/c1"), file), value);
        } else {
            let refused = lab.page.refused(command);
            assert!(
                matches!(&refused, Refusal::Missing { what: Lacking::OnlyV2 { file: named } } if named == file),
                "{refused:?}"
            );
        }
    }
}

#[test]
fn the_machines_caps_are_written_above_it() {
    let lab = Lab::new();
    assert_eq!(cgroup::cpu_max(&lab.directory("cpu", "")), "150000 100000");
    let memory = lab.directory("memory", "");
    let file = by_dialect("memory", "memory.limit_in_bytes", "memory.max");
    assert_eq!(cgroup::read(&memory, file), "268435456");
    assert_eq!(cgroup::read(&lab.directory("pids", ""), "pids.max"), "256");
    if cgroup::dialect("memory") == Dialect::V2 {
        assert_eq!(cgroup::read(&memory, "memory.oom.group"), "1");
        assert_eq!(cgroup::read(&memory, "memory.swap.max"), "0");
    }
    // The cap and the root hold no process: they are below.
    for controller in ["cpu", "cpuacct", "cpuset", "memory", "pids", "freezer"] {
        for (path, count) in [("", 0), ("root", 0), ("root/shell", 1), ("root/c1", 1)] {
            let found = cgroup::procs(&lab.directory(controller, path));
            assert_eq!(found.len(), count, "{controller} {path}");
        }
    }
}

#[test]
fn a_sample_shows_the_files_as_they_are() {
    let mut lab = Lab::new();
    let group = lab.group();
    let (name, text) = quota("70000");
    let write = lab.write(group, name, &text);
    lab.page.done(write);
    let machine = lab.started.machine;
    lab.page.watch(machine, 4);
    lab.page.sample("the quota", |sample| {
        let found = sample.groups.iter().find(|g| g.group == group)?;
        assert_eq!(found.dialect, cgroup::dialect("cpu"));
        let file = found.files.iter().find(|file| file.name == name)?;
        (file.value == text && file.writable && found.cpu.quota_usec == Some(70_000)).then_some(())
    });
}
