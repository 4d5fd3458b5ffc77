//! What one tick of the observer costs, printed beside one `top -b -n 1`.
//!
//! `cargo run --release --example observer_bench -- [processes] [ticks]`, by default 577 sleepers
//! and 100 ticks at 20 Hz. With the right to, the sleepers stand in cgroups made for them.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
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
            roots: Vec::new(),
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

fn cpu_usec(who: UsageWho) -> i64 {
    let usage = getrusage(who).unwrap();
    usage.user_time().num_microseconds() + usage.system_time().num_microseconds()
}

/// Reads at a rate and prints what it cost: CPU of all threads, sleeps included.
fn tick(what: &str, reader: &mut Reader, n_processes: usize, n_ticks: u128, hertz: u64) {
    let start_usec = cpu_usec(UsageWho::RUSAGE_SELF);
    let mut walls_usec = Vec::new();
    for _ in 0..n_ticks.max(1) {
        let start = Instant::now();
        let sample = reader.sample(&[MACHINE]).remove(0);
        assert_eq!(sample.processes.len(), n_processes);
        let bytes = vitrine_shared::wire::to_postcard(&sample);
        walls_usec.push(start.elapsed().as_micros());
        drop(bytes);
        std::thread::sleep(Duration::from_millis(1_000 / hertz));
    }
    let cpu = u128::try_from(cpu_usec(UsageWho::RUSAGE_SELF) - start_usec).unwrap();
    walls_usec.sort_unstable();
    let (median, max) = (walls_usec[walls_usec.len() / 2], walls_usec[walls_usec.len() - 1]);
    println!("| {what} | {} | {} | {} |", ms(cpu / n_ticks.max(1)), ms(median), ms(max));
}

fn ms(usec: u128) -> String {
    format!("{}.{:03}", usec / 1_000, usec % 1_000)
}

fn main() {
    let number = |i: usize, or| std::env::args().nth(i).map_or(or, |arg| arg.parse().unwrap());
    let (n_processes, n_ticks) = (number(1, 577), number(2, 100) as u128);
    let crowd = Crowd::new(n_processes);
    // Each sleeper has run its `execve` by then, and is idle.
    std::thread::sleep(Duration::from_secs(2));

    let mut reader = Reader::new(Path::new("/proc")).unwrap();
    reader.machine(crowd.machine());
    println!("{n_processes} processes");
    println!("| reader | CPU ms | wall ms (median) | wall ms (max) |\n|---|---|---|---|");
    tick("the first tick", &mut reader, n_processes, 1, 20);
    tick("a tick at 20 Hz", &mut reader, n_processes, n_ticks, 20);
    tick("a tick at 4 Hz", &mut reader, n_processes, n_ticks / 5, 4);

    let start = Instant::now();
    let before_usec = cpu_usec(UsageWho::RUSAGE_CHILDREN);
    Command::new("top").args(["-b", "-n", "1"]).stdout(Stdio::null()).status().unwrap();
    let top_wall_usec = start.elapsed().as_micros();
    let top_cpu_usec = cpu_usec(UsageWho::RUSAGE_CHILDREN) - before_usec;

    let top = u128::try_from(top_cpu_usec).unwrap();
    println!("| top -b -n 1 | {} | {} | |", ms(top), ms(top_wall_usec));
    drop(crowd);
}
