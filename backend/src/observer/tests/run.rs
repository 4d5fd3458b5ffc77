//! The whole observer in a thread, with a test as its launcher and as web.

use std::time::{Duration, Instant};

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::cgroup::GroupId;
use vitrine_shared::id::MachineId;
use vitrine_shared::message::Sample;

use super::tests_tree::{C1, MACHINE, Tree};
use super::*;

const V1: &[(&str, &[&str], Dialect)] =
    &[("pids", &["pids"], Dialect::V1), ("memory", &["memory"], Dialect::V1)];

struct Bench {
    tree: Tree,
    launcher: Peer,
    observer: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Bench {
    fn new() -> Self {
        let tree = Tree::new();
        tree.process(300, "sh", 0, 5);
        tree.write("pids/root/c1/cgroup.procs", "300\n");
        tree.write("memory/root/c1/memory.oom_control", "oom_kill 0\n");
        let (launcher, theirs) = Channel::pair().unwrap();
        let proc = tree.proc();
        let observer = std::thread::spawn(move || observe(theirs, &proc, None));
        let bench = Bench { tree, launcher: Peer::new(launcher), observer };
        bench.tell(&ToObserver::Machine(bench.tree.machine(V1)));
        bench
    }

    fn tell(&self, message: &ToObserver) {
        self.launcher.channel.send(message, &[]).unwrap();
    }

    fn new_web(&self) -> Peer {
        let (ours, theirs) = Channel::pair().unwrap();
        self.launcher.channel.send(&ToObserver::Web, &[theirs.as_fd()]).unwrap();
        Peer::new(ours)
    }

    fn end(self) {
        drop(self.launcher);
        self.observer.join().unwrap().unwrap();
    }
}

fn watch(web: &Peer, hertz: u8) {
    web.channel.send(&WebToObserver::Watch { machine: MACHINE, hertz }, &[]).unwrap();
}

/// The next message, or `None` when there is none for so long.
fn hear<T: serde::de::DeserializeOwned>(peer: &mut Peer, patience: Duration) -> Option<T> {
    let end = Instant::now() + patience;
    loop {
        match peer.channel.recv(&mut peer.inbox) {
            Ok(Some((message, _))) => return Some(message),
            Ok(None) => panic!("the observer closed the channel"),
            Err(err) => assert_eq!(err.kind(), ErrorKind::WouldBlock),
        }
        let left = end.checked_duration_since(Instant::now())?;
        let timeout = PollTimeout::try_from(left).unwrap();
        poll(&mut [PollFd::new(peer.channel.as_fd(), PollFlags::POLLIN)], timeout).unwrap();
    }
}

fn sample(web: &mut Peer) -> Sample {
    match hear(web, Duration::from_secs(20)).expect("no sample") {
        ObserverToWeb::Sample(sample) => *sample,
        other => panic!("{other:?}"),
    }
}

#[test]
fn samples_come_at_the_rate_and_stop() {
    let bench = Bench::new();
    let mut web = bench.new_web();
    watch(&web, 20);
    let first = sample(&mut web);
    assert_eq!(first.processes[0].container, Some(C1));
    let last = (0..20).map(|_| sample(&mut web)).last().unwrap();
    let took_msec = last.at_msec - first.at_msec;
    assert!((800..6_000).contains(&took_msec), "20 samples at 20 Hz in {took_msec} ms");

    watch(&web, 0);
    // What was on its way may still come.
    while hear::<ObserverToWeb>(&mut web, Duration::from_millis(200)).is_some() {}
    assert_eq!(hear::<ObserverToWeb>(&mut web, Duration::from_millis(300)), None);
    bench.end();
}

#[test]
fn a_new_web_starts_with_nothing_asked_for() {
    let bench = Bench::new();
    let mut old = bench.new_web();
    watch(&old, 20);
    sample(&mut old);
    drop(old);
    let mut web = bench.new_web();
    assert_eq!(hear::<ObserverToWeb>(&mut web, Duration::from_millis(300)), None);
    watch(&web, 4);
    sample(&mut web);
    bench.end();
}

#[test]
fn a_web_that_does_not_read_loses_samples_and_no_more() {
    let bench = Bench::new();
    let mut web = bench.new_web();
    watch(&web, 20);
    // Fill what the socket holds, whatever that is here: its size is the kernel's.
    let mut pids = String::new();
    for pid in 1_000..1_240 {
        bench.tree.process(pid, "a-name-of-15-ch", 0, 5);
        pids.push_str(&format!("{pid}\n"));
    }
    bench.tree.write("pids/root/c1/cgroup.procs", &pids);
    std::thread::sleep(Duration::from_millis(1_500));
    let mut last = sample(&mut web).at_msec;
    let mut gap_msec = 0;
    let end = Instant::now() + Duration::from_secs(20);
    while gap_msec < 300 {
        let at_msec = sample(&mut web).at_msec;
        gap_msec = gap_msec.max(at_msec - last);
        last = at_msec;
        assert!(Instant::now() < end, "no sample was dropped: largest gap {gap_msec} ms");
    }
    bench.end();
}

#[test]
fn nonsense_from_web_costs_web_its_channel_only() {
    let bench = Bench::new();
    let mut bad = bench.new_web();
    bad.channel.send(&"nonsense, and more of it", &[]).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while !matches!(bad.channel.recv::<ObserverToWeb>(&mut bad.inbox), Ok(None)) {
        assert!(Instant::now() < end, "the channel was not closed");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut web = bench.new_web();
    watch(&web, 1);
    sample(&mut web);
    bench.end();
}

#[test]
fn the_launcher_hears_of_a_kill_with_nobody_looking() {
    let mut bench = Bench::new();
    // A machine that is told again has been read: its counters stand at 0.
    let mut web = bench.new_web();
    watch(&web, 1);
    sample(&mut web);
    drop(web);
    bench.tree.write("memory/root/c1/memory.oom_control", "oom_kill 1\n");
    let news = hear::<FromObserver>(&mut bench.launcher, Duration::from_secs(20)).unwrap();
    assert_eq!(
        news,
        FromObserver::OomKilled { machine: MACHINE, group: GroupId::Container(C1), victim: None }
    );
    assert_eq!(hear::<FromObserver>(&mut bench.launcher, Duration::from_millis(1_300)), None);
    bench.tell(&ToObserver::MachineGone { machine: MACHINE });
    bench.end();
}

#[test]
fn a_look_at_namespaces_is_told_once_and_not_too_often() {
    let bench = Bench::new();
    let mut web = bench.new_web();
    let ask = |machine| web.channel.send(&WebToObserver::Discover { machine }, &[]).unwrap();
    // One that is not known answers nothing, and holds nobody up.
    ask(MachineId(9));
    for _ in 0..100 {
        ask(MACHINE);
    }
    let Some(ObserverToWeb::Discovery(found)) = hear(&mut web, Duration::from_secs(20)) else {
        panic!("no discovery");
    };
    assert_eq!((found.machine, found.namespaces.len()), (MACHINE, 8));
    // What was asked while it looked is answered by one more, if by any.
    let mut more = 0;
    while hear::<ObserverToWeb>(&mut web, Duration::from_millis(1_500)).is_some() {
        more += 1;
    }
    assert!(more <= 1, "{more}");
    bench.end();
}
