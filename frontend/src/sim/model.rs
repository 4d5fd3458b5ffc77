//! The simulated server itself, behind the trait that the page knows it by. Only what is loaded later
//! names this ([`crate::lens`]).

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::id::TerminalId;
use vitrine_shared::message::{ClientMessage, ServerMessage};
use vitrine_shared::sim::host::Settings;
use vitrine_shared::sim::host::record::Recorded;

use super::Model;

/// CPUs of the simulated host.
const CPUS: usize = 4;

/// A server that has just started.
pub(crate) fn make(dialect: Dialect, epoch_msec: u64) -> Box<dyn Model> {
    let settings = Settings { n_cpus: CPUS, dialect, epoch_msec, ..Settings::default() };
    Box::new(Recorded::new(settings))
}

impl Model for Recorded {
    fn greet(&mut self) -> Vec<ServerMessage> {
        Recorded::greet(self)
    }

    fn hear(&mut self, message: &ClientMessage) -> Vec<ServerMessage> {
        Recorded::hear(self, message)
    }

    fn advance(&mut self, nsec: u64) -> Vec<ServerMessage> {
        Recorded::advance(self, nsec)
    }

    fn look_closer(&mut self, times: u32) {
        Recorded::look_closer(self, times);
    }

    fn now_nsec(&self) -> u64 {
        Recorded::now_nsec(self)
    }

    fn can_go_back(&self) -> bool {
        Recorded::can_go_back(self)
    }

    fn go_back(&mut self, to_nsec: u64) -> bool {
        Recorded::go_back(self, to_nsec)
    }

    fn has_terminal(&self, id: TerminalId) -> bool {
        Recorded::has_terminal(self, id)
    }

    fn terminal_frame(&mut self, id: TerminalId, frame: &[u8]) {
        Recorded::terminal_frame(self, id, frame);
    }

    fn take_frames(&mut self, id: TerminalId) -> Vec<Vec<u8>> {
        Recorded::take_frames(self, id)
    }
}
