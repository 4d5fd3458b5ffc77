//! `ps` and `top`: what `/proc` of the mount namespace says, and nothing else. In a new PID namespace
//! with the old `/proc` they therefore show everybody, as the real ones do.

use super::super::super::procs::Proc;
use super::{Shell, fail, kib, options, say, user_name};

/// A process as `/proc` tells it.
struct Row {
    pid: u32,
    parent: u32,
    uid: u32,
    state: String,
    name: String,
    command: String,
    ticks: u64,
    started: u64,
    rss_kib: u64,
}

/// Everybody in the `/proc` that is mounted.
fn rows(shell: &Shell) -> Option<Vec<Row>> {
    shell.world.look(|kernel| {
        let entries = kernel.list(shell.proc, "/proc").ok()?;
        let pids = entries.into_iter().filter_map(|entry| entry.name.parse::<u32>().ok());
        let mut rows: Vec<Row> = pids.filter_map(|pid| row(kernel, shell.proc, pid)).collect();
        rows.sort_by_key(|row| row.pid);
        Some(rows)
    })
}

fn row(kernel: &super::super::super::kernel::Kernel, proc: Proc, pid: u32) -> Option<Row> {
    let read = |name: &str| kernel.read(proc, &format!("/proc/{pid}/{name}")).ok();
    let (stat, status) = (read("stat")?, read("status")?);
    let (before, after) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0);
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next());
    let command = read("cmdline")?.trim_end_matches('\0').replace('\0', " ");
    let name = before.split_once('(')?.1.to_owned();
    Some(Row {
        pid,
        parent: u32::try_from(field(1)).unwrap_or(0),
        uid: uid?.parse().ok()?,
        state: (*fields.first()?).to_owned(),
        command: if command.is_empty() { format!("[{name}]") } else { command },
        name,
        ticks: field(11) + field(12),
        started: field(19),
        rss_kib: field(21) * 4,
    })
}

/// `M:SS` for `busybox`, `HH:MM:SS` for the others.
fn time(ticks: u64) -> String {
    let seconds = ticks / 100;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

pub(super) async fn ps(shell: Shell, argv: Vec<String>) -> u8 {
    let Some(rows) = rows(&shell) else {
        return fail(&shell, "ps", "/proc is not mounted").await;
    };
    if let Some(at) = argv.iter().position(|arg| arg == "-o") {
        let columns = argv.get(at + 1).map_or("", String::as_str);
        let all = argv[1..].iter().any(|arg| arg == "-e" || arg == "-A");
        return chosen(&shell, &rows, columns, all).await;
    }
    // `ps aux` has no dash.
    let (mut letters, words) = options(&argv[1..]);
    letters.extend(words.first().into_iter().flat_map(|word| word.chars()));
    let has = |letter| letters.contains(&letter);
    let mut text;
    if has('a') && has('u') {
        let uptime = shell.world.now_nsec() / 10_000_000;
        text = format!(
            "{:<8} {:>5} {:>4} {:>6} {:<4} {:>8} COMMAND\n",
            "USER", "PID", "%CPU", "RSS", "STAT", "TIME"
        );
        for row in &rows {
            let lived = uptime.saturating_sub(row.started).max(1);
            let permille = row.ticks * 1_000 / lived;
            text += &format!(
                "{:<8} {:>5} {:>2}.{} {:>6} {:<4} {:>8} {}\n",
                user_name(row.uid),
                row.pid,
                permille / 10,
                permille % 10,
                row.rss_kib,
                row.state,
                time(row.ticks),
                row.command
            );
        }
    } else if has('f') {
        text = format!("{:<8} {:>5} {:>5} {:>8} CMD\n", "UID", "PID", "PPID", "TIME");
        for row in &rows {
            let (user, time) = (user_name(row.uid), time(row.ticks));
            text +=
                &format!("{user:<8} {:>5} {:>5} {time:>8} {}\n", row.pid, row.parent, row.command);
        }
    } else {
        let all = has('e') || has('A');
        // Whoever has the same terminal: all but what began with the machine.
        text = format!("{:>7} {:<8} {:>8} CMD\n", "PID", "TTY", "TIME");
        for row in rows.iter().filter(|row| all || row.name != "init") {
            let tty = if row.name == "init" { "?" } else { "pts/0" };
            text += &format!("{:>7} {tty:<8} {:>8} {}\n", row.pid, time(row.ticks), row.name);
        }
    }
    say(&shell, "ps", &text).await
}

/// `ps -o pid,comm`: columns by their names, the last as long as it is.
async fn chosen(shell: &Shell, rows: &[Row], columns: &str, all: bool) -> u8 {
    let names: Vec<&str> = columns.split(',').collect();
    let head = |name: &str| match name {
        "pid" => Some((7, "PID")),
        "ppid" => Some((7, "PPID")),
        "user" => Some((0, "USER    ")),
        "stat" | "s" | "state" => Some((0, "S")),
        "time" => Some((8, "TIME")),
        "rss" => Some((5, "RSS")),
        "comm" => Some((0, "COMMAND        ")),
        "args" | "cmd" => Some((0, "COMMAND")),
        _ => None,
    };
    let Some(heads) = names.iter().map(|name| head(name)).collect::<Option<Vec<_>>>() else {
        let what = "the simulator has -o pid,ppid,user,s,time,rss,comm,args";
        return fail(shell, "ps", what).await;
    };
    let line = |cells: Vec<String>| {
        let cells = cells.iter().zip(&heads);
        let cells = cells.map(|(cell, (right, head))| match right {
            0 => format!("{cell:<width$}", width = head.len()),
            right => format!("{cell:>right$}"),
        });
        cells.collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n"
    };
    let mut text = line(heads.iter().map(|(_, head)| (*head).to_owned()).collect());
    for row in rows.iter().filter(|row| all || row.name != "init") {
        let cell = |name: &&str| match *name {
            "pid" => row.pid.to_string(),
            "ppid" => row.parent.to_string(),
            "user" => user_name(row.uid),
            "time" => time(row.ticks),
            "rss" => row.rss_kib.to_string(),
            "comm" => row.name.clone(),
            "args" | "cmd" => row.command.clone(),
            _ => row.state.clone(),
        };
        text += &line(names.iter().map(cell).collect());
    }
    say(shell, "ps", &text).await
}

/// `top`: `-b` without a terminal's tricks, `-n` so often, `-d` seconds apart, `-p` only this PID.
/// Without `-n` it goes on until somebody ends it.
pub(super) async fn top(shell: Shell, argv: Vec<String>) -> u8 {
    let (mut rounds, mut apart_nsec, mut only) = (u64::MAX, 3_000_000_000_u64, Vec::new());
    let mut args = argv[1..].iter();
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|word| word.parse::<u64>().ok());
        match arg.as_str() {
            "-n" => rounds = number().unwrap_or(1),
            "-n1" | "-bn1" => rounds = 1,
            "-d" => apart_nsec = number().unwrap_or(3).clamp(1, 3_600) * 1_000_000_000,
            "-p" => only.extend(number()),
            _ => {}
        }
    }
    let mut before: Vec<(u32, u64)> = Vec::new();
    let mut at = 0;
    for round in 0..rounds {
        let Some(rows) = rows(&shell) else {
            return fail(&shell, "top", "/proc is not mounted").await;
        };
        let now = shell.world.now_nsec();
        let text = picture(&shell, &rows, &before, now - at, &only);
        let status = say(&shell, "top", &text).await;
        if status != 0 {
            return status;
        }
        before = rows.iter().map(|row| (row.pid, row.ticks)).collect();
        at = now;
        if round + 1 < rounds {
            shell.world.sleep(shell.proc, apart_nsec).await;
        }
    }
    0
}

fn picture(
    shell: &Shell,
    rows: &[Row],
    before: &[(u32, u64)],
    over_nsec: u64,
    only: &[u64],
) -> String {
    let read =
        |path: &str| shell.world.look(|kernel| kernel.read(shell.proc, path)).unwrap_or_default();
    let meminfo = read("/proc/meminfo");
    let kib = |name: &str| kib(&meminfo, name);
    let load = read("/proc/loadavg");
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let mib = |kib: u64| format!("{}.{}", kib / 1_024, kib % 1_024 * 10 / 1_024);
    let count = |state: &str| rows.iter().filter(|row| row.state == state).count();
    let mut text = format!(
        "top - load average: {}\nTasks: {} total, {} running, {} sleeping, {} zombie\nMiB Mem : {} total, {} free\n\n{:>7} {:<8} {:>3} {:<1} {:>5} {:>9} COMMAND\n",
        load.join(", "),
        rows.len(),
        count("R"),
        count("S"),
        count("Z"),
        mib(kib("MemTotal")),
        mib(kib("MemFree")),
        "PID",
        "USER",
        "NI",
        "S",
        "%CPU",
        "TIME+"
    );
    let ticks_over = (over_nsec / 10_000_000).max(1);
    let used = |row: &Row| {
        let earlier = before.iter().find(|(pid, _)| *pid == row.pid).map_or(0, |(_, ticks)| *ticks);
        row.ticks.saturating_sub(earlier) * 1_000 / ticks_over
    };
    let mut shown: Vec<&Row> =
        rows.iter().filter(|row| only.is_empty() || only.contains(&u64::from(row.pid))).collect();
    shown.sort_by_key(|row| (std::cmp::Reverse(used(row)), row.pid));
    for row in shown {
        let permille = used(row);
        let time =
            format!("{}:{:02}.{:02}", row.ticks / 6_000, row.ticks / 100 % 60, row.ticks % 100);
        text += &format!(
            "{:>7} {:<8} {:>3} {:<1} {:>3}.{} {time:>9} {}\n",
            row.pid,
            user_name(row.uid),
            0,
            row.state,
            permille / 10,
            permille % 10,
            row.name
        );
    }
    text + "\n"
}
