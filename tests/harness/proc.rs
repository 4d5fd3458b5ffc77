//! Processes as the host's `/proc` shows them.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// Names of the eight types below `/proc/<pid>/ns`.
pub(crate) const NAMESPACES: [&str; 8] =
    ["pid", "mnt", "uts", "ipc", "user", "net", "cgroup", "time"];

/// All PIDs.
pub(crate) fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// A file of `/proc/<pid>`; empty when the process has gone.
pub(crate) fn read(pid: u32, file: &str) -> String {
    let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A field of `/proc/<pid>/status`.
#[track_caller]
pub(crate) fn status(pid: u32, field: &str) -> String {
    field_of(&read(pid, "status"), field)
}

/// A field of the text of a `status` file.
#[track_caller]
pub(crate) fn field_of(status: &str, field: &str) -> String {
    let found = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {field} in {status:?}")).trim().to_string()
}

/// Its namespaces: `uts:[4026531838]` and so on, in the order of [`NAMESPACES`].
#[track_caller]
pub(crate) fn namespaces(pid: u32) -> [String; 8] {
    NAMESPACES.map(|name| {
        let link = fs::read_link(format!("/proc/{pid}/ns/{name}"));
        let link = link.unwrap_or_else(|err| panic!("/proc/{pid}/ns/{name}: {err}"));
        link.to_string_lossy().into_owned()
    })
}

/// The types in which two processes differ.
pub(crate) fn differing(a: &[String; 8], b: &[String; 8]) -> Vec<&'static str> {
    let differ = |&(i, _): &(usize, &&str)| a[i] != b[i];
    NAMESPACES.iter().enumerate().filter(differ).map(|(_, name)| *name).collect()
}

/// Processes whose command line has this word.
pub(crate) fn with_word(word: &str) -> Vec<u32> {
    let has = |&pid: &u32| read(pid, "cmdline").split('\0').any(|other| other == word);
    pids().into_iter().filter(has).collect()
}

/// The `sleep` that has this word in its command line, once it sleeps.
#[track_caller]
pub(crate) fn wait_for_sleep(word: &str) -> u32 {
    let sleeps = |&pid: &u32| read(pid, "comm").trim() == "sleep";
    super::wait_for("sleep", Duration::from_secs(20), || with_word(word).into_iter().find(sleeps))
}

/// Children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let is_child = |&other: &u32| parent(other) == Some(pid);
    pids().into_iter().filter(is_child).collect()
}

fn parent(pid: u32) -> Option<u32> {
    read(pid, "stat").rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Has it gone, or is it only a zombie?
pub(crate) fn is_dead(pid: u32) -> bool {
    let stat = read(pid, "stat");
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// Of its main thread: time on a CPU and time spent waiting for one, in nanoseconds.
pub(crate) fn cpu_and_wait_nsec(pid: u32) -> (u64, u64) {
    let text = read(pid, "schedstat");
    let mut words = text.split(' ').map(|word| word.parse().unwrap_or(0));
    (words.next().unwrap_or(0), words.next().unwrap_or(0))
}

/// The share of a CPU that a process uses over a time.
pub(crate) fn cpu_share(pid: u32, over: Duration) -> f64 {
    let (began, (before, _)) = (Instant::now(), cpu_and_wait_nsec(pid));
    std::thread::sleep(over);
    let used = cpu_and_wait_nsec(pid).0 - before;
    Duration::from_nanos(used).as_secs_f64() / began.elapsed().as_secs_f64()
}

/// Open descriptors: what each leads to.
pub(crate) fn descriptors(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links.map(|link| link.to_string_lossy().into_owned()).collect()
}

/// Clock ticks since boot, as `/proc/<pid>/stat` counts them.
pub(crate) fn now_ticks() -> u64 {
    let uptime = fs::read_to_string("/proc/uptime").expect("/proc/uptime");
    let hundredths: String = uptime.split(' ').next().unwrap_or("").replace('.', "");
    hundredths.parse().expect("seconds with two decimals")
}

/// When it started, in clock ticks since boot.
fn start_ticks(pid: u32) -> Option<u64> {
    read(pid, "stat").rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

/// Who holds one of these namespaces, by being in it or by a descriptor. The kernel gives the
/// numbers again, so only processes count that were there at `ticks`, when these were in use.
pub(crate) fn holders(namespaces: &BTreeSet<String>, ticks: u64) -> Vec<String> {
    let mut found = Vec::new();
    let was_there = |&pid: &u32| start_ticks(pid).is_some_and(|start| start <= ticks);
    for pid in pids().into_iter().filter(was_there) {
        for name in NAMESPACES {
            let link = fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap_or_default();
            let link = link.to_string_lossy().into_owned();
            if namespaces.contains(&link) {
                found.push(format!("PID {pid} is in {link}"));
            }
        }
        let held = descriptors(pid).into_iter().filter(|link| namespaces.contains(link));
        found.extend(held.map(|link| format!("PID {pid} has {link} open")));
    }
    found
}

/// The port that a process listens on, once it does.
pub(crate) fn listening_port(pid: u32) -> Option<u16> {
    let sockets = descriptors(pid);
    let table = format!("{}{}", read(pid, "net/tcp"), read(pid, "net/tcp6"));
    // `proc_net(5)`: address:port in hexadecimal, state 0A is LISTEN, the inode is the tenth word.
    table.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (local, inode) = (words.get(1)?, words.get(9)?);
        let ours = words[3] == "0A" && sockets.contains(&format!("socket:[{inode}]"));
        ours.then(|| u16::from_str_radix(local.rsplit(':').next()?, 16).ok())?
    })
}
