//! An ordinary user: an id that nobody has, a home and a runtime directory of its own.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::binary;
use super::command::{Outcome, Running, spawn};

/// A user without a name. What it has goes when it is dropped.
pub(crate) struct User {
    dir: tempfile::TempDir,
    /// Its id, and its group's.
    pub(crate) uid: u32,
}

impl User {
    /// One that no other test has.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let uid =
            77_000_000 + std::process::id() * 16 % 1_000_000 + NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = tempfile::tempdir().expect("a temporary directory");
        open_up(dir.path(), 0o755);
        for name in ["home", "run"] {
            let path = dir.path().join(name);
            std::fs::create_dir(&path).expect("mkdir");
            chown(&path, Some(uid), Some(uid)).expect("chown");
            open_up(&path, 0o700);
        }
        User { dir, uid }
    }

    /// Its home.
    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Its runtime directory.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// `vitrine` with these words, as this user, without groups.
    pub(crate) fn vitrine(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.home())
            .env("XDG_RUNTIME_DIR", self.runtime())
            .current_dir("/")
            .uid(self.uid)
            .gid(self.uid);
        command
    }

    /// Starts `vitrine run` with these words.
    pub(crate) fn start(&self, words: &[&str], input: Option<&[u8]>) -> Running {
        spawn(&mut self.vitrine(&[&["run"], words].concat()), input)
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Outcome {
        self.start(words, None).end()
    }

    /// The same, when it must succeed; gives its output.
    #[track_caller]
    pub(crate) fn output(&self, words: &[&str]) -> String {
        let outcome = self.run(words);
        assert_eq!(outcome.status, 0, "vitrine run {}: {outcome:?}", words.join(" "));
        outcome.out
    }
}

/// The program where everybody can reach it.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        sweep();
        let dir = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
        std::fs::create_dir(&dir).expect("mkdir");
        open_up(&dir, 0o755);
        let path = dir.join("vitrine");
        std::fs::copy(binary(), &path).expect("copy the program");
        open_up(&path, 0o755);
        path
    })
}

const PREFIX: &str = "vitrine-tests-program-";

/// Removes what earlier runs left here.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).expect("the directory").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|pid| pid.parse::<u32>().ok());
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            // Another run of the tests may be quicker.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn open_up(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
}
