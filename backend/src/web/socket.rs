//! The telemetry WebSocket, `/api/ws`: commands come in, answers and events go out.
//!
//! Each command gets exactly one answer. What a page does wrong:
//!
//! | it sends | it gets |
//! |---|---|
//! | no subprotocol, or none of ours | 400 before the upgrade, with those that are known |
//! | a message that does not decode, or an unknown command | `Unreadable`, and the connection stays |
//! | a text frame on postcard, a binary one on JSON | close 1003 |
//! | a frame over [`COMMAND_BYTES`] | close 1009 |
//! | commands faster than [`COMMAND_BURST`] and [`COMMAND_RATE`] | `Refused(TooFast)` |
//! | more commands at once than [`COMMAND_BURST`] | the same |
//! | what its role does not allow, or what cannot be | `Refused`, with the reason |
//! | [`BAD_MESSAGES`] of these in a row (or pings too fast) | close 4430 |
//! | one socket too many | close 4429, or 429 when the whole server is full |
//! | nothing at all for 75 s, not even pongs | the connection is dropped |
//! | it reads so slowly that changes do not fit its outbox | close 4431 |

use std::sync::Arc;
use std::time::Instant;

use axum::extract::ws::{Message, WebSocket};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use vitrine_shared::limits::{BAD_MESSAGES, COMMAND_BURST, COMMAND_BYTES, COMMAND_RATE};
use vitrine_shared::message::{Answer, ClientMessage, Command, Refusal, ServerMessage, StepName};
use vitrine_shared::refusal::Advice;
use vitrine_shared::role::Identity;
use vitrine_shared::wire::close;

use super::Web;
use super::bucket::Bucket;
use super::codec::{BadFrame, Codec};
use super::commands::{check, refused};
use super::hub::Seat;
use super::outbox::Next;
use super::upgrade::{DEAD, End, PING, goodbye};

/// One page.
struct Page {
    web: Arc<Web>,
    identity: Identity,
    /// Does it come over TLS?
    secure: bool,
    codec: Codec,
    seat: Seat,
    bucket: Bucket,
    bad_in_a_row: u64,
    answers: FuturesUnordered<BoxFuture<'static, (u32, Answer)>>,
}

/// Serves one page until either side ends it.
pub(crate) async fn serve(
    mut socket: WebSocket,
    web: Arc<Web>,
    identity: Identity,
    secure: bool,
    codec: Codec,
) {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (burst, rate) = (COMMAND_BURST.value as f64, COMMAND_RATE.value as f64);
    let mut page = Page {
        seat: web.hub.sit(identity),
        web,
        identity,
        secure,
        codec,
        bucket: Bucket::new(burst, rate, Instant::now()),
        bad_in_a_row: 0,
        answers: FuturesUnordered::new(),
    };
    let end = match page.run(&mut socket).await {
        Ok(()) => End::Gone,
        Err(end) => end,
    };
    drop(page);
    let (mut sink, mut stream) = socket.split();
    goodbye(&mut sink, &mut stream, end).await;
}

impl Page {
    async fn run(&mut self, socket: &mut WebSocket) -> Result<(), End> {
        let mut host = self.web.host();
        // A proxy with TLS in front: nothing to warn this page about.
        host.plain_http &= !self.secure;
        let welcome = ServerMessage::Welcome { identity: self.identity, host };
        send(socket, self.codec.encode(&welcome)).await?;
        let mut heard = tokio::time::Instant::now();
        let mut pings = interval(PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // In this order a page hears of what it made before it hears the answer.
            let message = tokio::select! {
                biased;
                next = self.seat.next() => match next {
                    Next::Event(told) => told.frame(self.codec),
                    Next::Behind => {
                        return Err(End::close(close::BEHIND, "this page reads too slowly"));
                    }
                },
                Some((id, answer)) = self.answers.next(), if !self.answers.is_empty() => {
                    self.codec.encode(&ServerMessage::Answer { id, answer })
                }
                frame = socket.recv() => {
                    heard = tokio::time::Instant::now();
                    match frame {
                        None => return Ok(()),
                        Some(Err(err)) => return Err(End::of_error(&err)),
                        Some(Ok(frame)) => match self.hear(&frame)? {
                            Some(message) => self.codec.encode(&message),
                            None => continue,
                        },
                    }
                }
                _ = pings.tick() => Message::Ping(Vec::new().into()),
                () = sleep_until(heard + DEAD) => return Ok(()),
            };
            send(socket, message).await?;
        }
    }

    /// Takes one frame; gives what can be said at once.
    fn hear(&mut self, frame: &Message) -> Result<Option<ServerMessage>, End> {
        let in_time = self.bucket.take(Instant::now());
        let bytes = match frame {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) => {
                if !in_time {
                    self.count_bad("pings too fast")?;
                }
                return Ok(None);
            }
        };
        if bytes as u64 > COMMAND_BYTES.value {
            return Err(End::close(1009, COMMAND_BYTES.name));
        }
        let ClientMessage { id, command } = match self.codec.decode(frame) {
            Ok(message) => message,
            Err(BadFrame::WrongKind) => {
                return Err(End::close(1003, "postcard is binary, JSON is text"));
            }
            Err(BadFrame::Unreadable(detail)) => {
                self.count_bad("unreadable messages")?;
                return Ok(Some(ServerMessage::Unreadable {
                    reason: Refusal::Unreadable { detail },
                }));
            }
        };
        let answer = match self.refusal(&command, in_time) {
            None => {
                self.bad_in_a_row = 0;
                self.obey(id, command)
            }
            Some(reason) => {
                self.count_bad("refused messages")?;
                Some(refused(reason))
            }
        };
        Ok(answer.map(|answer| ServerMessage::Answer { id, answer }))
    }

    fn refusal(&self, command: &Command, in_time: bool) -> Option<Refusal> {
        if !in_time {
            return Some(Refusal::TooFast(COMMAND_RATE.into()));
        }
        if self.answers.len() as u64 >= COMMAND_BURST.value {
            return Some(Refusal::TooFast(COMMAND_BURST.into()));
        }
        check(self.identity, command, |machine| self.web.hub.owner(machine)).err()
    }

    /// Does what can be done here, and asks the launcher for the rest.
    fn obey(&mut self, id: u32, command: Command) -> Option<Answer> {
        match command {
            Command::Ping { .. } => {}
            Command::Subscribe { machine, hertz } => self.seat.watch(machine, hertz),
            Command::ShowFiles { machine, group } => {
                if let Err(reason) = self.seat.show_files(machine, group) {
                    return Some(refused(reason));
                }
            }
            Command::Focus { on } => {
                if let Err(reason) = self.seat.focus(on) {
                    return Some(refused(reason));
                }
            }
            Command::Discover { machine } => self.seat.discover(machine),
            command => {
                let answer = self.web.requests.ask(self.identity, command);
                self.answers.push(Box::pin(async move {
                    (id, answer.await.unwrap_or_else(|_| stopping()))
                }));
                return None;
            }
        }
        Some(Answer::Done { deeds: Vec::new(), made: None })
    }

    fn count_bad(&mut self, what: &str) -> Result<(), End> {
        self.bad_in_a_row += 1;
        if self.bad_in_a_row < BAD_MESSAGES.value {
            return Ok(());
        }
        let reason = format!("{}: {} {what} in a row", BAD_MESSAGES.name, BAD_MESSAGES.value);
        Err(End::close(close::FLOOD, &reason))
    }
}

fn stopping() -> Answer {
    Answer::Failed {
        step: StepName::Ask,
        what: "ask the launcher".into(),
        errno: String::new(),
        hint: Advice::Stopping.in_english().into(),
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Result<(), End> {
    match timeout(DEAD, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Gone),
    }
}
