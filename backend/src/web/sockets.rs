//! How many sockets there are, on the server and of each participant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use vitrine_shared::id::ParticipantId;
use vitrine_shared::limits::{Limit, SOCKETS, SOCKETS_PER_PARTICIPANT};

/// The sockets that are open.
#[derive(Default)]
pub(crate) struct Sockets {
    counts: Mutex<HashMap<ParticipantId, u64>>,
}

/// The right to one socket; given back when dropped.
pub(crate) struct Permit {
    sockets: Arc<Sockets>,
    participant: ParticipantId,
}

impl Sockets {
    /// A permit for one more, or the limit that is reached.
    pub(crate) fn permit(self: &Arc<Self>, participant: ParticipantId) -> Result<Permit, Limit> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.values().sum::<u64>() >= SOCKETS.value {
            return Err(SOCKETS);
        }
        let count = counts.entry(participant).or_default();
        if *count >= SOCKETS_PER_PARTICIPANT.value {
            return Err(SOCKETS_PER_PARTICIPANT);
        }
        *count += 1;
        Ok(Permit { sockets: self.clone(), participant })
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.sockets.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.participant) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.participant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_come_back() {
        let sockets = Arc::new(Sockets::default());
        let one = |who| sockets.permit(ParticipantId(who));
        let held: Vec<_> = (0..SOCKETS_PER_PARTICIPANT.value).map(|_| one(1).ok()).collect();
        assert!(held.iter().all(Option::is_some));
        assert_eq!(one(1).err(), Some(SOCKETS_PER_PARTICIPANT));
        assert!(one(2).is_ok());
        drop(held);
        assert!(one(1).is_ok());
        assert!(sockets.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn the_server_has_a_limit_too() {
        let sockets = Arc::new(Sockets::default());
        let held: Vec<_> =
            (0..SOCKETS.value).map(|who| sockets.permit(ParticipantId(who.into()))).collect();
        assert!(held.iter().all(Result::is_ok));
        assert_eq!(sockets.permit(ParticipantId(u128::MAX)).err(), Some(SOCKETS));
    }
}
