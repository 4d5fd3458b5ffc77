//! Requests to the launcher: numbered, bounded, each answered to the connection that asked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use vitrine_shared::message::{Answer, Command, StepName};
use vitrine_shared::refusal::Advice;
use vitrine_shared::role::Identity;

use super::link::Link;
use crate::ipc::FromWeb;

/// Messages that wait for room in the channel.
const QUEUE: usize = 256;
/// Requests that wait for their answer, all connections together.
const PENDING: usize = 1024;

/// What was asked of the launcher and not answered yet.
pub(crate) struct Requests {
    queue: mpsc::Sender<FromWeb>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    last: u64,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
}

impl Requests {
    /// An empty table, and the messages for [`send_all`].
    pub(crate) fn new() -> (Requests, mpsc::Receiver<FromWeb>) {
        let (queue, messages) = mpsc::channel(QUEUE);
        (Requests { queue, pending: Mutex::default() }, messages)
    }

    /// Tells the launcher something that has no answer, when there is room.
    pub(crate) async fn tell(&self, message: FromWeb) {
        // Fails only when the channel is closed, and then web ends.
        let _ = self.queue.send(message).await;
    }

    /// Asks, and waits for the answer. The request is on its way before this first waits.
    pub(crate) fn ask(&self, by: Identity, command: Command) -> oneshot::Receiver<Answer> {
        let (answer, receiver) = oneshot::channel();
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.answers.len() >= PENDING {
            // The receiver will not see anyone else hold the sender.
            let _ = answer.send(busy());
            return receiver;
        }
        pending.last += 1;
        let request = pending.last;
        match self.queue.try_send(FromWeb::Request { request, by, command }) {
            Ok(()) => drop(pending.answers.insert(request, answer)),
            Err(_) => drop(answer.send(busy())),
        }
        receiver
    }

    /// Hands an answer to whoever asked; one for nobody is dropped.
    pub(crate) fn answer(&self, request: u64, answer: Answer) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.answers.remove(&request) {
            // The connection may have gone; the deed was done all the same.
            Some(waiting) => drop(waiting.send(answer)),
            None => tracing::warn!(request, "an answer that nobody asked for"),
        }
    }
}

fn busy() -> Answer {
    Answer::Failed {
        step: StepName::Ask,
        what: "ask the launcher".into(),
        errno: "EAGAIN".into(),
        hint: Advice::Busy.in_english().into(),
    }
}

/// Sends the launcher what is in the queue, until the channel closes.
pub(crate) async fn send_all(link: &Link, mut messages: mpsc::Receiver<FromWeb>) {
    while let Some(message) = messages.recv().await {
        if let Err(err) = link.send(&message).await {
            tracing::error!("send to the launcher: {err}");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_shared::id::ParticipantId;
    use vitrine_shared::role::Role;

    const TEACHER: Identity = Identity { participant: ParticipantId(1), role: Role::Teacher };

    fn done() -> Answer {
        Answer::Done { deeds: Vec::new(), made: None }
    }

    #[test]
    fn answers_reach_those_who_asked() {
        let (requests, mut messages) = Requests::new();
        let mut first = requests.ask(TEACHER, Command::Ping { token: 1 });
        let second = requests.ask(TEACHER, Command::Ping { token: 2 });
        drop(second);
        let mut numbers = Vec::new();
        while let Ok(FromWeb::Request { request, .. }) = messages.try_recv() {
            numbers.push(request);
        }
        requests.answer(numbers[1], done());
        assert!(first.try_recv().is_err());
        requests.answer(numbers[0], done());
        assert_eq!(first.try_recv(), Ok(done()));
        requests.answer(numbers[0], done());
    }

    #[test]
    fn a_full_queue_is_answered_at_once() {
        let (requests, _messages) = Requests::new();
        let mut answers: Vec<_> =
            (0..=QUEUE).map(|_| requests.ask(TEACHER, Command::Ping { token: 1 })).collect();
        assert!(answers[0].try_recv().is_err());
        assert_eq!(answers[QUEUE].try_recv(), Ok(busy()));
    }
}
