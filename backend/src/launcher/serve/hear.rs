//! What the loop hears: web's requests, the observer's word of a kill, new images, SIGHUP.

use std::io::ErrorKind;

use vitrine_shared::cgroup::GroupId;
use vitrine_shared::id::MachineId;
use vitrine_shared::message::{Answer, Command, Happening};

use super::{Server, door};
use crate::ipc::{FromObserver, FromWeb, ToWeb};
use crate::launcher::requests::News;

impl Server {
    /// One message at a time: others have their turn in between.
    pub(super) fn hear_web(&mut self) {
        let Some(service) = &mut self.web.service else { return };
        match service.channel.recv::<FromWeb>(&mut service.inbox) {
            Ok(Some((
                FromWeb::Request {
                    request,
                    by,
                    command: command @ (Command::Probe { .. } | Command::RunBoth { .. }),
                },
                _,
            ))) => {
                let started = self.state.start_probe(request, by, &command);
                self.tell_news();
                if let Err(not) = started {
                    let answer = not.answer(&self.info.missing);
                    self.tell_web(&ToWeb::Answer { request, answer }, &[]);
                }
            }
            Ok(Some((FromWeb::Request { request, by, command }, _))) => {
                let answer = match self.state.command(by, &command) {
                    Ok((deeds, made)) => Answer::Done { deeds, made },
                    Err(not) => not.answer(&self.info.missing),
                };
                // The news first: a page that hears of its container finds it there.
                self.tell_news();
                self.tell_web(&ToWeb::Answer { request, answer }, &[]);
            }
            Ok(Some((FromWeb::TokenSpent, _))) => self.token = None,
            Ok(Some((FromWeb::Ready, _))) => tracing::info!("web serves"),
            Ok(None) => self.web.died(),
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => {
                tracing::warn!(%err, "web says what cannot be understood");
                self.web.died();
            }
        }
    }

    /// Tells what probes have said that have ended.
    pub(super) fn answer_probes(&mut self) {
        for (request, answer) in self.state.probes_ended() {
            self.tell_web(&ToWeb::Answer { request, answer }, &[]);
        }
    }

    /// Reads certificate and key again. Connections that are there keep what they have; a pair
    /// that cannot be used changes nothing.
    pub(super) fn reload_tls(&mut self) {
        match door::read_tls(&self.options) {
            Ok(Some(setup)) => {
                self.tell_web(&ToWeb::Tls(Box::new(setup.clone())), &[]);
                // For the next web.
                self.tls = Some(setup);
                tracing::info!("the TLS certificate and key were read again");
            }
            Ok(None) => tracing::warn!("SIGHUP: there is no certificate to read again"),
            Err(err) => tracing::error!("the old TLS certificate and key stay: {err:#}"),
        }
    }

    /// Pages that come from now on are told of the images that there are now.
    pub(super) fn look_at_store(&mut self) {
        if let Some(store) = &self.store {
            store.drain();
        }
        let names = self.state.host.images.names();
        if self.info.images != names {
            self.info.images.clone_from(&names);
            self.tell_web(&ToWeb::Images { names }, &[]);
        }
    }

    pub(super) fn hear_observer(&mut self) {
        let Some(service) = &mut self.observer.service else { return };
        match service.channel.recv::<FromObserver>(&mut service.inbox) {
            Ok(Some((FromObserver::OomKilled { machine, group, victim }, _))) => {
                let what = |name| Happening::OomKilled { name, victim };
                self.happened_in(machine, group, what);
            }
            Ok(Some((FromObserver::Throttled { machine, group, ended }, _))) => {
                self.happened_in(machine, group, |name| match ended {
                    None => Happening::ThrottleBegan { name },
                    Some(spell) => Happening::ThrottleEnded { name, spell },
                });
            }
            Ok(None) => self.observer.died(),
            Err(err) if err.kind() == ErrorKind::WouldBlock => {}
            Err(err) => {
                tracing::warn!(%err, "observer says what cannot be understood");
                self.observer.died();
            }
        }
    }

    /// Enters in a machine's feed what happened to one of its groups.
    fn happened_in(
        &mut self,
        id: MachineId,
        group: GroupId,
        what: impl FnOnce(String) -> Happening,
    ) {
        let Some(machine) = self.state.machines.iter_mut().find(|m| m.record.id == id) else {
            return;
        };
        let name = match group {
            GroupId::Container(container) => machine.name_of(container),
            GroupId::Cap | GroupId::Root | GroupId::Shell => String::new(),
            GroupId::Made(path) => path.to_string(),
        };
        machine.happened(what(name));
        self.state.news.push(News::Machine(id));
    }
}
