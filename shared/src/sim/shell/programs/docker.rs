//! `docker run`, explained: there is no Docker here, and every step that such a line stands for works without.

use super::{Shell, fail, say};
use crate::cgroup::Dialect;

/// Options that take a value, and what is made of it.
const VALUES: [(&str, Option<Limit>); 16] = [
    ("--cpu-period", Some(Limit::Period)),
    ("--cpu-quota", Some(Limit::Quota)),
    ("--cpu-shares", Some(Limit::Shares)),
    ("-c", Some(Limit::Shares)),
    ("--cpus", Some(Limit::Cpus)),
    ("--cpuset-cpus", Some(Limit::Set)),
    ("--memory", Some(Limit::Memory)),
    ("-m", Some(Limit::Memory)),
    ("--pids-limit", Some(Limit::Pids)),
    ("--hostname", Some(Limit::Hostname)),
    ("-h", Some(Limit::Hostname)),
    ("--name", None),
    ("--volume", None),
    ("-v", None),
    ("--publish", None),
    ("-p", None),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Period,
    Quota,
    Shares,
    Cpus,
    Set,
    Memory,
    Pids,
    Hostname,
}

/// What a line asks for.
#[derive(Debug, Default)]
struct Asked {
    limits: Vec<(Limit, String)>,
    /// Options that the steps do without.
    left_out: Vec<String>,
    image: String,
    command: Vec<String>,
}

impl Asked {
    fn read(args: &[String]) -> Result<Self, String> {
        let mut asked = Asked::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if !arg.starts_with('-') {
                asked.image.clone_from(arg);
                asked.command = args.cloned().collect();
                return Ok(asked);
            }
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            match VALUES.iter().find(|(known, _)| *known == name) {
                None if matches!(name, "-it" | "-ti" | "-i" | "-t" | "-d" | "--rm") => {}
                None => asked.left_out.push(name.to_owned()),
                Some((_, limit)) => {
                    let value = value.or_else(|| args.next().cloned());
                    let value = value.ok_or_else(|| format!("flag needs an argument: {name}"))?;
                    match limit {
                        Some(limit) => asked.limits.push((*limit, value)),
                        None => asked.left_out.push(name.to_owned()),
                    }
                }
            }
        }
        Err("\"docker run\" requires at least 1 argument: an image".into())
    }

    fn value(&self, limit: Limit) -> Option<&str> {
        let found = self.limits.iter().rfind(|(other, _)| *other == limit);
        found.map(|(_, value)| value.as_str())
    }

    /// The quota and its period, in microseconds: `--cpus` is a quota in other words.
    fn bandwidth(&self) -> Option<(String, String)> {
        let period = self.value(Limit::Period).unwrap_or("100000").to_owned();
        let of_cpus = |cpus: &str| {
            let (whole, part) = cpus.split_once('.').unwrap_or((cpus, ""));
            let thousandths: u64 = format!("{whole}{part:0<3.3}").parse().ok()?;
            Some((thousandths.checked_mul(period.parse().ok()?)? / 1_000).to_string())
        };
        let quota = self.value(Limit::Quota).map(str::to_owned);
        let quota = quota.or_else(|| self.value(Limit::Cpus).and_then(of_cpus));
        match (quota, self.value(Limit::Period)) {
            (Some(quota), _) => Some((quota, period)),
            (None, Some(_)) => Some(("-1".into(), period)),
            (None, None) => None,
        }
    }

    fn steps_v1(&self) -> Vec<String> {
        let mut steps = Vec::new();
        let mut group = |controller: &str, files: &[(&str, String)]| {
            let dir = format!("/sys/fs/cgroup/{controller}/docker1");
            steps.push(format!("mkdir {dir}"));
            steps.extend(files.iter().map(|(file, value)| format!("echo {value} > {dir}/{file}")));
            steps.push(format!("echo $$ > {dir}/tasks"));
        };
        let mut cpu = Vec::new();
        if let Some((quota, period)) = self.bandwidth() {
            cpu.push(("cpu.cfs_period_us", period));
            cpu.push(("cpu.cfs_quota_us", quota));
        }
        cpu.extend(self.value(Limit::Shares).map(|value| ("cpu.shares", value.to_owned())));
        group("cpu", &cpu);
        if let Some(cpus) = self.value(Limit::Set) {
            let files = [("cpuset.cpus", cpus.to_owned()), ("cpuset.mems", "0".to_owned())];
            group("cpuset", &files);
        }
        if let Some(value) = self.value(Limit::Memory) {
            group("memory", &[("memory.limit_in_bytes", value.to_owned())]);
        }
        if let Some(value) = self.value(Limit::Pids) {
            group("pids", &[("pids.max", value.to_owned())]);
        }
        steps
    }

    fn steps_v2(&self) -> Vec<String> {
        const DIR: &str = "/sys/fs/cgroup/docker1";
        let all = "+cpu +cpuset +memory +pids";
        let mut steps = vec![
            format!("echo {all} > /sys/fs/cgroup/cgroup.subtree_control"),
            format!("mkdir {DIR}"),
        ];
        let mut write =
            |file: &str, value: &str| steps.push(format!("echo {value} > {DIR}/{file}"));
        if let Some((quota, period)) = self.bandwidth() {
            let quota = if quota == "-1" { "max" } else { &quota };
            write("cpu.max", &format!("{quota} {period}"));
        }
        let shares = self.value(Limit::Shares).and_then(|value| value.parse::<u64>().ok());
        if let Some(shares) = shares {
            write("cpu.weight", &crate::cgroup::weight_of_shares(shares).to_string());
        }
        for (limit, file) in
            [(Limit::Set, "cpuset.cpus"), (Limit::Memory, "memory.max"), (Limit::Pids, "pids.max")]
        {
            if let Some(value) = self.value(limit) {
                write(file, value);
            }
        }
        write("cgroup.procs", "$$");
        steps
    }
}

/// The steps of a line, as commands that work here.
pub(super) async fn docker(shell: Shell, argv: Vec<String>) -> u8 {
    if argv.get(1).map(String::as_str) != Some("run") {
        return fail(&shell, "docker", "the simulator explains docker run").await;
    }
    let asked = match Asked::read(&argv[2..]) {
        Ok(asked) => asked,
        Err(what) => {
            fail(&shell, "docker", &what).await;
            return 125;
        }
    };
    let dialect = shell.world.look(|kernel| kernel.groups().dialect());
    let mut text = String::from("# There is no Docker here. What this line stands for:\n");
    for name in &asked.left_out {
        text += &format!("# ({name} is left out.)\n");
    }
    let steps = if dialect == Dialect::V1 { asked.steps_v1() } else { asked.steps_v2() };
    steps.iter().for_each(|step| text += &format!("{step}\n"));
    text += &format!(
        "# The files of {} would be its root; here they are the machine's.\n",
        asked.image
    );
    let command = if asked.command.is_empty() { "sh".into() } else { asked.command.join(" ") };
    let program = match asked.value(Limit::Hostname) {
        Some(name) => format!("sh -c 'hostname {name}; exec {command}'"),
        None => command,
    };
    text += &format!("unshare --pid --fork --mount-proc --uts --ipc --net --cgroup {program}\n");
    say(&shell, "docker", &text).await
}
