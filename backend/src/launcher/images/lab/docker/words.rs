//! What the `docker` of a lab machine says, in every language. Each is a format of `printf(1)`.

/// Declares the struct and its list of names and values, so that neither lacks one.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// Every word of the script.
        pub(super) struct Words { $($(#[$doc])* $name: &'static str,)* }
        impl Words {
            /// Each by its name in the script.
            pub(super) fn each(&self) -> Vec<(&'static str, &'static str)> {
                vec![$((stringify!($name), self.$name)),*]
            }
        }
    };
}

words! {
    /// The first line of everything that runs something.
    here
    /// Which commands there are.
    help
    unknown
    unknown_flag
    no_value
    /// Flag, value, example.
    bad_value
    small
    network
    strict
    no_terminal
    detached_terminal
    no_image
    bad_image
    no_bash
    own_root
    no_command
    /// Name, id.
    name_taken
    /// Controller, directory.
    no_controller
    refused
    stays
    no_flag
    not_started
    out_of_memory
    no_groups_inside
    not_executable
    not_found
    no_such
    no_name
    no_log
    exec
    ps_all
    stats
    /// Signal.
    still
    image_busybox
    image_own
}

pub(super) const EN: Words = Words {
    here: "this one is Vitrine's. There is no engine in this machine; the line stands for:",
    help: "this one is Vitrine's, and there is no engine in this machine: what a line stands for is done by the machine's own tools, and shown.\nThere is: docker run [-i] [-t] [-d] [--name N] [--hostname H] [--cpu-period N] [--cpu-quota N] [--cpus X] [--cpu-shares N] [--cpuset-cpus L] [--memory B] [--pids-limit N] [-e A=b] [-w DIR] IMAGE [CMD]\n          docker ps | stats --no-stream | exec [-it] NAME CMD | stop [-t S] NAME | kill NAME | logs NAME | images\nAll of it is one script: less /usr/bin/docker",
    unknown: "there is no engine in this machine, so there is no %s. There is: run, ps, stats --no-stream, exec, stop, kill, logs, images (docker help)",
    unknown_flag: "%s is not known here (docker help says what is)",
    no_value: "%s takes a value",
    bad_value: "%s cannot be %s; it is such as %s",
    small: "--memory %s: the least is 6m, as with Docker; here the root file system is a tmpfs, and counts",
    network: "%s: this machine cannot make a network namespace, so the container shares the machine's network; only --network=host is true here",
    strict: "this machine or container may not mount or unshare (its profile is strict). The page's containers show the same; or start a machine of profile lab",
    no_terminal: "-t: standard input is not a terminal",
    detached_terminal: "-d with -i or -t: there is nobody here to keep its terminal; leave one of them out, and use docker exec -it afterwards",
    no_image: "no image is named: docker run busybox sh",
    bad_image: "%s is not the name of an image",
    no_bash: "the image busybox has no %s, and with Docker this line ends here with 127. The text goes on with /bin/sh, so that is what runs",
    own_root: "there is no image %s here, and nothing is downloaded. Its place is taken by the machine's own files, read-only: its bash and tools, nothing of that image",
    no_command: "there is no image %s here, so nobody knows what it would start: name a command, such as bash",
    name_taken: "the name %s is taken by %s; docker stop it first",
    no_controller: "there is no cgroup controller %s below %s, so that limit cannot be kept",
    refused: "the kernel has refused a step; what was made is removed. Above the limits of the machine itself it grants nothing",
    stays: "cannot remove%s; somebody is in there",
    no_flag: "unshare of this machine does not know %s: that namespace stays the machine's",
    not_started: "it could not be started; see the step before",
    out_of_memory: "the kernel has killed a process of it: its group is at its memory limit",
    no_groups_inside: "so the container does not see its own group; it holds all the same",
    not_executable: "%s cannot be executed",
    not_found: "%s is not there in the container's root",
    no_such: "there is no container %s; docker ps lists them",
    no_name: "name a container; docker ps lists them",
    no_log: "the output of %s went to its terminal; only what runs in the background (-d) has a log",
    exec: "docker exec [-it] NAME CMD",
    ps_all: "containers are removed when they end, so -a shows the same",
    stats: "there is only docker stats --no-stream: one reading over a second",
    still: "SIG%s has not ended it: PID 1 of a namespace gets from its own signals only those that it has a handler for, and the time is over",
    image_busybox: "busybox: put together in a fresh tmpfs from /usr/bin/busybox of this machine",
    image_own: "any other name: the machine's own files, read-only. No image is stored here, and none is downloaded",
};

pub(super) const ZH: Words = Words {
    here: "这是 Vitrine 的 docker。这台机器里没有容器引擎；这一行相当于：",
    help: "这是 Vitrine 的 docker，这台机器里没有容器引擎：一行命令所代表的事，由机器自己的工具完成，并逐步显示。\n可用：docker run [-i] [-t] [-d] [--name 名称] [--hostname 主机名] [--cpu-period N] [--cpu-quota N] [--cpus X] [--cpu-shares N] [--cpuset-cpus 列表] [--memory 字节] [--pids-limit N] [-e A=b] [-w 目录] 镜像 [命令]\n      docker ps | stats --no-stream | exec [-it] 名称 命令 | stop [-t 秒] 名称 | kill 名称 | logs 名称 | images\n全部就是一个脚本：less /usr/bin/docker",
    unknown: "这台机器里没有容器引擎，所以没有 %s。可用的有：run、ps、stats --no-stream、exec、stop、kill、logs、images（见 docker help）",
    unknown_flag: "这里不认识 %s（docker help 列出可用的）",
    no_value: "%s 需要一个值",
    bad_value: "%s 不能是 %s；例如 %s",
    small: "--memory %s：最少为 6m，与 Docker 相同；这里的根文件系统是 tmpfs，也计入其中",
    network: "%s：这台机器不能创建网络 namespace，容器共用机器的网络；这里只有 --network=host 是真的",
    strict: "这台机器或容器不允许 mount 和 unshare（配置为 strict）。页面上的容器演示同样的内容；或者启动一台 lab 配置的机器",
    no_terminal: "-t：标准输入不是终端",
    detached_terminal: "-d 与 -i 或 -t 同用：这里没有谁能替它保管终端；去掉其中一个，之后再用 docker exec -it",
    no_image: "没有指定镜像：docker run busybox sh",
    bad_image: "%s 不是镜像名称",
    no_bash: "busybox 镜像里没有 %s，用 Docker 时这一行会以 127 结束。课文接下来用的是 /bin/sh，所以这里运行它",
    own_root: "这里没有镜像 %s，也不会下载任何东西。代替它的是机器自己的文件（只读）：有机器的 bash 和工具，没有那个镜像里的内容",
    no_command: "这里没有镜像 %s，不知道它会启动什么：请写出命令，例如 bash",
    name_taken: "名称 %s 已被 %s 使用；请先 docker stop 它",
    no_controller: "没有 cgroup 控制器 %s（在 %s 下），所以无法执行该限制",
    refused: "内核拒绝了其中一步；已创建的都已移除。超过机器自身上限的限制，内核不会给予",
    stays: "无法移除%s；里面还有进程",
    no_flag: "这台机器的 unshare 不支持 %s：该 namespace 仍是机器的",
    not_started: "无法启动；请看前面的那一步",
    out_of_memory: "内核杀死了其中一个进程：它的 cgroup 已达到内存上限",
    no_groups_inside: "所以容器看不到自己的 cgroup；限制仍然有效",
    not_executable: "%s 无法执行",
    not_found: "容器的根文件系统里没有 %s",
    no_such: "没有容器 %s；docker ps 会列出它们",
    no_name: "请写出容器名称；docker ps 会列出它们",
    no_log: "%s 的输出在它的终端上；只有后台运行的（-d）才有日志",
    exec: "用法：docker exec [-it] 名称 命令",
    ps_all: "容器结束时即被移除，所以 -a 显示的相同",
    stats: "只有 docker stats --no-stream：读取一秒内的一次结果",
    still: "SIG%s 没有使它结束：namespace 中的 1 号进程对自己的信号只接收有处理函数的那些，而等待时间已到",
    image_busybox: "busybox：用这台机器的 /usr/bin/busybox 在新的 tmpfs 里搭成",
    image_own: "其他任何名称：机器自己的文件，只读。这里不存放镜像，也不下载",
};
