//! Short names of namespaces: A, B, C among those of a type, which stay while the page is open.

use std::collections::BTreeMap;

use vitrine_shared::namespace::Namespace;

/// The names that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names(BTreeMap<(Namespace, u64), usize>);

impl Names {
    /// Names those that have none yet, in this order, and forgets those that are gone: their
    /// letters are free again, but those that stay keep theirs.
    pub(crate) fn learn(&mut self, instances: Vec<(Namespace, u64)>) {
        self.0.retain(|known, _| instances.contains(known));
        for instance in instances {
            if self.0.contains_key(&instance) {
                continue;
            }
            let taken = |at: usize| self.0.iter().any(|((k, _), n)| *k == instance.0 && *n == at);
            let free = (0..).find(|&at| !taken(at)).unwrap_or(0);
            self.0.insert(instance, free);
        }
    }

    /// The name; empty for one that has none.
    pub(crate) fn of(&self, kind: Namespace, id: u64) -> String {
        self.0.get(&(kind, id)).map_or_else(String::new, |&at| letters(at))
    }

    /// How many of a type have a name.
    pub(crate) fn count(&self, kind: Namespace) -> usize {
        self.0.keys().filter(|(known, _)| *known == kind).count()
    }
}

/// A to Z, then AA to ZZ and on.
fn letters(at: usize) -> String {
    let last = char::from(b'A' + u8::try_from(at % 26).unwrap_or(0));
    match at / 26 {
        0 => last.to_string(),
        more => format!("{}{last}", letters(more - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_and_free_ones_are_given_again() {
        let mut names = Names::default();
        let net = |id| (Namespace::Net, id);
        names.learn(vec![net(9), net(5), (Namespace::Pid, 9), net(7)]);
        let of = |names: &Names, id| names.of(Namespace::Net, id);
        assert_eq!(
            (of(&names, 9), of(&names, 5), of(&names, 7)),
            ("A".into(), "B".into(), "C".into())
        );
        assert_eq!((names.of(Namespace::Pid, 9), names.count(Namespace::Net)), ("A".into(), 3));
        names.learn(vec![net(8), net(9), net(7)]);
        assert_eq!(
            (of(&names, 9), of(&names, 7), of(&names, 8)),
            ("A".into(), "C".into(), "B".into())
        );
        assert_eq!(of(&names, 5), "");
    }

    #[test]
    fn after_z() {
        assert_eq!([0, 25, 26, 51, 52, 702].map(letters), ["A", "Z", "AA", "AZ", "BA", "AAA"]);
    }
}
