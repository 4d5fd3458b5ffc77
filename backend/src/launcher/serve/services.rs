//! Web and the observer: how they are started, and started again.

use std::ffi::CString;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::Server;
use super::tell::{observed, tell_web_all};
use crate::ipc::{Channel, ToObserver, ToWeb, WebSetup};
use crate::launcher::supervise::{self, Place, Role, Service};
use crate::launcher::userns;

/// Tells web, before it confines itself, which directory it must still be able to read.
pub(crate) const ASSETS_VARIABLE: &str = "VITRINE_ASSETS";
/// A service that dies again within this time is started more slowly.
const QUICK_DEATH: Duration = Duration::from_secs(2);
const SLOWEST_RESTART: Duration = Duration::from_secs(5);

/// One of the two services: alive, or to be started at a given time.
pub(super) struct Slot {
    pub(super) place: Place,
    pub(super) service: Option<Service>,
    started: Instant,
    pub(super) again_at: Option<Instant>,
    delay: Duration,
}

impl Slot {
    pub(super) fn new(place: Place) -> Self {
        Slot {
            place,
            service: None,
            started: Instant::now(),
            again_at: None,
            delay: Duration::ZERO,
        }
    }

    /// Takes note of a death and says when to start again: at once, unless it dies quickly.
    pub(super) fn died(&mut self) {
        if let Some(service) = self.service.take() {
            // It may live still, with a broken channel.
            let _ = userns::end(&service.pidfd);
        }
        self.delay = if self.started.elapsed() > QUICK_DEATH {
            Duration::ZERO
        } else {
            (self.delay * 2).clamp(Duration::from_millis(50), SLOWEST_RESTART)
        };
        self.again_at = Some(Instant::now() + self.delay);
    }
}

impl Server {
    /// What the services must know before anybody speaks to them.
    fn environment(&self) -> Vec<CString> {
        let log = format!("VITRINE_LOG={}", self.options.log);
        let assets = self.options.assets.as_ref();
        let assets = assets.map(|dir| format!("{ASSETS_VARIABLE}={}", dir.display()));
        [Some(log), assets]
            .into_iter()
            .flatten()
            .filter_map(|line| CString::new(line).ok())
            .collect()
    }

    pub(super) fn start_web(&mut self) {
        self.web.again_at = None;
        self.web.started = Instant::now();
        if let Err(err) = self.try_start_web() {
            tracing::error!(%err, "web does not start");
            self.web.died();
        }
    }

    fn try_start_web(&mut self) -> std::io::Result<()> {
        // Requests of the one that died; this one's numbers begin anew.
        self.state.forget_probes();
        let service =
            supervise::start(Role::Web, &self.binary, self.web.place, &self.environment())?;
        // From here on it is ended and reaped when something fails.
        let service = self.web.service.insert(service);
        let (for_web, for_observer) = Channel::pair()?;
        let setup = WebSetup {
            cookie_key: self.cookie_key,
            token: self.token.clone(),
            teacher: self.teacher,
            listen: self.listener.local_addr()?,
            allowed_origins: self.options.allowed_origins.clone(),
            trusted_proxies: self.options.trusted_proxies.clone(),
            tls: self.tls.clone(),
            assets: self.options.assets.clone(),
            host: self.info.clone(),
        };
        let hello = ToWeb::Hello(Box::new(setup));
        service.channel.send_waiting(&hello, &[self.listener.as_fd(), for_web.as_fd()])?;
        for machine in &self.state.machines {
            tell_web_all(&service.channel, machine)?;
        }
        service.channel.send_waiting(&ToWeb::Synced, &[])?;
        self.tell_observer(&ToObserver::Web, &[for_observer.as_fd()]);
        Ok(())
    }

    pub(super) fn start_observer(&mut self) {
        self.observer.again_at = None;
        self.observer.started = Instant::now();
        let (place, environment) = (self.observer.place, self.environment());
        match supervise::start(Role::Observer, &self.binary, place, &environment) {
            Ok(service) => self.observer.service = Some(service),
            Err(err) => {
                tracing::error!(%err, "observer does not start");
                self.observer.died();
                return;
            }
        }
        let known: Vec<_> = self.state.machines.iter().map(observed).collect();
        for machine in known {
            self.tell_observer(&ToObserver::Machine(machine), &[]);
        }
        // Web's channel led to the one that died.
        if self.web.service.is_some()
            && let Ok((for_web, for_observer)) = Channel::pair()
        {
            self.tell_web(&ToWeb::Observer, &[for_web.as_fd()]);
            self.tell_observer(&ToObserver::Web, &[for_observer.as_fd()]);
        }
    }
}
