//! Why a command was not done, and what to do about it.

use vitrine_shared::cgroup::{BadGroup, Controller};
use vitrine_shared::message::{Answer, Because, Feature, Missing, Refusal, Why};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::SpecError;

use crate::launcher::missing;
use crate::launcher::step::StepError;

/// Why a command was not done.
pub(crate) enum Not {
    /// It was wrong.
    Refused(Refusal),
    /// We failed.
    Failed(StepError),
}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Not::Refused(refusal)
    }
}

impl From<StepError> for Not {
    fn from(err: StepError) -> Self {
        Not::Failed(err)
    }
}

impl From<SpecError> for Not {
    fn from(err: SpecError) -> Self {
        Not::Refused(Refusal::Spec(err))
    }
}

impl Not {
    /// The same as an answer.
    pub(crate) fn answer(self, missing: &[Missing]) -> Answer {
        match self {
            Not::Refused(mut reason) => {
                let hint = mend(&mut reason, missing).unwrap_or_else(|| hint(&reason).into());
                Answer::Refused { reason, hint }
            }
            Not::Failed(err) => {
                tracing::warn!(%err, "a command failed");
                err.answer()
            }
        }
    }
}

/// For a feature that is not there: why, and the command that mends it.
fn mend(reason: &mut Refusal, missing: &[Missing]) -> Option<String> {
    let Refusal::Missing { what: Lacking::Feature(lacking) } = reason else { return None };
    if let Some(known) = missing.iter().find(|known| known.feature == lacking.feature) {
        lacking.clone_from(known);
    }
    Some(missing::told(lacking))
}

/// A feature that is not there; what the host tells of it is told with the answer.
pub(super) fn no_feature(feature: Feature, because: Because) -> Refusal {
    let what = Missing { feature, because, mend: String::new() };
    Refusal::Missing { what: Lacking::Feature(what) }
}

pub(super) fn no_controller(controller: Controller) -> Refusal {
    no_feature(Feature::Controller(controller), Because::NotMounted)
}

/// What to do about a refusal.
fn hint(reason: &Refusal) -> &'static str {
    match reason {
        Refusal::NotAllowed { .. } => "ask the teacher",
        Refusal::Limit(_) => "end something that you no longer need",
        Refusal::Kernel { why: Why::ChildAboveParent, .. } => {
            "a child's quota divided by its period may not be above its parent's; choose a lower one"
        }
        Refusal::Kernel { why: Why::ParentBelowChild, .. } => {
            "lower the children first: a parent may not be set below what a child has"
        }
        Refusal::Kernel { why: Why::InUse, .. } => {
            "more is in use than the new limit; end something first"
        }
        Refusal::Kernel { why: Why::HasProcesses, .. } => {
            "move its processes to another group first, or let them end"
        }
        Refusal::Kernel { why: Why::HasChildren, .. } => "remove the groups in it first",
        Refusal::Kernel { why: Why::Exists, .. } => "choose another name",
        Refusal::Kernel { why: Why::HandsOut, .. } => {
            "in cgroup v2 only groups at the end of a branch take processes; choose one of those in it"
        }
        Refusal::Kernel { why: Why::NoCpus, .. } => {
            "write cpuset.cpus and cpuset.mems of the group first"
        }
        Refusal::Group(BadGroup::OfContainer) => "choose a group of the machine's own",
        Refusal::Group(BadGroup::NotOwn { .. }) => "choose a process that the machine's list shows",
        Refusal::NotRunning { .. } => "start another",
        Refusal::Missing { what: Lacking::Image { .. } } => {
            "on the server, see vitrine image list, or add it: vitrine image add NAME SOURCE"
        }
        Refusal::Missing { what: Lacking::Lxcfs } => {
            "on the server, apt-get install lxcfs and systemctl start lxcfs; or take Vitrine's own files"
        }
        Refusal::Missing { what: Lacking::OnlyV2 { .. } } => {
            "only cgroup v2 has it: boot the server's host with systemd.unified_cgroup_hierarchy=1"
        }
        Refusal::Missing { what: Lacking::BlockDevice { .. } } => {
            "on the server, lsblk lists the devices with their numbers"
        }
        Refusal::Missing { what: Lacking::Feature(_) } => {
            "on the server, vitrine doctor tells what is missing and what mends it"
        }
        _ => "change the request and send it again",
    }
}
