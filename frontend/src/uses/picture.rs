//! Where the lines of these charts go. Pure: readings and a size in, SVG paths out.

use std::fmt::Write;

use vitrine_shared::uses::UseSample;

use super::{Parts, SPAN_NSEC, Track, rates};

/// A limit that is so many times what is used is above the picture, and said in words.
const FAR: u64 = 8;

/// The size of a chart, and what its height stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    /// Width, in CSS pixels.
    pub(crate) width: f64,
    /// Height, in CSS pixels.
    pub(crate) height: f64,
    /// The value at the top.
    pub(crate) top: u64,
    /// The moment at the right edge.
    pub(crate) now_nsec: u64,
}

/// Bytes, processes and nanoseconds of a picture: far below 2^53, or off the picture.
#[expect(clippy::cast_precision_loss, reason = "as the comment says")]
fn float(value: u64) -> f64 {
    value as f64
}

impl Frame {
    /// Where a moment is.
    pub(crate) fn x(&self, at_nsec: u64) -> f64 {
        let age = self.now_nsec.saturating_sub(at_nsec).min(SPAN_NSEC);
        self.width - float(age) / float(SPAN_NSEC) * self.width
    }

    /// The height of a value.
    pub(crate) fn y(&self, value: u64) -> f64 {
        let share = (float(value) / float(self.top.max(1))).min(1.0);
        self.height - share * self.height
    }
}

/// The value at the top: a little above the most and above the limits that are near it.
pub(crate) fn top(most: u64, limits: impl Iterator<Item = u64>) -> u64 {
    let near = limits.filter(|limit| *limit / FAR <= most).max().unwrap_or(0);
    let top = most.max(near);
    top.saturating_add(top / 8).max(1)
}

/// One band for each part, from the bottom of the stack to its top. A reading stands for the time
/// since the one before it, so edges are steps.
pub(crate) fn bands(track: &Track, frame: &Frame) -> [String; 5] {
    std::array::from_fn(|part| {
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        for sample in track.minute() {
            let Some(memory) = &sample.memory else { continue };
            let stack = Parts::of(memory).stack();
            let below: u64 = stack[..part].iter().sum();
            let x = frame.x(sample.at_nsec);
            upper.push((x, frame.y(below + stack[part])));
            lower.push((x, frame.y(below)));
        }
        if upper.iter().zip(&lower).all(|(upper, lower)| (upper.1 - lower.1).abs() < 0.05) {
            return String::new();
        }
        band(&upper, &lower)
    })
}

fn band(upper: &[(f64, f64)], lower: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let (Some((x, y)), Some((_, floor))) = (upper.first(), lower.first()) else { return path };
    // Writing to a string cannot fail; the same holds below.
    let _ = write!(path, "M{x:.1} {floor:.1}V{y:.1}");
    for (x, y) in &upper[1..] {
        let _ = write!(path, "V{y:.1}H{x:.1}");
    }
    // Back along the lower edge, whose steps are taken the other way round.
    for pair in lower.windows(2).rev() {
        let _ = write!(path, "V{:.1}H{:.1}", pair[1].1, pair[0].0);
    }
    let _ = write!(path, "V{floor:.1}Z");
    path
}

/// A line of steps through the values that there are; nothing is drawn where there is none.
pub(crate) fn steps(
    track: &Track,
    frame: &Frame,
    value: impl Fn(&UseSample) -> Option<u64>,
) -> String {
    let mut path = String::new();
    let mut from: Option<f64> = None;
    for sample in track.minute() {
        let x = frame.x(sample.at_nsec);
        let before = from.replace(x);
        // A limit that is above the picture is not drawn at its edge.
        let Some(value) = value(sample).filter(|value| *value <= frame.top) else { continue };
        if let Some(from) = before {
            let _ = write!(path, "M{from:.1} {y:.1}H{x:.1}", y = frame.y(value));
        }
    }
    path
}

/// The area below a value.
pub(crate) fn area(
    track: &Track,
    frame: &Frame,
    value: impl Fn(&UseSample) -> Option<u64>,
) -> String {
    let known = |sample: &UseSample| Some((frame.x(sample.at_nsec), frame.y(value(sample)?)));
    let upper: Vec<_> = track.minute().filter_map(known).collect();
    let lower: Vec<_> = upper.iter().map(|(x, _)| (*x, frame.height)).collect();
    band(&upper, &lower)
}

/// Read and written bytes a second of a device, as the steps of two lines; and the most of both.
pub(crate) fn flows(track: &Track, device: (u32, u32)) -> (Vec<(u64, u64, u64)>, u64) {
    let flow = |(before, after): (&UseSample, &UseSample)| {
        let (read, written) = rates(before, after, device)?;
        Some((after.at_nsec, read, written))
    };
    let flows: Vec<_> = track.pairs().filter_map(flow).collect();
    let most = flows.iter().map(|(_, read, written)| *read.max(written)).max().unwrap_or(0);
    (flows, most)
}

/// A line of steps through moments and values.
pub(crate) fn line(points: impl Iterator<Item = (u64, u64)>, frame: &Frame) -> String {
    let mut path = String::new();
    for (at, (at_nsec, value)) in points.enumerate() {
        let (x, y) = (frame.x(at_nsec), frame.y(value));
        let _ = match at {
            0 => write!(path, "M{x:.1} {y:.1}"),
            _ => write!(path, "V{y:.1}H{x:.1}"),
        };
    }
    path
}

/// The strip of pressure: the share of each step in which some and in which all tasks stood still.
pub(crate) fn pressure(
    track: &Track,
    frame: &Frame,
    of: impl Fn(&UseSample) -> Option<vitrine_shared::uses::Pressure>,
) -> (String, String) {
    let (mut some, mut full) = (String::new(), String::new());
    for (before, after) in track.pairs() {
        let (Some(from), Some(to)) = (of(before), of(after)) else { continue };
        let usec = after.at_nsec.saturating_sub(before.at_nsec) / 1_000;
        let (x0, x1) = (frame.x(before.at_nsec), frame.x(after.at_nsec));
        let sums = [(from.some_usec, to.some_usec), (from.full_usec, to.full_usec)];
        for (path, (from, to)) in [&mut some, &mut full].into_iter().zip(sums) {
            let share = (float(to.saturating_sub(from)) / float(usec.max(1))).min(1.0);
            if share > 0.0 {
                let y = frame.height * (1.0 - share);
                let _ = write!(path, "M{x0:.1} {h:.1}V{y:.1}H{x1:.1}V{h:.1}Z", h = frame.height);
            }
        }
    }
    (some, full)
}

#[cfg(test)]
mod tests {
    use vitrine_shared::uses::{MemoryUse, Pressure};

    use super::super::tests::memory;
    use super::*;

    const FRAME: Frame = Frame { width: 600.0, height: 100.0, top: 100, now_nsec: 60_000_000_000 };

    fn used(anon_bytes: u64, current_bytes: u64) -> MemoryUse {
        MemoryUse { anon_bytes, current_bytes, max_bytes: Some(80), ..MemoryUse::default() }
    }

    fn track() -> Track {
        let mut track = Track::default();
        track.push(memory(30, used(10, 30)));
        track.push(memory(60, used(20, 50)));
        track
    }

    #[test]
    fn a_band_stands_on_the_one_below_it_and_an_empty_one_is_not_drawn() {
        let [anon, file, kernel, other, swap] = bands(&track(), &FRAME);
        assert_eq!(anon, "M300.0 100.0V90.0V80.0H600.0V100.0H300.0V100.0Z");
        assert_eq!(other, "M300.0 90.0V70.0V50.0H600.0V80.0H300.0V90.0Z");
        assert_eq!([file, kernel, swap], ["", "", ""]);
    }

    #[test]
    fn no_limit_and_a_limit_above_the_picture_draw_no_line() {
        let limit = |sample: &UseSample| sample.memory.as_ref()?.max_bytes;
        assert_eq!(steps(&track(), &FRAME, limit), "M300.0 20.0H600.0");
        assert_eq!(steps(&track(), &FRAME, |_| None), "");
        assert_eq!(steps(&track(), &FRAME, |_| Some(101)), "");
    }

    #[test]
    fn the_top_holds_the_limits_that_are_near() {
        assert_eq!(top(80, [100].into_iter()), 112);
        assert_eq!(top(80, [10_000].into_iter()), 90, "far above");
        assert_eq!(top(0, std::iter::empty()), 1);
    }

    #[test]
    fn pressure_is_the_share_of_a_step() {
        let mut track = Track::default();
        let at = |some_usec, full_usec| MemoryUse {
            pressure: Some(Pressure { some_usec, full_usec }),
            ..MemoryUse::default()
        };
        track.push(memory(30, at(0, 0)));
        track.push(memory(60, at(15_000_000, 0)));
        let of = |sample: &UseSample| sample.memory.as_ref()?.pressure;
        let (some, full) = pressure(&track, &FRAME, of);
        assert_eq!((some.as_str(), full.as_str()), ("M300.0 100.0V50.0H600.0V100.0Z", ""));
    }

    #[test]
    fn a_line_begins_with_its_first_value() {
        let points = [(30_000_000_000, 50), (60_000_000_000, 100)];
        assert_eq!(line(points.into_iter(), &FRAME), "M300.0 50.0V0.0H600.0");
    }
}
