//! The words of the simulator's controls.

use crate::prefs::Lang;

words! {
    time: "Time of the simulator" / "模拟器的时间";
    back: "Back 1 s" / "退回 1 秒";
    pause: "Hold" / "停住";
    step: "A period: 100 ms" / "走一个周期：100 毫秒";
    pace: "Pace" / "快慢";
    pace_real: "real time" / "实时";
    pace_slow: "10× slower" / "慢 10 倍";
    pace_slowest: "200× slower: 20 s a period" / "慢 200 倍：一个周期 20 秒";
}

/// "This browser keeps up 60 % of the pace."
pub(crate) fn late(lang: Lang, percent: u32) -> String {
    lang.pick(
        format!("This browser keeps up {percent} % of the pace."),
        format!("这个浏览器只跟得上 {percent} % 的速度。"),
    )
}
