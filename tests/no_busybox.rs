//! A host without a static busybox: a mount namespace in which nothing stands where it would be.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command as Program, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use vitrine_shared::message::{Because, Command, Feature, Refusal};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::{ContainerSpec, Rootfs};

use crate::harness::binary;
use crate::harness::server::Server;

/// Where the program looks for one.
const CANDIDATES: [&str; 5] = [
    "/bin/busybox",
    "/usr/bin/busybox",
    "/bin/busybox.static",
    "/sbin/busybox",
    "/usr/lib/busybox/busybox-static",
];

/// The program, which will see an empty file in the place of each busybox.
fn without_busybox(empty: &Path) -> Program {
    let mut command = Program::new(binary());
    let empty = empty.to_path_buf();
    let hide = move || {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
        for path in CANDIDATES.iter().filter(|path| Path::new(path).exists()) {
            mount(Some(&empty), *path, none, MsFlags::MS_BIND, none)?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec of a child of this test; allocates at most path buffers, and
    // the allocator is usable after fork on this libc.
    unsafe { command.pre_exec(hide) };
    command
}

#[test]
fn the_server_starts_and_its_containers_are_lab_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (empty, data) = (dir.path().join("empty"), dir.path().join("data"));
    std::fs::write(&empty, "").unwrap();
    std::fs::create_dir(&data).unwrap();
    let mut command = without_busybox(&empty);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(&data);
    let mut server = Server::start_by(&mut command);
    assert!(server.log().contains("no static busybox"), "{}", server.log());

    let mut page = server.client();
    let told = page.host().missing.iter().find(|one| one.feature == Feature::Busybox).cloned();
    let told = told.expect("the page is told");
    assert_eq!(told.because, Because::NotInstalled);
    assert!(told.mend.contains("busybox"), "{}", told.mend);

    let spec = ContainerSpec::one_click();
    let refused = page.refused(Command::StartContainer { machine: None, spec: spec.clone() });
    assert_eq!(refused, Refusal::Missing { what: Lacking::Feature(told) });
    // What the page's one click asks for instead.
    let argv = vec!["/bin/bash".into()];
    page.start(None, ContainerSpec { rootfs: Rootfs::Lab, argv, ..spec });
    server.stop();
}

#[test]
fn run_says_what_is_missing_and_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let mut command = without_busybox(&empty);
    command.args(["run", "--data"]).arg(dir.path()).arg("true").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("no static busybox") && said.contains("--rootfs lab"), "{said}");
}
