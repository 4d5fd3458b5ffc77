//! The shell at work: a tree of commands, run one step after the other.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use super::super::errno::Errno;
use super::super::procs::{End, Proc};
use super::io::{self, Io, Sink, Source};
use super::parse::{self, Bad};
use super::programs;
use super::syntax::{Command, Item, List, Pipeline, Redirect, Target, What, When, Word};
use super::tty::Tty;
use super::world::{Program, World};
use crate::namespace::NamespaceSet;

/// CPU time of a command that the shell does itself, and of one for which a process is made.
const BUILT_IN_NSEC: u64 = 20_000;
const PROGRAM_NSEC: u64 = 500_000;

/// A command that nobody waits for.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) number: usize,
    pub(super) procs: Vec<Proc>,
    pub(super) text: String,
    /// Once it has ended.
    pub(super) status: Option<u8>,
}

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
    pub(super) io: Io,
    /// Its terminal, also when its streams are elsewhere.
    tty: Option<Tty>,
    pub(super) variables: BTreeMap<String, String>,
    /// `$1` and on.
    pub(super) args: Vec<String>,
    pub(super) status: u8,
    pub(super) last_background: Option<u32>,
    pub(super) jobs: Vec<Job>,
    /// It talks to a person: it prompts, and tells of jobs.
    pub(super) interactive: bool,
    /// For messages, as `dash` has them.
    line: u32,
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
            io,
            tty,
            variables: variables.into(),
            args: Vec::new(),
            status: 0,
            last_background: None,
            jobs: Vec::new(),
            interactive: false,
            line: 0,
        }
    }

    /// Runs a whole script; tells its status.
    pub async fn script(mut self, text: String) -> u8 {
        match parse::parse(&text) {
            Ok(list) => drop(self.list(&list).await),
            Err(bad) => self.complain_syntax(&bad).await,
        }
        self.status
    }

    /// Reads commands until there are no more.
    pub async fn talk(mut self) -> u8 {
        self.interactive = matches!(self.io.input, Source::Terminal(_));
        let mut text = String::new();
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
            self.line += 1;
            text += &line;
            match parse::parse(&text) {
                Err(Bad::Unfinished) => continue,
                Err(bad) => self.complain_syntax(&bad).await,
                Ok(list) => match self.list(&list).await {
                    Flow::Exit => return self.status,
                    Flow::Interrupted => self.status = 130,
                    _ => {}
                },
            }
            text.clear();
        }
        self.status
    }

    /// Clears children away that it has not started: as PID 1 it gets all orphans.
    fn clear_orphans(&self) {
        let known = |proc: &Proc| self.jobs.iter().any(|job| job.procs.contains(proc));
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
        Shell { proc, io, jobs: Vec::new(), interactive: false, ..self.clone() }
    }

    pub(super) fn list<'a>(&'a mut self, list: &'a List) -> Step<'a> {
        Box::pin(async move {
            for item in &list.0 {
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
            self.background(item).await;
            return Flow::Next;
        }
        let mut flow = self.pipeline(&item.first).await;
        for (when, pipeline) in &item.rest {
            let wanted = (self.status == 0) == (*when == When::Succeeded);
            if flow == Flow::Next && wanted {
                flow = self.pipeline(pipeline).await;
            }
        }
        flow
    }

    async fn background(&mut self, item: &Item) {
        let rest = Item { background: false, ..item.clone() };
        let io = Io { input: Source::Null, ..self.io.clone() };
        match self.start_list(List(vec![rest]), io) {
            Err(errno) => self.complain(&format!("Cannot fork: {errno}")).await,
            Ok(proc) => {
                self.status = 0;
                let pid = self.pid_of(proc);
                self.last_background = Some(pid);
                let number = self.jobs.iter().map(|job| job.number).max().unwrap_or(0) + 1;
                let text = item.text.clone();
                self.jobs.push(Job { number, procs: vec![proc], text, status: None });
                if self.interactive {
                    self.say_error(&format!("[{number}] {pid}\n")).await;
                }
            }
        }
    }

    fn name(&self) -> String {
        let argv = self.world.look(|kernel| kernel.argv(self.proc).first().cloned());
        argv.unwrap_or_else(|| "sh".into())
    }

    /// The PID of a process as this shell sees it.
    pub(super) fn pid_of(&self, proc: Proc) -> u32 {
        self.world.look(|kernel| {
            let space =
                kernel.procs().space_for_children(self.proc, crate::namespace::Namespace::Pid);
            space.and_then(|space| kernel.procs().pid_in(proc, space)).unwrap_or(0)
        })
    }

    /// Starts a copy of this shell that does something.
    fn start(
        &self,
        argv: &[String],
        io: Io,
        does: impl FnOnce(Shell) -> Program,
    ) -> Result<Proc, Errno> {
        self.world.spawn(self.proc, NamespaceSet::NONE, argv, |proc| does(self.copy(proc, io)))
    }

    /// Starts a copy of this shell that runs a list.
    fn start_list(&self, list: List, io: Io) -> Result<Proc, Errno> {
        self.start(&[self.name()], io, move |mut shell| {
            Box::pin(async move {
                shell.list(&list).await;
                shell.status
            })
        })
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Flow {
        let mut flow = Flow::Next;
        match &pipeline.commands[..] {
            [command] => flow = self.command(command).await,
            commands => self.piped(commands).await,
        }
        if pipeline.negated {
            self.status = u8::from(self.status == 0);
        }
        flow
    }

    /// Each command in a process of its own; the status is the last one's.
    async fn piped(&mut self, commands: &[Command]) {
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
            let started = self.start(&[self.name()], io, move |mut shell| {
                Box::pin(async move {
                    shell.command(&command).await;
                    shell.status
                })
            });
            match started {
                Ok(proc) => procs.push(proc),
                Err(errno) => self.complain(&format!("Cannot fork: {errno}")).await,
            }
        }
        drop(input);
        self.wait_for(&procs).await;
    }

    /// Waits for processes in the foreground; the status is the last one's.
    async fn wait_for(&mut self, procs: &[Proc]) {
        self.set_foreground(procs.to_vec());
        for proc in procs {
            if let Some(end) = self.world.wait(self.proc, *proc).await {
                self.status = status_of(end);
            }
        }
        self.set_foreground(Vec::new());
    }

    async fn command(&mut self, command: &Command) -> Flow {
        let kept = self.io.clone();
        let flow = match self.redirect(&command.redirects).await {
            Err(what) => {
                self.complain(&what).await;
                self.status = 2;
                Flow::Next
            }
            Ok(()) => self.what(&command.what).await,
        };
        self.io = kept;
        flow
    }

    async fn what(&mut self, what: &What) -> Flow {
        match what {
            What::Simple { assignments, words } => self.simple(assignments, words).await,
            What::Group(list) => self.list(list).await,
            What::Subshell(list) => {
                match self.start_list(list.clone(), self.io.clone()) {
                    Ok(proc) => self.wait_for(&[proc]).await,
                    Err(errno) => self.complain(&format!("Cannot fork: {errno}")).await,
                }
                Flow::Next
            }
            What::If { arms, otherwise } => {
                for (condition, then) in arms {
                    let flow = self.list(condition).await;
                    if flow != Flow::Next {
                        return flow;
                    }
                    if self.status == 0 {
                        return self.list(then).await;
                    }
                }
                self.status = 0;
                self.list(otherwise).await
            }
            What::Loop { until, condition, body } => self.repeat(*until, condition, body).await,
            What::For { name, words, body } => self.for_each(name, words.as_deref(), body).await,
        }
    }

    async fn repeat(&mut self, until: bool, condition: &List, body: &List) -> Flow {
        // It would go round for ever without doing anything: that is one long piece of work.
        if !until && does_nothing(condition) && does_nothing(body) {
            self.world.work_until(self.proc, || self.is_interrupted()).await;
            return Flow::Interrupted;
        }
        let mut last = 0;
        loop {
            let flow = self.list(condition).await;
            if flow != Flow::Next {
                return flow;
            }
            if (self.status == 0) == until {
                self.status = last;
                return Flow::Next;
            }
            match leave(self.list(body).await) {
                Some(flow) => return flow,
                None => last = self.status,
            }
        }
    }

    async fn for_each(&mut self, name: &str, words: Option<&[Word]>, body: &List) -> Flow {
        let values = match words {
            None => Ok(self.args.clone()),
            Some(words) => self.arguments(words).await,
        };
        let values = match values {
            Ok(values) => values,
            Err(what) => {
                self.complain(&what).await;
                self.status = 2;
                return Flow::Next;
            }
        };
        self.status = 0;
        for value in values {
            self.variables.insert(name.to_owned(), value);
            if let Some(flow) = leave(self.list(body).await) {
                return flow;
            }
        }
        Flow::Next
    }

    async fn simple(&mut self, assignments: &[(String, Word)], words: &[Word]) -> Flow {
        match self.simple_or_complaint(assignments, words).await {
            Ok(flow) => flow,
            Err(what) => {
                self.complain(&what).await;
                self.status = 2;
                Flow::Next
            }
        }
    }

    async fn simple_or_complaint(
        &mut self,
        assignments: &[(String, Word)],
        words: &[Word],
    ) -> Result<Flow, String> {
        let argv = self.arguments(words).await?;
        let mut set = Vec::new();
        for (name, word) in assignments {
            set.push((name.clone(), self.text(word).await?));
        }
        let Some(first) = argv.first() else {
            self.status = 0;
            self.variables.extend(set);
            return Ok(Flow::Next);
        };
        if let Some(built_in) = super::builtins::named(first) {
            self.world.work(self.proc, BUILT_IN_NSEC).await;
            self.variables.extend(set);
            return Ok(super::builtins::run(self, built_in, &argv[1..]).await);
        }
        self.program(&argv, set).await;
        Ok(Flow::Next)
    }

    /// Runs a program in a process of its own, and waits for it.
    async fn program(&mut self, argv: &[String], set: Vec<(String, String)>) {
        let Some(program) = programs::named(&argv[0]) else {
            self.complain(&format!("{}: not found", argv[0])).await;
            let there = programs::names().join(" ");
            self.say_error(&format!("(the simulator has: {there})\n")).await;
            self.status = 127;
            return;
        };
        let given = argv.to_vec();
        let started = self.start(argv, self.io.clone(), move |mut shell| {
            shell.variables.extend(set);
            Box::pin(async move {
                shell.world.work(shell.proc, PROGRAM_NSEC).await;
                program(shell, given).await
            })
        });
        match started {
            Ok(proc) => self.wait_for(&[proc]).await,
            Err(errno) => {
                self.complain(&format!("Cannot fork: {errno}")).await;
                self.status = 2;
            }
        }
    }

    async fn redirect(&mut self, redirects: &[Redirect]) -> Result<(), String> {
        for Redirect { fd, to } in redirects {
            let (word, append) = match to {
                Target::Same(same) => {
                    let sink =
                        if *same == 2 { self.io.error.clone() } else { self.io.output.clone() };
                    self.set_sink(*fd, sink);
                    continue;
                }
                Target::Read(word) => {
                    let path = self.text(word).await?;
                    let text = self.world.look(|kernel| kernel.read(self.proc, &path));
                    let text = text.map_err(|errno| cannot("open", &path, errno))?;
                    self.io.input = Source::Text(Rc::new(RefCell::new(text)));
                    continue;
                }
                Target::Write(word) => (word, false),
                Target::Append(word) => (word, true),
            };
            let path = self.text(word).await?;
            let made = self.world.act(|kernel| kernel.create(self.proc, &path, append));
            made.map_err(|errno| cannot("create", &path, errno))?;
            // The directory may be left before it is written.
            let path = self.world.look(|kernel| kernel.absolute_of(self.proc, &path));
            let path = path.map_err(|errno| cannot("create", "", errno))?;
            self.set_sink(*fd, Sink::File { path });
        }
        Ok(())
    }

    fn set_sink(&mut self, fd: u8, sink: Sink) {
        match fd {
            1 => self.io.output = sink,
            2 => self.io.error = sink,
            _ => {}
        }
    }

    /// What a list writes to standard output.
    pub(super) async fn output_of(&mut self, list: &List) -> Result<String, String> {
        let captured = Rc::new(RefCell::new(String::new()));
        let io = Io { output: Sink::Capture(captured.clone()), ..self.io.clone() };
        let proc =
            self.start_list(list.clone(), io).map_err(|errno| format!("Cannot fork: {errno}"))?;
        self.wait_for(&[proc]).await;
        Ok(captured.take())
    }

    /// A variable, or one of the shell's own signs.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match name {
            "$" => Some(self.own_pid().to_string()),
            "!" => self.last_background.map(|pid| pid.to_string()),
            "?" => Some(self.status.to_string()),
            "#" => Some(self.args.len().to_string()),
            "@" | "*" => Some(self.args.join(" ")),
            "0" => Some("sh".into()),
            "PWD" => Some(self.world.look(|kernel| kernel.cwd(self.proc))),
            name => match name.parse::<usize>() {
                Ok(at) => self.args.get(at.wrapping_sub(1)).cloned(),
                Err(_) => self.variables.get(name).cloned(),
            },
        }
    }

    /// `$$`: its PID in its own PID namespace.
    pub(super) fn own_pid(&self) -> u32 {
        self.world.look(|kernel| kernel.procs().pids(self.proc).last().copied().unwrap_or(0))
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
        let line = if self.interactive { self.line } else { self.line.max(1) };
        self.say_error(&format!("sh: {line}: {what}\n")).await;
    }

    async fn complain_syntax(&mut self, bad: &Bad) {
        self.status = 2;
        let what = match bad {
            Bad::Unexpected(_) | Bad::Unfinished => format!("Syntax error: {bad}"),
            other => other.to_string(),
        };
        self.complain(&what.replace("Syntax error: syntax error: ", "Syntax error: ")).await;
    }

    /// Marks jobs that have ended; tells of them, and forgets them.
    pub(super) async fn report_jobs(&mut self) {
        self.look_at_jobs().await;
        let ended: Vec<Job> =
            self.jobs.iter().filter(|job| job.status.is_some()).cloned().collect();
        self.jobs.retain(|job| job.status.is_none());
        for job in ended {
            let how = how_it_ended(job.status.unwrap_or(0));
            self.say_error(&format!("[{}] {how:<10} {}\n", job.number, job.text)).await;
        }
    }

    pub(super) async fn look_at_jobs(&mut self) {
        for at in 0..self.jobs.len() {
            let procs = self.jobs[at].procs.clone();
            if self.jobs[at].status.is_none()
                && !procs.iter().any(|proc| self.world.is_alive(*proc))
            {
                for proc in procs {
                    if let Some(end) = self.world.wait(self.proc, proc).await {
                        self.jobs[at].status = Some(status_of(end));
                    }
                }
            }
        }
    }
}

/// The words of `dash` for a job that has ended.
fn how_it_ended(status: u8) -> String {
    match status {
        0 => "Done".into(),
        129 => "Hangup".into(),
        130 => "Interrupt".into(),
        137 => "Killed".into(),
        143 => "Terminated".into(),
        status => format!("Done({status})"),
    }
}

/// The status that the shell sees.
pub fn status_of(end: End) -> u8 {
    match end {
        End::Exited(status) => status,
        End::Killed(signal) => 128 + signal.number(),
    }
}

/// What a loop does after a round: `None` is another round.
fn leave(flow: Flow) -> Option<Flow> {
    match flow {
        Flow::Next | Flow::Continue(0 | 1) => None,
        Flow::Break(0 | 1) => Some(Flow::Next),
        Flow::Break(n) => Some(Flow::Break(n - 1)),
        Flow::Continue(n) => Some(Flow::Continue(n - 1)),
        Flow::Exit => Some(Flow::Exit),
        Flow::Interrupted => Some(Flow::Interrupted),
    }
}

/// Is a list nothing but `:` and `true`?
fn does_nothing(list: &List) -> bool {
    let nothing = |command: &Command| match &command.what {
        What::Simple { assignments, words } => {
            let is = |word: &str| words[..] == [Word(vec![super::syntax::Part::Text(word.into())])];
            command.redirects.is_empty() && assignments.is_empty() && (is(":") || is("true"))
        }
        _ => false,
    };
    list.0.iter().all(|item| {
        let one = item.first.commands.len() == 1 && !item.first.negated;
        one && item.rest.is_empty() && !item.background && nothing(&item.first.commands[0])
    })
}

/// As `dash` says it.
fn cannot(what: &str, path: &str, errno: Errno) -> String {
    let why = match (what, errno) {
        ("create", Errno::Enoent) => "Directory nonexistent".to_owned(),
        ("open", Errno::Enoent) => "No such file".to_owned(),
        (_, errno) => errno.to_string(),
    };
    format!("cannot {what} {path}: {why}")
}
