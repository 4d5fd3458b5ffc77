//! Where the lines of the CPU chart go. Pure: readings and a size in, SVG paths out.

use crate::history::{History, SPAN_MSEC};

/// The paths of one chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Paths {
    /// The used CPU, filled down to zero.
    pub(crate) area: String,
    /// Its upper edge.
    pub(crate) edge: String,
    /// The quota's steps.
    pub(crate) quota: String,
    /// The throttled share of the periods: a band that hangs from the top.
    pub(crate) throttled: String,
    /// Where the quota is now.
    pub(crate) quota_y: Option<f64>,
}

/// The size of a chart, and what its height stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    /// Width, in CSS pixels.
    pub(crate) width: f64,
    /// Height, in CSS pixels.
    pub(crate) height: f64,
    /// The CPU at the top, in thousandths of one CPU.
    pub(crate) top_permille: f64,
}

impl Frame {
    /// The height of a value.
    pub(crate) fn y(&self, permille: f64) -> f64 {
        let share = (permille / self.top_permille).clamp(0.0, 1.0);
        self.height - share * self.height
    }

    /// The value at a height.
    pub(crate) fn permille(&self, y: f64) -> f64 {
        ((self.height - y) / self.height.max(1.0)).clamp(0.0, 1.0) * self.top_permille
    }

    #[allow(clippy::cast_precision_loss)] // At most 60000.
    fn x(&self, at_msec: u64, now_msec: u64) -> f64 {
        let age = now_msec.saturating_sub(at_msec).min(SPAN_MSEC) as f64;
        self.width - age / SPAN_MSEC as f64 * self.width
    }
}

/// Draws a history. A reading stands for the time since the one before it, so lines are steps.
pub(crate) fn paths(history: &History, frame: &Frame) -> Paths {
    let Some(now) = history.points().next_back().map(|point| point.at_msec) else {
        return Paths::default();
    };
    let mut paths = Paths::default();
    let (mut quotas, mut waits) = (Band::default(), Band::default());
    let mut before: Option<(f64, Option<u32>)> = None;
    for point in history.points().filter(|point| point.at_msec + SPAN_MSEC >= now) {
        let x = frame.x(point.at_msec, now);
        let y = frame.y(f64::from(point.cpu_permille));
        let Some((from, quota)) = before.replace((x, point.quota_permille)) else {
            put(&mut paths.edge, &[("M", x), (" ", y)]);
            put(&mut paths.area, &[("M", x), (" ", frame.height), ("V", y)]);
            continue;
        };
        put(&mut paths.edge, &[("V", y), ("H", x)]);
        put(&mut paths.area, &[("V", y), ("H", x)]);
        let quota = point.quota_permille.or(quota).map(|quota| frame.y(f64::from(quota)));
        quotas.step(quota, (from, x), |(from, x), y| {
            put(&mut paths.quota, &[("M", from), (" ", y), ("H", x)]);
        });
        let depth = point.throttled.filter(|share| *share > 0.0).map(|share| {
            let held = point.cpu_permille.max(point.quota_permille.unwrap_or(0));
            share * frame.y(f64::from(held))
        });
        waits.step(depth, (from, x), |(from, x), depth| {
            throttled(&mut paths.throttled, from, x, depth)
        });
        paths.quota_y = point.quota_permille.map(|quota| frame.y(f64::from(quota)));
    }
    quotas.end(|(from, x), y| put(&mut paths.quota, &[("M", from), (" ", y), ("H", x)]));
    waits.end(|(from, x), depth| throttled(&mut paths.throttled, from, x, depth));
    if !paths.area.is_empty() {
        put(&mut paths.area, &[("V", frame.height)]);
        paths.area.push('Z');
    }
    paths
}

fn throttled(out: &mut String, from: f64, x: f64, depth: f64) {
    put(out, &[("M", from), (" ", 0.0), ("H", x), ("V", depth), ("H", from)]);
    out.push('Z');
}

/// Neighbours of one height, which are drawn as one.
#[derive(Default)]
struct Band(Option<((f64, f64), f64)>);

impl Band {
    /// Goes on for as long as the height is the same; else draws what was and begins anew.
    fn step(&mut self, y: Option<f64>, (from, to): (f64, f64), draw: impl FnMut((f64, f64), f64)) {
        match (&mut self.0, y) {
            (Some((span, last)), Some(y)) if (*last - y).abs() < 0.05 => span.1 = to,
            _ => {
                self.end(draw);
                self.0 = y.map(|y| ((from, to), y));
            }
        }
    }

    fn end(&mut self, mut draw: impl FnMut((f64, f64), f64)) {
        if let Some((span, y)) = self.0.take() {
            draw(span, y);
        }
    }
}

/// Writes commands and their numbers, to a tenth of a pixel. Thousands of them in a second: the
/// general way of writing a number takes ten times as long.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Pixels of a chart.
fn put(out: &mut String, commands: &[(&str, f64)]) {
    for (command, value) in commands {
        let tenths = (value.max(0.0) * 10.0).round() as u32;
        out.push_str(command);
        let mut unit = 10;
        while unit <= tenths / 10 {
            unit *= 10;
        }
        let digit = |unit: u32| char::from(b'0' + (tenths / unit % 10) as u8);
        while unit > 1 {
            out.push(digit(unit));
            unit /= 10;
        }
        out.push('.');
        out.push(digit(1));
    }
}

/// The value at the top of the chart: one CPU, or as many whole CPUs as were used.
pub(crate) fn top_permille(history: &History) -> f64 {
    let most = history.points().map(|point| point.cpu_permille).max().unwrap_or(0);
    let cpus = most.saturating_sub(100).div_ceil(1_000).max(1);
    f64::from(cpus) * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    const FRAME: Frame = Frame { width: 600.0, height: 100.0, top_permille: 1_000.0 };

    #[test]
    fn numbers_are_written_to_a_tenth() {
        for value in [0.0, 0.04, 0.05, 0.96, 9.99, 10.0, 99.9, 100.0, 559.25, 1234.5] {
            let mut text = String::new();
            put(&mut text, &[("H", value)]);
            let exact = (value * 10.0_f64).round() / 10.0;
            assert_eq!(text, format!("H{exact:.1}"), "{value}");
        }
    }

    #[test]
    fn neighbours_of_one_height_are_drawn_as_one() {
        let mut history = History::default();
        for (at, periods) in [(57_000, 0), (58_000, 10), (59_000, 20), (60_000, 30)] {
            history.push(at, &fixture::group(200, Some(20_000), periods, periods));
        }
        let paths = paths(&history, &FRAME);
        assert_eq!(paths.quota, "M570.0 80.0H600.0");
        assert_eq!(paths.throttled, "M570.0 0.0H600.0V80.0H570.0Z");
    }

    #[test]
    fn the_newest_reading_is_at_the_right_edge_and_time_runs_left() {
        let mut history = History::default();
        history.push(30_000, &fixture::group(1_000, None, 0, 0));
        history.push(60_000, &fixture::group(200, None, 0, 0));
        let paths = paths(&history, &FRAME);
        assert_eq!(paths.edge, "M300.0 0.0V80.0H600.0");
        assert_eq!(paths.area, "M300.0 100.0V0.0V80.0H600.0V100.0Z");
        assert_eq!((paths.quota.as_str(), paths.quota_y), ("", None));
    }

    #[test]
    fn the_throttled_band_reaches_the_quota_when_every_period_was_throttled() {
        let mut history = History::default();
        history.push(59_000, &fixture::group(200, Some(20_000), 0, 0));
        history.push(60_000, &fixture::group(200, Some(20_000), 10, 10));
        let paths = paths(&history, &FRAME);
        assert_eq!(paths.throttled, "M590.0 0.0H600.0V80.0H590.0Z");
        assert_eq!(paths.quota, "M590.0 80.0H600.0");
        assert_eq!(paths.quota_y, Some(80.0));
    }

    #[test]
    fn what_is_dragged_is_what_is_drawn() {
        for permille in [0.0, 200.0, 1_000.0] {
            assert!((FRAME.permille(FRAME.y(permille)) - permille).abs() < 1e-9);
        }
    }

    #[test]
    fn the_chart_grows_by_whole_cpus() {
        let mut history = History::default();
        assert!((top_permille(&history) - 1_000.0).abs() < 1e-9);
        history.push(1, &fixture::group(1_030, None, 0, 0));
        assert!((top_permille(&history) - 1_000.0).abs() < 1e-9, "jitter is not a second CPU");
        history.push(2, &fixture::group(1_900, None, 0, 0));
        assert!((top_permille(&history) - 2_000.0).abs() < 1e-9);
    }
}
