//! The words about the server.

words! {
    about_version: "Version" / "版本";
    about_kernel: "Kernel" / "内核";
    about_cpus: "CPUs" / "CPU 数";
    about_memory: "Memory" / "内存";
    about_cgroups: "CPU is limited by" / "CPU 的限制方式";
    about_no_cpu: "nothing" / "无法限制";
    about_user: "Started by" / "启动者";
    about_root: "root" / "root";
    about_rootless: "an ordinary user, without root" / "普通用户，没有 root 权限";
    about_profiles: "Profiles of its machines" / "机器的模式";
    about_images: "Images" / "镜像";
    about_nothing: "No server is connected." / "没有连接到服务器。";
    cannot: "What this server cannot do" / "这台服务器做不到的";
    cannot_nothing: "Nothing that this page offers is missing here." / "这个页面提供的功能，这里都有。";
    mend: "What mends it:" / "补救的命令：";
    mend_none: "Nothing can be typed that mends it." / "没有命令可以补救。";
}
