//! A shell line as a tree.

/// One or more commands, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct List(pub Vec<Item>);

/// A chain of pipelines, waited for or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The first pipeline.
    pub first: Pipeline,
    /// What follows it, if it succeeded or if it failed.
    pub rest: Vec<(When, Pipeline)>,
    /// Ended by `&`: nobody waits.
    pub background: bool,
    /// As it was typed, for the list of jobs.
    pub text: String,
}

/// When the next pipeline of a chain runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `&&`
    Succeeded,
    /// `||`
    Failed,
}

/// Commands that read from each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pipeline {
    /// `!` before it.
    pub negated: bool,
    /// From left to right.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The line of the text on which it begins, from 1 on.
    pub line: u32,
    /// What it is.
    pub what: What,
    /// Where its streams go, in the order in which they were written.
    pub redirects: Vec<Redirect>,
}

/// The kinds of commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A program or a built-in, and variables that are set for it.
    Simple {
        /// `NAME=value` before the words.
        assignments: Vec<(String, Word)>,
        /// The command and its arguments; none for assignments alone.
        words: Vec<Word>,
    },
    /// `( … )`: in a shell of its own.
    Subshell(List),
    /// `{ …; }`: here.
    Group(List),
    /// `if … then … elif … else … fi`.
    If {
        /// Conditions, and what is done for the first that succeeds.
        arms: Vec<(List, List)>,
        /// What is done when none does.
        otherwise: List,
    },
    /// `while … do … done`.
    Loop {
        /// `until` instead of `while`.
        until: bool,
        /// The condition.
        condition: List,
        /// What is done again and again.
        body: List,
    },
    /// `for NAME in … do … done`.
    For {
        /// The variable.
        name: String,
        /// What it is set to; `None` is the shell's own arguments.
        words: Option<Vec<Word>>,
        /// What is done for each.
        body: List,
    },
}

/// A word, before anything in it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Word(pub Vec<Part>);

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text without quotes: `*` and `?` in it match names of files.
    Text(String),
    /// Text that was quoted.
    Quoted(String),
    /// `$NAME`, `${NAME}`, `$1`, `$$`, `$!`, `$?`, `$#`, `$@`.
    Variable {
        /// The name or the sign.
        name: String,
        /// Between double quotes: it is not split into words.
        quoted: bool,
    },
    /// `$( … )`.
    Output {
        /// What is run.
        list: List,
        /// Between double quotes.
        quoted: bool,
    },
    /// `$(( … ))`.
    Arithmetic(String),
    /// `~` at the beginning.
    Home,
}

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The descriptor: 0, 1 or 2.
    pub fd: u8,
    /// What it is made.
    pub to: Target,
}

/// What a descriptor is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `<`
    Read(Word),
    /// `>`
    Write(Word),
    /// `>>`
    Append(Word),
    /// `>&1`
    Same(u8),
}
