//! What is read of a step's calls, which are written as `strace` would write them.

use crate::namespace::{Namespace, NamespaceSet};

/// The calls of a step.
pub(super) fn each(calls: &str) -> impl Iterator<Item = &str> {
    calls.split("; ").map(str::trim).filter(|call| !call.is_empty())
}

/// Is one of them this?
pub(super) fn has(calls: &str, name: &str) -> bool {
    each(calls).any(|call| is(call, name))
}

fn is(call: &str, name: &str) -> bool {
    call.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))
}

/// The namespaces that calls of this name are about.
pub(super) fn namespaces(calls: &str, name: &str) -> NamespaceSet {
    let flags = each(calls).filter(|call| is(call, name)).flat_map(words);
    let named = |word: &str| Namespace::ALL.into_iter().find(|one| one.flag_name() == word);
    flags.filter_map(named).collect()
}

/// Is this flag given?
pub(super) fn has_flag(calls: &str, flag: &str) -> bool {
    words(calls).any(|word| word == flag)
}

fn words(call: &str) -> impl Iterator<Item = &str> {
    call.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// What was written to which file, without the name of the call: `cpu.max, "20000 100000"`.
pub(super) fn writes(calls: &str) -> Vec<String> {
    let inside = |call| -> Option<String> {
        let call: &str = call;
        Some(call.strip_prefix("write(")?.strip_suffix(')')?.replacen(", ", " ← ", 1))
    };
    each(calls).filter_map(inside).collect()
}

/// The user that a process becomes, by `setresuid(uid, uid, uid)`.
pub(super) fn user(calls: &str) -> Option<&str> {
    let ids = each(calls).find_map(|call| call.strip_prefix("setresuid("))?;
    ids.split(',').next().filter(|uid| *uid != "0")
}

/// The text between the first pair of quotes.
pub(super) fn quoted(calls: &str) -> &str {
    calls.split('"').nth(1).unwrap_or_default()
}
