//! The machine's groups as the tree-table shows them: lines, the way up to what binds, what was
//! written and can be taken back, and the last half minute. Pure; the view is in `components/groups`.

pub(crate) mod rings;
pub(crate) mod tree;
pub(crate) mod undo;
pub(crate) mod way_up;
