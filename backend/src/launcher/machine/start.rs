//! How a machine starts: its uids, its groups and their caps, its user namespace, its PID 1.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use vitrine_shared::cgroup::Knob;
use vitrine_shared::id::{MachineId, ParticipantId};
use vitrine_shared::limits;
use vitrine_shared::message::{Happening, Machine as Record, Profile, StepName};
use vitrine_shared::namespace::NamespaceSet;
use vitrine_shared::spec::DEFAULT_PERIOD_USEC;

use super::witness;
use super::{DEATH, Host, Machine, cannot, rights_of, root_of, total, unix_msec};
use crate::launcher::birth::{self, Born, Plan, Program, Root, RunAs, Stage, Stdio};
use crate::launcher::cage::Cage;
use crate::launcher::cgroup::{BASE, Cgroup};
use crate::launcher::confine::Nesting;
use crate::launcher::images::STAGES;
use crate::launcher::limits::Limits;
use crate::launcher::mounts::{self, CgroupMount, ProcView};
use crate::launcher::privilege::Privilege;
use crate::launcher::step::{At as _, StepError, Steps};
use crate::launcher::uids::UidRange;
use crate::launcher::userns;

/// What a birth has made.
struct Made {
    born: Born,
    userns: OwnedFd,
    root: Cgroup,
    shell: Cgroup,
    stages: OwnedFd,
    cage: Option<Cage>,
}

impl Machine {
    /// Starts a machine. On failure nothing of it is left.
    pub(crate) fn start(
        host: &mut Host,
        id: MachineId,
        owner: ParticipantId,
        profile: Profile,
    ) -> Result<Self, StepError> {
        let steps = Steps::begin();
        let uids = host.pool.take().at(StepName::IdMap, "take a uid range")?.ok_or_else(|| {
            StepError::new(StepName::IdMap, "all uid ranges are taken", Errno::EAGAIN)
        })?;
        let path = format!("{BASE}/{}/{}", host.instance, &id.to_string()[..12]);
        let cap = Cgroup::create(&host.hierarchies, &path)?;
        match Self::start_in(host, id, profile, &uids, &cap, steps) {
            Ok(Made { born, userns, root, shell, stages, cage }) => {
                let record = Record {
                    id,
                    owner,
                    profile,
                    init_pid: born.pid.unsigned_abs(),
                    uid_base: host.privilege.on_host(uids.base()),
                    cgroup_path: path,
                    born_msec: unix_msec(),
                    newborn: witness::look(born.pid, host.privilege),
                    steps: born.steps,
                    containers: Vec::new(),
                };
                let mut machine = Machine {
                    record,
                    feed: Vec::new(),
                    containers: Vec::new(),
                    lines: Vec::new(),
                    pidfd: born.pidfd,
                    userns,
                    cap,
                    root,
                    shell,
                    cage,
                    stages,
                    uids,
                    privilege: host.privilege,
                    own_root: born.root,
                    named: 0,
                    told: 0,
                    has_made_groups: profile == Profile::Lab,
                };
                let took_usec = total(&machine.record.steps);
                machine.happened(Happening::MachineBorn { took_usec });
                Ok(machine)
            }
            Err(err) => {
                // The first error is the one to tell.
                let _ = cap.kill_all(DEATH);
                let _ = cap.remove();
                Err(err)
            }
        }
    }

    fn start_in(
        host: &Host,
        id: MachineId,
        profile: Profile,
        uids: &UidRange,
        cap: &Cgroup,
        mut steps: Steps,
    ) -> Result<Made, StepError> {
        let lab = profile == Profile::Lab;
        // First the caps: on v1 a group takes its swappiness from the one above when it is made.
        set_caps(cap, host)?;
        let root = cap.child("root")?;
        let shell = root.child_for_processes("shell")?;
        steps.done(StepName::Cgroup, format!("mkdir(…/{}, …/root, …/root/shell)", cap.path()));
        let mut procs = root.procs()?;
        let mut cage = None;
        if lab {
            cap.limit_groups(limits::LAB_CGROUPS.value, limits::LAB_CGROUP_DEPTH.value)?;
            root.delegate(uids.base(), false)?;
            shell.delegate(uids.base(), true)?;
        }
        // An ordinary user can make none; in their machines no hierarchy can be mounted at all.
        if lab && !host.privilege.is_rootless() {
            let made = Cage::make(&host.hierarchies, cap.path());
            let made = made.at(StepName::Cgroup, "make groups in the other hierarchies")?;
            procs.procs.extend(made.procs().at(StepName::Cgroup, "open their tasks")?);
            cage = Some(made);
        }
        let nesting = nesting_of(profile, host.privilege);
        let userns = userns::for_machine(uids, nesting, host.privilege)?;
        let image = host
            .images
            .lab()
            .map_err(|err| StepError::new(StepName::Rootfs, err.to_string(), Errno::ENOENT))?;
        let lower = mounts::lower_layer(&image, Some(userns.as_fd()), host.privilege)?;
        let map = format!("write(uid_map, \"0 {} {}\")", uids.base(), uids.count());
        steps.done(StepName::IdMap, map);
        let hostname = format!("machine-{}", &id.to_string()[..4]);
        let cgroups = if lab { cgroup_mounts(host)? } else { Vec::new() };
        let run_directory = host.privilege.run_directory();
        let stage = Stage::On(&run_directory);
        let plan = Plan {
            into: None,
            namespaces: NamespaceSet::ALL,
            join_all: false,
            net_apart: false,
            time_offset_secs: 0,
            procs,
            output: None,
            cover: None,
            then_procs: shell.doors()?,
            hostname: Some(&hostname),
            root: if lab {
                Root::Delegated { stage, lower: &lower, stages: STAGES, cgroups: &cgroups }
            } else {
                let (proc, stages) = (ProcView::Remounted, Some(STAGES));
                Root::New { stage, lower: &lower, proc, stages }
            },
            userns: Some(userns.as_fd()),
            uid_base: uids.base(),
            privilege: host.privilege,
            stdio: Stdio::Null,
            program: Program::Init(&host.init, &[]),
            run_as: RunAs::default(),
            env: Vec::new(),
            rights: rights_of(profile),
        };
        let born = birth::start(&plan, steps)?;
        let opened = open_stages(born.pid).and_then(|stages| {
            // PID 1 has moved on: nobody is in `root` itself any more.
            root.open_to_children()?;
            Ok(stages)
        });
        match opened {
            Ok(stages) => Ok(Made { born, userns, root, shell, stages, cage }),
            Err(err) => {
                // The first error is the one to tell.
                let _ = userns::end(&born.pidfd);
                Err(err)
            }
        }
    }
}

/// Which namespaces may be made in it.
fn nesting_of(profile: Profile, privilege: Privilege) -> Nesting {
    match (profile, privilege.is_rootless()) {
        (Profile::Strict, _) => Nesting::Host,
        (Profile::Lab, false) => Nesting::Lab,
        (Profile::Lab, true) => Nesting::LabWithoutCgroups,
    }
}

fn cgroup_mounts(host: &Host) -> Result<Vec<CgroupMount>, StepError> {
    let read = |path| std::fs::read_to_string(path).at(StepName::Cgroup, format!("read {path}"));
    let (mountinfo, controllers) = (read("/proc/self/mountinfo")?, read("/proc/cgroups")?);
    Ok(mounts::cgroup_mounts(host.hierarchies.iter(), &mountinfo, &controllers))
}

/// Opened before anybody but PID 1 is in the machine.
fn open_stages(init: i32) -> Result<OwnedFd, StepError> {
    let root = root_of(init)?;
    mounts::directory_in(root.as_fd(), STAGES).at(StepName::Rootfs, format!("open {STAGES}"))
}

/// Sets the caps: those of every machine, and what only v2 has.
fn set_caps(cap: &Cgroup, host: &Host) -> Result<(), StepError> {
    for knob in cap_knobs(&host.limits) {
        if cap.set(&knob)?.is_none() && !host.privilege.tolerates_no_cap() {
            return Err(cannot(cap, &knob));
        }
    }
    // A machine that has run out of memory is of no use in parts.
    cap.set(&Knob::OomGroup(true))?;
    Ok(cap.forbid_swap(host.limits.machine_memory.value)?)
}

/// The caps, one level above what the machine can ever write to.
fn cap_knobs(limits: &Limits) -> [Knob; 3] {
    [
        Knob::CpuMax {
            quota_usec: Some(limits.machine_cpu.value * DEFAULT_PERIOD_USEC / 1000),
            period_usec: DEFAULT_PERIOD_USEC,
        },
        Knob::MemoryMax(Some(limits.machine_memory.value)),
        Knob::PidsMax(Some(limits.machine_pids.value)),
    ]
}
