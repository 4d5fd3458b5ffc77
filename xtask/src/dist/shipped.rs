//! What is in the binary and the page that is not ours, from cargo's own metadata and the npm lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::project::Project;
use crate::tool;

/// The server and the page, each with the target that it is built for.
const ROOTS: [(&str, &str); 2] =
    [("vitrine", "x86_64-unknown-linux-gnu"), ("vitrine-page", "wasm32-unknown-unknown")];
/// npm packages with files in the page; the others of `package.json` only build and test it.
const FROM_NPM: [&str; 3] = ["@xterm/xterm", "@xterm/addon-fit", "@xterm/addon-web-links"];

/// A package that others wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Package {
    /// Its name in its registry.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Its licence as an SPDX expression.
    pub(crate) license: String,
    /// Whom its manifest names.
    pub(crate) authors: Vec<String>,
    /// Where it is developed; empty when its manifest does not say.
    pub(crate) repository: String,
    /// SHA-256 of the archive that was fetched; npm has another hash.
    pub(crate) sha256: Option<String>,
    /// Where its source lies.
    pub(crate) dir: PathBuf,
    /// `cargo` or `npm`.
    pub(crate) registry: &'static str,
    /// What it needs of the others, by package URL.
    pub(crate) needs: BTreeSet<String>,
}

impl Package {
    /// Its package URL, which is its name everywhere.
    pub(crate) fn purl(&self) -> String {
        // An `@` of a scope is written so.
        format!("pkg:{}/{}@{}", self.registry, self.name.replace('@', "%40"), self.version)
    }
}

/// The parts of `cargo metadata` that are looked at.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Manifest>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Manifest {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    authors: Vec<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
    /// Empty for what is in this repository.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// All crates that the server and the page are linked from, sorted by name.
pub(crate) fn crates(project: &Project) -> Result<Vec<Package>> {
    let mut metadata = project.cargo();
    metadata.args(["metadata", "--format-version", "1", "--locked", "--quiet"]);
    let metadata: Metadata =
        serde_json::from_str(&tool::output(&mut metadata)?).context("read cargo metadata")?;
    let linked = linked(project)?;
    let sums = checksums(&std::fs::read_to_string(project.path("Cargo.lock"))?);
    let is_shipped =
        |m: &&Manifest| m.source.is_some() && linked.contains(&(m.name.clone(), m.version.clone()));
    let purls: BTreeMap<&str, String> = metadata
        .packages
        .iter()
        .filter(is_shipped)
        .map(|m| (m.id.as_str(), format!("pkg:cargo/{}@{}", m.name, m.version)))
        .collect();
    let needs = |id: &str| {
        let node = metadata.resolve.nodes.iter().find(|node| node.id == id);
        let all = node.into_iter().flat_map(|node| &node.dependencies);
        all.filter_map(|id| purls.get(id.as_str()).cloned()).collect()
    };
    let mut packages: Vec<Package> = metadata
        .packages
        .iter()
        .filter(is_shipped)
        .map(|m| Package {
            name: m.name.clone(),
            version: m.version.clone(),
            // Old manifests write `MIT/Apache-2.0`.
            license: m.license.clone().unwrap_or_default().replace(" / ", "/").replace('/', " OR "),
            authors: m.authors.clone(),
            repository: m.repository.clone().unwrap_or_default(),
            sha256: sums.get(&(m.name.clone(), m.version.clone())).cloned(),
            dir: m.manifest_path.parent().unwrap_or(Path::new(".")).to_path_buf(),
            registry: "cargo",
            needs: needs(&m.id),
        })
        .collect();
    packages.sort();
    Ok(packages)
}

/// Names and versions of what is really linked: with the features and the target that are built,
/// without what only runs at build time.
fn linked(project: &Project) -> Result<BTreeSet<(String, String)>> {
    let mut found = BTreeSet::new();
    for (root, target) in ROOTS {
        let mut tree = project.cargo();
        tree.args(["tree", "--locked", "--quiet", "--package", root, "--target", target]);
        tree.args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--no-dedupe"]);
        for line in tool::output(tree.args(["--format", "{p}"]))?.lines() {
            let mut words = line.split(' ');
            if let (Some(name), Some(version)) = (words.next(), words.next()) {
                found.insert((name.to_owned(), version.trim_start_matches('v').to_owned()));
            }
        }
    }
    Ok(found)
}

/// The checksums of `Cargo.lock`: five known lines a package, so no parser is needed.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_start_matches(" = ").trim_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]\n").skip(1);
    let sum = |block| {
        Some(((value(block, "name")?, value(block, "version")?), value(block, "checksum")?))
    };
    packages.filter_map(sum).collect()
}

/// The parts of `package-lock.json` that are looked at.
#[derive(Deserialize)]
struct Lock {
    packages: BTreeMap<String, Locked>,
}

#[derive(Deserialize)]
struct Locked {
    #[serde(default)]
    version: String,
    #[serde(default)]
    license: String,
}

/// The npm packages with files in the page.
pub(crate) fn npm(project: &Project) -> Result<Vec<Package>> {
    let text = std::fs::read_to_string(project.path("package-lock.json"))?;
    let lock: Lock = serde_json::from_str(&text).context("read package-lock.json")?;
    let package = |name: &str| {
        let below = format!("node_modules/{name}");
        let locked = lock.packages.get(&below).with_context(|| format!("{name} is not locked"))?;
        Ok(Package {
            name: name.to_owned(),
            version: locked.version.clone(),
            license: locked.license.clone(),
            authors: Vec::new(),
            repository: "https://github.com/xtermjs/xterm.js".to_owned(),
            sha256: None,
            dir: project.path(&below),
            registry: "npm",
            needs: BTreeSet::new(),
        })
    };
    FROM_NPM.into_iter().map(package).collect()
}

#[cfg(test)]
mod tests {
    use super::{Project, crates, npm};

    /// What may be shipped: each asks for its text and names to be passed on, and nothing else.
    const ALLOWED: [&str; 12] = [
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
    ];

    #[test]
    fn what_is_linked_and_nothing_else() {
        let packages = crates(&Project::find(false)).unwrap();
        let has = |name: &str| packages.iter().any(|package| package.name == name);
        assert!(has("axum") && has("nix") && has("yew") && has("serde"), "both roots are there");
        // Tests, build scripts, macros and this program are not shipped.
        for not in
            ["jsonschema", "seccompiler", "serde_derive", "wasm-bindgen-cli-support", "vitrine"]
        {
            assert!(!has(not), "{not}");
        }
        let axum = packages.iter().find(|package| package.name == "axum").unwrap();
        assert!(axum.needs.iter().any(|purl| purl.starts_with("pkg:cargo/tokio@")));
        assert_eq!(axum.sha256.as_ref().map(String::len), Some(64));
    }

    #[test]
    fn every_licence_may_be_shipped() {
        let project = Project::find(false);
        for package in crates(&project).unwrap().into_iter().chain(npm(&project).unwrap()) {
            let words = package.license.replace(['(', ')'], "").replace(" AND ", " OR ");
            assert!(!words.is_empty(), "{} has no licence", package.name);
            for word in words.split(" OR ") {
                assert!(
                    ALLOWED.contains(&word),
                    "{}: {word:?} of {:?}",
                    package.name,
                    package.license
                );
            }
        }
    }
}
