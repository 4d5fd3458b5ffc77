//! What a link says of the namespace matrix: its types, its groups, what is chosen and compared.
//!
//! `d=1&by=net&t=pun&ns=net-4026532008&a=4100&b=4821`.

use vitrine_shared::namespace::{Namespace, NamespaceSet};

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// Leave out what is the same as on the host.
    pub(crate) only_different: bool,
    /// Group by the instances of this type; by container when `None`.
    pub(crate) by: Option<Namespace>,
    /// The types that have a column.
    pub(crate) types: NamespaceSet,
}

impl Default for Choice {
    fn default() -> Self {
        Choice { only_different: false, by: None, types: NamespaceSet::ALL }
    }
}

impl Choice {
    /// With the column of a type, or without it. Without any there would be no table: all come back.
    pub(crate) fn turned(self, kind: Namespace) -> Self {
        let types = self.types.with(kind, !self.types.has(kind));
        let types = if types == NamespaceSet::NONE { NamespaceSet::ALL } else { types };
        Choice { types, ..self }
    }
}

/// The matrix as a link has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spaces {
    /// What is shown.
    pub(crate) choice: Choice,
    /// The namespace that stays marked.
    pub(crate) chosen: Option<(Namespace, u64)>,
    /// The two processes that are compared, by their PIDs on the host.
    pub(crate) pair: [Option<u32>; 2],
}

impl Spaces {
    /// Takes in one pair of a link; what cannot be read is as if it was not there.
    pub(super) fn take(&mut self, key: &str, value: &str) {
        match key {
            "d" => self.choice.only_different = value == "1",
            "by" => self.choice.by = kind_of(value),
            "t" => self.choice.types = types_of(value),
            "ns" => self.chosen = namespace_of(value),
            "a" => self.pair[0] = number(value),
            "b" => self.pair[1] = number(value),
            _ => {}
        }
    }

    /// What is not as it would be anyway.
    pub(super) fn pairs(&self) -> Vec<String> {
        let Spaces { choice, chosen, pair } = self;
        let letters = || choice.types.iter().map(|kind| kind.letter().to_ascii_lowercase());
        let all = [
            choice.only_different.then(|| "d=1".into()),
            choice.by.map(|kind| format!("by={}", kind.proc_name())),
            (choice.types != NamespaceSet::ALL)
                .then(|| format!("t={}", String::from_iter(letters()))),
            chosen.map(|(kind, id)| format!("ns={}-{id}", kind.proc_name())),
            pair[0].map(|pid| format!("a={pid}")),
            pair[1].map(|pid| format!("b={pid}")),
        ];
        all.into_iter().flatten().collect()
    }
}

fn kind_of(name: &str) -> Option<Namespace> {
    Namespace::ALL.into_iter().find(|kind| kind.proc_name() == name)
}

/// The types by their letters; all of them where none is named.
fn types_of(letters: &str) -> NamespaceSet {
    let is_named = |kind: &Namespace| letters.contains(kind.letter().to_ascii_lowercase());
    let types: NamespaceSet = Namespace::ALL.into_iter().filter(is_named).collect();
    if types == NamespaceSet::NONE { NamespaceSet::ALL } else { types }
}

fn namespace_of(text: &str) -> Option<(Namespace, u64)> {
    let (kind, id) = text.split_once('-')?;
    Some((kind_of(kind)?, number(id)?.into()))
}

/// A PID, or an inode number of the kernel's, which has 32 bits. Not 0, and digits alone: the
/// library's parser would take a sign.
fn number(text: &str) -> Option<u32> {
    let number = text.parse().ok().filter(|&number| number > 0)?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Spaces {
        let mut spaces = Spaces::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            spaces.take(key, value);
        }
        spaces
    }

    #[test]
    fn all_of_it_is_found_again() {
        let query = "d=1&by=net&t=pun&ns=net-4026532008&a=4100&b=4821";
        let spaces = read(query);
        assert_eq!(spaces.choice.by, Some(Namespace::Net));
        assert_eq!(spaces.choice.types.iter().count(), 3);
        assert_eq!(spaces.chosen, Some((Namespace::Net, 4_026_532_008)));
        assert_eq!(spaces.pair, [Some(4100), Some(4821)]);
        assert_eq!(spaces.pairs().join("&"), query);
        assert!(Spaces::default().pairs().is_empty());
        // A letter each.
        let letters: String =
            Namespace::ALL.into_iter().map(|kind| kind.letter().to_ascii_lowercase()).collect();
        assert_eq!(read(&format!("t={letters}")), Spaces::default());
    }

    #[test]
    fn what_a_stranger_puts_there_is_passed_over() {
        for query in [
            "d=yes",
            "d=",
            "by=cpu",
            "by=NET",
            "t=",
            "t=xyz",
            "t=PNU",
            "ns=net",
            "ns=-1",
            "ns=net-",
            "ns=net-0",
            "ns=net-99999999999",
            "ns=net--1",
            "ns=net-+7",
            "a=0",
            "a=-4",
            "a=+4",
            "b=4294967296",
            "b=1e3",
            "b= 7",
            "x=1",
        ] {
            assert_eq!(read(query), Spaces::default(), "{query}");
        }
    }

    #[test]
    fn the_last_column_does_not_go() {
        let one =
            Namespace::ALL[1..].iter().fold(Choice::default(), |choice, &kind| choice.turned(kind));
        assert_eq!(one.types.iter().collect::<Vec<_>>(), [Namespace::Pid]);
        assert_eq!(one.turned(Namespace::Pid), Choice::default());
        assert_eq!(
            Choice::default().turned(Namespace::Net).turned(Namespace::Net),
            Choice::default()
        );
    }
}
