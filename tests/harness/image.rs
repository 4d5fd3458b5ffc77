//! A root directory with the probe in it, for `--rootfs`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{command, data};

/// A copy of the busybox image with `/bin/probe`.
pub(crate) fn with_probe() -> &'static str {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let work = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let root = work.join(format!("rootfs-{}", std::process::id()));
        sweep(work);
        copy(&root);
        build_probe(&root.join("bin/probe"));
        root
    });
    root.to_str().expect("a UTF-8 path")
}

/// Removes what earlier runs left here.
fn sweep(work: &Path) {
    for entry in std::fs::read_dir(work).expect("CARGO_TARGET_TMPDIR").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("rootfs-").and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            std::fs::remove_dir_all(entry.path()).expect("remove an old rootfs");
        }
    }
}

/// A fresh copy of the busybox image at `root`.
pub(crate) fn copy(root: &Path) {
    // The first run puts the image together.
    command::output(&["--", "true"]);
    let images = data().join("images");
    let entries = std::fs::read_dir(&images).expect("the images").flatten();
    let named =
        |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("busybox-");
    // An older Vitrine may have left its own.
    let age = |entry: &std::fs::DirEntry| entry.metadata().and_then(|meta| meta.modified()).ok();
    let image = entries.filter(named).max_by_key(age).map(|entry| entry.path());
    let image = image.expect("the busybox image");
    let copied = Command::new("cp").arg("-a").arg(image).arg(root).status().expect("cp");
    assert!(copied.success(), "copy the image to {}", root.display());
}

/// Compiles the probe: static, because a container has no libraries. Where there is no compiler,
/// `TEST_PROBE` is one that was compiled elsewhere.
fn build_probe(to: &Path) {
    if let Some(built) = std::env::var_os("TEST_PROBE") {
        std::fs::copy(built, to).expect("copy the probe");
        return;
    }
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let built = Command::new(rustc)
        .args([
            "--edition=2024",
            "-Copt-level=1",
            "-Ctarget-feature=+crt-static",
            "-Cstrip=symbols",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.rs"))
        .arg("-o")
        .arg(to)
        .output()
        .expect("rustc runs");
    assert!(
        built.status.success(),
        "the probe does not build; it needs a static C library (libc6-dev, glibc-static):\n{}",
        String::from_utf8_lossy(&built.stderr)
    );
}
