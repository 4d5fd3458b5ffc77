//! The matrix of a machine with two containers, one of which has the machine's network.

use vitrine_shared::discovery::{Extent, Mount};
use vitrine_shared::id::ContainerId;

use super::mounts::Beside;
use super::*;
use crate::fixture;

const MACHINES: u64 = 4_026_532_100;
const C1S: u64 = 4_026_532_200;
const C2S: u64 = 4_026_532_300;
const TIME: u64 = 4_026_531_834;

fn process(pid: u32, container: Option<ContainerId>, first: u64) -> Process {
    let sample = fixture::sample(0);
    let mut namespaces: [u64; 8] = std::array::from_fn(|i| first + i as u64);
    namespaces[Namespace::Time as usize] = TIME;
    Process {
        pids: vec![pid, pid - 4_000, 1],
        container,
        start_ticks: u64::from(pid),
        namespaces,
        ..sample.processes[0].clone()
    }
}

fn machine() -> Machine {
    let mut machine = fixture::machine();
    let mut second = fixture::container(2);
    (second.id, second.name) = (ContainerId(9), "c2".into());
    machine.containers.push(second);
    machine
}

/// PID 4100 is the machine's first, 4821 in c1, 4900 and 4901 in c2, which has the machine's net.
fn processes() -> Vec<Process> {
    let mut processes = vec![
        process(4901, Some(ContainerId(9)), C2S),
        process(4821, Some(fixture::CONTAINER), C1S),
        process(4900, Some(ContainerId(9)), C2S),
        process(4100, None, MACHINES),
    ];
    for at in [0, 2] {
        processes[at].namespaces[Namespace::Net as usize] = MACHINES + 5;
    }
    processes
}

fn discovery() -> Discovery {
    let mut initial = [1; 8];
    initial[Namespace::Time as usize] = TIME;
    let held = Found {
        kind: Namespace::Uts,
        id: 4_026_532_900,
        whose: Whose::Made,
        processes: 0,
        pid: None,
        held_by: vec![Holder::Descriptor { pid: 4100, fd: 9 }],
        owner: None,
        owner_uid: None,
        parent: None,
    };
    let mut machines: [u64; 8] = std::array::from_fn(|i| MACHINES + i as u64);
    machines[Namespace::Time as usize] = TIME;
    Discovery { initial, machines, namespaces: vec![held], ..fixture::discovery(fixture::MACHINE) }
}

fn made(choice: Choice) -> Matrix {
    let (machine, processes, discovery) = (machine(), processes(), discovery());
    let sources = Sources { machine: &machine, processes: &processes, discovery: &discovery };
    matrix(&sources, choice, &mut Names::default())
}

fn pids(group: &Group) -> Vec<u32> {
    let pid = |row: &Row| match row.head {
        Head::Process { pid, .. } => Some(pid),
        Head::Held(_) => None,
    };
    group.rows.iter().filter_map(pid).collect()
}

#[test]
fn by_container_and_who_shares_what() {
    let matrix = made(Choice::default());
    let whose: Vec<_> = matrix.groups.iter().map(|group| group.whose.clone()).collect();
    let container = |name: &str| GroupOf::Container(name.into());
    assert_eq!(whose, [GroupOf::Machine, container("c1"), container("c2"), GroupOf::Held]);
    assert_eq!(pids(&matrix.groups[2]), [4900, 4901]);
    let cell = |group: usize, kind: Namespace| {
        let cell = matrix.groups[group].rows[0].cells[kind as usize].clone().unwrap();
        (cell.name, cell.mark)
    };
    let c2 = Party::Container("c2".into());
    assert_eq!(cell(0, Namespace::Net), ("A".into(), Mark::Shared(vec![c2])));
    assert_eq!(cell(1, Namespace::Net), ("B".into(), Mark::Own));
    assert_eq!(cell(2, Namespace::Net), ("A".into(), Mark::Shared(vec![Party::Machine])));
    assert_eq!(cell(2, Namespace::Pid), ("C".into(), Mark::Own));
    assert_eq!(cell(1, Namespace::Time), (String::new(), Mark::Initial));
    let count = |kind: Namespace| matrix.columns[kind as usize].1;
    assert_eq!((count(Namespace::Net), count(Namespace::Pid), count(Namespace::Time)), (2, 3, 1));
}

#[test]
fn what_nobody_is_in_has_a_row() {
    let matrix = made(Choice::default());
    let held = &matrix.groups[3].rows[0];
    assert_eq!(held.head, Head::Held(vec![Holder::Descriptor { pid: 4100, fd: 9 }]));
    let cells: Vec<_> = held.cells.iter().flatten().collect();
    assert_eq!((cells.len(), cells[0].kind, cells[0].name.as_str()), (1, Namespace::Uts, "D"));
    assert_eq!(matrix.columns[Namespace::Uts as usize].1, 4);
}

#[test]
fn one_that_somebody_has_entered_since_is_no_longer_held_only() {
    let (machine, mut processes, discovery) = (machine(), processes(), discovery());
    processes[1].namespaces[Namespace::Uts as usize] = 4_026_532_900;
    let sources = Sources { machine: &machine, processes: &processes, discovery: &discovery };
    let matrix = matrix(&sources, Choice::default(), &mut Names::default());
    assert!(matrix.groups.iter().all(|group| group.whose != GroupOf::Held));
}

#[test]
fn only_what_differs_from_the_host() {
    let matrix = made(Choice { only_different: true, ..Choice::default() });
    assert!(matrix.columns.iter().all(|(kind, _)| *kind != Namespace::Time));
    assert_eq!(matrix.columns.len(), 7);
    assert!(matrix.groups.iter().flat_map(|g| &g.rows).all(|row| row.cells.len() == 7));
}

#[test]
fn by_namespace() {
    let matrix = made(Choice { by: Some(Namespace::Net), ..Choice::default() });
    let net = |id, name: &str| GroupOf::Namespace(Namespace::Net, id, name.into());
    assert_eq!(matrix.groups[0].whose, net(MACHINES + 5, "A"));
    assert_eq!(pids(&matrix.groups[0]), [4100, 4900, 4901]);
    assert_eq!(matrix.groups[1].whose, net(C1S + 5, "B"));
}

#[test]
fn only_the_types_that_are_wanted() {
    let types = [Namespace::Uts, Namespace::Net].into_iter().collect();
    let matrix = made(Choice { types, ..Choice::default() });
    let kinds: Vec<Namespace> = matrix.columns.iter().map(|column| column.0).collect();
    assert_eq!(kinds, [Namespace::Uts, Namespace::Net]);
    assert!(matrix.groups.iter().flat_map(|g| &g.rows).all(|row| row.cells.len() == 2));
    assert!(matrix.groups.iter().any(|group| group.whose == GroupOf::Held));
    // What nobody is in is of a type without a column: no row of its own.
    let types = Namespace::ALL.into_iter().filter(|kind| *kind != Namespace::Uts).collect();
    let matrix = made(Choice { types, ..Choice::default() });
    assert!(matrix.groups.iter().all(|group| group.whose != GroupOf::Held));
}

#[test]
fn two_processes_and_the_evidence() {
    let processes = processes();
    let (a, mut b) = (&processes[3], processes[2].clone());
    b.namespaces[Namespace::Ipc as usize] = 0;
    let pairs = compare::compare(a, &b);
    let shared = |kind: Namespace| pairs[kind as usize].shared;
    assert_eq!(shared(Namespace::Net), Some(true));
    assert_eq!(shared(Namespace::Pid), Some(false));
    assert_eq!(shared(Namespace::Ipc), None, "what could not be read is neither");
    let [of_a, of_b] = &pairs[Namespace::Mount as usize].evidence;
    assert_eq!(of_a.line, "readlink /proc/4100/ns/mnt");
    assert_eq!(of_b.prints, format!("mnt:[{}]", C2S + 1));
    assert_eq!(pairs[Namespace::Ipc as usize].evidence[1].prints, "");
}

#[test]
fn slopes_cross_where_the_orders_differ() {
    let extent = |inside, outside, count| Extent { inside, outside, count };
    let slopes = maps::slopes(&[extent(1, 100_000, 65_536), extent(0, 200_000, 1)]);
    let step = maps::BAND + maps::GAP;
    let places: Vec<_> =
        slopes.iter().map(|s| (s.extent.inside, s.inside_at, s.outside_at)).collect();
    assert_eq!(places, [(0, 0, step), (1, step, 0)]);
    assert_eq!(slopes[1].last(), (65_536, 165_535));
    assert!(maps::is_identity(&[extent(0, 0, u32::MAX)]));
    assert!(!maps::is_identity(&[extent(0, 100_000, 65_536)]));
}

fn mount(id: u32, parent: u32, path: &str, device: &str) -> Mount {
    let text = String::new;
    Mount {
        id,
        parent,
        device: device.into(),
        root: "/".into(),
        path: path.into(),
        options: text(),
        propagation: text(),
        kind: text(),
        source: text(),
    }
}

#[test]
fn trees_beside_each_other() {
    let ours = [
        mount(10, 1, "/", "0:10"),
        mount(12, 11, "/dev/pts", "0:12"),
        mount(11, 10, "/dev", "0:11"),
        mount(13, 10, "/proc", "0:13"),
    ];
    let theirs = [mount(20, 1, "/", "0:20"), mount(23, 20, "/proc", "0:13")];
    let nodes = mounts::tree(&ours, &theirs);
    let seen: Vec<_> = nodes.iter().map(|n| (n.mount.path.as_str(), n.depth, n.beside)).collect();
    let expected = [
        ("/", 0, Beside::Other),
        ("/dev", 1, Beside::Nothing),
        ("/dev/pts", 2, Beside::Nothing),
        ("/proc", 1, Beside::Same),
    ];
    assert_eq!(seen, expected);
    // A ring, which no kernel makes, ends too.
    let ring = [mount(1, 2, "/a", "0:1"), mount(2, 1, "/b", "0:1"), mount(3, 3, "/", "0:1")];
    assert_eq!(mounts::tree(&ring, &[]).len(), 1);
}
