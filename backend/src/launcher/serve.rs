//! The loop of `vitrine serve`.
//!
//! One thread waits for everything: signals, the channels to web and observer, and a pidfd for
//! each of their processes, each machine, each container, each extra command.
//!
//! | who dies | what happens |
//! |---|---|
//! | web | started again at once, with the listening socket, the cookie key, every terminal |
//! | observer | started again; web is given a new channel to it |
//! | a container | cleared; its terminal says how it ended |
//! | a machine's PID 1 | the machine is cleared |
//! | the launcher | everything dies with it (`PR_SET_PDEATHSIG`); the next start sweeps |

mod door;
mod hear;
mod services;
mod tell;

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ipnet::IpNet;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signalfd::SignalFd;
use vitrine_shared::cgroup::{Controller, Dialect};
use vitrine_shared::id::{ContainerId, MachineId, ParticipantId};
use vitrine_shared::message::{HostInfo, Profile};

pub(crate) use services::ASSETS_VARIABLE;
use services::Slot;

use super::cgroup::Hierarchies;
use super::images::{ImageError, Images, Watcher};
pub use super::limits::Limits;
use super::machine::{CONTROLLERS, Host, Machine, unix_msec};
use super::privilege::{self, Privilege};
use super::requests::State;
use super::signals::Asked;
use super::supervise::{self, Place};
use super::uids::{Pool, UidRange};
use super::{
    confine, directories, host, memfd, missing, random_id, signals, sweep, sys, systemd, truth,
    userns,
};
use crate::ipc::TlsSetup;
use crate::views::output;

/// What `vitrine serve` was asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where images are kept.
    pub data: Option<PathBuf>,
    /// What machines let their owners do when nothing is said; `Lab` offers both profiles.
    pub profile: Profile,
    /// Limits of machines.
    pub limits: Limits,
    /// Origins allowed beside the listening address.
    pub allowed_origins: Vec<String>,
    /// Proxies whose word about where a request comes from is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The certificate's file, for TLS.
    pub tls_cert: Option<PathBuf>,
    /// Its key's file.
    pub tls_key: Option<PathBuf>,
    /// Serve the page from here and not from the binary.
    pub assets: Option<PathBuf>,
    /// What web and observer log (`warn`, `info`, `vitrine=debug`).
    pub log: String,
}

/// Descriptors that a process of ours may have open, where the host allows as many.
const DESCRIPTORS: u64 = 65_536;
/// Machines whose time is over are found within this time.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// While there is something of ended machines to be removed.
const WAIT_WITH_REST: Duration = Duration::from_millis(50);
/// What is left after that is for the next start to sweep.
const LAST_REMOVAL: Duration = Duration::from_secs(10);

/// Serves until a signal says to stop; then ends every machine and returns.
pub fn serve(options: &Options) -> anyhow::Result<()> {
    systemd::enter_scope()?;
    let privilege =
        privilege::enter(&privilege::Host::default()).map_err(|refused| refused.told())?;
    directories::prepare(privilege)?;
    let signals = signals::that_end().context("signalfd")?;
    let tls = door::read_tls(options)?;
    let listener = door::listen(options.listen)?;
    for weak in host::settings(Path::new("/proc/sys")).into_iter().filter_map(|state| state.weak) {
        let host::Weak { about, mend } = weak;
        tracing::warn!("this host is less strict than it could be: {about}; {mend}");
    }
    let mut server = Server::new(options, listener, tls, privilege)?;
    server.harden()?;
    server.start_observer();
    server.start_web();
    let result = server.announce().and_then(|()| server.run(&signals));
    server.stop();
    result
}

struct Server {
    options: Options,
    listener: TcpListener,
    tls: Option<TlsSetup>,
    binary: OwnedFd,
    state: State,
    web: Slot,
    observer: Slot,
    /// The range that web's and observer's uids are from.
    _service_uids: UidRange,
    cookie_key: [u8; 32],
    token: Option<String>,
    teacher: ParticipantId,
    info: HostInfo,
    /// Hears of images that come and go; none when the host has no inotify left.
    store: Option<Watcher>,
}

/// What a descriptor in the poll set belongs to.
#[derive(Clone, Copy)]
enum Watch {
    Signals,
    WebMessage,
    WebDeath,
    ObserverMessage,
    ObserverDeath,
    Machine(MachineId),
    Container(MachineId, ContainerId),
    Exec(MachineId, RawFd),
    Probe,
    Store,
}

impl Server {
    fn new(
        options: &Options,
        listener: TcpListener,
        tls: Option<TlsSetup>,
        privilege: Privilege,
    ) -> anyhow::Result<Self> {
        let hierarchies = Rc::new(Hierarchies::of(privilege)?.only(&CONTROLLERS));
        let swept = sweep::sweep(&hierarchies).context("sweep what a killed server left")?;
        if swept > 0 {
            tracing::info!(swept, "removed what killed servers had left");
        }
        let mut pool = Pool::open(privilege).context("open the pool of uids")?;
        let service_uids = pool.take()?.context("all uid ranges are taken")?;
        let (web, observer) = privilege.service_ids(service_uids.base());
        let place = |uid| Place { uid, privilege };
        let data = options.data.clone().unwrap_or_else(|| privilege.data_directory());
        let images = Images::open(&data)?;
        match images.busybox() {
            // It is told with what else is missing; containers start from the lab image.
            Ok(_) | Err(ImageError::NoBusybox { .. }) => {}
            Err(err) => return Err(err.into()),
        }
        // Now, while nobody waits, and before this process gives anything up.
        images.lab()?;
        let store = images.watch().inspect_err(|err| {
            tracing::warn!(%err, "images that are added from now on are shown after a restart");
        });
        let mut info = host_info(&Hierarchies::detect()?, options.profile)?;
        info.images = images.names();
        info.lxcfs = truth::lxcfs_is_running();
        info.rootless = privilege.is_rootless();
        info.missing = missing::missing(&privilege::Host::default(), privilege, &hierarchies);
        for lack in &info.missing {
            tracing::warn!("{}", missing::told(lack));
        }
        let address = listener.local_addr()?;
        info.plain_http = door::is_plain(address, tls.is_some());
        door::warn_of_no_name(address, &options.allowed_origins);
        let host = Host {
            privilege,
            hierarchies,
            pool,
            images,
            init: memfd::sealed(c"vitrine-init", memfd::INIT)?,
            limits: options.limits,
            instance: sweep::instance_name(),
        };
        confine::set_machine_pids(options.limits.machine_pids.value);
        let mut cookie_key = [0; 32];
        getrandom::fill(&mut cookie_key).map_err(|err| anyhow::anyhow!("getrandom: {err}"))?;
        Ok(Server {
            options: options.clone(),
            listener,
            tls,
            binary: supervise::own_binary().context("copy the own binary")?,
            state: State {
                host,
                profiles: info.profiles.clone(),
                machines: Vec::new(),
                left: Vec::new(),
                news: Vec::new(),
                probes: Vec::new(),
            },
            web: Slot::new(place(web)),
            observer: Slot::new(place(observer)),
            _service_uids: service_uids,
            cookie_key,
            token: Some(format!("{:032x}", random_id()?)),
            teacher: ParticipantId(random_id()?),
            info,
            store: store.ok(),
        })
    }

    /// What the launcher itself gives up.
    fn harden(&self) -> anyhow::Result<()> {
        sys::prctl(libc::PR_SET_DUMPABLE, 0, 0)?;
        // A descriptor for every socket, terminal, process: web and the observer inherit this.
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, most.min(DESCRIPTORS), most)?;
        confine::no_new_privs()?;
        sys::seccomp(confine::filter::LAUNCHER)?;
        Ok(())
    }

    /// One line on standard output: the address, with the one-time token in its fragment.
    fn announce(&self) -> anyhow::Result<()> {
        let token = self.token.as_deref().unwrap_or_default();
        let address = self.listener.local_addr().unwrap_or(self.options.listen);
        let url = door::url(address, self.tls.is_some(), &self.options.allowed_origins);
        // A reader who has gone has seen enough.
        output::write(format!("{url}/#token={token}\n")).map(drop)
    }

    fn run(&mut self, signals: &SignalFd) -> anyhow::Result<()> {
        loop {
            let ready = self.wait(signals)?;
            for watch in ready {
                if matches!(watch, Watch::Signals)
                    && let Some(signal) = signals.read_signal()?
                {
                    match Asked::by(&signal) {
                        Asked::Reload => self.reload_tls(),
                        Asked::End => return Ok(()),
                    }
                }
                self.handle(watch);
                self.tell_news();
            }
            self.answer_probes();
            self.state.refresh_own();
            self.end_old_machines();
            sys::reap_given_up();
            self.state.remove_left();
            let due = |slot: &Slot| slot.again_at.is_some_and(|at| at <= Instant::now());
            if due(&self.observer) {
                self.start_observer();
            }
            if due(&self.web) {
                self.start_web();
            }
        }
    }

    fn wait(&self, signals: &SignalFd) -> anyhow::Result<Vec<Watch>> {
        let watched = self.watched(signals);
        let mut fds: Vec<_> =
            watched.iter().map(|(_, fd)| PollFd::new(*fd, PollFlags::POLLIN)).collect();
        let again = [self.web.again_at, self.observer.again_at].into_iter().flatten().min();
        let mut left =
            again.map_or(LONGEST_WAIT, |at| at.saturating_duration_since(Instant::now()));
        let longest = if self.state.left.is_empty() { LONGEST_WAIT } else { WAIT_WITH_REST };
        left = left.min(self.state.next_due().unwrap_or(longest));
        left = (left + Duration::from_millis(1)).min(longest);
        match poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Err(Errno::EINTR) => return Ok(Vec::new()),
            other => other?,
        };
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        Ok(watched
            .iter()
            .zip(&fds)
            .filter(|(_, fd)| ready(fd))
            .map(|((watch, _), _)| *watch)
            .collect())
    }

    fn watched<'a>(&'a self, signals: &'a SignalFd) -> Vec<(Watch, BorrowedFd<'a>)> {
        let mut watched = vec![(Watch::Signals, signals.as_fd())];
        watched.extend(self.store.iter().map(|store| (Watch::Store, store.as_fd())));
        if let Some(web) = &self.web.service {
            watched.push((Watch::WebMessage, web.channel.as_fd()));
            watched.push((Watch::WebDeath, web.pidfd.as_fd()));
        }
        if let Some(observer) = &self.observer.service {
            watched.push((Watch::ObserverMessage, observer.channel.as_fd()));
            watched.push((Watch::ObserverDeath, observer.pidfd.as_fd()));
        }
        let pipes = self.state.probes.iter().flat_map(|probe| probe.pipes());
        watched.extend(pipes.map(|pipe| (Watch::Probe, pipe)));
        for machine in &self.state.machines {
            let id = machine.record.id;
            watched.push((Watch::Machine(id), machine.pidfd().as_fd()));
            let lines = machine.lines.iter();
            watched.extend(lines.map(|line| (Watch::Exec(id, line.as_raw_fd()), line.as_fd())));
            for live in &machine.containers {
                watched.push((Watch::Container(id, live.id), live.pidfd.as_fd()));
                let execs =
                    live.execs.iter().map(|exec| (Watch::Exec(id, exec.as_raw_fd()), exec.as_fd()));
                watched.extend(execs);
            }
        }
        watched
    }

    fn handle(&mut self, watch: Watch) {
        match watch {
            Watch::Signals => {}
            Watch::Store => self.look_at_store(),
            Watch::WebMessage => self.hear_web(),
            Watch::WebDeath => {
                tracing::warn!("web has died; it is started again");
                self.web.died();
            }
            Watch::ObserverMessage => self.hear_observer(),
            Watch::ObserverDeath => {
                tracing::warn!("observer has died; it is started again");
                self.observer.died();
            }
            Watch::Machine(id) => self.state.end_machine(id),
            Watch::Container(id, container) => self.state.end_container(id, container),
            Watch::Exec(id, pidfd) => self.state.exec_ended(id, pidfd),
            Watch::Probe => self.state.read_probes(),
        }
    }

    /// Ends the machines whose time is over.
    fn end_old_machines(&mut self) {
        let oldest =
            unix_msec().saturating_sub(self.state.host.limits.machine_lifetime.value * 1000);
        let old = |machine: &&Machine| machine.record.born_msec < oldest;
        let ids: Vec<_> = self.state.machines.iter().filter(old).map(|m| m.record.id).collect();
        for id in ids {
            tracing::info!(%id, "the time of a machine is over");
            self.state.end_machine(id);
        }
        self.tell_news();
    }

    /// Ends every machine, then the services.
    fn stop(&mut self) {
        for machine in std::mem::take(&mut self.state.machines) {
            let (left, _) = machine.end();
            self.state.left.extend(left);
        }
        for left in std::mem::take(&mut self.state.left) {
            left.remove_within(LAST_REMOVAL);
        }
        for slot in [&mut self.web, &mut self.observer] {
            if let Some(service) = slot.service.take() {
                // It may have ended by itself.
                let _ = userns::end(&service.pidfd);
            }
        }
        sweep::remove_own(&self.state.host.hierarchies, &self.state.host.instance);
    }
}

fn host_info(hierarchies: &Hierarchies, profile: Profile) -> anyhow::Result<HostInfo> {
    let uname = nix::sys::utsname::uname()?;
    let meminfo = std::fs::read_to_string("/proc/meminfo")?;
    let kib =
        meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB"));
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(HostInfo {
        version: env!("CARGO_PKG_VERSION").into(),
        kernel: uname.release().to_string_lossy().into_owned(),
        cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
        memory_bytes: kib.and_then(|kib| kib.trim().parse::<u64>().ok()).unwrap_or(0) * 1024,
        cpu_dialect: hierarchies.with(Controller::Cpu).map_or(Dialect::V2, |h| h.dialect),
        profiles: match profile {
            Profile::Strict => vec![Profile::Strict],
            Profile::Lab => vec![Profile::Lab, Profile::Strict],
        },
        images: Vec::new(),
        rootless: false,
        lxcfs: false,
        plain_http: false,
        missing: Vec::new(),
        simulated: false,
    })
}
