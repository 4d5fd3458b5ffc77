//! What could not be read, told in one line.

use std::io::Write as _;

/// Counts of what was there and could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Missed {
    /// Processes that were looked at.
    pub(crate) processes: usize,
    /// Of these, how many hid their namespaces.
    pub(crate) namespaces: usize,
    /// And how many their open descriptors.
    pub(crate) descriptors: usize,
    /// Mount namespaces whose mounts could not be read.
    pub(crate) mounts: usize,
    /// Groups that could not be read.
    pub(crate) groups: usize,
}

impl Missed {
    /// What was missed, a part each.
    pub(crate) fn parts(&self) -> Vec<String> {
        let of_all = format!("of {} processes", self.processes);
        [
            (self.namespaces, format!("the namespaces of {} {of_all}", self.namespaces)),
            (self.descriptors, format!("the descriptors of {} {of_all}", self.descriptors)),
            (self.mounts, format!("the mounts of {} mount namespaces", self.mounts)),
            (self.groups, format!("{} cgroups", self.groups)),
        ]
        .into_iter()
        .filter_map(|(n, part)| (n > 0).then_some(part))
        .collect()
    }

    /// Says it on standard error, if there is something to say.
    pub(crate) fn tell(&self) {
        let parts = self.parts();
        if !parts.is_empty() {
            let line = sentence(&parts, nix::unistd::geteuid().is_root());
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "vitrine: {line}");
        }
    }
}

fn sentence(parts: &[String], is_root: bool) -> String {
    let why = if is_root { "this root may not" } else { "run it as root to see everything" };
    format!("could not read {} ({why})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_or_none() {
        assert!(Missed { processes: 9, ..Missed::default() }.parts().is_empty());
        let missed = Missed { processes: 9, namespaces: 5, groups: 2, ..Missed::default() };
        assert_eq!(
            sentence(&missed.parts(), false),
            "could not read the namespaces of 5 of 9 processes, 2 cgroups \
             (run it as root to see everything)"
        );
    }
}
