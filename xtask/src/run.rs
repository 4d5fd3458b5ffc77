//! `cargo xtask run`: from a fresh checkout to a running server.

use std::os::unix::process::CommandExt as _;

use anyhow::{Context as _, Result};

use crate::project::{self, Project};
use crate::setup::{self, Need};
use crate::web::{self, Kind};
use crate::{say, tool};

/// Sets up, builds, and becomes `vitrine serve`.
pub(crate) fn run(project: &Project, arguments: &[String]) -> Result<()> {
    setup::ensure(project, &[Need::Busybox])?;
    web::build(project, Kind::Small)?;
    build_server(project, "release")?;
    let server = project.server();
    if !project::is_root() {
        let line = format!("sudo {} serve {}", server.display(), arguments.join(" "));
        let why = say::words(
            "As an ordinary user it can do less, and says what. All of it:",
            "以普通用户运行时功能较少，并会说明缺少什么。完整功能：",
        );
        say::note(format_args!("{why} {}", line.trim_end()));
    }
    say::step(say::words("Starting the server; Ctrl-C ends it", "启动服务器；按 Ctrl-C 结束"));
    let error = project.command(&server).arg("serve").args(arguments).exec();
    Err(error).with_context(|| format!("start {}", server.display()))
}

/// Builds the server with the page that lies in `target/web-dist` inside.
pub(crate) fn build_server(project: &Project, profile: &str) -> Result<()> {
    say::step(say::words("Building the server", "构建服务器"));
    let mut build = project.cargo();
    build.args(["build", "--package", "vitrine", "--bin", "vitrine", "--profile", profile]);
    tool::run(&mut build)
}
