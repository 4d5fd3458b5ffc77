//! Real texts of this and other kernels, hostile ones, and mutations of both.

use super::*;

const STAT: &[u8] = include_bytes!("../../../tests/fixtures/observer/stat");
const STATUS: &[u8] = include_bytes!("../../../tests/fixtures/observer/status");
const V1_CPU_STAT: &[u8] = include_bytes!("../../../tests/fixtures/observer/v1.cpu.stat");
const V2_CPU_STAT: &[u8] = include_bytes!("../../../tests/fixtures/observer/v2.cpu.stat");
const OOM_CONTROL: &[u8] = include_bytes!("../../../tests/fixtures/observer/v1.memory.oom_control");
const MEMORY_EVENTS: &[u8] = include_bytes!("../../../tests/fixtures/observer/v2.memory.events");

#[track_caller]
fn check_stat(comm: &str, state: char) {
    let tail = "4194304 121 0 0 0 7 5 0 0 20 0 1 0 144101 3133440 418 18446744073709551615";
    let text = format!("42 ({comm}) {state} 7 42 42 0 -1 {tail}\n");
    let expected = Stat {
        comm: comm.as_bytes(),
        state,
        parent: 7,
        is_kernel: false,
        cpu_ticks: 12,
        start_ticks: 144_101,
    };
    assert_eq!(stat(text.as_bytes()), Some(expected), "{text:?}");
}

#[test]
fn a_name_cannot_forge_the_fields_behind_it() {
    for comm in ["cat", "", ")", "a) R 1 (b", "x\n42 (y) Z 1", "((", ") Z 0 0 0", "tmux: server"] {
        check_stat(comm, 'S');
    }
    check_stat("D (D) D", 'D');
}

#[test]
fn stat_of_this_kernel() {
    let stat = stat(STAT).unwrap();
    assert_eq!((stat.comm, stat.state, stat.parent), (&b"cat"[..], 'R', 11_306));
    assert_eq!((stat.cpu_ticks, stat.start_ticks), (0, 144_101));
}

#[test]
fn half_a_stat_is_none() {
    for text in
        ["", "1", "1 (", "1 (a", "1 (a)", "1 (a) S", "1 (a) S 1 2 3", "1 )a( S", "1 (a) 5 1"]
    {
        assert_eq!(stat(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn status_of_this_kernel() {
    let status = status(STATUS).unwrap();
    assert_eq!(status.pids, [11_308, 12, 1]);
    assert_eq!(status.euid, 165_537);
    assert_eq!(status.rss_bytes, 1784 * 1024);
}

#[test]
fn a_zombie_has_no_memory_and_an_escaped_name_forges_no_line() {
    let text = b"Name:\tx\\nNSpid:\t1\nUid:\t0\t5\t0\t0\nNSpid:\t9\n";
    assert_eq!(status(text), Some(Status { pids: vec![9], euid: 5, rss_bytes: 0 }));
    assert_eq!(status(b"Name:\tx\nNSpid:\t9\n"), None, "no Uid line");
}

#[test]
fn cpu_stat_in_both_dialects() {
    let expected = |usage_nsec| CpuStat {
        usage_nsec,
        nr_periods: 52,
        nr_throttled: 51,
        throttled_usec: 4_067_318,
        ..CpuStat::default()
    };
    assert_eq!(cpu_stat(V1_CPU_STAT), expected(None));
    assert_eq!(cpu_stat(V2_CPU_STAT), expected(Some(1_040_112_000)));
    let bursts = |text| (cpu_stat(text).nr_bursts, cpu_stat(text).burst_usec);
    assert_eq!(bursts(b"nr_bursts 3\nburst_time 7000\n"), (3, 7), "v1 counts nanoseconds");
    assert_eq!(bursts(b"nr_bursts 3\nburst_usec 7\n"), (3, 7));
    assert_eq!(cpu_stat(b"nr_periods\nnr_throttled x\n-"), CpuStat::default());
}

#[test]
fn times_of_cpus_and_threads() {
    assert_eq!(values(b"5 0 7 0 0 \n", 64), [5, 0, 7]);
    assert_eq!(values(b"5 6 7\n", 2), [5, 6]);
    assert!(values(b"x 6\n", 2).is_empty());
    assert_eq!(schedstat(b"4000000 70 5\n"), Some((4_000_000, 70)));
    assert_eq!(schedstat(b"4000000\n"), None);
    assert_eq!(schedstat(b"-1 0 0\n"), None);
}

#[test]
fn limits_and_their_words_for_none() {
    assert_eq!(cpu_max(b"max 100000\n"), Some((None, 100_000)));
    assert_eq!(cpu_max(b"20000 100000\n"), Some((Some(20_000), 100_000)));
    assert_eq!(cpu_max(b"20000\n"), None);
    assert_eq!(limit(b"-1\n"), None);
    assert_eq!(limit(b"max\n"), None);
    assert_eq!(limit(b"9223372036854771712\n"), None);
    assert_eq!(limit(b"9223372036854710272\n"), None, "with pages of 64 KiB");
    assert_eq!(limit(b"16777216\n"), Some(16_777_216));
    assert_eq!(value(b"99999999999999999999999\n"), None, "too large for 64 bits");
}

#[test]
fn the_oom_counter_is_not_its_neighbour() {
    assert_eq!(oom_kill(OOM_CONTROL), Some(3));
    assert_eq!(oom_kill(MEMORY_EVENTS), Some(2));
    assert_eq!(oom_kill(b"oom_kill_disable 0\nunder_oom 0\n"), None, "before Linux 4.13");
}

#[test]
fn links_and_pids() {
    assert_eq!(namespace_link(b"net:[4026531833]"), Some(4_026_531_833));
    for bad in ["", "net:", "net:[", "net:[]", "net:[-1]", "net:[1] (deleted)"] {
        assert_eq!(namespace_link(bad.as_bytes()), None, "{bad:?}");
    }
    assert_eq!(procs(b"1\n0\n42\nx\n4294967296\n7").collect::<Vec<_>>(), [1, 42, 7]);
}

#[test]
fn a_command_line_is_one_printable_line() {
    assert_eq!(command_line(b"sh\0-c\0echo hi\0"), "sh -c echo hi");
    assert_eq!(command_line(b"\0\0"), "");
    assert_eq!(command_line(b"a\x1b[2J\nb\0\xff\0"), "a?[2J?b \u{fffd}");
    assert_eq!(command_line("x\u{202e}y".as_bytes()), "x?y");
    assert_eq!(command_line(&[b'x'; 9_000]).len(), COMMAND_BYTES);
    assert_eq!(command_line("窗".repeat(90).as_bytes()), "窗".repeat(66), "no half characters");
}

/// A small generator (xorshift) with a fixed seed: the same mutations on every run.
struct Mutations(u64);

impl Mutations {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    fn of(&mut self, text: &[u8]) -> Vec<u8> {
        let mut text = text.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(text.len());
            let tokens: [&[u8]; 8] =
                [b"(", b")", b"\n", b" ", b"\0", b"[", b"18446744073709551616", b"\xff\xfe"];
            match self.below(4) {
                0 => text.truncate(at),
                1 if !text.is_empty() => text[at] = (self.next() & 0xff) as u8,
                2 if !text.is_empty() => {
                    text.remove(at);
                }
                _ => {
                    let token = tokens[self.below(tokens.len())];
                    text.splice(at..at, token.iter().copied());
                }
            }
        }
        text
    }
}

#[test]
fn no_bytes_make_a_parser_panic() {
    let seeds = [STAT, STATUS, V1_CPU_STAT, V2_CPU_STAT, OOM_CONTROL, MEMORY_EVENTS, b"net:[1]"];
    let mut mutations = Mutations(0x5eed_0b5e_77e2_0001);
    let mut n_parsed = 0;
    for round in 0..40_000 {
        let text = mutations.of(seeds[round % seeds.len()]);
        n_parsed += u32::from(stat(&text).is_some()) + u32::from(status(&text).is_some());
        cpu_stat(&text);
        cpu_max(&text);
        oom_kill(&text);
        limit(&text);
        namespace_link(&text);
        procs(&text).for_each(drop);
        let line = command_line(&text);
        assert!(line.chars().all(|c| !c.is_control()), "{line:?}");
        assert!(line.len() <= COMMAND_BYTES);
        assert!(status(&text).is_none_or(|status| status.pids.len() <= MAX_PID_LEVELS));
    }
    assert!(n_parsed > 1_000, "the mutations are too wild to reach the code behind: {n_parsed}");
}
