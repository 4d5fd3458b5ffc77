//! Ends: of their own will, by signals, and who waits for them.

use super::space::Kept;
use super::{End, Errno, Life, Namespace, Proc, Procs, SpaceKey, position};

/// Signals by their names; others do nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// 1: the terminal is gone.
    Hup,
    /// 2: Ctrl-C.
    Int,
    /// 3: Ctrl-\.
    Quit,
    /// 9: cannot be handled.
    Kill,
    /// 10.
    Usr1,
    /// 12.
    Usr2,
    /// 13: nobody reads.
    Pipe,
    /// 15: the polite one.
    Term,
    /// 18: goes on.
    Cont,
    /// 19: stops; cannot be handled.
    Stop,
}

impl Signal {
    /// All of them.
    pub const ALL: [Signal; 10] = [
        Signal::Hup,
        Signal::Int,
        Signal::Quit,
        Signal::Kill,
        Signal::Usr1,
        Signal::Usr2,
        Signal::Pipe,
        Signal::Term,
        Signal::Cont,
        Signal::Stop,
    ];

    /// The number of `signal(7)`.
    pub const fn number(self) -> u8 {
        match self {
            Signal::Hup => 1,
            Signal::Int => 2,
            Signal::Quit => 3,
            Signal::Kill => 9,
            Signal::Usr1 => 10,
            Signal::Usr2 => 12,
            Signal::Pipe => 13,
            Signal::Term => 15,
            Signal::Cont => 18,
            Signal::Stop => 19,
        }
    }

    /// The name without `SIG`.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Hup => "HUP",
            Signal::Int => "INT",
            Signal::Quit => "QUIT",
            Signal::Kill => "KILL",
            Signal::Usr1 => "USR1",
            Signal::Usr2 => "USR2",
            Signal::Pipe => "PIPE",
            Signal::Term => "TERM",
            Signal::Cont => "CONT",
            Signal::Stop => "STOP",
        }
    }

    /// What the C library says of it (`strsignal(3)`).
    pub const fn described(self) -> &'static str {
        match self {
            Signal::Hup => "Hangup",
            Signal::Int => "Interrupt",
            Signal::Quit => "Quit",
            Signal::Kill => "Killed",
            Signal::Usr1 => "User defined signal 1",
            Signal::Usr2 => "User defined signal 2",
            Signal::Pipe => "Broken pipe",
            Signal::Term => "Terminated",
            Signal::Cont => "Continued",
            Signal::Stop => "Stopped (signal)",
        }
    }

    /// By number, name, or name with `SIG`.
    pub fn named(text: &str) -> Option<Signal> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let number = text.parse::<u8>().ok();
        let is = |signal: &Signal| signal.name() == name || Some(signal.number()) == number;
        Signal::ALL.into_iter().find(is)
    }
}

impl Procs {
    /// Says which signals a process handles or ignores.
    pub fn wants(&mut self, proc: Proc, signals: &[Signal]) {
        if let Some(process) = self.all.get_mut(proc.0) {
            process.wanted = signals
                .iter()
                .copied()
                .filter(|it| !matches!(it, Signal::Kill | Signal::Stop))
                .collect();
        }
    }

    /// `kill(2)`. Tells who ended by it.
    ///
    /// PID 1 of a PID namespace hears from those in it only what it handles, and from outside also
    /// `KILL` (`pid_namespaces(7)`, *The namespace init process*).
    pub fn kill(&mut self, sender: Proc, target: Proc, signal: Signal) -> Result<Vec<Proc>, Errno> {
        if self.life(target) == Life::Gone {
            return Err(Errno::Esrch);
        }
        let user = self.space_of(target, Namespace::User).ok_or(Errno::Esrch)?;
        let same_user = self.alive(sender)?.uid == self.all[target.0].uid;
        if !same_user {
            self.needs_root(sender, user)?;
        }
        let space = self.space_of(target, Namespace::Pid).ok_or(Errno::Esrch)?;
        let from_inside =
            self.space_of(sender, Namespace::Pid).is_some_and(|own| self.is_within(own, space));
        let wanted = self.all[target.0].wanted.contains(&signal);
        let shielded = self.is_init(target)
            && !wanted
            && (from_inside || self.parent(target).is_none() || signal != Signal::Kill);
        if self.life(target) != Life::Alive || shielded {
            return Ok(Vec::new());
        }
        if matches!(signal, Signal::Stop | Signal::Cont) {
            self.all[target.0].stopped = signal == Signal::Stop;
        }
        if wanted || matches!(signal, Signal::Stop | Signal::Cont) {
            return Ok(Vec::new());
        }
        Ok(self.end(target, End::Killed(signal)))
    }

    /// `exit(2)`. Tells who ended: with PID 1 everybody in its PID namespace.
    pub fn exit(&mut self, proc: Proc, status: u8) -> Vec<Proc> {
        if self.life(proc) == Life::Alive {
            self.end(proc, End::Exited(status))
        } else {
            Vec::new()
        }
    }

    /// `wait(2)` for any child: the one that ended first by birth, which is then gone. `Ok(None)` if all
    /// live.
    pub fn wait(&mut self, parent: Proc) -> Result<Option<(Proc, End)>, Errno> {
        if self.children(parent).next().is_none() {
            return Err(Errno::Echild);
        }
        let ended = self.children(parent).find_map(|child| match self.life(child) {
            Life::Zombie(end) => Some((child, end)),
            _ => None,
        });
        if let Some((child, _)) = ended {
            self.all[child.0].life = Life::Gone;
        }
        Ok(ended)
    }

    /// `wait(2)` for one child: how it ended, after which it is gone; `None` while it lives.
    pub fn wait_for(&mut self, parent: Proc, child: Proc) -> Result<Option<End>, Errno> {
        if self.parent(child) != Some(parent) {
            return Err(Errno::Echild);
        }
        match self.life(child) {
            Life::Alive => Ok(None),
            Life::Zombie(end) => {
                self.all[child.0].life = Life::Gone;
                Ok(Some(end))
            }
            Life::Gone => Err(Errno::Echild),
        }
    }

    /// Takes back a birth that something else has refused: nobody has seen the process.
    pub fn undo(&mut self, child: Proc) {
        if self.life(child) == Life::Alive {
            self.n_alive -= 1;
            self.all[child.0].life = Life::Gone;
        }
    }

    /// Was a process stopped by a signal?
    pub fn is_stopped(&self, proc: Proc) -> bool {
        self.all.get(proc.0).is_some_and(|process| process.stopped)
    }

    /// The children of a process that are there, zombies too.
    pub fn children(&self, parent: Proc) -> impl Iterator<Item = Proc> {
        self.all().filter(move |child| self.parent(*child) == Some(parent))
    }

    /// Is a process PID 1 of its PID namespace?
    pub fn is_init(&self, proc: Proc) -> bool {
        let space = self.space_of(proc, Namespace::Pid);
        space.is_some_and(|space| self.init_of(space) == Some(proc))
    }

    fn init_of(&self, space: SpaceKey) -> Option<Proc> {
        match self.spaces[space.0].kept {
            Kept::Pid { init, .. } => init,
            _ => None,
        }
    }

    fn end(&mut self, proc: Proc, end: End) -> Vec<Proc> {
        let mut ended = Vec::new();
        if self.is_init(proc) {
            let space = self.all[proc.0].spaces[position(Namespace::Pid)];
            let inside = |other: &Proc| {
                let own = self.space_of(*other, Namespace::Pid);
                *other != proc && own.is_some_and(|own| self.is_within(own, space))
            };
            let all: Vec<Proc> = self.all().filter(inside).collect();
            for other in all {
                if self.life(other) == Life::Alive {
                    self.n_alive -= 1;
                    ended.push(other);
                }
                // PID 1 waits for all of them before it ends itself (`zap_pid_ns_processes`).
                self.all[other.0].life = Life::Gone;
            }
        }
        self.adopt(proc);
        self.n_alive -= 1;
        self.all[proc.0].life = Life::Zombie(end);
        ended.push(proc);
        ended
    }

    /// The children of one that ends get the PID 1 of its PID namespace for a parent.
    fn adopt(&mut self, proc: Proc) {
        let space = self.all[proc.0].spaces[position(Namespace::Pid)];
        let init = self.init_of(space).filter(|init| *init != proc);
        let children: Vec<Proc> = self.children(proc).collect();
        for child in children {
            self.all[child.0].parent = init.or(Some(Proc(0)));
        }
    }
}
