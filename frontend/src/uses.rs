//! The last minute of what one group uses besides the CPU. Pure: readings in, values out.

pub(crate) mod picture;

use std::collections::VecDeque;
use std::rc::Rc;

use vitrine_shared::uses::{DeviceUse, MemoryUse, UseSample};

/// How far back the picture goes.
pub(crate) const SPAN_NSEC: u64 = 60_000_000_000;
/// Readings that are kept: a minute of them, and the one before.
const KEPT: usize = 260;

/// Readings of one group, oldest first, in a ring that never grows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Track(VecDeque<Rc<UseSample>>);

impl Track {
    /// Adds a reading. One of another group begins anew; one that is not newer is ignored.
    pub(crate) fn push(&mut self, sample: UseSample) {
        if let Some(last) = self.0.back() {
            let began_anew = sample.at_nsec + SPAN_NSEC < last.at_nsec;
            if last.focus != sample.focus || began_anew {
                self.0.clear();
            } else if sample.at_nsec <= last.at_nsec {
                return;
            }
        }
        self.0.push_back(Rc::new(sample));
        while self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// The last reading.
    pub(crate) fn last(&self) -> Option<&UseSample> {
        self.0.back().map(AsRef::as_ref)
    }

    /// Those of the last minute, oldest first.
    pub(crate) fn minute(&self) -> impl DoubleEndedIterator<Item = &UseSample> + Clone {
        let now = self.last().map_or(0, |last| last.at_nsec);
        self.0.iter().map(AsRef::as_ref).filter(move |one| one.at_nsec + SPAN_NSEC >= now)
    }

    /// Each with the one before it.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&UseSample, &UseSample)> {
        self.minute().zip(self.minute().skip(1))
    }
}

/// What memory is made of; the parts never say more than the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) anon: u64,
    pub(crate) file: u64,
    pub(crate) kernel: u64,
    /// What no part names: pages that a CPU has taken in advance, sockets, and, where the kernel
    /// does not say its own, the kernel's.
    pub(crate) other: u64,
    /// Beside the whole.
    pub(crate) swap: u64,
}

impl Parts {
    /// The parts of a reading. The kernel counts the whole at once and the parts some time later
    /// (up to two seconds), so they are cut where they say more: first cached files, which come
    /// and go fastest.
    pub(crate) fn of(memory: &MemoryUse) -> Self {
        let mut left = memory.current_bytes;
        let mut take = |bytes: u64| {
            let taken = bytes.min(left);
            left -= taken;
            taken
        };
        let anon = take(memory.anon_bytes);
        let kernel = take(memory.kernel_bytes.unwrap_or(0));
        let file = take(memory.file_bytes);
        Parts { anon, file, kernel, other: left, swap: memory.swap_bytes.unwrap_or(0) }
    }

    /// From the bottom of the stack to its top.
    pub(crate) fn stack(&self) -> [u64; 5] {
        [self.anon, self.file, self.kernel, self.other, self.swap]
    }
}

/// What a group met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It stood at its memory limit, and pages were taken back.
    AtLimit,
    /// It was slowed down above `memory.high`.
    Slowed,
    /// Something was killed for memory.
    Killed,
    /// A fork was refused.
    Refused,
}

impl What {
    /// Its sign in a picture, which is not a matter of colour.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            What::AtLimit => "▼",
            What::Slowed => "▽",
            What::Killed => "✕",
            What::Refused => "⊘",
        }
    }
}

/// How often something was met between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The moment of the second of them.
    pub(crate) at_nsec: u64,
    pub(crate) what: What,
    pub(crate) count: u64,
}

/// What was met in the last minute, by the differences of the counters, oldest first.
pub(crate) fn marks(track: &Track) -> Vec<Mark> {
    let mut marks = Vec::new();
    for (before, after) in track.pairs() {
        let mut add = |what, from: u64, to: u64| {
            if to > from {
                marks.push(Mark { at_nsec: after.at_nsec, what, count: to - from });
            }
        };
        if let (Some(from), Some(to)) = (&before.memory, &after.memory) {
            add(What::AtLimit, from.met_max, to.met_max);
            // A counter that was not there before has counted nothing yet that is known.
            if let (Some(from), Some(to)) = (from.met_high, to.met_high) {
                add(What::Slowed, from, to);
            }
            add(What::Killed, from.oom_kills, to.oom_kills);
        }
        let refused = |sample: &UseSample| sample.pids.and_then(|pids| pids.refused);
        if let (Some(from), Some(to)) = (refused(before), refused(after)) {
            add(What::Refused, from, to);
        }
    }
    marks
}

/// The device that was used most.
pub(crate) fn busiest(sample: &UseSample) -> Option<&DeviceUse> {
    let devices = &sample.io.as_ref()?.devices;
    devices.iter().max_by_key(|device| {
        (device.read_bytes.saturating_add(device.written_bytes), device.limits.write_bps)
    })
}

/// Bytes a second that a device read and wrote between two readings.
pub(crate) fn rates(
    before: &UseSample,
    after: &UseSample,
    device: (u32, u32),
) -> Option<(u64, u64)> {
    let find = |sample: &UseSample| {
        let devices = &sample.io.as_ref()?.devices;
        let is_it = |one: &&DeviceUse| (one.limits.major, one.limits.minor) == device;
        devices.iter().find(is_it).copied()
    };
    let nsec = after.at_nsec.checked_sub(before.at_nsec).filter(|nsec| *nsec > 0)?;
    let to = find(after)?;
    // A device that was not there had done nothing.
    let from = find(before).unwrap_or_default();
    let rate = |from: u64, to: u64| {
        let bytes = u128::from(to.saturating_sub(from)) * 1_000_000_000 / u128::from(nsec);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    };
    Some((rate(from.read_bytes, to.read_bytes), rate(from.written_bytes, to.written_bytes)))
}

/// What all three pictures say of one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) ago_nsec: u64,
    /// Bytes in use, their parts, and the limit.
    pub(crate) memory: Option<(u64, Parts, Option<u64>)>,
    /// How many there are, and may be.
    pub(crate) pids: Option<(u64, Option<u64>)>,
    /// Bytes a second read and written, of the device that is shown.
    pub(crate) io: Option<(u64, u64)>,
    /// What was met then.
    pub(crate) met: Vec<Mark>,
}

/// What was read at a moment so long before the last reading: a reading stands for the time since
/// the one before it. `None` where nothing was read.
pub(crate) fn moment(track: &Track, ago_nsec: u64) -> Option<Moment> {
    let last = track.last()?;
    let at = last.at_nsec.checked_sub(ago_nsec)?;
    let (before, one) =
        track.pairs().find(|(before, after)| before.at_nsec < at && at <= after.at_nsec)?;
    let device = busiest(last).map(|device| (device.limits.major, device.limits.minor));
    Some(Moment {
        ago_nsec,
        memory: one.memory.as_ref().map(|m| (m.current_bytes, Parts::of(m), m.max_bytes)),
        pids: one.pids.map(|pids| (pids.current, pids.max)),
        io: device.and_then(|device| rates(before, one, device)),
        met: marks(track).into_iter().filter(|mark| mark.at_nsec == one.at_nsec).collect(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use vitrine_shared::cgroup::{GroupId, IoMax};
    use vitrine_shared::focus::{Focus, Look};
    use vitrine_shared::id::MachineId;
    use vitrine_shared::uses::{IoUse, PidsUse};

    use super::*;

    pub(crate) fn sample(at_sec: u64) -> UseSample {
        UseSample {
            focus: Focus { machine: MachineId(1), group: GroupId::Root, look: Look::Use },
            at_nsec: at_sec * 1_000_000_000,
            memory: None,
            pids: None,
            io: None,
        }
    }

    pub(crate) fn memory(at_sec: u64, memory: MemoryUse) -> UseSample {
        UseSample { memory: Some(memory), ..sample(at_sec) }
    }

    #[test]
    fn a_track_is_of_one_group_and_does_not_grow() {
        let mut track = Track::default();
        for at in 1..1_000 {
            track.push(sample(at));
        }
        track.push(sample(990));
        assert_eq!(track.last().map(|last| last.at_nsec), Some(999_000_000_000));
        assert_eq!(track.0.len(), KEPT);
        assert_eq!(track.minute().count(), 61);
        let mut other = sample(1_000);
        other.focus.group = GroupId::Cap;
        track.push(other);
        assert_eq!(track.0.len(), 1);
    }

    #[test]
    fn parts_say_no_more_than_the_whole_and_the_rest_has_a_name() {
        let mut memory = MemoryUse {
            current_bytes: 100,
            anon_bytes: 40,
            file_bytes: 30,
            kernel_bytes: Some(20),
            ..MemoryUse::default()
        };
        assert_eq!(Parts::of(&memory).stack(), [40, 30, 20, 10, 0]);
        memory.current_bytes = 65;
        assert_eq!(Parts::of(&memory).stack(), [40, 5, 20, 0, 0], "files are cut first");
        memory.kernel_bytes = None;
        memory.current_bytes = 100;
        memory.swap_bytes = Some(7);
        assert_eq!(Parts::of(&memory).stack(), [40, 30, 0, 30, 7]);
    }

    #[test]
    fn marks_are_differences_and_never_the_first_word() {
        let used = |met_max, oom_kills, met_high| MemoryUse {
            met_max,
            oom_kills,
            met_high,
            ..MemoryUse::default()
        };
        let mut track = Track::default();
        track.push(memory(1, used(5, 1, None)));
        track.push(memory(2, used(5, 1, Some(9))));
        track.push(memory(3, used(8, 2, Some(10))));
        let mut forks = memory(4, used(8, 2, Some(10)));
        forks.pids = Some(PidsUse { current: 1, max: Some(1), refused: Some(3) });
        track.push(forks.clone());
        forks.at_nsec += 1;
        forks.pids = Some(PidsUse { current: 1, max: Some(1), refused: Some(4) });
        track.push(forks);
        let found: Vec<_> = marks(&track).iter().map(|mark| (mark.what, mark.count)).collect();
        assert_eq!(
            found,
            [(What::AtLimit, 3), (What::Slowed, 1), (What::Killed, 1), (What::Refused, 1)]
        );
    }

    #[test]
    fn a_moment_is_what_the_next_reading_says() {
        let used = |current_bytes, met_max| MemoryUse {
            current_bytes,
            met_max,
            max_bytes: Some(9),
            ..MemoryUse::default()
        };
        let mut track = Track::default();
        track.push(memory(10, used(4, 0)));
        track.push(memory(20, used(8, 2)));
        track.push(memory(30, used(6, 2)));
        let at = |ago_sec: u64| moment(&track, ago_sec * 1_000_000_000);
        let then = at(15).unwrap();
        assert_eq!(then.memory.map(|(bytes, _, max)| (bytes, max)), Some((8, Some(9))));
        assert_eq!(then.met.iter().map(|mark| mark.count).collect::<Vec<_>>(), [2]);
        assert_eq!(at(0).unwrap().memory.map(|(bytes, ..)| bytes), Some(6));
        assert_eq!((at(0).unwrap().met, at(0).unwrap().pids), (Vec::new(), None));
        assert_eq!(at(25), None, "before the first reading");
        assert_eq!(moment(&Track::default(), 0), None);
    }

    #[test]
    fn a_rate_is_of_the_time_that_passed() {
        let disk = |at, read_bytes, minor| {
            let limits = IoMax { major: 8, minor, ..IoMax::default() };
            let device = DeviceUse { limits, read_bytes, ..DeviceUse::default() };
            let io = IoUse { devices: vec![device], ..IoUse::default() };
            UseSample { io: Some(io), ..sample(at) }
        };
        let (first, last) = (disk(1, 1_000, 0), disk(3, 5_000, 0));
        assert_eq!(rates(&first, &last, (8, 0)), Some((2_000, 0)));
        assert_eq!(rates(&last, &first, (8, 0)), None);
        assert_eq!(rates(&first, &last, (8, 1)), None);
        assert_eq!(rates(&sample(1), &last, (8, 0)), Some((2_500, 0)), "it came just now");
        assert_eq!(busiest(&last).map(|device| device.read_bytes), Some(5_000));
    }
}
