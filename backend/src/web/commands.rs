//! Which commands web passes on ([`check`]), and the answer to one that it does not.

use vitrine_shared::message::{Answer, Refusal};

pub(crate) use vitrine_shared::check::check;

/// The answer that carries a refusal.
pub(crate) fn refused(reason: Refusal) -> Answer {
    let hint = match &reason {
        Refusal::NotAllowed { .. } => "ask the teacher, or start something of your own".into(),
        Refusal::Unknown { what } => format!("look at the list: this {what} may have ended"),
        Refusal::TooFast(_) | Refusal::Limit(_) => "wait a moment, then try again".into(),
        // These sentences say what is allowed.
        other => other.to_string(),
    };
    Answer::Refused { reason, hint }
}
