//! The eight namespace types of `man 7 namespaces`.

use serde::{Deserialize, Serialize};

/// One type of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Namespace {
    /// Process ids: the first process inside is PID 1.
    Pid,
    /// Mount points.
    Mount,
    /// Host name and NIS domain name.
    Uts,
    /// System V IPC objects and POSIX message queues.
    Ipc,
    /// User and group ids, and the capabilities that go with them.
    User,
    /// Network devices, addresses, ports, routes.
    Net,
    /// The root of the cgroup hierarchy that is seen.
    Cgroup,
    /// Offsets of the monotonic and boot-time clocks.
    Time,
}

impl Namespace {
    /// All eight, in the order in which the page shows them.
    pub const ALL: [Namespace; 8] = [
        Namespace::Pid,
        Namespace::Mount,
        Namespace::Uts,
        Namespace::Ipc,
        Namespace::User,
        Namespace::Net,
        Namespace::Cgroup,
        Namespace::Time,
    ];

    /// The flag of `clone(2)` and `unshare(2)`, from `linux/sched.h`.
    pub const fn clone_flag(self) -> u64 {
        match self {
            Namespace::Pid => 0x2000_0000,
            Namespace::Mount => 0x0002_0000,
            Namespace::Uts => 0x0400_0000,
            Namespace::Ipc => 0x0800_0000,
            Namespace::User => 0x1000_0000,
            Namespace::Net => 0x4000_0000,
            Namespace::Cgroup => 0x0200_0000,
            Namespace::Time => 0x0000_0080,
        }
    }

    /// The flag's name in C.
    pub const fn flag_name(self) -> &'static str {
        match self {
            Namespace::Pid => "CLONE_NEWPID",
            Namespace::Mount => "CLONE_NEWNS",
            Namespace::Uts => "CLONE_NEWUTS",
            Namespace::Ipc => "CLONE_NEWIPC",
            Namespace::User => "CLONE_NEWUSER",
            Namespace::Net => "CLONE_NEWNET",
            Namespace::Cgroup => "CLONE_NEWCGROUP",
            Namespace::Time => "CLONE_NEWTIME",
        }
    }

    /// The file's name below `/proc/<pid>/ns`.
    pub const fn proc_name(self) -> &'static str {
        match self {
            Namespace::Pid => "pid",
            Namespace::Mount => "mnt",
            Namespace::Uts => "uts",
            Namespace::Ipc => "ipc",
            Namespace::User => "user",
            Namespace::Net => "net",
            Namespace::Cgroup => "cgroup",
            Namespace::Time => "time",
        }
    }

    /// The option of `unshare(1)` and of `vitrine run`.
    pub const fn option(self) -> &'static str {
        match self {
            Namespace::Mount => "mount",
            other => other.proc_name(),
        }
    }

    /// The letter that stands at the corner of its pane of glass.
    pub const fn letter(self) -> char {
        match self {
            Namespace::Pid => 'P',
            Namespace::Mount => 'M',
            Namespace::Uts => 'H',
            Namespace::Ipc => 'I',
            Namespace::User => 'U',
            Namespace::Net => 'N',
            Namespace::Cgroup => 'C',
            Namespace::Time => 'T',
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Any subset of the eight types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NamespaceSet(u8);

impl NamespaceSet {
    /// None of them.
    pub const NONE: NamespaceSet = NamespaceSet(0);
    /// All eight.
    pub const ALL: NamespaceSet = NamespaceSet(0xff);

    /// Is this type in the set?
    pub const fn has(self, namespace: Namespace) -> bool {
        self.0 & namespace.bit() != 0
    }

    /// The same set with one type put in or taken out.
    #[must_use]
    pub const fn with(self, namespace: Namespace, on: bool) -> Self {
        if on {
            NamespaceSet(self.0 | namespace.bit())
        } else {
            NamespaceSet(self.0 & !namespace.bit())
        }
    }

    /// The types in the set, in the order of [`Namespace::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Namespace> {
        Namespace::ALL.into_iter().filter(move |&namespace| self.has(namespace))
    }

    /// The flags for `clone3(2)`.
    pub fn clone_flags(self) -> u64 {
        self.iter().fold(0, |flags, namespace| flags | namespace.clone_flag())
    }
}

impl FromIterator<Namespace> for NamespaceSet {
    fn from_iter<I: IntoIterator<Item = Namespace>>(namespaces: I) -> Self {
        namespaces.into_iter().fold(NamespaceSet::NONE, |set, namespace| set.with(namespace, true))
    }
}

/// On the wire a set is the list of its types, which people and other languages can read.
impl Serialize for NamespaceSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().collect::<Vec<_>>())
    }
}

impl<'de> Deserialize<'de> for NamespaceSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Namespace>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for NamespaceSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NamespaceSet".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Any subset of the eight types.",
            "type": "array",
            "items": generator.subschema_for::<Namespace>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_flags_together() {
        assert_eq!(NamespaceSet::ALL.clone_flags(), 0x7e02_0080);
        assert_eq!(NamespaceSet::NONE.clone_flags(), 0);
    }

    #[test]
    fn put_in_and_take_out() {
        let set = NamespaceSet::ALL.with(Namespace::Net, false);
        assert!(!set.has(Namespace::Net));
        assert_eq!(set.iter().count(), 7);
        assert_eq!(set.with(Namespace::Net, true), NamespaceSet::ALL);
    }
}
