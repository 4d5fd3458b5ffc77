//! Commands that nobody waits for, and how commands end that a signal ends.

use super::super::super::procs::{End, Proc, Signal};
use super::super::io::{Io, Source};
use super::super::syntax::{Item, List};
use super::{Flow, Shell, status_of};

/// A command that nobody waits for.
#[derive(Clone, Debug)]
pub(in super::super) struct Job {
    pub(in super::super) number: usize,
    pub(in super::super) proc: Proc,
    /// `$!` for it.
    pub(in super::super) pid: u32,
    text: String,
    /// Once it has ended.
    pub(in super::super) end: Option<End>,
}

impl Shell {
    pub(super) async fn background(&mut self, item: &Item) -> Flow {
        let rest = Item { background: false, ..item.clone() };
        let io = Io { input: Source::Null, ..self.io.clone() };
        match self.start_list(List(vec![rest]), io) {
            Err(errno) => return self.cannot_fork(errno).await,
            Ok(proc) => {
                self.status = 0;
                let pid = self.pid_of(proc);
                self.last_background = Some(pid);
                let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
                self.jobs.push(Job { number, proc, pid, text: item.text.clone(), end: None });
                if self.interactive {
                    self.say_error(&format!("[{number}] {pid}\n")).await;
                }
            }
        }
        Flow::Next
    }

    /// The job of a word of `kill` or `wait`: `%1`, `%%`, or its PID.
    pub(in super::super) fn job(&self, word: &str) -> Option<&Job> {
        match word.strip_prefix('%') {
            Some("" | "%" | "+") => self.jobs.last(),
            Some(number) => {
                let number: usize = number.parse().ok()?;
                self.jobs.iter().find(|job| job.number == number)
            }
            None => {
                let pid: u32 = word.parse().ok()?;
                self.jobs.iter().rfind(|job| job.pid == pid)
            }
        }
    }

    /// A line of `jobs`: the newest has a plus, the one before it a minus.
    pub(in super::super) fn line_of(&self, job: &Job) -> String {
        let place = self.jobs.iter().rev().position(|other| other.number == job.number);
        let sign = match place {
            Some(0) => '+',
            Some(1) => '-',
            _ => ' ',
        };
        let how = job.end.map_or_else(|| "Running".to_owned(), how_it_ended);
        let head = format!("[{}] {sign} {how}", job.number);
        format!("{head:<33}{}\n", job.text)
    }

    /// Tells of jobs that have ended, and forgets them.
    pub(super) async fn report_jobs(&mut self) {
        self.look_at_jobs().await;
        let ended = self.jobs.iter().filter(|job| job.end.is_some());
        let text: String = ended.map(|job| self.line_of(job)).collect();
        self.jobs.retain(|job| job.end.is_none());
        self.say_error(&text).await;
    }

    /// Marks those that have ended: they are waited for whenever the shell waits.
    pub(in super::super) async fn look_at_jobs(&mut self) {
        for at in 0..self.jobs.len() {
            let proc = self.jobs[at].proc;
            if self.jobs[at].end.is_none() && !self.world.is_alive(proc) {
                self.jobs[at].end = self.world.wait(self.proc, proc).await;
            }
        }
    }

    /// Waits for one job and forgets it; its status.
    pub(in super::super) async fn wait_for_job(&mut self, job: Job) -> u8 {
        let known = job.end.is_some();
        let end = match job.end {
            Some(end) => Some(end),
            None => self.world.wait(self.proc, job.proc).await,
        };
        self.waited_for(&job, end);
        if let Some(end) = end.filter(|_| !known) {
            self.tell_of_signal(end).await;
        }
        end.map_or(127, status_of)
    }

    /// A shell with jobs tells of them once more, another one forgets them.
    pub(in super::super) fn waited_for(&mut self, job: &Job, end: Option<End>) {
        if self.interactive || self.has_jobs {
            self.jobs.iter_mut().filter(|it| it.number == job.number).for_each(|it| it.end = end);
        } else {
            self.jobs.retain(|other| other.number != job.number);
        }
    }

    /// What a shell says of a signal that has ended what it waited for.
    pub(in super::super) async fn tell_of_signal(&mut self, end: End) {
        match end {
            End::Killed(Signal::Int | Signal::Pipe) | End::Exited(_) => {}
            End::Killed(_) => self.say_error(&(how_it_ended(end) + "\n")).await,
        }
    }
}

/// In the words of `dash`.
fn how_it_ended(end: End) -> String {
    match end {
        End::Exited(0) => "Done".into(),
        End::Exited(status) => format!("Done({status})"),
        End::Killed(signal) => signal.described().into(),
    }
}
