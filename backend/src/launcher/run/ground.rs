//! What a container of `vitrine run` stands on, acquired in order and released on every path.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use vitrine_shared::cgroup::{Controller, Knob};
use vitrine_shared::namespace::Namespace;
use vitrine_shared::truth::ProcView as View;

use super::Options;
use crate::launcher::birth::{self, Born, Plan, Program, Rights, Root, RunAs, Stage, Stdio};
use crate::launcher::cgroup::{BASE, Cgroup, Entrance, Hierarchies};
use crate::launcher::images::{Image, Images};
use crate::launcher::kill::{self, RootId};
use crate::launcher::mounts::{self, ProcView};
use crate::launcher::privilege::Privilege;
use crate::launcher::step::Steps;
use crate::launcher::truth::{Cover, Own};
use crate::launcher::uids::{Pool, UidRange};
use crate::launcher::{directories, memfd, missing, sweep, userns};

/// What the container stands on; cleared on every path.
pub(super) struct Ground {
    privilege: Privilege,
    instance: String,
    /// What is still to be killed by its root, where there is no cgroup.
    pub(super) root: Option<RootId>,
    hierarchies: Rc<Hierarchies>,
    /// In which killed runs may have left something.
    all: Rc<Hierarchies>,
    /// Everybody who was in the group has been reaped.
    pub(super) is_empty: bool,
    group: Option<Cgroup>,
    uids: Option<UidRange>,
    /// Made by a process that is ended and reaped with the rest, while nobody waits for it.
    making: Option<userns::Making>,
    userns: Option<OwnedFd>,
    /// Mounted on the host itself: without a mount namespace there is no other place.
    stage: Option<PathBuf>,
    /// Its files stay as long as the container runs.
    image: Option<Image>,
    /// The files that we write for its `/proc`.
    pub(super) own: Option<Own>,
}

impl Ground {
    pub(super) fn prepare(options: &Options, privilege: Privilege) -> anyhow::Result<Self> {
        let spec = &options.spec;
        let mut ground = Ground {
            privilege,
            instance: String::new(),
            root: None,
            is_empty: false,
            hierarchies: Rc::default(),
            all: Rc::default(),
            group: None,
            uids: None,
            making: None,
            userns: None,
            stage: None,
            image: None,
            own: None,
        };
        // Before anybody is forked: in a delegated group this process goes down into a leaf, and a
        // child that stayed above would keep the group from handing out controllers (EBUSY).
        let all = Hierarchies::of(privilege)?;
        directories::prepare(privilege)?;
        let mut pool = Pool::open(privilege)?;
        if spec.namespaces.has(Namespace::User) {
            let uids = pool.take()?.context("all uid ranges are taken")?;
            ground.making = Some(userns::Making::for_run(&uids, privilege)?);
            ground.uids = Some(uids);
        }
        // The pids group is what its processes are found and killed by.
        let mut controllers = vec![Controller::Pids];
        let mut knobs = spec.limits.knobs();
        knobs.extend(options.io.iter().copied().map(Knob::IoMax));
        controllers.extend(knobs.iter().map(Knob::controller));
        if spec.proc_view != View::Host {
            // What is told in there is what its group has.
            controllers.extend(Controller::ALL);
        }
        ground.hierarchies = Rc::new(all.only(&controllers));
        ground.all = Rc::new(all);
        let run_directory = privilege.run_directory();
        ground.instance = sweep::instance_name();
        let group = Cgroup::create(&ground.hierarchies, &format!("{BASE}/{}", ground.instance))?;
        ground.group = Some(group.clone());
        for knob in knobs {
            let set = group.set(&knob).with_context(|| advice(&knob))?;
            set.with_context(|| match group.lacks(&knob) {
                Some(lack) => lack,
                None => missing::no_controller(knob.controller(), privilege),
            })?;
        }
        if !spec.namespaces.has(Namespace::Mount) {
            let stage = run_directory.join(format!("stage-{}", ground.instance));
            ground.stage = Some(stage);
        }
        ground.userns = ground.making.as_ref().map(userns::Making::map).transpose()?;
        Ok(ground)
    }

    pub(super) fn start(&mut self, options: &Options) -> anyhow::Result<Born> {
        let spec = &options.spec;
        let data = options.data.clone().unwrap_or_else(|| self.privilege.data_directory());
        let image = self.image.insert(Images::open(&data)?.find(&spec.rootfs)?);
        let userns = self.userns.as_ref().map(AsFd::as_fd);
        let lower = mounts::lower_layer(&image.root, userns, self.privilege)?;
        let group = self.group.as_ref().context("no group was made")?;
        let cover = match spec.proc_view {
            View::Host => None,
            View::Lxcfs => Some(Cover::lxcfs()?),
            View::Own => {
                let (own, cover) = Own::make(group, Instant::now())?;
                self.own = Some(own);
                Some(cover)
            }
        };
        let init = spec.init.then(|| memfd::sealed(c"vitrine-init", memfd::INIT)).transpose()?;
        // Of the host's own PID namespace a user may bind `/proc`, which shows the same.
        let own_pids = spec.namespaces.has(Namespace::Pid);
        let remount = spec.remount_proc && (own_pids || self.privilege.mounts_hosts_proc());
        let here = self.privilege.run_directory();
        let run_directory = std::fs::File::open(&here)?;
        let stage = match self.stage.as_ref().and_then(|path| path.file_name()?.to_str()) {
            Some(name) => Stage::New(run_directory.as_fd(), name),
            None => Stage::On(&here),
        };
        let plan = Plan {
            into: None,
            namespaces: spec.namespaces,
            join_all: false,
            net_apart: spec.namespaces.has(Namespace::Net) && !self.privilege.is_rootless(),
            time_offset_secs: spec.time_offset_secs,
            procs: self.group.as_ref().map_or_else(|| Ok(Entrance::default()), Cgroup::procs)?,
            output: None,
            cover: cover.as_ref(),
            then_procs: Vec::new(),
            hostname: spec.hostname.as_deref(),
            root: Root::New {
                stage,
                lower: &lower,
                proc: if remount { ProcView::Remounted } else { ProcView::Inherited },
                stages: None,
            },
            userns,
            uid_base: self.uids.as_ref().map_or(0, UidRange::base),
            privilege: self.privilege,
            stdio: if spec.tty {
                Stdio::Terminal
            } else {
                Stdio::Inherit { stdin: options.interactive }
            },
            program: match &init {
                Some(init) => Program::Init(init, &spec.argv),
                None => Program::Argv(&spec.argv),
            },
            run_as: RunAs::of(spec, Some(&image.config)),
            env: image.config.variables(),
            rights: if options.seccomp { Rights::Strict } else { Rights::Unfiltered },
        };
        let (all, making) = (&self.all, self.making.take());
        let meanwhile = || {
            // Its namespace is held by now; it has been killed and is reaped here.
            drop(making);
            sweep_others(all, &here);
        };
        Ok(birth::start_while(&plan, Steps::begin(), meanwhile)?)
    }

    pub(super) fn clear(mut self) -> anyhow::Result<()> {
        self.release()
    }

    fn release(&mut self) -> anyhow::Result<()> {
        let mut released = Ok(());
        if let Some(group) = self.group.take() {
            // Somebody of the host's may have been put into it: then they are killed as ever.
            if !self.is_empty || group.remove_empty().is_err() {
                released = group.kill_all(Duration::from_secs(5)).and_then(|()| group.remove());
            }
        }
        if let Some(root) = self.root.take().filter(|_| self.hierarchies.is_empty()) {
            let killed = kill::by_root(root, Duration::from_secs(5));
            return self.release().and(Ok(killed?));
        }
        if let Some(stage) = self.stage.take() {
            sweep::remove_stage(&stage);
        }
        if !std::mem::take(&mut self.instance).is_empty() {
            sweep::remove_common(&self.hierarchies);
        }
        Ok(released?)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // On the way out of an error; that error is the one to tell.
        let _ = self.release();
    }
}

/// Removes what killed runs have left, while the new process puts its root together.
///
/// In all hierarchies: what was left may be throttled or frozen in one that is not used here. If
/// it cannot be swept now, that is no reason not to run; the next one tries again.
fn sweep_others(all: &Rc<Hierarchies>, run_directory: &Path) {
    let _ = sweep::sweep(all);
    sweep::sweep_stages(run_directory);
}

/// What to do when the kernel does not take a limit.
fn advice(knob: &Knob) -> String {
    let name = knob.controller().name();
    let todo = match knob {
        Knob::MemorySwap { .. } => {
            "leave out --memory-swap, or boot with swapaccount=1 where swap is not counted"
        }
        Knob::CpuBurst(_) => "--cpu-burst is at most the quota, and wants one",
        Knob::CpusetCpus(_) => "nproc and /sys/devices/system/cpu/online say which CPUs there are",
        Knob::IoMax(_) => "the device is a whole disk, not a partition: see lsblk",
        _ => "try another value",
    };
    format!("the {name} controller does not take it; {todo}")
}
