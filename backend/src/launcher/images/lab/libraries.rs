//! Which libraries a program needs: the host's own loader says it.
//!
//! It knows `DT_RUNPATH`, `ld.so.cache` and the variants for this CPU, glibc's as well as musl's.
//! `--list` maps the libraries and runs none of their code.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library as the loader finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Library {
    /// The name that is asked for.
    pub(super) name: String,
    /// The file that answers.
    pub(super) path: PathBuf,
}

/// The libraries of `program`; an error when one is missing.
pub(super) fn of(loader: &Path, program: &Path) -> io::Result<Vec<Library>> {
    // Nothing of this process's environment: LD_LIBRARY_PATH would be heard.
    let output = Command::new(loader).arg("--list").arg(program).env_clear().output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("{}: {}", loader.display(), said.trim())));
    }
    parse(&String::from_utf8_lossy(&output.stdout))
}

/// `name => path (address)` or `path (address)`; the kernel's `linux-vdso.so.1` has no path.
fn parse(list: &str) -> io::Result<Vec<Library>> {
    let mut libraries = Vec::new();
    for line in list.lines() {
        let line = line.trim();
        let line = line.rsplit_once(" (0x").map_or(line, |(before, _)| before);
        let (name, path) = match line.split_once(" => ") {
            Some((_, "not found")) => {
                return Err(io::Error::new(io::ErrorKind::NotFound, line.to_string()));
            }
            Some((name, path)) => (name, path),
            None => (line.rsplit('/').next().unwrap_or(line), line),
        };
        if path.starts_with('/') {
            let name = name.rsplit('/').next().unwrap_or(name);
            libraries.push(Library { name: name.into(), path: path.into() });
        }
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<(String, PathBuf)> {
        parse(list).unwrap().into_iter().map(|l| (l.name, l.path)).collect()
    }

    #[test]
    fn both_c_libraries_write_it_alike() {
        let glibc = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibtinfo.so.6 => /lib/x86_64-linux-gnu/libtinfo.so.6 (0x00007f)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            names(glibc),
            [
                ("libtinfo.so.6".into(), "/lib/x86_64-linux-gnu/libtinfo.so.6".into()),
                ("ld-linux-x86-64.so.2".into(), "/lib64/ld-linux-x86-64.so.2".into()),
            ]
        );
        let musl = "\t/lib/ld-musl-x86_64.so.1 (0x7f)\n\
            \tlibc.musl-x86_64.so.1 => /lib/ld-musl-x86_64.so.1 (0x7f)\n";
        assert_eq!(names(musl)[1].0, "libc.musl-x86_64.so.1");
        assert_eq!(names("\tstatically linked\n"), []);
        assert!(parse("\tlibx.so.1 => not found\n").is_err());
    }
}
