//! The steps of a simulated birth. What was done is what the model did; how long it took is not
//! modelled, so each step says what it typically takes on a real host.

use crate::message::{Step, StepName};

/// What a step typically takes, in microseconds: about what `vitrine serve` tells of a container on a
/// small VM with Linux 6.18, with the page open and nobody else at work.
pub const fn typical_usec(name: StepName) -> u32 {
    match name {
        StepName::Cgroup => 420,
        StepName::IdMap => 760,
        StepName::Clone => 640,
        StepName::Setns => 120,
        StepName::EnterCgroup => 60,
        StepName::Hostname => 4,
        StepName::Loopback => 30,
        StepName::Rootfs => 310,
        StepName::Proc => 260,
        StepName::Dev => 150,
        StepName::Pty => 40,
        StepName::PivotRoot => 90,
        StepName::EnterUser => 25,
        StepName::RunAs => 20,
        StepName::Capabilities => 12,
        StepName::Rlimits => 15,
        StepName::Seccomp => 45,
        StepName::Execve => 350,
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
