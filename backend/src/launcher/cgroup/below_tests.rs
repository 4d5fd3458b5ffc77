//! By descriptor, on directories that stand for hierarchies: the kernel's part is tested in
//! `tests/groups.rs`.

use super::super::Hierarchies;
use super::*;

struct Host {
    dir: tempfile::TempDir,
    root: Cgroup,
}

/// Two v1 hierarchies and a machine's root in both.
fn host() -> Host {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let mountinfo = format!(
        "31 30 0:27 / {at}/cpu rw - cgroup cgroup rw,cpu\n32 30 0:28 / {at}/pids rw - cgroup cgroup rw,pids"
    );
    for name in ["cpu", "pids"] {
        std::fs::create_dir_all(dir.path().join(name).join("m/root")).unwrap();
    }
    let hierarchies = Rc::new(Hierarchies::parse(&mountinfo, |_| String::new()));
    Host { root: Cgroup { hierarchies, path: "m/root".into(), held: None }, dir }
}

impl Host {
    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }
}

#[test]
fn made_found_and_removed_in_all_hierarchies() {
    let host = host();
    let did = host.root.make_below("a", None).unwrap();
    let expected = ["cpu/m/root/a", "pids/m/root/a"].map(|path| Did::Mkdir(host.path(path)));
    assert_eq!(did, expected);
    let a = host.root.below("a").unwrap().unwrap();
    let did = a.make_below("b", None).unwrap();
    assert_eq!(did[0], Did::Mkdir(host.path("cpu/m/root/a/b")), "the name that people know");
    let err = host.root.remove_below("a", None).unwrap_err();
    assert_eq!((err.errno(), err.path), (Errno::ENOTEMPTY, host.path("cpu/m/root/a")));
    a.remove_below("b", None).unwrap();
    host.root.remove_below("a", None).unwrap();
    assert!(!host.path("pids/m/root/a").exists());
    assert!(host.root.below("a").unwrap().is_none());
}

#[test]
fn nothing_is_left_when_one_hierarchy_refuses() {
    let host = host();
    std::fs::create_dir(host.path("pids/m/root/a")).unwrap();
    let err = host.root.make_below("a", None).unwrap_err();
    assert_eq!((err.errno(), err.path), (Errno::EEXIST, host.path("pids/m/root/a")));
    assert!(!host.path("cpu/m/root/a").exists());
    // It is in one hierarchy, and only there.
    let a = host.root.below("a").unwrap().unwrap();
    assert!(a.directory(Controller::Cpu).is_none() && a.directory(Controller::Pids).is_some());
}

#[test]
fn what_is_held_stays_the_same_whatever_it_is_called() {
    let host = host();
    host.root.make_below("a", None).unwrap();
    let a = host.root.below("a").unwrap().unwrap();
    std::fs::write(host.path("cpu/m/root/a/cpu.shares"), "1").unwrap();
    std::fs::rename(host.path("cpu/m/root/a"), host.path("cpu/m/root/z")).unwrap();
    std::fs::create_dir(host.path("cpu/m/root/a")).unwrap();
    std::fs::write(host.path("cpu/m/root/a/cpu.shares"), "2").unwrap();
    let wrote = a.write(Controller::Cpu, "cpu.shares", "7").unwrap();
    assert_eq!((wrote.old.as_str(), wrote.path), ("1", host.path("cpu/m/root/a/cpu.shares")));
    assert_eq!(std::fs::read_to_string(host.path("cpu/m/root/z/cpu.shares")).unwrap(), "7");
    assert_eq!(std::fs::read_to_string(host.path("cpu/m/root/a/cpu.shares")).unwrap(), "2");
}

#[test]
fn no_link_is_followed_and_no_name_leads_elsewhere() {
    let host = host();
    std::fs::create_dir(host.path("elsewhere")).unwrap();
    for hierarchy in ["cpu", "pids"] {
        let link = host.path(hierarchy).join("m/root/link");
        std::os::unix::fs::symlink(host.path("elsewhere"), link).unwrap();
    }
    for path in ["link", "link/x", "..", "../root", "", "none"] {
        assert!(host.root.below(path).unwrap().is_none(), "{path:?}");
    }
    for name in ["", ".", "..", "a/b", "../x", "a\0b"] {
        assert!(host.root.make_below(name, None).is_err(), "{name:?}");
        assert!(host.root.remove_below(name, None).is_err(), "{name:?}");
    }
    assert!(host.root.remove_below("link", None).is_err());
    assert!(host.path("elsewhere").is_dir());
}

#[test]
fn they_are_counted_where_there_are_most() {
    let host = host();
    let soon = Instant::now() + std::time::Duration::from_secs(5);
    for name in ["a", "b"] {
        host.root.make_below(name, None).unwrap();
    }
    std::fs::create_dir(host.path("pids/m/root/a/c")).unwrap();
    assert_eq!(host.root.count_below(soon), Some(3));
    let past = Instant::now().checked_sub(std::time::Duration::from_millis(1)).unwrap();
    assert_eq!(host.root.count_below(past), None);
}
