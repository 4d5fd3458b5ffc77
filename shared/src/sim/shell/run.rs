//! The shell at work: a tree of commands, run one step after the other.

mod commands;
mod jobs;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use super::super::errno::Errno;
use super::super::procs::{End, Proc};
use super::io::{self, Io, Sink, Source};
use super::parse::{self, Bad, Script};
use super::syntax::{Command, Item, List, Pipeline, When};
use super::tty::Tty;
use super::world::{Program, World};
use crate::namespace::{Namespace, NamespaceSet};

pub(super) use jobs::Job;

/// How a list goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break(u32),
    Continue(u32),
    Exit,
    /// Ctrl-C: back to the prompt.
    Interrupted,
}

/// A shell.
#[derive(Clone)]
pub struct Shell {
    pub(super) world: World,
    /// The process that it is.
    pub(super) proc: Proc,
    /// `$$`: the process of the shell that this one is a copy of.
    pub(super) main: Proc,
    pub(super) io: Io,
    /// Its terminal, also when its streams are elsewhere.
    tty: Option<Tty>,
    pub(super) variables: BTreeMap<String, String>,
    /// `$0`
    pub(super) name: String,
    /// `$1` and on.
    pub(super) args: Vec<String>,
    pub(super) status: u8,
    pub(super) last_background: Option<u32>,
    pub(super) jobs: Vec<Job>,
    /// It talks to a person: it prompts, and tells of jobs.
    pub(super) interactive: bool,
    /// `set -m`: it keeps what it has waited for until `jobs` has told of it.
    pub(super) has_jobs: bool,
    /// Nothing comes after what runs now: a program takes the shell's place instead of being waited for.
    pub(super) is_last: bool,
    /// `exec` without a program: the redirections of this command stay.
    pub(super) keeps_io: bool,
    /// For messages, as `dash` has them; and how many lines were read before the text that is run.
    line: u32,
    lines_before: u32,
}

type Step<'a> = Pin<Box<dyn Future<Output = Flow> + 'a>>;

impl Shell {
    /// A shell as a process.
    pub fn new(world: World, proc: Proc, io: Io) -> Self {
        let variables = [("HOME", "/root"), ("PATH", "/bin"), ("PS1", "# ")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let tty = match &io.input {
            Source::Terminal(tty) => Some(tty.clone()),
            _ => None,
        };
        Shell {
            world,
            proc,
            main: proc,
            io,
            tty,
            variables: variables.into(),
            name: "sh".into(),
            args: Vec::new(),
            status: 0,
            last_background: None,
            jobs: Vec::new(),
            interactive: false,
            has_jobs: false,
            is_last: false,
            keeps_io: false,
            line: 0,
            lines_before: 0,
        }
    }

    /// The same as a shell of its own: what a program `sh` begins with.
    pub(super) fn anew(self, name: String) -> Self {
        Shell {
            main: self.proc,
            name,
            args: Vec::new(),
            status: 0,
            last_background: None,
            is_last: false,
            line: 0,
            lines_before: 0,
            ..self
        }
    }

    /// Runs a whole script, line by line; tells its status.
    pub async fn script(mut self, text: String) -> u8 {
        let mut script = match Script::new(&text) {
            Ok(script) => script,
            Err(bad) => {
                self.complain_syntax(&bad).await;
                return self.status;
            }
        };
        loop {
            match script.next_line() {
                Ok(None) => return self.status,
                Ok(Some(list)) => {
                    if self.list(&list).await == Flow::Exit {
                        return self.status;
                    }
                }
                Err(bad) => {
                    self.line = script.line();
                    self.complain_syntax(&bad).await;
                    return self.status;
                }
            }
        }
    }

    /// Reads commands until there are no more.
    pub async fn talk(mut self) -> u8 {
        self.interactive = matches!(self.io.input, Source::Terminal(_));
        let (mut text, mut n_lines) = (String::new(), 0);
        loop {
            if self.interactive {
                self.report_jobs().await;
                let prompt = if text.is_empty() { self.variable("PS1") } else { Some("> ".into()) };
                self.prompt(prompt.unwrap_or_default()).await;
            }
            let line = self.io.input.read_line(&self.world).await;
            if let Some(tty) = &self.tty {
                tty.set_prompt(None);
            }
            let Some(line) = line else { break };
            if self.is_interrupted() {
                self.status = 130;
                text.clear();
                continue;
            }
            n_lines += 1;
            text += &line;
            match parse::parse(&text) {
                Err(bad) if bad.is_unfinished() => continue,
                Err(bad) => {
                    self.line = n_lines;
                    self.complain_syntax(&bad).await;
                }
                Ok(list) => match self.list(&list).await {
                    Flow::Exit => return self.status,
                    Flow::Interrupted => self.status = 130,
                    _ => {}
                },
            }
            text.clear();
            self.lines_before = n_lines;
        }
        if let Err(bad) = parse::parse(&text) {
            self.line = n_lines;
            self.complain_syntax(&bad).await;
        }
        self.status
    }

    /// Clears children away that it has not started: as PID 1 it gets all orphans.
    fn clear_orphans(&self) {
        let known = |proc: &Proc| self.jobs.iter().any(|job| job.proc == *proc);
        self.world.act(|kernel| {
            let children: Vec<Proc> = kernel.procs().children(self.proc).collect();
            for child in children.into_iter().filter(|child| !known(child)) {
                // One that lives stays.
                let _ = kernel.wait_for(self.proc, child);
            }
        });
    }

    async fn prompt(&self, prompt: String) {
        self.clear_orphans();
        self.say_error(&prompt).await;
        self.set_foreground(Vec::new());
        if let Some(tty) = &self.tty {
            tty.calm();
            tty.set_prompt(Some((self.proc, prompt)));
        }
    }

    pub(super) fn set_foreground(&self, procs: Vec<Proc>) {
        if let Some(tty) = &self.tty {
            tty.set_foreground(procs);
        }
    }

    /// Ctrl-C: commands in processes of their own end by the signal, this shell by itself.
    fn is_interrupted(&self) -> bool {
        self.interactive && self.tty.as_ref().is_some_and(Tty::is_interrupted)
    }

    /// A shell that is a copy of this one, in a process of its own.
    pub(super) fn copy(&self, proc: Proc, io: Io) -> Shell {
        let jobs = Vec::new();
        Shell { proc, io, jobs, interactive: false, has_jobs: false, is_last: true, ..self.clone() }
    }

    pub(super) fn list<'a>(&'a mut self, list: &'a List) -> Step<'a> {
        Box::pin(async move {
            let is_last = self.is_last;
            for (at, item) in list.0.iter().enumerate() {
                self.is_last = is_last && at + 1 == list.0.len();
                let flow = self.item(item).await;
                if self.is_interrupted() {
                    return Flow::Interrupted;
                }
                if flow != Flow::Next {
                    return flow;
                }
            }
            Flow::Next
        })
    }

    async fn item(&mut self, item: &Item) -> Flow {
        if item.background {
            return self.background(item).await;
        }
        let is_last = self.is_last;
        self.is_last = is_last && item.rest.is_empty();
        let mut flow = self.pipeline(&item.first).await;
        for (at, (when, pipeline)) in item.rest.iter().enumerate() {
            let wanted = (self.status == 0) == (*when == When::Succeeded);
            if flow == Flow::Next && wanted {
                self.is_last = is_last && at + 1 == item.rest.len();
                flow = self.pipeline(pipeline).await;
            }
        }
        flow
    }

    /// The PID of a process as this shell sees it.
    pub(super) fn pid_of(&self, proc: Proc) -> u32 {
        self.world.look(|kernel| {
            let space = kernel.procs().space_for_children(self.proc, Namespace::Pid);
            space.and_then(|space| kernel.procs().pid_in(proc, space)).unwrap_or(0)
        })
    }

    /// Starts a copy of this shell that does something.
    fn start(&self, io: Io, does: impl FnOnce(Shell) -> Program) -> Result<Proc, Errno> {
        self.world.spawn(self.proc, NamespaceSet::NONE, &[], |proc| does(self.copy(proc, io)))
    }

    /// Starts a copy of this shell that runs a list.
    fn start_list(&self, list: List, io: Io) -> Result<Proc, Errno> {
        self.start(io, move |mut shell| {
            Box::pin(async move {
                shell.list(&list).await;
                shell.status
            })
        })
    }

    /// No process can be made: a shell that nobody talks to ends.
    async fn cannot_fork(&mut self, errno: Errno) -> Flow {
        self.complain(&format!("Cannot fork: {errno}")).await;
        self.status = 2;
        self.unless_interactive()
    }

    fn unless_interactive(&self) -> Flow {
        if self.interactive { Flow::Next } else { Flow::Exit }
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Flow {
        self.is_last &= !pipeline.negated;
        let flow = match &pipeline.commands[..] {
            [command] => self.command(command).await,
            commands => self.piped(commands).await,
        };
        if pipeline.negated {
            self.status = u8::from(self.status == 0);
        }
        flow
    }

    /// Each command in a process of its own; the status is the last one's.
    async fn piped(&mut self, commands: &[Command]) -> Flow {
        let mut procs = Vec::new();
        let mut input = self.io.input.clone();
        for (at, command) in commands.iter().enumerate() {
            let mut io = Io { input, ..self.io.clone() };
            input = Source::Null;
            if at + 1 < commands.len() {
                let (reader, writer) = io::pipe();
                io.output = Sink::Pipe(writer);
                input = Source::Pipe(reader);
            }
            let command = command.clone();
            let started = self.start(io, move |mut shell| {
                Box::pin(async move {
                    shell.command(&command).await;
                    shell.status
                })
            });
            match started {
                Ok(proc) => procs.push(proc),
                Err(errno) => return self.cannot_fork(errno).await,
            }
        }
        drop(input);
        self.wait_for(&procs).await;
        Flow::Next
    }

    /// Waits for processes in the foreground; the status is the last one's.
    async fn wait_for(&mut self, procs: &[Proc]) {
        self.set_foreground(procs.to_vec());
        for proc in procs {
            if let Some(end) = self.world.wait(self.proc, *proc).await {
                self.status = status_of(end);
                self.tell_of_signal(end).await;
            }
        }
        self.set_foreground(Vec::new());
        self.look_at_jobs().await;
    }

    /// A variable, or one of the shell's own signs.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match name {
            "$" => Some(self.own_pid().to_string()),
            "!" => self.last_background.map(|pid| pid.to_string()),
            "?" => Some(self.status.to_string()),
            "#" => Some(self.args.len().to_string()),
            "@" | "*" => Some(self.args.join(" ")),
            "0" => Some(self.name.clone()),
            "PWD" => Some(self.world.look(|kernel| kernel.cwd(self.proc))),
            name => match name.parse::<usize>() {
                Ok(at) => self.args.get(at.wrapping_sub(1)).cloned(),
                Err(_) => self.variables.get(name).cloned(),
            },
        }
    }

    /// `$$`: the shell's PID in its own PID namespace; a copy of it says the same.
    pub(super) fn own_pid(&self) -> u32 {
        self.world.look(|kernel| kernel.procs().pids(self.main).last().copied().unwrap_or(0))
    }

    /// Writes to standard output; tells whether that went well.
    pub(super) async fn say(&self, text: &str) -> Result<(), Option<Errno>> {
        self.io.output.write(&self.world, self.proc, text).await
    }

    /// Writes to standard error. Where that cannot be written, nobody can be told.
    pub(super) async fn say_error(&self, text: &str) {
        let _ = self.io.error.write(&self.world, self.proc, text).await;
    }

    pub(super) async fn complain(&mut self, what: &str) {
        self.say_error(&format!("{}: {}: {what}\n", self.name, self.line.max(1))).await;
    }

    async fn complain_syntax(&mut self, bad: &Bad) {
        self.status = 2;
        self.complain(&bad.to_string()).await;
    }
}

/// The status that the shell sees.
pub fn status_of(end: End) -> u8 {
    match end {
        End::Exited(status) => status,
        End::Killed(signal) => 128 + signal.number(),
    }
}
