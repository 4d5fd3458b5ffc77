//! The words of the CPU lens.

use vitrine_shared::cpu::overview::Bin;

use crate::close::{Figures, InWords};
use crate::format;
use crate::prefs::Lang;

words! {
    of_quota: "of the quota" / "占配额";
    of_one: "of one CPU" / "占一个 CPU";
    minute: "The last 60 seconds" / "最近 60 秒";
    periods: "The last periods" / "最近几个周期";
    close_only: "read every 53 ms" / "每 53 毫秒读一次";
    pause: "Pause" / "暂停";
    go_on: "Go on" / "继续";
    as_table: "Show as table" / "以表格显示";
    as_picture: "Hide the table" / "收起表格";
    cursor: "Time cursor" / "时间游标";
    shown_periods: "Periods" / "周期数";
    measured: "solid: measured" / "实线与实心：实测";
    modelled: "dashed: modelled" / "虚线：模型推算";
    row_tank: "quota tank," / "配额水箱";
    row_modelled: "modelled" / "（推算）";
    row_wait: "wait, modelled" / "等待（推算）";
    row_used: "used, measured" / "用掉（实测）";
    // Of a simulated server, where nothing is.
    counted: "solid: the simulator’s count" / "实线与实心：模拟器的计数";
    row_counted: "used, counted" / "用掉（计数）";
    no_cpus: "cgroup v2 does not count time for each CPU." / "cgroup v2 不按 CPU 分别计时。";
    not_read: "Nothing was read then." / "那时没有读数。";
    no_quota: "No quota: no periods are counted, and there is no tank to run empty. Drag the line down." / "没有配额：内核不计周期，也没有会流空的水箱。把那条线往下拖。";
    no_close: "Waiting for close readings." / "正在等待近距读数。";
    viewer: "Close readings are for those who may change this machine." / "只有可以更改这台机器的人才能看近距读数。";
    no_periods: "no periods" / "没有周期";
    shares: "Who gets how much" / "谁得到多少";
    alone: "Start a busy loop in two containers: then their weights count." / "在两个容器里各启动一个忙循环，权重就会起作用。";
    weight: "weight" / "权重";
    by_weight: "by weight" / "按权重";
    burst: "burst (µs)" / "burst（微秒）";
    burst_label: "CPU burst in microseconds: unused quota that may be saved up" / "CPU burst（微秒）：可以攒下来的未用配额";
    limited_by: "limited by" / "受限于";
    col_ago: "ago (ms)" / "多久以前（毫秒）";
    col_used: "% of one CPU" / "占一个 CPU 的 %";
    col_periods: "periods ended" / "结束的周期";
    col_throttled: "throttled" / "其中被限流";
    col_ran: "threads ran (ms)" / "线程运行（毫秒）";
    col_waited: "threads waited (ms)" / "线程等待（毫秒）";
    table: "The last 20 samples, newest first" / "最近 20 个采样，新的在前";
}

/// "of the machine (2 CPUs)"
pub(crate) fn of_machine(lang: Lang, cpus: u32) -> String {
    lang.pick(format!("of the machine ({cpus} CPUs)"), format!("占整台机器（{cpus} 个 CPU）"))
}

/// What happened in the last second, under the figures.
pub(crate) fn passed(lang: Lang, figures: &Figures) -> String {
    let passed = figures.passed;
    let text = match passed.periods {
        0 => words(lang).no_periods.to_owned(),
        periods => crate::text::throttled_in(lang, periods, passed.throttled),
    };
    match figures.nr_bursts {
        0 => text,
        bursts => lang.pick(
            format!("{text}; saved quota used in {bursts} periods so far"),
            format!("{text}；至今有 {bursts} 个周期用到了攒下的配额"),
        ),
    }
}

/// A period in a sentence. What is modelled says so.
pub(crate) fn period(lang: Lang, it: &InWords) -> String {
    let msec = |msec: f64| format!("{msec:.0}");
    let (used, quota) = (msec(it.used_msec), msec(it.quota_msec));
    let (ago, threads) = (msec(it.ago_msec), it.threads);
    match it.dry {
        Some((ran, waited)) => {
            let (ran, waited, off) = (msec(ran), msec(waited), msec(it.uncertain_msec.max(1.0)));
            lang.pick(
                format!("{ago} ms ago the tank was filled: {threads} running used {used} of {quota} ms in the first {ran} ms, then all waited {waited} ms (when is modelled, ± {off} ms)."),
                format!("{ago} 毫秒前水箱加满：{threads} 个线程在头 {ran} 毫秒用掉 {quota} 毫秒里的 {used} 毫秒，然后全部等待 {waited} 毫秒（时刻为模型推算，± {off} 毫秒）。"),
            )
        }
        None => lang.pick(
            format!("{ago} ms ago the tank was filled: {used} of {quota} ms used, and it was not throttled (when is modelled)."),
            format!("{ago} 毫秒前水箱加满：用掉 {quota} 毫秒里的 {used} 毫秒，没有被限流（时刻为模型推算）。"),
        ),
    }
}

/// A moment of the minute in a sentence: half a second, all of it measured.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few thousand.
pub(crate) fn moment(lang: Lang, ago_msec: f64, bin: &Bin) -> String {
    let seconds = format!("{:.1}", ago_msec / 1e3);
    let used = format!("{:.1}", bin.used_permille.unwrap_or(0.0) / 10.0);
    let quota = bin.quota_permille.map(|quota| format::short_percent(quota.round() as u32));
    let quota = match quota {
        Some(quota) => lang.pick(format!("quota {quota} %"), format!("配额 {quota} %")),
        None => lang.pick("no quota", "没有配额").into(),
    };
    let throttled = match bin.throttled {
        Some(share) => {
            let percent = format!("{:.0}", share * 100.0);
            lang.pick(
                format!("{percent} % of the periods throttled"),
                format!("{percent} % 的周期被限流"),
            )
        }
        None => words(lang).no_periods.into(),
    };
    lang.pick(
        format!("{seconds} s ago: {used} % of one CPU, {quota}, {throttled}."),
        format!("{seconds} 秒前：一个 CPU 的 {used} %，{quota}，{throttled}。"),
    )
}

/// The overview for those who cannot see it.
pub(crate) fn overview(lang: Lang, figures: Option<&Figures>, quota: Option<u32>) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A few thousand.
    let now = figures.map_or_else(|| "–".into(), |f| format::percent(f.permille.max(0.0) as u32));
    let quota = quota.map(format::short_percent);
    crate::text::chart_in_words(lang, &now, quota.as_deref())
}

/// "66.4 %, by weight 66.7 %"
pub(crate) fn share(lang: Lang, got: f64, by_weight: f64) -> String {
    let (got, by_weight) = (got * 100.0, by_weight * 100.0);
    format!("{got:.1} %, {} {by_weight:.1} %", words(lang).by_weight)
}

/// The label of a weight's field.
pub(crate) fn weight_of(lang: Lang, name: &str) -> String {
    lang.pick(format!("CPU weight of {name}"), format!("{name} 的 CPU 权重"))
}
