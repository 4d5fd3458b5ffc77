//! The words of the first page, without anything in them: one line a language.

words! {
    // The frame.
    other_language: "中文" / "English";
    theme_auto: "Theme: as the system" / "主题：跟随系统";
    theme_light: "Theme: light" / "主题：浅色";
    theme_dark: "Theme: dark" / "主题：深色";
    size_normal: "Size: normal" / "大小：正常";
    size_projector: "Size: projector" / "大小：投影";
    skip: "Skip to the figure" / "跳到主图";
    to_start: "Vitrine, to the start page" / "Vitrine，回到首页";
    settings: "Settings" / "设置";

    // The connection.
    checking: "asking the server" / "正在询问服务器";
    connecting: "connecting" / "正在连接";
    live: "live" / "已连接";
    reconnecting: "reconnecting" / "正在重连";
    signed_out: "not signed in" / "未登录";
    no_server: "no server" / "没有服务器";
    plain_http: "Anybody on this network can read along: the page comes without TLS."
        / "同一网络里的任何人都能看到这里的内容：这个页面没有用 TLS。";
    plain_http_todo: "Start the server with --tls-cert and --tls-key, or put a proxy with TLS in front of it."
        / "请用 --tls-cert 和 --tls-key 启动服务器，或在它前面放一个带 TLS 的代理。";

    // About the server.
    about: "About this server" / "关于这台服务器";
    close: "Close" / "关闭";

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

    // A simulated server.
    sim_badge: "simulated" / "模拟";
    sim_title: "Simulator" / "模拟器";
    sim_words: "No number here is measured: a model of the kernel’s rules makes all of them, in this page."
        / "这里没有一个数字是测量出来的：都由本页里一个内核规则的模型算出。";
    sim_leave: "Back to the live server" / "回到真实的服务器";
    sim_enter: "Go on with the simulator" / "改用模拟器继续";
    sim_try: "Try it without a server" / "不用服务器，先试试";
    sim_loading: "One moment: the simulator is being loaded." / "请稍候：正在加载模拟器。";
    sim_start_lead: "One click starts a simulated container in this page. You see it twice: as the host sees it, and as it sees itself."
        / "点一下，就在本页里启动一个模拟的容器。同一个进程你会看到两次：宿主机眼中的它，和它眼中的自己。";
    sim_start: "Start a simulated container" / "启动一个模拟的容器";
    sim_offer_signed_out: "This browser is not signed in to the server. The same works in a simulator, here in the page."
        / "这个浏览器还没有登录服务器。同样的事可以在本页的模拟器里做。";
    sim_offer_no_server: "No server answers. The same works in a simulator, here in the page."
        / "没有服务器应答。同样的事可以在本页的模拟器里做。";
    sim_offer_lost: "The line to the server is broken; it is tried again all the time. Until then the same works in a simulator, here in the page."
        / "与服务器的连接断了，正在不断重试。在那之前，同样的事可以在本页的模拟器里做。";
    sim_offer_full: "The server is full. The same works in a simulator, here in the page."
        / "服务器已满。同样的事可以在本页的模拟器里做。";

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

    // The views over the figure.
    lens_loading: "One moment: this view is being loaded." / "请稍候：正在加载这个视图。";
    lens_failed: "This view could not be loaded. Look whether the line to the server is there, and try again; if that does not help, load the page again."
        / "这个视图加载失败。请检查与服务器的连接，然后重试；如果仍然失败，请刷新页面。";
    try_again: "Try again" / "重试";

    // Feed and explain.
    copy: "Copy" / "复制";
    copied: "Copied" / "已复制";

    // Profiles.
    profile_question: "What may root inside do?" / "里面的 root 可以做什么？";
    start_lab_button: "Start a lab machine with a shell" / "启动 lab 机器并打开 shell";

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
