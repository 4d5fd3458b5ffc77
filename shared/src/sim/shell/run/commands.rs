//! Single commands: what they are, where their streams go, and the programs and loops among them.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::builtins;
use super::super::io::{File, Io, Sink, Source};
use super::super::programs::{self, Missing};
use super::super::syntax::{Command, List, Part, Redirect, Target, What, Word};
use super::super::world::Program;
use super::{Errno, Flow, Shell};

/// CPU time of a command that the shell does itself, and of one for which a process is made.
const BUILT_IN_NSEC: u64 = 20_000;
const PROGRAM_NSEC: u64 = 500_000;

impl Shell {
    pub(super) async fn command(&mut self, command: &Command) -> Flow {
        self.line = self.lines_before + command.line;
        let kept = self.io.clone();
        let flow = match self.redirect(&command.redirects).await {
            Err(what) => {
                self.complain(&what).await;
                self.status = 2;
                Flow::Next
            }
            Ok(()) => self.what(&command.what).await,
        };
        if !std::mem::take(&mut self.keeps_io) {
            self.io = kept;
        }
        flow
    }

    async fn what(&mut self, what: &What) -> Flow {
        match what {
            What::Simple { assignments, words } => self.simple(assignments, words).await,
            What::Group(list) => self.list(list).await,
            // With nothing to come it need not be another process.
            What::Subshell(list) if self.is_last => {
                self.list(list).await;
                Flow::Exit
            }
            What::Subshell(list) => match self.start_list(list.clone(), self.io.clone()) {
                Ok(proc) => {
                    self.wait_for(&[proc]).await;
                    Flow::Next
                }
                Err(errno) => self.cannot_fork(errno).await,
            },
            What::If { arms, otherwise } => {
                let is_last = std::mem::take(&mut self.is_last);
                for (condition, then) in arms {
                    let flow = self.list(condition).await;
                    if flow != Flow::Next {
                        return flow;
                    }
                    if self.status == 0 {
                        self.is_last = is_last;
                        return self.list(then).await;
                    }
                }
                self.status = 0;
                self.is_last = is_last;
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
        self.is_last = false;
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
            Err(what) => return self.cannot_expand(&what).await,
        };
        self.status = 0;
        self.is_last = false;
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
            Err(what) => self.cannot_expand(&what).await,
        }
    }

    /// A shell that nobody talks to ends when a word cannot be expanded (POSIX, 2.8.1).
    async fn cannot_expand(&mut self, what: &str) -> Flow {
        self.complain(what).await;
        self.status = 2;
        self.unless_interactive()
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
            // A loop of nothing but assignments takes time too.
            self.world.work(self.proc, BUILT_IN_NSEC).await;
            self.status = 0;
            self.variables.extend(set);
            return Ok(Flow::Next);
        };
        if let Some(built_in) = builtins::named(first) {
            self.world.work(self.proc, BUILT_IN_NSEC).await;
            self.variables.extend(set);
            return Ok(builtins::run(self, built_in, &argv).await);
        }
        Ok(self.program(&argv, set).await)
    }

    /// Runs a program in a process of its own, and waits for it; or in this one, if nothing comes after it.
    pub(in super::super) async fn program(
        &mut self,
        argv: &[String],
        set: Vec<(String, String)>,
    ) -> Flow {
        let program = match programs::find(self, &argv[0]) {
            Ok(program) => program,
            Err(missing) => {
                self.status = missing.status();
                self.complain(&format!("{}: {missing}", argv[0])).await;
                if missing == Missing::NotFound {
                    let there = programs::names().join(" ");
                    self.say_error(&format!("(the simulator has: {there})\n")).await;
                }
                return Flow::Next;
            }
        };
        let given = argv.to_vec();
        let run = move |mut shell: Shell| -> Program {
            shell.variables.extend(set);
            Box::pin(async move {
                shell.world.act(|kernel| kernel.exec(shell.proc, &given));
                shell.world.work(shell.proc, PROGRAM_NSEC).await;
                program(shell, given).await
            })
        };
        if self.is_last {
            let program = run(self.clone());
            self.status = self.world.become_program(self.proc, argv, program).await;
            return Flow::Exit;
        }
        match self.start(self.io.clone(), run) {
            Ok(proc) => self.wait_for(&[proc]).await,
            Err(errno) => return self.cannot_fork(errno).await,
        }
        Flow::Next
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
                    let opened = self.world.look(|kernel| {
                        kernel.read(self.proc, &path)?;
                        kernel.absolute_of(self.proc, &path)
                    });
                    let full = opened.map_err(|errno| cannot("open", &path, errno))?;
                    self.io.input = Source::File(Rc::new(File::new(self.proc, full)));
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
    pub(in super::super) async fn output_of(&mut self, list: &List) -> Result<String, String> {
        let captured = Rc::new(RefCell::new(String::new()));
        let io = Io { output: Sink::Capture(captured.clone()), ..self.io.clone() };
        let proc =
            self.start_list(list.clone(), io).map_err(|errno| format!("Cannot fork: {errno}"))?;
        self.wait_for(&[proc]).await;
        Ok(captured.take())
    }
}

/// Is a list nothing but `:` and `true`?
fn does_nothing(list: &List) -> bool {
    let nothing = |command: &Command| match &command.what {
        What::Simple { assignments, words } => {
            let is = |word: &str| words[..] == [Word(vec![Part::Text(word.into())])];
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
