//! What the kernel's files say: pure functions from bytes to numbers.
//!
//! The bytes are hostile: a process chooses its own name and command line. A line that does not
//! parse is `None` or left out, never a panic, and text that goes on to a page is made printable.

use vitrine_shared::uses::Pressure;

/// The fields used of `/proc/PID/stat`, see `proc_pid_stat(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat<'a> {
    /// The command's name, as raw as the process chose it.
    pub(crate) comm: &'a [u8],
    /// State letter.
    pub(crate) state: char,
    /// The parent's PID.
    pub(crate) parent: u32,
    /// A thread of the kernel's own (`PF_KTHREAD` of `linux/sched.h`).
    pub(crate) is_kernel: bool,
    /// User and system time of all its threads, in clock ticks.
    pub(crate) cpu_ticks: u64,
    /// Clock ticks from boot to its start.
    pub(crate) start_ticks: u64,
}

const PF_KTHREAD: u64 = 0x0020_0000;

/// Reads `/proc/PID/stat`. The name stands in parentheses and may itself hold `)` and newlines,
/// so it ends at the last `)` of the text; everything behind that is the kernel's own.
pub(crate) fn stat(text: &[u8]) -> Option<Stat<'_>> {
    let open = text.iter().position(|&b| b == b'(')?;
    let close = text.iter().rposition(|&b| b == b')')?;
    let comm = text.get(open + 1..close)?;
    let mut fields = words(text.get(close + 1..)?);
    let state = fields.next().and_then(|word| word.first())?;
    if !state.is_ascii_alphabetic() {
        return None;
    }
    let parent = number(fields.next()?).and_then(|n| u32::try_from(n).ok())?;
    let flags = fields.nth(4).and_then(number)?;
    let user = fields.nth(4).and_then(number)?;
    let system = fields.next().and_then(number)?;
    let start_ticks = fields.nth(6).and_then(number)?;
    let cpu_ticks = user.saturating_add(system);
    let is_kernel = flags & PF_KTHREAD != 0;
    Some(Stat { comm, state: char::from(*state), parent, is_kernel, cpu_ticks, start_ticks })
}

/// The fields used of `/proc/PID/status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// `NSpid`: the PID in each namespace, the reader's first.
    pub(crate) pids: Vec<u32>,
    /// Effective user id.
    pub(crate) euid: u32,
    /// `VmRSS`; 0 for a zombie.
    pub(crate) rss_bytes: u64,
}

/// Levels of PID namespaces the kernel allows (`MAX_PID_NS_LEVEL`), and the initial one.
const MAX_PID_LEVELS: usize = 33;

/// Reads `/proc/PID/status`. The kernel escapes newlines in `Name`, so no line can be forged.
pub(crate) fn status(text: &[u8]) -> Option<Status> {
    let mut status = Status::default();
    let mut euid = None;
    for (key, value) in text.split(|&b| b == b'\n').filter_map(|line| split_once(line, b':')) {
        match key {
            b"Uid" => euid = words(value).nth(1).and_then(number),
            b"NSpid" => status.pids = words(value).map_while(pid).take(MAX_PID_LEVELS).collect(),
            b"VmRSS" => {
                let kib = words(value).next().and_then(number).unwrap_or(0);
                status.rss_bytes = kib.saturating_mul(1024);
            }
            _ => {}
        }
    }
    status.euid = u32::try_from(euid?).ok()?;
    Some(status)
}

/// The inode number in the text of a link below `/proc/PID/ns`, such as `net:[4026531833]`.
pub(crate) fn namespace_link(text: &[u8]) -> Option<u64> {
    let (_, rest) = split_once(text, b'[')?;
    number(rest.strip_suffix(b"]")?)
}

/// Adds the PIDs of a `cgroup.procs`. 0 stands for a process that the reader cannot see.
pub(crate) fn procs(text: &[u8]) -> impl Iterator<Item = u32> {
    words(text).filter_map(pid).filter(|&pid| pid != 0)
}

/// `cpu.stat` of either dialect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuStat {
    /// CPU time used; only v2 says it here.
    pub(crate) usage_nsec: Option<u64>,
    /// Periods that passed under a quota.
    pub(crate) nr_periods: u64,
    /// Of these, the throttled ones.
    pub(crate) nr_throttled: u64,
    /// Time its run queues stood throttled.
    pub(crate) throttled_usec: u64,
    /// Periods in which saved quota was used.
    pub(crate) nr_bursts: u64,
    /// CPU time used beyond the quota in these.
    pub(crate) burst_usec: u64,
}

/// Reads `cpu.stat` of either dialect; v1 writes nanoseconds where v2 writes microseconds.
pub(crate) fn cpu_stat(text: &[u8]) -> CpuStat {
    let mut stat = CpuStat::default();
    for (key, value) in pairs(text) {
        match key {
            b"usage_usec" => stat.usage_nsec = Some(value.saturating_mul(1_000)),
            b"nr_periods" => stat.nr_periods = value,
            b"nr_throttled" => stat.nr_throttled = value,
            b"throttled_time" => stat.throttled_usec = value / 1_000,
            b"throttled_usec" => stat.throttled_usec = value,
            b"nr_bursts" => stat.nr_bursts = value,
            b"burst_time" => stat.burst_usec = value / 1_000,
            b"burst_usec" => stat.burst_usec = value,
            _ => {}
        }
    }
    stat
}

/// `cpu.max`: the quota (`None` is `max`) and the period.
pub(crate) fn cpu_max(text: &[u8]) -> Option<(Option<u64>, u64)> {
    let mut fields = words(text);
    let quota = fields.next().map(limit)?;
    Some((quota, fields.next().and_then(number)?))
}

/// What v1's memory controller says for "no limit" is the largest multiple of the page size in a
/// C `long`; pages are at most 64 KiB.
const V1_NO_LIMIT: u64 = i64::MAX as u64 - 0xffff;

/// A limit: `max`, `-1` and v1 memory's largest number are none.
pub(crate) fn limit(text: &[u8]) -> Option<u64> {
    value(text).filter(|&limit| limit < V1_NO_LIMIT)
}

/// The single number of a file such as `pids.current`.
pub(crate) fn value(text: &[u8]) -> Option<u64> {
    words(text).next().and_then(number)
}

/// The numbers of a file such as `cpuacct.usage_percpu`, up to the last that is not 0: v1 has one
/// for each CPU that the host could ever have.
pub(crate) fn values(text: &[u8], most: usize) -> Vec<u64> {
    let mut values: Vec<u64> = words(text).map_while(number).take(most).collect();
    while values.last() == Some(&0) {
        values.pop();
    }
    values
}

/// `/proc/TID/schedstat`: time on a CPU and time of waiting for one, in nanoseconds.
pub(crate) fn schedstat(text: &[u8]) -> Option<(u64, u64)> {
    let mut words = words(text);
    Some((number(words.next()?)?, number(words.next()?)?))
}

/// The counter `oom_kill` of `memory.oom_control` or `memory.events`.
pub(crate) fn oom_kill(text: &[u8]) -> Option<u64> {
    field(text, "oom_kill")
}

/// A file such as `memory.pressure`: the two sums, in microseconds.
pub(crate) fn pressure(text: &[u8]) -> Option<Pressure> {
    let total = |name: &[u8]| {
        let line = text.split(|&b| b == b'\n').find(|line| line.starts_with(name))?;
        words(line).find_map(|word| number(word.strip_prefix(b"total=")?))
    };
    // Before 5.13 some files had no second line.
    Some(Pressure { some_usec: total(b"some ")?, full_usec: total(b"full ").unwrap_or(0) })
}

/// The number behind a key, in a file of such lines.
pub(crate) fn field(text: &[u8], name: &str) -> Option<u64> {
    pairs(text).find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value)
}

/// Bytes kept of a command line: those of a full machine (256 processes) fill no more than what
/// a channel takes without waiting.
const COMMAND_BYTES: usize = 200;

/// A command line as a page may show it: words joined by blanks, printable, cut.
pub(crate) fn command_line(text: &[u8]) -> String {
    let end = text.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
    let spaced: Vec<u8> =
        text[..end].iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
    printable(&spaced, COMMAND_BYTES)
}

/// Text that cannot move a cursor or break a line, cut to so many bytes.
pub(crate) fn printable(text: &[u8], max_bytes: usize) -> String {
    let show = |c: char| if c.is_control() || is_invisible(c) { '?' } else { c };
    let mut shown = String::new();
    for c in String::from_utf8_lossy(text).chars().map(show) {
        if shown.len() + c.len_utf8() > max_bytes {
            break;
        }
        shown.push(c);
    }
    shown
}

/// Characters that reorder or hide their neighbours.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Lines of a key and a number.
fn pairs(text: &[u8]) -> impl Iterator<Item = (&[u8], u64)> {
    text.split(|&b| b == b'\n').filter_map(|line| {
        let (key, value) = split_once(line, b' ')?;
        Some((key, number(value)?))
    })
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn split_once(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let i = text.iter().position(|&b| b == at)?;
    Some((&text[..i], &text[i + 1..]))
}

fn pid(word: &[u8]) -> Option<u32> {
    number(word).and_then(|n| u32::try_from(n).ok())
}

/// Digits and nothing else: no sign, no blank.
fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() {
        return None;
    }
    word.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
#[path = "tests/parse.rs"]
mod tests;
