//! The page: compiled, bound, optimised, named, compressed, weighed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::assets::{self, Asset, Sources, When};
use crate::gate::{self, Row};
use crate::project::{self, Project};
use crate::wasm::Compiler;
use crate::{packed, say, setup, split, stamp, tool};

/// What Binaryen must be told that rustc's output uses.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// For size, until nothing more is won; names, tool versions and features are told to nobody.
const WASM_SMALLEST: [&str; 5] =
    ["-Oz", "--converge", "--strip-debug", "--strip-producers", "--strip-target-features"];

/// What comes from npm: its name on the page, and where it lies. All of it is loaded with the terminal.
const FROM_NPM: [(&str, &str); 4] = [
    ("xterm.mjs", "node_modules/@xterm/xterm/lib/xterm.mjs"),
    ("xterm.css", "node_modules/@xterm/xterm/css/xterm.css"),
    ("addon-fit.mjs", "node_modules/@xterm/addon-fit/lib/addon-fit.mjs"),
    ("addon-web-links.mjs", "node_modules/@xterm/addon-web-links/lib/addon-web-links.mjs"),
];

/// Reloads the page when `index.html` has changed, which names every other file by its content.
const RELOAD: &str = include_str!("reload.mjs");

/// Small for students, or quick for whoever works on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Optimised, compressed, held to its size; what the server embeds.
    Small,
    /// None of that, and the page reloads itself; served from disk.
    Dev,
}

impl Kind {
    fn profile(self) -> &'static str {
        match self {
            Kind::Small => "web",
            Kind::Dev => "dev",
        }
    }

    /// Where the finished page lies.
    pub(crate) fn dist(self) -> &'static str {
        match self {
            Kind::Small => "target/web-dist",
            Kind::Dev => "target/web-dev",
        }
    }
}

/// `cargo xtask web`: builds the page and prints its table.
pub(crate) fn print(project: &Project) -> Result<()> {
    say::table(build(project, Kind::Small)?);
    Ok(())
}

/// Builds the page if anything in it changed, and gives its table.
pub(crate) fn build(project: &Project, kind: Kind) -> Result<String> {
    let compiler = Compiler::find_or_install(project)?;
    let has_npm = setup::npm_packages(project)?;
    say::step(say::words("Building the page", "构建网页"));
    let compiled = compile(project, &compiler, kind)?;
    let inputs = inputs(project, &compiled, has_npm)?;
    let stamp_file = project.path(kind.dist()).with_extension("stamp");
    if let Some(table) = up_to_date(project, kind, &stamp_file, &inputs) {
        say::note(say::words("nothing changed", "没有变化"));
        return Ok(table);
    }
    let sources = sources(project, kind, &compiled, has_npm)?;
    let assets = assets::assemble(&sources)?;
    let table = write(project, kind, &assets)?;
    let outputs = stamp::of(&[project.path(kind.dist())], &[])?;
    fs::write(&stamp_file, format!("{inputs} {outputs}\n{table}"))
        .with_context(|| format!("write {}", stamp_file.display()))?;
    Ok(table)
}

/// The table of last time, if what went in and what came out are still the same.
fn up_to_date(project: &Project, kind: Kind, stamp_file: &Path, inputs: &str) -> Option<String> {
    let last = fs::read_to_string(stamp_file).ok()?;
    let (hashes, table) = last.split_once('\n')?;
    let (inputs_then, outputs_then) = hashes.split_once(' ')?;
    let outputs = stamp::of(&[project.path(kind.dist())], &[]).ok()?;
    (inputs_then == inputs && outputs_then == outputs).then(|| table.to_owned())
}

/// Cargo knows what the wasm was made from; the rest is hashed here.
fn inputs(project: &Project, compiled: &Path, has_npm: bool) -> Result<String> {
    let paths = [
        compiled.to_path_buf(),
        project.path("static"),
        project.path("package-lock.json"),
        project.path("xtask/src"),
        project.path("xtask/Cargo.toml"),
    ];
    // What was let pass with a warning by hand is not let pass in CI.
    let circumstances = format!("npm: {has_npm}, CI: {}", project::in_ci());
    stamp::of(&paths, &[&circumstances])
}

/// The page's crate as wasm, before wasm-bindgen.
fn compile(project: &Project, compiler: &Compiler, kind: Kind) -> Result<PathBuf> {
    let mut build = compiler.build(project, kind.profile());
    let messages = tool::output(build.arg("--message-format=json-render-diagnostics"))?;
    let wasm = messages.lines().rev().find_map(wasm_of).context(
        "the crate vitrine-page gave no .wasm: it must have a [[bin]] or a [lib] of type cdylib",
    )?;
    Ok(wasm)
}

/// The `.wasm` that one of cargo's messages tells of.
fn wasm_of(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let files = message.get("filenames")?.as_array()?;
    let mut names = files.iter().filter_map(|file| file.as_str());
    names.find(|name| name.ends_with(".wasm")).map(PathBuf::from)
}

/// All files of the page under their own names.
fn sources(project: &Project, kind: Kind, compiled: &Path, has_npm: bool) -> Result<Sources> {
    let mut sources = bind(project, compiled, kind)?;
    if kind == Kind::Small && has_npm {
        optimise(project, &mut sources)?;
    }
    let root = project.path("static");
    for file in stamp::files(&root)? {
        let name = file.strip_prefix(&root)?.to_string_lossy().into_owned();
        if !name.ends_with(".test.mjs") && !name.starts_with('.') {
            sources.insert(name, read(&file)?);
        }
    }
    if has_npm {
        for (name, path) in FROM_NPM {
            sources.insert(name.to_owned(), without_map(read(&project.path(path))?));
        }
        if !sources.contains_key("term.mjs") {
            no_terminal()?;
        }
    } else {
        // It imports xterm. The person was told when npm was found missing.
        sources.remove("term.mjs");
    }
    if kind == Kind::Dev {
        add_reload(&mut sources)?;
    }
    Ok(sources)
}

/// A page without its terminal may be worked on; it is not what we ship.
fn no_terminal() -> Result<()> {
    if project::in_ci() {
        bail!("static/term.mjs is missing: the page would have no terminal");
    }
    say::warn(say::words(
        "static/term.mjs is missing: the page has no terminal",
        "缺少 static/term.mjs：页面没有终端",
    ));
    Ok(())
}

/// Split, and wasm-bindgen: the glue, the wasm that goes with it, and what is loaded later.
fn bind(project: &Project, compiled: &Path, kind: Kind) -> Result<Sources> {
    let dev = kind == Kind::Dev;
    let cut = split::cut(&read(compiled)?, &project.path("target/web/split"))?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&cut.main).out_name("page").web(true)?.typescript(false);
    bindgen.omit_default_module_path(true).remove_producers_section(true);
    // Chunks use the main wasm's memory and its table of functions.
    bindgen.keep_lld_exports(true);
    bindgen.debug(dev).keep_debug(dev).remove_name_section(!dev);
    let mut output = bindgen.generate_output().context("wasm-bindgen")?;
    let mut sources = cut.chunks;
    sources.insert("page.js".to_owned(), split::join(output.js(), &cut.link)?.into_bytes());
    for (identifier, list) in output.snippets() {
        for (index, text) in list.iter().enumerate() {
            sources.insert(
                format!("snippets/{identifier}/inline{index}.js"),
                text.as_bytes().to_vec(),
            );
        }
    }
    for (path, text) in output.local_modules() {
        sources.insert(format!("snippets/{path}"), text.as_bytes().to_vec());
    }
    sources.insert("page.wasm".to_owned(), output.wasm_mut().emit_wasm());
    Ok(sources)
}

/// `wasm-opt -Oz` for each file of wasm, or what it gave last time for the same bytes.
fn optimise(project: &Project, sources: &mut Sources) -> Result<()> {
    let dir = project.path("target/web/opt");
    fs::create_dir_all(&dir).with_context(|| format!("make {}", dir.display()))?;
    let mut kept = Vec::new();
    for (name, wasm) in sources.iter_mut().filter(|(name, _)| name.ends_with(".wasm")) {
        let how = WASM_SMALLEST.concat();
        let hash = stamp::of_bytes(&[wasm.as_slice(), how.as_bytes()].concat());
        let optimised = dir.join(format!("{hash}.wasm"));
        if !optimised.exists() {
            say::step(say::words(format!("Optimising {name}"), format!("优化 {name}")));
            let (before, after) = (dir.join("before.wasm"), dir.join("after.wasm"));
            fs::write(&before, &wasm).with_context(|| format!("write {}", before.display()))?;
            let mut command = project.command("node");
            command.arg("node_modules/binaryen/bin/wasm-opt").args(WASM_SMALLEST);
            tool::run(command.args(WASM_FEATURES).arg(&before).arg("-o").arg(&after))?;
            fs::rename(&after, &optimised)?;
        }
        *wasm = read(&optimised)?;
        kept.push(optimised);
    }
    // What this page does not use is of pages before.
    for file in stamp::files(&dir)?.into_iter().filter(|file| !kept.contains(file)) {
        fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
    }
    Ok(())
}

/// Debugging maps are not shipped, so nothing may point at them.
fn without_map(bytes: Vec<u8>) -> Vec<u8> {
    let comment = b"//# sourceMappingURL=";
    let at = bytes.windows(comment.len()).rposition(|window| window == comment);
    at.map_or_else(|| bytes.clone(), |at| bytes[..at].to_vec())
}

fn add_reload(sources: &mut Sources) -> Result<()> {
    let index = sources.remove("index.html").context("static/index.html is missing")?;
    let text = String::from_utf8(index).context("static/index.html is not UTF-8")?;
    let Some((before, after)) = text.split_once("</head>") else {
        bail!("static/index.html has no </head>, where the reloading script belongs");
    };
    let script = r#"<script type="module" src="{{reload.mjs}}"></script>"#;
    sources.insert("index.html".to_owned(), format!("{before}{script}</head>{after}").into_bytes());
    sources.insert("reload.mjs".to_owned(), RELOAD.as_bytes().to_vec());
    Ok(())
}

/// Writes the page beside the old one, checks its size, and puts it in its place.
fn write(project: &Project, kind: Kind, assets: &[Asset]) -> Result<String> {
    let dist = project.path(kind.dist());
    let fresh = dist.with_extension("fresh");
    let _ = fs::remove_dir_all(&fresh);
    let mut rows = Vec::new();
    for asset in assets {
        rows.push(write_one(&fresh, kind, asset)?);
    }
    let table = gate::table(&rows);
    if kind == Kind::Small {
        gate::check(&rows).inspect_err(|_| say::table(&table))?;
    }
    replace(&fresh, &dist)?;
    Ok(table)
}

/// Two renames, so that a server which reads from disk finds one page or the other.
fn replace(fresh: &Path, dist: &Path) -> Result<()> {
    let old = dist.with_extension("old");
    let _ = fs::remove_dir_all(&old);
    if dist.exists() {
        fs::rename(dist, &old).with_context(|| format!("move {}", dist.display()))?;
    }
    fs::rename(fresh, dist).with_context(|| format!("move to {}", dist.display()))?;
    if old.exists() {
        fs::remove_dir_all(&old).with_context(|| format!("remove {}", old.display()))?;
    }
    Ok(())
}

fn write_one(dist: &Path, kind: Kind, asset: &Asset) -> Result<Row> {
    let Asset { name, bytes, when } = asset;
    let put = |ending: &str, bytes: &[u8]| {
        let file = dist.join(format!("{name}{ending}"));
        let parent = file.parent().unwrap_or(dist);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&file, bytes))
            .with_context(|| format!("write {}", file.display()))
    };
    put("", bytes)?;
    let (mut gzip, mut brotli) = (bytes.len(), bytes.len());
    if kind == Kind::Small && packed::shrinks(name) {
        let (gz, br) = (packed::gzip(bytes)?, packed::brotli(bytes)?);
        (gzip, brotli) = (gz.len(), br.len());
        put(".gz", &gz)?;
        put(".br", &br)?;
    }
    let critical = *when == When::Critical;
    Ok(Row { name: name.clone(), critical, raw: bytes.len(), gzip, brotli })
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("read {}", file.display()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_artifact_is_found_in_cargos_messages() {
        let message = r#"{"reason":"compiler-artifact","filenames":["/t/page.d","/t/page.wasm"]}"#;
        assert_eq!(super::wasm_of(message).unwrap().to_str(), Some("/t/page.wasm"));
        assert!(super::wasm_of(r#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(super::wasm_of("not json").is_none());
    }

    #[test]
    fn no_file_points_at_a_map() {
        let file = b"export {};\n//# sourceMappingURL=x.map\n".to_vec();
        assert_eq!(super::without_map(file), b"export {};\n");
        assert_eq!(super::without_map(b"none".to_vec()), b"none");
    }
}
