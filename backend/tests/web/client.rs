//! Clients: raw HTTP, a page on either subprotocol, a terminal.

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use vitrine::web::session::sign;
use vitrine_shared::message::{Answer, ClientMessage, Command, Event, ServerMessage};
use vitrine_shared::role::Identity;
use vitrine_shared::terminal::{Input, Output, SUBPROTOCOL};
use vitrine_shared::wire::{self, JSON, POSTCARD};

use crate::stage::{KEY, Stage, TERMINAL, soon};

pub(crate) type Socket = WebSocketStream<TcpStream>;

/// A cookie that is good for long.
pub(crate) fn cookie(identity: Identity) -> String {
    format!("vitrine={}", sign(&KEY, identity, u64::MAX, 7))
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Sends a request as it stands; `\n` becomes CRLF in the head.
pub(crate) async fn raw(stage: &Stage, request: &str) -> Reply {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
    let head = head.trim().replace('\n', "\r\n");
    let sent = format!("{head}\r\nConnection: close\r\n\r\n{body}");
    // The server may refuse before it has read everything.
    let _ = stream.write_all(sent.as_bytes()).await;
    read_reply(stream).await
}

pub(crate) async fn read_reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..len]);
        }
    };
    soon("a reply", read).await;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_ascii_lowercase(), body: body.to_string() }
}

/// `GET`, with the right host.
pub(crate) async fn get(stage: &Stage, path: &str, headers: &str) -> Reply {
    let sep = if headers.is_empty() { "" } else { "\n" };
    raw(stage, &format!("GET {path} HTTP/1.1\nHost: {}{sep}{headers}", stage.address)).await
}

/// `POST /api/session` from the right origin.
pub(crate) async fn post_token(stage: &Stage, body: &str) -> Reply {
    let address = stage.address;
    let head = format!(
        "POST /api/session HTTP/1.1\nHost: {address}\nOrigin: http://{address}\n\
         Content-Length: {}",
        body.len()
    );
    raw(stage, &format!("{head}\n\n{body}")).await
}

/// Tries to upgrade; a refusal is its status.
pub(crate) async fn upgrade(
    stage: &Stage,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<Socket, (u16, String)> {
    let mut request = format!("ws://{}{path}", stage.address).into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(stage.address).await.unwrap();
    match soon("an upgrade", client_async(request, stream)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            Err((response.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
        }
        Err(err) => panic!("{err}"),
    }
}

/// Connects as somebody, with everything right.
pub(crate) async fn connect(stage: &Stage, who: Identity, path: &str, protocol: &str) -> Socket {
    let origin = format!("http://{}", stage.address);
    let headers = [
        ("origin", origin.as_str()),
        ("cookie", &cookie(who)),
        ("sec-websocket-protocol", protocol),
    ];
    upgrade(stage, path, &headers).await.unwrap()
}

/// The close code and reason that come after everything else.
pub(crate) async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match soon("a close frame", socket.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => {
                return (frame.code.into(), frame.reason.to_string());
            }
            Some(Ok(_)) => {}
            other => panic!("closed without a code: {other:?}"),
        }
    }
}

/// A page.
pub(crate) struct Page {
    pub(crate) socket: Socket,
    json: bool,
    last_id: u32,
}

impl Page {
    /// A page on JSON or postcard that has heard its snapshot.
    pub(crate) async fn new(stage: &Stage, who: Identity, json: bool) -> Page {
        let mut page = Page::fresh(stage, who, json).await;
        page.event("Synced", |event| (event == Event::Synced).then_some(())).await;
        page
    }

    /// A page that has heard nothing yet.
    pub(crate) async fn fresh(stage: &Stage, who: Identity, json: bool) -> Page {
        let protocol = if json { JSON } else { POSTCARD };
        Page { socket: connect(stage, who, "/api/ws", protocol).await, json, last_id: 0 }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> ServerMessage {
        loop {
            match soon("a message", self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) if !self.json => {
                    return wire::from_postcard(&bytes).unwrap();
                }
                Some(Ok(Message::Text(text))) if self.json => {
                    return wire::from_json(&text).unwrap();
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends a command; its number.
    pub(crate) async fn send(&mut self, command: Command) -> u32 {
        self.last_id += 1;
        let message = ClientMessage { id: self.last_id, command };
        let frame = match self.json {
            true => Message::Text(wire::to_json(&message).into()),
            false => Message::Binary(wire::to_postcard(&message).into()),
        };
        self.socket.send(frame).await.unwrap();
        self.last_id
    }

    /// The next answer, whatever comes before it.
    pub(crate) async fn answer(&mut self) -> (u32, Answer) {
        loop {
            if let ServerMessage::Answer { id, answer } = self.next().await {
                return (id, answer);
            }
        }
    }

    /// Sends a command and waits for its answer, which must be the next.
    pub(crate) async fn ask(&mut self, command: Command) -> Answer {
        let sent = self.send(command).await;
        let (id, answer) = self.answer().await;
        assert_eq!(id, sent);
        answer
    }

    /// The first event that is wanted.
    pub(crate) async fn event<T>(&mut self, what: &str, wanted: impl Fn(Event) -> Option<T>) -> T {
        let search = async {
            loop {
                if let ServerMessage::Event(event) = self.next().await
                    && let Some(found) = wanted(event)
                {
                    return found;
                }
            }
        };
        soon(what, search).await
    }
}

/// A page at Ann's terminal.
pub(crate) struct Screen {
    pub(crate) socket: Socket,
    pub(crate) may_type: bool,
    pub(crate) input_seq: u64,
    /// What it has drawn, and where that begins.
    pub(crate) text: Vec<u8>,
    pub(crate) begins: u64,
}

impl Screen {
    /// Connects and resumes after what it has.
    pub(crate) async fn new(stage: &Stage, who: Identity, have: u64) -> Screen {
        let path = format!("/api/term/{TERMINAL}");
        let socket = connect(stage, who, &path, SUBPROTOCOL).await;
        let mut screen =
            Screen { socket, may_type: false, input_seq: 0, text: Vec::new(), begins: have };
        screen.send(Input::Resume { seq: have }).await;
        let Output::Hello { may_type, input_seq } = screen.next().await else { panic!() };
        (screen.may_type, screen.input_seq) = (may_type, input_seq);
        screen
    }

    pub(crate) async fn send(&mut self, input: Input) {
        self.socket.send(Message::Binary(input.encode().into())).await.unwrap();
    }

    /// Types, counting from what the server expects.
    pub(crate) async fn type_at(&mut self, seq: u64, bytes: &[u8]) {
        self.send(Input::Data { seq, bytes: bytes.to_vec() }).await;
    }

    pub(crate) async fn next(&mut self) -> Output {
        loop {
            match soon("terminal output", self.socket.next()).await {
                Some(Ok(Message::Binary(bytes))) => return Output::decode(&bytes).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Draws what comes, acknowledging it, until the text is as wanted.
    pub(crate) async fn draw_until(&mut self, wanted: impl Fn(&[u8]) -> bool) {
        while !wanted(&self.text) {
            let output = self.next().await;
            self.draw(output).await;
        }
    }

    /// Draws one frame; output must follow on what is there.
    pub(crate) async fn draw(&mut self, output: Output) {
        match output {
            Output::Data { seq, bytes } => {
                assert_eq!(seq, self.have(), "output follows on");
                self.text.extend(bytes);
                let seq = self.have();
                self.send(Input::Ack { seq }).await;
            }
            Output::Reset { seq } => {
                self.text.clear();
                self.begins = seq;
            }
            Output::InputAck { input_seq } => self.input_seq = input_seq,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn have(&self) -> u64 {
        self.begins + self.text.len() as u64
    }
}
