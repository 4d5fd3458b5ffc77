//! What a container hides and what leaks, from the readings of it and of its machine; and the same
//! container with other switches.

use vitrine_shared::leaks::{Finding, Row, judge};
use vitrine_shared::message::{Container, Machine};
use vitrine_shared::namespace::{Namespace, NamespaceSet};
use vitrine_shared::process::Process;
use vitrine_shared::spec::ContainerSpec;
use vitrine_shared::truth::{Output, Probe, ProcView};

use crate::kinds::{is_machine_shell, is_running};
use crate::readings::Readings;

/// The inodes of a container's namespaces and of its machine's, in the order of [`Namespace::ALL`].
pub(crate) type Inodes = [(u64, u64); 8];

/// Reads both from a sample; `None` while one of the two processes is not in it.
pub(crate) fn inodes(
    processes: &[Process],
    machine: &Machine,
    container: &Container,
) -> Option<Inodes> {
    let vitrine_shared::message::ContainerState::Running { pid } = container.state else {
        return None;
    };
    let of = |pid| processes.iter().find(|one| one.host_pid() == pid).map(|one| one.namespaces);
    let (inside, outside) = (of(pid)?, of(machine.init_pid)?);
    Some(std::array::from_fn(|at| (inside[at], outside[at])))
}

/// The namespaces that are the container's own: by their inodes, or as it was asked for.
pub(crate) fn own(inodes: Option<&Inodes>, spec: &ContainerSpec) -> NamespaceSet {
    let Some(inodes) = inodes else { return spec.namespaces };
    let pairs = Namespace::ALL.into_iter().zip(inodes);
    pairs
        .filter(|(_, (inside, outside))| inside != outside)
        .map(|(namespace, _)| namespace)
        .collect()
}

/// Every probe of every row, in the container and in the machine.
pub(crate) fn questions(
    container: &Container,
) -> Vec<(Option<vitrine_shared::id::ContainerId>, Probe)> {
    let probes = Row::ALL.iter().flat_map(|row| row.probes());
    probes.flat_map(|&probe| [(None, probe), (Some(container.id), probe)]).collect()
}

/// The last reading of a probe in a container, under whatever view it was.
pub(crate) fn inside<'a>(
    readings: &'a Readings,
    container: &Container,
    probe: Probe,
) -> Option<&'a Output> {
    let views = [ProcView::Host, ProcView::Own, ProcView::Lxcfs].into_iter();
    let found = views.filter_map(|view| readings.of(container.id, probe, view));
    found.map(|reading| &reading.output).max_by_key(|output| output.at_msec)
}

/// The last reading of a probe in the machine.
pub(crate) fn outside(readings: &Readings, probe: Probe) -> Option<&Output> {
    readings.of(None, probe, ProcView::Host).map(|reading| &reading.output)
}

/// What came of a row.
pub(crate) fn found(
    readings: &Readings,
    container: &Container,
    own: NamespaceSet,
    row: Row,
) -> Option<Finding> {
    judge(
        row,
        own.has(row.namespace()),
        |probe| inside(readings, container, probe),
        |probe| outside(readings, probe),
    )
}

/// The container before this one that was looked at in the same way.
pub(crate) fn before<'a>(
    readings: &Readings,
    machine: &'a Machine,
    container: &Container,
) -> Option<&'a Container> {
    let at = machine.containers.iter().position(|one| one.id == container.id)?;
    machine.containers[..at].iter().rev().find(|one| {
        let read = |row: &Row| row.probes().iter().any(|&p| inside(readings, one, p).is_some());
        !is_machine_shell(one) && Row::ALL.iter().any(read)
    })
}

/// The same container with these namespaces, and a `/proc` of its own or not: what goes with a
/// namespace goes without it.
pub(crate) fn anew(spec: &ContainerSpec, namespaces: NamespaceSet, remount: bool) -> ContainerSpec {
    let remount_proc = remount && namespaces.has(Namespace::Mount);
    let named = || spec.hostname.clone().unwrap_or_else(|| "container".into());
    let mut spec = ContainerSpec {
        namespaces,
        remount_proc,
        hostname: namespaces.has(Namespace::Uts).then(named),
        time_offset_secs: if namespaces.has(Namespace::Time) { spec.time_offset_secs } else { 0 },
        ..spec.clone()
    };
    if spec.check_view(spec.proc_view).is_err() {
        spec.proc_view = ProcView::Host;
    }
    spec
}

/// Can it be asked?
pub(crate) fn can_be_asked(container: &Container) -> bool {
    is_running(container) && !is_machine_shell(container)
}

#[cfg(test)]
mod tests {
    use vitrine_shared::id::ContainerId;
    use vitrine_shared::leaks::Verdict;
    use vitrine_shared::message::{Answer, Command, Made};

    use super::*;
    use crate::fixture::{self, MACHINE};

    fn heard(readings: &mut Readings, container: Option<ContainerId>, probe: Probe, text: &str) {
        let command = Command::Probe { machine: MACHINE, container, probe };
        let view = ProcView::Host;
        let text = text.to_string();
        let output = Output { text, cut: false, status: 0, busybox: false, view, at_msec: 1 };
        let made = Some(Made::Output(output));
        readings.heard(&command, Some(&Answer::Done { deeds: Vec::new(), made }));
    }

    #[test]
    fn own_is_what_has_another_inode() {
        let (machine, container) = (fixture::machine(), fixture::container(2));
        let mut sample = fixture::sample(1);
        assert_eq!(own(None, &container.spec), NamespaceSet::ALL);
        for process in &mut sample.processes {
            process.namespaces = [7; 8];
            if process.host_pid() == 4821 {
                process.namespaces[2] = 8;
            }
        }
        let found = inodes(&sample.processes, &machine, &container);
        let only_uts = NamespaceSet::NONE.with(Namespace::Uts, true);
        assert_eq!(own(found.as_ref(), &container.spec), only_uts);
        assert_eq!(inodes(&[], &machine, &container), None);
    }

    #[test]
    fn a_row_is_judged_by_both_and_the_one_before_is_found() {
        let mut machine = fixture::machine();
        let mut second = fixture::container(2);
        second.id = ContainerId(9);
        machine.containers.push(second.clone());
        let mut readings = Readings::default();
        let first = machine.containers[0].clone();
        let verdict = |readings: &Readings, of: &Container| {
            found(readings, of, NamespaceSet::ALL, Row::Hostname).map(|found| found.verdict)
        };
        assert_eq!(verdict(&readings, &first), None);
        assert_eq!(before(&readings, &machine, &second), None);
        heard(&mut readings, None, Probe::Hostname, "machine\n");
        heard(&mut readings, Some(first.id), Probe::Hostname, "machine\n");
        heard(&mut readings, Some(second.id), Probe::Hostname, "box\n");
        assert_eq!(verdict(&readings, &first), Some(Verdict::Alike));
        assert_eq!(verdict(&readings, &second), Some(Verdict::Hidden));
        assert_eq!(before(&readings, &machine, &second).map(|one| one.id), Some(first.id));
        assert_eq!(before(&readings, &machine, &first), None);
    }

    #[test]
    fn with_any_switches_it_is_sound() {
        let first = ContainerSpec {
            time_offset_secs: 60,
            proc_view: ProcView::Lxcfs,
            ..ContainerSpec::one_click()
        };
        for bits in 0..=255_u8 {
            let on = |at: usize| bits & (1 << at) != 0;
            let set = Namespace::ALL.into_iter().enumerate();
            let set: NamespaceSet = set.filter(|(at, _)| on(*at)).map(|(_, n)| n).collect();
            for remount in [false, true] {
                let spec = anew(&first, set, remount);
                assert_eq!(spec.check(), Ok(()), "{set:?} {remount}");
                assert_eq!(spec.namespaces, set);
            }
        }
        assert_eq!(anew(&first, NamespaceSet::ALL, true), first);
        assert_eq!(questions(&fixture::container(2)).len(), 2 * 14);
    }
}
