//! Programs that tell of the machine or keep it busy, and the shell itself.

use super::super::super::cpu::Demand;
use super::super::super::procs::{OVERFLOW_ID, Signal};
use super::text::input;
use super::{Shell, fail, kib, named, options, say, user_name};
use crate::namespace::Namespace;

/// Another shell: `-c` a line, a file, or whoever types.
pub(super) async fn sh(shell: Shell, argv: Vec<String>) -> u8 {
    let mut shell = shell.anew(argv[0].clone());
    let args: Vec<&String> =
        argv[1..].iter().filter(|arg| !matches!(arg.as_str(), "-i" | "-l" | "-")).collect();
    match args[..] {
        [flag, line, ref rest @ ..] if flag == "-c" => {
            // The first word behind it is the shell's own name.
            if let Some((name, rest)) = rest.split_first() {
                shell.name = (*name).clone();
                shell.args = rest.iter().map(|arg| (*arg).clone()).collect();
            }
            shell.script(line.clone()).await
        }
        [path, ref rest @ ..] => {
            shell.name = path.clone();
            shell.args = rest.iter().map(|arg| (*arg).clone()).collect();
            match input(&shell, "sh", &[path.as_str()]).await {
                Ok(text) => shell.script(text).await,
                Err(_) => 2,
            }
        }
        [] => shell.talk().await,
    }
}

/// `busybox sh` and the like.
pub(super) async fn busybox(shell: Shell, argv: Vec<String>) -> u8 {
    match argv.get(1).and_then(|name| named(name)) {
        Some(program) => {
            let applet = program(shell.clone(), argv[1..].to_vec());
            shell.world.become_program(shell.proc, &argv, applet).await
        }
        None => fail(&shell, "busybox", "applet not found").await,
    }
}

pub(super) async fn pwd(shell: Shell, _: Vec<String>) -> u8 {
    let cwd = shell.world.look(|kernel| kernel.cwd(shell.proc));
    say(&shell, "pwd", &format!("{cwd}\n")).await
}

pub(super) async fn sleep(shell: Shell, argv: Vec<String>) -> u8 {
    let wrong = match argv.get(1) {
        None => "missing operand".to_owned(),
        Some(word) => {
            match (word.strip_prefix('-').and_then(|it| it.chars().next()), seconds(word)) {
                (Some(letter), _) => format!("invalid option -- '{letter}'"),
                (None, None) => format!("invalid time interval '{word}'"),
                (None, Some(nsec)) => {
                    shell.world.sleep(shell.proc, nsec).await;
                    return 0;
                }
            }
        }
    };
    fail(&shell, "sleep", &wrong).await;
    shell.say_error("Try 'sleep --help' for more information.\n").await;
    1
}

/// `1`, `0.5`, `2m`, `infinity`, in nanoseconds.
fn seconds(text: &str) -> Option<u64> {
    if text == "infinity" {
        return Some(u64::MAX);
    }
    let (text, times) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1),
        b'm' => (&text[..text.len() - 1], 60),
        b'h' => (&text[..text.len() - 1], 3_600),
        _ => (text, 1),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits = format!("{part:0<9}");
    let part: u64 = digits.get(..9)?.parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(part)?.checked_mul(times)
}

pub(super) async fn hostname(shell: Shell, argv: Vec<String>) -> u8 {
    let (_, words) = options(&argv[1..]);
    let Some(name) = words.first() else {
        let name = shell.world.look(|kernel| kernel.procs().hostname(shell.proc).to_owned());
        return say(&shell, "hostname", &format!("{name}\n")).await;
    };
    match shell.world.act(|kernel| kernel.set_hostname(shell.proc, name)) {
        Ok(()) => 0,
        Err(super::super::super::errno::Errno::Eperm) => {
            fail(&shell, "hostname", "you must be root to change the host name").await
        }
        Err(super::super::super::errno::Errno::Einval) => {
            fail(&shell, "hostname", "name too long").await
        }
        Err(errno) => fail(&shell, "hostname", &errno.to_string()).await,
    }
}

pub(super) async fn uname(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, _) = options(&argv[1..]);
    let host = shell.world.look(|kernel| kernel.procs().hostname(shell.proc).to_owned());
    let words = [
        ('s', "Linux".to_owned()),
        ('n', host),
        ('r', "6.18.0-simulated".to_owned()),
        ('m', "x86_64".to_owned()),
    ];
    let asked = |letter: char| {
        letters.contains(&'a') || letters.contains(&letter) || letters.is_empty() && letter == 's'
    };
    let words: Vec<String> =
        words.into_iter().filter(|(letter, _)| asked(*letter)).map(|(_, word)| word).collect();
    say(&shell, "uname", &(words.join(" ") + "\n")).await
}

fn own_uid(shell: &Shell) -> u32 {
    shell.world.look(|kernel| kernel.uid_inside(shell.proc))
}

pub(super) async fn id(shell: Shell, argv: Vec<String>) -> u8 {
    let uid = own_uid(&shell);
    let (letters, _) = options(&argv[1..]);
    let name = user_name(uid);
    let group = if uid == OVERFLOW_ID { "nogroup".to_owned() } else { name.clone() };
    let has = |letter| letters.contains(&letter);
    let text = match (has('u') || has('g'), has('n')) {
        (true, false) => format!("{uid}\n"),
        (true, true) if has('g') => format!("{group}\n"),
        (true, true) => format!("{name}\n"),
        _ => format!("uid={uid}({name}) gid={uid}({group}) groups={uid}({group})\n"),
    };
    say(&shell, "id", &text).await
}

pub(super) async fn whoami(shell: Shell, _: Vec<String>) -> u8 {
    let name = user_name(own_uid(&shell));
    say(&shell, "whoami", &format!("{name}\n")).await
}

/// The CPUs that a process may run on: of its cpuset, whatever its quota is.
pub(super) async fn nproc(shell: Shell, argv: Vec<String>) -> u8 {
    let count = shell.world.look(|kernel| match argv.iter().any(|arg| arg == "--all") {
        true => kernel.n_cpus(),
        false => kernel.cpus_allowed(shell.proc),
    });
    say(&shell, "nproc", &format!("{count}\n")).await
}

pub(super) async fn getconf(shell: Shell, argv: Vec<String>) -> u8 {
    let value = shell.world.look(|kernel| match argv.get(1).map(String::as_str) {
        Some("_NPROCESSORS_ONLN" | "_NPROCESSORS_CONF") => Some(kernel.n_cpus() as u64),
        Some("_PHYS_PAGES") => Some(kernel.setup().memory_bytes / 4_096),
        Some("PAGESIZE" | "PAGE_SIZE") => Some(4_096),
        Some("CLK_TCK") => Some(100),
        _ => None,
    });
    match value {
        Some(value) => say(&shell, "getconf", &format!("{value}\n")).await,
        None => fail(&shell, "getconf", "no such variable here").await,
    }
}

/// The numbers of `/proc/meminfo`: of the whole machine.
pub(super) async fn free(shell: Shell, argv: Vec<String>) -> u8 {
    let (letters, _) = options(&argv[1..]);
    let Ok(meminfo) = shell.world.look(|kernel| kernel.read(shell.proc, "/proc/meminfo")) else {
        return fail(&shell, "free", "/proc is not mounted").await;
    };
    let kib = |name: &str| kib(&meminfo, name);
    let shift = if letters.contains(&'m') {
        10
    } else if letters.contains(&'g') {
        20
    } else {
        0
    };
    let show = |kib: u64| kib >> shift;
    let (total, free, cached) = (kib("MemTotal"), kib("MemFree"), kib("Cached"));
    let used = total.saturating_sub(free + cached);
    let (swap, swap_free) = (kib("SwapTotal"), kib("SwapFree"));
    let mut text = format!(
        "{:>19}{:>12}{:>12}{:>12}{:>12}{:>12}\n",
        "total", "used", "free", "shared", "buff/cache", "available"
    );
    text += &format!("Mem:    {:>11}", show(total));
    for value in [used, free, 0, cached, kib("MemAvailable")] {
        text += &format!("{:>12}", show(value));
    }
    text += &format!(
        "\nSwap:   {:>11}{:>12}{:>12}\n",
        show(swap),
        show(swap - swap_free),
        show(swap_free)
    );
    say(&shell, "free", &text).await
}

pub(super) async fn uptime(shell: Shell, _: Vec<String>) -> u8 {
    let (seconds, load) = shell.world.look(|kernel| {
        let load = kernel.read(shell.proc, "/proc/loadavg").unwrap_or_default();
        (kernel.now_nsec() / 1_000_000_000, load)
    });
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let text = format!(" up {} min,  load average: {}\n", seconds / 60, load.join(", "));
    say(&shell, "uptime", &text).await
}

/// The machine has no clock of the day: what it can tell is how long it runs.
pub(super) async fn date(shell: Shell, _: Vec<String>) -> u8 {
    let seconds = shell.world.now_nsec() / 1_000_000_000;
    say(&shell, "date", &format!("{seconds} s since the simulated machine started\n")).await
}

pub(super) async fn env(shell: Shell, _: Vec<String>) -> u8 {
    let text: String =
        shell.variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    say(&shell, "env", &text).await
}

/// Network devices: a new network namespace has a loopback, and it is down.
pub(super) async fn ip(shell: Shell, argv: Vec<String>) -> u8 {
    let own = shell.world.look(|kernel| {
        let first = kernel.procs().space_of(kernel.init(), Namespace::Net);
        kernel.procs().space_of(shell.proc, Namespace::Net) == first
    });
    let (_, words) = options(&argv[1..]);
    match words.first() {
        Some(what)
            if "address".starts_with(what) || "link".starts_with(what) || "addr" == *what => {}
        _ => return fail(&shell, "ip", "the simulator has ip addr and ip link").await,
    }
    let text = match own {
        false => "1: lo: <LOOPBACK> mtu 65536 qdisc noop state DOWN\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n".to_owned(),
        true => "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN\n    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP\n    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n    inet 192.0.2.2/24 scope global eth0\n".to_owned(),
    };
    say(&shell, "ip", &text).await
}

/// `stress -c N`: busy processes; `-m N` (`--vm-bytes`): memory. Until somebody ends it, or `-t` seconds.
pub(super) async fn stress(shell: Shell, argv: Vec<String>) -> u8 {
    let after = |names: &[&str]| {
        let at = argv.iter().position(|arg| names.contains(&arg.as_str()))?;
        argv.get(at + 1).cloned()
    };
    let number = |names: &[&str]| {
        after(names).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0).min(64)
    };
    let (busy, hungry) = (number(&["-c", "--cpu"]), number(&["-m", "--vm"]));
    let bytes = after(&["--vm-bytes"]).and_then(|word| size(&word)).unwrap_or(256 << 20);
    let limit = after(&["-t", "--timeout"]).and_then(|word| seconds(word.trim_end_matches('s')));
    let mut children = Vec::new();
    for at in 0..busy + hungry {
        let copy = shell.clone();
        let argv = vec!["stress".to_owned()];
        let started = shell.world.spawn(shell.proc, Default::default(), &argv, move |proc| {
            Box::pin(async move {
                if at >= busy {
                    take_memory(&copy, proc, bytes).await;
                }
                copy.world.work_for_ever(proc).await
            })
        });
        children.extend(started);
    }
    match limit {
        Some(nsec) => shell.world.sleep(shell.proc, nsec).await,
        None => {
            for child in &children {
                shell.world.wait(shell.proc, *child).await;
            }
        }
    }
    for child in children {
        // It may have been killed meanwhile.
        let _ = shell.world.kill(shell.proc, child, Signal::Term);
    }
    0
}

/// Takes memory a mebibyte at a time; who is killed for it is ended here, it may be this process.
async fn take_memory(shell: &Shell, proc: super::super::super::procs::Proc, bytes: u64) {
    const STEP: u64 = 1 << 20;
    let mut taken = 0;
    while taken < bytes {
        let step = STEP.min(bytes - taken);
        match shell.world.act(|kernel| kernel.allocate(proc, step)) {
            Ok(()) => taken += step,
            Err(victims) => {
                let init = shell.world.look(|kernel| kernel.init());
                for victim in victims {
                    // Its end is what matters.
                    let _ = shell.world.kill(init, victim, Signal::Kill);
                }
            }
        }
        shell.world.act(|kernel| kernel.demand(proc, Demand::Sleeping));
        shell.world.work(proc, 200_000).await;
    }
}

fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.chars().last()? {
        'k' | 'K' => (&text[..text.len() - 1], 10),
        'm' | 'M' => (&text[..text.len() - 1], 20),
        'g' | 'G' => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
