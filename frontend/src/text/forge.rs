//! The words of the forge.

words! {
    forge_question: "What shall be new for it?" / "哪些东西给它新的？";
    forge_lead: "Each switch is one pane of glass: on, it gets a namespace of its own; off, it shares the machine’s."
        / "每个开关是一块玻璃：打开，它有自己的命名空间；关闭，它用机器的。";
    remount_proc: "Mount a /proc of its own" / "挂载自己的 /proc";
    remount_on: "ps shows only its own processes." / "ps 只看到它自己的进程。";
    remount_off: "The machine’s /proc stays in view: with a new PID namespace alone, ps still shows the machine’s processes."
        / "仍然看到机器的 /proc：即使有了新的 PID 命名空间，ps 显示的还是机器的进程。";
    hostname: "Host name" / "主机名";
    rootfs: "Root file system" / "根文件系统";
    rootfs_busybox: "One static binary: starts fastest, and ps prints as in the text."
        / "一个静态的二进制文件：启动最快，ps 的输出和教程里一样。";
    rootfs_lab: "bash, procps, util-linux, iproute2: what a small distribution has."
        / "bash、procps、util-linux、iproute2：一个小发行版该有的都有。";
    rootfs_image: "An image that was added on the server (vitrine image add)."
        / "在服务器上添加的镜像（vitrine image add）。";
    program: "Program" / "程序";
    program_help: "Words are parted by spaces; quotes keep them together."
        / "用空格分开各个词；引号里的算一个词。";
    program_wrong: "Name a program, and close every quote." / "请写出一个程序，引号要成对。";
    all_on: "All on" / "全部打开";
    all_off: "All off" / "全部关闭";
    cancel: "Cancel" / "取消";
}
