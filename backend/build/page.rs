//! Embeds the built page (`target/web-dist`) into the binary, with its compressed forms.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Writes the table of files that `web::assets` includes.
pub(crate) fn embed() {
    println!("cargo:rerun-if-env-changed=VITRINE_WEB_DIST");
    let dist = dist();
    // A missing directory would make every build start over; an empty one is only watched.
    let _ = fs::create_dir_all(&dist);
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    walk(&dist, &mut files).unwrap_or_else(|err| panic!("read {}: {err}", dist.display()));
    files.sort();
    let built = files.iter().any(|file| file == &dist.join("index.html"));
    if !built {
        println!("cargo:warning=the page is not built yet; `cargo xtask run` builds it");
        files.clear();
    }
    let table = table(&dist, &files);
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("page.rs");
    fs::write(&out, table).unwrap_or_else(|err| panic!("write {}: {err}", out.display()));
}

fn dist() -> PathBuf {
    if let Some(dist) = env::var_os("VITRINE_WEB_DIST") {
        return PathBuf::from(dist);
    }
    let backend = env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    PathBuf::from(backend).join("../target/web-dist")
}

fn walk(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn table(dist: &Path, files: &[PathBuf]) -> String {
    let mut table = String::from("static EMBEDDED: &[Embedded] = &[\n");
    for file in files.iter().filter(|file| !is_compressed(file)) {
        let relative = file.strip_prefix(dist).expect("the walk began there");
        let path = format!("/{}", relative.to_str().expect("names of the page are UTF-8"));
        let packed = |ending: &str| {
            let packed = PathBuf::from(format!("{}.{ending}", file.display()));
            match files.contains(&packed) {
                true => format!("Some({})", include(&packed)),
                false => "None".into(),
            }
        };
        let (raw, br, gz) = (include(file), packed("br"), packed("gz"));
        writeln!(table, "    Embedded {{ path: {path:?}, raw: {raw}, br: {br}, gz: {gz} }},")
            .expect("a string takes everything");
    }
    table.push_str("];\n");
    table
}

fn is_compressed(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "br" || ending == "gz")
}

fn include(file: &Path) -> String {
    let file = file.canonicalize().unwrap_or_else(|err| panic!("{}: {err}", file.display()));
    format!("include_bytes!({:?})", file.to_str().expect("paths of the page are UTF-8"))
}
