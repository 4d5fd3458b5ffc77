//! Lines as they are typed, and what is written.

mod any;

use super::*;
use crate::cgroup::Dialect;

const S: u64 = 1_000_000_000;

fn run_in(setup: Setup, text: &str) -> (String, u8) {
    let terminal = Terminal::script(setup, text.to_owned());
    terminal.advance(600 * S);
    let status = terminal.status().unwrap_or_else(|| panic!("{text} has not ended"));
    (terminal.world().take_screen(), status)
}

fn run(text: &str) -> (String, u8) {
    run_in(Setup::default(), text)
}

#[track_caller]
fn says(text: &str, output: &str) {
    assert_eq!(run(text), (output.to_owned(), 0), "{text}");
}

#[test]
fn words_and_variables() {
    says("echo a  b 'c  d'", "a b c  d\n");
    says("x=1; echo $x \"$x$x\" ${x}2 '$x'", "1 11 12 $x\n");
    says("x='a b'; for i in $x \"$x\"; do echo [$i]; done", "[a]\n[b]\n[a b]\n");
    says("echo $((2 + 3 * 4)) $(echo in $(echo side))", "14 in side\n");
    says("i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done", "1\n2\n3\n");
    says("if false; then echo a; elif true; then echo b; else echo c; fi", "b\n");
    says("true && echo yes || echo no; ! false && echo so", "yes\nso\n");
    says("echo /et*/host*", "/etc/hostname\n");
    says("for i in 1 2 3; do if [ $i = 2 ]; then continue; fi; echo $i; done", "1\n3\n");
    says("(cd /tmp; pwd); pwd", "/tmp\n/\n");
}

#[test]
fn pipes_and_files() {
    says("echo 3 1 2 | tr 2>/dev/null; printf '3\\n1\\n2\\n' | sort | head -2", "1\n2\n");
    says("echo one > /tmp/a; echo two >> /tmp/a; cat /tmp/a; wc -l < /tmp/a", "one\ntwo\n2\n");
    says("seq 100000 | head -n 2", "1\n2\n");
    says("ls /nothing 2>&1 | wc -l; ls -1 /etc", "1\ngroup\nhostname\nos-release\npasswd\n");
    says("cat /etc/hostname | grep -c vitrine", "1\n");
    says("echo x | while read a; do echo got $a; done", "got x\n");
}

#[test]
fn statuses() {
    assert_eq!(run("exit 3").1, 3);
    assert_eq!(run("false").1, 1);
    assert_eq!(run("sh -c 'exit 7'; echo $?; sh -c 'kill -9 $$'; echo $?").0, "7\nKilled\n137\n");
    let (text, status) = run("nothing-there");
    assert_eq!(status, 127);
    assert!(text.starts_with("sh: 1: nothing-there: not found\n(the simulator has: "), "{text}");
}

#[test]
fn the_tutorials_experiment_v1() {
    let terminal = Terminal::new(Setup::default());
    assert_eq!(terminal.line("cd /sys/fs/cgroup/cpu", S), "# # ");
    assert_eq!(terminal.line("mkdir test_container; cd test_container", S), "# ");
    assert_eq!(terminal.line("cat cpu.cfs_period_us cpu.cfs_quota_us", S), "100000\n-1\n# ");
    let started = terminal.line("while : ; do : ; done &", S);
    let pid = started.trim_start_matches("[1] ").lines().next().unwrap().to_owned();
    let busy = terminal.line(&format!("top -b -n 2 -d 1 -p {pid}"), 3 * S);
    assert!(busy.contains(" R 100.0 ") || busy.contains(" R 99."), "{busy}");
    assert_eq!(terminal.line("echo 20000 > cpu.cfs_quota_us  #20000us=20ms", S), "# ");
    assert_eq!(terminal.line(&format!("echo {pid} > tasks"), S), "# ");
    let slow = terminal.line(&format!("top -b -n 2 -d 5 -p {pid} | tail -2"), 7 * S);
    assert!(slow.contains(" 20.") || slow.contains(" 19."), "{slow}");
    assert_eq!(terminal.line("kill %1; wait; cd ..; rmdir test_container; echo $?", S), {
        "0\n[1] + Terminated                 while : ; do : ; done\n# "
    });
}

#[test]
fn the_tutorials_experiment_v2() {
    let setup = Setup { dialect: Dialect::V2, ..Setup::default() };
    let script = "cd /sys/fs/cgroup; echo +cpu > cgroup.subtree_control; mkdir a; \
        while :; do :; done & echo $! > a/cgroup.procs; echo '20000 100000' > a/cpu.max; \
        sleep 2; grep nr_throttled a/cpu.stat; kill $!; wait; rmdir a && echo gone";
    let (text, status) = run_in(setup, script);
    assert_eq!(status, 0);
    let (throttled, rest) = text.split_once('\n').unwrap();
    let count: u64 = throttled.trim_start_matches("nr_throttled ").parse().unwrap();
    assert!((18..=21).contains(&count), "{text}");
    assert_eq!(rest, "gone\n");
}

#[test]
fn another_world_of_pids() {
    let (text, _) =
        run("unshare --pid --fork --mount-proc sh -c 'echo $$; ps -ef'; ps -ef | wc -l");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "1");
    // PID 1 and ps itself.
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[2].contains("    1     0 "), "{text}");
    says("unshare --pid --fork sh -c 'echo $$; ps -e | grep -c init'", "1\n1\n");
}

#[test]
fn host_names_users_and_networks() {
    says("unshare --uts sh -c 'hostname inside; hostname'; hostname", "inside\nvitrine\n");
    says("unshare -Ur id -u; unshare -U id -u", "0\n65534\n");
    says("unshare --net ip addr | wc -l; ip addr | grep -c eth0", "2\n2\n");
    says("unshare --mount sh -c 'mount -t tmpfs t /mnt; touch /mnt/x; ls /mnt'; ls /mnt", "x\n");
    says(
        "readlink /proc/self/ns/uts > /tmp/a; unshare --uts readlink /proc/self/ns/uts > /tmp/b; sort -u /tmp/a /tmp/b | wc -l",
        "2\n",
    );
}

#[test]
fn the_kernel_says_no() {
    let (text, status) = run("cd /sys/fs/cgroup/cpu; mkdir a; echo 999 > a/cpu.cfs_quota_us");
    assert_eq!(status, 1);
    assert_eq!(text, "sh: 1: echo: write error: Invalid argument\n");
    let (text, _) = run("echo 1 > /sys/fs/cgroup/cpu/nothing");
    assert_eq!(text, "sh: 1: cannot create /sys/fs/cgroup/cpu/nothing: Permission denied\n");
    let (text, _) = run("mkdir /sys/fs/cgroup/pids/a; echo 3 > /sys/fs/cgroup/pids/a/pids.max; \
        echo $$ > /sys/fs/cgroup/pids/a/tasks; sleep 9 & sleep 9 & sleep 9");
    assert!(text.contains("Cannot fork: Resource temporarily unavailable"), "{text}");
}

#[test]
fn ctrl_c_ends_what_runs_and_not_the_shell() {
    let terminal = Terminal::new(Setup::default());
    assert_eq!(terminal.line("sleep 1000", S), "# ");
    terminal.world().interrupt(terminal.world().console());
    assert_eq!(terminal.line("echo $?", S), "# 130\n# ");
    terminal.world().end_of_lines();
    terminal.advance(S);
    assert_eq!(terminal.status(), Some(0));
}

#[test]
fn too_much_memory_kills() {
    let (text, _) = run(
        "mkdir /sys/fs/cgroup/memory/a; echo 64M > /sys/fs/cgroup/memory/a/memory.limit_in_bytes; \
        sh -c 'echo $$ > /sys/fs/cgroup/memory/a/tasks; stress --vm 1 --vm-bytes 100M -t 5'; \
        grep oom_kill /sys/fs/cgroup/memory/a/memory.oom_control | tail -1",
    );
    assert_eq!(text, "oom_kill 1\n");
}

#[test]
fn the_same_input_goes_the_same_way() {
    let script = "for i in 1 2 3; do while :; do :; done & done; sleep 1; kill %1 %2 %3; wait";
    let hash = |text: &str| {
        let terminal = Terminal::script(Setup::default(), text.to_owned());
        terminal.advance(10 * S);
        terminal.world().look(super::super::kernel::Kernel::trace_hash)
    };
    assert_eq!(hash(script), hash(script));
    assert_ne!(hash(script), hash("sleep 1"));
}

#[test]
fn an_unknown_command_says_what_there_is() {
    let (text, status) = run("strace ls");
    assert_eq!(status, 127);
    let (first, there) = text.split_once('\n').unwrap();
    assert_eq!(first, "sh: 1: strace: not found");
    let there = there.trim().strip_prefix("(the simulator has: ").unwrap().trim_end_matches(')');
    let there: Vec<&str> = there.split(' ').collect();
    assert_eq!(there, super::program_names());
    // And each of them is there.
    for name in there {
        assert_eq!(run(&format!("type {name} > /dev/null")).1, 0, "{name}");
        assert_eq!(run(&format!("ls -d /bin/{name} > /dev/null")).1, 0, "{name}");
    }
}

/// The lines of an explanation that are commands.
fn steps(setup: Setup, line: &str) -> Vec<String> {
    let (text, status) = run_in(setup, line);
    assert_eq!(status, 0, "{text}");
    assert!(text.starts_with("# There is no Docker here."), "{text}");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn docker_is_explained_by_steps_that_work() {
    let line = "docker run -it --cpu-period=100000 --cpu-quota=20000 busybox";
    let v1 = steps(Setup::default(), line);
    assert_eq!(
        v1,
        [
            "mkdir /sys/fs/cgroup/cpu/docker1",
            "echo 100000 > /sys/fs/cgroup/cpu/docker1/cpu.cfs_period_us",
            "echo 20000 > /sys/fs/cgroup/cpu/docker1/cpu.cfs_quota_us",
            "echo $$ > /sys/fs/cgroup/cpu/docker1/tasks",
            "unshare --pid --fork --mount-proc --uts --ipc --net --cgroup sh",
        ]
    );
    let many = "docker run --rm --cpus 0.5 -m 64M --pids-limit=20 --cpuset-cpus 0 -h inside --name x \
        busybox sh -c 'exit'";
    let look = "cat /proc/self/cgroup; nproc";
    for (dialect, quota) in [
        (Dialect::V1, "cat /sys/fs/cgroup/cpu/docker1/cpu.cfs_quota_us"),
        (Dialect::V2, "cut -d' ' -f1 /sys/fs/cgroup/docker1/cpu.max"),
    ] {
        let setup = Setup { dialect, ..Setup::default() };
        for (line, wanted) in [(line, "20000\n"), (many, "50000\n")] {
            let mut steps = steps(setup, line);
            let last = steps.pop().unwrap();
            assert!(last.starts_with("unshare --pid "), "{last}");
            // In a shell of its own, because it enters the group.
            let script = format!("sh -c '{}; {look}; {quota}'", steps.join("; "));
            let (text, status) = run_in(setup, &script.replace("-d' ' ", "-d\" \" "));
            assert!(status == 0 && text.ends_with(wanted) && !text.contains("sh: "), "{text}");
            assert!(text.contains("/docker1\n"), "{text}");
            assert_eq!(text.contains("\n1\n"), line == many, "{text}");
        }
    }
    let (text, status) = run("docker run --cpu-quota");
    assert!(status == 125 && text.contains("needs an argument"), "{text}");
    assert_eq!(run("docker ps").1, 1);
    assert!(run("docker run -P x").0.contains("(-P is left out.)"));
}
