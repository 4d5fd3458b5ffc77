//! What programs run in: the machine, its terminal, and time.
//!
//! A program is a future that asks the [`World`] for things: CPU time, sleep, the end of another
//! process, bytes from a pipe. Nothing else wakes it, so the world polls whatever could go on and then
//! lets the machine's time pass to the next moment at which anything can.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::super::cpu::Demand;
use super::super::errno::Errno;
use super::super::kernel::{Kernel, Setup};
use super::super::procs::{End, Life, Proc, Signal};
use super::programs;
use super::tty::Tty;
use crate::namespace::NamespaceSet;

/// Rounds of polling at one moment, at most: a program that does nothing but ask cannot stop the clock.
const ROUNDS_MAX: u32 = 10_000;

/// What a program is, once it runs: in the end it gives its status.
pub type Program = Pin<Box<dyn Future<Output = u8>>>;

struct Thread {
    proc: Proc,
    program: Program,
}

/// The machine with its programs.
#[derive(Clone)]
pub struct World(Rc<Inner>);

struct Inner {
    kernel: RefCell<Kernel>,
    threads: RefCell<Vec<Thread>>,
    /// Those that were started while others are polled.
    begun: RefCell<Vec<Thread>>,
    /// What processes become that have called `execve`.
    becomes: RefCell<Vec<Thread>>,
    console: Tty,
    timers: RefCell<BTreeSet<(u64, Proc)>>,
    worked: RefCell<BTreeSet<Proc>>,
    /// Something has happened that somebody may wait for.
    stirred: Cell<bool>,
}

impl World {
    /// A machine that has started, with nothing running but its first process. Its programs have files,
    /// so that `ls` finds them.
    pub fn new(setup: Setup) -> Self {
        let mut kernel = Kernel::new(setup);
        for program in programs::names() {
            // There is room in a fresh tree.
            let _ = kernel.create(kernel.init(), &format!("/bin/{program}"), false);
        }
        World(Rc::new(Inner {
            kernel: RefCell::new(kernel),
            threads: RefCell::default(),
            begun: RefCell::default(),
            becomes: RefCell::default(),
            console: Tty::default(),
            timers: RefCell::default(),
            worked: RefCell::default(),
            stirred: Cell::new(false),
        }))
    }

    /// Looks at the machine.
    pub fn look<T>(&self, look: impl FnOnce(&Kernel) -> T) -> T {
        look(&self.0.kernel.borrow())
    }

    /// Does something to the machine.
    pub fn act<T>(&self, act: impl FnOnce(&mut Kernel) -> T) -> T {
        self.0.stirred.set(true);
        act(&mut self.0.kernel.borrow_mut())
    }

    /// Nanoseconds since the machine started.
    pub fn now_nsec(&self) -> u64 {
        self.look(Kernel::now_nsec)
    }

    /// Starts a program as a child of a process, which may be in new namespaces.
    pub fn spawn(
        &self,
        parent: Proc,
        new: NamespaceSet,
        argv: &[String],
        program: impl FnOnce(Proc) -> Program,
    ) -> Result<Proc, Errno> {
        let proc = self.act(|kernel| {
            let proc = kernel.fork(parent, new)?;
            kernel.exec(proc, argv);
            Ok(proc)
        })?;
        self.0.begun.borrow_mut().push(Thread { proc, program: program(proc) });
        Ok(proc)
    }

    /// A process becomes another program; what it was goes on no further. (Were the one program awaited
    /// by the other, a script that runs itself would nest them for ever.)
    pub async fn become_program(&self, proc: Proc, argv: &[String], program: Program) -> u8 {
        self.act(|kernel| kernel.exec(proc, argv));
        self.0.becomes.borrow_mut().push(Thread { proc, program });
        std::future::pending().await
    }

    /// Sends a signal.
    pub fn kill(&self, sender: Proc, target: Proc, signal: Signal) -> Result<(), Errno> {
        self.act(|kernel| kernel.kill(sender, target, signal)).map(drop)
    }

    /// A process that is there already begins with a program.
    pub fn run(&self, proc: Proc, program: Program) {
        self.0.begun.borrow_mut().push(Thread { proc, program });
        self.0.stirred.set(true);
    }

    /// The machine's first terminal.
    pub fn console(&self) -> &Tty {
        &self.0.console
    }

    /// Types a line at the first terminal.
    pub fn type_line(&self, line: &str) {
        self.0.console.type_line(line);
        self.0.stirred.set(true);
    }

    /// Whoever reads at the first terminal meets the end after the last line.
    pub fn end_of_lines(&self) {
        self.0.console.end_of_lines();
        self.0.stirred.set(true);
    }

    /// Ctrl-C at a terminal.
    pub fn interrupt(&self, tty: &Tty) {
        let init = self.look(Kernel::init);
        for proc in tty.foreground() {
            // It may have ended meanwhile.
            let _ = self.kill(init, proc, Signal::Int);
        }
        tty.interrupt();
        self.0.stirred.set(true);
    }

    /// Takes what was written to the first terminal since it was taken last.
    pub fn take_screen(&self) -> String {
        self.0.console.take_screen()
    }

    /// Does a process live?
    pub fn is_alive(&self, proc: Proc) -> bool {
        self.look(|kernel| kernel.procs().life(proc) == Life::Alive)
    }

    /// Lets time pass: at most so much, less when `until` says so.
    pub fn advance(&self, nsec: u64, until: impl Fn(&World) -> bool) {
        let end = self.now_nsec().saturating_add(nsec);
        loop {
            self.settle();
            if until(self) || self.now_nsec() >= end {
                return;
            }
            let timer = self.0.timers.borrow().first().map_or(end, |(at, _)| *at);
            let ahead = timer.min(end).saturating_sub(self.now_nsec());
            let done = self.act(|kernel| kernel.advance(ahead));
            self.0.worked.borrow_mut().extend(done);
            let now = self.now_nsec();
            self.0.timers.borrow_mut().retain(|(at, _)| *at > now);
        }
    }

    /// Polls everybody until nobody can go on at this moment.
    fn settle(&self) {
        self.0.stirred.set(true);
        let mut rounds = 0;
        while self.0.stirred.replace(false) && rounds < ROUNDS_MAX {
            rounds += 1;
            self.0.threads.borrow_mut().append(&mut self.0.begun.borrow_mut());
            let threads = std::mem::take(&mut *self.0.threads.borrow_mut());
            for mut thread in threads {
                // Who was killed is dropped with everything it holds.
                if !self.is_alive(thread.proc) {
                    self.0.stirred.set(true);
                    continue;
                }
                if self.look(|kernel| kernel.is_held(thread.proc)) {
                    self.0.threads.borrow_mut().push(thread);
                    continue;
                }
                let mut context = Context::from_waker(Waker::noop());
                match thread.program.as_mut().poll(&mut context) {
                    Poll::Ready(status) => {
                        self.act(|kernel| kernel.exit(thread.proc, status));
                    }
                    Poll::Pending => {
                        if let Some(next) = self.0.becomes.borrow_mut().pop() {
                            thread.program = next.program;
                            self.0.stirred.set(true);
                        }
                        self.0.threads.borrow_mut().push(thread);
                    }
                }
            }
        }
    }

    /// Uses so much CPU time.
    pub async fn work(&self, proc: Proc, nsec: u64) {
        self.0.worked.borrow_mut().remove(&proc);
        self.act(|kernel| kernel.demand(proc, Demand::Once { run_nsec: nsec }));
        poll_fn(|_| match self.0.worked.borrow_mut().remove(&proc) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        self.0.stirred.set(true);
    }

    /// Uses the CPU for ever.
    pub async fn work_for_ever(&self, proc: Proc) -> u8 {
        self.work_until(proc, || false).await;
        0
    }

    /// Uses the CPU until something has happened.
    pub async fn work_until(&self, proc: Proc, is_over: impl Fn() -> bool) {
        self.act(|kernel| kernel.demand(proc, Demand::Busy));
        poll_fn(|_| if is_over() { Poll::Ready(()) } else { Poll::Pending }).await;
        self.act(|kernel| kernel.demand(proc, Demand::Sleeping));
    }

    /// Sleeps.
    pub async fn sleep(&self, proc: Proc, nsec: u64) {
        let until = self.now_nsec().saturating_add(nsec);
        self.0.timers.borrow_mut().insert((until, proc));
        poll_fn(|_| if self.now_nsec() >= until { Poll::Ready(()) } else { Poll::Pending }).await;
        self.0.stirred.set(true);
    }

    /// Waits for the end of a child, and clears it away.
    pub async fn wait(&self, parent: Proc, child: Proc) -> Option<End> {
        poll_fn(|_| {
            let waited = self.0.kernel.borrow_mut().wait_for(parent, child);
            match waited {
                Ok(None) => Poll::Pending,
                Ok(Some(end)) => {
                    self.0.stirred.set(true);
                    Poll::Ready(Some(end))
                }
                Err(_) => Poll::Ready(None),
            }
        })
        .await
    }

    /// Waits for a line from a terminal; `None` at its end.
    pub async fn read_line(&self, tty: &Tty) -> Option<String> {
        self.until(|| tty.take_line()).await
    }

    /// Waits until something that was asked for is there.
    pub async fn until<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let found = poll_fn(|_| look().map_or(Poll::Pending, Poll::Ready)).await;
        self.0.stirred.set(true);
        found
    }

    /// Says that something has changed that others may wait for.
    pub fn stir(&self) {
        self.0.stirred.set(true);
    }
}
