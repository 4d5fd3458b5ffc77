//! Every kind of root file system: made, run in, and nothing of it left with privilege.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use vitrine_shared::message::{Command as Asked, Refusal};
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::{ContainerSpec, Rootfs};

use crate::harness::command::{Outcome, PATIENCE, Running, output, run, spawn};
use crate::harness::server::Server;
use crate::harness::term::Term;
use crate::harness::{binary, data, mark, proc, wait_for};

#[test]
fn the_lab_image_has_the_tools_of_the_lessons() {
    let seen = output(&[
        "--rootfs",
        "lab",
        "--",
        "bash",
        "-c",
        "ps -o pid,comm; top -bn1 | head -3; ip -br a; unshare --help | head -3; free | head -1;
         TERM=xterm-256color tput colors; LC_ALL=C.UTF-8 locale charmap; id; ls /sys/fs/cgroup | wc -l",
    ]);
    for part in [
        "      1 bash",
        "Tasks:",
        "lo               UNKNOWN        127.0.0.1/8",
        "unshare [options]",
        "total        used        free",
        "\n256\n",
        "\nUTF-8\n",
        "uid=0(root) gid=0(root)",
    ] {
        assert!(seen.contains(part), "no {part:?} in\n{seen}");
    }
}

#[test]
fn every_program_of_the_lab_image_finds_its_libraries() {
    let script = "for file in /usr/bin/* /usr/sbin/*; do
            [ -L $file ] && continue
            said=$(ldd $file 2>&1) || case $said in *'not a dynamic'*) ;; *) echo $file: $said ;; esac
            case $said in *'not found'*) echo $file: $said ;; esac
            n=$((n+1))
        done; echo looked at $n";
    let seen = output(&["--rootfs", "lab", "--", "bash", "-c", script]);
    let looked = seen.strip_prefix("looked at ").and_then(|n| n.trim().parse::<u32>().ok());
    assert!(looked.is_some_and(|n| n > 100), "{seen}");
}

#[test]
fn nothing_in_the_lab_image_has_privilege() {
    let script = "find / -xdev -perm /6000 -type f; find / -xdev -type f -writable ! -user root;
        grep -c : /etc/passwd; mount -t tmpfs none /mnt 2>&1 | head -1";
    let seen = run(&["--rootfs", "lab", "--", "bash", "-c", script]);
    let lines: Vec<&str> = seen.out.lines().collect();
    assert_eq!(lines.len(), 2, "{seen:?}");
    assert!(lines[1].contains("permission denied"), "{seen:?}");
}

/// A store of a test's own.
pub(crate) struct Store(tempfile::TempDir);

impl Store {
    pub(crate) fn new() -> Self {
        // Not in /tmp: images want a file system with id-mapped mounts.
        Store(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).env("VITRINE_DATA", self.path("data"));
        command
    }

    /// `vitrine image …`
    fn image(&self, words: &[&str]) -> Outcome {
        spawn(&mut self.command(&[&["image"], words].concat()), None).end()
    }

    #[track_caller]
    pub(crate) fn add(&self, name: &str, source: &Path) -> String {
        let outcome = self.image(&["add", name, source.to_str().unwrap()]);
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.out
    }

    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> String {
        let outcome = spawn(&mut self.command(&[&["run"], words].concat()), None).end();
        assert_eq!(outcome.status, 0, "vitrine run {words:?}: {outcome:?}");
        outcome.out
    }

    /// What is in the store.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("data/images")).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A small root to make archives of.
    pub(crate) fn root(&self) -> PathBuf {
        let root = self.path("root");
        for name in ["bin", "etc", "var/log"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        for name in ["sh", "cat", "stat", "ls", "sleep", "env"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).unwrap();
        }
        fs::write(root.join("etc/os-release"), "ID=mine\n").unwrap();
        fs::write(root.join("etc/doomed"), "soon gone\n").unwrap();
        fs::write(root.join("var/log/old"), "soon gone\n").unwrap();
        fs::hard_link(root.join("etc/os-release"), root.join("etc/second")).unwrap();
        fs::copy("/bin/busybox", root.join("bin/suid")).unwrap();
        chmod(&root.join("bin/suid"), 0o6755);
        root
    }

    /// What `docker save` would write of these layers, run as `config` says.
    pub(crate) fn save(&self, layers: &[&Path], config: &Value) -> PathBuf {
        let save = self.path("save");
        let layer = |(at, from): (usize, &&Path)| {
            fs::create_dir_all(save.join(at.to_string())).unwrap();
            let layer = format!("{at}/layer.tar");
            tar(from, &save.join(&layer), &[]);
            let digest = format!("sha256:{}", sha256(&save.join(&layer)));
            (layer, digest)
        };
        let (names, digests): (Vec<_>, Vec<_>) = layers.iter().enumerate().map(layer).unzip();
        let rootfs = json!({ "type": "layers", "diff_ids": digests });
        let config = json!({ "os": "linux", "config": config, "rootfs": rootfs });
        let path = save.join("config");
        fs::write(&path, config.to_string()).unwrap();
        let config = format!("{}.json", sha256(&path));
        fs::rename(path, save.join(&config)).unwrap();
        let manifest = json!([{ "Config": config, "RepoTags": ["mine:1"], "Layers": names }]);
        fs::write(save.join("manifest.json"), manifest.to_string()).unwrap();
        let archive = self.path("saved");
        tar(&save, &archive, &[]);
        fs::remove_dir_all(save).unwrap();
        archive
    }
}

fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs a tool and gives what it wrote.
#[track_caller]
fn tool(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output =
        output.unwrap_or_else(|err| panic!("{}: {err}; cargo xtask test installs it", words[0]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn sha256(path: &Path) -> String {
    tool(&["sha256sum", path.to_str().unwrap()]).split(' ').next().unwrap().to_string()
}

/// A tar of a directory, by the host's own tar.
fn tar(root: &Path, to: &Path, flags: &[&str]) {
    let (to, root) = (to.to_str().unwrap(), root.to_str().unwrap());
    tool(&[&["tar", "-C", root, "-cf", to], flags, &["."]].concat());
}

const LOOK: &str =
    "cat /etc/os-release; stat -c '%i' /etc/os-release /etc/second; stat -c %a /bin/suid";

/// What [`LOOK`] says: the file, one inode twice, no setuid.
#[track_caller]
fn looks_right(seen: &str) {
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!((lines[0], lines[3]), ("ID=mine", "755"), "{seen}");
    assert_eq!(lines[1], lines[2], "two names of one file: {seen}");
}

#[test]
fn directories_and_tars_run() {
    let store = Store::new();
    let root = store.root();
    nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    tool(&["mknod", root.join("disk").to_str().unwrap(), "b", "7", "0"]);
    let said = store.add("copied", &root);
    for words in ["1 device nodes left out", "1 named pipes left out", "1 setuid"] {
        assert!(said.contains(words), "{said}");
    }
    for (name, flags) in [
        ("gnu", &["--format=gnu"][..]),
        ("pax.1", &["--format=pax", "--xattrs"]),
        ("ustar", &["--format=ustar"]),
        ("gzip_2", &["--gzip"]),
        ("7sparse", &["--sparse", "--format=gnu"]),
    ] {
        let archive = store.path(name);
        tar(&root, &archive, flags);
        store.add(name, &archive);
    }
    for name in ["copied", "gnu", "pax.1", "ustar", "gzip_2", "7sparse"] {
        looks_right(&store.run(&["--rootfs", name, "--", "sh", "-c", LOOK]));
        let outcome = store.run(&["--rootfs", name, "--", "ls", "/"]);
        assert!(!outcome.contains("disk") && !outcome.contains("pipe"), "{outcome}");
    }
    let listed: Value = serde_json::from_str(&store.image(&["list", "--json"]).out).unwrap();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["busybox", "lab", "7sparse", "copied", "gnu", "gzip_2", "pax.1", "ustar"]);
    assert!(listed[1]["missing"].is_array() && listed[1]["made"] == false, "{}", listed[1]);
    assert_eq!(listed[3]["kind"], "directory");
}

#[test]
fn an_oci_layout_that_umoci_made_runs_as_it_says() {
    let store = Store::new();
    let layout = store.path("layout");
    let image = format!("{}:x", layout.display());
    let bundle = store.path("bundle");
    let bundle_text = bundle.to_str().unwrap();
    tool(&["umoci", "init", "--layout", layout.to_str().unwrap()]);
    tool(&["umoci", "new", "--image", &image]);
    tool(&["umoci", "unpack", "--image", &image, bundle_text]);
    // The first layer: a root. The second: some of it gone, some changed.
    let root = store.root();
    tool(&["cp", "-a", &format!("{}/.", root.display()), &format!("{bundle_text}/rootfs")]);
    tool(&["umoci", "repack", "--refresh-bundle", "--image", &image, bundle_text]);
    fs::remove_file(bundle.join("rootfs/etc/doomed")).unwrap();
    fs::remove_dir_all(bundle.join("rootfs/var/log")).unwrap();
    fs::write(bundle.join("rootfs/etc/added"), "by the second layer\n").unwrap();
    tool(&["umoci", "repack", "--refresh-bundle", "--image", &image, bundle_text]);
    tool(&[
        "umoci",
        "config",
        "--image",
        &image,
        "--config.env",
        "GREETING=hello there",
        "--config.env",
        "PATH=/bin:/etc",
        "--config.entrypoint",
        "sh",
        "--config.entrypoint",
        "-c",
        "--config.cmd",
        "echo $GREETING; cat /etc/added",
        "--config.user",
        "1000",
    ]);
    let archive = store.path("layout.tar.gz");
    tar(&layout, &archive, &["--gzip"]);
    for (name, source) in [("directory", &layout), ("archive", &archive)] {
        store.add(name, source);
        looks_right(&store.run(&["--rootfs", name, "--", "sh", "-c", LOOK]));
        let seen = store.run(&["--rootfs", name, "--", "ls", "/etc", "/var"]);
        assert!(
            seen.contains("added") && !seen.contains("doomed") && !seen.contains("log"),
            "{seen}"
        );
        // Its own command, found by its own PATH, with its own environment.
        assert_eq!(store.run(&["--rootfs", name]), "hello there\nby the second layer\n");
        let env = store.run(&["--rootfs", name, "--", "env"]);
        assert_eq!(env.matches("PATH=").count(), 1, "{env}");
        assert!(env.contains("PATH=/bin:/etc\n"), "{env}");
    }
    let listed: Value = serde_json::from_str(&store.image(&["list", "--json"]).out).unwrap();
    assert_eq!((&listed[2]["kind"], &listed[2]["user"]), (&json!("oci"), &json!("1000")));
    assert_eq!(listed[2]["digest"], listed[3]["digest"]);
    // One byte of one blob: nothing is added.
    let blob = fs::read_dir(layout.join("blobs/sha256")).unwrap().flatten().map(|e| e.path());
    let largest = blob.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let outcome = store.image(&["add", "spoiled", layout.to_str().unwrap()]);
    assert_eq!(outcome.status, 1, "{outcome:?}");
    assert!(outcome.err.contains("nothing was added"), "{outcome:?}");
    assert_eq!(store.names(), ["image-archive", "image-directory"]);
}

#[test]
fn what_docker_saves_runs() {
    let store = Store::new();
    let root = store.root();
    let upper = store.path("upper");
    fs::create_dir_all(upper.join("etc")).unwrap();
    fs::write(upper.join("etc/.wh.doomed"), "").unwrap();
    fs::create_dir_all(upper.join("var/log")).unwrap();
    fs::write(upper.join("var/log/.wh..wh..opq"), "").unwrap();
    fs::write(upper.join("var/log/new"), "").unwrap();
    let config = json!({ "Cmd": ["/bin/cat", "/etc/os-release"] });
    let archive = store.save(&[&root, &upper], &config);
    store.add("saved", &archive);
    assert_eq!(store.run(&["--rootfs", "saved"]), "ID=mine\n");
    looks_right(&store.run(&["--rootfs", "saved", "--", "sh", "-c", LOOK]));
    let seen = store.run(&["--rootfs", "saved", "--", "ls", "/etc", "/var/log"]);
    assert!(seen.contains("new") && !seen.contains("doomed") && !seen.contains("old"), "{seen}");
}

#[test]
fn what_is_refused_leaves_nothing_and_says_why() {
    let store = Store::new();
    let root = store.root();
    let evil = store.path("evil.tar");
    tool(&[
        "tar",
        "-P",
        "-C",
        root.to_str().unwrap(),
        "--transform",
        "s,^etc/doomed,../../../evil,",
        "-cf",
        evil.to_str().unwrap(),
        "etc",
    ]);
    let text = store.path("text");
    fs::write(&text, "no archive\n".repeat(100)).unwrap();
    let good = store.path("good.tar");
    tar(&root, &good, &[]);
    store.add("good", &good);
    let (evil, text, good) =
        (evil.to_str().unwrap(), text.to_str().unwrap(), good.to_str().unwrap());
    for (words, said) in [
        (&["add", "x", evil][..], "leads out of the image"),
        (&["add", "x", text], "cannot be read"),
        (&["add", "x", "/no/such"], "No such file"),
        (&["add", "x", "/dev/null"], "a directory or a regular file"),
        (&["add", "busybox", good], "choose another"),
        (&["add", "lab", good], "choose another"),
        (&["add", "good", good], "image remove good"),
        (&["add", "../x", good], "a letter or digit first"),
        (&["add", "Upper", good], "a-z"),
        (&["remove", "nope"], "vitrine image list"),
        (&["remove", "busybox"], "vitrine image list"),
    ] {
        let outcome = store.image(words);
        assert_eq!(outcome.status, 1, "{words:?}: {outcome:?}");
        assert!(outcome.err.contains(said), "{words:?} does not say {said:?}: {}", outcome.err);
        assert_eq!(store.names(), ["image-good"], "{words:?}");
    }
    assert!(!store.path("evil").exists() && !store.path("data/evil").exists());
    let outcome = store.image(&["remove", "good"]);
    assert_eq!((outcome.status, store.names().len()), (0, 0), "{outcome:?}");
}

/// Adds a directory with a file so large (and empty) that it takes a while.
fn slow(store: &Store) -> Running {
    let source = store.path("slow");
    fs::create_dir(&source).unwrap();
    let file = fs::File::create(source.join("holes")).unwrap();
    file.set_len(3 << 30).unwrap();
    spawn(&mut store.command(&["image", "add", "slow", source.to_str().unwrap()]), None)
}

/// The process that unpacks.
fn unpacker(running: &Running) -> u32 {
    wait_for("the unpacking process", PATIENCE, || {
        let child = proc::children(running.pid()).into_iter().next()?;
        (proc::status(child, "Seccomp") == "2").then_some(child)
    })
}

#[test]
fn whoever_unpacks_has_nothing_but_the_image() {
    let store = Store::new();
    let running = slow(&store);
    let child = unpacker(&running);
    // CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER.
    for set in ["CapEff", "CapPrm", "CapBnd"] {
        assert_eq!(proc::status(child, set), "000000000000000b", "{set}");
    }
    assert_eq!(proc::status(child, "NoNewPrivs"), "1");
    let root = fs::read_link(format!("/proc/{child}/root")).unwrap();
    assert!(root.starts_with(store.path("data/images")) && root.ends_with("root"), "{root:?}");
    let mut fds: Vec<PathBuf> = fs::read_dir(format!("/proc/{child}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|fd| fs::read_link(fd.path()).ok())
        .collect();
    fds.retain(|fd| !fd.starts_with(store.0.path()) && !fd.to_string_lossy().starts_with("pipe:"));
    assert!(fds.is_empty(), "of the host is open: {fds:?}");
    drop(running);
}

#[test]
fn a_signal_leaves_nothing_and_what_a_kill_leaves_is_swept() {
    let store = Store::new();
    let running = slow(&store);
    unpacker(&running);
    running.signal(Signal::SIGTERM);
    let outcome = running.end();
    assert_eq!((outcome.status, store.names().len()), (1, 0), "{outcome:?}");
    assert!(outcome.err.contains("stopped by a signal"), "{outcome:?}");
    fs::remove_dir_all(store.path("slow")).unwrap();
    let running = slow(&store);
    let child = unpacker(&running);
    running.signal(Signal::SIGKILL);
    running.end();
    wait_for("its child dies with it", PATIENCE, || {
        (!Path::new(&format!("/proc/{child}")).exists()).then_some(())
    });
    assert!(store.names()[0].starts_with("new-"), "{:?}", store.names());
    store.add("next", &store.root());
    assert_eq!(store.names(), ["image-next"]);
}

#[test]
fn an_image_in_use_keeps_its_files_until_nobody_uses_it() {
    let store = Store::new();
    store.add("used", &store.root());
    let mark = mark();
    let script = format!("sleep {mark} & read go; cat /etc/os-release");
    let words = ["run", "--rootfs", "used", "-i", "--uts", "--", "sh", "-c", &script];
    let mut command = store.command(&words);
    let (reader, writer) = std::io::pipe().unwrap();
    let running = command.stdin(reader).stdout(Stdio::piped()).spawn().unwrap();
    drop(command);
    proc::wait_for_sleep(&mark);
    let outcome = store.image(&["remove", "used"]);
    assert!(outcome.out.contains("something runs in it"), "{outcome:?}");
    let listed = store.image(&["list"]).out;
    assert!(!listed.contains("used"), "{listed}");
    // Another may have the name at once.
    store.add("used", &store.path("root"));
    drop(writer);
    let output = running.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ID=mine\n");
    store.image(&["remove", "used"]);
    assert_eq!(store.names(), [""; 0], "the next one to come has swept");
}

#[test]
fn pages_hear_of_images_and_start_them() {
    let server = Server::start();
    let name = format!("page-{}", mark());
    let spec = |name: &str| {
        let argv = vec!["/bin/cat".into(), "/etc/os-release".into()];
        ContainerSpec { rootfs: Rootfs::Image(name.into()), argv, ..ContainerSpec::one_click() }
    };
    let mut page = server.client();
    assert!(!page.images.contains(&name));
    let refused = page.refused(Asked::StartContainer { machine: None, spec: spec(&name) });
    assert_eq!(refused, Refusal::Missing { what: Lacking::Image { name: name.clone() } });
    let store = Store::new();
    let add = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["image"]).args(words).env("VITRINE_DATA", data());
        let outcome = spawn(&mut command, None).end();
        assert_eq!(outcome.status, 0, "{outcome:?}");
    };
    add(&["add", &name, store.root().to_str().unwrap()]);
    wait_for("a page that comes now hears of it", PATIENCE, || {
        server.client().images.contains(&name).then_some(())
    });
    let started = page.start(None, spec(&name));
    let mut term = Term::open(&server, started.terminal.unwrap());
    term.read_until("ID=mine");
    // A web that was started again knows too.
    Server::kill(server.service("vitrine-web"));
    wait_for("the next web", PATIENCE, || server.client().images.contains(&name).then_some(()));
    add(&["remove", &name]);
    wait_for("it is gone", PATIENCE, || (!server.client().images.contains(&name)).then_some(()));
    let mut lab = spec("x");
    lab.rootfs = Rootfs::Lab;
    lab.argv = vec!["/usr/bin/bash".into(), "-c".into(), "ps -o comm; ip -br link".into()];
    let mut page = server.client();
    let started = page.start(Some(started.machine), lab);
    let mut term = Term::open(&server, started.terminal.unwrap());
    let seen = term.read_until("lo ");
    assert!(seen.contains("bash"), "{seen}");
}
