//! `docs/cli-json.md` and what the commands print, compared in both directions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use vitrine_shared::spec::ContainerSpec;

use super::{busy, vitrine};
use crate::harness::server::Server;

const DOC: &str = include_str!("../../docs/cli-json.md");

/// The documented fields of a command, each with its type.
fn documented(command: &str) -> BTreeMap<String, String> {
    let title = format!("## `vitrine {command} --json`\n");
    let section = DOC.split(&title).nth(1).unwrap_or_else(|| panic!("no section {title}"));
    let section = section.split("\n## ").next().unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        Some((cells.next()?.trim_end_matches('`').to_string(), cells.next()?.to_string()))
    };
    section.lines().filter_map(row).collect()
}

/// Notes the path and type of every value: `processes[].pid` is a `number`.
fn note(value: &Value, path: &str, seen: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !path.is_empty() {
        seen.entry(path.to_string()).or_default().insert(kind);
    }
    match value {
        Value::Array(values) => values.iter().for_each(|one| note(one, &format!("{path}[]"), seen)),
        Value::Object(fields) => {
            for (name, one) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                note(one, &format!("{path}{dot}{name}"), seen);
            }
        }
        _ => {}
    }
}

#[test]
fn what_run_tells_is_documented() {
    let mut seen = BTreeMap::new();
    for (words, status) in [(&["--", "sh", "-c", "exit 3"][..], 3), (&["--", "nothing"], 127)] {
        let outcome = vitrine(&[&["run", "--json"], words].concat());
        let json: Value = serde_json::from_str(outcome.err.trim()).unwrap();
        assert_eq!((json["status"].as_i64(), outcome.status), (Some(status.into()), status));
        assert_eq!(json["error"].is_null(), status == 3, "{json}");
        note(&json, "", &mut seen);
    }
    let fields = documented("run");
    assert_eq!(fields.keys().collect::<Vec<_>>(), seen.keys().collect::<Vec<_>>());
    for (path, kinds) in seen {
        let allowed = |kind: &&str| fields[&path].split(" or ").any(|word| word == *kind);
        assert!(kinds.iter().all(allowed), "{path} is {kinds:?}, documented is {}", fields[&path]);
    }
}

/// Each value of `json` is documented as what it is, and each documented field is there; elements
/// of a list need not be.
#[track_caller]
fn is_as_documented(command: &str, json: &Value) {
    let mut seen = BTreeMap::new();
    note(json, "", &mut seen);
    let fields = documented(command);
    for (path, kinds) in &seen {
        let said = fields.get(path).unwrap_or_else(|| panic!("{command}: {path} has no line"));
        let allowed = |kind: &&str| said.split(" or ").any(|word| word == *kind);
        assert!(kinds.iter().all(allowed), "{command}: {path} is {kinds:?}, documented is {said}");
    }
    for path in fields.keys().filter(|path| !path.contains("[]") || !seen.contains_key(*path)) {
        let list = path.rsplit_once("[]").map_or(path.as_str(), |(list, _)| list);
        assert!(seen.contains_key(list), "{command}: {path} is documented and not there");
    }
}

#[test]
fn what_doctor_tells_is_documented() {
    for words in [&["doctor", "--json"][..], &["doctor", "--json", "--clean", "--seats", "3"]] {
        let outcome = vitrine(words);
        is_as_documented("doctor", &serde_json::from_str(&outcome.out).unwrap());
    }
}

#[test]
fn what_image_tells_is_documented() {
    let dir = tempfile::tempdir().unwrap();
    let (data, source) = (dir.path().join("data"), dir.path().join("source"));
    std::fs::create_dir_all(source.join("bin")).unwrap();
    std::fs::write(source.join("bin/tool"), "#!/bin/sh\n").unwrap();
    // A pipe is left out, and told of.
    nix::unistd::mkfifo(&source.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let json = |words: &[&str]| -> Value {
        let data = data.to_str().unwrap();
        let outcome = vitrine(&[&["image"], words, &["--json", "--data", data]].concat());
        assert_eq!(outcome.status, 0, "{words:?}: {outcome:?}");
        serde_json::from_str(&outcome.out).unwrap()
    };
    let added = json(&["add", "mine", source.to_str().unwrap()]);
    assert_eq!((&added["name"], &added["kind"]), (&"mine".into(), &"directory".into()));
    assert_eq!(added["left_out"].as_array().unwrap().len(), 1, "{added}");
    let listed = json(&["list"]);
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["busybox", "lab", "mine"]);
    // "The fields of one of `vitrine image list`".
    assert_eq!(listed[2], added);
    is_as_documented("image list", &listed);
    let removed = json(&["remove", "mine"]);
    assert_eq!((&removed["removed"], &removed["deleted"]), (&"mine".into(), &true.into()));
    is_as_documented("image remove", &removed);
}

#[test]
fn every_field_is_documented_and_every_documented_field_is_there() {
    let server = Server::start();
    let mut page = server.client();
    page.start(None, ContainerSpec::one_click());
    let _running = busy();
    let mut ps = documented("ps");
    for (command, words) in [
        ("ps", &["ps", "-a"][..]),
        ("top", &["top", "-a", "--interval", "0.3"]),
        ("cgroups", &["cgroups", "--all"]),
        ("namespaces", &["namespaces"]),
    ] {
        let outcome = vitrine(&[words, &["--json"]].concat());
        let json: Value = serde_json::from_str(&outcome.out).unwrap();
        let mut seen = BTreeMap::new();
        note(&json, "", &mut seen);
        let mut fields = documented(command);
        if command == "top" {
            // "All fields of vitrine ps, and:".
            ps.append(&mut fields);
            fields.clone_from(&ps);
        }
        for (path, kinds) in &seen {
            let said = fields.get(path).unwrap_or_else(|| panic!("{command}: {path} has no line"));
            for kind in kinds {
                let allowed = said.split(" or ").any(|word| word == *kind);
                assert!(allowed, "{command}: {path} is {kind}, documented is {said}");
            }
        }
        for path in fields.keys().filter(|path| *path != "not_read[]") {
            assert!(seen.contains_key(path), "{command}: {path} is documented and not there");
        }
    }
    // The one that is only there when something could not be read; see `piped`.
    assert!(
        ["ps", "top", "cgroups", "namespaces"]
            .iter()
            .all(|command| documented(command).contains_key("not_read[]"))
    );
}
