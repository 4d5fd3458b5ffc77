//! The text's commands typed into a machine of profile `lab` as they stand there, one by one, and
//! the machine's `docker`: no engine, but what the line stands for.

use std::time::Duration;

use vitrine_shared::cgroup::Dialect;
use vitrine_shared::spec::ContainerSpec;

use crate::harness::cgroup::{self, by_dialect};
use crate::harness::lab::{Lab, server};
use crate::harness::term::Term;

/// What comes of a line of the text.
enum Comes {
    /// It succeeds, and says this.
    Says(&'static str),
    /// It succeeds; the number that it tells of is what the text calls 29738.
    Job,
    /// It starts a container whose shell has this prompt; the next lines are typed there, up to
    /// `exit`. Its id is what the text calls 21752e9b1.
    Shell(&'static str),
    /// The same as `Says`, but typed into the machine's other shell while the container runs.
    Beside(&'static str),
    /// It is C, and no shell knows it.
    Refuses(&'static str),
}

/// Every line of the text that one can type, in its order and as it stands, and those that its
/// prose says in words (`cd`, `mkdir`, `top`, `exit`).
const LINES: &[(&str, Comes)] = &[
    // 5.2
    ("docker run -it busybox /bin/bash", Comes::Shell("/ # ")),
    ("ps", Comes::Says("    1 root     ")),
    ("exit", Comes::Says("+ rmdir")),
    ("int pid = clone(main_function, stack_size, SIGCHLD, NULL);", Comes::Refuses("syntax error")),
    (
        "int pid = clone(main_function, stack_size, CLONE_NEWPID | SIGCHLD, NULL);",
        Comes::Refuses("syntax error"),
    ),
    // 6.2
    ("mount -t cgroup", Comes::Says("cgroup on /sys/fs/cgroup/cpu")),
    ("ls /sys/fs/cgroup/cpu", Comes::Says("cpu.cfs_quota_us")),
    ("cat /sys/fs/cgroup/cpu/cpu.cfs_period_us", Comes::Says("100000")),
    ("cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", Comes::Says("-1")),
    // 6.3
    ("cd /sys/fs/cgroup/cpu/", Comes::Says("")),
    ("mkdir test_container", Comes::Says("")),
    ("cd test_container", Comes::Says("")),
    ("while : ; do : ; done &", Comes::Job),
    ("top -b -n 1", Comes::Says("%Cpu(s)")),
    ("echo 20000 > cpu.cfs_quota_us  #20000us=20ms", Comes::Says("")),
    ("echo 29738 > tasks", Comes::Says("")),
    ("cat tasks", Comes::Says("29738")),
    ("kill 29738; wait; cd; rmdir /sys/fs/cgroup/cpu/test_container", Comes::Says("")),
    (
        "docker run -it --cpu-period=100000 --cpu-quota=20000 nginx:1.7.9 /bin/bash",
        Comes::Shell(":/# "),
    ),
    (
        "ls /sys/fs/cgroup/cpu/docker/21752e9b1/cpu.cfs_period_us",
        Comes::Beside("/cpu.cfs_period_us\n"),
    ),
    (
        "ls /sys/fs/cgroup/cpu/docker/21752e9b1/cpu.cfs_quota_us",
        Comes::Beside("/cpu.cfs_quota_us\n"),
    ),
    // What the text means: it shows what is in them.
    ("cat /sys/fs/cgroup/cpu/docker/21752e9b1/cpu.cfs_period_us", Comes::Beside("\n100000\n")),
    ("cat /sys/fs/cgroup/cpu/docker/21752e9b1/cpu.cfs_quota_us", Comes::Beside("\n20000\n")),
    // 6.4: `top` in a container.
    ("top -b -n 1", Comes::Says("%Cpu(s)")),
    ("exit", Comes::Says("+ rmdir")),
];

/// On a host with v2 only there is none of the text's paths, and its other lines are as true there.
/// What was meant for a group is then done to plain files, and limits nothing: what is said of it.
fn on_v2(line: &str) -> Option<&'static str> {
    Some(match line {
        "mount -t cgroup" | "mkdir test_container" | "cd test_container" => "",
        "echo 20000 > cpu.cfs_quota_us  #20000us=20ms" | "echo 29738 > tasks" => "",
        "cat tasks" => "29738",
        _ if line.contains("/sys/fs/cgroup/cpu") => "No such file or directory",
        _ => return None,
    })
}

/// Types a line where a shell of this prompt is; gives what was written.
fn typed(lab: &mut Term, line: &str, prompt: &str) -> String {
    lab.type_in(&format!("{line}\r"));
    lab.read_until("\r\n");
    lab.read_until(prompt).replace('\r', "")
}

#[test]
fn every_line_of_the_text_as_it_stands() {
    let server = server();
    let mut lab = Lab::start(&server);
    let beside = lab.page.start(Some(lab.shell.machine), ContainerSpec::machine_shell());
    let mut beside = Term::shell(&server, beside.terminal.unwrap());
    beside.command("unalias -a; TERM=dumb; bind 'set enable-bracketed-paste off'");
    let mut prompts = vec![String::from("lab# ")];
    lab.term.command("PS1='lab''# '; sleep 0.1");
    let (mut pid, mut id) = (String::new(), String::new());
    let is_v2 = cgroup::dialect("cpu") == Dialect::V2;
    for (text, comes) in LINES {
        let other = Some(*text).filter(|_| is_v2).and_then(on_v2);
        let line = text.replace("29738", &pid).replace("21752e9b1", &id);
        let mut prompt = prompts.last().unwrap().clone();
        match comes {
            Comes::Shell(inside) => {
                prompt = (*inside).to_string();
                prompts.push(prompt.clone());
            }
            _ if line == "exit" => {
                prompts.pop();
                prompt.clone_from(prompts.last().unwrap());
            }
            _ => {}
        }
        let said = match comes {
            Comes::Beside(_) => format!("\n{}", typed(&mut beside, &line, "# ")),
            _ => typed(&mut lab.term, &line, &prompt),
        };
        match comes {
            Comes::Says(text) | Comes::Beside(text) => {
                let text = other.unwrap_or(text).replace("29738", &pid);
                assert!(said.contains(&text), "{line}: no {text:?} in {said}");
            }
            Comes::Job => {
                let number = said.split("[1] ").nth(1).and_then(|rest| rest.split('\n').next());
                pid = number.unwrap_or_else(|| panic!("{said}")).trim().to_string();
            }
            Comes::Shell(_) => {
                assert!(said.contains("There is no engine in this machine"), "{said}");
                assert!(said.contains("+ exec unshare --pid --fork --mount --uts --ipc"), "{said}");
                let rest = said.split("HOSTNAME=").nth(1).unwrap_or_else(|| panic!("{said}"));
                id = rest[..12].to_string();
            }
            Comes::Refuses(text) => assert!(said.contains(text), "{line}: {said}"),
        }
        assert!(!said.contains("Invalid") && !said.contains("ermission"), "{line}: {said}");
    }
    assert_eq!(prompts.len(), 1);
    // What the lines left on v2 is what they say: no group, and the quota is the text of a file.
    if is_v2 {
        assert_eq!(lab.ok("cat ~/test_container/cpu.cfs_quota_us"), "20000");
        lab.ok("cd; rm -r test_container");
    }
}

/// A container in the background.
#[test]
fn a_quota_that_holds_and_a_group_that_goes() {
    let server = server();
    let mut lab = Lab::start(&server);
    let loops = "docker run -d --name loop --cpu-period=100000 --cpu-quota=20000 --memory 64m \
                 --pids-limit 20 busybox sh -c 'while : ; do : ; done'";
    let started = lab.ok(loops);
    let id = started.lines().last().unwrap().to_string();
    assert!(id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{started}");
    // The text's own way to look.
    let of = |controller: &str| {
        let home = by_dialect(controller, format!("/{controller}"), String::new());
        format!("/sys/fs/cgroup{home}/docker/{id}")
    };
    for (controller, (file, text)) in [
        ("cpu", by_dialect("cpu", ("cpu.cfs_quota_us", "20000"), ("cpu.max", "20000 100000"))),
        (
            "memory",
            by_dialect("memory", ("memory.limit_in_bytes", "67108864"), ("memory.max", "67108864")),
        ),
        ("pids", ("pids.max", "20")),
    ] {
        assert_eq!(lab.ok(&format!("cat {}/{file}", of(controller))), text);
    }
    let group = of("cpu");
    std::thread::sleep(Duration::from_millis(1500));
    let stat = lab.ok(&format!("cat {group}/cpu.stat"));
    let n: u64 = stat.lines().find_map(|l| l.strip_prefix("nr_throttled ")?.parse().ok()).unwrap();
    assert!(n > 5, "{stat}");
    let stats = lab.ok("docker stats --no-stream loop");
    let cpu = stats.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse::<f64>().ok());
    assert!(cpu.is_some_and(|cpu| (3.0..25.0).contains(&cpu)), "{stats}");
    assert!(stats.contains("/ 67108864"), "{stats}");
    let ps = lab.ok("docker ps");
    assert!(ps.contains(&id) && ps.contains("busybox") && ps.contains("loop"), "{ps}");
    // Its own eyes: PID 1, its host name, its group; the network is the machine's, as is said.
    let file = by_dialect("cpu", "cpu/cpu.cfs_quota_us", "cpu.max");
    let inside = lab.ok(&format!(
        "docker exec loop sh -c 'echo $(hostname) $(cat /proc/1/comm); cat /sys/fs/cgroup/{file} /proc/self/cgroup'"
    ));
    assert!(inside.contains(&format!("{id} sh\n20000")), "{inside}");
    // It is the root of its own view.
    assert!(!inside.contains(&format!("/docker/{id}\n")), "{inside}");
    lab.fails(&format!("docker exec loop sh -c 'echo 50000 > /sys/fs/cgroup/{file}'"));
    assert_eq!(lab.run("docker exec loop sh -c 'exit 9'").1, 9);
    let taken = lab.run("docker run --name loop busybox true");
    assert!(taken.1 == 125 && taken.0.contains(&id), "{taken:?}");
    let stopped = lab.ok("docker stop -t 0 loop");
    assert!(stopped.ends_with("loop"), "{stopped}");
    for controller in ["cpu", "memory", "pids"] {
        let here = of(controller);
        lab.fails(&format!("ls -d {}/*/", here.rsplit_once('/').unwrap().0));
    }
    assert_eq!(lab.ok("ls /run/docker; docker ps -q; grep -c /run/docker /proc/mounts; true"), "0");
}

#[test]
fn statuses_and_refusals_are_dockers() {
    let server = server();
    let mut lab = Lab::start(&server);
    for (line, status, said) in [
        ("docker run busybox sh -c 'exit 7'", 7, "+ exec env -i"),
        ("docker run busybox nope", 127, "nope"),
        ("docker run busybox /nope", 127, "/nope"),
        ("docker run busybox /etc", 126, "/etc"),
        ("docker run nginx:1.7.9", 125, "nginx:1.7.9"),
        // Above what the machine itself has: on v1 the kernel's own refusal.
        ("docker run --cpus 1.9 busybox true", by_dialect("cpu", 125, 0), "docker"),
        // A CPU that there is not.
        ("docker run --cpuset-cpus 400 busybox true", 125, "docker"),
        ("docker run -p 80:80 nginx nginx", 125, "network"),
        ("docker pull busybox", 125, "no docker pull"),
        ("docker version", 125, "no engine"),
        ("docker images", 0, "/usr/bin/busybox"),
        ("docker help", 0, "docker run"),
        ("docker run --cpuset-cpus 0 busybox nproc", 0, "\n1\n"),
        (
            "docker run -e A='x y' -w /tmp --hostname teapot busybox sh -c 'echo =$A=$PWD=$(hostname)='",
            0,
            "=x y=/tmp=teapot=",
        ),
        ("docker run --memory 8m busybox dd if=/dev/zero of=/dev/null bs=32M count=1", 137, ""),
        (
            "docker run ubuntu bash -c 'echo $BASH_VERSION; touch /usr/bin/mine; touch /tmp/mine && ls /proc | grep -c [0-9]'",
            0,
            "no image ubuntu",
        ),
        ("LC_ALL=zh_CN.UTF-8 docker run busybox true", 0, "这台机器里没有容器引擎"),
    ] {
        let (text, got) = lab.run(line);
        assert_eq!(got, status, "{line}: {text}");
        assert!(text.contains(said), "{line}: no {said:?} in {text}");
    }
    // Nothing of it is left: no group, no file, no mount.
    lab.fails("test -e /usr/bin/mine || test -e /tmp/mine");
    lab.fails("ls -d /sys/fs/cgroup/docker/*/ /sys/fs/cgroup/*/docker/*/ 2>&1 | grep -v 'No such'");
    assert_eq!(lab.ok("ls /run/docker"), "");
    // One that dies with its terminal's shell is swept by the next.
    lab.ok("docker run -d --name gone busybox sleep 1000");
    lab.ok("kill -9 $(cut -d' ' -f1 /run/docker/*/supervisor) $(cut -d' ' -f1 /run/docker/*/pid); sleep 0.3");
    assert_eq!(lab.ok("docker ps -q"), "");
    lab.fails("ls -d /sys/fs/cgroup/docker/*/ /sys/fs/cgroup/*/docker/*/ 2>&1 | grep -v 'No such'");
}
