//! The guest's disk: programs with their libraries, busybox, an init that mounts the usual.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{elf, stamp, tool};

/// PID 1 of the guest, once the disk is its root.
const INIT: &str = "\
#!/bin/sh
export PATH=/vm:/usr/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
chmod 1777 /tmp
echo @@ up $(cut -d' ' -f1 /proc/uptime) s, $(uname -r), controllers: $(cat /sys/fs/cgroup/cgroup.controllers)
cd /vm
sh /vm/run
if grep -q vitrine.systemd /proc/cmdline; then
  # What a real boot gives it: no group, and nothing mounted.
  cd /
  find /sys/fs/cgroup -mindepth 1 -depth -type d -exec rmdir {} +
  for d in /sys/fs/cgroup /run /dev/shm /dev/pts /dev /sys /proc; do umount -l $d; done
  exec /lib/systemd/systemd
fi
echo @@ done
reboot -f
";

/// Room for what the tests write.
const SPARE_BYTES: u64 = 512 << 20;

/// A directory that becomes an ext4 image.
pub(super) struct Disk {
    root: PathBuf,
    image: PathBuf,
}

impl Disk {
    /// With busybox, users and [`INIT`].
    pub(super) fn new(work: &Path, busybox: &Path) -> Result<Self> {
        let disk = Disk { root: work.join("root"), image: work.join("disk.img") };
        let _ = fs::remove_dir_all(&disk.root);
        for dir in ["usr/bin", "dev", "etc", "proc", "root", "run", "sbin", "sys", "tmp", "vm"] {
            fs::create_dir_all(disk.root.join(dir)).context("make target/vm/root")?;
        }
        // As hosts have it: a library is one file, by whichever path it is named.
        for dir in ["bin", "lib", "lib64"] {
            fs::create_dir_all(disk.root.join("usr").join(dir)).context("make target/vm/root")?;
            symlink(format!("usr/{dir}"), disk.root.join(dir)).context("link a directory")?;
        }
        disk.copy(busybox, Path::new("usr/bin/busybox"))?;
        for applet in tool::output(Command::new(busybox).arg("--list"))?.lines() {
            if applet != "busybox" {
                symlink("busybox", disk.root.join("usr/bin").join(applet))
                    .context("link an applet")?;
            }
        }
        disk.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")?;
        // Tests lay files of their own over these.
        disk.text("etc/subuid", "")?;
        disk.text("etc/subgid", "")?;
        disk.text("etc/group", "root:x:0:\n")?;
        disk.text("sbin/init", INIT)?;
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(disk.root.join("sbin/init"), executable)
            .context("make init executable")?;
        Ok(disk)
    }

    /// A file with this text.
    pub(super) fn text(&self, to: &str, text: &str) -> Result<()> {
        let path = self.root.join(to);
        fs::create_dir_all(path.parent().unwrap_or(&self.root)).context("make a directory")?;
        fs::write(path, text).with_context(|| format!("write {to}"))
    }

    /// A program of this host and the libraries that it needs, by what `ldd` says.
    pub(super) fn program(&mut self, program: &Path, to: &str) -> Result<()> {
        self.programs(&[(program.to_owned(), to.to_owned())])
    }

    /// The same for many: one call of `ldd`, which is a script, serves them all.
    pub(super) fn programs(&mut self, programs: &[(PathBuf, String)]) -> Result<()> {
        let mut linked = Vec::new();
        for (program, to) in programs {
            self.copy(program, Path::new(to))?;
            let bytes = fs::read(program).with_context(|| format!("read {}", program.display()))?;
            if elf::interpreter(&bytes).flatten().is_some() {
                linked.push(program);
            }
        }
        if linked.is_empty() {
            return Ok(());
        }
        for library in libraries(&tool::output(Command::new("ldd").args(linked))?) {
            if !self.root.join(library.strip_prefix("/").unwrap_or(&library)).exists() {
                self.file(&library)?;
            }
        }
        Ok(())
    }

    /// A file of this host, at the same path.
    pub(super) fn file(&self, path: &Path) -> Result<()> {
        self.copy(path, path.strip_prefix("/").unwrap_or(path))
    }

    /// The files below a directory of this host that are meant.
    pub(super) fn directory(&self, path: &Path, is_meant: impl Fn(&Path) -> bool) -> Result<()> {
        let files = stamp::files(path).unwrap_or_default();
        files.iter().filter(|file| is_meant(file)).try_for_each(|file| self.file(file))
    }

    /// The image, made anew.
    pub(super) fn image(&self) -> Result<PathBuf> {
        let used: u64 = stamp::files(&self.root)?
            .iter()
            .filter_map(|file| fs::symlink_metadata(file).ok())
            .map(|metadata| metadata.len())
            .sum();
        let file = fs::File::create(&self.image).context("make target/vm/disk.img")?;
        // Sparse: only what is written takes room.
        file.set_len(used + SPARE_BYTES).context("size target/vm/disk.img")?;
        let mke2fs = tool::which("mke2fs").unwrap_or_else(|| "/usr/sbin/mke2fs".into());
        let mut make = Command::new(mke2fs);
        tool::run(make.args(["-q", "-F", "-t", "ext4", "-d"]).arg(&self.root).arg(&self.image))?;
        Ok(self.image.clone())
    }

    fn copy(&self, from: &Path, to: &Path) -> Result<()> {
        let to = self.root.join(to);
        fs::create_dir_all(to.parent().unwrap_or(&self.root)).context("make a directory")?;
        // What busybox answers to until there is something better; never through the link.
        if to.is_symlink() {
            fs::remove_file(&to).with_context(|| format!("remove {}", to.display()))?;
        }
        fs::copy(from, &to).map(drop).with_context(|| format!("copy {}", from.display()))
    }
}

/// The files that `ldd` names: a path after the arrow, or a path alone (the loader).
fn libraries(said: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        // Of several programs, each has a heading that is not indented.
        let line = line.strip_prefix('\t')?;
        let line = line.split_once("=>").map_or(line, |(_, path)| path);
        let path = line.split_whitespace().next()?;
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    said.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::{PathBuf, libraries};

    #[test]
    fn what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007f)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\t/lib64/ld.so.2 (0x00007f)\n";
        let both = ["/lib/libc.so.6", "/lib64/ld.so.2"].map(PathBuf::from);
        assert_eq!(libraries(said), both);
        assert_eq!(libraries(&format!("/usr/bin/true:\n{said}")), both);
        assert_eq!(libraries("\tstatically linked\n"), Vec::<PathBuf>::new());
    }
}
