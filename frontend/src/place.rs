//! Where on the page a refusal belongs: beside the control that asked.

use vitrine_shared::cgroup::{GroupId, Knob};
use vitrine_shared::id::ContainerId;
use vitrine_shared::message::{Command, Refusal, StepName};

/// A place that can show what went wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The button that starts a container.
    Start,
    /// A container's busy loop and its stop button.
    Exec(ContainerId),
    /// What lies on the files of a container's `/proc`.
    View(ContainerId),
    /// Quota and period of a group.
    Quota(GroupId),
    /// One raw file.
    File(GroupId, String),
    /// A group that something is made in, that is removed, or moved to.
    Group(GroupId),
    /// The line that is run in both.
    Both,
    /// Freezing or ending a container, ending a machine.
    End,
    /// The connection.
    Link,
}

impl Place {
    /// The place of a command; `None` for those that no person asks for.
    pub(crate) fn of(command: &Command) -> Option<Self> {
        Some(match command {
            // What came of a probe stands where its output would.
            Command::Ping { .. } | Command::Discover { .. } | Command::Probe { .. } => return None,
            Command::Subscribe { .. } | Command::Focus { .. } | Command::ShowFiles { .. } => {
                Place::Link
            }
            Command::StartMachine { .. } | Command::StartContainer { .. } => Place::Start,
            Command::Exec { container, .. } | Command::StopExecs { container, .. } => {
                Place::Exec(*container)
            }
            Command::SetProcView { container, .. } => Place::View(*container),
            Command::RunBoth { .. } => Place::Both,
            Command::StopContainer { .. } | Command::EndMachine { .. } => Place::End,
            Command::SetKnob { knob: Knob::Freeze(_), .. } => Place::End,
            Command::SetKnob { group, .. } => Place::Quota(*group),
            Command::WriteFile { group, file, .. } => Place::File(*group, file.clone()),
            Command::MakeGroup { parent: group, .. }
            | Command::RemoveGroup { group, .. }
            | Command::MoveProcess { group, .. } => Place::Group(*group),
        })
    }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The request was wrong.
    Refused {
        /// Why.
        reason: Refusal,
        /// What to do, in English.
        hint: String,
    },
    /// The server failed.
    Failed {
        /// The step.
        step: StepName,
        /// What exactly was being done; in English.
        what: String,
        /// The kernel's error.
        errno: String,
    },
    /// The connection was lost before an answer came.
    NoAnswer,
}
