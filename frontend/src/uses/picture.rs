//! The three pictures of a group's last minute: readings and a size in, paths out. Pure.

use vitrine_shared::uses::{Pressure, UseSample};

use super::{Parts, SPAN_NSEC, Track, What, busiest, marks, rates};
use crate::draw::{Path, Scale};

/// A limit that is so many times what is used is above the picture, and said in words.
const FAR: u64 = 8;
/// Two signs of a kind that are nearer than this are drawn as one, in CSS pixels.
const BESIDE: f64 = 14.0;

/// One picture's size, and what it stands for: a minute by some value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    x: Scale,
    y: Scale,
    /// The value at the top.
    pub(crate) top: u64,
}

/// Memory in its parts, its limits, what it met, and what its tasks stood still for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Memory {
    pub(crate) frame: Frame,
    /// From the bottom of the stack to its top.
    pub(crate) bands: [Path; 5],
    pub(crate) high: Path,
    pub(crate) max: Path,
    pub(crate) pressure: [Path; 2],
}

/// Processes against their limit.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pids {
    pub(crate) frame: Frame,
    pub(crate) area: Path,
    pub(crate) max: Path,
}

/// Bytes a second that the busiest device read and wrote, and their limits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Io {
    pub(crate) frame: Frame,
    pub(crate) read: Path,
    pub(crate) written: Path,
    pub(crate) limits: [Path; 2],
    pub(crate) pressure: [Path; 2],
}

/// Bytes, processes and nanoseconds of a picture: far below 2^53, or off the picture.
#[expect(clippy::cast_precision_loss, reason = "as the comment says")]
fn float(value: u64) -> f64 {
    value as f64
}

impl Frame {
    /// The last minute before `now_nsec`, up to a value at the top.
    pub(crate) fn new((width, height): (f64, f64), top: u64, now_nsec: u64) -> Self {
        let now = float(now_nsec);
        Frame {
            x: Scale { values: (now - float(SPAN_NSEC), now), pixels: (0.0, width) },
            y: Scale { values: (0.0, float(top.max(1))), pixels: (height, 0.0) },
            top,
        }
    }

    /// Where a moment is.
    pub(crate) fn x(&self, at_nsec: u64) -> f64 {
        self.x.at(float(at_nsec))
    }

    /// The height of a value.
    pub(crate) fn y(&self, value: u64) -> f64 {
        self.y.at(float(value))
    }

    /// The height of a limit, unless it is above the picture.
    pub(crate) fn limit_y(&self, limit: Option<u64>) -> Option<f64> {
        limit.filter(|limit| *limit <= self.top).map(|limit| self.y(limit))
    }

    fn height(&self) -> f64 {
        self.y.pixels.0
    }
}

/// The value at the top: a little above the most and above the limits that are near it.
pub(crate) fn top(most: u64, limits: impl Iterator<Item = u64>) -> u64 {
    let near = limits.filter(|limit| *limit / FAR <= most).max().unwrap_or(0);
    let top = most.max(near);
    top.saturating_add(top / 8).max(1)
}

/// The picture of memory, with a strip of pressure so high; `None` where nothing counts it.
pub(crate) fn memory(track: &Track, size: (f64, f64), strip: f64) -> Option<Memory> {
    let last = track.last()?;
    let now = last.memory.as_ref()?;
    let all = track.minute().filter_map(|one| one.memory.as_ref());
    let most = all.map(|one| Parts::of(one).stack().iter().sum()).max().unwrap_or(0);
    let limits = [now.max_bytes, now.high_bytes].into_iter().flatten();
    let frame = Frame::new(size, top(most, limits), last.at_nsec);
    Some(Memory {
        frame,
        bands: bands(track, &frame),
        high: limit(track, &frame, |one| one.memory.as_ref()?.high_bytes),
        max: limit(track, &frame, |one| one.memory.as_ref()?.max_bytes),
        pressure: pressure(track, &frame, strip, |one| one.memory.as_ref()?.pressure),
    })
}

/// The picture of processes; `None` where nothing counts them.
pub(crate) fn pids(track: &Track, size: (f64, f64)) -> Option<Pids> {
    let last = track.last()?;
    let now = last.pids?;
    let most = track.minute().filter_map(|one| one.pids).map(|pids| pids.current).max();
    let frame = Frame::new(size, top(most.unwrap_or(0), now.max.into_iter()), last.at_nsec);
    let known = |one: &UseSample| Some((frame.x(one.at_nsec), frame.y(one.pids?.current)));
    let upper: Vec<_> = track.minute().filter_map(known).collect();
    let lower: Vec<_> = upper.iter().map(|(x, _)| (*x, frame.height())).collect();
    let mut area = Path::default();
    area.band(&upper, &lower);
    Some(Pids { frame, area, max: limit(track, &frame, |one| one.pids?.max) })
}

/// The picture of the busiest device; `None` where none was used or nothing counts it.
pub(crate) fn io(track: &Track, size: (f64, f64), strip: f64) -> Option<Io> {
    let last = track.last()?;
    let limits = busiest(last)?.limits;
    let device = (limits.major, limits.minor);
    let flow = |(before, after): (&UseSample, &UseSample)| {
        let (read, written) = rates(before, after, device)?;
        Some((after.at_nsec, read, written))
    };
    let flows: Vec<_> = track.pairs().filter_map(flow).collect();
    let most = flows.iter().map(|(_, read, written)| *read.max(written)).max().unwrap_or(0);
    let near = [limits.read_bps, limits.write_bps].into_iter().flatten();
    let frame = Frame::new(size, top(most, near), last.at_nsec);
    let line = |value: fn(&(u64, u64, u64)) -> u64| {
        let mut path = Path::default();
        path.steps(flows.iter().map(|flow| (frame.x(flow.0), frame.y(value(flow)))));
        path
    };
    let of = |sample: &UseSample| {
        let devices = &sample.io.as_ref()?.devices;
        let find =
            |one: &&vitrine_shared::uses::DeviceUse| (one.limits.major, one.limits.minor) == device;
        devices.iter().find(find).map(|one| one.limits)
    };
    Some(Io {
        frame,
        read: line(|flow| flow.1),
        written: line(|flow| flow.2),
        limits: [
            limit(track, &frame, |one| of(one)?.read_bps),
            limit(track, &frame, |one| of(one)?.write_bps),
        ],
        pressure: pressure(track, &frame, strip, |one| one.io.as_ref()?.pressure),
    })
}

/// One band for each part. A reading stands for the time since the one before it, so edges are
/// steps; a part that is nowhere is not drawn.
fn bands(track: &Track, frame: &Frame) -> [Path; 5] {
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
        let mut path = Path::default();
        if !upper.iter().zip(&lower).all(|(upper, lower)| (upper.1 - lower.1).abs() < 0.05) {
            path.band(&upper, &lower);
        }
        path
    })
}

/// A limit's line, where there is one. What is above the picture is not drawn at its edge.
fn limit(track: &Track, frame: &Frame, value: impl Fn(&UseSample) -> Option<u64>) -> Path {
    let mut path = Path::default();
    for (before, after) in track.pairs() {
        if let Some(y) = frame.limit_y(value(after)) {
            path.level((frame.x(before.at_nsec), frame.x(after.at_nsec)), y);
        }
    }
    path
}

/// The strip of pressure, so high: the share of each step in which some and in which all tasks
/// stood still.
fn pressure(
    track: &Track,
    frame: &Frame,
    height: f64,
    of: impl Fn(&UseSample) -> Option<Pressure>,
) -> [Path; 2] {
    let mut paths = [Path::default(), Path::default()];
    for (before, after) in track.pairs() {
        let (Some(from), Some(to)) = (of(before), of(after)) else { continue };
        let usec = float(after.at_nsec.saturating_sub(before.at_nsec) / 1_000).max(1.0);
        let xs = (frame.x(before.at_nsec), frame.x(after.at_nsec));
        let sums = [(from.some_usec, to.some_usec), (from.full_usec, to.full_usec)];
        for (path, (from, to)) in paths.iter_mut().zip(sums) {
            let share = (float(to.saturating_sub(from)) / usec).min(1.0);
            if share > 0.0 {
                path.bar(xs, (height, height * (1.0 - share)));
            }
        }
    }
    paths
}

/// Where the signs of one kind are: of several at one place one is drawn.
pub(crate) fn signs(track: &Track, frame: &Frame, what: What) -> Vec<f64> {
    let right = frame.x.pixels.1;
    let mut drawn: Vec<f64> = Vec::new();
    for mark in marks(track).into_iter().filter(|mark| mark.what == what) {
        let x = frame.x(mark.at_nsec).clamp(8.0, (right - 8.0).max(8.0));
        if drawn.last().is_none_or(|last| x - last >= BESIDE) {
            drawn.push(x);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use vitrine_shared::uses::{MemoryUse, PidsUse};

    use super::super::tests::memory as reading;
    use super::*;

    const SIZE: (f64, f64) = (600.0, 100.0);

    fn frame(top: u64) -> Frame {
        Frame::new(SIZE, top, 60_000_000_000)
    }

    fn used(anon_bytes: u64, current_bytes: u64) -> MemoryUse {
        MemoryUse { anon_bytes, current_bytes, max_bytes: Some(80), ..MemoryUse::default() }
    }

    fn track() -> Track {
        let mut track = Track::default();
        track.push(reading(30, used(10, 30)));
        track.push(reading(60, used(20, 50)));
        track
    }

    #[test]
    fn a_band_stands_on_the_one_below_it_and_an_empty_one_is_not_drawn() {
        let [anon, file, kernel, other, swap] = bands(&track(), &frame(100));
        assert_eq!(anon.0, "M300.0 100.0V90.0V80.0H600.0V100.0H300.0V100.0Z");
        assert_eq!(other.0, "M300.0 90.0V70.0V50.0H600.0V80.0H300.0V90.0Z");
        assert_eq!([file.0, kernel.0, swap.0], ["", "", ""]);
    }

    #[test]
    fn no_limit_and_a_limit_above_the_picture_draw_no_line() {
        let max = |sample: &UseSample| sample.memory.as_ref()?.max_bytes;
        assert_eq!(limit(&track(), &frame(100), max).0, "M300.0 20.0H600.0");
        assert_eq!(limit(&track(), &frame(100), |_| None).0, "");
        assert_eq!(limit(&track(), &frame(79), max).0, "");
    }

    #[test]
    fn the_top_holds_the_limits_that_are_near() {
        assert_eq!(top(80, [100].into_iter()), 112);
        assert_eq!(top(80, [10_000].into_iter()), 90, "far above");
        assert_eq!(top(0, std::iter::empty()), 1);
        let picture = memory(&track(), SIZE, 10.0).unwrap();
        assert_eq!((picture.frame.top, picture.frame.limit_y(Some(90))), (90, Some(0.0)));
        assert_eq!((pids(&track(), SIZE), io(&track(), SIZE, 10.0)), (None, None), "not counted");
    }

    #[test]
    fn pressure_is_the_share_of_a_step() {
        let mut track = Track::default();
        let at = |some_usec, full_usec| MemoryUse {
            pressure: Some(Pressure { some_usec, full_usec }),
            ..MemoryUse::default()
        };
        track.push(reading(30, at(0, 0)));
        track.push(reading(60, at(15_000_000, 0)));
        let of = |sample: &UseSample| sample.memory.as_ref()?.pressure;
        let [some, full] = pressure(&track, &frame(1), 20.0, of);
        assert_eq!((some.0.as_str(), full.0.as_str()), ("M300.0 20.0H600.0V10.0H300.0Z", ""));
    }

    #[test]
    fn signs_of_a_kind_that_are_at_one_place_are_one() {
        let mut track = Track::default();
        for (at, refused) in [(10, 0), (20, 1), (21, 2), (40, 3), (60, 3)] {
            let pids = PidsUse { current: 1, max: Some(1), refused: Some(refused) };
            track.push(UseSample { pids: Some(pids), ..reading(at, MemoryUse::default()) });
        }
        assert_eq!(signs(&track, &frame(1), What::Refused), [200.0, 400.0]);
        assert_eq!(signs(&track, &frame(1), What::Killed), Vec::<f64>::new());
    }
}
