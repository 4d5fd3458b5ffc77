//! What one page has still to hear: bounded, and the latest wins where only the latest counts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::codec::Told;

/// Changes of structure that may wait. A snapshot of every machine fits many times.
const QUEUE: usize = 1024;
/// Close samples that may wait: half a second of them. A page that is held up for a moment loses
/// none, and one that is held up for longer loses the oldest.
const CLOSE_SAMPLES: usize = 10;

/// What a page has still to hear.
#[derive(Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
    more: Notify,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Arc<Told>>,
    viewers: Option<Arc<Told>>,
    discovery: Option<Arc<Told>>,
    sample: Option<Arc<Told>>,
    close_samples: VecDeque<Arc<Told>>,
    behind: bool,
}

/// What comes next.
pub(crate) enum Next {
    /// This.
    Event(Arc<Told>),
    /// Nothing more: the page has not kept up.
    Behind,
}

impl Outbox {
    /// Adds a change that must be heard.
    pub(crate) fn push(&self, told: &Arc<Told>) {
        let mut inner = self.lock();
        if inner.queue.len() >= QUEUE {
            *inner = Inner { behind: true, ..Inner::default() };
        }
        if !inner.behind {
            inner.queue.push_back(told.clone());
        }
        self.more.notify_one();
    }

    /// Replaces the sample that waits.
    pub(crate) fn replace_sample(&self, told: &Arc<Told>) {
        self.lock().sample = Some(told.clone());
        self.more.notify_one();
    }

    /// Replaces what was found of namespaces and waits.
    pub(crate) fn replace_discovery(&self, told: &Arc<Told>) {
        self.lock().discovery = Some(told.clone());
        self.more.notify_one();
    }

    /// Adds a sample of the group that the page looks at closely.
    pub(crate) fn push_close_sample(&self, told: &Arc<Told>) {
        let mut inner = self.lock();
        if inner.close_samples.len() >= CLOSE_SAMPLES {
            inner.close_samples.pop_front();
        }
        if !inner.behind {
            inner.close_samples.push_back(told.clone());
        }
        self.more.notify_one();
    }

    /// Drops those that wait: the page looks elsewhere.
    pub(crate) fn forget_close_samples(&self) {
        self.lock().close_samples.clear();
    }

    /// Replaces the number of viewers that waits.
    pub(crate) fn replace_viewers(&self, told: &Arc<Told>) {
        self.lock().viewers = Some(told.clone());
        self.more.notify_one();
    }

    /// Drops the sample that waits: the page looks elsewhere.
    pub(crate) fn forget_sample(&self) {
        self.lock().sample = None;
    }

    /// Waits for what comes next; changes before samples.
    pub(crate) async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.more.notified().await;
        }
    }

    /// What comes next, if there is anything.
    pub(crate) fn take(&self) -> Option<Next> {
        let mut inner = self.lock();
        if inner.behind {
            return Some(Next::Behind);
        }
        let inner = &mut *inner;
        let told = inner.queue.pop_front();
        let told = told.or_else(|| inner.viewers.take()).or_else(|| inner.discovery.take());
        let told = told.or_else(|| inner.close_samples.pop_front());
        told.or_else(|| inner.sample.take()).map(Next::Event)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_shared::message::Event;

    fn told(count: u32) -> Arc<Told> {
        Arc::new(Told::new(Event::Viewers { count }))
    }

    fn taken(outbox: &Outbox) -> Option<u32> {
        match outbox.take()? {
            Next::Event(told) => match told.event() {
                Event::Viewers { count } => Some(*count),
                other => panic!("{other:?}"),
            },
            Next::Behind => None,
        }
    }

    #[test]
    fn changes_in_order_then_the_latest_sample() {
        let outbox = Outbox::default();
        outbox.replace_sample(&told(1));
        outbox.replace_sample(&told(2));
        outbox.push(&told(3));
        outbox.push(&told(4));
        assert_eq!([3, 4, 2].map(Some), [taken(&outbox), taken(&outbox), taken(&outbox)]);
        assert_eq!(taken(&outbox), None);
    }

    #[test]
    fn of_close_samples_the_latest_are_kept_in_order() {
        let outbox = Outbox::default();
        for count in 0..25 {
            outbox.push_close_sample(&told(count));
        }
        outbox.push(&told(99));
        assert_eq!(taken(&outbox), Some(99), "changes before samples");
        let kept: Vec<_> = std::iter::from_fn(|| taken(&outbox)).collect();
        assert_eq!(kept, (15..25).collect::<Vec<_>>());
        outbox.push_close_sample(&told(1));
        outbox.forget_close_samples();
        assert_eq!(taken(&outbox), None);
    }

    #[test]
    fn a_page_that_never_takes_is_behind_and_holds_nothing() {
        let outbox = Outbox::default();
        for count in 0..=QUEUE {
            outbox.push(&told(u32::try_from(count).unwrap()));
        }
        assert!(matches!(outbox.take(), Some(Next::Behind)));
        outbox.push(&told(0));
        assert!(outbox.lock().queue.is_empty());
        assert!(matches!(outbox.take(), Some(Next::Behind)));
    }
}
