//! A terminal's WebSocket, `/api/term/{id}`: frames to keys and back.
//!
//! Output and input are two halves that do not wait for each other, so that Ctrl-C gets through
//! while a flood of output is stuck. What a page does wrong:
//!
//! | it sends | it gets |
//! |---|---|
//! | a frame that does not decode | nothing; [`BAD_MESSAGES`] in a row close with 4430 |
//! | a text frame | close 1003 |
//! | a frame over [`TERMINAL_FRAME_BYTES`] | close 1009 |
//! | frames faster than [`TERMINAL_FRAME_RATE`] | reading waits |
//! | more keys than the program takes ([`TERMINAL_INPUT_BYTES`]) | close 4430 |
//! | keys or a size, as a viewer | nothing |
//! | nothing at all for 75 s, not even pongs | the connection is dropped |

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use vitrine_shared::limits::{
    BAD_MESSAGES, TERMINAL_CELLS, TERMINAL_FRAME_BYTES, TERMINAL_FRAME_RATE, TERMINAL_INPUT_BYTES,
};
use vitrine_shared::role::Identity;
use vitrine_shared::terminal::{Input, Output};
use vitrine_shared::wire::close;

use super::keys::Keys;
use super::{Step, Terminal};
use crate::web::bucket::Bucket;
use crate::web::upgrade::{DEAD, End, PING, goodbye};

/// How long a small frame waits for acknowledgements of many others. A page that does not
/// acknowledge gets its output all the same.
const GROWTH: Duration = Duration::from_millis(20);

/// A page at a terminal; gone when dropped.
struct Seat {
    terminal: Arc<Terminal>,
    page: u64,
    may_type: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.terminal.leave_page(self.page);
    }
}

/// Serves one page until either side ends it. `owner` is whether the machine is this person's.
pub(crate) async fn serve(
    socket: WebSocket,
    terminal: Arc<Terminal>,
    identity: Identity,
    may_type: bool,
    owner: bool,
) {
    let (mut sink, mut stream) = socket.split();
    let (page, input_seq) = terminal.enter(identity.participant, may_type, owner);
    let seat = Seat { terminal, page, may_type };
    let end = tokio::select! {
        end = output(&mut sink, &seat, input_seq) => end,
        end = input(&mut stream, &seat, input_seq) => end,
    };
    drop(seat);
    goodbye(&mut sink, &mut stream, end).await;
}

async fn output(sink: &mut SplitSink<WebSocket, Message>, seat: &Seat, input_seq: u64) -> End {
    let mut news = seat.terminal.news.subscribe();
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut frame = Some(Output::Hello { may_type: seat.may_type, input_seq }.encode());
    // Until when a small frame may grow.
    let mut grows: Option<tokio::time::Instant> = None;
    loop {
        let message = match frame.take() {
            Some(bytes) => Message::Binary(bytes.into()),
            None => {
                tokio::select! {
                    _ = news.changed() => {}
                    _ = pings.tick() => {
                        if send(sink, Message::Ping(Vec::new().into())).await.is_err() {
                            return End::Gone;
                        }
                    }
                    () = sleep_until(grows.unwrap_or_else(tokio::time::Instant::now)),
                        if grows.is_some() => {}
                }
                news.mark_unchanged();
                let is_grown = grows.is_some_and(|until| until <= tokio::time::Instant::now());
                let step = seat.terminal.step(seat.page, is_grown);
                let until = grows.take().filter(|_| !is_grown);
                frame = match step {
                    Step::Send(output) => Some(output.encode()),
                    Step::Grow => {
                        grows = until.or_else(|| Some(tokio::time::Instant::now() + GROWTH));
                        None
                    }
                    Step::Exit(status) => {
                        let exit = Message::Binary(Output::Exit { status }.encode().into());
                        let sent = send(sink, exit).await;
                        return sent.map_or(End::Gone, |()| End::close(1000, "the program ended"));
                    }
                    Step::Gone => return End::close(close::NOT_FOUND, "the terminal is gone"),
                    Step::Wait => None,
                };
                continue;
            }
        };
        if send(sink, message).await.is_err() {
            return End::Gone;
        }
        // There may be more; look without waiting.
        news.mark_changed();
    }
}

async fn send(sink: &mut SplitSink<WebSocket, Message>, message: Message) -> Result<(), End> {
    match timeout(DEAD, sink.send(message)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Gone),
    }
}

async fn input(stream: &mut SplitStream<WebSocket>, seat: &Seat, input_seq: u64) -> End {
    let mut keys = Keys::new(input_seq);
    let mut heard = tokio::time::Instant::now();
    #[expect(clippy::cast_precision_loss, reason = "a thousand")]
    let rate = TERMINAL_FRAME_RATE.value as f64;
    let mut bucket = Bucket::new(rate, rate, Instant::now());
    let mut bad = 0;
    loop {
        tokio::select! {
            frame = stream.next() => {
                heard = tokio::time::Instant::now();
                let done = match frame {
                    None => Err(End::Gone),
                    Some(Err(err)) => Err(End::of_error(&err)),
                    Some(Ok(message)) => seat.hear(&message, &mut keys, &mut bad),
                };
                if let Err(end) = done {
                    return end;
                }
                while !bucket.take(Instant::now()) {
                    sleep(Duration::from_millis(10)).await;
                }
            }
            written = seat.terminal.write_some(seat.page, keys.front()), if !keys.is_empty() => {
                match written {
                    Some(bytes) => keys.written(bytes),
                    None => keys.give_up(),
                }
                let confirmed = keys.confirmed();
                seat.terminal.confirm(seat.page, confirmed);
            }
            () = sleep_until(heard + DEAD) => return End::Gone,
        }
    }
}

impl Seat {
    fn hear(&self, message: &Message, keys: &mut Keys, bad: &mut u64) -> Result<(), End> {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(_) => return Err(End::close(1003, "a terminal takes binary frames")),
            Message::Close(_) => return Err(End::Gone),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        if bytes.len() as u64 > TERMINAL_FRAME_BYTES.value {
            return Err(End::close(1009, TERMINAL_FRAME_BYTES.name));
        }
        match Input::decode(bytes) {
            Ok(input) => {
                *bad = 0;
                self.act(input, keys)
            }
            Err(err) => {
                *bad += 1;
                if *bad >= BAD_MESSAGES.value {
                    let reason = format!("{}: {err}", BAD_MESSAGES.name);
                    return Err(End::close(close::FLOOD, &reason));
                }
                Ok(())
            }
        }
    }

    fn act(&self, input: Input, keys: &mut Keys) -> Result<(), End> {
        let now = Instant::now();
        match input {
            Input::Data { .. } | Input::Resize { .. } if !self.may_type => {}
            Input::Data { seq, bytes } => {
                if !keys.accept(seq, &bytes) {
                    return Err(End::close(close::FLOOD, TERMINAL_INPUT_BYTES.name));
                }
                self.terminal.with_page(self.page, |watcher| watcher.involved = true);
            }
            Input::Resize { columns, rows } => {
                let most = u16::try_from(TERMINAL_CELLS.value).unwrap_or(u16::MAX);
                // The last one wins; a terminal that has ended has no size.
                let size = (columns.clamp(1, most), rows.clamp(1, most));
                if let Err(err) = self.terminal.pty.resize(size.0, size.1) {
                    tracing::debug!("TIOCSWINSZ: {err}");
                }
            }
            Input::Ack { seq } => self.terminal.with_page(self.page, |w| w.ack(seq, now)),
            Input::Resume { seq } => self.terminal.resume(self.page, seq),
        }
        Ok(())
    }
}
