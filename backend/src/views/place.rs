//! Whose a group is, told by its path: every launcher names its directory for its PID.

use std::fmt;
use std::rc::Rc;

use serde::Serialize;

use crate::launcher::cgroup::BASE;

/// A group of ours: of a server's machine or container, or of `vitrine run`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Place {
    /// PID of the `vitrine` that made it.
    pub(crate) launcher: u32,
    /// The first 12 digits of the machine's id; none for `vitrine run`.
    pub(crate) machine: Option<String>,
    /// Its part in the machine: `c1`, `shell`; none for the machine itself and `vitrine run`.
    pub(crate) name: Option<String>,
    /// The group's path below a hierarchy's root.
    pub(crate) cgroup: String,
}

/// Hex digits of a machine's id in the name of its group.
const MACHINE_DIGITS: usize = 12;

impl Place {
    /// Of the group at this path below a hierarchy's root, if it is one of ours.
    ///
    /// The base may stand anywhere: below a scope of systemd's, or of an ordinary user's.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let base = names.windows(2).position(|pair| pair[0] == BASE && launcher(pair[1]).is_some());
        let (instance, below) = names.get(base? + 1..)?.split_first()?;
        let (machine, below) = match below.split_first() {
            Some((name, below)) if is_machine(name) => (Some(*name), below),
            _ => (None, &[][..]),
        };
        // `cap` and `root` are the machine's own levels.
        let name = below.iter().find(|name| !matches!(**name, "cap" | "root"));
        Some(Place {
            launcher: launcher(instance)?,
            machine: machine.map(str::to_string),
            name: name.map(ToString::to_string),
            cgroup: names.join("/"),
        })
    }

    /// What two places have in common: the container, or the machine.
    pub(crate) fn common(&self, other: &Place) -> Option<Place> {
        if self.launcher != other.launcher || self.machine != other.machine {
            return None;
        }
        if self.name == other.name {
            let shorter = if self.cgroup.len() <= other.cgroup.len() { self } else { other };
            return Some(shorter.clone());
        }
        let end = |place: &Place| {
            let machine = place.machine.as_deref().unwrap_or("");
            place.cgroup.find(machine).map_or(0, |at| at + machine.len())
        };
        let cgroup = self.cgroup.get(..end(self))?.to_string();
        Some(Place { name: None, cgroup, ..self.clone() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.machine, &self.name) {
            (None, _) => write!(f, "run:{}", self.launcher),
            (Some(machine), None) => f.write_str(machine),
            (Some(machine), Some(name)) => write!(f, "{machine}/{name}"),
        }
    }
}

/// Writes a place that is shared.
pub(crate) fn serialize<S: serde::Serializer>(
    place: &Option<Rc<Place>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    place.as_deref().serialize(serializer)
}

/// The PID in the name of a launcher's directory, `PID-STARTTICKS`.
fn launcher(name: &str) -> Option<u32> {
    let (pid, ticks) = name.split_once('-')?;
    ticks.parse::<u64>().ok()?;
    pid.parse().ok()
}

fn is_machine(name: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    name.len() == MACHINE_DIGITS && name.bytes().all(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, shown: Option<&str>) {
        let place = Place::of(path);
        assert_eq!(place.as_ref().map(ToString::to_string).as_deref(), shown, "{path}: {place:?}");
    }

    #[test]
    fn whose_is_it() {
        check("vitrine/12-345", Some("run:12"));
        check("/vitrine/12-345/", Some("run:12"));
        check("vitrine/12-345/0123456789ab", Some("0123456789ab"));
        check("vitrine/12-345/0123456789ab/root", Some("0123456789ab"));
        check("vitrine/12-345/0123456789ab/root/c1", Some("0123456789ab/c1"));
        check("vitrine/12-345/0123456789ab/cap/root/shell", Some("0123456789ab/shell"));
        check("vitrine/12-345/0123456789ab/root/c1/made/inside", Some("0123456789ab/c1"));
        check("system.slice/v.scope/vitrine/12-345/0123456789ab/root/c2", Some("0123456789ab/c2"));
        for foreign in ["", "vitrine", "vitrine/x", "vitrine/12-x", "vitrine/12", "a/12-345"] {
            check(foreign, None);
        }
    }

    #[test]
    fn what_two_have_in_common() {
        let of = |path: &str| Place::of(path).unwrap();
        let c1 = of("vitrine/1-2/0123456789ab/root/c1");
        let deep = of("vitrine/1-2/0123456789ab/root/c1/made");
        let c2 = of("vitrine/1-2/0123456789ab/root/c2");
        assert_eq!(deep.common(&c1), Some(c1.clone()));
        assert_eq!(c1.common(&c2), Some(of("vitrine/1-2/0123456789ab")));
        assert_eq!(c1.common(&of("vitrine/1-2/fffffffffff0/root/c1")), None);
        assert_eq!(c1.common(&of("vitrine/9-2")), None);
    }
}
