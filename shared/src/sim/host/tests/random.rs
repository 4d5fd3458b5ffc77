//! Whatever anybody may send: no panic, and one answer each.

use super::*;
use crate::sim::dice::Dice;

fn any_argv(dice: &mut Dice) -> Vec<String> {
    let lines = [
        "sh",
        "sleep 1",
        "stress -m 2 --vm-bytes 300M",
        "nonsense",
        "",
        "top -b",
        "sh -c while:;do:;done",
    ];
    dice.pick(&lines).split(' ').map(str::to_owned).collect()
}

fn any_spec(dice: &mut Dice) -> ContainerSpec {
    let mut spec = dice.pick(&[ContainerSpec::one_click(), ContainerSpec::machine_shell()]);
    if spec.rootfs != Rootfs::Machine {
        for kind in Namespace::ALL {
            spec.namespaces = spec.namespaces.with(kind, dice.below(4) > 0);
        }
        spec.remount_proc = dice.below(2) == 0;
        spec.hostname = spec.hostname.filter(|_| dice.below(2) == 0);
        spec.init = dice.below(3) == 0;
        spec.limits.pids_max = dice.pick(&[None, Some(1), Some(5)]);
        spec.limits.cpu_quota_usec = dice.pick(&[None, Some(20_000), Some(900_000)]);
        spec.limits.cpuset_cpus = dice.pick(&[None, Some("0".into()), Some("7".into())]);
    }
    if dice.below(2) == 0 {
        spec.argv = any_argv(dice);
    }
    spec.tty = dice.below(3) > 0;
    spec
}

fn any_number(dice: &mut Dice) -> u64 {
    dice.pick(&[0, 1, 1_000, 20_000, 100_000, 1 << 20, 1 << 26, u64::MAX])
}

fn any_knob(dice: &mut Dice) -> Knob {
    let number = any_number(dice);
    match dice.below(8) {
        0 => Knob::CpuShares(number),
        1 => Knob::CpusetCpus(dice.pick(&["0", "1", "0-1", "9", ""]).into()),
        2 => Knob::MemoryMax(Some(number)),
        3 => Knob::PidsMax(Some(number)),
        4 => Knob::Freeze(dice.below(2) == 0),
        5 => Knob::CpuBurst(number),
        6 => Knob::OomGroup(true),
        _ => Knob::CpuMax { quota_usec: Some(number), period_usec: any_number(dice) },
    }
}

fn any_group(dice: &mut Dice, container: ContainerId) -> GroupId {
    match dice.below(5) {
        0 => GroupId::Cap,
        1 => GroupId::Root,
        2 => GroupId::Shell,
        3 => GroupId::Container(container),
        _ => {
            let path = dice.pick(&["a", "b", "a/b", "shell", "shell/a", "c1", "c1/a", "no"]);
            GroupId::Made(path.parse().unwrap())
        }
    }
}

fn any_command(dice: &mut Dice, page: &Page) -> Command {
    let mut machines: Vec<MachineId> = page.host.boxes.iter().map(|it| it.record.id).collect();
    machines.push(MachineId(7));
    let containers = page.host.boxes.iter().flat_map(|it| it.record.containers.iter());
    let mut containers: Vec<ContainerId> = containers.map(|one| one.id).collect();
    containers.push(ContainerId(9));
    let (machine, container) = (dice.pick(&machines), dice.pick(&containers));
    let group = any_group(dice, container);
    match dice.below(20) {
        0 => Command::Ping { token: 1 },
        1 => Command::Subscribe { machine: Some(machine), hertz: dice.pick(&[0, 1, 4, 20, 21]) },
        2 => Command::Discover { machine },
        3 => Command::StartMachine { profile: dice.pick(&[Profile::Lab, Profile::Strict]) },
        4..=6 => {
            let machine = Some(machine).filter(|_| dice.below(4) > 0);
            Command::StartContainer { machine, spec: any_spec(dice) }
        }
        7 => Command::Exec { machine, container, argv: any_argv(dice) },
        8 => Command::StopContainer { machine, container },
        9 => Command::StopExecs { machine, container },
        10 if dice.below(4) == 0 => Command::EndMachine { machine },
        10 | 11 => Command::SetKnob { machine, group, knob: any_knob(dice) },
        12 => {
            let values =
                ["0", "max", "-1", "20000", "20000 100000", "FROZEN", "1", "9999999999999"];
            let (file, value) = (dice.pick(crate::cgroup::FILES).name, dice.pick(&values));
            Command::WriteFile { machine, group, file: file.into(), value: value.into() }
        }
        13 => {
            let names = ["a", "b", "shell", "c1", "tasks", "..", "", "x/y", "cpu.stat"];
            Command::MakeGroup { machine, parent: group, name: dice.pick(&names).into() }
        }
        14 => Command::RemoveGroup { machine, group },
        15 => {
            let pid = u32::try_from(dice.below(30)).unwrap_or(0);
            Command::MoveProcess { machine, pid, group }
        }
        16 => Command::ShowFiles { machine, group: Some(group) },
        17 => {
            let container = Some(container).filter(|_| dice.below(3) > 0);
            Command::Probe { machine, container, probe: dice.pick(&Probe::ALL) }
        }
        18 => {
            let look = dice.pick(&[Look::Cpu, Look::Use]);
            Command::Focus { on: Some(Focus { machine, group, look }) }
        }
        _ => {
            let lines = [
                "ps",
                "kill -9 1",
                "kill -9 -1",
                ":(){ :|:& };:",
                "echo $! | cat",
                "unshare --pid --fork sh -c ps",
            ];
            Command::RunBoth { machine, container, line: dice.pick(&lines).into() }
        }
    }
}

#[test]
fn no_command_makes_it_panic_and_each_has_one_answer() {
    for seed in 1..=24_u64 {
        let mut dice = Dice::new(seed);
        let mut page = Page::open(DIALECTS[usize::from(seed % 2 == 0)]);
        let mut asked = 0;
        for _ in 0..150 {
            let command = any_command(&mut dice, &page);
            page.number += 1;
            let id = page.number;
            asked += 1;
            let heard = page.host.hear(&ClientMessage { id, command });
            page.heard.extend(heard);
            let terminals: Vec<TerminalId> = page.host.terminals().collect();
            if !terminals.is_empty() {
                let terminal = dice.pick(&terminals);
                let keys = dice.pick(&[
                    "ls\r",
                    "\x03",
                    "\x04",
                    "stress -c 2 &\r",
                    "exit\r",
                    "\t\t",
                    "echo 1 > /sys/fs/cgroup/x\r",
                    "kill -9 1\r",
                ]);
                page.host.terminal_frame(terminal, &Input::Resume { seq: 0 }.encode());
                let seq = page
                    .host
                    .lines
                    .iter()
                    .find(|line| line.id() == terminal)
                    .map_or(0, Line::heard);
                page.host
                    .terminal_frame(terminal, &Input::Data { seq, bytes: keys.into() }.encode());
                page.host.terminal_frame(terminal, keys.as_bytes());
                page.host.take_frames(terminal);
            }
            page.pass(dice.below(200));
        }
        page.pass(5_000);
        let mut answers: Vec<u32> = page
            .heard
            .iter()
            .filter_map(|message| match message {
                ServerMessage::Answer { id, .. } => Some(*id),
                _ => None,
            })
            .collect();
        answers.sort_unstable();
        assert_eq!(answers, (1..=asked).collect::<Vec<u32>>(), "seed {seed}");
    }
}
