//! Where the repository is, who runs `xtask`, and what it may install.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::say;

/// The repository, and what its owner allows.
pub(crate) struct Project {
    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Asked once, remembered for the rest of the run.
    may_install: Cell<Option<bool>>,
}

impl Project {
    /// The project that `cargo xtask` was called in. `yes` is the answer to every question.
    pub(crate) fn find(yes: bool) -> Self {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest_dir.parent().unwrap_or(Path::new(".")).to_path_buf();
        let allowed = (yes || in_ci()).then_some(true);
        Self { root, may_install: Cell::new(allowed) }
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The server as `cargo build --release` leaves it.
    pub(crate) fn server(&self) -> PathBuf {
        self.path("target/release/vitrine")
    }

    /// A program that runs at the root.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        clean_environment(&mut command);
        command
    }

    /// The cargo that started us.
    pub(crate) fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// Whether packages may be installed: told so, or asked once.
    pub(crate) fn may_install(&self, packages: &str) -> bool {
        if let Some(answer) = self.may_install.get() {
            return answer;
        }
        let question = say::words(
            format!("Install {packages} with apt-get (and what else is missing)?"),
            format!("用 apt-get 安装 {packages}（以及其他缺少的软件包）吗？"),
        );
        let answer = say::ask(question);
        self.may_install.set(Some(answer));
        answer
    }
}

/// Whether nobody watches and everything must be there.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// Whether we are root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Takes away what `cargo run` set for us: build scripts that watch these would run again,
/// and Debian's compiler must not load rustup's libraries.
fn clean_environment(command: &mut Command) {
    let ours = |name: &str| {
        name.starts_with("CARGO_PKG_")
            || name.starts_with("CARGO_MANIFEST_")
            || name == "LD_LIBRARY_PATH"
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(ours) {
            command.env_remove(name);
        }
    }
}
