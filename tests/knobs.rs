//! Cgroup files written from a page: what is taken, what is refused, and by whom.

use std::path::PathBuf;

use vitrine_shared::cgroup::{BadWrite, Dialect, GroupId, Knob};
use vitrine_shared::id::{ContainerId, MachineId};
use vitrine_shared::message::{Act, Answer, Command, Event, Refusal, Why};
use vitrine_shared::spec::ContainerSpec;

use crate::harness::cgroup;
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
        let hierarchy = cgroup::hierarchy(controller).unwrap();
        let ours = cgroup::of_instance(self.server.pid());
        let ours = ours.iter().find(|dir| dir.starts_with(&hierarchy)).unwrap();
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

#[test]
fn a_file_is_written_and_told_with_its_old_and_new_value() {
    let mut lab = Lab::new();
    let (dir, machine) = (lab.directory("cpu", "root/c1"), lab.started.machine);
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "-1");
    lab.page.watch(machine, 1);
    let write = lab.write(lab.group(), "cpu.cfs_quota_us", " 20000 ");
    let Answer::Done { deeds, .. } = lab.page.ask(write) else { panic!("not done") };
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "20000");
    let path = dir.join("cpu.cfs_quota_us").display().to_string();
    assert_eq!(deeds.len(), 1);
    assert_eq!(deeds[0].shell, format!("echo 20000 > {path}"));
    let wrote = Act::Wrote { path: path.clone(), old: "-1".into(), new: "20000".into() };
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
    for file in ["cpu.stat", "cpuacct.usage", "pids.current", "freezer.state"] {
        let write = lab.write(group, file, "0");
        let refused = lab.page.refused(write);
        assert!(
            matches!(refused, Refusal::Write(BadWrite::ReadOnly { .. })),
            "{file}: {refused:?}"
        );
    }
    for (file, value) in [
        ("cpu.cfs_quota_us", "999"),
        ("cpu.cfs_quota_us", "20000\n30000"),
        ("cpu.cfs_period_us", "1000001"),
        ("cpu.shares", "1"),
        ("cpuset.cpus", "0;1"),
        ("memory.limit_in_bytes", "1048575"),
        ("memory.limit_in_bytes", "99999999999999999999999"),
        ("pids.max", "0"),
        ("pids.max", "-1"),
    ] {
        let write = lab.write(group, file, value);
        let refused = lab.page.refused(write);
        let named =
            matches!(&refused, Refusal::Write(BadWrite::Value { file: f, .. }) if f == file);
        assert!(named, "{file} {value:?}: {refused:?}");
    }
    let dir = lab.directory("cpu", "root/c1");
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "-1");
    assert_eq!(cgroup::read(&dir, "cpu.shares"), "1024");
}

#[test]
fn the_cap_is_out_of_reach_and_what_is_not_there_is_unknown() {
    let mut lab = Lab::new();
    let cap = lab.write(GroupId::Cap, "cpu.cfs_quota_us", "-1");
    assert!(matches!(lab.page.refused(cap), Refusal::Write(BadWrite::ReadOnly { .. })));
    let cap = lab.knob(GroupId::Cap, Knob::PidsMax(None));
    assert!(matches!(lab.page.refused(cap), Refusal::Write(BadWrite::ReadOnly { .. })));
    let nobody = lab.write(GroupId::Container(ContainerId(7)), "cpu.shares", "2");
    assert!(matches!(lab.page.refused(nobody), Refusal::Unknown { .. }));
    let nowhere = Command::EndMachine { machine: MachineId(7) };
    assert!(matches!(lab.page.refused(nowhere), Refusal::Unknown { .. }));
    let dir = lab.directory("cpu", "");
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "150000");
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
fn a_child_above_its_parent_is_the_kernels_refusal() {
    let mut lab = Lab::new();
    let group = lab.group();
    let dir = lab.directory("cpu", "root/c1");
    let done = lab.write(group, "cpu.cfs_quota_us", "50000");
    lab.page.done(done);
    // The cap is one and a half CPUs; two are more.
    let above = lab.write(group, "cpu.cfs_quota_us", "200000");
    kernel_refuses(&mut lab, above, Why::ChildAboveParent);
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "50000");
    let above = Knob::CpuMax { quota_usec: Some(900_000), period_usec: 200_000 };
    let above = lab.knob(group, above);
    kernel_refuses(&mut lab, above, Why::ChildAboveParent);
    assert_eq!(cgroup::read(&dir, "cpu.cfs_quota_us"), "50000", "half of a knob was left turned");
    assert_eq!(cgroup::read(&dir, "cpu.cfs_period_us"), "100000");
    // And the other way round.
    let below = lab.write(GroupId::Root, "cpu.cfs_quota_us", "10000");
    kernel_refuses(&mut lab, below, Why::ParentBelowChild);
    assert_eq!(cgroup::read(&lab.directory("cpu", "root"), "cpu.cfs_quota_us"), "-1");
}

#[test]
fn every_knob_turns() {
    let mut lab = Lab::new();
    let group = lab.group();
    for (knob, controller, file, value) in [
        (
            Knob::CpuMax { quota_usec: Some(30_000), period_usec: 50_000 },
            "cpu",
            "cpu.cfs_quota_us",
            "30000",
        ),
        (Knob::CpuMax { quota_usec: None, period_usec: 100_000 }, "cpu", "cpu.cfs_quota_us", "-1"),
        (Knob::CpuShares(512), "cpu", "cpu.shares", "512"),
        (Knob::CpusetCpus("0".into()), "cpuset", "cpuset.cpus", "0"),
        (Knob::MemoryMax(Some(64 << 20)), "memory", "memory.limit_in_bytes", "67108864"),
        (Knob::PidsMax(Some(40)), "pids", "pids.max", "40"),
        (Knob::PidsMax(None), "pids", "pids.max", "max"),
    ] {
        let command = lab.knob(group, knob);
        lab.page.done(command);
        assert_eq!(cgroup::read(&lab.directory(controller, "root/c1"), file), value);
    }
    let refused = lab.knob(group, Knob::CpuShares(1));
    assert!(matches!(lab.page.refused(refused), Refusal::Write(_) | Refusal::Spec(_)));
}

#[test]
fn the_machines_caps_are_written_above_it() {
    let lab = Lab::new();
    for (controller, file, value) in [
        ("cpu", "cpu.cfs_quota_us", "150000"),
        ("memory", "memory.limit_in_bytes", "268435456"),
        ("pids", "pids.max", "256"),
    ] {
        assert_eq!(cgroup::read(&lab.directory(controller, ""), file), value);
    }
    // The cap itself holds no process: they are below it.
    for controller in ["cpu", "cpuacct", "cpuset", "memory", "pids", "freezer"] {
        assert_eq!(cgroup::procs(&lab.directory(controller, "")), [0; 0], "{controller}");
        assert_eq!(cgroup::procs(&lab.directory(controller, "root")), [0; 0], "{controller}");
        assert_eq!(
            cgroup::procs(&lab.directory(controller, "root/shell")).len(),
            1,
            "{controller}"
        );
        assert_eq!(cgroup::procs(&lab.directory(controller, "root/c1")).len(), 1, "{controller}");
    }
}

#[test]
fn a_sample_shows_the_files_as_they_are() {
    let mut lab = Lab::new();
    let group = lab.group();
    let write = lab.write(group, "cpu.cfs_quota_us", "70000");
    lab.page.done(write);
    let machine = lab.started.machine;
    lab.page.watch(machine, 4);
    lab.page.sample("the quota", |sample| {
        let found = sample.groups.iter().find(|g| g.group == group)?;
        assert_eq!(found.dialect, Dialect::V1);
        let file = found.files.iter().find(|file| file.name == "cpu.cfs_quota_us")?;
        (file.value == "70000" && file.writable && found.cpu.quota_usec == Some(70_000))
            .then_some(())
    });
}
