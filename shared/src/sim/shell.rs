//! The simulator's shell: a terminal of the simulated machine, with the commands of the lessons.
//!
//! In reading order: [`parse`] turns text into a tree ([`syntax`]), [`run`] walks it, `builtins` and
//! `programs` are what it finds, [`world`] is what all of them run in.

mod arithmetic;
mod builtins;
mod expand;
pub mod io;
pub mod parse;
mod programs;
pub mod run;
pub mod syntax;
pub mod tty;
pub mod world;

#[cfg(test)]
mod tests;

use crate::namespace::NamespaceSet;

use super::kernel::Setup;
use super::procs::Proc;
use io::{Io, Source};
use run::Shell;
use world::World;

/// What a process does that runs a command line: `None` where there is no such program.
pub fn program(world: &World, proc: Proc, io: Io, argv: &[String]) -> Option<world::Program> {
    let run = programs::named(argv.first()?)?;
    Some(run(Shell::new(world.clone(), proc, io), argv.to_vec()))
}

/// The programs that there are.
pub fn program_names() -> Vec<&'static str> {
    programs::names()
}

/// What a command can be called, for whoever types the beginning of one.
pub fn command_names() -> Vec<&'static str> {
    let mut names: Vec<&str> = builtins::names().chain(programs::names()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A machine with a shell at its terminal.
pub struct Terminal {
    world: World,
    shell: Option<Proc>,
}

impl Terminal {
    /// A shell that waits for lines.
    pub fn new(setup: Setup) -> Self {
        Terminal::with(setup, |shell| Box::pin(shell.talk()))
    }

    /// A shell that runs a script; nobody types.
    pub fn script(setup: Setup, text: String) -> Self {
        Terminal::with(setup, |mut shell| {
            shell.io.input = Source::Null;
            Box::pin(shell.script(text))
        })
    }

    fn with(setup: Setup, does: impl FnOnce(Shell) -> world::Program) -> Self {
        let world = World::new(setup);
        let init = world.look(|kernel| kernel.init());
        let argv = ["sh".to_owned()];
        let inner = world.clone();
        let io = Io::terminal(world.console());
        let shell =
            world.spawn(init, NamespaceSet::NONE, &argv, |proc| does(Shell::new(inner, proc, io)));
        // A machine that has just started refuses nobody.
        Terminal { world, shell: shell.ok() }
    }

    /// The machine.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Does the shell still run?
    pub fn is_open(&self) -> bool {
        self.shell.is_some_and(|shell| self.world.is_alive(shell))
    }

    /// The shell's status, once it has ended.
    pub fn status(&self) -> Option<u8> {
        use super::procs::{End, Life};
        let life = self.shell.map(|shell| self.world.look(|kernel| kernel.procs().life(shell)));
        match life {
            Some(Life::Zombie(End::Exited(status))) => Some(status),
            Some(Life::Zombie(End::Killed(signal))) => Some(128 + signal.number()),
            _ => None,
        }
    }

    /// Lets time pass; less when the shell ends.
    pub fn advance(&self, nsec: u64) {
        let shell = self.shell;
        self.world.advance(nsec, |world| !shell.is_some_and(|shell| world.is_alive(shell)));
    }

    /// Types a line, lets so much time pass, and takes what was written.
    pub fn line(&self, line: &str, nsec: u64) -> String {
        self.world.type_line(line);
        self.advance(nsec);
        self.world.take_screen()
    }
}
