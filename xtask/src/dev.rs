//! `cargo xtask dev`: build, serve from disk, watch, build again.

use std::fs;
use std::process::Child;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::project::Project;
use crate::run::build_server;
use crate::setup::{self, Need};
use crate::web::{self, Kind};
use crate::{say, stamp};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(400);

const PAGE: [&str; 3] = ["frontend", "shared", "static"];
const SERVER: [&str; 2] = ["backend", "shared"];

/// Serves the page from disk; rebuilds page and server when their files change.
pub(crate) fn dev(project: &Project, arguments: &[String]) -> Result<()> {
    setup::ensure(project, &[Need::Busybox])?;
    let (mut page_seen, mut server_seen) = (newest(project, &PAGE)?, newest(project, &SERVER)?);
    web::build(project, Kind::Dev)?;
    build_server(project, "dev")?;
    let mut server = start(project, arguments)?;
    loop {
        std::thread::sleep(LOOK_EVERY);
        if let Some(status) = server.try_wait()? {
            bail!("the server ended: {status}");
        }
        let page_now = newest(project, &PAGE)?;
        if page_now != page_seen {
            page_seen = page_now;
            report(web::build(project, Kind::Dev).map(drop));
        }
        let server_now = newest(project, &SERVER)?;
        if server_now != server_seen {
            server_seen = server_now;
            if report(build_server(project, "dev")) {
                stop(&mut server)?;
                server = start(project, arguments)?;
            }
        }
    }
}

fn start(project: &Project, arguments: &[String]) -> Result<Child> {
    say::step(say::words("Starting the server; Ctrl-C ends it", "启动服务器；按 Ctrl-C 结束"));
    let program = project.path("target/debug/vitrine");
    let mut serve = project.command(&program);
    serve.arg("serve").arg("--assets").arg(project.path(Kind::Dev.dist())).args(arguments);
    serve.spawn().with_context(|| format!("start {}", program.display()))
}

/// Asks the server to end, so that it can put everything away, and waits.
fn stop(server: &mut Child) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(server.id())?);
    kill(pid, Signal::SIGTERM).context("stop the server")?;
    server.wait()?;
    Ok(())
}

/// A mistake in what is being written is the ordinary case: say so and wait for the next change.
fn report(result: Result<()>) -> bool {
    result.inspect_err(say::error).is_ok()
}

/// The latest change below these directories, and how many files there are (one may be removed).
fn newest(project: &Project, below: &[&str]) -> Result<(Option<SystemTime>, usize)> {
    let mut latest = None;
    let mut count = 0;
    for dir in below {
        for file in stamp::files(&project.path(dir))? {
            // It may have gone between the listing and now; the next look will tell.
            latest = latest.max(fs::metadata(&file).and_then(|file| file.modified()).ok());
            count += 1;
        }
    }
    Ok((latest, count))
}
