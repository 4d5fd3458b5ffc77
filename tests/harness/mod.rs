//! What the tests stand on: the built program, the prerequisites, and a look at the kernel.
//!
//! Nothing here is a stub. A prerequisite that is missing fails the test and names itself.

pub(crate) mod busy;
pub(crate) mod cgroup;
pub(crate) mod client;
pub(crate) mod command;
pub(crate) mod held;
pub(crate) mod image;
pub(crate) mod lab;
pub(crate) mod proc;
pub(crate) mod pty;
pub(crate) mod server;
pub(crate) mod term;
pub(crate) mod typed;
pub(crate) mod user;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        check_host();
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
        let chosen = std::env::var_os("VITRINE_BIN").map(PathBuf::from);
        let mut candidates = chosen.map_or_else(
            || vec![target.join("release/vitrine"), target.join("debug/vitrine")],
            |path| vec![path],
        );
        candidates.retain(|path| path.is_file());
        candidates.into_iter().next().unwrap_or_else(|| {
            panic!("no program to test: build it (`cargo build -p vitrine`) or set VITRINE_BIN")
        })
    })
}

/// Where the program keeps its images: made once, shared by all tests.
pub(crate) fn data() -> &'static Path {
    static DATA: OnceLock<PathBuf> = OnceLock::new();
    DATA.get_or_init(|| {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join("data");
        std::fs::create_dir_all(&data).expect("make the data directory");
        data
    })
}

fn check_host() {
    assert!(nix::unistd::geteuid().is_root(), "these tests need root: they make namespaces");
    for controller in ["cpu", "cpuacct", "cpuset", "memory", "pids", "freezer"] {
        assert!(
            cgroup::mounted(controller).is_some(),
            "these tests need the cgroup controller {controller}, v1 or v2; see /proc/mounts"
        );
    }
    assert!(
        ["/bin/busybox", "/usr/bin/busybox"].iter().any(|path| Path::new(path).is_file()),
        "these tests need a static busybox: apt-get install busybox-static"
    );
}

/// Asks again and again until there is an answer; panics when there is none in time.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + bound(patience);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How long something may take here that may take `real` on a real machine. An emulated one says in
/// `TEST_SLOWNESS` how many times slower it is.
pub(crate) fn bound(real: Duration) -> Duration {
    let slowness = std::env::var("TEST_SLOWNESS").ok().and_then(|text| text.parse().ok());
    real * slowness.unwrap_or(1)
}

/// A number that no other test, and no other run of the tests, uses: to be found in `/proc`.
pub(crate) fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}{:04}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
