//! The licences of what is shipped: one text file, each wording once, with the packages that have it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use super::shipped::Package;

/// How the names of such files begin.
const NAMES: [&str; 6] = ["licen", "copying", "copyright", "notice", "unlicense", "authors"];

/// What stands before everything.
const HEAD: &str = "\
Vitrine is licensed under MIT or Apache-2.0, at your choice.

The program `vitrine` contains the page that it serves, its seccomp filters and its init.
It is linked from the packages below, and from Rust's standard library (MIT OR Apache-2.0,
The Rust Project Contributors).

Not contained: busybox, from which the smallest image is made, is GPL-2.0. It is not shipped;
the host's own copy is used (Debian and its relatives: package busybox-static, whose source
`apt-get source busybox` brings). The image `lab` is put together from the host's own programs
on the host itself, and not shipped either.
";

/// The notices of these packages.
pub(crate) fn notices(packages: &[Package], static_libc: Option<&str>) -> Result<String> {
    let mut by_text: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut without = Vec::new();
    let mut text = HEAD.to_owned();
    if let Some(libc) = static_libc {
        let _ = write!(text, "\n{libc}\n");
    }
    text += "\nPackages\n========\n\n";
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let _ = writeln!(
            text,
            "{name} ({}): {} {}",
            package.registry, package.license, package.repository
        );
        let found = texts(&package.dir).with_context(|| format!("licences of {name}"))?;
        if found.is_empty() {
            without.push(package);
        }
        for words in found {
            by_text.entry(words).or_default().insert(name.clone());
        }
    }
    if !without.is_empty() {
        text += "\nWithout a file of their own, under the licence that their manifest names (texts below):\n\n";
        for package in without {
            let authors = package.authors.join(", ");
            let _ = writeln!(
                text,
                "{} {}: {} {authors}",
                package.name, package.version, package.license
            );
        }
    }
    for (words, names) in by_text {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let _ = write!(text, "\n{0}\n{names}\n{0}\n\n{words}\n", "-".repeat(80));
    }
    Ok(text)
}

/// The wording of every licence file of a package, without differences in white space at line ends.
fn texts(dir: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_path_buf(), dir.join("LICENSES"), dir.join("licenses")];
    dirs.retain(|dir| dir.is_dir());
    for entry in dirs.iter().map(fs::read_dir).collect::<Result<Vec<_>, _>>()?.into_iter().flatten()
    {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let source = [".rs", ".html", ".svg"].iter().any(|ending| name.ends_with(ending));
        if NAMES.iter().any(|start| name.starts_with(start)) && !source && path.is_file() {
            let words =
                fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            let lines: Vec<&str> = words.lines().map(str::trim_end).collect();
            found.push(lines.join("\n").trim_matches('\n').to_owned());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::notices;
    use crate::dist::shipped::{Package, crates};
    use crate::project::Project;

    #[test]
    fn every_crate_is_named_and_every_licence_has_its_words() {
        let packages = crates(&Project::find(false)).unwrap();
        let text = notices(&packages, None).unwrap();
        for Package { name, version, .. } in &packages {
            assert!(text.contains(&format!("{name} {version} (cargo): ")), "{name}");
        }
        for words in [
            "Permission is hereby granted, free of charge",
            "Apache License\n                           Version 2.0",
            "GPL-2.0. It is not shipped",
        ] {
            assert!(text.contains(words), "{words}");
        }
    }

    #[test]
    fn a_wording_stands_once_for_all_who_have_it() {
        let dir = tempfile::tempdir().unwrap();
        let package = |name: &str, words: &str| {
            let dir = dir.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            if !words.is_empty() {
                std::fs::write(dir.join("LICENSE-MIT"), words).unwrap();
            }
            Package {
                name: name.into(),
                version: "1.0.0".into(),
                license: "MIT".into(),
                authors: vec!["Ann".into()],
                repository: String::new(),
                sha256: None,
                dir,
                registry: "cargo",
                needs: Default::default(),
            }
        };
        let all = [package("a", "the words\n"), package("b", "the words  \n\n"), package("c", "")];
        let text = notices(&all, Some("musl is MIT.")).unwrap();
        assert_eq!(text.matches("the words").count(), 1);
        assert!(text.contains("a 1.0.0, b 1.0.0\n") && text.contains("c 1.0.0: MIT Ann"), "{text}");
        assert!(text.contains("musl is MIT."));
    }
}
