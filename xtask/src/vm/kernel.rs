//! The guest's kernel: Debian's small one for clouds, and an initramfs that finds the disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use crate::project::Project;
use crate::{say, stamp, tool};

/// The package that always depends on the newest: its dependency's name changes with every update.
const NEWEST: &str = "linux-image-cloud-amd64";
/// What the guest needs and the kernel has as modules, in this order. Its disk is an NVMe one,
/// which is built in.
const MODULES: [&str; 2] = ["overlay", "fuse"];

/// The initramfs' program: it knows the disk, and goes over to it.
const INIT: &str = "\
#!/bin/busybox sh
b=/bin/busybox
for m in overlay fuse; do
  for f in /mod/$m.ko*; do [ -f $f ] && $b insmod $f; done
done
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
$b grep -q vitrine.probe /proc/cmdline && { echo @@ alive; $b reboot -f; }
n=0; while [ ! -e /dev/nvme0n1 ] && [ $n -lt 100 ]; do $b sleep 0.1; n=$((n+1)); done
$b mount -t ext4 /dev/nvme0n1 /new || { echo @@ no disk; $b reboot -f; }
$b umount /proc
$b umount /dev
exec $b switch_root /new /sbin/init
";

/// A kernel and its modules.
pub(super) struct Kernel {
    /// The image that QEMU boots.
    pub(super) image: PathBuf,
    modules: Vec<PathBuf>,
}

impl Kernel {
    /// The one that was fetched before, or the newest.
    pub(super) fn get(project: &Project, work: &Path) -> Result<Self> {
        let unpacked = work.join("kernel");
        if let Ok(kernel) = Self::in_directory(&unpacked) {
            return Ok(kernel);
        }
        let package = newest(project)?;
        say::step(say::words(format!("Fetching {package}"), format!("下载 {package}")));
        let downloads = work.join("download");
        fs::create_dir_all(&downloads).context("make target/vm/download")?;
        tool::run(project.command("apt-get").current_dir(&downloads).args(["download", &package]))?;
        let deb = stamp::files(&downloads)?.pop().context("apt-get download brought no file")?;
        // Unpacked beside and renamed: what is cut short is never taken for whole.
        let fresh = work.join("kernel.new");
        let _ = fs::remove_dir_all(&fresh);
        tool::run(project.command("dpkg-deb").arg("-x").arg(deb).arg(&fresh))?;
        let _ = fs::remove_dir_all(&unpacked);
        fs::rename(&fresh, &unpacked).context("rename target/vm/kernel.new")?;
        fs::remove_dir_all(&downloads).context("remove target/vm/download")?;
        Self::in_directory(&unpacked)
    }

    fn in_directory(unpacked: &Path) -> Result<Self> {
        let files = stamp::files(unpacked)?;
        let name =
            |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let image = files.iter().find(|file| name(file).starts_with("vmlinuz-"));
        let image = image.context("the kernel's package has no vmlinuz")?.clone();
        let module = |wanted: &&str| {
            let file = format!("{wanted}.ko");
            files.iter().find(|path| name(path).starts_with(&file)).cloned()
        };
        Ok(Kernel { image, modules: MODULES.iter().filter_map(module).collect() })
    }

    /// The initramfs: busybox, modules, [`INIT`].
    pub(super) fn initrd(&self, work: &Path, busybox: &Path) -> Result<PathBuf> {
        let root = work.join("initramfs");
        let _ = fs::remove_dir_all(&root);
        for dir in ["bin", "mod", "dev", "new", "proc"] {
            fs::create_dir_all(root.join(dir)).context("make target/vm/initramfs")?;
        }
        fs::copy(busybox, root.join("bin/busybox")).context("copy busybox")?;
        symlink("busybox", root.join("bin/sh")).context("link bin/sh")?;
        for module in &self.modules {
            let name = module.file_name().context("a module without a name")?;
            fs::copy(module, root.join("mod").join(name)).context("copy a module")?;
        }
        fs::write(root.join("init"), INIT).context("write init")?;
        fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755))
            .context("make init executable")?;
        let image = work.join("initrd");
        let list = "bin bin/busybox bin/sh dev init mod new proc";
        let modules = self.modules.iter().filter_map(|path| path.file_name());
        let modules: Vec<_> = modules.map(|name| format!("mod/{}", name.display())).collect();
        let names = [list.split(' ').map(String::from).collect(), modules].concat().join("\n");
        let mut cpio = std::process::Command::new("cpio");
        cpio.current_dir(&root).args(["--quiet", "-o", "-H", "newc"]);
        let file = fs::File::create(&image).context("make target/vm/initrd")?;
        let mut child =
            cpio.stdin(Stdio::piped()).stdout(file).spawn().context("cannot start cpio")?;
        let mut stdin = child.stdin.take().context("cpio has no input")?;
        std::io::Write::write_all(&mut stdin, names.as_bytes()).context("write to cpio")?;
        drop(stdin);
        if !child.wait()?.success() {
            bail!("cpio could not make {}", image.display());
        }
        Ok(image)
    }
}

/// The package that [`NEWEST`] stands for today.
fn newest(project: &Project) -> Result<String> {
    if tool::which("apt-cache").is_none() || std::env::consts::ARCH != "x86_64" {
        bail!(
            "the guest's kernel comes from Debian's archive for amd64: run this stage there, or leave it out"
        );
    }
    let said = tool::output(project.command("apt-cache").args(["depends", NEWEST]))?;
    let name = said.lines().find_map(|line| {
        let name = line.trim().strip_prefix("Depends: ")?;
        (name.starts_with("linux-image-") && name.ends_with("-cloud-amd64")).then_some(name)
    });
    name.map(String::from)
        .with_context(|| format!("apt-cache knows no dependency of {NEWEST}; type: apt-get update"))
}

#[cfg(test)]
mod tests {
    use super::{INIT, MODULES};

    #[test]
    fn init_loads_what_is_copied() {
        assert!(INIT.contains(&MODULES.join(" ")));
    }
}
