//! A machine with one container, as events tell it; for the native tests.

use vitrine_shared::cgroup::{CgroupSample, CpuBandwidth, Dialect, GroupId, RawFile};
use vitrine_shared::discovery::Discovery;
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId, TerminalId};
use vitrine_shared::message::{
    Container, ContainerState, HostInfo, Machine, Profile, Sample, ServerMessage,
};
use vitrine_shared::process::Process;
use vitrine_shared::role::{Identity, Role};
use vitrine_shared::spec::ContainerSpec;

pub(crate) const ME: ParticipantId = ParticipantId(1);
pub(crate) const MACHINE: MachineId = MachineId(2);
pub(crate) const CONTAINER: ContainerId = ContainerId(3);

pub(crate) fn welcome() -> ServerMessage {
    ServerMessage::Welcome {
        identity: Identity { participant: ME, role: Role::Teacher },
        host: HostInfo {
            version: "0.1.0".into(),
            kernel: "6.18.0".into(),
            cpus: 2,
            memory_bytes: 24 << 30,
            cpu_dialect: Dialect::V1,
            profiles: vec![Profile::Strict],
            images: Vec::new(),
            rootless: false,
            lxcfs: false,
            plain_http: false,
            missing: Vec::new(),
            simulated: false,
        },
    }
}

pub(crate) fn machine() -> Machine {
    Machine {
        id: MACHINE,
        owner: ME,
        profile: Profile::Strict,
        init_pid: 4100,
        uid_base: 100_000,
        cgroup_path: "vitrine/m1".into(),
        born_msec: 0,
        steps: Vec::new(),
        newborn: Default::default(),
        containers: vec![container(2)],
    }
}

pub(crate) fn container(proc_depth: u8) -> Container {
    Container {
        id: CONTAINER,
        name: "c1".into(),
        spec: ContainerSpec::one_click(),
        state: ContainerState::Running { pid: 4821 },
        terminal: Some(TerminalId(4)),
        proc_depth,
        born_msec: 0,
        steps: Vec::new(),
        newborn: Default::default(),
    }
}

pub(crate) fn group(
    cpu_permille: u32,
    quota_usec: Option<u64>,
    nr_periods: u64,
    nr_throttled: u64,
) -> CgroupSample {
    CgroupSample {
        group: GroupId::Container(CONTAINER),
        path: "root/c1".into(),
        dialect: Dialect::V1,
        cpu_permille,
        cpu_nsec: 0,
        cpu: CpuBandwidth {
            quota_usec,
            period_usec: 100_000,
            nr_periods,
            nr_throttled,
            throttled_usec: 0,
        },
        memory_bytes: 1 << 20,
        memory_max: None,
        pids: 2,
        pids_max: None,
        files: vec![RawFile {
            name: "cpu.cfs_quota_us".into(),
            value: "-1".into(),
            writable: true,
        }],
        ..CgroupSample::default()
    }
}

pub(crate) fn sample(at_msec: u64) -> Sample {
    Sample {
        machine: MACHINE,
        at_msec,
        processes: vec![
            process(&[4907, 31, 7], Some(CONTAINER), "/bin/sh -c while : ; do : ; done"),
            process(&[4100, 1], None, "init"),
            process(&[4821, 12, 1], Some(CONTAINER), "/bin/sh"),
        ],
        groups: vec![group(1_000, None, 0, 0)],
        more_groups: 0,
        other_processes: 212,
    }
}

/// A look that found nothing.
pub(crate) fn discovery(machine: MachineId) -> Discovery {
    Discovery {
        machine,
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

fn process(pids: &[u32], container: Option<ContainerId>, command: &str) -> Process {
    Process {
        pids: pids.to_vec(),
        parent: 1,
        container,
        host_uid: 100_000,
        uid: 0,
        state: 'S',
        name: "sh".into(),
        command: command.into(),
        cpu_permille: 0,
        cpu_msec: 0,
        rss_bytes: 0,
        start_ticks: 0,
        namespaces: [0; 8],
    }
}
