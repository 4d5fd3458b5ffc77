//! `vitrine run`: its flags, which are Docker's where it has one, and what they mean.

mod device;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::spec::{
    ContainerSpec, DEFAULT_PERIOD_USEC, Limits, Rootfs, check_image_name, check_user, check_workdir,
};
use vitrine_shared::truth::ProcView;

use crate::launcher::run;
use device::{Rate, parse_bps, parse_iops};

/// Which seccomp filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Seccomp {
    /// The allow-list of a strict machine.
    Strict,
    /// None. Capabilities and `no_new_privs` are given up all the same.
    Off,
}

/// What lies on the files of /proc that tell of the whole host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum View {
    /// Nothing: they tell of the whole host.
    Host,
    /// The files of lxcfs, which must run.
    Lxcfs,
    /// Vitrine's own, written once a second from the container's cgroup.
    Own,
}

impl From<View> for ProcView {
    fn from(view: View) -> Self {
        match view {
            View::Host => ProcView::Host,
            View::Lxcfs => ProcView::Lxcfs,
            View::Own => ProcView::Own,
        }
    }
}

/// `vitrine run`.
#[derive(Debug, Args)]
#[command(after_help = "\
With no namespace named, all eight are new. The exit status is the program's own;
125: vitrine failed, 126: the program cannot be executed, 127: it is not there.

Examples:
  vitrine run -it -- sh                         # all eight namespaces, a terminal
  vitrine run --pid -- ps                       # the classic surprise: the host's processes
  vitrine run --pid --mount -- ps               # with /proc remounted: PID 1
  vitrine run --rootfs lab -it -- bash          # bash, procps, util-linux, iproute2
  vitrine run --rootfs lab -m 64m --proc-view own -- free  # 64 MiB, not the host's
  vitrine run --rootfs alpine -it               # an image (vitrine image add), its own command
  vitrine run --rootfs alpine -u guest -w /tmp -- id      # another user, another directory
  vitrine run --cpu-quota 20000 --cpu-period 100000 -- sh -c 'while : ; do : ; done'")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Run {
    /// New PID namespace: the program is PID 1.
    #[arg(long, help_heading = "Namespaces")]
    pid: bool,
    /// New mount namespace; /proc is remounted in it.
    #[arg(long, help_heading = "Namespaces")]
    mount: bool,
    /// New UTS namespace: a host name of its own.
    #[arg(long, help_heading = "Namespaces")]
    uts: bool,
    /// New IPC namespace: shared memory, semaphores and queues of its own.
    #[arg(long, help_heading = "Namespaces")]
    ipc: bool,
    /// New network namespace: only a loopback device.
    #[arg(long, help_heading = "Namespaces")]
    net: bool,
    /// New user namespace: root inside is nobody outside.
    #[arg(long, help_heading = "Namespaces")]
    user: bool,
    /// New cgroup namespace: its own cgroup is the root.
    #[arg(long, help_heading = "Namespaces")]
    cgroup: bool,
    /// New time namespace; see --time-offset.
    #[arg(long, help_heading = "Namespaces")]
    time: bool,
    /// All eight (the default when none is named).
    #[arg(long, help_heading = "Namespaces", conflicts_with = "no_namespaces")]
    all: bool,
    /// None at all: only the root is changed.
    #[arg(long, help_heading = "Namespaces")]
    no_namespaces: bool,
    /// Keep the old /proc in view in spite of --mount.
    #[arg(long, help_heading = "Namespaces")]
    no_remount_proc: bool,
    /// What meminfo, cpuinfo, stat, uptime and loadavg in /proc tell of: the whole host, or the
    /// container, by the files of lxcfs or by Vitrine's own.
    #[arg(long, value_enum, value_name = "VIEW", default_value_t = View::Host, help_heading = "Namespaces")]
    proc_view: View,
    /// Seconds added to the boot-time and monotonic clocks (needs --time).
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_negative_numbers = true,
        help_heading = "Namespaces"
    )]
    time_offset: i64,

    /// Root file system: busybox, lab (bash and the server's own tools), the name of an image
    /// (see vitrine image), or a directory, with a slash in it. Its files stay as they are.
    #[arg(long, value_name = "busybox|lab|NAME|DIR", default_value = "busybox")]
    rootfs: String,
    /// Keep standard input open.
    #[arg(short, long)]
    interactive: bool,
    /// Give it a terminal.
    #[arg(short, long)]
    tty: bool,
    /// Whom it runs as: USER or USER:GROUP, names or numbers of its own /etc/passwd and /etc/group
    /// (Docker's --user, which is a namespace here). Else the image's user, or root.
    #[arg(short = 'u', long = "as", value_name = "USER[:GROUP]", value_parser = parse_user)]
    run_as: Option<String>,
    /// Where it begins, made when it is not there: an absolute path inside. Else the image's
    /// working directory, or /.
    #[arg(short, long, value_name = "DIR", value_parser = parse_workdir)]
    workdir: Option<String>,
    /// Host name inside (needs --uts).
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// Put a tiny init in the place of PID 1, which reaps and passes signals on.
    #[arg(long)]
    init: bool,
    /// When it has ended, tell on standard error how it was born and how it ended, as JSON
    /// (docs/cli-json.md).
    #[arg(long)]
    pub json: bool,
    /// Seccomp filter.
    #[arg(long, value_enum, default_value_t = Seccomp::Strict)]
    seccomp: Seccomp,
    /// Where images are kept; when not given, `data` of the file of settings (vitrine serve --help
    /// says which), else as root /var/lib/vitrine, for others ~/.local/share/vitrine.
    #[arg(long, value_name = "DIR", env = "VITRINE_DATA")]
    data: Option<PathBuf>,

    /// Length of a CFS period in microseconds, 1000 to 1000000.
    #[arg(long, value_name = "USEC", help_heading = "Limits")]
    cpu_period: Option<u64>,
    /// CPU time allowed in each period, in microseconds, at least 1000.
    #[arg(long, value_name = "USEC", help_heading = "Limits", conflicts_with = "cpus")]
    cpu_quota: Option<u64>,
    /// Number of CPUs, such as 0.5: a quota in other words.
    #[arg(long, value_name = "N", value_parser = parse_cpus, help_heading = "Limits", conflicts_with = "cpu_period")]
    cpus: Option<u64>,
    /// Relative weight, 2 to 262144; 1024 is usual.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    cpu_shares: Option<u64>,
    /// CPUs it may run on, such as 0-1,3.
    #[arg(long, value_name = "LIST", help_heading = "Limits")]
    cpuset_cpus: Option<String>,
    /// Memory, in bytes or with a suffix k, m or g.
    #[arg(short, long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Limits")]
    memory: Option<u64>,
    /// Memory and swap together, at least --memory; -1 is as much swap as there is.
    #[arg(long, value_name = "BYTES", value_parser = parse_swap, help_heading = "Limits", requires = "memory", allow_hyphen_values = true)]
    memory_swap: Option<Swap>,
    /// Memory above which it is slowed down before anybody is killed (cgroup v2).
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes, help_heading = "Limits")]
    memory_high: Option<u64>,
    /// Unused quota that may be saved up and used beyond it, in microseconds.
    #[arg(long, value_name = "USEC", help_heading = "Limits")]
    cpu_burst: Option<u64>,
    /// Number of processes and threads.
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pids_limit: Option<u64>,
    /// Bytes a second read from a block device, such as /dev/sda:1m (more than once for more).
    #[arg(long, value_name = "DEVICE:RATE", value_parser = parse_bps, help_heading = "Limits")]
    device_read_bps: Vec<Rate>,
    /// Bytes a second written to a block device.
    #[arg(long, value_name = "DEVICE:RATE", value_parser = parse_bps, help_heading = "Limits")]
    device_write_bps: Vec<Rate>,
    /// Reads a second from a block device, such as /dev/sda:100.
    #[arg(long, value_name = "DEVICE:RATE", value_parser = parse_iops, help_heading = "Limits")]
    device_read_iops: Vec<Rate>,
    /// Writes a second to a block device.
    #[arg(long, value_name = "DEVICE:RATE", value_parser = parse_iops, help_heading = "Limits")]
    device_write_iops: Vec<Rate>,

    /// The program and its arguments; without them the image's own, where it has one.
    #[arg(trailing_var_arg = true, value_name = "CMD")]
    argv: Vec<String>,
}

impl Run {
    /// The namespaces that were asked for.
    fn namespaces(&self) -> NamespaceSet {
        let named: NamespaceSet = [
            (Namespace::Pid, self.pid),
            (Namespace::Mount, self.mount),
            (Namespace::Uts, self.uts),
            (Namespace::Ipc, self.ipc),
            (Namespace::User, self.user),
            (Namespace::Net, self.net),
            (Namespace::Cgroup, self.cgroup),
            (Namespace::Time, self.time),
        ]
        .into_iter()
        .filter_map(|(namespace, on)| on.then_some(namespace))
        .collect();
        let none_named = named == NamespaceSet::NONE && !self.no_namespaces;
        if self.all || none_named { NamespaceSet::ALL } else { named }
    }
}

impl From<&Run> for run::Options {
    fn from(args: &Run) -> Self {
        let namespaces = args.namespaces();
        let quota = args.cpus.or(args.cpu_quota);
        let spec = ContainerSpec {
            namespaces,
            remount_proc: namespaces.has(Namespace::Mount) && !args.no_remount_proc,
            hostname: args.hostname.clone(),
            rootfs: rootfs(&args.rootfs),
            argv: args.argv.clone(),
            user: args.run_as.clone(),
            workdir: args.workdir.clone(),
            tty: args.tty,
            init: args.init,
            limits: Limits {
                cpu_quota_usec: quota,
                cpu_period_usec: args.cpu_period,
                cpu_burst_usec: args.cpu_burst,
                cpu_shares: args.cpu_shares,
                cpuset_cpus: args.cpuset_cpus.clone(),
                memory_bytes: args.memory,
                memory_high_bytes: args.memory_high,
                memory_swap_bytes: args.memory_swap.and_then(|swap| swap.beside(args.memory)),
                pids_max: args.pids_limit,
            },
            time_offset_secs: args.time_offset,
            proc_view: args.proc_view.into(),
        };
        run::Options {
            spec,
            interactive: args.interactive,
            seccomp: args.seccomp == Seccomp::Strict,
            io: device::limits([
                &args.device_read_bps,
                &args.device_write_bps,
                &args.device_read_iops,
                &args.device_write_iops,
            ]),
            data: args.data.clone(),
        }
    }
}

/// What `--rootfs` means: a word that can be an image's name is one, all else is a path.
fn rootfs(word: &str) -> Rootfs {
    match word {
        "busybox" => Rootfs::Busybox,
        "lab" => Rootfs::Lab,
        name if check_image_name(name).is_ok() => Rootfs::Image(name.into()),
        path => Rootfs::Directory(path.into()),
    }
}

fn parse_user(word: &str) -> Result<String, String> {
    check_user(word).map(|()| word.into()).map_err(|err| err.to_string())
}

fn parse_workdir(word: &str) -> Result<String, String> {
    check_workdir(word).map(|()| word.into()).map_err(|err| err.to_string())
}

/// `0.5` CPUs as a quota in the default period.
fn parse_cpus(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a number of CPUs such as 0.5 or 2");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if text.is_empty()
        || text == "."
        || !digits(whole)
        || !digits(part)
        || part.len() > 5
        || whole.len() > 5
    {
        return Err(wrong());
    }
    // DEFAULT_PERIOD_USEC is 10⁵: five decimals are exact.
    let whole: u64 = format!("0{whole}").parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<5}").parse().map_err(|_| wrong())?;
    Ok(whole * DEFAULT_PERIOD_USEC + part)
}

/// What `--memory-swap` says: Docker counts memory and swap together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Swap {
    Unlimited,
    Together(u64),
}

impl Swap {
    /// The swap alone; less than the memory is as good as none.
    fn beside(self, memory: Option<u64>) -> Option<u64> {
        match self {
            Swap::Unlimited => None,
            Swap::Together(both) => Some(both.saturating_sub(memory.unwrap_or(0))),
        }
    }
}

fn parse_swap(text: &str) -> Result<Swap, String> {
    match text {
        "-1" => Ok(Swap::Unlimited),
        text => parse_bytes(text).map(Swap::Together),
    }
}

/// `64m` as bytes.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is not a number of bytes such as 67108864, 64m or 1g");
    let lower = text.to_ascii_lowercase();
    let (digits, shift) = match lower.chars().last() {
        Some('b') => (&lower[..lower.len() - 1], 0),
        Some('k') => (&lower[..lower.len() - 1], 10),
        Some('m') => (&lower[..lower.len() - 1], 20),
        Some('g') => (&lower[..lower.len() - 1], 30),
        _ => (lower.as_str(), 0),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn spec(line: &str) -> ContainerSpec {
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let Command::Run(args) = cli.command else { panic!("not run: {line}") };
        run::Options::from(&*args).spec
    }

    #[test]
    fn no_namespace_named_is_all_of_them() {
        assert_eq!(spec("vitrine run -- true").namespaces, NamespaceSet::ALL);
        assert_eq!(spec("vitrine run --no-namespaces true").namespaces, NamespaceSet::NONE);
        let pid = spec("vitrine run --pid true");
        assert_eq!(pid.namespaces, NamespaceSet::NONE.with(Namespace::Pid, true));
        assert!(!pid.remount_proc);
        assert!(spec("vitrine run --pid --mount true").remount_proc);
    }

    #[test]
    fn the_tutorials_docker_line() {
        let spec = spec("vitrine run -it --cpu-period=100000 --cpu-quota=20000 busybox -x");
        assert_eq!(
            (spec.limits.cpu_period_usec, spec.limits.cpu_quota_usec),
            (Some(100_000), Some(20_000))
        );
        assert_eq!(spec.argv, ["busybox", "-x"]);
        assert!(spec.tty);
    }

    #[test]
    fn swap_is_counted_with_the_memory() {
        let swap = |text: &str| {
            spec(&format!("vitrine run -m 64m --memory-swap {text} true")).limits.memory_swap_bytes
        };
        assert_eq!(swap("96m"), Some(32 << 20));
        assert_eq!(swap("64m"), Some(0));
        assert_eq!(swap("-1"), None);
        assert!(Cli::try_parse_from(["vitrine", "run", "--memory-swap", "1g", "true"]).is_err());
        let high = spec("vitrine run --memory-high 32m --cpu-burst 5000 true").limits;
        assert_eq!((high.memory_high_bytes, high.cpu_burst_usec), (Some(32 << 20), Some(5_000)));
    }

    #[test]
    fn cpus_and_bytes() {
        assert_eq!(parse_cpus("0.5"), Ok(50_000));
        assert_eq!(parse_cpus("2"), Ok(200_000));
        assert_eq!(parse_cpus(".25"), Ok(25_000));
        for bad in ["", ".", "-1", "1e3", "0.123456", "x"] {
            assert!(parse_cpus(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_bytes("64m"), Ok(64 << 20));
        assert_eq!(parse_bytes("1G"), Ok(1 << 30));
        for bad in ["", "m", "1.5g", "99999999999g", "-1"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }
}
