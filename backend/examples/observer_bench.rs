//! What one tick of the observer costs, beside one `top -b -n 1`, as a table for `cargo xtask bench`.
//!
//! `observer_bench [ticks] [processes…]`, by default 50 ticks at 20 Hz over 20, 200, 577 and 1,000
//! sleepers, which stand in cgroups made for them.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};
use serde_json::json;
use vitrine::ipc::{ObservedHierarchy, ObservedMachine};
use vitrine::observer::Reader;
use vitrine_shared::cgroup::{Dialect, GroupId};
use vitrine_shared::id::MachineId;

const MACHINE: MachineId = MachineId(1);

/// The sleepers and where they stand; all of it is removed on drop.
struct Crowd {
    children: Vec<Child>,
    hierarchies: Vec<ObservedHierarchy>,
}

impl Crowd {
    fn new(n_processes: usize) -> Self {
        let mut crowd = Crowd { children: Vec::new(), hierarchies: hierarchies() };
        for _ in 0..n_processes {
            let child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
            let pid = child.id().to_string();
            crowd.children.push(child);
            for hierarchy in &crowd.hierarchies {
                fs::write(hierarchy.directory.join("cgroup.procs"), &pid).unwrap();
            }
        }
        crowd
    }

    fn machine(&self) -> ObservedMachine {
        ObservedMachine {
            init_pid: 0,
            roots: Vec::new(),
            delegated: false,
            machine: MACHINE,
            uid_base: 0,
            hierarchies: self.hierarchies.clone(),
            groups: vec![(GroupId::Root, String::new())],
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for child in &mut self.children {
            // One that has ended already is reaped all the same.
            let _ = child.kill();
        }
        for child in &mut self.children {
            let _ = child.wait();
        }
        for hierarchy in &self.hierarchies {
            if let Err(err) = fs::remove_dir(&hierarchy.directory) {
                println!("left behind: {}: {err}", hierarchy.directory.display());
            }
        }
    }
}

fn hierarchies() -> Vec<ObservedHierarchy> {
    let name = format!("vitrine-observer-bench-{}", std::process::id());
    let make = |mount: PathBuf, controllers: &[&str], dialect| {
        let directory = mount.join(&name);
        fs::create_dir(&directory).unwrap();
        let controllers = controllers.iter().map(ToString::to_string).collect();
        ObservedHierarchy { controllers, dialect, directory }
    };
    let root = Path::new("/sys/fs/cgroup");
    if root.join("cgroup.controllers").exists() {
        return vec![make(root.into(), &["cpu", "memory", "pids"], Dialect::V2)];
    }
    ["pids", "cpu", "cpuacct", "memory"]
        .iter()
        .filter(|controller| root.join(controller).join("cgroup.procs").exists())
        .map(|controller| make(root.join(controller), &[controller], Dialect::V1))
        .collect()
}

/// CPU that this process has used, all threads.
fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).unwrap();
    Duration::from(time)
}

/// CPU that the children used which have ended.
fn childrens_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let usec = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(u64::try_from(usec).unwrap())
}

/// One tick as the observer does it: every file read, and the sample encoded.
fn tick(reader: &mut Reader, n_processes: usize) -> f64 {
    let before = own_cpu();
    let sample = reader.sample(&[MACHINE]).remove(0);
    let bytes = vitrine_shared::wire::to_postcard(&sample);
    let took = own_cpu() - before;
    assert_eq!(sample.processes.len(), n_processes);
    drop(bytes);
    took.as_secs_f64() * 1e3
}

fn top() -> f64 {
    let before = childrens_cpu();
    Command::new("top").args(["-b", "-n", "1"]).stdout(Stdio::null()).status().unwrap();
    (childrens_cpu() - before).as_secs_f64() * 1e3
}

/// The CPU of ticks, and of `top` in turn with them.
fn measure(n_processes: usize, n_ticks: usize) -> (Vec<f64>, Vec<f64>) {
    let crowd = Crowd::new(n_processes);
    // Each sleeper has run its `execve` by then, and is idle.
    std::thread::sleep(Duration::from_secs(1));
    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(crowd.machine());
    let (mut ticks, mut tops) = (Vec::new(), Vec::new());
    // The first opens every file; it comes once in the life of a process.
    tick(&mut reader, n_processes);
    for i in 0..n_ticks {
        ticks.push(tick(&mut reader, n_processes));
        if i % 5 == 0 {
            tops.push(top());
        }
        // 20 Hz, with the caches of a machine that does other things in between.
        std::thread::sleep(Duration::from_millis(50));
    }
    (ticks, tops)
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>().unwrap());
    let n_ticks = numbers.next().unwrap_or(50);
    let counts: Vec<usize> = numbers.collect();
    let counts = if counts.is_empty() { vec![20, 200, 577, 1000] } else { counts };
    let mut rows = Vec::new();
    for n_processes in counts {
        let (ticks, tops) = measure(n_processes, n_ticks);
        let goals = match n_processes {
            577 => json!([{ "of": "median", "at_most": 4.0 }]),
            _ => json!([]),
        };
        let top = format!("top -b -n 1 beside {n_processes}");
        rows.push(json!({ "what": format!("a tick, {n_processes} processes"), "samples": ticks,
            "goals": goals, "against": top }));
        rows.push(json!({ "what": top, "samples": tops, "goals": [] }));
    }
    let notes =
        ["A tick reads every process and group and encodes the sample; top reads the whole host, \
                  which has some more processes, and starts anew each time."];
    let table = json!({ "title": "the observer: CPU of one tick", "unit": "ms", "rows": rows, "notes": notes });
    println!("{table}");
}
