//! A page without a browser: commands, answers and events over a real WebSocket.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tungstenite::client::IntoClientRequest as _;
use tungstenite::http::HeaderValue;
use tungstenite::{Error, Message, WebSocket};
use vitrine_shared::id::{ContainerId, MachineId, TerminalId};
use vitrine_shared::message::{
    Answer, ClientMessage, Command, Event, HostInfo, Made, Refusal, Sample, ServerMessage,
};
use vitrine_shared::spec::ContainerSpec;
use vitrine_shared::wire;

use super::server::Server;

/// How long an answer or an event may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Which subprotocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    /// `vitrine.v1.json`
    Json,
    /// `vitrine.v1.postcard`
    Postcard,
}

/// A container that was started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// In this machine.
    pub(crate) machine: MachineId,
    /// Its id.
    pub(crate) container: ContainerId,
    /// Its terminal.
    pub(crate) terminal: Option<TerminalId>,
}

/// A page.
pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    codec: Codec,
    next_id: u32,
    /// Answers by number, in the order in which they came; more than one is a fault.
    pub(crate) answers: HashMap<u32, Vec<Answer>>,
    events: VecDeque<Event>,
    /// Messages that could not be read, as the server says.
    pub(crate) unreadable: Vec<Refusal>,
    host: Option<HostInfo>,
    /// How the server closed it.
    pub(crate) closed: Option<u16>,
    /// The images that the welcome named.
    pub(crate) images: Vec<String>,
}

/// Opens a WebSocket at a path of the server.
pub(crate) fn open(server: &Server, path: &str, subprotocol: &str) -> WebSocket<TcpStream> {
    let url = format!("ws://{}{path}", server.address);
    let mut request = url.into_client_request().expect("a request");
    let origin = format!("http://{}", server.address);
    for (name, value) in [
        ("origin", &origin),
        ("cookie", &server.cookie),
        ("sec-websocket-protocol", &subprotocol.to_string()),
    ] {
        request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header"));
    }
    // While web is started again, its socket waits in the launcher's queue.
    let stream = TcpStream::connect(&server.address).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("timeout");
    let (socket, _) = tungstenite::client(request, stream)
        .unwrap_or_else(|err| panic!("{path}: {err}; {}", server.log()));
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(20))).expect("timeout");
    socket
}

/// Has nothing come in time?
pub(crate) fn is_timeout(err: &Error) -> bool {
    matches!(err, Error::Io(io) if matches!(io.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

impl Client {
    /// Connects and hears the welcome.
    pub(crate) fn connect(server: &Server, codec: Codec) -> Self {
        let name = if codec == Codec::Json { wire::JSON } else { wire::POSTCARD };
        let mut client = Client {
            socket: open(server, "/api/ws", name),
            codec,
            next_id: 0,
            answers: HashMap::new(),
            events: VecDeque::new(),
            unreadable: Vec::new(),
            host: None,
            closed: None,
            images: Vec::new(),
        };
        let deadline = Instant::now() + super::bound(PATIENCE);
        loop {
            if let Some(ServerMessage::Welcome { host, .. }) = client.receive() {
                client.images.clone_from(&host.images);
                client.host = Some(host);
                return client;
            }
            assert!(Instant::now() < deadline && client.closed.is_none(), "no welcome");
        }
    }

    /// What the server stands on, as it said in its welcome.
    pub(crate) fn host(&self) -> &HostInfo {
        self.host.as_ref().expect("a welcome")
    }

    /// Sends a command and gives its number.
    pub(crate) fn send(&mut self, command: Command) -> u32 {
        self.next_id += 1;
        let message = ClientMessage { id: self.next_id, command };
        let frame = match self.codec {
            Codec::Json => Message::text(wire::to_json(&message)),
            Codec::Postcard => Message::binary(wire::to_postcard(&message)),
        };
        self.send_frame(frame);
        self.next_id
    }

    /// Sends any frame; a server that has closed hears no more.
    pub(crate) fn send_frame(&mut self, frame: Message) {
        if let Err(err) = self.socket.send(frame) {
            self.closed.get_or_insert(0);
            assert!(!matches!(err, Error::WriteBufferFull(_)), "{err}");
        }
    }

    /// Takes in one message if there is one: welcome and unreadable are given, the rest is kept.
    fn receive(&mut self) -> Option<ServerMessage> {
        let message: ServerMessage = match self.socket.read() {
            Ok(Message::Text(text)) => wire::from_json(&text).expect("a server message"),
            Ok(Message::Binary(bytes)) => wire::from_postcard(&bytes).expect("a server message"),
            Ok(Message::Close(frame)) => {
                self.closed = Some(frame.map_or(0, |frame| frame.code.into()));
                return None;
            }
            Err(err) if is_timeout(&err) => return None,
            Err(_) => {
                self.closed.get_or_insert(0);
                return None;
            }
            Ok(_) => return None,
        };
        match message {
            ServerMessage::Answer { id, answer } => {
                self.answers.entry(id).or_default().push(answer)
            }
            ServerMessage::Event(event) => self.events.push_back(event),
            ServerMessage::Unreadable { reason } => self.unreadable.push(reason),
            welcome @ ServerMessage::Welcome { .. } => return Some(welcome),
        }
        None
    }

    /// Takes in what comes for a while.
    pub(crate) fn listen(&mut self, how_long: Duration) {
        let deadline = Instant::now() + how_long;
        while Instant::now() < deadline && self.closed.is_none() {
            self.receive();
        }
    }

    /// Takes in what comes until the server closes; gives the code.
    #[track_caller]
    pub(crate) fn listen_until_closed(&mut self) -> u16 {
        let deadline = Instant::now() + super::bound(PATIENCE);
        while self.closed.is_none() {
            assert!(Instant::now() < deadline, "the server does not close");
            self.receive();
        }
        // An error after a close frame is no news.
        self.closed.unwrap_or(0)
    }

    /// The answer with this number.
    #[track_caller]
    pub(crate) fn answer(&mut self, id: u32) -> Answer {
        let deadline = Instant::now() + super::bound(PATIENCE);
        loop {
            if let Some(answers) = self.answers.get(&id) {
                return answers[0].clone();
            }
            assert!(self.closed.is_none(), "closed with {:?}", self.closed);
            assert!(Instant::now() < deadline, "no answer to command {id}");
            self.receive();
        }
    }

    /// Sends a command and waits for its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, command: Command) -> Answer {
        let id = self.send(command);
        self.answer(id)
    }

    /// The same, when it must be done; gives what it made.
    #[track_caller]
    pub(crate) fn done(&mut self, command: Command) -> Option<Made> {
        let text = format!("{command:?}");
        match self.ask(command) {
            Answer::Done { made, .. } => made,
            other => panic!("{text}: {other:?}"),
        }
    }

    /// The same, when it must be refused; gives why.
    #[track_caller]
    pub(crate) fn refused(&mut self, command: Command) -> Refusal {
        let text = format!("{command:?}");
        match self.ask(command) {
            Answer::Refused { reason, hint } => {
                assert!(!hint.is_empty(), "{text}: a refusal without a hint");
                reason
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    /// Starts a container, in a new machine when none is named.
    #[track_caller]
    pub(crate) fn start(&mut self, machine: Option<MachineId>, spec: ContainerSpec) -> Started {
        match self.done(Command::StartContainer { machine, spec }) {
            Some(Made::Container { machine, container, terminal }) => {
                Started { machine, container, terminal }
            }
            other => panic!("no container: {other:?}"),
        }
    }

    /// Waits for an event; those before it are forgotten.
    #[track_caller]
    pub(crate) fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let deadline = Instant::now() + super::bound(PATIENCE);
        loop {
            while let Some(event) = self.events.pop_front() {
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
            assert!(self.closed.is_none(), "{what}: closed with {:?}", self.closed);
            assert!(Instant::now() < deadline, "no event: {what}");
            self.receive();
        }
    }

    /// Forgets the events so far: only what comes now counts.
    pub(crate) fn forget(&mut self) {
        self.listen(Duration::from_millis(1));
        self.events.clear();
    }

    /// Waits for a sample that is as wanted.
    #[track_caller]
    pub(crate) fn sample<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(Sample) -> Option<T>,
    ) -> T {
        self.event(what, |event| match event {
            Event::Sample(sample) => wanted(sample),
            _ => None,
        })
    }

    /// Asks for samples of a machine.
    #[track_caller]
    pub(crate) fn watch(&mut self, machine: MachineId, hertz: u8) {
        self.done(Command::Subscribe { machine: Some(machine), hertz });
    }
}
