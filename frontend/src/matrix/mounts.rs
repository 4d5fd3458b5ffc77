//! Mounts as trees, two of them side by side.

use std::collections::BTreeSet;

use vitrine_shared::discovery::Mount;

/// A mount in its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node<'a> {
    pub(crate) mount: &'a Mount,
    /// 0 for a root.
    pub(crate) depth: usize,
    pub(crate) beside: Beside,
}

/// What the other tree has at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// The same part of the same file system.
    Same,
    /// Another one.
    Other,
    /// Nothing.
    Nothing,
}

/// Most levels that are drawn; a deeper one stands at the last.
const MAX_DEPTH: usize = 8;

/// The tree of these, each below the mount that it is mounted on, beside another table.
pub(crate) fn tree<'a>(mounts: &'a [Mount], other: &[Mount]) -> Vec<Node<'a>> {
    let beside = |mount: &Mount| {
        let at_path: Vec<&Mount> = other.iter().filter(|one| one.path == mount.path).collect();
        let is_same = |one: &&Mount| (&one.device, &one.root) == (&mount.device, &mount.root);
        match at_path.iter().any(is_same) {
            true => Beside::Same,
            false if at_path.is_empty() => Beside::Nothing,
            false => Beside::Other,
        }
    };
    let known: BTreeSet<u32> = mounts.iter().map(|mount| mount.id).collect();
    let mut nodes = Vec::with_capacity(mounts.len());
    let mut done = BTreeSet::new();
    let is_root = |mount: &&Mount| mount.parent == mount.id || !known.contains(&mount.parent);
    let mut waiting: Vec<(&Mount, usize)> =
        mounts.iter().filter(is_root).map(|mount| (mount, 0)).collect();
    waiting.reverse();
    while let Some((mount, depth)) = waiting.pop() {
        // The numbers are the kernel's, but a table that was cut could have any shape.
        if !done.insert(mount.id) {
            continue;
        }
        nodes.push(Node { mount, depth: depth.min(MAX_DEPTH), beside: beside(mount) });
        let below = mounts.iter().filter(|other| other.parent == mount.id);
        let mut below: Vec<_> = below.map(|other| (other, depth + 1)).collect();
        below.reverse();
        waiting.extend(below);
    }
    nodes
}
