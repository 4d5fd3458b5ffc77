//! An ordinary user: an id that nobody has, a home and a runtime directory of its own.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{setgroups, setresgid, setresuid};

use super::binary;
use super::command::{Outcome, Running, spawn};

/// The first subordinate id that tests give out; nobody else's.
pub(crate) const SUB_IDS: u32 = 1_900_000_000;

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

    /// A copy of a directory, of this user's.
    pub(crate) fn own_copy(&self, of: &str) -> PathBuf {
        let copy = self.home().join("copy");
        let copied = Command::new("cp").arg("-a").arg(of).arg(&copy).status().expect("cp");
        let owner = format!("{0}:{0}", self.uid);
        let given = Command::new("chown").args(["-Rh", &owner]).arg(&copy).status().expect("chown");
        assert!(copied.success() && given.success(), "copy {of}");
        copy
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

    /// The same with subordinate ids: with files of its own in the place of `/etc/passwd`,
    /// `/etc/subuid` and `/etc/subgid`, in a mount namespace of its own. The host's stay as they
    /// are. `newuidmap` is the host's (Debian's package `uidmap`).
    pub(crate) fn vitrine_with_sub_ids(&self, words: &[&str]) -> Command {
        for program in ["newuidmap", "newgidmap"] {
            let path = Path::new("/usr/bin").join(program);
            assert!(path.exists(), "this test needs {program}: apt-get install uidmap");
        }
        let uid = self.uid;
        let range = format!("visitor:{SUB_IDS}:65536\n");
        let files = [
            ("passwd", format!("root:x:0:0::/root:/bin/sh\nvisitor:x:{uid}:{uid}::/:/bin/sh\n")),
            ("subuid", range.clone()),
            ("subgid", range),
        ];
        let pairs = files.map(|(name, text)| {
            let own = self.dir.path().join(name);
            std::fs::write(&own, text).expect("write");
            (own, Path::new("/etc").join(name))
        });
        let mut command = self.vitrine(words);
        // The change of user comes after this, by hand.
        command.uid(0).gid(0);
        let enter = move || {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            for (own, etc) in &pairs {
                mount(Some(own), etc, none, MsFlags::MS_BIND, none)?;
            }
            setgroups(&[])?;
            setresgid(uid.into(), uid.into(), uid.into())?;
            setresuid(uid.into(), uid.into(), uid.into())?;
            Ok(())
        };
        // SAFETY: system calls only, on values that were made before the fork.
        unsafe { command.pre_exec(enter) };
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
