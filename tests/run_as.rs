//! Whom a program runs as and where it begins: as an image says it, or whoever starts it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use vitrine_shared::message::{Answer, Command as Asked, Event, StepName};
use vitrine_shared::spec::{ContainerSpec, Rootfs};

use crate::harness::command::{PATIENCE, run, spawn};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::user::User;
use crate::harness::{binary, cgroup, data, mark, proc, wait_for};
use crate::images::Store;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001:App:/srv/app:/bin/sh\n";
const GROUP: &str = "root:x:0:\napps:x:1001:\nvideo:x:44:app\nwheel:x:10:root,app\n";

/// A store with a root that has users.
fn store() -> Store {
    let store = Store::new();
    let root = store.root();
    fs::write(root.join("etc/passwd"), PASSWD).unwrap();
    fs::write(root.join("etc/group"), GROUP).unwrap();
    store
}

/// What a program sees of itself.
const WHO: &str = "busybox awk '/^Uid:/{u=$2} /^Gid:/{g=$2} /^Groups:/{$1=\"\"; s=$0} \
    END{print u, g \":\" s}' /proc/self/status; pwd; echo $HOME";

#[test]
fn an_images_user_and_directory_are_those_of_its_program() {
    let store = store();
    let config = json!({ "User": "app:video", "WorkingDir": "/srv/work", "Env": ["PATH=/bin"],
        "Entrypoint": ["sh", "-c"], "Cmd": [WHO] });
    let archive = store.save(&[&store.path("root")], &config);
    store.add("own", &archive);
    assert_eq!(store.run(&["--rootfs", "own"]), "1000 44:\n/srv/work\n/srv/app\n");
    // Made by root, as Docker does, and nobody has a capability left.
    let look = "stat -c %u:%g:%a /srv/work; touch x; busybox grep -E 'Cap|NoNew' /proc/self/status";
    let seen = store.run(&["--rootfs", "own", "--", "sh", "-c", look]);
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], "0:0:755", "{seen}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(seen.contains(&format!("{set}:\t0000000000000000")), "{seen}");
    }
    assert!(seen.contains("NoNewPrivs:\t1"), "{seen}");
    // Whoever starts it has the last word.
    for (words, said) in [
        (&["-u", "app"][..], "1000 1001: 10 44\n/srv/work\n/srv/app\n"),
        (&["-u", "0", "-w", "/"], "0 0: 10\n/\n/root\n"),
        (&["--as", "4000"], "4000 0:\n/srv/work\n/\n"),
        (&["-u4000:4001", "--workdir=/a/b/../c"], "4000 4001:\n/a/c\n/\n"),
    ] {
        let seen = store.run(&[&["--rootfs", "own"], words, &["--", "sh", "-c", WHO]].concat());
        assert_eq!(seen.replace(" \n", "\n"), said, "{words:?}");
    }
    // The same by way of an init, without namespaces, and in a terminal, which is the user's.
    for flags in [&["--init"][..], &["--no-namespaces"], &["--uts"]] {
        let seen = store.run(&[&["--rootfs", "own"], flags, &["--", "sh", "-c", WHO]].concat());
        assert!(seen.starts_with("1000 44:"), "{flags:?}: {seen}");
    }
    let tty = "stat -c %u /dev/pts/0; echo to myself > /dev/pts/0";
    let seen = store.run(&["--rootfs", "own", "-t", "--", "sh", "-c", tty]);
    assert_eq!(seen, "1000\r\nto myself\r\n");
    // Told as a step of the birth.
    let words = ["run", "--rootfs", "own", "--json", "--", "sh", "-c", ":"];
    let told = spawn(&mut store.command(&words), None).end();
    assert!(told.err.contains("chdir(\\\"/srv/work\\\"); setgroups([])"), "{told:?}");
    assert!(told.err.contains("setresuid(1000, 1000, 1000)"), "{told:?}");
}

#[test]
fn what_is_wrong_is_said_and_nothing_runs() {
    for (words, said) in [
        (&["-u", "nobodys"][..], "the image's /etc/passwd has no user \"nobodys\""),
        (&["-u", "0:nobodys"], "the image's /etc/group has no group \"nobodys\""),
        (&["-u", "+1"], "the image's /etc/passwd has no user \"+1\""),
        (&["-u", "65535"], "the ids in here end at 65534"),
        (&["-u", "0:70000"], "the ids in here end at 65534"),
        (&["-u", ""], "a name or a number"),
        (&["-u", "a:b:c"], "USER:GROUP"),
        (&["-w", "srv"], "an absolute path, such as /srv"),
        (&["-w", "/etc/passwd"], "name another directory"),
        (&["-w", "/proc/self/fd/0"], "name another directory"),
        (&["-w", "/proc/self/cwd"], "name another directory"),
        (&["--user=1000"], "to run as somebody: '--as' or '-u'"),
    ] {
        let outcome = run(&[words, &["--", "echo", "it ran"]].concat());
        assert_eq!((outcome.status, outcome.out.as_str()), (125, ""), "{words:?}: {outcome:?}");
        assert!(outcome.err.contains(said), "{words:?} does not say {said:?}: {}", outcome.err);
    }
    let dockers = run(&["--user", "1000:1000", "true"]);
    assert!(dockers.status == 127 && dockers.err.contains("-u 1000:1000"), "{dockers:?}");
    let last = run(&["-u", "65534", "--", "id", "-u"]);
    assert_eq!(last.out, "65534\n", "{last:?}");
}

/// The lists are a stranger's work: what they are instead of files must not be followed, waited
/// for or swallowed whole.
#[test]
fn lists_that_lead_elsewhere_are_not_followed() {
    let store = store();
    let root = store.path("root");
    let passwd = root.join("etc/passwd");
    let dir = format!("{}/", root.display());
    let id = |words: &[&str]| {
        let words = [&["run", "--rootfs", &dir], words, &["--", "busybox", "id", "-u"]].concat();
        spawn(&mut store.command(&words), None).end()
    };
    assert_eq!(id(&["-u", "app"]).out, "1000\n");
    let put = |target: &str| {
        fs::remove_file(&passwd).unwrap();
        symlink(target, &passwd).unwrap();
    };
    // A link inside is followed, and the top is the image's own.
    fs::create_dir(root.join("lists")).unwrap();
    fs::write(root.join("lists/users"), "app:x:7:7::/:\n").unwrap();
    for inside in ["/lists/users", "../lists/users", "../../../../../lists/users"] {
        put(inside);
        assert_eq!(id(&["-u", "app"]).out, "7\n", "{inside}");
    }
    for outside in
        ["/proc/self/fd/0", "/proc/1/root/etc/passwd", "/proc/self/environ", "passwd", "/dev/null"]
    {
        put(outside);
        let seen = id(&["-u", "app"]);
        assert_eq!((seen.status, seen.out.as_str()), (125, ""), "{outside}: {seen:?}");
        assert!(seen.err.contains("/etc/passwd of the image"), "{outside}: {seen:?}");
    }
    fs::remove_file(&passwd).unwrap();
    nix::unistd::mkfifo(&passwd, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let seen = id(&["-u", "app"]);
    assert!(seen.status == 125 && seen.err.contains("is no file"), "{seen:?}");
    fs::remove_file(&passwd).unwrap();
    fs::File::create(&passwd).unwrap().set_len(1 << 40).unwrap();
    let seen = id(&["-u", "app"]);
    assert!(seen.status == 125 && seen.err.contains("more than 1048576 bytes"), "{seen:?}");
    // Without a list a number is a number still.
    fs::remove_file(&passwd).unwrap();
    assert_eq!(id(&["-u", "7"]).out, "7\n");
    // Nor does a working directory lead out.
    symlink("../../../../../../..", root.join("up")).unwrap();
    let words = ["run", "--rootfs", &dir, "-w", "/up/etc/made", "--", "sh", "-c", "pwd; ls .."];
    let seen = spawn(&mut store.command(&words), None).end();
    assert!(seen.out.starts_with("/etc/made\n") && seen.out.contains("os-release"), "{seen:?}");
    assert!(!Path::new("/etc/made").exists() && !root.join("etc/made").exists());
}

#[test]
fn a_page_s_containers_and_their_commands_are_the_users_too() {
    let server = Server::start();
    let store = store();
    let name = format!("user-{}", mark());
    let archive = store.save(
        &[&store.path("root")],
        &json!({ "User": "app", "WorkingDir": "/srv/work", "Env": ["PATH=/bin"] }),
    );
    let image = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["image"]).args(words).env("VITRINE_DATA", data());
        let outcome = spawn(&mut command, None).end();
        assert_eq!(outcome.status, 0, "{outcome:?}");
    };
    image(&["add", &name, archive.to_str().unwrap()]);
    let spec = ContainerSpec {
        rootfs: Rootfs::Image(name.clone()),
        argv: vec!["sh".into()],
        ..ContainerSpec::one_click()
    };
    let mut page = server.client();
    let started = page.start(None, spec.clone());
    let (base, steps) = page.event("the machine", |event| match event {
        Event::Machine(machine) if machine.id == started.machine => {
            let container = machine.containers.iter().find(|c| c.id == started.container)?;
            Some((machine.uid_base, container.steps.clone()))
        }
        _ => None,
    });
    let told = steps.iter().find(|step| step.name == StepName::RunAs).unwrap();
    assert!(told.call.contains("setgroups([44, 10])"), "{}", told.call);
    let mut term = Term::open(&server, started.terminal.unwrap());
    term.read_until("$ ");
    term.type_in("busybox id -u; pwd\n");
    term.read_until("1000\r\n/srv/work");
    // One more command is the same user's; a process of the machine's own ids on the host.
    let sleep = mark();
    let argv = vec!["sleep".to_string(), sleep.clone()];
    let (machine, container) = (started.machine, started.container);
    page.done(Asked::Exec { machine, container, argv });
    let pid = proc::wait_for_sleep(&sleep);
    let uids = proc::status(pid, "Uid");
    let wanted = (base + 1000).to_string();
    assert!(uids.split_whitespace().all(|uid| uid == wanted), "{uids}, not {wanted}");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/srv/work"));
    // The page's own word comes before the image's; a user that is not there leaves nothing.
    let pids = cgroup::of_instance_in(server.pid(), "pids").join(&machine.to_string()[..12]);
    let groups = || fs::read_dir(pids.join("root")).unwrap().flatten().map(|entry| entry.path());
    let groups = || groups().filter(|path| path.is_dir()).collect::<Vec<_>>();
    let before = groups();
    for (user, said) in [("ghost", "no user"), ("65535", "end at 65534")] {
        let spec = ContainerSpec { user: Some(user.into()), ..spec.clone() };
        match page.ask(Asked::StartContainer { machine: Some(machine), spec }) {
            Answer::Failed { step: StepName::RunAs, what, hint, .. } => {
                assert!(what.contains(said) && hint.contains("another user"), "{what}; {hint}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(groups(), before);
    let spec = ContainerSpec { user: Some("0".into()), workdir: Some("/".into()), ..spec };
    let root = page.start(Some(machine), spec);
    let mut term = Term::open(&server, root.terminal.unwrap());
    term.read_until("# ");
    term.type_in("busybox id -u; pwd; echo end\n");
    term.read_until("0\r\n/\r\nend");
    image(&["remove", &name]);
    wait_for("it is gone", PATIENCE, || (!server.client().images.contains(&name)).then_some(()));
}

/// With one id there is nobody else to be.
#[test]
fn an_ordinary_user_is_told_what_there_is() {
    let user = User::new();
    let seen = user.run(&["-u", "0", "-w", "/tmp/x", "--", "sh", "-c", "id -u; pwd"]);
    assert_eq!(seen.out, "0\n/tmp/x\n", "{seen:?}");
    let seen = user.run(&["-u", "1000", "--", "true"]);
    assert_eq!(seen.status, 125, "{seen:?}");
    assert!(seen.err.contains("there is no other id than 0 in here"), "{seen:?}");
}
