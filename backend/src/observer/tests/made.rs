//! Trees of groups as a machine's owner leaves them: odd names, depth, numbers, links.

use std::os::unix::ffi::OsStrExt as _;

use vitrine_shared::cgroup::Dialect;

use super::super::tests_tree::Tree;
use super::*;

fn machine(tree: &Tree) -> ObservedMachine {
    let mut machine =
        tree.machine(&[("cpu/m", &["cpu"], Dialect::V1), ("pids/m", &["pids"], Dialect::V1)]);
    machine.groups.push((GroupId::Shell, "root/shell".into()));
    machine.delegated = true;
    machine
}

fn make(tree: &Tree, path: &str) {
    std::fs::create_dir_all(tree.path(path)).unwrap();
}

fn looked(machine: &ObservedMachine) -> Made {
    let mut made = Made::default();
    assert!(made.look(machine));
    assert!(!made.look(machine), "not again at once");
    made
}

#[test]
fn the_same_path_in_two_hierarchies_is_one_group() {
    let tree = Tree::new();
    for path in ["cpu/m/root/a/b", "pids/m/root/a", "cpu/m/root/shell/x", "cpu/m/root/c1/no"] {
        make(&tree, path);
    }
    tree.write("cpu/m/root/a/cpu.stat", "");
    let made = looked(&machine(&tree));
    let found: Vec<(&str, usize)> =
        made.found.iter().map(|(path, dirs)| (path.as_str(), dirs.len())).collect();
    assert_eq!(found, [("a", 2), ("a/b", 1), ("shell/x", 1)]);
    assert_eq!(made.more, 0);
    assert_ne!(made.found[&"a".parse::<GroupPath>().unwrap()][0].1, 0);
}

#[test]
fn names_that_cannot_be_shown_are_counted() {
    let tree = Tree::new();
    for name in ["fine", "a\u{202e}b", "a\nb"] {
        make(&tree, &format!("cpu/m/root/{name}/below"));
    }
    let raw = tree.path("cpu/m/root").join(std::ffi::OsStr::from_bytes(b"\xff\xfe"));
    std::fs::create_dir_all(raw).unwrap();
    make(&tree, &format!("cpu/m/root/{}", ["d"; 12].join("/")));
    std::os::unix::fs::symlink(tree.path("cpu"), tree.path("cpu/m/root/link")).unwrap();
    let made = looked(&machine(&tree));
    let found: Vec<&str> = made.found.keys().map(GroupPath::as_str).collect();
    assert_eq!(found.len(), 2 + GROUP_PATH_DEPTH, "{found:?}");
    assert!(found.contains(&"fine/below") && !found.contains(&"link"));
    assert_eq!(made.more, 4);
}

#[test]
fn there_is_an_end_to_it() {
    let tree = Tree::new();
    for i in 0..MADE_GROUPS.value + 20 {
        make(&tree, &format!("cpu/m/root/g{i:04}"));
    }
    let made = looked(&machine(&tree));
    assert_eq!(made.found.len() as u64, MADE_GROUPS.value);
    assert_eq!(made.more, 20);
    assert!(made.found.contains_key(&"g0000".parse::<GroupPath>().unwrap()));
    let mut strict = machine(&tree);
    strict.delegated = false;
    assert!(!Made::default().look(&strict), "nobody makes any there");
}
