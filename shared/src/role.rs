//! Who may do what. The server enforces this on every message; the page only follows.

use serde::{Deserialize, Serialize};

use crate::id::ParticipantId;
use crate::message::Command;

/// What a participant is in a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Role {
    /// May do everything, on every machine.
    Teacher,
    /// May do everything on their own machine, and see no other.
    Student,
    /// May look, and do nothing.
    Viewer,
}

/// A person on a connection, as the server knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Identity {
    /// Who.
    pub participant: ParticipantId,
    /// As what.
    pub role: Role,
}

impl Identity {
    /// May this person look at a machine of `owner`?
    pub fn may_watch(self, owner: ParticipantId) -> bool {
        match self.role {
            Role::Teacher | Role::Viewer => true,
            Role::Student => owner == self.participant,
        }
    }

    /// May this person change a machine of `owner`, or type into its terminals?
    pub fn may_change(self, owner: ParticipantId) -> bool {
        match self.role {
            Role::Teacher => true,
            Role::Student => owner == self.participant,
            Role::Viewer => false,
        }
    }

    /// May this person send the command at all, whatever machine it names?
    pub fn may_send(self, command: &Command) -> bool {
        match command {
            Command::Subscribe { .. }
            | Command::Discover { .. }
            | Command::ShowFiles { .. }
            | Command::Ping { .. } => true,
            _ => self.role != Role::Viewer,
        }
    }
}
