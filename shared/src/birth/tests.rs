use super::*;
use crate::message::StepName;
use crate::namespace::NamespaceSet;

fn steps(all: &[(StepName, &str)]) -> Vec<Step> {
    let step = |(at, (name, call)): (usize, &(StepName, &str))| Step {
        name: *name,
        call: (*call).into(),
        took_usec: 100 * (u32::try_from(at).unwrap() + 1),
    };
    all.iter().enumerate().map(step).collect()
}

/// As the launcher tells it of a container with everything of its own but the network.
const CONTAINER: &[(StepName, &str)] = &[
    (StepName::Cgroup, r#"mkdir(…/vitrine/1/2/root/c1); write(cpu.max, "20000 100000")"#),
    (StepName::IdMap, r#"unshare(CLONE_NEWUSER); write(uid_map, "0 0 65535")"#),
    (
        StepName::Setns,
        r#"unshare(CLONE_NEWTIME); write(timens_offsets, "boottime 5"); setns(pidfd, CLONE_NEWPID|CLONE_NEWNS|CLONE_NEWNET)"#,
    ),
    (
        StepName::Clone,
        "clone3({flags=CLONE_NEWPID|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_PIDFD|CLONE_PARENT})",
    ),
    (StepName::EnterCgroup, r#"write(tasks, "0"); unshare(CLONE_NEWCGROUP)"#),
    (StepName::Hostname, r#"sethostname("container")"#),
    (StepName::Rootfs, "mount_setattr(MOUNT_ATTR_IDMAP); mount(overlay, upperdir=tmpfs)"),
    (StepName::Dev, "mount(tmpfs); mknod ×6; mount(devpts, newinstance)"),
    (StepName::Proc, "mount(proc); mount(…, MS_BIND) ×12"),
    (StepName::Pty, "open(/dev/pts/ptmx); ioctl(TIOCGPTPEER); ioctl(TIOCSCTTY)"),
    (StepName::PivotRoot, r#"pivot_root(".", "."); umount2(".", MNT_DETACH)"#),
    (StepName::EnterUser, "setns(user); setresuid(0, 0, 0)"),
    (StepName::Capabilities, "capset(0); prctl(PR_SET_SECUREBITS); prctl(PR_SET_NO_NEW_PRIVS)"),
    (StepName::Rlimits, "setrlimit; keyctl; prctl(PR_SET_PDEATHSIG, SIGKILL)"),
    (StepName::Seccomp, "seccomp(SECCOMP_SET_MODE_FILTER, …)"),
    (StepName::Execve, r#"close_range; execve("/bin/sh")"#),
];

fn mounted(path: &str, kind: &str) -> Mounted {
    Mounted { path: path.into(), kind: kind.into(), read_only: false }
}

fn own() -> Newborn {
    Newborn {
        pids: vec![4821, 7, 1],
        namespaces: [11, 12, 13, 14, 15, 106, 17, 18],
        host_uid: 100_000,
        uids: vec![Extent { inside: 0, outside: 100_000, count: 65_535 }],
        no_new_privs: true,
        filters: 3,
        open_files: 1024,
        processes: 256,
        mounts: vec![mounted("/", "overlay"), mounted("/dev", "tmpfs"), mounted("/proc", "proc")],
        ..Newborn::default()
    }
}

fn machine() -> Newborn {
    Newborn { pids: vec![4800, 1], namespaces: [101, 102, 103, 104, 105, 106, 107, 108], ..own() }
}

fn story<'a>(steps: &'a [Step], own: &'a Newborn, machine: Option<&'a Newborn>) -> Story<'a> {
    Story { steps, failed: false, group: "root/c1", program: "/bin/sh", own, machine }
}

#[track_caller]
fn find<'a>(frame: &'a Frame<'_>, what: What) -> &'a Object {
    let found = frame.objects.iter().find(|object| object.what == what);
    found.unwrap_or_else(|| panic!("{what:?} after {:?}: {:?}", frame.step.name, frame.objects))
}

#[track_caller]
fn after<'a, 'b>(frames: &'b [Frame<'a>], name: StepName) -> &'b Frame<'a> {
    frames.iter().find(|frame| frame.step.name == name).unwrap()
}

#[track_caller]
fn namespace(frame: &Frame<'_>, kind: Namespace) -> (Whose, u64, bool) {
    match find(frame, What::Namespace(kind)).state {
        State::Namespace { whose, id, entered } => (whose, id, entered),
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn each_step_is_a_frame_and_each_frame_begins_where_the_last_one_ended() {
    let (steps, own, machine) = (steps(CONTAINER), own(), machine());
    let frames = frames(&story(&steps, &own, Some(&machine)));
    assert_eq!(frames.len(), steps.len());
    for pair in frames.windows(2) {
        assert_eq!(pair[1].since_usec, pair[0].since_usec + u64::from(pair[0].step.took_usec));
        // What is there stays there: births only add and change.
        let kept = |object: &Object| pair[1].objects.iter().any(|next| next.what == object.what);
        assert!(pair[0].objects.iter().all(kept), "{:?}", pair[1].step.name);
        let sorted = pair[1].objects.windows(2).all(|two| two[0].what < two[1].what);
        assert!(sorted, "in one order");
    }
    assert_eq!(frames[0].objects.len(), 1, "a group, and nobody yet");
}

#[test]
fn namespaces_are_the_machines_new_or_wait_for_their_process() {
    let (steps, own, machine) = (steps(CONTAINER), own(), machine());
    let frames = frames(&story(&steps, &own, Some(&machine)));
    let user = |name| namespace(after(&frames, name), Namespace::User);
    assert_eq!(user(StepName::IdMap), (Whose::Own, 15, false), "made, and nobody in it");
    assert_eq!(user(StepName::Clone), (Whose::Own, 15, false));
    assert_eq!(user(StepName::EnterUser), (Whose::Own, 15, true));
    let setns = after(&frames, StepName::Setns);
    assert_eq!(namespace(setns, Namespace::Pid), (Whose::Machine, 101, true), "the helper's");
    assert_eq!(namespace(setns, Namespace::Uts), (Whose::Host, 0, true), "not entered: not needed");
    let clone = after(&frames, StepName::Clone);
    assert_eq!(namespace(clone, Namespace::Pid), (Whose::Own, 11, true));
    assert_eq!(namespace(clone, Namespace::Net), (Whose::Machine, 106, true), "shared");
    assert_eq!(namespace(clone, Namespace::Time), (Whose::Own, 18, true), "the helper unshared it");
    assert_eq!(find(clone, What::Namespace(Namespace::Net)).change, Change::Same);
    assert_eq!(find(clone, What::Namespace(Namespace::Pid)).change, Change::Changed);
    assert_eq!(find(clone, What::Clocks).state, State::Set("boottime 5".into()));
    assert_eq!(namespace(clone, Namespace::Cgroup), (Whose::Host, 0, true), "not yet");
    let group = after(&frames, StepName::EnterCgroup);
    assert_eq!(namespace(group, Namespace::Cgroup), (Whose::Own, 17, true));
}

#[test]
fn a_group_is_made_with_its_limits_and_entered_later() {
    let (steps, own) = (steps(CONTAINER), own());
    let frames = frames(&story(&steps, &own, None));
    let wrote = vec![r#"cpu.max ← "20000 100000""#.to_string()];
    let group = |inside| State::Group { path: "root/c1".into(), wrote: wrote.clone(), inside };
    assert_eq!(find(&frames[0], What::Group).state, group(false));
    assert_eq!(find(after(&frames, StepName::Clone), What::Group).state, group(false));
    let entered = find(after(&frames, StepName::EnterCgroup), What::Group);
    assert_eq!((&entered.state, entered.change), (&group(true), Change::Changed));
    assert_eq!(entered.origin, Origin::Report);
}

#[test]
fn on_the_unified_hierarchy_a_process_is_born_into_its_group() {
    let steps = steps(&[
        (StepName::Cgroup, "mkdir(…/c1)"),
        (StepName::Clone, "clone3({flags=CLONE_NEWPID|CLONE_INTO_CGROUP})"),
    ]);
    let own = own();
    let frames = frames(&story(&steps, &own, None));
    assert!(matches!(find(&frames[1], What::Group).state, State::Group { inside: true, .. }));
}

#[test]
fn rights_are_modelled_until_they_are_read() {
    let (steps, own) = (steps(CONTAINER), own());
    let frames = frames(&story(&steps, &own, None));
    let caps = |name| {
        let found = find(after(&frames, name), What::Capabilities);
        (found.state.clone(), found.origin)
    };
    assert_eq!(caps(StepName::Clone), (State::Launchers, Origin::Modelled));
    assert_eq!(caps(StepName::EnterUser), (State::AllInside, Origin::Modelled));
    let none = State::Capabilities { has: 0, most: 0, no_new_privs: true };
    assert_eq!(caps(StepName::Capabilities), (none, Origin::Kernel));
    let last = frames.last().unwrap();
    assert_eq!(find(last, What::Seccomp).state, State::Filters(3));
    assert_eq!(find(last, What::User).state, State::Root0(Some(100_000)));
    assert_eq!(find(last, What::Descriptors).state, State::Terminal { alone: true });
    let program = State::Program(vec![4821, 7, 1], "/bin/sh".into());
    assert_eq!(find(last, What::Process).state, program);
}

#[test]
fn one_that_was_not_seen_has_no_values_but_what_was_told() {
    let (steps, own) = (steps(CONTAINER), Newborn::default());
    let frames = frames(&story(&steps, &own, None));
    let last = frames.last().unwrap();
    assert!(last.objects.iter().all(|object| object.origin != Origin::Kernel), "{last:?}");
    assert_eq!(find(last, What::Limits).state, State::Done);
    assert_eq!(find(last, What::Ids).state, State::Set("0 0 65535".into()));
    assert_eq!(namespace(last, Namespace::Pid), (Whose::Own, 0, true));
}

#[test]
fn what_did_not_happen_is_in_no_frame() {
    let shell = steps(&[
        (
            StepName::Setns,
            "setns(pidfd, CLONE_NEWPID|CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWNET|CLONE_NEWTIME)",
        ),
        (StepName::Clone, "clone3({flags=CLONE_PIDFD|CLONE_PARENT})"),
        (StepName::EnterCgroup, r#"write(tasks, "0"); setns(CLONE_NEWCGROUP)"#),
        (StepName::PivotRoot, "fchdir(root); chroot(\".\")"),
        (StepName::EnterUser, "setns(user); setresuid(0, 0, 0)"),
        (StepName::Execve, "execve"),
    ]);
    let (own, machine) = (own(), machine());
    let frames = frames(&story(&shell, &own, Some(&machine)));
    let last = frames.last().unwrap();
    for kind in Namespace::ALL {
        let id = 101 + kind as u64;
        assert_eq!(namespace(last, kind), (Whose::Machine, id, true), "{kind:?}");
    }
    for what in [What::Hostname, What::Loopback, What::Ids, What::Dev, What::Proc, What::Seccomp] {
        let there = last.objects.iter().any(|object| object.what == what);
        assert_eq!(there, what == What::Seccomp, "{what:?}");
    }
    assert_eq!(find(last, What::Seccomp).state, State::Launchers, "it has no filter of its own");
    assert!(matches!(
        find(last, What::Root).state,
        State::Root { entered: Some(Entered::Chroot), .. }
    ));
    assert_eq!(find(last, What::Descriptors).state, State::NoTerminal);
}

#[test]
fn a_namespace_that_is_made_twice_has_its_number_the_second_time() {
    let lab = steps(&[
        (
            StepName::Clone,
            "unshare(CLONE_NEWTIME); clone3({flags=CLONE_NEWPID|CLONE_NEWNS|CLONE_NEWNET|CLONE_PIDFD})",
        ),
        (StepName::EnterCgroup, "unshare(CLONE_NEWNS|CLONE_NEWUTS|CLONE_NEWIPC|CLONE_NEWCGROUP)"),
        (StepName::PivotRoot, "mount(cgroup) ×2; pivot_root(\".\", \".\")"),
    ]);
    let own = own();
    let frames = frames(&story(&lab, &own, None));
    assert_eq!(namespace(&frames[0], Namespace::Mount), (Whose::Own, 0, true));
    assert_eq!(find(&frames[0], What::Namespace(Namespace::Mount)).origin, Origin::Report);
    assert_eq!(namespace(&frames[0], Namespace::Net), (Whose::Own, 106, true));
    assert_eq!(namespace(&frames[0], Namespace::Time), (Whose::Own, 18, true));
    assert_eq!(namespace(&frames[0], Namespace::Uts), (Whose::Host, 0, true));
    assert_eq!(namespace(&frames[1], Namespace::Mount), (Whose::Own, 12, true));
    assert_eq!(find(&frames[1], What::Namespace(Namespace::Mount)).change, Change::Changed);
    assert_eq!(find(&frames[2], What::Hierarchies).change, Change::New);
}

#[test]
fn a_birth_that_fails_ends_at_the_step_and_changes_nothing_there() {
    let mut steps = steps(CONTAINER);
    steps.truncate(5);
    let own = Newborn::default();
    let failed = Story { failed: true, ..story(&steps, &own, None) };
    let frames = frames(&failed);
    assert_eq!(
        frames.iter().map(|frame| frame.failed).collect::<Vec<_>>(),
        [false, false, false, false, true]
    );
    let (before, last) = (&frames[3], &frames[4]);
    let states = |frame: &Frame<'_>| -> Vec<State> {
        frame.objects.iter().map(|object| object.state.clone()).collect()
    };
    assert_eq!(states(before), states(last));
    assert!(last.objects.iter().all(|object| object.change == Change::Same));
}

#[test]
fn calls_are_read_word_by_word() {
    use super::calls::*;
    let set = namespaces("unshare(CLONE_NEWNS|CLONE_NEWCGROUP); setns(CLONE_NEWNET)", "unshare");
    let wanted = NamespaceSet::NONE.with(Namespace::Mount, true).with(Namespace::Cgroup, true);
    assert_eq!(set, wanted);
    assert!(!has("umount2(x); setns2(y)", "setns"));
    assert!(!has_flag("clone3({flags=CLONE_NEWPIDX})", "CLONE_NEWPID"));
    assert_eq!(writes("a; write(tasks, \"0\")"), ["tasks ← \"0\""]);
    assert_eq!(quoted("sethostname(\"a\")"), "a");
    assert_eq!(quoted("sethostname(…)"), "");
    assert_eq!(each("").count(), 0);
}
