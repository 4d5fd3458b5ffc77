//! Whatever anybody may send: no panic, and one answer each.

use super::*;

/// xorshift64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).unwrap_or(0);
        from[at].clone()
    }
}

fn any_command(dice: &mut Dice, page: &Page) -> Command {
    let machines: Vec<MachineId> = page.host.boxes.iter().map(|it| it.record.id).collect();
    let containers = page.host.boxes.iter().flat_map(|it| it.record.containers.iter());
    let mut containers: Vec<ContainerId> = containers.map(|one| one.id).collect();
    containers.push(ContainerId(9));
    let mut ids = machines.clone();
    ids.push(MachineId(7));
    let (machine, container) = (dice.pick(&ids), dice.pick(&containers));
    let names = ["a", "b", "shell", "c1", "tasks", "..", "", "x/y", "cpu.stat"];
    let made = |dice: &mut Dice| {
        let path = dice.pick(&["a", "b", "a/b", "shell", "shell/a", "c1", "c1/a", "no"]);
        GroupId::Made(path.parse().unwrap())
    };
    let group = match dice.below(5) {
        0 => GroupId::Cap,
        1 => GroupId::Root,
        2 => GroupId::Shell,
        3 => GroupId::Container(container),
        _ => made(dice),
    };
    let number =
        |dice: &mut Dice| dice.pick(&[0, 1, 1_000, 20_000, 100_000, 1 << 20, 1 << 26, u64::MAX]);
    let argv = |dice: &mut Dice| -> Vec<String> {
        let words = [
            "sh",
            "sleep 1",
            "stress -m 2 --vm-bytes 300M",
            "nonsense",
            "",
            "top -b",
            "sh -c while:;do:;done",
        ];
        dice.pick(&words).split(' ').map(str::to_owned).collect()
    };
    match dice.below(20) {
        0 => Command::Ping { token: 1 },
        1 => Command::Subscribe { machine: Some(machine), hertz: dice.pick(&[0, 1, 4, 20, 21]) },
        2 => Command::Discover { machine },
        3 => Command::StartMachine { profile: dice.pick(&[Profile::Lab, Profile::Strict]) },
        4..=6 => {
            let mut spec = dice.pick(&[ContainerSpec::one_click(), ContainerSpec::machine_shell()]);
            if spec.rootfs != Rootfs::Machine {
                for kind in Namespace::ALL {
                    spec.namespaces = spec.namespaces.with(kind, dice.below(4) > 0);
                }
                spec.remount_proc = dice.below(2) == 0;
                spec.hostname = spec.hostname.filter(|_| dice.below(2) == 0);
                spec.init = dice.below(3) == 0;
                spec.limits.pids_max = [None, Some(1), Some(5)][dice.below(3) as usize];
                spec.limits.cpu_quota_usec =
                    [None, Some(20_000), Some(900_000)][dice.below(3) as usize];
                spec.limits.cpuset_cpus =
                    [None, Some("0".into()), Some("7".into())][dice.below(3) as usize].clone();
            }
            if dice.below(2) == 0 {
                spec.argv = argv(dice);
            }
            spec.tty = dice.below(3) > 0;
            Command::StartContainer { machine: Some(machine).filter(|_| dice.below(4) > 0), spec }
        }
        7 => Command::Exec { machine, container, argv: argv(dice) },
        8 => Command::StopContainer { machine, container },
        9 => Command::StopExecs { machine, container },
        10 if dice.below(4) == 0 => Command::EndMachine { machine },
        10 | 11 => {
            let quota = number(dice);
            let knob = match dice.below(8) {
                0 => Knob::CpuShares(quota),
                1 => Knob::CpusetCpus(dice.pick(&["0", "1", "0-1", "9", ""]).into()),
                2 => Knob::MemoryMax(Some(quota)),
                3 => Knob::PidsMax(Some(quota)),
                4 => Knob::Freeze(dice.below(2) == 0),
                5 => Knob::CpuBurst(quota),
                6 => Knob::OomGroup(true),
                _ => Knob::CpuMax { quota_usec: Some(quota), period_usec: number(dice) },
            };
            Command::SetKnob { machine, group, knob }
        }
        12 => {
            let file = dice.pick(crate::cgroup::FILES).name.to_owned();
            let value = dice.pick(&[
                "0",
                "max",
                "-1",
                "20000",
                "20000 100000",
                "FROZEN",
                "1",
                "99999999999999999999",
            ]);
            Command::WriteFile { machine, group, file, value: value.into() }
        }
        13 => Command::MakeGroup { machine, parent: group, name: dice.pick(&names).into() },
        14 => Command::RemoveGroup { machine, group },
        15 => {
            let pid = u32::try_from(dice.below(30)).unwrap_or(0);
            Command::MoveProcess { machine, pid, group }
        }
        16 => Command::ShowFiles { machine, group: Some(group) },
        17 => Command::Probe { machine, container: Some(container), probe: dice.pick(&Probe::ALL) },
        18 => {
            let look = dice.pick(&[Look::Cpu, Look::Use]);
            Command::Focus { on: Some(Focus { machine, group, look }) }
        }
        _ => {
            let line = dice.pick(&[
                "ps",
                "kill -9 1",
                "kill -9 -1",
                ":(){ :|:& };:",
                "echo $! | cat",
                "unshare --pid --fork sh -c ps",
            ]);
            Command::RunBoth { machine, container, line: line.into() }
        }
    }
}

#[test]
fn no_command_makes_it_panic_and_each_has_one_answer() {
    for seed in 1..=24_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
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
