//! Births that can be looked at, and their steps as bars. Pure.

use vitrine_shared::birth::{Attempt, Newborn, Story};
use vitrine_shared::message::{Container, FeedEntry, Happening, Machine, Step};
use vitrine_shared::spec::Rootfs;

use crate::kinds::is_machine_shell;

/// A step is at least so wide, in pixels, that it can be seen and pointed at.
pub(crate) const MIN_WIDTH: f64 = 8.0;
/// Between two steps.
const GAP: f64 = 2.0;
/// What the birth of a machine is called in a link.
const MACHINE: &str = "machine";
/// How a failed one is, before its number in the feed.
const TRY: &str = "try-";

/// A birth of a machine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Birth<'a> {
    /// The machine's own.
    Machine(&'a Machine),
    /// A container's in it.
    Container(&'a Machine, &'a Container),
    /// One that failed, by its number in the feed.
    Failed(&'a Machine, u64, &'a Attempt),
}

/// Nothing is known of who was not born.
static NOBODY: Newborn = Newborn {
    pids: Vec::new(),
    namespaces: [0; 8],
    host_uid: 0,
    uids: Vec::new(),
    capabilities: 0,
    bounding: 0,
    no_new_privs: false,
    filters: 0,
    open_files: 0,
    processes: 0,
    mounts: Vec::new(),
};

impl<'a> Birth<'a> {
    /// All that are known: the machine's, its containers' in order, then those that failed.
    pub(crate) fn all(machine: &'a Machine, failed: &'a [(u64, Attempt)]) -> Vec<Self> {
        let containers = machine.containers.iter().map(|one| Birth::Container(machine, one));
        let failed = failed.iter().map(|(seq, one)| Birth::Failed(machine, *seq, one));
        std::iter::once(Birth::Machine(machine)).chain(containers).chain(failed).collect()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'a str {
        match self {
            Birth::Machine(_) => MACHINE,
            Birth::Container(_, container) => &container.name,
            Birth::Failed(_, _, attempt) => &attempt.name,
        }
    }

    /// What a link calls it. A shell's name can come back: then the older one is called by its id.
    pub(crate) fn link(&self) -> String {
        match self {
            Birth::Machine(_) => MACHINE.into(),
            Birth::Failed(_, seq, _) => format!("{TRY}{seq}"),
            Birth::Container(machine, container) => {
                let newest = machine.containers.iter().rfind(|one| one.name == container.name);
                if newest.is_some_and(|newest| newest.id == container.id) {
                    container.name.clone()
                } else {
                    container.id.to_string()[..12].into()
                }
            }
        }
    }

    /// Its steps.
    pub(crate) fn steps(&self) -> &'a [Step] {
        match self {
            Birth::Machine(machine) => &machine.steps,
            Birth::Container(_, container) => &container.steps,
            Birth::Failed(_, _, attempt) => &attempt.steps,
        }
    }

    /// The error of one that failed.
    pub(crate) fn errno(&self) -> Option<&'a str> {
        match self {
            Birth::Failed(_, _, attempt) => Some(&attempt.errno),
            _ => None,
        }
    }

    /// What is known of it; `group` is where its group's path is put.
    pub(crate) fn story<'s>(&self, group: &'s mut String) -> Story<'s>
    where
        'a: 's,
    {
        let (is_shell, program) = match self {
            Birth::Machine(_) => (false, ""),
            Birth::Container(_, one) => (is_machine_shell(one), first(&one.spec.argv)),
            Birth::Failed(_, _, one) => (one.spec.rootfs == Rootfs::Machine, first(&one.spec.argv)),
        };
        *group = match self {
            Birth::Machine(_) => "root".into(),
            _ if is_shell => "root/shell".into(),
            other => format!("root/{}", other.name()),
        };
        let (own, machine) = match self {
            Birth::Machine(machine) => (&machine.newborn, None),
            Birth::Container(machine, one) => (&one.newborn, Some(&machine.newborn)),
            Birth::Failed(machine, ..) => (&NOBODY, Some(&machine.newborn)),
        };
        let failed = self.errno().is_some();
        Story { steps: self.steps(), failed, group, program, own, machine }
    }
}

fn first(argv: &[String]) -> &str {
    argv.first().map_or("", String::as_str)
}

/// The births that failed, of a machine's feed.
pub(crate) fn failed(feed: &[FeedEntry]) -> Vec<(u64, Attempt)> {
    let attempt = |entry: &FeedEntry| match &entry.what {
        Happening::BirthFailed(attempt) => Some((entry.seq, (**attempt).clone())),
        _ => None,
    };
    feed.iter().filter_map(attempt).collect()
}

/// What a link calls the birth that an entry of the feed tells of, if it is known still.
pub(crate) fn told_of(machine: &Machine, entry: &FeedEntry) -> Option<String> {
    match &entry.what {
        Happening::MachineBorn { .. } => Some(MACHINE.into()),
        Happening::BirthFailed(_) => Some(format!("{TRY}{}", entry.seq)),
        Happening::ContainerBorn { name, .. } => {
            let named = machine.containers.iter().filter(|one| one.name == *name);
            // Told in the moment of its birth.
            let nearest = named.min_by_key(|one| one.born_msec.abs_diff(entry.at_msec));
            nearest.map(|container| Birth::Container(machine, container).link())
        }
        _ => None,
    }
}

/// A step on the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) width: f64,
    /// It is wider than its time, so that it can be seen.
    pub(crate) stretched: bool,
}

/// Steps side by side over so many pixels: their lengths are their times, or the logarithms of
/// them, but none is narrower than [`MIN_WIDTH`].
pub(crate) fn bars(steps: &[Step], width: f64, logarithmic: bool) -> Vec<Bar> {
    let weigh = |step: &Step| {
        let usec = f64::from(step.took_usec);
        if logarithmic { (1.0 + usec).log10() } else { usec }
    };
    let weights: Vec<f64> = steps.iter().map(weigh).collect();
    #[allow(clippy::cast_precision_loss)] // Some twenty.
    let count = steps.len() as f64;
    let room = (width - GAP * (count - 1.0)).max(MIN_WIDTH * count);
    let scale = scale_of(&weights, room);
    let mut x = 0.0;
    let bar = |weight: &f64| {
        let stretched = weight * scale < MIN_WIDTH;
        let width = if stretched { MIN_WIDTH } else { weight * scale };
        let bar = Bar { x, width, stretched };
        x += width + GAP;
        bar
    };
    weights.iter().map(bar).collect()
}

/// Pixels for each unit, when what would be too narrow has its least width.
fn scale_of(weights: &[f64], room: f64) -> f64 {
    let mut sorted = weights.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut left: f64 = sorted.iter().sum();
    let mut room = room;
    for weight in sorted {
        if left <= 0.0 || weight * room / left >= MIN_WIDTH {
            break;
        }
        left -= weight;
        room -= MIN_WIDTH;
    }
    if left > 0.0 { room / left } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use vitrine_shared::id::ContainerId;
    use vitrine_shared::message::StepName;
    use vitrine_shared::spec::ContainerSpec;

    use super::*;
    use crate::fixture;

    fn steps(times: &[u32]) -> Vec<Step> {
        let step = |&took_usec| Step { name: StepName::Clone, call: String::new(), took_usec };
        times.iter().map(step).collect()
    }

    #[test]
    fn bars_fill_the_line_and_are_to_scale_but_for_the_shortest() {
        let bars = bars(&steps(&[1, 600, 1_200, 3, 0]), 500.0, false);
        let end = bars.last().map(|bar| bar.x + bar.width).unwrap();
        assert!((end - 500.0).abs() < 1e-6, "{bars:?}");
        assert!((bars[2].width - 2.0 * bars[1].width).abs() < 1e-6, "{bars:?}");
        let stretched: Vec<bool> = bars.iter().map(|bar| bar.stretched).collect();
        assert_eq!(stretched, [true, false, false, true, true]);
        assert!(bars.iter().all(|bar| bar.width >= MIN_WIDTH));
    }

    #[test]
    fn logarithms_lift_what_is_short() {
        let wide = |logarithmic| bars(&steps(&[99, 9_999]), 602.0, logarithmic)[0].width;
        assert!((wide(true) - 200.0).abs() < 1e-6, "2 of 6");
        assert!((wide(false) - MIN_WIDTH).abs() < 1e-6);
    }

    #[test]
    fn no_steps_and_no_room_are_no_trouble() {
        assert_eq!(bars(&[], 100.0, false), []);
        let narrow = bars(&steps(&[1, 2, 3]), 0.0, false);
        assert!(narrow.iter().all(|bar| bar.width >= MIN_WIDTH && bar.width.is_finite()));
        assert!(bars(&steps(&[0, 0]), 90.0, true).iter().all(|bar| bar.stretched));
    }

    #[test]
    fn a_link_finds_its_birth_again_though_names_come_back() {
        let mut machine = fixture::machine();
        let mut second = machine.containers[0].clone();
        (second.id, second.born_msec) = (ContainerId(9), 5_000);
        machine.containers.push(second);
        let attempt = Attempt {
            name: "c2".into(),
            spec: ContainerSpec::one_click(),
            steps: steps(&[5]),
            errno: "ENOENT".into(),
        };
        let failed = [(7, attempt.clone())];
        let links: Vec<_> = Birth::all(&machine, &failed).iter().map(Birth::link).collect();
        assert_eq!(links[0], "machine");
        assert_eq!(links[1], machine.containers[0].id.to_string()[..12]);
        assert_eq!(links[2..], ["c1", "try-7"]);
        let born = |at_msec| FeedEntry {
            seq: 1,
            at_msec,
            what: Happening::ContainerBorn { name: "c1".into(), took_usec: 1 },
        };
        assert_eq!(told_of(&machine, &born(40)), Some(links[1].clone()));
        assert_eq!(told_of(&machine, &born(5_001)), Some("c1".into()));
        let failure =
            FeedEntry { seq: 7, at_msec: 0, what: Happening::BirthFailed(Box::new(attempt)) };
        assert_eq!(told_of(&machine, &failure), Some("try-7".into()));
        assert_eq!(super::failed(&[born(1), failure]).len(), 1);
    }
}
