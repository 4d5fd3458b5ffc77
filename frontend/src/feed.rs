//! Which entries of the feed are shown: by kind, by whose they are, by their words. Pure.

use vitrine_shared::message::{FeedEntry, Happening};

/// Kinds of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A machine or a container was born.
    Born,
    /// A container ended.
    Ended,
    /// A command was started.
    Command,
    /// A file was written, a group was made, removed or moved to.
    Wrote,
    /// A group is throttled, or no longer.
    Throttled,
    /// The kernel killed somebody for memory.
    Killed,
    /// The kernel refused something, or a birth failed.
    Refused,
}

/// All kinds, in the order of their buttons.
pub(crate) const KINDS: [Kind; 7] = [
    Kind::Born,
    Kind::Ended,
    Kind::Command,
    Kind::Wrote,
    Kind::Throttled,
    Kind::Killed,
    Kind::Refused,
];

impl Kind {
    /// Of what happened.
    pub(crate) fn of(what: &Happening) -> Self {
        match what {
            Happening::MachineBorn { .. } | Happening::ContainerBorn { .. } => Kind::Born,
            Happening::ContainerExited { .. } => Kind::Ended,
            Happening::ExecStarted { .. } | Happening::RanBoth { .. } => Kind::Command,
            Happening::Wrote { .. }
            | Happening::GroupMade { .. }
            | Happening::GroupRemoved { .. }
            | Happening::ProcessMoved { .. } => Kind::Wrote,
            Happening::ThrottleBegan { .. } | Happening::ThrottleEnded { .. } => Kind::Throttled,
            Happening::OomKilled { .. } => Kind::Killed,
            Happening::KernelRefused { .. } | Happening::BirthFailed(_) => Kind::Refused,
        }
    }

    /// For tests and styles.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Born => "born",
            Kind::Ended => "ended",
            Kind::Command => "command",
            Kind::Wrote => "wrote",
            Kind::Throttled => "throttled",
            Kind::Killed => "killed",
            Kind::Refused => "refused",
        }
    }

    /// Before its entries.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Kind::Born => "＋",
            Kind::Ended => "■",
            Kind::Command => "›",
            Kind::Wrote => "✎",
            Kind::Throttled => "▨",
            Kind::Killed | Kind::Refused => "✕",
        }
    }
}

/// What is shown; nothing chosen shows everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only these kinds, when there are any.
    pub(crate) kinds: Vec<Kind>,
    /// Only what happened to this one; empty is the machine itself.
    pub(crate) whose: Option<String>,
    /// Only what has all of these words, in any case.
    pub(crate) words: String,
}

impl Filter {
    /// Does it hide anything at all?
    pub(crate) fn is_on(&self) -> bool {
        !self.kinds.is_empty() || self.whose.is_some() || !self.words.trim().is_empty()
    }

    /// The same with a kind put in or taken out.
    #[must_use]
    pub(crate) fn turned(&self, kind: Kind) -> Self {
        let mut kinds = self.kinds.clone();
        match kinds.iter().position(|one| *one == kind) {
            Some(at) => drop(kinds.remove(at)),
            None => kinds.push(kind),
        }
        Filter { kinds, ..self.clone() }
    }

    /// Is this shown? `said` is what the page writes of it.
    pub(crate) fn shows(&self, what: &Happening, said: &str) -> bool {
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&Kind::of(what));
        let of_whom = self.whose.as_ref().is_none_or(|whose| self::whose(what) == *whose);
        let text = said.to_lowercase();
        let words = self.words.to_lowercase();
        of_kind && of_whom && words.split_whitespace().all(|word| text.contains(word))
    }

    /// The entries that are shown, in their order.
    pub(crate) fn apply<'a>(
        &self,
        entries: &'a [FeedEntry],
        said: impl Fn(&Happening) -> String,
    ) -> Vec<&'a FeedEntry> {
        let shown = |entry: &&FeedEntry| self.shows(&entry.what, &said(&entry.what));
        entries.iter().filter(shown).collect()
    }
}

/// Whom it happened to: a container's name, a group's path; empty for the machine itself.
pub(crate) fn whose(what: &Happening) -> &str {
    match what {
        Happening::MachineBorn { .. } => "",
        Happening::ContainerBorn { name, .. }
        | Happening::ContainerExited { name, .. }
        | Happening::ExecStarted { name, .. }
        | Happening::RanBoth { name, .. }
        | Happening::OomKilled { name, .. }
        | Happening::ThrottleBegan { name }
        | Happening::ThrottleEnded { name, .. } => name,
        Happening::BirthFailed(attempt) => &attempt.name,
        Happening::Wrote { path, .. } | Happening::KernelRefused { path, .. } => of_file(path),
        Happening::GroupMade { path } | Happening::GroupRemoved { path } => below_root(path),
        Happening::ProcessMoved { to, .. } => below_root(to),
    }
}

/// The group that a file of the cgroup file system belongs to, by its path below the machine's root.
fn of_file(path: &str) -> &str {
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    // Two levels above a machine's root are ours, and nobody else makes groups there.
    let below = directory.split_once("/vitrine/").map_or("", |(_, below)| below);
    below_root(below.splitn(3, '/').nth(2).unwrap_or_default())
}

fn below_root(path: &str) -> &str {
    path.strip_prefix("root/").unwrap_or_default()
}

/// Everybody to whom something happened, once, in alphabetical order; the machine is not among them.
pub(crate) fn parties(entries: &[FeedEntry]) -> Vec<String> {
    let mut names: Vec<String> =
        entries.iter().map(|entry| whose(&entry.what).to_owned()).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, what: Happening) -> FeedEntry {
        FeedEntry { seq, at_msec: seq, what }
    }

    fn wrote(path: &str) -> Happening {
        let text = String::new;
        Happening::Wrote { path: path.into(), old: text(), new: text(), shell: text() }
    }

    fn feed() -> Vec<FeedEntry> {
        let c1 = || "c1".to_string();
        vec![
            entry(1, Happening::MachineBorn { took_usec: 1 }),
            entry(2, Happening::ContainerBorn { name: c1(), took_usec: 1 }),
            entry(3, wrote("/sys/fs/cgroup/cpu/vitrine/8-9/ab12/root/c1/cpu.cfs_quota_us")),
            entry(4, Happening::ThrottleBegan { name: c1() }),
            entry(5, Happening::OomKilled { name: "web".into(), victim: None }),
            entry(6, Happening::ContainerExited { name: c1(), status: 137 }),
        ]
    }

    /// The numbers of what is shown; what is said of an entry is its debug text.
    fn shown(filter: &Filter) -> Vec<u64> {
        let feed = feed();
        let shown = filter.apply(&feed, |what| format!("{what:?}"));
        shown.into_iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn nothing_chosen_hides_nothing() {
        assert!(!Filter::default().is_on());
        assert_eq!(shown(&Filter::default()), [1, 2, 3, 4, 5, 6]);
        let blanks = Filter { words: "  ".into(), ..Filter::default() };
        assert!(!blanks.is_on());
        assert_eq!(shown(&blanks).len(), 6);
    }

    #[test]
    fn by_kind() {
        let filter = Filter::default().turned(Kind::Throttled).turned(Kind::Killed);
        assert_eq!(shown(&filter), [4, 5]);
        assert_eq!(shown(&filter.turned(Kind::Throttled)), [5]);
        assert_eq!(filter.turned(Kind::Throttled).turned(Kind::Killed), Filter::default());
    }

    #[test]
    fn by_whom_it_happened_to() {
        let of = |whose: &str| Filter { whose: Some(whose.into()), ..Filter::default() };
        assert_eq!(shown(&of("c1")), [2, 3, 4, 6], "a write to its file is its, too");
        assert_eq!(shown(&of("")), [1], "the machine itself");
        assert_eq!(shown(&of("web")), [5]);
        assert_eq!(parties(&feed()), ["c1", "web"]);
    }

    #[test]
    fn by_words_in_any_case_and_order() {
        let with = |words: &str| Filter { words: words.into(), ..Filter::default() };
        assert_eq!(shown(&with("CFS_quota WROTE")), [3]);
        assert_eq!(shown(&with("137")), [6]);
        assert_eq!(shown(&with("no such thing")), [0_u64; 0]);
    }

    #[test]
    fn all_three_together() {
        let filter =
            Filter { kinds: vec![Kind::Ended], whose: Some("c1".into()), words: "13".into() };
        assert_eq!(shown(&filter), [6]);
        assert_eq!(shown(&Filter { words: "zebra".into(), ..filter }), [0_u64; 0]);
    }

    #[test]
    fn whose_a_file_is() {
        let c1 = "/sys/fs/cgroup/vitrine/8-9/ab12/root/c1/cpu.max";
        assert_eq!(of_file(c1), "c1");
        assert_eq!(of_file("/sys/fs/cgroup/cpu/vitrine/8-9/ab12/root/cpu.shares"), "");
        assert_eq!(of_file("/sys/fs/cgroup/vitrine/8-9/ab12/root/shell/web/cpu.max"), "shell/web");
        assert_eq!(of_file("cpu.max"), "");
    }
}
