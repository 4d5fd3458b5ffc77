//! A terminal socket, as the page's xterm.js uses it: sequence numbers, acknowledgements, resume.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use tungstenite::{Message, WebSocket};
use vitrine_shared::id::TerminalId;
use vitrine_shared::terminal::{Input, Output, SUBPROTOCOL};

use super::client::{is_timeout, open};
use super::server::Server;

/// A terminal.
pub(crate) struct Term {
    socket: WebSocket<TcpStream>,
    /// Everything that was written so far, each byte once.
    pub(crate) bytes: Vec<u8>,
    looked_at: usize,
    typed: u64,
    /// How many frames of output came.
    pub(crate) n_frames: u32,
    /// Is what comes acknowledged?
    pub(crate) acknowledges: bool,
    /// How the program ended.
    pub(crate) exit: Option<i32>,
    /// The connection is gone.
    pub(crate) gone: bool,
}

impl Term {
    /// Opens it from the beginning.
    pub(crate) fn open(server: &Server, id: TerminalId) -> Self {
        let mut term = Term {
            socket: open(server, &format!("/api/term/{id}"), SUBPROTOCOL),
            bytes: Vec::new(),
            looked_at: 0,
            typed: 0,
            n_frames: 0,
            acknowledges: true,
            exit: None,
            gone: false,
        };
        term.send(&Input::Resume { seq: 0 });
        // Wide, so that what is typed is echoed in one line.
        term.resize(400, 50);
        term
    }

    /// Opens the terminal of a shell and waits until it has its prompt and knows its size.
    #[track_caller]
    pub(crate) fn shell(server: &Server, id: TerminalId) -> Self {
        let mut term = Term::open(server, id);
        // The quotes tell the answer from the echo.
        term.type_in("echo set''tled\r");
        term.read_until("settled\r\n");
        term.read_until("# ");
        term
    }

    /// Comes back to it after the connection broke: only what is missing is sent.
    pub(crate) fn reopen(&mut self, server: &Server, id: TerminalId) {
        self.socket = open(server, &format!("/api/term/{id}"), SUBPROTOCOL);
        self.gone = false;
        let seq = self.bytes.len() as u64;
        self.send(&Input::Resume { seq });
    }

    fn send(&mut self, input: &Input) {
        if self.socket.send(Message::binary(input.encode())).is_err() {
            self.gone = true;
        }
    }

    /// Types.
    pub(crate) fn type_in(&mut self, text: &str) {
        let seq = self.typed;
        self.typed += text.len() as u64;
        self.send(&Input::Data { seq, bytes: text.into() });
    }

    /// Changes the size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.send(&Input::Resize { columns, rows });
    }

    /// Takes in one frame if there is one, and acknowledges it.
    pub(crate) fn receive(&mut self) {
        let frame = match self.socket.read() {
            Ok(Message::Binary(frame)) => frame,
            Err(err) if is_timeout(&err) => return,
            Ok(Message::Close(_)) | Err(_) => {
                self.gone = true;
                return;
            }
            Ok(_) => return,
        };
        match Output::decode(&frame).expect("a frame") {
            Output::Data { seq, bytes } => {
                assert_eq!(seq, self.bytes.len() as u64, "output lost or doubled");
                self.bytes.extend(bytes);
                self.n_frames += 1;
                if self.acknowledges {
                    let seq = self.bytes.len() as u64;
                    self.send(&Input::Ack { seq });
                }
            }
            Output::Reset { seq } => panic!("output before {seq} is lost"),
            Output::Exit { status } => self.exit = Some(status),
            Output::Hello { may_type, input_seq } => {
                assert!(may_type, "a teacher may type");
                self.typed = self.typed.max(input_seq);
            }
            Output::InputAck { .. } => {}
        }
    }

    /// Reads on until the text appears; gives what came up to its end.
    #[track_caller]
    pub(crate) fn read_until(&mut self, text: &str) -> String {
        let deadline = Instant::now() + super::bound(Duration::from_secs(20));
        loop {
            let new = String::from_utf8_lossy(&self.bytes[self.looked_at..]).into_owned();
            if let Some(at) = new.find(text) {
                let found = new[..at + text.len()].to_string();
                self.looked_at += found.len();
                return found;
            }
            let end: String = new.chars().rev().take(300).collect();
            let end: String = end.chars().rev().collect();
            assert!(!self.gone, "the terminal's socket is gone; before that: {end:?}");
            assert!(Instant::now() < deadline, "no {text:?} at the end of {end:?}");
            self.receive();
        }
    }

    /// Types a line; this must be among what it writes.
    #[track_caller]
    pub(crate) fn says(&mut self, line: &str, text: &str) {
        let said = self.command(line);
        let all = String::from_utf8_lossy(&self.bytes);
        assert!(said.contains(text), "{line}: no {text:?} in {said:?}; all of it: {all:?}");
    }

    /// Types a line and gives what was written up to the next prompt.
    #[track_caller]
    pub(crate) fn command(&mut self, line: &str) -> String {
        self.type_in(&format!("{line}\r"));
        self.read_until("\r\n");
        self.read_until("# ")
    }
}
