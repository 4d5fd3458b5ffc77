//! The words without anything in them: one line a language.

words! {
    // The frame.
    other_language: "中文" / "English";
    theme_auto: "Theme: as the system" / "主题：跟随系统";
    theme_light: "Theme: light" / "主题：浅色";
    theme_dark: "Theme: dark" / "主题：深色";
    size_normal: "Size: normal" / "大小：正常";
    size_projector: "Size: projector" / "大小：投影";
    skip: "Skip to the figure" / "跳到主图";
    machine: "Machine" / "机器";
    no_machine: "no machine" / "没有机器";
    to_start: "Vitrine, to the start page" / "Vitrine，回到首页";
    settings: "Settings" / "设置";

    // The connection.
    checking: "asking the server" / "正在询问服务器";
    connecting: "connecting" / "正在连接";
    live: "live" / "已连接";
    reconnecting: "reconnecting" / "正在重连";
    signed_out: "not signed in" / "未登录";
    no_server: "no server" / "没有服务器";
    stale: "The line to the server is down. What you see is from before; it comes back by itself."
        / "与服务器的连接断开了。现在显示的是断开之前的内容；连接会自动恢复。";

    plain_http: "Anybody on this network can read along: the page comes without TLS."
        / "同一网络里的任何人都能看到这里的内容：这个页面没有用 TLS。";
    plain_http_todo: "Start the server with --tls-cert and --tls-key, or put a proxy with TLS in front of it."
        / "请用 --tls-cert 和 --tls-key 启动服务器，或在它前面放一个带 TLS 的代理。";

    // About the server.
    about: "About this server" / "关于这台服务器";
    missing_more: "Why, and what mends it" / "为什么，怎么补救";
    rootless_note: "It was started by an ordinary user." / "它由普通用户启动。";
    close: "Close" / "关闭";
    not_counted: "not counted" / "没有统计";

    // Start.
    sentence: "A container is a process that has been lied to. Watch the lie."
        / "容器只是一个被“障\u{2060}眼\u{2060}法”骗了的进程。来看看这个障\u{2060}眼\u{2060}法。";
    start_lead: "One click starts a real Linux container on this server. You see it twice: as the host sees it, and as it sees itself."
        / "点一下，就在这台服务器上启动一个真正的 Linux 容器。同一个进程你会看到两次：宿主机眼中的它，和它眼中的自己。";
    start_button: "Start a real container" / "启动一个真正的容器";
    starting: "Starting…" / "正在启动……";
    choose_first: "Choose its namespaces first" / "先选择它的命名空间";
    back_to_lab: "Back to your machine" / "回到你的机器";
    why_checking: "One moment: asking the server who you are."
        / "请稍候：正在向服务器确认你的身份。";
    why_connecting: "One moment: the line to the server is being opened."
        / "请稍候：正在连接服务器。";
    why_viewer: "You are a viewer: you may look, and change nothing."
        / "你的身份是观众：可以看，不能改。";
    why_signed_out: "This browser is not signed in. Open the link that the server printed when it started; it looks like"
        / "这个浏览器还没有登录。请打开服务器启动时打印的链接，它的样子是";
    why_token_refused: "That link has been used already, or it is not from this server. Each link works once: take the newest one that the server printed."
        / "这个链接已经用过，或者不是这台服务器的。每个链接只能用一次：请用服务器最近打印的那一个。";
    why_no_server: "No server answers behind this page. The figure works without one; to start a real container, run the server on a Linux machine:"
        / "这个页面背后没有服务器应答。右边的图不需要服务器；要启动真正的容器，请在一台 Linux 机器上运行服务器：";

    // The figure of the start page.
    simulated: "simulated in this page" / "本页内模拟";
    figure_question: "Whose PID 1 is this?" / "这是谁的 PID 1？";
    figure_label: "A picture in motion, simulated: a process of the host with PID 4821 has PID 1 in its container; its busy loop is held at its CPU quota."
        / "一幅模拟的动态图：宿主机上 PID 为 4821 的进程，在它的容器里是 PID 1；它的死循环被压在 CPU 配额之内。";
    fig_host: "what the host sees" / "宿主机看到的";
    fig_container: "what the container sees" / "容器看到的";
    fig_cpu: "CPU of the busy loop" / "死循环占用的 CPU";
    of_one_cpu: "of one CPU" / "（单个 CPU）";
    fig_periods: "Five periods of 100 ms: it runs, then it waits for the refill."
        / "五个 100 毫秒的周期：先运行，再等待下一次补充。";
    fig_quota_label: "Quota of the simulated container" / "模拟容器的配额";
    fig_drag: "Drag the quota." / "拖动配额试试。";
    pause: "Pause" / "暂停";
    play_again: "Play again" / "重新播放";

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
    lens_loading: "One moment: this view is being loaded." / "请稍候：正在加载这个视图。";
    lens_failed: "This view could not be loaded. Look whether the line to the server is there, and try again; if that does not help, load the page again."
        / "这个视图加载失败。请检查与服务器的连接，然后重试；如果仍然失败，请刷新页面。";
    try_again: "Try again" / "重试";

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
    copy: "Copy" / "复制";
    copied: "Copied" / "已复制";
    explain: "Explain my click" / "解释我的点击";
    explain_empty: "Click something: what it really did stands here."
        / "点点看：真正做了什么，会写在这里。";
    explain_nothing: "Done." / "已完成。";
    you_asked: "You asked:" / "你要求：";
    was: "was" / "原值";
    empty_value: "(empty)" / "（空）";
    birth: "Birth" / "诞生过程";
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

    // Profiles.
    profile_question: "What may root inside do?" / "里面的 root 可以做什么？";
    start_lab_button: "Start a lab machine with a shell" / "启动 lab 机器并打开 shell";

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

    // Troubles.
    remount_needs_mount: "Needs a mount namespace: otherwise the mount would be the machine’s."
        / "需要新的挂载命名空间：否则挂载会改到机器上。";
    hostname_needs_uts: "Needs a UTS namespace: otherwise it would be the machine’s."
        / "需要新的 UTS 命名空间：否则改的是机器的主机名。";
    dismiss: "Close" / "关闭";
    no_answer: "The line broke before an answer came. It may or may not have been done: look at the feed when the line is back, then ask again."
        / "还没收到回答，连接就断了。这件事可能做了，也可能没做：等连接恢复后看看记录，再决定是否重试。";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_languages_are_told_apart() {
        assert_ne!(EN.start_button, ZH.start_button);
        assert!(ZH.sentence.contains('容') && EN.sentence.is_ascii());
    }
}
