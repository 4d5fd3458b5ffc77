//! What stands on the screen, and what a key changes in it.

use super::super::ps::Sort;
use super::super::text;
use super::Options;
use super::keys::Key;
use super::sample::Sample;

/// Lines above the processes: the title and the names of the columns.
const HEAD: usize = 2;
/// Columns that an arrow moves the table by.
const STEP: usize = 8;
const BOLD: &str = "\x1b[1m";
const REVERSE: &str = "\x1b[7m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

const HELP: [&str; 14] = [
    "q, Ctrl-C      quit",
    "Up, Down       a line; k and j do the same",
    "PgUp, PgDn     a page; Home, End: to the first and the last line",
    "Left, Right    the rest of long lines",
    "s              sort by the next of: pid, cpu, rss, container, command",
    "a              all processes of the host, or those of machines and containers",
    "h              this help",
    "",
    "%CPU           of one CPU, since the last reading",
    "THR%           periods in which its cgroup was throttled, of all periods since then",
    "GROUP-MEM      memory of its cgroup against the limit",
    "NS             P pid, M mnt, H uts, I ipc, U user, N net, C cgroup, T time:",
    "               its own; a dot is the host's, a question mark cannot be read",
    "",
];

/// The state of the page.
#[derive(Debug)]
pub(super) struct Page {
    /// Every process of the host.
    pub(super) all: bool,
    /// In which order.
    pub(super) sort: Sort,
    interval: std::time::Duration,
    has_colour: bool,
    offset: usize,
    shift: usize,
    help: bool,
}

impl Page {
    /// As it was asked for.
    pub(super) fn new(options: &Options) -> Self {
        // https://no-color.org: set and not empty.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Page {
            all: options.all,
            sort: options.sort,
            interval: options.interval,
            has_colour: !no_color,
            offset: 0,
            shift: 0,
            help: false,
        }
    }

    /// A key; `false` ends it.
    pub(super) fn press(&mut self, key: Key, rows: usize) -> bool {
        let page = rows.saturating_sub(HEAD + 1).max(1);
        match key {
            Key::Char('q') | Key::Interrupt => return false,
            Key::Char('h' | '?') => self.help = !self.help,
            Key::Char('a') => self.all = !self.all,
            Key::Char('s') => {
                let at = Sort::ALL.iter().position(|sort| *sort == self.sort).unwrap_or(0);
                self.sort = Sort::ALL[(at + 1) % Sort::ALL.len()];
            }
            Key::Up | Key::Char('k') => self.offset = self.offset.saturating_sub(1),
            Key::Down | Key::Char('j') => self.offset = self.offset.saturating_add(1),
            Key::PageUp => self.offset = self.offset.saturating_sub(page),
            Key::PageDown => self.offset = self.offset.saturating_add(page),
            Key::Home => self.offset = 0,
            Key::End => self.offset = usize::MAX,
            Key::Left => self.shift = self.shift.saturating_sub(STEP),
            Key::Right => self.shift = self.shift.saturating_add(STEP).min(4_096),
            Key::Char(_) | Key::Stop | Key::Redraw => {}
        }
        true
    }

    /// The lines of a screen of this size.
    pub(super) fn frame(&mut self, sample: &Sample, rows: usize, columns: usize) -> Vec<String> {
        let room = rows.saturating_sub(HEAD);
        self.offset = self.offset.min(sample.len().saturating_sub(room.max(1)));
        let mut frame = vec![self.style(BOLD, &self.title(sample), columns)];
        if self.help {
            frame.extend(HELP.iter().map(|line| text::cut(line, columns).to_string()));
            frame.truncate(rows);
            return frame;
        }
        let mut lines = sample.lines(true).into_iter();
        let head = format!("{:<columns$}", self.moved(&lines.next().unwrap_or_default()));
        frame.push(self.style(REVERSE, &head, columns));
        for (i, line) in lines.enumerate().skip(self.offset).take(room) {
            let line = self.moved(&line);
            frame.push(if self.has_colour && sample.is_throttled(i) {
                self.style(YELLOW, &line, columns)
            } else {
                text::cut(&line, columns).to_string()
            });
        }
        if sample.len() == 0 {
            let empty = "no machine or container runs; press a to see every process of the host";
            frame.push(text::cut(empty, columns).to_string());
        }
        frame.truncate(rows);
        frame
    }

    fn title(&self, sample: &Sample) -> String {
        let what = if self.all { "of the host" } else { "of machines and containers" };
        format!(
            "vitrine top: {} processes {what}, {}% CPU, every {} s, by {}  (q quit, h help)",
            sample.len(),
            text::percent(sample.cpu_permille()),
            self.interval.as_secs_f64(),
            self.sort.name(),
        )
    }

    /// A line from the column on that the arrows have moved to.
    fn moved(&self, line: &str) -> String {
        line[text::cut(line, self.shift).len()..].to_string()
    }

    fn style(&self, style: &str, line: &str, columns: usize) -> String {
        format!("{style}{}{PLAIN}", text::cut(line, columns))
    }
}
