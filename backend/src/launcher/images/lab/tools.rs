//! What the lab image is made of: names of programs, and where hosts keep them.

/// Where programs are looked for. Not below `/usr/local`: the image is the distribution's.
pub(crate) const DIRECTORIES: &[&str] =
    &["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/run/current-system/sw/bin"];

/// The programs, by the package that Debian has them in. One that is nowhere is no error.
pub(super) const TOOLS: &[&str] = &[
    "bash sh",
    // coreutils
    "arch b2sum base32 base64 basename basenc cat chgrp chmod chown chroot cksum comm cp csplit",
    "cut date dd df dir dircolors dirname du echo env expand expr factor false fmt fold groups",
    "head hostid id install join link ln logname ls md5sum mkdir mkfifo mknod mktemp mv nice nl",
    "nohup nproc numfmt od paste pathchk pr printenv printf ptx pwd readlink realpath rm rmdir",
    "seq sha1sum sha256sum sha512sum shred shuf sleep sort split stat stdbuf stty sum sync tac",
    "tail tee test [ timeout touch tr true truncate tsort tty uname unexpand uniq unlink vdir wc",
    "who whoami yes",
    // procps
    "free kill pgrep pidof pidwait pkill pmap ps pwdx slabtop sysctl tload top uptime vmstat w",
    "watch",
    // util-linux
    "chrt choom dmesg fallocate findmnt flock getopt ionice ipcmk ipcrm ipcs last lsblk lscpu",
    "lsfd lsipc lslocks lsmem lsns mcookie more mount mountpoint namei nsenter pivot_root prlimit",
    "rename renice rev script setarch setpriv setsid switch_root su taskset uclampset umount",
    "unshare whereis",
    // iproute2, hostname
    "ip ss hostname domainname dnsdomainname",
    // grep, sed, awk, findutils, less, diffutils, tar, gzip
    "awk gawk mawk cmp diff egrep fgrep find grep gunzip gzip less sed tar xargs zcat",
    // ncurses-bin, libc-bin
    "clear getconf getent infocmp ldd locale reset tput",
    // What busybox often brings alone.
    "hexdump killall nc ping pstree time traceroute which",
];

/// The names in [`TOOLS`], one by one.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TOOLS.iter().flat_map(|line| line.split(' '))
}

/// Terminals whose description goes along.
pub(super) const TERMINALS: &[&str] =
    &["xterm-256color", "xterm", "screen-256color", "tmux-256color", "linux", "vt100", "dumb"];

/// Where terminal descriptions are: below it by first letter, or by its number in hexadecimal.
pub(super) const TERMINFO: &[&str] = &["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo"];

/// Where a C library older than the locale built into it keeps `C.UTF-8`.
pub(super) const LOCALES: &[&str] = &["/usr/lib/locale/C.utf8", "/usr/lib/locale/C.UTF-8"];

/// Libraries that the C library loads by name, beside itself, when it looks up users and hosts.
pub(super) const LOADED_BY_NAME: &[&str] = &["libnss_files.so.2", "libnss_dns.so.2"];

/// Small files, beside those that every image has.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\n\
         daemon:x:1:1:daemon:/:/bin/false\n\
         student:x:1000:1000:student:/home/student:/bin/bash\n\
         nobody:x:65534:65534:nobody:/:/bin/false\n",
    ),
    (
        "etc/group",
        "root:x:0:\ndaemon:x:1:\ntty:x:5:\nutmp:x:43:\nstudent:x:1000:\nnogroup:x:65534:\n",
    ),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files\n"),
    ("etc/shells", "/bin/sh\n/bin/bash\n"),
    ("etc/resolv.conf", ""),
    (
        "etc/os-release",
        "NAME=\"Vitrine lab\"\nID=vitrine-lab\nPRETTY_NAME=\"Vitrine lab (the server's own tools)\"\n",
    ),
    (
        "etc/profile",
        "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         export LANG=C.UTF-8\n\
         umask 022\n\
         if [ -n \"$BASH_VERSION\" ] && [ -r /etc/bash.bashrc ]; then . /etc/bash.bashrc; else PS1='\\w # '; fi\n",
    ),
    (
        "etc/bash.bashrc",
        "[ -z \"$PS1\" ] && return\n\
         PS1='\\h:\\w\\$ '\n\
         HISTSIZE=1000\n\
         shopt -s checkwinsize\n\
         alias ls='ls --color=auto'\n\
         alias grep='grep --color=auto'\n",
    ),
    ("root/.bashrc", ". /etc/bash.bashrc\n"),
];
