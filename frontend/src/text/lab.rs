//! The words of the lab, which is loaded after the first page.

words! {
    // The frame.
    machine: "Machine" / "机器";
    no_machine: "no machine" / "没有机器";

    // The connection.
    stale: "The line to the server is down. What you see is from before; it comes back by itself."
        / "与服务器的连接断开了。现在显示的是断开之前的内容；连接会自动恢复。";

    // About the server.
    missing_more: "Why, and what mends it" / "为什么，怎么补救";
    rootless_note: "It was started by an ordinary user." / "它由普通用户启动。";
    not_counted: "not counted" / "没有统计";

    // The shelf.
    shelf: "What may it use?" / "它可以用多少？";
    cap: "cap" / "上限";
    cap_note: "set by the server, out of the machine’s reach" / "由服务器设定，机器自己改不了";
    memory: "memory" / "内存";
    pids: "processes" / "进程数";
    no_limit: "no limit" / "不限";
    no_quota: "no quota" / "没有配额";
    no_periods: "no periods: it is idle" / "没有周期：它空闲着";
    waiting_for_sample: "Waiting for the first reading." / "正在等待第一次读数。";

    // Raw files.
    write: "Write" / "写入";
    no_files: "This group has no files that are shown." / "这个组没有要显示的文件。";

    // The views over the figure.
    views: "Views" / "视图";
    view_eyes: "Two eyes" / "两只眼睛";

    // Two eyes.
    eyes_question: "Whose PID 1 is this?" / "这是谁的 PID 1？";
    eye_host: "the host’s ps" / "宿主机的 ps";
    eye_container: "the container’s ps" / "容器的 ps";
    eye_machine: "the machine’s ps" / "机器的 ps";
    panes: "new namespaces" / "新的命名空间";
    machine_panes: "the machine’s own namespaces" / "机器自己的命名空间";
    pid: "PID" / "PID";
    nspid: "NSpid" / "NSpid";
    nspid_title: "its PID in every PID namespace it is in: host, machine, container (NSpid in /proc/PID/status)"
        / "它在所处的每一层 PID 命名空间中的 PID：宿主机、机器、容器（/proc/PID/status 的 NSpid 行）";
    user: "UID" / "UID";
    cpu: "%CPU" / "%CPU";
    command: "COMMAND" / "COMMAND";
    no_rows: "No process is visible here." / "这里看不到任何进程。";
    machine_proc: "Its /proc is the machine’s: it sees the machine’s processes, by the machine’s PIDs."
        / "它看到的 /proc 是机器的：所以能看到机器的所有进程，PID 也是机器的。";
    shape: "Order of the processes" / "进程的排列";
    as_list: "List" / "列表";
    as_tree: "Tree" / "树";
    motion: "Motion" / "动画";
    below: "Below the eyes" / "眼睛下方";
    below_cpu: "CPU" / "CPU";
    below_both: "Run in both" / "两边都运行";
    container_ended: "This container has ended." / "这个容器已经结束。";
    shell_ended: "This shell has ended." / "这个 shell 已经结束。";

    // CPU.
    cpu_question: "Where did the CPU time go?" / "CPU 时间去哪儿了？";
    busy: "Start a busy loop" / "启动死循环";
    busy_stop: "Stop" / "停止";
    quota: "quota" / "配额";
    period: "period" / "周期";
    quota_field: "Quota in microseconds; empty for no limit" / "配额（微秒）；留空为不限";
    period_field: "Period in microseconds" / "周期（微秒）";
    quota_slider: "Quota, as a share of one CPU" / "配额，占一个 CPU 的比例";
    lift: "No limit" / "不限";
    usec: "µs" / "µs";
    apply: "Set" / "设置";
    legend_used: "used" / "已用";
    legend_quota: "quota" / "配额";
    legend_throttled: "throttled periods" / "被限流的周期";
    not_throttled: "not throttled" / "没有被限流";
    bad_number: "Quota and period are whole numbers of microseconds. Quota: 1000 or more, or empty for no limit. Period: 1000 to 1000000."
        / "配额和周期都是以微秒计的整数。配额：不小于 1000，留空为不限。周期：1000 到 1000000。";

    // Feed and explain.
    feed: "What just happened" / "刚刚发生了什么";
    feed_empty: "Nothing yet." / "还没有。";
    feed_all_hidden: "The filter hides everything." / "全部被过滤掉了。";
    filter: "Filter" / "过滤";
    clear_filter: "Clear filter" / "清除过滤";
    filter_whose: "of" / "属于";
    filter_everybody: "everybody" / "全部";
    filter_words: "with the words" / "包含文字";
    explain: "Explain my click" / "解释我的点击";
    you_asked: "You asked:" / "你要求：";
    was: "was" / "原值";
    empty_value: "(empty)" / "（空）";
    birth: "Birth" / "诞生过程";
    step_by_step: "step by step" / "逐步查看";
    steps_empty: "No steps were told." / "没有收到步骤。";
    steps_machine: "The machine" / "机器";
    steps_container: "The container" / "容器";

    // Containers.
    containers: "Containers" / "容器";
    another: "Start another" / "再启动一个";
    end_container: "End container" / "结束容器";
    end_machine: "End machine" / "结束机器";
    end_machine_question: "End this machine?" / "结束这台机器？";
    keep_machine: "Keep it" / "保留";
    end_shell: "End shell" / "结束 shell";
    freeze: "Freeze" / "冻结";
    thaw: "Thaw" / "解冻";
    frozen: "frozen" / "已冻结";
    open_shell: "Open a shell in the machine" / "在机器里开一个 shell";
    shell_note: "where the machine’s PID 1 and its shells are" / "机器的 PID 1 和它的 shell 所在的组";

    // Terminal.
    paste: "Paste" / "粘贴";
    font_smaller: "Smaller font" / "缩小字号";
    font_larger: "Larger font" / "放大字号";
    full_screen: "Full screen" / "全屏";
    full_screen_end: "Leave full screen" / "退出全屏";
    no_terminal: "The terminal opens with a running container." / "有容器在运行时，终端会在这里打开。";
    terminal_missing: "The terminal could not be loaded. Reload the page; if that does not help, the server lacks term.mjs."
        / "终端加载失败。请刷新页面；如果仍然失败，说明服务器缺少 term.mjs。";
    viewer_only: "viewer: read only" / "观众：只读";
}
