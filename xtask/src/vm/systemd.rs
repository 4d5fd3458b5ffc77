//! The same guest with systemd as PID 1: it owns the cgroups, and Vitrine asks it for its own.
//!
//! The guest's init becomes it when the kernel tests have ended, which spares a second boot.
//! The guest has this host's systemd and no other unit than these: no journal, no udev, no D-Bus
//! daemon. `systemd-run` and `systemctl` talk to PID 1 on its private socket.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::disk::Disk;
use crate::tool;

/// Where Debian has it.
pub(crate) const SYSTEMD: &str = "/lib/systemd/systemd";
/// On the kernel's command line, it is what becomes PID 1 in the end.
pub(super) const WORDS: &str = "vitrine.systemd systemd.show_status=0";

const UNITS: &[(&str, &str)] = &[
    ("default.target", "[Unit]\nDefaultDependencies=no\nWants=vitrine-tests.service\n"),
    (
        "vitrine-tests.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nTimeoutStartSec=infinity\n\
         Environment=PATH=/vm:/usr/bin HOME=/root VITRINE_DATA=/tmp/data\n\
         ExecStart=/bin/sh /vm/systemd.sh\n",
    ),
    (
        "vitrine-delegated.service",
        "[Unit]\nDefaultDependencies=no\n[Service]\nDelegate=yes\n\
         Environment=PATH=/vm:/usr/bin HOME=/root VITRINE_DATA=/tmp/data\n\
         ExecStart=/vm/vitrine run --cpu-quota 20000 --cpu-period 100000 -- sh -c \
         'while : ; do : ; done'\n",
    ),
];

/// Puts systemd, the units and the errand on the disk.
pub(super) fn put(disk: &mut Disk) -> Result<()> {
    disk.program(Path::new(SYSTEMD), SYSTEMD.trim_start_matches('/'))?;
    for name in ["systemd-run", "systemctl"] {
        let program = tool::which(name).with_context(|| format!("no {name} on PATH"))?;
        disk.program(&program, &format!("usr/bin/{name}"))?;
    }
    for (name, text) in UNITS {
        disk.text(&format!("etc/systemd/system/{name}"), text)?;
    }
    disk.text("etc/machine-id", "\n")?;
    disk.text("vm/systemd.sh", include_str!("systemd.sh"))
}
