//! What was done as one line of a shell: nearly the same, and shorter than the script.

use super::quote::quote;
use crate::message::{Act, Deed, Step};
use crate::namespace::{Namespace, NamespaceSet};
use crate::spec::{ContainerSpec, Rootfs};

/// `nsenter(1)`: one more command in namespaces that are there already.
pub fn nsenter_line(pid: u32, argv: &[String]) -> String {
    let words: Vec<_> = argv.iter().map(|word| quote(word)).collect();
    format!("nsenter --target {pid} --all {}", words.join(" "))
}

/// The steps of a birth in the machine with this PID 1, the first with the shell line for the
/// whole of it.
pub fn born_deeds(steps: &[Step], spec: &ContainerSpec, init_pid: u32) -> Vec<Deed> {
    let mut shell = match spec.rootfs {
        Rootfs::Machine => nsenter_line(init_pid, &spec.argv),
        _ => unshare_line(spec),
    };
    let deed = |step: &Step| Deed {
        act: Act::Syscall { call: step.call.clone() },
        shell: std::mem::take(&mut shell),
    };
    steps.iter().map(deed).collect()
}

/// `unshare(1)` for a spec.
pub fn unshare_line(spec: &ContainerSpec) -> String {
    let mut words = vec!["unshare".to_string()];
    words.extend(options(spec.namespaces));
    if spec.namespaces.has(Namespace::Pid) {
        words.push("--fork".into());
    }
    let root = match &spec.rootfs {
        Rootfs::Busybox => "busybox-rootfs",
        Rootfs::Lab => "lab-rootfs",
        Rootfs::Machine => "/",
        Rootfs::Image(name) => name,
        Rootfs::Directory(path) => path,
    };
    if spec.remount_proc {
        words.push(format!("--mount-proc={root}/proc"));
    }
    if spec.namespaces.has(Namespace::User) {
        words.push("--map-root-user".into());
    }
    words.push(format!("--root={root}"));
    words.extend(spec.workdir.iter().map(|path| format!("--wd={}", quote(path))));
    if let Some(user) = &spec.user {
        // unshare(1) takes numbers only.
        let (user, group) = user.split_once(':').unwrap_or((user, "0"));
        let numbers = [("setgid", group), ("setuid", user)];
        let number = |(_, word): &(&str, &str)| word.parse::<u32>().is_ok();
        words.extend(numbers.into_iter().filter(number).map(|(name, id)| format!("--{name}={id}")));
    }
    words.extend(spec.argv.iter().map(|word| quote(word)));
    words.join(" ")
}

fn options(namespaces: NamespaceSet) -> impl Iterator<Item = String> {
    namespaces.iter().map(|namespace| format!("--{}", namespace.option()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_click_container_as_a_shell_line() {
        assert_eq!(
            unshare_line(&ContainerSpec::one_click()),
            "unshare --pid --mount --uts --ipc --user --net --cgroup --time --fork --mount-proc=busybox-rootfs/proc --map-root-user --root=busybox-rootfs /bin/sh"
        );
    }
}
