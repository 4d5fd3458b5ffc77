//! A simulated server that can be taken back to an earlier moment: everything that was said to it is
//! kept, and said again to a new one with the same seed.

use super::{Host, Settings};
use crate::id::TerminalId;
use crate::message::{ClientMessage, Command, ServerMessage};

/// What is kept, at most; a server that was told more cannot be taken back.
const SAID_MAX: usize = 50_000;

/// What rates are taken of after going back, as at four samples a second.
const RATE_NSEC: u64 = 250_000_000;

/// Something that was said.
#[derive(Clone, Debug)]
enum Said {
    Message(ClientMessage),
    Frame(TerminalId, Vec<u8>),
}

/// A server and what was said to it.
pub struct Recorded {
    settings: Settings,
    host: Host,
    said: Vec<(u64, Said)>,
}

impl Recorded {
    /// A server that has just started.
    pub fn new(settings: Settings) -> Self {
        Recorded { settings, host: Host::new(settings), said: Vec::new() }
    }

    /// Whoever comes is told of everything; see [`Host::greet`].
    pub fn greet(&mut self) -> Vec<ServerMessage> {
        self.host.greet()
    }

    /// See [`Host::hear`].
    pub fn hear(&mut self, message: &ClientMessage) -> Vec<ServerMessage> {
        let only_looks = matches!(
            message.command,
            Command::Ping { .. }
                | Command::Subscribe { .. }
                | Command::Focus { .. }
                | Command::Discover { .. }
                | Command::ShowFiles { .. }
        );
        if !only_looks {
            self.keep(Said::Message(message.clone()));
        }
        self.host.hear(message)
    }

    /// See [`Host::terminal_frame`].
    pub fn terminal_frame(&mut self, id: TerminalId, frame: &[u8]) {
        self.keep(Said::Frame(id, frame.to_vec()));
        self.host.terminal_frame(id, frame);
    }

    fn keep(&mut self, said: Said) {
        if self.said.len() <= SAID_MAX {
            self.said.push((self.host.now_nsec(), said));
        }
    }

    /// See [`Host::take_frames`].
    pub fn take_frames(&mut self, id: TerminalId) -> Vec<Vec<u8>> {
        self.host.take_frames(id)
    }

    /// See [`Host::has_terminal`].
    pub fn has_terminal(&self, id: TerminalId) -> bool {
        self.host.has_terminal(id)
    }

    /// See [`Host::look_closer`].
    pub fn look_closer(&mut self, times: u32) {
        self.host.look_closer(times);
    }

    /// See [`Host::advance`].
    pub fn advance(&mut self, nsec: u64) -> Vec<ServerMessage> {
        self.host.advance(nsec)
    }

    /// Nanoseconds since it started.
    pub fn now_nsec(&self) -> u64 {
        self.host.now_nsec()
    }

    /// See [`Host::trace_hash`].
    pub fn trace_hash(&self) -> u64 {
        self.host.trace_hash()
    }

    /// Can it be taken back?
    pub fn can_go_back(&self) -> bool {
        self.said.len() <= SAID_MAX && self.host.now_nsec() > 0
    }

    /// Takes it back to an earlier moment, after what was said then; what was said later is forgotten.
    /// Pages must be greeted anew. Tells whether it could be done.
    pub fn go_back(&mut self, to_nsec: u64) -> bool {
        if !self.can_go_back() || to_nsec >= self.host.now_nsec() {
            return false;
        }
        self.said.retain(|(at, _)| *at <= to_nsec);
        let mut host = Host::new(self.settings);
        for (at, said) in &self.said {
            host.advance(at.saturating_sub(host.now_nsec()));
            match said {
                Said::Message(message) => drop(host.hear(message)),
                Said::Frame(id, frame) => host.terminal_frame(*id, frame),
            }
        }
        let before = to_nsec.saturating_sub(RATE_NSEC);
        host.advance(before.saturating_sub(host.now_nsec()));
        host.read_all();
        host.advance(to_nsec.saturating_sub(host.now_nsec()));
        self.host = host;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Answer, Event, Made};
    use crate::spec::ContainerSpec;
    use crate::terminal::Input;

    const MSEC: u64 = 1_000_000;

    fn start(it: &mut Recorded, argv: &[&str]) -> TerminalId {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        let spec = ContainerSpec { argv, ..ContainerSpec::one_click() };
        let command = Command::StartContainer { machine: None, spec };
        let heard = it.hear(&ClientMessage { id: 1, command });
        let terminal = heard.into_iter().find_map(|message| match message {
            ServerMessage::Answer { answer: Answer::Done { made, .. }, .. } => match made? {
                Made::Container { terminal, .. } => terminal,
                _ => None,
            },
            _ => None,
        });
        terminal.expect("a terminal")
    }

    fn type_in(it: &mut Recorded, terminal: TerminalId, seq: u64, keys: &str) {
        it.terminal_frame(terminal, &Input::Data { seq, bytes: keys.into() }.encode());
    }

    #[test]
    fn the_same_moment_comes_back_and_goes_on_the_same_way() {
        let mut it = Recorded::new(Settings::default());
        it.greet();
        let terminal = start(&mut it, &["sh"]);
        it.advance(700 * MSEC);
        type_in(&mut it, terminal, 0, "stress -c 3 &\r");
        it.advance(1_300 * MSEC);
        let then = it.trace_hash();
        it.advance(500 * MSEC);
        let later = it.trace_hash();
        type_in(&mut it, terminal, 14, "kill $!\r");
        start(&mut it, &["stress", "-c", "2"]);
        it.advance(900 * MSEC);
        assert_ne!(it.trace_hash(), later);
        assert!(it.go_back(2_000 * MSEC));
        assert_eq!((it.now_nsec(), it.trace_hash()), (2_000 * MSEC, then));
        let machines = it
            .greet()
            .into_iter()
            .filter(|message| matches!(message, ServerMessage::Event(Event::Machine(_))));
        assert_eq!(machines.count(), 1, "what was said later is forgotten");
        let machine = it.host.boxes[0].record.id;
        let command = Command::Subscribe { machine: Some(machine), hertz: 4 };
        it.hear(&ClientMessage { id: 2, command });
        let rates = it.advance(0).into_iter().find_map(|message| match message {
            ServerMessage::Event(Event::Sample(sample)) => Some(sample.groups[0].cpu_permille),
            _ => None,
        });
        assert!(rates.is_some_and(|permille| permille > 1_000), "{rates:?}: three tasks at work");
        it.advance(500 * MSEC);
        assert_eq!(it.trace_hash(), later);
        assert!(!it.go_back(9_000 * MSEC), "that is not back");
        assert!(it.go_back(0));
        assert!(it.greet().len() >= 2);
    }
}
