//! The processes of an eye as a tree: each below its parent.

use std::collections::BTreeMap;

use super::Row;

/// Where a row stands in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// How deep, from 1.
    pub(crate) level: usize,
    /// Which of its siblings it is, from 1.
    pub(crate) place: usize,
    /// How many siblings there are, itself among them.
    pub(crate) of: usize,
}

/// The rows in the order of the tree, siblings in the order that they came in. One whose parent
/// this eye does not see begins a tree of its own.
pub(crate) fn as_tree(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let known: BTreeMap<u32, usize> =
        rows.iter().enumerate().map(|(at, row)| (row.host_pid, at)).collect();
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); rows.len()];
    let mut tops = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        match known.get(&row.parent).filter(|&&parent| parent != at) {
            Some(&parent) => below[parent].push(at),
            None => tops.push(at),
        }
    }
    let mut rows: Vec<Option<Row<'_>>> = rows.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(rows.len());
    let mut next: Vec<(usize, Branch)> = siblings(&tops, 1).collect();
    while let Some((at, branch)) = next.pop() {
        ordered.extend(rows[at].take().map(|row| Row { branch: Some(branch), ..row }));
        next.extend(siblings(&std::mem::take(&mut below[at]), branch.level + 1));
    }
    // Two readings that do not fit together can make a ring: nobody is left out for that.
    let alone = Some(Branch { level: 1, place: 1, of: 1 });
    ordered.extend(rows.into_iter().flatten().map(|row| Row { branch: alone, ..row }));
    ordered
}

/// Siblings, the last one first, as a stack wants them.
fn siblings(all: &[usize], level: usize) -> impl Iterator<Item = (usize, Branch)> {
    let branch = move |(place, at): (usize, &usize)| {
        (*at, Branch { level, place: place + 1, of: all.len() })
    };
    all.iter().enumerate().rev().map(branch)
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::Sample;

    use super::super::{container, host};
    use super::*;
    use crate::fixture;

    fn shape(rows: &[Row<'_>]) -> Vec<(u32, usize, usize, usize)> {
        let branch = |row: &Row<'_>| {
            let branch = row.branch.unwrap();
            (row.host_pid, branch.level, branch.place, branch.of)
        };
        rows.iter().map(branch).collect()
    }

    fn family(parents: &[(u32, u32)]) -> Sample {
        let mut sample = fixture::sample(1);
        let mut one = sample.processes[0].clone();
        let process = |&(pid, parent)| {
            one.pids[0] = pid;
            one.parent = parent;
            one.clone()
        };
        sample.processes = parents.iter().map(process).collect();
        sample
    }

    #[test]
    fn each_is_below_its_parent_and_siblings_keep_their_order() {
        let sample = family(&[(10, 1), (11, 10), (12, 10), (20, 11), (9, 12), (30, 1)]);
        assert_eq!(
            shape(&as_tree(host(&sample, &fixture::container(2)))),
            [
                (10, 1, 1, 2),
                (11, 2, 1, 2),
                (20, 3, 1, 1),
                (12, 2, 2, 2),
                (9, 3, 1, 1),
                (30, 1, 2, 2)
            ]
        );
    }

    #[test]
    fn in_the_container_the_tree_begins_at_its_pid_1() {
        let mut sample = fixture::sample(1);
        sample.processes[0].parent = 4821;
        sample.processes[2].parent = 4100;
        let eye = fixture::container(2);
        assert_eq!(shape(&as_tree(container(&sample, &eye))), [(4821, 1, 1, 1), (4907, 2, 1, 1)]);
        let outer = as_tree(host(&sample, &eye));
        assert_eq!(shape(&outer), [(4100, 1, 1, 1), (4821, 2, 1, 1), (4907, 3, 1, 1)]);
    }

    #[test]
    fn a_ring_and_a_parent_of_oneself_lose_nobody() {
        let sample = family(&[(5, 6), (6, 5), (7, 7)]);
        let rows = as_tree(host(&sample, &fixture::container(2)));
        let mut pids: Vec<u32> = rows.iter().map(|row| row.host_pid).collect();
        pids.sort_unstable();
        assert_eq!(pids, [5, 6, 7]);
        assert_eq!(as_tree(Vec::new()), []);
    }
}
