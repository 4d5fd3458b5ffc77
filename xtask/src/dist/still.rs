//! `cargo xtask dist --static DIR`: the page for a host that hands out files and no more. It runs on
//! the simulator, below any path, and after one visit without the network.
//!
//! Files keep the names that tell their content; `index.html` is the page's own with a note that
//! there is no server, the server's policy, and the hash of what it loads itself
//! (<https://www.w3.org/TR/SRI/>).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha384};

use crate::project::Project;
use crate::setup::{self, Need};
use crate::web::{self, Kind};
use crate::{say, stamp};

const WORKER: &str = include_str!("offline.js");
const INDEX: &str = "index.html";
/// What `vitrine serve` sends as a header, as far as a page may say it itself.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
style-src-elem 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; \
worker-src 'self'; manifest-src 'self'; base-uri 'self'; form-action 'self'";
/// Beginnings of the tags whose files a browser checks against a hash.
const CHECKED: [(&str, &str); 3] = [
    ("<script ", "src"),
    ("<link rel=\"stylesheet\" ", "href"),
    ("<link rel=\"modulepreload\" ", "href"),
];

/// The same for who has nothing yet: npm's packages come first.
pub(crate) fn export(project: &Project, dir: &Path) -> Result<()> {
    setup::ensure(project, &[Need::Npm])?;
    setup::npm_packages(project)?;
    page(project, dir)
}

/// Writes the page into `dir`, which must be empty, absent, or an earlier page.
pub(crate) fn page(project: &Project, dir: &Path) -> Result<()> {
    web::build(project, Kind::Small)?;
    say::step(say::words("The page for a static host", "用于静态托管的网页"));
    clear(dir)?;
    let root = project.path(Kind::Small.dist());
    let mut names = Vec::new();
    let mut bytes_of_all = 0;
    for file in stamp::files(&root)? {
        let name = file.strip_prefix(&root)?.to_string_lossy().into_owned();
        // Such hosts compress by themselves.
        if name.ends_with(".br") || name.ends_with(".gz") {
            continue;
        }
        let mut bytes = fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        if name == INDEX {
            let text = String::from_utf8(bytes).context("index.html")?;
            let hash_of = |name: &str| Ok(integrity(&fs::read(root.join(name))?));
            bytes = index(&text, hash_of)?.into_bytes();
        }
        let to = dir.join(&name);
        fs::create_dir_all(to.parent().unwrap_or(dir))?;
        fs::write(&to, &bytes).with_context(|| format!("write {}", to.display()))?;
        bytes_of_all += bytes.len();
        names.push(name);
    }
    let version = stamp::of(&[dir.to_path_buf()], &[])?;
    fs::write(dir.join("sw.js"), worker(&names, &version[..16])?)?;
    let n_files = names.len() + 1;
    say::note(say::words(
        format!("{n_files} files, {bytes_of_all} bytes, in {}", dir.display()),
        format!("{n_files} 个文件，{bytes_of_all} 字节，位于 {}", dir.display()),
    ));
    Ok(())
}

/// Makes room. What is not an earlier page of ours is not touched.
fn clear(dir: &Path) -> Result<()> {
    let is_empty = fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    let is_ours = fs::read_to_string(dir.join(INDEX)).is_ok_and(|text| text.contains(NO_SERVER));
    if !is_empty && !is_ours {
        bail!(
            "{} has other things in it: name a directory that is empty, or not there yet",
            dir.display()
        );
    }
    if !is_empty {
        fs::remove_dir_all(dir).with_context(|| format!("empty {}", dir.display()))?;
    }
    fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))
}

/// `boot.js` and the page's program look for it.
const NO_SERVER: &str = r#"<meta name="vitrine-server" content="none">"#;

/// Where `boot.js` finds the service worker.
const WORKER_AT: &str = r#"<meta name="vitrine-worker" content="./sw.js">"#;

/// What the page's shell says until its program is there, and what is true without a server.
const SAID: [(&str, &str); 4] = [
    ("starts a real Linux container on this server", "starts a simulated container in this page"),
    ("就在这台服务器上启动一个真正的 Linux 容器", "就在本页里启动一个模拟的容器"),
    ("Start a real container", "Start a simulated container"),
    ("启动一个真正的容器", "启动一个模拟的容器"),
];

/// The page's own, with what it has to know on a static host.
fn index(text: &str, hash_of: impl Fn(&str) -> Result<String>) -> Result<String> {
    let policy = format!(r#"<meta http-equiv="Content-Security-Policy" content="{POLICY}">"#);
    let charset = r#"<meta charset="utf-8">"#;
    let mut lines = Vec::new();
    for line in text.lines() {
        let tag = line.trim_start();
        if let Some((_, attribute)) = CHECKED.iter().find(|(start, _)| tag.starts_with(start)) {
            let name = tag
                .split_once(&format!("{attribute}=\"./"))
                .and_then(|(_, rest)| rest.split_once('"'));
            let (name, _) = name.with_context(|| format!("{tag} names no file of the page"))?;
            let hashed = format!("{attribute}=\"./{name}\" integrity=\"{}\"", hash_of(name)?);
            lines.push(line.replace(&format!("{attribute}=\"./{name}\""), &hashed));
        } else if tag == charset {
            lines.extend([
                line.to_owned(),
                format!("  {policy}"),
                format!("  {NO_SERVER}"),
                format!("  {WORKER_AT}"),
            ]);
        } else {
            lines.push(line.to_owned());
        }
    }
    let mut text = lines.join("\n") + "\n";
    for (real, simulated) in SAID {
        text = text.replace(real, simulated);
    }
    match text.contains(NO_SERVER) && text.contains("integrity=") {
        true => Ok(text),
        false => bail!("index.html has no {charset}, or names no script"),
    }
}

fn integrity(bytes: &[u8]) -> String {
    format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(bytes)))
}

/// The service worker, which keeps these files.
fn worker(names: &[String], version: &str) -> Result<String> {
    Ok(WORKER
        .replace("{{VERSION}}", version)
        .replace("['{{FILES}}']", &serde_json::to_string(names)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_index_loads_is_hashed_and_nothing_else_changes() {
        let page = "<head>\n  <meta charset=\"utf-8\">\n  <script src=\"./boot-1.js\"></script>\n  \
            <link rel=\"stylesheet\" href=\"./style-2.css\">\n  <link rel=\"icon\" href=\"./i.svg\">\n</head>\n";
        let text = index(page, |name| Ok(format!("sha384-{name}"))).unwrap();
        assert!(text.contains("src=\"./boot-1.js\" integrity=\"sha384-boot-1.js\""), "{text}");
        assert!(text.contains("href=\"./style-2.css\" integrity=\"sha384-style-2.css\""), "{text}");
        assert!(text.contains("<link rel=\"icon\" href=\"./i.svg\">") && text.contains(NO_SERVER));
        assert!(index("<head></head>", |_| Ok(String::new())).is_err());
        assert!(index("<script src=\"/absolute.js\">", |_| Ok(String::new())).is_err());
    }

    #[test]
    fn nothing_is_called_real() {
        let shell = include_str!("../../../static/index.html");
        for (real, simulated) in SAID {
            assert!(shell.contains(real), "index.html says it in other words: {real}");
            assert!(!simulated.contains("real") && !simulated.contains("真正"));
        }
        let text = index(&shell.replace("{{", "./").replace("}}", ""), |_| Ok("x".into())).unwrap();
        assert!(!text.contains(" real ") && !text.contains("真正"), "{text}");
    }

    #[test]
    fn a_hash_is_as_the_specification_has_it() {
        // The example of the SRI specification, section 3.1.
        assert_eq!(
            integrity(b"alert('Hello, world.');"),
            "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO"
        );
    }

    #[test]
    fn other_peoples_directories_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
        assert!(clear(dir.path()).is_err());
        assert!(dir.path().join("thesis.txt").exists());
        let ours = tempfile::tempdir().unwrap();
        fs::write(ours.path().join(INDEX), NO_SERVER).unwrap();
        clear(ours.path()).unwrap();
        assert!(!ours.path().join(INDEX).exists());
        clear(&ours.path().join("new/one")).unwrap();
    }

    #[test]
    fn the_worker_knows_all_files() {
        let text = worker(&["index.html".into(), "a-1.wasm".into()], "abc").unwrap();
        assert!(text.contains(r#"["index.html","a-1.wasm"]"#) && !text.contains("{{"), "{text}");
    }
}
