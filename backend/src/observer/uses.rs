//! What the groups in focus use besides the CPU, four times a second: memory and what it is made
//! of, processes, block devices.
//!
//! A reading opens its ten or so files anew (about 0.1 ms): nothing is kept, so that a group that
//! is removed and made again is never mistaken.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use vitrine_shared::cgroup::{Controller, Dialect, parse_device};
use vitrine_shared::focus::Focus;
use vitrine_shared::limits::FOCUSES;
use vitrine_shared::uses::{DeviceUse, IoUse, MemoryUse, PidsUse, Pressure, STEP_MSEC, UseSample};

use super::schedule::step_after;
use super::{clock, file, group, parse};
use crate::ipc::ObservedMachine;

/// What web wants to be read.
#[derive(Debug, Default)]
pub(super) struct Uses {
    wanted: BTreeSet<Focus>,
    due_nsec: u64,
}

impl Uses {
    /// Reads this group from now on, or no longer.
    pub(super) fn set(&mut self, focus: Focus, on: bool) {
        if !on {
            self.wanted.remove(&focus);
        } else if (self.wanted.len() as u64) < FOCUSES.value && self.wanted.insert(focus) {
            // The first reading is due at once.
            self.due_nsec = 0;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.wanted.clear();
    }

    /// The moment of the next reading.
    pub(super) fn next_nsec(&self) -> Option<u64> {
        (!self.wanted.is_empty()).then_some(self.due_nsec)
    }

    /// Reads all groups, when it is time now; `machine` knows the machines.
    pub(super) fn read_due<'a>(
        &mut self,
        now_nsec: u64,
        machine: impl Fn(Focus) -> Option<&'a ObservedMachine>,
        buffer: &mut Vec<u8>,
    ) -> Vec<UseSample> {
        if self.wanted.is_empty() || now_nsec < self.due_nsec {
            return Vec::new();
        }
        self.due_nsec = step_after(STEP_MSEC * 1_000_000, now_nsec);
        let read = |focus: &Focus| read(*focus, machine(*focus)?, buffer);
        self.wanted.iter().filter_map(read).collect()
    }
}

/// One group; `None` when there is no such group.
fn read(focus: Focus, machine: &ObservedMachine, buffer: &mut Vec<u8>) -> Option<UseSample> {
    let path = group::path_of(machine, focus.group)?;
    let place = |controller: Controller| {
        let is_it = |name: &String| Controller::named(name) == Some(controller);
        let mut hierarchies = machine.hierarchies.iter();
        let home = hierarchies.find(|hierarchy| hierarchy.controllers.iter().any(is_it))?;
        Some((group::directory(home, &path), home.dialect))
    };
    let at_nsec = clock::monotonic_nsec();
    let memory = place(Controller::Memory).and_then(|place| memory(&mut Files { place, buffer }));
    let pids = place(Controller::Pids).and_then(|place| pids(&mut Files { place, buffer }));
    let io = place(Controller::Io).and_then(|place| io(&mut Files { place, buffer }));
    let is_there = memory.is_some() || pids.is_some() || io.is_some();
    is_there.then_some(UseSample { focus, at_nsec, memory, pids, io })
}

/// The files of one group in one hierarchy.
struct Files<'a> {
    place: (PathBuf, Dialect),
    buffer: &'a mut Vec<u8>,
}

impl Files<'_> {
    /// What a file says; `None` when there is none.
    fn text(&mut self, name: &str) -> Option<&[u8]> {
        let file = file::open(&self.place.0.join(Path::new(name))).ok()?;
        file::read_list(&file, self.buffer).ok()?;
        Some(self.buffer)
    }

    fn value(&mut self, name: &str) -> Option<u64> {
        self.text(name).and_then(parse::value)
    }

    fn limit(&mut self, name: &str) -> Option<u64> {
        self.text(name).and_then(parse::limit)
    }

    fn pressure(&mut self, name: &str) -> Option<Pressure> {
        self.text(name).and_then(parse::pressure)
    }
}

fn memory(files: &mut Files<'_>) -> Option<MemoryUse> {
    let dialect = files.place.1;
    let mut memory = MemoryUse { dialect, ..MemoryUse::default() };
    match dialect {
        Dialect::V1 => {
            memory.current_bytes = files.value("memory.usage_in_bytes")?;
            memory.max_bytes = files.limit("memory.limit_in_bytes");
            memory.soft_bytes = files.limit("memory.soft_limit_in_bytes");
            memory.met_max = files.value("memory.failcnt").unwrap_or(0);
            memory.oom_kills =
                files.text("memory.oom_control").and_then(parse::oom_kill).unwrap_or(0);
            memory.kernel_bytes = files.value("memory.kmem.usage_in_bytes");
            let both = files.value("memory.memsw.usage_in_bytes");
            // The group's use is counted with all below it, so its parts are, too.
            let stat = files.text("memory.stat").unwrap_or_default();
            memory.anon_bytes = parse::field(stat, "total_rss").unwrap_or(0);
            memory.file_bytes = parse::field(stat, "total_cache").unwrap_or(0);
            memory.swap_bytes = both.and_then(|_| parse::field(stat, "total_swap"));
        }
        Dialect::V2 => {
            // The root of the hierarchy has no such file, and is nobody's group.
            memory.current_bytes = files.value("memory.current")?;
            memory.max_bytes = files.limit("memory.max");
            memory.high_bytes = files.limit("memory.high");
            memory.swap_bytes = files.value("memory.swap.current");
            let events = files.text("memory.events").unwrap_or_default();
            memory.met_high = parse::field(events, "high");
            memory.met_max = parse::field(events, "max").unwrap_or(0);
            memory.oom_kills = parse::oom_kill(events).unwrap_or(0);
            let stat = files.text("memory.stat").unwrap_or_default();
            memory.anon_bytes = parse::field(stat, "anon").unwrap_or(0);
            memory.file_bytes = parse::field(stat, "file").unwrap_or(0);
            memory.slab_bytes = parse::field(stat, "slab");
            // Before 5.18 there was no sum of the kernel's parts.
            memory.kernel_bytes = parse::field(stat, "kernel").or_else(|| {
                let parts = ["slab", "kernel_stack", "pagetables", "percpu"];
                let found: Vec<u64> =
                    parts.into_iter().filter_map(|part| parse::field(stat, part)).collect();
                (!found.is_empty()).then(|| found.iter().sum())
            });
            memory.reclaimed_pages = parse::field(stat, "pgsteal");
            memory.pressure = files.pressure("memory.pressure");
        }
    }
    Some(memory)
}

fn pids(files: &mut Files<'_>) -> Option<PidsUse> {
    Some(PidsUse {
        current: files.value("pids.current")?,
        max: files.limit("pids.max"),
        refused: files.text("pids.events").and_then(|text| parse::field(text, "max")),
    })
}

fn io(files: &mut Files<'_>) -> Option<IoUse> {
    let dialect = files.place.1;
    let mut io = IoUse { dialect, ..IoUse::default() };
    match dialect {
        Dialect::V1 => {
            let bytes = first(
                files,
                &["blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"],
            )?;
            add(&mut io, &bytes, |device, key, value| match key {
                "Read" => device.read_bytes = value,
                "Write" => device.written_bytes = value,
                _ => {}
            });
            let times = first(
                files,
                &["blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced"],
            );
            add(&mut io, &times.unwrap_or_default(), |device, key, value| match key {
                "Read" => device.reads = value,
                "Write" => device.writes = value,
                _ => {}
            });
            type Limit = fn(&mut DeviceUse) -> &mut Option<u64>;
            let limits: [(&str, Limit); 4] = [
                ("read_bps", |device| &mut device.limits.read_bps),
                ("write_bps", |device| &mut device.limits.write_bps),
                ("read_iops", |device| &mut device.limits.read_iops),
                ("write_iops", |device| &mut device.limits.write_iops),
            ];
            for (name, limit) in limits {
                let text = first(files, &[&format!("blkio.throttle.{name}_device")]);
                for line in text.unwrap_or_default().lines() {
                    let Some((device, value)) = line.split_once(' ') else { continue };
                    let Some((major, minor)) = parse_device(device) else { continue };
                    if let Some(device) = io.device(major, minor) {
                        *limit(device) = value.trim().parse().ok();
                    }
                }
            }
        }
        Dialect::V2 => {
            let stat = first(files, &["io.stat"])?;
            add(&mut io, &stat, |device, key, value| match key {
                "rbytes" => device.read_bytes = value,
                "wbytes" => device.written_bytes = value,
                "rios" => device.reads = value,
                "wios" => device.writes = value,
                _ => {}
            });
            let limits = first(files, &["io.max"]).unwrap_or_default();
            for limits in limits.lines().filter_map(vitrine_shared::cgroup::IoMax::parse) {
                if let Some(device) = io.device(limits.major, limits.minor) {
                    device.limits = limits;
                }
            }
            io.pressure = files.pressure("io.pressure");
        }
    }
    Some(io)
}

/// The text of the first of these files that is there.
fn first(files: &mut Files<'_>, names: &[&str]) -> Option<String> {
    names
        .iter()
        .find_map(|name| files.text(name).map(|text| String::from_utf8_lossy(text).into_owned()))
}

/// Hands on what lines of a device say: v1 has a line for each key (`8:0 Read 5`), v2 all keys in
/// one (`8:0 rbytes=5 wbytes=0`).
fn add(io: &mut IoUse, text: &str, mut put: impl FnMut(&mut DeviceUse, &str, u64)) {
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let Some((major, minor)) = words.next().and_then(parse_device) else { continue };
        let Some(device) = io.device(major, minor) else { continue };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (word, words.next()),
            };
            if let Some(value) = value.and_then(|value| value.parse().ok()) {
                put(device, key, value);
            }
        }
    }
}

#[cfg(test)]
#[path = "tests/uses.rs"]
mod tests;
