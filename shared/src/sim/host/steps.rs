//! The steps of a simulated birth. What was done is what the model did; how long it took is not
//! modelled, so each step says what it typically takes on a real host.

use crate::message::{Step, StepName};

/// What a step typically takes, in microseconds: medians of six births of `vitrine serve` (release) on a
/// VM with two CPUs and Linux 6.18. `RunAs` was not among them; it is taken to be a call like `Hostname`.
pub const fn typical_usec(name: StepName) -> u32 {
    match name {
        StepName::Cgroup => 415,
        StepName::IdMap => 2120,
        StepName::Clone => 795,
        StepName::Setns => 250,
        StepName::EnterCgroup => 82,
        StepName::Hostname => 21,
        StepName::Loopback => 96,
        StepName::Rootfs => 205,
        StepName::Proc => 535,
        StepName::Dev => 130,
        StepName::Pty => 54,
        StepName::PivotRoot => 190,
        StepName::EnterUser => 17,
        StepName::RunAs => 21,
        StepName::Capabilities => 53,
        StepName::Rlimits => 82,
        StepName::Seccomp => 135,
        StepName::Execve => 760,
        StepName::Ask => 0,
    }
}

/// The steps so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps(Vec<Step>);

impl Steps {
    /// This step is done.
    pub(super) fn done(&mut self, name: StepName, call: impl Into<String>) {
        self.0.push(Step { name, call: call.into(), took_usec: typical_usec(name) });
    }

    pub(super) fn finish(self) -> Vec<Step> {
        self.0
    }
}

/// All of it together.
pub(super) fn took_usec(steps: &[Step]) -> u32 {
    steps.iter().fold(0, |sum, step| sum.saturating_add(step.took_usec))
}
