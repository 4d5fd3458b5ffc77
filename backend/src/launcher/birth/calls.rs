//! The calls of a birth as `strace` would write them, for those who look at it.

use nix::sched::CloneFlags;
use vitrine_shared::namespace::Namespace;

use super::{Plan, Program};

/// The call as `strace` would write it, for the page.
pub(super) fn clone_call(plan: &Plan<'_>) -> String {
    let mut flags: Vec<_> = plan.direct().map(Namespace::flag_name).collect();
    flags.push("CLONE_PIDFD");
    if plan.procs.into.is_some() {
        flags.push("CLONE_INTO_CGROUP");
    }
    if plan.into.is_some() {
        flags.push("CLONE_PARENT");
    }
    format!("clone3({{flags={}}})", flags.join("|"))
}

/// What comes before other calls for a new time namespace; empty without one.
pub(super) fn time_calls(plan: &Plan<'_>) -> String {
    if !plan.namespaces.has(Namespace::Time) {
        return String::new();
    }
    match plan.time_offset_secs {
        0 => "unshare(CLONE_NEWTIME); ".into(),
        secs => format!(
            "unshare(CLONE_NEWTIME); write(timens_offsets, \"monotonic {secs}, boottime {secs}\"); "
        ),
    }
}

/// The last calls: every other descriptor is closed, and the program takes the process over.
pub(super) fn execve_call(plan: &Plan<'_>) -> String {
    match &plan.program {
        Program::Init(..) => "close_range(…); execveat(init)".into(),
        Program::Argv(argv) => {
            let name = argv.first().map_or("", String::as_str);
            format!("close_range(…); execve({name:?})")
        }
    }
}

/// A helper enters these of the machine's.
pub(super) fn setns_call(plan: &Plan<'_>, entered: CloneFlags) -> String {
    let entered = u64::from(entered.bits().cast_unsigned());
    let is_entered = |one: &Namespace| entered & one.clone_flag() != 0;
    let flags: Vec<_> =
        Namespace::ALL.into_iter().filter(is_entered).map(Namespace::flag_name).collect();
    format!("{}setns(pidfd, {})", time_calls(plan), flags.join("|"))
}
