//! One namespace.

use super::{Errno, Namespace, Proc, Procs, SpaceKey, position};

/// Who is not mapped shows as this one (`/proc/sys/kernel/overflowuid`).
pub const OVERFLOW_ID: u32 = 65_534;
/// The inode numbers of the first namespaces (`include/linux/proc_ns.h`) are high; later ones count on.
const FIRST_INODE: u64 = 0xeffe_fff8;
const NEXT_INODE: u64 = 0xf000_0000;
/// `kernel.pid_max`.
const PID_MAX: u32 = 32_768;
/// Numbers from here on after the first round (`RESERVED_PIDS`).
const PID_AGAIN: u32 = 300;
/// Lines of a map, at most (`UID_GID_MAP_MAX_EXTENTS`).
const RANGES_MAX: usize = 340;

/// A line of `/proc/PID/uid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first id inside.
    pub inside: u32,
    /// The first id outside: in the user namespace above.
    pub outside: u32,
    /// How many.
    pub count: u32,
}

/// A whole map.
pub type IdMap = Vec<IdRange>;

/// What a namespace keeps for those in it.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Pid { next: u32, again: bool, init: Option<Proc> },
    Uts { hostname: String },
    User { map: Option<IdMap> },
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) struct Space {
    pub(super) kind: Namespace,
    pub(super) inode: u64,
    /// The user namespace it belongs to.
    pub(super) owner: SpaceKey,
    /// The one above, for PID and user namespaces.
    pub(super) parent: Option<SpaceKey>,
    /// Who made it, in terms of the first user namespace.
    pub(super) made_by: u32,
    pub(super) kept: Kept,
    /// The one that it was like when it was made.
    pub(super) like: Option<SpaceKey>,
}

impl Space {
    pub(super) fn first(kind: Namespace, owner: SpaceKey, at: usize) -> Self {
        let inode = FIRST_INODE + at as u64;
        let kept = match kind {
            Namespace::Pid => Kept::Pid { next: 1, again: false, init: None },
            Namespace::Uts => Kept::Uts { hostname: "vitrine".to_owned() },
            Namespace::User => Kept::User { map: None },
            _ => Kept::Nothing,
        };
        Space { kind, inode, owner, parent: None, made_by: 0, kept, like: None }
    }

    pub(super) fn set_init(&mut self, proc: Proc) {
        if let Kept::Pid { init, .. } = &mut self.kept {
            *init = Some(proc);
        }
    }

    pub(super) fn map(&self) -> &[IdRange] {
        match &self.kept {
            Kept::User { map: Some(map) } => map,
            _ => &[],
        }
    }

    /// An id of the user namespace above, as it is inside.
    pub(super) fn inside(&self, id: u32) -> Option<u32> {
        self.map().iter().find_map(|range| {
            let at = id.checked_sub(range.outside).filter(|at| *at < range.count)?;
            Some(range.inside + at)
        })
    }

    /// An id inside, as it is in the user namespace above.
    pub(super) fn outside(&self, id: u32) -> Option<u32> {
        self.map().iter().find_map(|range| {
            let at = id.checked_sub(range.inside).filter(|at| *at < range.count)?;
            Some(range.outside + at)
        })
    }
}

impl Procs {
    /// Makes a namespace like `like`, below it where that means something.
    pub(super) fn push_space(&mut self, like: SpaceKey, owner: SpaceKey, made_by: u32) -> SpaceKey {
        let old = &self.spaces[like.0];
        let parent = matches!(old.kind, Namespace::Pid | Namespace::User).then_some(like);
        let kept = match &old.kept {
            Kept::Pid { .. } => Kept::Pid { next: 1, again: false, init: None },
            Kept::User { .. } => Kept::User { map: None },
            // A new UTS namespace begins with a copy.
            kept => kept.clone(),
        };
        let inode = NEXT_INODE + (self.spaces.len() - Namespace::ALL.len()) as u64;
        self.spaces.push(Space {
            kind: old.kind,
            inode,
            owner,
            parent,
            made_by,
            kept,
            like: Some(like),
        });
        SpaceKey(self.spaces.len() - 1)
    }

    /// The next free PID of a namespace; 0 if there is none.
    pub(super) fn take_pid(&mut self, space: SpaceKey) -> u32 {
        let level = self.level(space);
        let taken: Vec<u32> = self
            .all
            .iter()
            .filter(|process| process.life != super::Life::Gone)
            .filter(|process| self.is_within(process.spaces[position(Namespace::Pid)], space))
            .filter_map(|process| process.pids.get(level).copied())
            .collect();
        let Kept::Pid { next, again, .. } = &mut self.spaces[space.0].kept else { return 0 };
        for _ in 0..PID_MAX {
            let pid = *next;
            *next += 1;
            if *next >= PID_MAX {
                (*next, *again) = (PID_AGAIN, true);
            }
            if !*again || !taken.contains(&pid) {
                return pid;
            }
        }
        0
    }

    /// How many namespaces were made before it since the machine started, itself among them; 0 for the
    /// first ones.
    pub fn number_of(&self, space: SpaceKey) -> u64 {
        (space.0 + 1).saturating_sub(Namespace::ALL.len()) as u64
    }

    /// The namespace that a new one was a copy of.
    pub fn made_from(&self, space: SpaceKey) -> Option<SpaceKey> {
        self.spaces.get(space.0)?.like
    }

    /// The map of a user namespace; `None` before it is written.
    pub fn id_map(&self, user: SpaceKey) -> Option<&[IdRange]> {
        match &self.spaces.get(user.0)?.kept {
            Kept::User { map } => map.as_deref(),
            _ => None,
        }
    }

    /// Writes `/proc/PID/uid_map` (and the same for groups): once, without overlaps, by root of the
    /// namespace or of the one above; who is not root above may map only the own id.
    pub fn write_id_map(
        &mut self,
        writer: Proc,
        user: SpaceKey,
        map: &[IdRange],
    ) -> Result<(), Errno> {
        let above = self.above(user).ok_or(Errno::Eperm)?;
        let own = self.space_of(writer, Namespace::User).ok_or(Errno::Esrch)?;
        if own != user && own != above {
            return Err(Errno::Eperm);
        }
        if self.id_map(user).is_some() {
            return Err(Errno::Eperm);
        }
        if !self.has_root(writer, user) {
            return Err(Errno::Eperm);
        }
        if map.is_empty() || map.len() > RANGES_MAX || !is_sound(map) {
            return Err(Errno::Einval);
        }
        let uid = self.alive(writer)?.uid;
        let only_own = map.len() == 1
            && map[0].count == 1
            && self.id_outside(map[0].outside, above) == Some(uid)
            && self.spaces[user.0].made_by == uid;
        if !only_own && !self.has_root(writer, above) {
            return Err(Errno::Eperm);
        }
        let all_mapped = map.iter().all(|range| self.has_all(range, above));
        if !all_mapped {
            return Err(Errno::Eperm);
        }
        self.spaces[user.0].kept = Kept::User { map: Some(map.to_vec()) };
        Ok(())
    }

    /// Are all ids outside of a line mapped in the namespace above, in one stretch?
    fn has_all(&self, range: &IdRange, above: SpaceKey) -> bool {
        let last = range.outside + (range.count - 1);
        let ends = [range.outside, last].map(|id| self.id_outside(id, above));
        matches!(ends, [Some(first), Some(end)] if end.checked_sub(first) == Some(range.count - 1))
    }
}

/// No empty lines, none that leave the range of ids, none that overlap on either side.
fn is_sound(map: &[IdRange]) -> bool {
    let fits = |first: u32, count: u32| count > 0 && first.checked_add(count - 1).is_some();
    let fit = map.iter().all(|r| fits(r.inside, r.count) && fits(r.outside, r.count));
    let apart = |a: u32, n: u32, b: u32, m: u32| a > b + (m - 1) || b > a + (n - 1);
    let pairs = || map.iter().enumerate().flat_map(|(at, a)| map[..at].iter().map(move |b| (a, b)));
    fit && pairs().all(|(a, b)| {
        apart(a.inside, a.count, b.inside, b.count) && apart(a.outside, a.count, b.outside, b.count)
    })
}
