//! Where a program reads from and writes to.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::errno::Errno;
use super::super::procs::Proc;
use super::tty::Tty;
use super::world::World;

/// Bytes that a pipe holds.
const PIPE_MAX: usize = 65_536;
/// Bytes that are collected for `$( )`, at most.
const CAPTURE_MAX: usize = 1 << 20;

/// A pipe. Its ends are counted: who reads meets the end when nobody writes any more, who writes is
/// told when nobody reads.
#[derive(Debug, Default)]
pub struct Pipe {
    text: RefCell<String>,
}

/// The end of a pipe that is read.
#[derive(Clone, Debug)]
pub struct Reader {
    pipe: Rc<Pipe>,
    /// Lives as long as somebody writes.
    writers: std::rc::Weak<()>,
    _reads: Rc<()>,
}

/// The end of a pipe that is written.
#[derive(Clone, Debug)]
pub struct Writer {
    pipe: Rc<Pipe>,
    readers: std::rc::Weak<()>,
    _writes: Rc<()>,
}

/// A new pipe.
pub fn pipe() -> (Reader, Writer) {
    let pipe = Rc::new(Pipe::default());
    let (reads, writes) = (Rc::new(()), Rc::new(()));
    let reader =
        Reader { pipe: pipe.clone(), writers: Rc::downgrade(&writes), _reads: reads.clone() };
    (reader, Writer { pipe, readers: Rc::downgrade(&reads), _writes: writes })
}

/// Standard input.
#[derive(Clone, Debug)]
pub enum Source {
    /// A terminal.
    Terminal(Tty),
    /// Nothing.
    Null,
    /// A file that was opened: what is in it is seen when it is read first.
    File(Rc<File>),
    /// A pipe.
    Pipe(Reader),
}

/// A file that is read.
#[derive(Debug)]
pub struct File {
    proc: Proc,
    path: String,
    text: RefCell<Option<String>>,
}

impl File {
    /// By whom it was opened, and its path from the root of that process on.
    pub fn new(proc: Proc, path: String) -> Self {
        File { proc, path, text: RefCell::default() }
    }

    fn take(
        &self,
        world: &World,
        take: impl FnOnce(&mut String) -> Option<String>,
    ) -> Option<String> {
        let mut text = self.text.borrow_mut();
        let read = || world.look(|kernel| kernel.read(self.proc, &self.path)).unwrap_or_default();
        take(text.get_or_insert_with(read))
    }
}

/// Standard output or error.
#[derive(Clone, Debug)]
pub enum Sink {
    /// A terminal.
    Terminal(Tty),
    /// Nowhere.
    Null,
    /// A file, which was opened already. Each write goes behind what is there.
    File {
        /// Its path.
        path: String,
    },
    /// A pipe.
    Pipe(Writer),
    /// What `$( )` collects.
    Capture(Rc<RefCell<String>>),
}

/// The three streams.
#[derive(Clone, Debug)]
pub struct Io {
    /// 0
    pub input: Source,
    /// 1
    pub output: Sink,
    /// 2
    pub error: Sink,
}

impl Io {
    /// All of them at a terminal.
    pub fn terminal(tty: &Tty) -> Self {
        Io {
            input: Source::Terminal(tty.clone()),
            output: Sink::Terminal(tty.clone()),
            error: Sink::Terminal(tty.clone()),
        }
    }

    /// Nobody types, nobody reads.
    pub fn null() -> Self {
        Io { input: Source::Null, output: Sink::Null, error: Sink::Null }
    }
}

impl Source {
    /// Everything up to the end.
    pub async fn read_all(&self, world: &World) -> String {
        let mut all = String::new();
        while let Some(line) = self.read_line(world).await {
            all += &line;
        }
        all
    }

    /// What there is, at least a line; `None` after the end. As `read(2)` with much room.
    pub async fn read_some(&self, world: &World) -> Option<String> {
        let mut some = self.read_line(world).await?;
        match self {
            Source::File(file) => {
                let rest = file.take(world, |text| Some(std::mem::take(text)));
                some += &rest.unwrap_or_default();
            }
            Source::Pipe(reader) => {
                let mut text = reader.pipe.text.borrow_mut();
                // A line that is not written to its end stays.
                let end = text.rfind('\n').map_or(0, |at| at + 1);
                some.extend(text.drain(..end));
            }
            Source::Terminal(_) | Source::Null => {}
        }
        Some(some)
    }

    /// One line with its end; `None` after the last.
    pub async fn read_line(&self, world: &World) -> Option<String> {
        match self {
            Source::Terminal(tty) => world.read_line(tty).await.map(|line| line + "\n"),
            Source::Null => None,
            Source::File(file) => file.take(world, |text| take_line(text, true)),
            Source::Pipe(reader) => {
                world
                    .until(|| {
                        let ended = reader.writers.strong_count() == 0;
                        let line = take_line(&mut reader.pipe.text.borrow_mut(), ended);
                        if line.is_none() && !ended { None } else { Some(line) }
                    })
                    .await
            }
        }
    }
}

fn take_line(text: &mut String, ended: bool) -> Option<String> {
    let end = match text.find('\n') {
        Some(at) => at + 1,
        None if ended && !text.is_empty() => text.len(),
        None => return None,
    };
    Some(text.drain(..end).collect())
}

impl Sink {
    /// Writes a text; waits while a pipe is full. `Err` is what the kernel says; of a pipe that nobody
    /// reads, `None`: the writer ends by `SIGPIPE`.
    pub async fn write(&self, world: &World, proc: Proc, text: &str) -> Result<(), Option<Errno>> {
        match self {
            Sink::Terminal(tty) => tty.print(text),
            Sink::Null => {}
            Sink::Capture(all) => {
                let mut all = all.borrow_mut();
                if all.len() + text.len() > CAPTURE_MAX {
                    return Err(Some(Errno::Enomem));
                }
                all.push_str(text);
            }
            Sink::File { path } => {
                world.act(|kernel| kernel.write(proc, path, text, true)).map_err(Some)?;
            }
            Sink::Pipe(writer) => {
                let reads = || writer.readers.strong_count() > 0;
                let room = || !reads() || writer.pipe.text.borrow().len() < PIPE_MAX;
                world.until(|| room().then_some(())).await;
                if !reads() {
                    return Err(None);
                }
                writer.pipe.text.borrow_mut().push_str(text);
            }
        }
        world.stir();
        Ok(())
    }
}
