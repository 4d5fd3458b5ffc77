//! What groups that compete have got, beside what their weights would give them: measured.

use super::float;

/// A group less busy than this, in thousandths of one CPU, does not compete.
const IDLE_PERMILLE: f64 = 10.0;

/// One of the groups below the same parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rival {
    /// CPU time used in the time that is looked at.
    pub used_nsec: u64,
    /// `cpu.shares` or `cpu.weight`.
    pub weight: u64,
}

/// Its part of what all of them used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// What it got, 0 to 1.
    pub got: f64,
    /// What its weight would give it among those that compete, 0 to 1. It gets that only where all
    /// of them always want to run, on the same CPUs, and no quota stops them first.
    pub by_weight: f64,
}

/// Each group's share, in order; `None` for one that does not compete. All are `None` unless there
/// are two that do.
pub fn shares(rivals: &[Rival], passed_nsec: u64) -> Vec<Option<Share>> {
    let passed = float(passed_nsec.max(1));
    let is_busy = |rival: &Rival| float(rival.used_nsec) / passed * 1_000.0 >= IDLE_PERMILLE;
    let busy = || rivals.iter().filter(|rival| is_busy(rival));
    let used: f64 = busy().map(|rival| float(rival.used_nsec)).sum();
    let weight: f64 = busy().map(|rival| float(rival.weight)).sum();
    let compete = busy().count() > 1 && weight > 0.0;
    let share = |rival: &Rival| Share {
        got: float(rival.used_nsec) / used,
        by_weight: float(rival.weight) / weight,
    };
    rivals.iter().map(|rival| (compete && is_busy(rival)).then(|| share(rival))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEC: u64 = 1_000_000_000;

    #[test]
    fn two_that_compete_beside_one_that_sleeps() {
        let rival = |used_msec: u64, weight| Rival { used_nsec: used_msec * 1_000_000, weight };
        let shares = shares(&[rival(600, 1_024), rival(1, 1_024), rival(300, 512)], SEC);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        let [Some(a), None, Some(b)] = shares[..] else { panic!("{shares:?}") };
        assert!(close(a.got, 2.0 / 3.0) && close(a.by_weight, 2.0 / 3.0), "{a:?}");
        assert!(close(b.got, 1.0 / 3.0) && close(b.by_weight, 1.0 / 3.0), "{b:?}");
    }

    #[test]
    fn alone_there_is_nothing_to_share() {
        let alone = [Rival { used_nsec: SEC, weight: 1_024 }, Rival { used_nsec: 0, weight: 2 }];
        assert_eq!(shares(&alone, SEC), [None, None]);
        assert_eq!(shares(&[], 0), []);
        let weightless = [Rival { used_nsec: SEC, weight: 0 }; 2];
        assert_eq!(shares(&weightless, SEC), [None, None]);
    }
}
