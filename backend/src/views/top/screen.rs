//! The terminal in raw mode on its second screen, and put back on every way out.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::read;

use super::keys::{self, Key};
use crate::launcher::sys;

/// To the second screen, without the cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// Settings to be put back, while the screen is ours: a panic looks here too.
static SAVED: Mutex<Option<Saved>> = Mutex::new(None);

/// The terminal's settings, where input is one.
struct Saved(Option<Termios>);

/// What the signals that end it have in common: they can be waited for.
const SIGNALS: [Signal; 6] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
];

/// Is there a terminal that can be drawn on?
pub(super) fn is_possible() -> bool {
    let can_draw = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    can_draw && io::stdout().is_terminal()
}

/// What happened while we waited.
#[derive(Debug)]
pub(super) enum Happened {
    /// It is time.
    Time,
    /// Keys.
    Keys(Vec<Key>),
    /// The window has another size, or we are back from being stopped.
    Resized,
    /// A signal ends us: the status to exit with.
    Ended(u8),
}

/// The screen; put back on drop.
pub(super) struct Screen {
    signals: SignalFd,
    typed: Vec<u8>,
    hears: bool,
}

impl Screen {
    /// Takes the terminal over. Before any thread is started: signals are blocked in all of them.
    pub(super) fn enter() -> anyhow::Result<Self> {
        let set: SigSet = SIGNALS.into_iter().collect();
        set.thread_block().context("block signals")?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        let signals = SignalFd::with_flags(&set, flags).context("signalfd")?;
        put_back_on_panic();
        let screen = Screen { signals, typed: Vec::new(), hears: io::stdin().is_terminal() };
        take(screen.hears)?;
        Ok(screen)
    }

    /// Rows and columns.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = sys::window_size(sys::borrow_stdio(1)).filter(|s| s.ws_row > 0 && s.ws_col > 0);
        size.map_or((24, 80), |size| (size.ws_row.into(), size.ws_col.into()))
    }

    /// Draws these lines over what is there, without a moment of emptiness.
    pub(super) fn draw(&self, lines: &[String]) -> anyhow::Result<()> {
        let mut text = String::from("\x1b[H");
        text.push_str(&lines.join("\x1b[K\r\n"));
        text.push_str("\x1b[K\x1b[J");
        show(&text).context("write to the terminal")
    }

    /// Waits for something, until this moment.
    pub(super) fn wait(&mut self, until: Instant) -> anyhow::Result<Happened> {
        loop {
            // At least a millisecond: a time of zero would never look at the keys.
            let left = until.saturating_duration_since(Instant::now()).as_micros().div_ceil(1_000);
            if left == 0 {
                return Ok(Happened::Time);
            }
            let timeout = PollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX));
            let stdin = sys::borrow_stdio(0);
            let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            if self.hears {
                fds.push(PollFd::new(stdin, PollFlags::POLLIN));
            }
            match poll(&mut fds, timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno).context("poll the terminal"),
            }
            let is_ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
            let (signal, typed) = (is_ready(&fds[0]), fds.get(1).is_some_and(is_ready));
            if signal && let Some(happened) = self.hear_signal()? {
                return Ok(happened);
            }
            if typed && let Some(happened) = self.hear_keys()? {
                return Ok(happened);
            }
        }
    }

    fn hear_signal(&mut self) -> anyhow::Result<Option<Happened>> {
        let Some(info) = self.signals.read_signal().context("read a signal")? else {
            return Ok(None);
        };
        match info.ssi_signo.cast_signed() {
            libc::SIGWINCH => Ok(Some(Happened::Resized)),
            libc::SIGTSTP => self.stop().map(Some),
            signal => Ok(Some(Happened::Ended(u8::try_from(128 + signal).unwrap_or(1)))),
        }
    }

    fn hear_keys(&mut self) -> anyhow::Result<Option<Happened>> {
        let mut buffer = [0; 256];
        match read(sys::borrow_stdio(0), &mut buffer) {
            Ok(0) => self.hears = false,
            Ok(len) => self.typed.extend_from_slice(&buffer[..len]),
            Err(Errno::EINTR | Errno::EAGAIN) => return Ok(None),
            // The terminal has been hung up.
            Err(_) => return Ok(Some(Happened::Ended(129))),
        }
        let keys = keys::decode(&mut self.typed);
        if keys.contains(&Key::Stop) {
            return self.stop().map(Some);
        }
        Ok((!keys.is_empty()).then_some(Happened::Keys(keys)))
    }

    /// Gives the terminal back to the shell until it lets us go on.
    fn stop(&mut self) -> anyhow::Result<Happened> {
        put_back();
        raise(Signal::SIGSTOP).context("stop")?;
        take(self.hears)?;
        Ok(Happened::Resized)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        put_back();
    }
}

fn take(hears: bool) -> anyhow::Result<()> {
    let stdin = sys::borrow_stdio(0);
    let before =
        hears.then(|| tcgetattr(stdin)).transpose().context("read the terminal's settings")?;
    if let Some(before) = &before {
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(stdin, SetArg::TCSADRAIN, &raw).context("put the terminal into raw mode")?;
    }
    *SAVED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Saved(before));
    show(ENTER).context("write to the terminal")
}

/// Puts the terminal back; again is nothing.
fn put_back() {
    let saved = SAVED.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Saved(before)) = saved {
        // A terminal that has gone needs no putting back.
        let _ = show(LEAVE);
        if let Some(before) = before {
            let _ = tcsetattr(sys::borrow_stdio(0), SetArg::TCSADRAIN, &before);
        }
    }
}

/// The message of a panic is for the first screen; and nothing is dropped where panics abort.
fn put_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            put_back();
            before(info);
        }));
    });
}

fn show(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
