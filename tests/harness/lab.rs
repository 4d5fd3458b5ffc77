//! A machine of profile `lab` with a shell in it, and somebody who types.

use vitrine_shared::message::{Event, Machine};
use vitrine_shared::spec::ContainerSpec;

use super::client::{Client, Started};
use super::server::Server;
use super::term::Term;

/// A machine, the shell in it, and its terminal.
pub(crate) struct Lab {
    /// A page of the machine's owner.
    pub(crate) page: Client,
    /// The shell.
    pub(crate) shell: Started,
    /// Its terminal.
    pub(crate) term: Term,
    /// The machine.
    pub(crate) machine: Machine,
}

/// A server that offers such machines.
pub(crate) fn server() -> Server {
    Server::start_with(&["--profile", "lab"])
}

impl Lab {
    /// A new machine of the server's default profile.
    #[track_caller]
    pub(crate) fn start(server: &Server) -> Self {
        let mut page = server.client();
        let shell = page.start(None, ContainerSpec::machine_shell());
        let machine = page.event("the machine", |event| match event {
            Event::Machine(m) if m.id == shell.machine && !m.containers.is_empty() => Some(m),
            _ => None,
        });
        let mut term = Term::shell(server, shell.terminal.expect("a terminal"));
        // Plain text is easier to look at.
        term.command("bind 'set enable-bracketed-paste off' 2>/dev/null; unalias -a; TERM=dumb");
        Lab { page, shell, term, machine }
    }

    /// Types a line; gives what it wrote and its status.
    #[track_caller]
    pub(crate) fn run(&mut self, line: &str) -> (String, i32) {
        let text = self.term.command(line).replace('\r', "");
        let said = self.term.command("echo =$?=").replace('\r', "");
        let status = said.split('=').nth(1).and_then(|word| word.parse().ok());
        // The last line is the prompt.
        let text = text.rsplit_once('\n').map_or("", |(text, _)| text);
        (text.to_string(), status.unwrap_or_else(|| panic!("no status in {said:?}")))
    }

    /// Types a line that must succeed; gives what it wrote.
    #[track_caller]
    pub(crate) fn ok(&mut self, line: &str) -> String {
        let (text, status) = self.run(line);
        assert_eq!(status, 0, "{line}: {text}");
        text.trim_end().into()
    }

    /// Types a line that must fail; gives what it wrote.
    #[track_caller]
    pub(crate) fn fails(&mut self, line: &str) -> String {
        let (text, status) = self.run(line);
        assert_ne!(status, 0, "{line}: {text}");
        text.trim_end().into()
    }

    /// A path in the machine as the host reaches it.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("/proc/{}/root{path}", self.machine.init_pid)
    }
}
