//! Sets of controllers, such as those that a group hands on.

use serde::{Deserialize, Serialize};

use super::Controller;

/// Any subset of the controllers that this program knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ControllerSet(u8);

impl ControllerSet {
    /// None of them.
    pub const NONE: ControllerSet = ControllerSet(0);

    /// Is this one in the set?
    pub const fn has(self, controller: Controller) -> bool {
        self.0 & (1 << controller as u8) != 0
    }

    /// The same set with one more.
    #[must_use]
    pub const fn with(self, controller: Controller) -> Self {
        ControllerSet(self.0 | (1 << controller as u8))
    }

    /// What is in one or the other.
    #[must_use]
    pub const fn and(self, other: ControllerSet) -> Self {
        ControllerSet(self.0 | other.0)
    }

    /// Is nothing in it?
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in the set, in the order of [`Controller::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Controller> {
        Controller::ALL.into_iter().filter(move |&controller| self.has(controller))
    }

    /// Those that are named in a line of the kernel's, such as that of `cgroup.controllers`; names
    /// that this program does not know are left out.
    pub fn named(line: &str) -> Self {
        line.split([' ', ',', '\n']).filter_map(Controller::named).collect()
    }
}

impl FromIterator<Controller> for ControllerSet {
    fn from_iter<I: IntoIterator<Item = Controller>>(controllers: I) -> Self {
        controllers.into_iter().fold(ControllerSet::NONE, ControllerSet::with)
    }
}

/// On the wire a set is the list of its members, which people and other languages can read.
impl Serialize for ControllerSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for ControllerSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Controller>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for ControllerSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ControllerSet".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Any subset of the controllers.",
            "type": "array",
            "items": generator.subschema_for::<Controller>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_from_the_kernels_words() {
        let set = ControllerSet::named("cpuset cpu io memory hugetlb pids rdma\n");
        let names: Vec<_> = set.iter().map(Controller::name).collect();
        assert_eq!(names, ["cpu", "cpuset", "memory", "pids", "io"]);
        assert!(!set.has(Controller::Freezer) && set.has(Controller::Io));
        assert_eq!(ControllerSet::named("cpu,cpuacct"), ControllerSet::named("cpuacct cpu"));
        assert!(ControllerSet::named("\n").is_empty());
        assert_eq!(set.and(ControllerSet::NONE.with(Controller::Freezer)).iter().count(), 6);
    }
}
