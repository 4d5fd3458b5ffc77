//! Steps of a birth: what is being done, how long it took, and which one failed.

use std::time::Instant;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};
use vitrine_shared::message::{Answer, Step, StepName};
use vitrine_shared::refusal::Advice;

/// The step that failed, and the kernel's reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{step:?}: {what}: {errno}", errno = Errno::from_raw(*errno))]
pub(crate) struct StepError {
    /// Which step.
    pub(crate) step: StepName,
    /// What exactly was being done, to what.
    pub(crate) what: String,
    /// The kernel's error number.
    pub(crate) errno: i32,
    /// In a birth: the steps that were done, and last the one that failed.
    pub(crate) steps: Vec<Step>,
}

impl StepError {
    pub(crate) fn new(step: StepName, what: impl Into<String>, errno: Errno) -> Self {
        StepError { step, what: what.into(), errno: errno as i32, steps: Vec::new() }
    }

    /// The kernel's error.
    pub(crate) fn errno(&self) -> Errno {
        Errno::from_raw(self.errno)
    }

    /// What to do about it, where that is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        let advice = Advice::on(self.step, &errno_name(self.errno()));
        (advice != Advice::SeeLog).then(|| advice.in_english())
    }

    /// The same as the answer to a command.
    pub(crate) fn answer(&self) -> Answer {
        let errno = errno_name(self.errno());
        let hint = Advice::on(self.step, &errno).in_english().into();
        Answer::Failed { step: self.step, what: self.what.clone(), errno, hint }
    }
}

/// `EPERM`, not `Operation not permitted`: the name can be looked up in any language.
pub(crate) fn errno_name(errno: Errno) -> String {
    format!("{errno:?}")
}

/// Says what was being done when a call failed: `call().at(step, "what")?`.
pub(crate) trait At<T> {
    /// Names the step and the deed.
    fn at(self, step: StepName, what: impl Into<String>) -> Result<T, StepError>;
}

impl<T> At<T> for nix::Result<T> {
    fn at(self, step: StepName, what: impl Into<String>) -> Result<T, StepError> {
        self.map_err(|errno| StepError::new(step, what, errno))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at(self, step: StepName, what: impl Into<String>) -> Result<T, StepError> {
        self.map_err(|err| {
            StepError::new(step, what, Errno::from_raw(err.raw_os_error().unwrap_or(libc::EIO)))
        })
    }
}

/// Collects the steps of a birth with their durations.
#[derive(Debug)]
pub(crate) struct Steps {
    done: Vec<Step>,
    since: Instant,
}

impl Steps {
    /// None yet; the clock of the first one runs.
    pub(crate) fn begin() -> Self {
        Steps { done: Vec::new(), since: Instant::now() }
    }

    /// This step is done; the clock of the next one runs.
    pub(crate) fn done(&mut self, name: StepName, call: impl Into<String>) {
        let now = Instant::now();
        let took_usec = u32::try_from((now - self.since).as_micros()).unwrap_or(u32::MAX);
        self.done.push(Step { name, call: call.into(), took_usec });
        self.since = now;
    }

    /// Time spent waiting for somebody else belongs to no step.
    pub(crate) fn skip(&mut self) {
        self.since = Instant::now();
    }

    /// Steps that another process has measured since the last one here, and the time that is
    /// left over as one more.
    pub(crate) fn extend_with_rest(&mut self, steps: Vec<Step>, name: StepName, call: &str) {
        let measured: u32 = steps.iter().fold(0, |sum, step| sum.saturating_add(step.took_usec));
        self.done.extend(steps);
        self.done(name, call);
        if let Some(rest) = self.done.last_mut() {
            rest.took_usec = rest.took_usec.saturating_sub(measured);
        }
    }

    /// The error of a birth, with its steps. The side of a birth that failed has told its own part:
    /// what was done on this one came before it.
    pub(crate) fn failed(mut self, mut err: StepError) -> StepError {
        if err.steps.is_empty() {
            self.done(err.step, err.what.clone());
        }
        self.done.append(&mut err.steps);
        StepError { steps: self.done, ..err }
    }

    /// Those that are done so far.
    pub(crate) fn so_far(&self) -> Vec<Step> {
        self.done.clone()
    }

    /// All of them.
    pub(crate) fn finish(self) -> Vec<Step> {
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_birth_tells_the_steps_of_both_sides_and_the_one_that_failed() {
        let mut here = Steps::begin();
        here.done(StepName::Cgroup, "mkdir");
        let mut there = Steps::begin();
        there.done(StepName::Clone, "clone3");
        let failed = StepError::new(StepName::Execve, "execve(\"nix\")", Errno::ENOENT);
        let told = here.failed(there.failed(failed.clone()));
        let names = |err: &StepError| err.steps.iter().map(|step| step.name).collect::<Vec<_>>();
        assert_eq!(names(&told), [StepName::Cgroup, StepName::Clone, StepName::Execve]);
        assert_eq!(told.steps[2].call, "execve(\"nix\")");
        assert_eq!((told.step, told.errno()), (StepName::Execve, Errno::ENOENT));
        assert_eq!(names(&Steps::begin().failed(failed)), [StepName::Execve]);
    }
}
