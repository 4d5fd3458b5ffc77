//! The software bill of materials, CycloneDX 1.6 as JSON.
//!
//! No time and no random number in it: the same sources give the same file.

use serde_json::{Value, json};

use super::shipped::Package;
use crate::stamp;

/// The document for a version of Vitrine.
pub(crate) fn sbom(version: &str, packages: &[Package]) -> Value {
    let ours = format!("pkg:cargo/vitrine@{version}");
    let needed_by_others: Vec<&String> = packages.iter().flat_map(|p| &p.needs).collect();
    let direct: Vec<String> = packages
        .iter()
        .map(Package::purl)
        .filter(|purl| !needed_by_others.contains(&purl))
        .collect();
    let mut dependencies = vec![json!({ "ref": ours, "dependsOn": direct })];
    dependencies.extend(packages.iter().map(|p| json!({ "ref": p.purl(), "dependsOn": p.needs })));
    let components: Vec<Value> = packages.iter().map(component).collect();
    let serial = serial(&format!("{version}{components:?}"));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial,
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "cargo xtask dist" }] },
            "component": {
                "type": "application",
                "bom-ref": ours,
                "name": "vitrine",
                "version": version,
                "purl": ours,
                "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

fn component(package: &Package) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": package.purl(),
        "name": package.name,
        "version": package.version,
        "purl": package.purl(),
        "licenses": [{ "expression": package.license }],
    });
    if let Some(sum) = &package.sha256 {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": sum }]);
    }
    if !package.repository.is_empty() {
        component["externalReferences"] = json!([{ "type": "vcs", "url": package.repository }]);
    }
    component
}

/// A UUID (version 8: our own way) of the contents.
fn serial(contents: &str) -> String {
    let hash = stamp::of_bytes(contents.as_bytes());
    format!(
        "urn:uuid:{}-{}-8{}-8{}-{}",
        &hash[..8],
        &hash[8..12],
        &hash[12..15],
        &hash[15..18],
        &hash[18..30]
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Value, sbom};
    use crate::dist::shipped::{crates, npm};
    use crate::project::Project;

    #[test]
    fn has_what_the_standard_requires() {
        let project = Project::find(false);
        let mut packages = crates(&project).unwrap();
        packages.extend(npm(&project).unwrap());
        let document = sbom("0.1.0", &packages);
        assert_eq!(document["bomFormat"], "CycloneDX");
        assert_eq!(document["specVersion"], "1.6");
        let serial = document["serialNumber"].as_str().unwrap();
        assert_eq!(serial.len(), "urn:uuid:".len() + 36, "{serial}");
        let components = document["components"].as_array().unwrap();
        assert!(components.len() > 100, "{}", components.len());
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut refs = BTreeSet::new();
        for component in components {
            assert_eq!(component["type"], "library");
            for key in ["bom-ref", "name", "version", "purl"] {
                assert!(!text(&component[key]).is_empty(), "{component}");
            }
            assert!(!text(&component["licenses"][0]["expression"]).is_empty(), "{component}");
            assert!(refs.insert(text(&component["bom-ref"])), "named twice: {component}");
        }
        refs.insert(text(&document["metadata"]["component"]["bom-ref"]));
        // Every reference leads somewhere, and everything can be reached.
        let mut reached = BTreeSet::new();
        for dependency in document["dependencies"].as_array().unwrap() {
            assert!(refs.contains(&text(&dependency["ref"])));
            for purl in dependency["dependsOn"].as_array().unwrap() {
                assert!(refs.contains(&text(purl)), "{purl}");
                reached.insert(text(purl));
            }
        }
        assert_eq!(reached.len() + 1, refs.len(), "{:?}", refs.difference(&reached));
        assert_eq!(document, sbom("0.1.0", &packages), "twice the same");
    }
}
