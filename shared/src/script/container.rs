//! Containers in a script: how they are started, entered and ended.

use super::quote::quote;
use super::writer::Writer;
use super::{Known, Note};
use crate::id::ContainerId;
use crate::limits::{ROOTFS_BYTES, ROOTFS_INODES};
use crate::namespace::{Namespace, NamespaceSet};
use crate::spec::{ContainerSpec, Rootfs};
use crate::truth::ProcView;

impl Writer<'_> {
    /// Starts a container, and remembers its first process.
    pub(super) fn start(&mut self, id: ContainerId, spec: &ContainerSpec) {
        let known = self.setting.containers.get(&id);
        let number = self.running.len() + 1;
        let name = known.map_or_else(|| format!("c{number}"), |known| known.name.clone());
        let pid = known.map_or(0, |known| known.pid);
        let key = self.new_name(&name);
        self.needs.helpers = true;
        match spec.rootfs {
            Rootfs::Machine => self.start_shell(&key, spec),
            _ => self.start_container(&key, &name, spec),
        }
        if pid > 0 {
            self.pids.insert(pid, format!("pid_{key}"));
        }
        self.running.insert(id, key);
    }

    /// The name of a container that runs; one that the script has not started is started now.
    pub(super) fn container(&mut self, id: ContainerId) -> Option<String> {
        if let Some(key) = self.running.get(&id) {
            return Some(key.clone());
        }
        let Known { name, spec, .. } = self.setting.containers.get(&id)?.clone();
        self.note(&Note::Before(name));
        self.start(id, &spec);
        self.running.get(&id).cloned()
    }

    /// A shell in the machine: here a shell beside this one, in the group of the machine's shells.
    fn start_shell(&mut self, key: &str, spec: &ContainerSpec) {
        self.stand("root/shell");
        let streams = self.streams(key, spec);
        self.line(&format!("mkdir \"$work/{key}\"\nmkfifo \"$work/{key}/in\""));
        self.line(&format!(
            "(\n    enter root/shell\n    echo begun >\"$work/{key}/begun\"\n    exec env -i PATH=\"$PATH\" HOME=\"$work/{key}\" {}\n) {streams} &",
            words(&spec.argv)
        ));
        self.line(&format!("pid_{key}=$!\nbegun {key}"));
    }

    fn start_container(&mut self, key: &str, name: &str, spec: &ContainerSpec) {
        let has = |namespace| spec.namespaces.has(namespace);
        self.needs.container = true;
        self.needs.tools.extend(["unshare", "mount", "umount"]);
        self.note(&Note::GivesUp);
        if spec.proc_view != ProcView::Host {
            self.note(&Note::ProcView);
        }
        let path = format!("root/{name}");
        self.stand(&path);
        let image = self.image(spec);
        self.line(&format!("prepare {key}"));
        let (mut ids, mut userns) = (String::new(), "");
        if has(Namespace::User) {
            self.needs.user = true;
            ids = self.setting.uid_base.to_string();
            userns = " 9<\"/proc/$holder/ns/user\"";
            self.line(&format!("user_namespace {ids}"));
        } else {
            self.note(&Note::NoUser);
        }
        if has(Namespace::Mount) {
            self.needs.tools.insert("pivot_root");
        }
        let streams = self.streams(key, spec);
        let yes = |is: bool| if is { "yes" } else { "" };
        let settings = [
            format!("own_mounts={}", yes(has(Namespace::Mount))),
            format!("loopback={}", yes(has(Namespace::Net))),
            format!("proc={}", if spec.remount_proc { "new" } else { "same" }),
            format!("hostname={}", spec.hostname.as_deref().unwrap_or_default()),
            format!("room=size={},nr_inodes={}", ROOTFS_BYTES.value, ROOTFS_INODES.value),
            format!("ids={ids}"),
        ];
        let settings: Vec<_> = settings.iter().map(|one| quote(one)).collect();
        let mut argv = words(&spec.argv);
        if spec.init {
            self.note(&Note::Init);
            argv = format!("/.vitrine/busybox sh -c '\"$@\" & wait' sh {argv}");
        }
        self.line(&format!(
            "(\n    enter {}\n    exec env dir=\"$work/{key}\" image=\"{image}\" \\\n        {} \\\n        unshare {}-- \\\n        sh -c \"$inside\" sh {argv}\n) {streams} 8>\"$work/{key}/begun\"{userns} &",
            quote(&path),
            settings.join(" "),
            options(spec.namespaces, spec.time_offset_secs),
        ));
        self.line(&format!("born {key} $!\npid_{key}=$pid"));
        for knob in spec.limits.knobs() {
            self.knob(&path, &knob);
        }
        self.line(&format!("let_go {key}"));
    }

    /// The directory of the image, as it stands between double quotes.
    fn image(&mut self, spec: &ContainerSpec) -> String {
        let own_user = spec.namespaces.has(Namespace::User);
        match &spec.rootfs {
            Rootfs::Busybox => {
                self.needs.image = true;
                let ids = if own_user { self.setting.uid_base.to_string() } else { "''".into() };
                self.line(&format!("busybox_image {ids}"));
                return "$image".into();
            }
            Rootfs::Lab => self.note(&Note::Lab),
            _ => {}
        }
        if own_user {
            self.note(&Note::IdMap);
        }
        match &spec.rootfs {
            Rootfs::Image(name) => {
                let upper =
                    |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
                let variable = format!("IMAGE_{}", name.chars().map(upper).collect::<String>());
                self.note(&Note::Image { name: name.clone(), variable: variable.clone() });
                format!("${{{variable}:?}}")
            }
            Rootfs::Directory(path) => {
                self.line(&format!("image={}", quote(path)));
                "$image".into()
            }
            _ => "${LAB:-/}".into(),
        }
    }

    /// Standard input and output, as redirections.
    fn streams(&mut self, key: &str, spec: &ContainerSpec) -> String {
        if !spec.tty {
            return "</dev/null >/dev/null 2>&1".into();
        }
        self.note(&Note::Terminal(key.into()));
        format!("<>\"$work/{key}/in\"")
    }

    /// Runs one more command in a container.
    pub(super) fn exec(
        &mut self,
        id: ContainerId,
        argv: &[String],
        pid: Option<u32>,
    ) -> Option<()> {
        let line = self.entering(id, argv)?;
        let variable = self.new_name("started");
        self.line(&format!("{line} </dev/null >/dev/null 2>&1 &\njoined $!\n{variable}=$pid"));
        self.needs.join = true;
        if let Some(pid) = pid {
            self.pids.insert(pid, variable.clone());
        }
        self.execs.entry(id).or_default().push(variable);
        Some(())
    }

    /// Runs a command in a container and shows what it says.
    pub(super) fn probe(&mut self, id: ContainerId, argv: &[String]) -> Option<()> {
        let line = self.entering(id, argv)?;
        self.line(&format!("{line} </dev/null || :"));
        Some(())
    }

    /// The same in the machine itself: the shell stands for it.
    pub(super) fn probe_machine(&mut self, argv: &[String]) {
        self.line(&format!("{} </dev/null || :", words(argv)));
    }

    fn entering(&mut self, id: ContainerId, argv: &[String]) -> Option<String> {
        let key = self.container(id)?;
        let known = self.setting.containers.get(&id)?;
        let command = words(argv);
        if known.spec.rootfs == Rootfs::Machine {
            // In the machine, that is here: what `joined` waits for is a child all the same.
            return Some(format!(
                "(\n    enter root/shell\n    exec sh -c '\"$@\" & wait' sh {command}\n)"
            ));
        }
        self.needs.tools.insert("nsenter");
        let path = quote(&format!("root/{}", known.name));
        Some(format!(
            "(\n    enter {path}\n    exec nsenter --target \"$pid_{key}\" --all --root --wd=/ -- \\\n        {command}\n)"
        ))
    }

    pub(super) fn stop(&mut self, id: ContainerId) -> Option<()> {
        let known = self.setting.containers.get(&id)?.clone();
        let key = self.container(id)?;
        self.line(&format!("kill -9 \"$pid_{key}\" || :"));
        if known.spec.rootfs != Rootfs::Machine {
            let path = format!("root/{}", known.name);
            self.line(&format!("end_group {}", quote(&path)));
            self.made.remove(&path);
        }
        self.running.remove(&id);
        self.execs.remove(&id);
        Some(())
    }
}

fn words(argv: &[String]) -> String {
    argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// The options of `unshare(1)`. The user namespace comes last, and by another way.
fn options(namespaces: NamespaceSet, time_offset_secs: i64) -> String {
    let has = |namespace| namespaces.has(namespace);
    let own = namespaces.iter().filter(|one| *one != Namespace::User);
    let mut words: Vec<String> = own.map(|one| format!("--{}", one.option())).collect();
    if time_offset_secs != 0 {
        words.push(format!("--boottime {time_offset_secs} --monotonic {time_offset_secs}"));
    }
    // Who unshares these two is not in them; the first child is.
    if has(Namespace::Pid) || has(Namespace::Time) {
        words.push("--fork --kill-child".into());
    }
    words.iter().map(|word| format!("{word} ")).collect()
}
