//! The truth about `/proc`: which numbers in a container are the host's, and what mends them.
//!
//! Namespaces change what is *listed* in `/proc`; a few of its files tell of the whole kernel in
//! every container. [`ProcView`] says what lies on those files, [`own`] writes what Vitrine puts
//! there, [`marks()`] finds the numbers in the output of real commands and [`Source::who`] says who
//! answers for each.

mod marks;
pub mod own;

use serde::{Deserialize, Serialize};

pub use marks::{Mark, marks};

/// What lies on the files of a container's `/proc` that are not the container's.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProcView {
    /// Nothing: the kernel answers for the whole host.
    #[default]
    Host,
    /// The files of a running lxcfs, bound one by one, read-only.
    Lxcfs,
    /// Vitrine's own files, written anew once a second from the container's group.
    Own,
}

/// The files that Vitrine writes itself, as they are named in `/proc`.
pub const OWN_FILES: [&str; 5] = ["cpuinfo", "loadavg", "meminfo", "stat", "uptime"];
/// The files of `/proc` that lxcfs may have. `slabinfo` is masked in every container.
pub const LXCFS_FILES: [&str; 7] =
    ["cpuinfo", "diskstats", "loadavg", "meminfo", "stat", "swaps", "uptime"];
/// Where distributions mount lxcfs.
pub const LXCFS_DIRECTORY: &str = "/var/lib/lxcfs";

/// A command whose output shows what a container is told. A page names one of these and nothing
/// else, so that what runs is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Probe {
    /// `top -b -n 1`
    Top,
    /// `free`
    Free,
    /// `nproc`
    Nproc,
    /// `uptime`
    Uptime,
    /// `getconf _NPROCESSORS_ONLN`
    Getconf,
    /// `cat /proc/loadavg`
    Loadavg,
    /// What `python3` takes for the number of CPUs and for the memory: [`PYTHON`].
    Python,
    /// The same of `node`: [`NODE`].
    Node,
    /// `hostname`
    Hostname,
    /// `cat /proc/sys/kernel/hostname`
    HostnameFile,
    /// `ps -e -o pid,args`
    Ps,
    /// `ls /proc`
    ProcList,
    /// `cat /proc/self/mountinfo`
    Mounts,
    /// `ip -o addr`
    Ip,
    /// `cat /proc/net/dev`
    NetDev,
    /// `ipcs`
    Ipcs,
    /// `cat /proc/sysvipc/msg /proc/sysvipc/shm /proc/sysvipc/sem`
    SysvIpc,
    /// `id`
    Id,
    /// `cat /proc/self/uid_map`
    UidMap,
    /// `cat /proc/self/cgroup`
    CgroupPath,
    /// `cat /proc/uptime`
    UptimeFile,
}

/// What a Python program sizes itself by. The C library answers the first (the GNU one from
/// `/proc/stat` where there is no `/sys`) and the last.
pub const PYTHON: &str = "import os\n\
    print('os.cpu_count()', os.cpu_count())\n\
    print('len(os.sched_getaffinity(0))', len(os.sched_getaffinity(0)))\n\
    print(\"os.sysconf('SC_PHYS_PAGES')\", os.sysconf('SC_PHYS_PAGES'))";
/// What a program for Node.js sizes itself by; its library reads the files itself.
pub const NODE: &str = "console.log('os.cpus().length', os.cpus().length)\n\
    console.log('os.totalmem()', os.totalmem())";

impl Probe {
    /// All of them.
    pub const ALL: [Probe; 21] = [
        Probe::Free,
        Probe::Nproc,
        Probe::Getconf,
        Probe::Uptime,
        Probe::Loadavg,
        Probe::Top,
        Probe::Python,
        Probe::Node,
        Probe::Hostname,
        Probe::HostnameFile,
        Probe::Ps,
        Probe::ProcList,
        Probe::Mounts,
        Probe::Ip,
        Probe::NetDev,
        Probe::Ipcs,
        Probe::SysvIpc,
        Probe::Id,
        Probe::UidMap,
        Probe::CgroupPath,
        Probe::UptimeFile,
    ];

    /// Those whose numbers have sources, for [`marks()`]; the others show what a namespace hides.
    pub const NUMBERS: [Probe; 8] = [
        Probe::Free,
        Probe::Nproc,
        Probe::Getconf,
        Probe::Uptime,
        Probe::Loadavg,
        Probe::Top,
        Probe::Python,
        Probe::Node,
    ];

    /// The command line.
    pub const fn argv(self) -> &'static [&'static str] {
        match self {
            Probe::Top => &["top", "-b", "-n", "1"],
            Probe::Free => &["free"],
            Probe::Nproc => &["nproc"],
            Probe::Uptime => &["uptime"],
            Probe::Getconf => &["getconf", "_NPROCESSORS_ONLN"],
            Probe::Loadavg => &["cat", "/proc/loadavg"],
            Probe::Python => &["python3", "-c", PYTHON],
            Probe::Node => &["node", "-e", NODE],
            Probe::Hostname => &["hostname"],
            Probe::HostnameFile => &["cat", "/proc/sys/kernel/hostname"],
            Probe::Ps => &["ps", "-e", "-o", "pid,args"],
            Probe::ProcList => &["ls", "/proc"],
            Probe::Mounts => &["cat", "/proc/self/mountinfo"],
            Probe::Ip => &["ip", "-o", "addr"],
            Probe::NetDev => &["cat", "/proc/net/dev"],
            Probe::Ipcs => &["ipcs"],
            Probe::SysvIpc => {
                &["cat", "/proc/sysvipc/msg", "/proc/sysvipc/shm", "/proc/sysvipc/sem"]
            }
            Probe::Id => &["id"],
            Probe::UidMap => &["cat", "/proc/self/uid_map"],
            Probe::CgroupPath => &["cat", "/proc/self/cgroup"],
            Probe::UptimeFile => &["cat", "/proc/uptime"],
        }
    }

    /// The command line as it is shown: a script is longer than a line.
    pub fn line(self) -> String {
        match self {
            Probe::Python | Probe::Node => {
                let [program, flag, ..] = self.argv() else { return String::new() };
                format!("{program} {flag} …")
            }
            _ => self.argv().join(" "),
        }
    }
}

/// What a command printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Output {
    /// Standard output and standard error, as they came; what is not UTF-8 is replaced.
    pub text: String,
    /// There was more than the limit `probe-bytes`.
    pub cut: bool,
    /// As a shell writes it; 124 when it was ended for taking longer than `probe-secs`.
    pub status: i32,
    /// The program was busybox, which asks the kernel for some numbers that others read in files.
    pub busybox: bool,
    /// What lay on the files of its `/proc` when it was started.
    pub view: ProcView,
    /// Unix time of its start, in milliseconds.
    pub at_msec: u64,
}

/// Where a number in such an output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// `/proc/meminfo`: memory and swap.
    Meminfo,
    /// `/proc/stat`: CPU time, and how many CPUs.
    Stat,
    /// `/proc/uptime`.
    Uptime,
    /// `/proc/loadavg`.
    Loadavg,
    /// `sysinfo(2)`: memory, swap, uptime and load of the whole kernel. No file is read, so none
    /// can mend it.
    Sysinfo,
    /// `sched_getaffinity(2)`: the CPUs of the cpuset, whatever the quota.
    Affinity,
    /// `clock_gettime(2)`, `CLOCK_REALTIME`: there is no namespace for the time of day.
    Clock,
    /// The processes listed in `/proc`: those of the PID namespace.
    Processes,
    /// `/var/run/utmp` of the container's own root.
    Users,
}

/// Who answers for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The kernel, for the whole host.
    Host,
    /// The kernel, for the machine, whose namespace the container shares.
    Machine,
    /// The kernel, for the container's namespace, cpuset or root.
    Container,
    /// lxcfs, from the group of the container's PID 1.
    Lxcfs,
    /// Vitrine's own files, from the container's group.
    Own,
}

impl Source {
    /// All of them, in the order of the table.
    pub const ALL: [Source; 9] = [
        Source::Meminfo,
        Source::Stat,
        Source::Uptime,
        Source::Loadavg,
        Source::Sysinfo,
        Source::Affinity,
        Source::Clock,
        Source::Processes,
        Source::Users,
    ];

    /// What is read or called, as a manual names it.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Meminfo => "/proc/meminfo",
            Source::Stat => "/proc/stat",
            Source::Uptime => "/proc/uptime",
            Source::Loadavg => "/proc/loadavg",
            Source::Sysinfo => "sysinfo(2)",
            Source::Affinity => "sched_getaffinity(2)",
            Source::Clock => "clock_gettime(2)",
            Source::Processes => "/proc/PID",
            Source::Users => "/var/run/utmp",
        }
    }

    /// Is it a file of `/proc` that can be mended by another one in its place?
    pub const fn is_file(self) -> bool {
        matches!(self, Source::Meminfo | Source::Stat | Source::Uptime | Source::Loadavg)
    }

    /// Who answers for it in a container with this view, and a PID namespace of its own or not.
    pub const fn who(self, view: ProcView, own_pids: bool) -> Who {
        match (self, view) {
            (Source::Meminfo | Source::Stat | Source::Uptime | Source::Loadavg, view) => match view
            {
                ProcView::Host => Who::Host,
                ProcView::Lxcfs => Who::Lxcfs,
                ProcView::Own => Who::Own,
            },
            (Source::Sysinfo | Source::Clock, _) => Who::Host,
            (Source::Affinity | Source::Users, _) => Who::Container,
            (Source::Processes, _) if own_pids => Who::Container,
            (Source::Processes, _) => Who::Machine,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mend_changes_files_and_nothing_else() {
        for source in Source::ALL {
            let (host, own) = (source.who(ProcView::Host, true), source.who(ProcView::Own, true));
            assert_eq!(host != own, own == Who::Own, "{source:?}");
        }
        assert_eq!(Source::Sysinfo.who(ProcView::Own, true), Who::Host);
        assert_eq!(Source::Affinity.who(ProcView::Host, true), Who::Container);
        assert_eq!(Source::Processes.who(ProcView::Host, false), Who::Machine);
    }

    #[test]
    fn lxcfs_mends_all_that_we_do() {
        assert!(OWN_FILES.iter().all(|file| LXCFS_FILES.contains(file)));
    }
}
