//! Builds PID 1 (`backend/init/init.rs`): a static program of a few kilobytes, without the
//! standard library, so that nothing of the launcher is visible inside a container.

use std::path::Path;
use std::process::Command;

/// Compiles it with the compiler that compiles everything else.
pub(crate) fn build() {
    println!("cargo:rerun-if-changed=init/init.rs");
    let rustc = std::env::var("RUSTC").expect("cargo sets RUSTC");
    let target = std::env::var("TARGET").expect("cargo sets TARGET");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    let status = Command::new(rustc)
        .args(["--edition=2024", "--crate-type=bin", "--crate-name=init", "--target", &target])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Cstrip=symbols", "-Crelocation-model=static"])
        .args(["-Clink-arg=-nostartfiles", "-Clink-arg=-nostdlib", "-Clink-arg=-static"])
        .args(["-Clink-arg=-Wl,--build-id=none", "-Clink-arg=-Wl,-z,noexecstack"])
        .arg("init/init.rs")
        .arg("-o")
        .arg(Path::new(&out).join("init"))
        .status()
        .expect("the compiler runs");
    assert!(status.success(), "backend/init/init.rs does not compile");
}
