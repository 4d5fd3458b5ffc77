//! What a limited container is told in `/proc`, by real programs: the host's numbers, Vitrine's own,
//! lxcfs's; from birth, and changed while it lives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::limits::{PROBE_BYTES, PROBE_SECS};
use vitrine_shared::message::{Answer, Command, Event, Made, Refusal};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::{ContainerSpec, Limits, Rootfs, SpecError};
use vitrine_shared::truth::{OWN_FILES, Output, Probe, ProcView, Source, Who, marks};

use crate::harness::client::{Client, PATIENCE, Started};
use crate::harness::command::{output, run, spawn};
use crate::harness::server::Server;
use crate::harness::{binary, cgroup, data, wait_for};

const LIMITED: [&str; 5] = ["-m", "64m", "--cpu-quota", "50000", "--rootfs"];

fn limited(view: &str, rootfs: &str, script: &str) -> String {
    output(&[&LIMITED[..], &[rootfs, "--proc-view", view, "--", "sh", "-c", script]].concat())
}

/// The number after a word at the beginning of a line.
#[track_caller]
fn number(text: &str, before: &str) -> f64 {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(before));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.trim_end_matches([',', 'K']).parse().ok())
        .unwrap_or_else(|| panic!("no number after {before:?}: {text}"))
}

fn host_kib() -> f64 {
    number(&fs::read_to_string("/proc/meminfo").unwrap(), "MemTotal:")
}

#[test]
fn free_top_uptime_and_getconf_tell_of_the_container() {
    let free = limited("host", "lab", "free");
    assert!((number(&free, "Mem:") - host_kib()).abs() < 1.0, "{free}");
    let script = "free; getconf _NPROCESSORS_ONLN; top -b -n 1; cat /proc/uptime /proc/loadavg";
    let own = limited("own", "lab", script);
    assert!((number(&own, "Mem:") - 65_536.0).abs() < 1.0, "{own}");
    assert!(own.lines().any(|line| line == "1"), "half a CPU is shown as one: {own}");
    assert!((number(&own, "MiB Mem :") - 64.0).abs() < 0.1, "{own}");
    assert!(own.contains("up 0 min"), "{own}");
    let seconds = own.lines().rev().nth(1).and_then(|l| l.split(' ').next()?.parse::<f64>().ok());
    assert!(seconds.unwrap() < 10.0, "{own}");
}

#[test]
fn the_files_follow_what_happens() {
    let script = "a=$(cut -d' ' -f1 /proc/uptime); head -c 20000000 /dev/zero > /tmp/x; \
                  i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; sleep 2.2; \
                  b=$(cut -d' ' -f1 /proc/uptime); echo up $a $b; grep -E '^(Cached|MemFree)' /proc/meminfo; \
                  head -1 /proc/stat";
    let own = limited("own", "busybox", &format!("mkdir -p /tmp; {script}"));
    let up: Vec<f64> = own
        .lines()
        .find_map(|l| l.strip_prefix("up "))
        .unwrap()
        .split(' ')
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(up[1] - up[0] >= 1.0, "{own}");
    assert!(number(&own, "Cached:") >= 19_000.0, "{own}");
    let cpu: Vec<u64> = own
        .lines()
        .find_map(|line| line.strip_prefix("cpu "))
        .unwrap()
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(cpu[0] + cpu[2] >= 2, "it has used the CPU: {own}");
}

#[test]
fn nothing_inside_can_undo_or_write_them() {
    let script = "for f in cpuinfo loadavg meminfo stat uptime; do \
                  (echo x > /proc/$f) 2>/dev/null && echo wrote $f; \
                  umount /proc/$f 2>/dev/null && echo gone $f; \
                  rm -f /proc/$f 2>/dev/null; test -s /proc/$f || echo empty $f; done; \
                  grep -c ' /proc/[a-z]* ro,' /proc/self/mountinfo";
    let own = limited("own", "busybox", script);
    assert!(own.trim().parse::<u32>().is_ok_and(|read_only| read_only >= 5), "{own}");
}

/// What a language's run-time takes for its size.
#[test]
fn a_language_run_time_sizes_itself_by_them() {
    let python = "import os; print('cpus', os.cpu_count()); \
                  print('pages', os.sysconf('SC_PHYS_PAGES')); \
                  print('meminfo', open('/proc/meminfo').readline().split()[1])";
    let said = |view| {
        let root = python_root();
        let words = ["-m", "64m", "--cpu-quota", "50000", "--proc-view", view, "--rootfs", root];
        output(&[&words[..], &["--", "/usr/bin/python3", "-c", python]].concat())
    };
    let (host, own) = (said("host"), said("own"));
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap();
    let cpus = cpus.lines().filter(|line| line.starts_with("processor")).count();
    #[expect(clippy::cast_precision_loss, reason = "CPUs")]
    let cpus = cpus as f64;
    assert!((number(&host, "cpus") - cpus).abs() < 0.1, "{host}");
    assert!((number(&own, "cpus") - 1.0).abs() < 0.1, "{own}");
    assert!((number(&own, "meminfo") - 65_536.0).abs() < 1.0, "{own}");
    // What the C library asks the kernel by sysinfo(2), no file mends.
    assert!((number(&own, "pages") - number(&host, "pages")).abs() < 1.0, "{own}");
}

/// The host's python as a root directory: its own files, linked where they can be.
fn python_root() -> &'static str {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let python = fs::canonicalize("/usr/bin/python3")
            .expect("this test needs python3: apt-get install python3-minimal");
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let _ = fs::remove_dir_all(&root);
        for dir in ["usr/bin", "usr/lib", "tmp", "proc", "dev", "lib", "lib64"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::copy(&python, root.join("usr/bin/python3")).unwrap();
        let ldd = Program::new("ldd").arg(&python).output().expect("ldd");
        for path in String::from_utf8_lossy(&ldd.stdout).split_whitespace() {
            if path.starts_with('/') {
                let to = root.join(path.trim_start_matches('/'));
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(path, to).unwrap();
            }
        }
        for entry in fs::read_dir("/usr/lib").unwrap().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("python3.") {
                let to = root.join("usr/lib").join(name);
                let copied = Program::new("cp").arg("-r").arg(entry.path()).arg(to).status();
                assert!(copied.unwrap().success());
            }
        }
        root
    });
    root.to_str().unwrap()
}

#[test]
fn a_reader_never_sees_half_a_file() {
    // Read in parts of 100 bytes across several rewritings: each line is whole.
    let script = "for i in 1 2 3 4 5; do exec 3</proc/meminfo; n=0; \
                  while [ $n -lt 8 ]; do dd bs=100 count=1 <&3 2>/dev/null; sleep 0.15; n=$((n+1)); done; done";
    let text = limited("own", "busybox", script);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5 * 25, "{text}");
    let sound = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() == 3
            && words[0].ends_with(':')
            && words[1].parse::<u64>().is_ok()
            && words[2] == "kB"
    };
    assert!(lines.iter().all(sound), "{text}");
}

#[test]
fn a_view_that_cannot_be_is_refused() {
    let refused = |flags: &[&str]| {
        let outcome = run(&[flags, &["--", "true"]].concat());
        assert_eq!(outcome.status, 125, "{outcome:?}");
        outcome.err
    };
    let told = refused(&["--pid", "--proc-view", "own"]);
    assert!(told.contains("mount namespace"), "{told}");
    let told = refused(&["--mount", "--proc-view", "lxcfs"]);
    assert!(told.contains("PID namespace"), "{told}");
    if !mounted() {
        let told = refused(&["--proc-view", "lxcfs"]);
        assert!(told.contains("does not run") && told.contains("--proc-view own"), "{told}");
    }
}

fn mounted() -> bool {
    fs::read_to_string("/proc/self/mountinfo").unwrap().contains(" - fuse.lxcfs ")
}

/// lxcfs in a mount namespace of its own, where Vitrine is started too: the host has none of it.
struct Lxcfs(Child);

impl Lxcfs {
    fn start() -> Self {
        let there = ["/usr/bin/lxcfs", "/usr/sbin/lxcfs"].iter().find(|p| Path::new(p).is_file());
        let lxcfs = there.expect("this test needs lxcfs: apt-get install lxcfs");
        let script = format!(
            "mkdir -p /var/lib/lxcfs && exec {lxcfs} -f -l --enable-cfs -p /run/vitrine-lxcfs-{}.pid /var/lib/lxcfs",
            std::process::id()
        );
        let mut command = Program::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &script]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let lxcfs = Lxcfs(command.spawn().expect("unshare"));
        let mounts = format!("/proc/{}/mountinfo", lxcfs.0.id());
        wait_for("lxcfs", Duration::from_secs(10), || {
            fs::read_to_string(&mounts).ok()?.contains(" - fuse.lxcfs ").then_some(())
        });
        lxcfs
    }

    fn run(&self, words: &[&str]) -> String {
        let mut command = Program::new("nsenter");
        command.args(["-t", &self.0.id().to_string(), "-m", "--"]).arg(binary());
        command.arg("run").env("VITRINE_DATA", data()).args(words);
        let outcome = spawn(&mut command, None).end();
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.out
    }
}

impl Drop for Lxcfs {
    fn drop(&mut self) {
        // Its mount goes with its namespace.
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_file(format!("/run/vitrine-lxcfs-{}.pid", std::process::id()));
    }
}

#[test]
fn lxcfs_tells_of_the_container_by_single_read_only_files() {
    let lxcfs = Lxcfs::start();
    let script = "free; getconf _NPROCESSORS_ONLN; cat /proc/uptime; \
                  grep -E 'lxcfs' /proc/self/mountinfo; (echo x > /proc/uptime) 2>/dev/null || echo shut";
    let words = ["lab", "--proc-view", "lxcfs", "--", "sh", "-c", script];
    let told = lxcfs.run(&[&LIMITED[..], &words].concat());
    assert!((number(&told, "Mem:") - 65_536.0).abs() < 1.0, "{told}");
    // On v2, lxcfs has told of a quota only since 6.0: before, of all CPUs of the cpuset.
    let cpus = match cgroup::dialect("cpu") {
        Dialect::V2 if lxcfs_version() < 6 => output(&["--pid", "--", "nproc"]).trim().to_string(),
        _ => "1".into(),
    };
    assert!(told.lines().any(|line| line == cpus) && told.contains("shut"), "{cpus}: {told}");
    let mounts: Vec<&str> = told.lines().filter(|line| line.contains("fuse.lxcfs")).collect();
    assert!(mounts.len() >= OWN_FILES.len(), "{told}");
    for mount in mounts {
        let fields: Vec<&str> = mount.split(' ').collect();
        assert!(fields[3].starts_with("/proc/") && fields[4].starts_with("/proc/"), "{mount}");
        assert!(fields[5].starts_with("ro,"), "{mount}");
    }
}

/// The first number of its version: `5.0.3`.
fn lxcfs_version() -> u32 {
    let said = Program::new("lxcfs").arg("--version").output().expect("lxcfs");
    let said = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    let number =
        said.trim().trim_matches('"').split('.').next().and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no version in {said:?}"))
}

fn spec(view: ProcView) -> ContainerSpec {
    ContainerSpec {
        argv: vec!["sleep".into(), "1000".into()],
        tty: false,
        rootfs: Rootfs::Lab,
        limits: Limits {
            memory_bytes: Some(64 << 20),
            cpu_quota_usec: Some(50_000),
            cpu_period_usec: Some(100_000),
            ..Limits::default()
        },
        proc_view: view,
        ..ContainerSpec::one_click()
    }
}

#[track_caller]
fn probe(page: &mut Client, at: Started, probe: Probe) -> Output {
    let Started { machine, container, .. } = at;
    match page.ask(Command::Probe { machine, container: Some(container), probe }) {
        Answer::Done { made: Some(Made::Output(output)), deeds } => {
            assert!(deeds.iter().any(|deed| deed.shell.contains(probe.argv()[0])), "{deeds:?}");
            output
        }
        other => panic!("{probe:?}: {other:?}"),
    }
}

#[test]
fn the_switch_of_a_container_that_lives() {
    let server = Server::start();
    let mut page = server.client();
    let at = page.start(None, spec(ProcView::Host));
    let before = probe(&mut page, at, Probe::Free);
    assert!((number(&before.text, "Mem:") - host_kib()).abs() < 1.0, "{before:?}");
    let (machine, container) = (at.machine, at.container);
    let view = |page: &mut Client, view| {
        page.done(Command::SetProcView { machine, container, view });
        page.event("the container with its view", |event| match event {
            Event::Machine(machine) => {
                let found = machine.containers.iter().find(|found| found.id == container)?;
                (found.spec.proc_view == view).then_some(())
            }
            _ => None,
        });
    };
    for _ in 0..2 {
        view(&mut page, ProcView::Own);
        let after = probe(&mut page, at, Probe::Free);
        assert!((number(&after.text, "Mem:") - 65_536.0).abs() < 1.0, "{after:?}");
        assert_eq!(probe(&mut page, at, Probe::Getconf).text, "1\n");
        // Every number of it is ours, and is said to be.
        let found = marks(Probe::Free, &after);
        assert!(found.len() >= 6);
        assert!(found.iter().all(|m| m.source.who(ProcView::Own, true) == Who::Own));
    }
    let top = probe(&mut page, at, Probe::Top);
    let sources: Vec<Source> = marks(Probe::Top, &top).into_iter().map(|m| m.source).collect();
    for source in [Source::Meminfo, Source::Stat, Source::Uptime, Source::Loadavg] {
        assert!(sources.contains(&source), "{source:?}: {top:?}");
    }
    view(&mut page, ProcView::Host);
    let again = probe(&mut page, at, Probe::Free);
    assert!((number(&again.text, "Mem:") - host_kib()).abs() < 1.0, "{again:?}");
    // And a container that is born so.
    let born = page.start(Some(machine), spec(ProcView::Own));
    assert!((number(&probe(&mut page, born, Probe::Free).text, "Mem:") - 65_536.0).abs() < 1.0);
}

#[test]
fn what_cannot_be_is_refused_and_what_ends_is_answered() {
    let server = Server::start();
    let mut page = server.client();
    let shared = ContainerSpec { remount_proc: false, ..spec(ProcView::Host) };
    let at = page.start(None, shared);
    let (machine, container) = (at.machine, at.container);
    let ask = |page: &mut Client, view| page.ask(Command::SetProcView { machine, container, view });
    assert!(matches!(
        ask(&mut page, ProcView::Own),
        Answer::Refused { reason: Refusal::Spec(SpecError::ViewNeedsRemount), .. }
    ));
    if !mounted() {
        let refused = page.ask(Command::SetProcView { machine, container, view: ProcView::Lxcfs });
        let Answer::Refused { reason: Refusal::Missing { what: Lacking::Lxcfs }, hint } = refused
        else {
            panic!("{refused:?}")
        };
        assert!(hint.contains("apt-get install lxcfs"), "{hint}");
    }
    // A program by the name of a probe that says too much and never ends.
    let mut endless = spec(ProcView::Host);
    let script = "mkdir -p /usr/local/sbin; f=/usr/local/sbin/free; echo '#!/bin/sh' > $f; \
                  echo 'while : ; do echo 0123456789; done' >> $f; chmod +x $f; exec sleep 1000";
    endless.argv = ["sh", "-c", script].map(String::from).into();
    let at = page.start(Some(machine), endless);
    std::thread::sleep(Duration::from_millis(500));
    let began = std::time::Instant::now();
    let output = probe(&mut page, at, Probe::Free);
    assert_eq!((output.status, output.cut), (124, true));
    assert_eq!(output.text.len() as u64, PROBE_BYTES.value);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(PROBE_SECS.value) && took < PATIENCE, "{took:?}");
    assert_eq!(probe(&mut page, at, Probe::Nproc).status, 0, "the next one runs");
    // The container goes while it runs: it is answered all the same.
    let (machine, container) = (at.machine, at.container);
    let asked =
        page.send(Command::Probe { machine, container: Some(container), probe: Probe::Free });
    page.done(Command::StopContainer { machine, container });
    let answer = page.answer(asked);
    assert!(matches!(answer, Answer::Done { made: Some(Made::Output(_)), .. }), "{answer:?}");
}
