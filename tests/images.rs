//! Every kind of root file system: made, run in, and nothing of it left with privilege.

use crate::harness::command::{output, run};

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
