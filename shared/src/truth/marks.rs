//! The numbers in the output of a [`Probe`], each with its source.

use std::ops::Range;

use super::{Output, Probe, Source};

/// A number in an output, or a word that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where, in bytes of [`Output::text`].
    pub at: Range<usize>,
    /// Whence.
    pub source: Source,
}

/// The marks of an output, in order, none over another. What is not known is not marked.
pub fn marks(probe: Probe, output: &Output) -> Vec<Mark> {
    let mut found = Vec::new();
    if output.status != 0 || !Probe::NUMBERS.contains(&probe) {
        // An error message has no such numbers.
        return found;
    }
    let mut at = 0;
    let mut columns = None;
    for line in output.text.split_inclusive('\n') {
        mark_line(probe, output.busybox, line, at, &mut columns, &mut found);
        at += line.len();
    }
    found
}

/// The columns of a list of processes that do not come from the process itself.
type Columns = Vec<(usize, Source)>;

fn mark_line(
    probe: Probe,
    busybox: bool,
    line: &str,
    at: usize,
    columns: &mut Option<Columns>,
    found: &mut Vec<Mark>,
) {
    let mut all = |from: usize, source| {
        for number in numbers(&line[from..]) {
            let at = at + from + number.start..at + from + number.end;
            found.push(Mark { at, source });
        }
    };
    // Busybox asks the kernel for these, by sysinfo(2).
    let or_call = |file| if busybox { Source::Sysinfo } else { file };
    match probe {
        Probe::Nproc => all(0, Source::Affinity),
        Probe::Getconf => all(0, Source::Stat),
        Probe::Loadavg => all(0, Source::Loadavg),
        Probe::Python | Probe::Node => {
            let source = match line.split_whitespace().next() {
                Some("os.cpu_count()" | "os.cpus().length") => Source::Stat,
                Some("len(os.sched_getaffinity(0))") => Source::Affinity,
                Some("os.sysconf('SC_PHYS_PAGES')") => Source::Sysinfo,
                Some("os.totalmem()") => Source::Meminfo,
                _ => return,
            };
            all(line.rfind(' ').unwrap_or(0), source);
        }
        Probe::Free if line.starts_with("Mem:") || line.starts_with("Swap:") => {
            all(0, or_call(Source::Meminfo));
        }
        Probe::Free => {}
        Probe::Uptime => mark_uptime(line, at, busybox, found),
        Probe::Top if line.starts_with("top - ") => mark_uptime(line, at, false, found),
        Probe::Top if line.starts_with("Tasks:") => all(0, Source::Processes),
        Probe::Top if line.starts_with("%Cpu") => all(line.find(':').unwrap_or(0), Source::Stat),
        Probe::Top if line.starts_with("CPU:") => all(0, Source::Stat),
        Probe::Top if line.starts_with("Load average:") => all(0, Source::Loadavg),
        Probe::Top if is_memory(line) => all(0, Source::Meminfo),
        Probe::Top => {
            let words: Vec<&str> = line.split_whitespace().collect();
            match columns {
                Some(columns) => {
                    for (word, source) in columns.iter() {
                        found.extend(nth_word(line, *word).map(|word| Mark {
                            at: at + word.start..at + word.end,
                            source: *source,
                        }));
                    }
                }
                None if words.contains(&"PID") => {
                    let source = |word: &&str| match *word {
                        "%MEM" | "%VSZ" => Some(Source::Meminfo),
                        // A share of the time that /proc/stat tells; procps takes the clock.
                        "%CPU" if busybox => Some(Source::Stat),
                        _ => None,
                    };
                    let named = words.iter().enumerate();
                    *columns = Some(named.filter_map(|(i, w)| Some((i, source(w)?))).collect());
                }
                None => {}
            }
        }
        // Not among those whose numbers have sources.
        _ => {}
    }
}

/// `MiB Mem :`, `KiB Swap:`, and busybox's `Mem:`.
fn is_memory(line: &str) -> bool {
    let head = line.split(':').next().unwrap_or("").trim_end();
    head.ends_with("Mem") || head.ends_with("Swap")
}

/// ` 10:02:11 up 3 days,  2:04,  1 user,  load average: 0.00, 0.01, 0.05`
fn mark_uptime(line: &str, at: usize, busybox: bool, found: &mut Vec<Mark>) {
    let up = line.find(" up ").map_or(line.len(), |up| up + 4);
    let load = line.find("load average:").unwrap_or(line.len());
    let users = line[up.min(load)..load]
        .find(" user")
        .and_then(|end| line[..up + end].rfind(' ').map(|start| start + 1));
    let or_call = |file| if busybox { Source::Sysinfo } else { file };
    let parts = [
        (0..up.min(line.len()), Source::Clock),
        (up.min(load)..users.unwrap_or(load), or_call(Source::Uptime)),
        (users.unwrap_or(load)..load, Source::Users),
        (load..line.len(), or_call(Source::Loadavg)),
    ];
    for (part, source) in parts {
        for number in numbers(&line[part.clone()]) {
            let start = at + part.start;
            found.push(Mark { at: start + number.start..start + number.end, source });
        }
    }
}

/// Digits with what ties them together: `1.5`, `10:02:11`, `1/234`, `12%`, `1234K`.
fn numbers(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() {
            let ties = matches!(bytes[at], b'.' | b':' | b'/')
                && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            if !bytes[at].is_ascii_digit() && !ties {
                break;
            }
            at += 1;
        }
        if bytes.get(at).is_some_and(|unit| matches!(unit, b'%' | b'K' | b'k')) {
            at += 1;
        }
        found.push(start..at);
    }
    found
}

fn nth_word(line: &str, n: usize) -> Option<Range<usize>> {
    let word = line.split_whitespace().nth(n)?;
    let start = word.as_ptr() as usize - line.as_ptr() as usize;
    Some(start..start + word.len())
}

#[cfg(test)]
mod tests {
    use super::super::ProcView;
    use super::*;

    fn found(probe: Probe, busybox: bool, text: &str) -> Vec<(String, Source)> {
        marks(probe, &output(text, 0, busybox))
            .into_iter()
            .map(|m| (text[m.at].to_string(), m.source))
            .collect()
    }

    fn output(text: &str, status: i32, busybox: bool) -> Output {
        let (view, at_msec) = (ProcView::Host, 0);
        Output { text: text.into(), cut: false, status, busybox, view, at_msec }
    }

    fn of(probe: Probe, busybox: bool, text: &str, source: Source) -> Vec<String> {
        let all = found(probe, busybox, text).into_iter();
        all.filter(|(_, s)| *s == source).map(|(word, _)| word).collect()
    }

    const TOP: &str = "\
top - 20:57:01 up 3 days,  1:33,  2 users,  load average: 0.46, 0.47, 0.50
Tasks:   2 total,   1 running,   1 sleeping,   0 stopped,   0 zombie
%Cpu(s):  4.5 us,  0.0 sy,  0.0 ni, 95.5 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st 
MiB Mem :  24105.3 total,  10226.5 free,   4102.2 used,  10020.1 buff/cache     
MiB Swap:      0.0 total,      0.0 free,      0.0 used.  20003.2 avail Mem 

    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
      1 root      20   0    4356   3220   2960 S   0.0   0.1   0:00.01 bash
";

    #[test]
    fn the_head_of_top() {
        let of = |source| of(Probe::Top, false, TOP, source);
        assert_eq!(of(Source::Clock), ["20:57:01"]);
        assert_eq!(of(Source::Uptime), ["3", "1:33"]);
        assert_eq!(of(Source::Users), ["2"]);
        assert_eq!(of(Source::Loadavg), ["0.46", "0.47", "0.50"]);
        assert_eq!(of(Source::Processes), ["2", "1", "1", "0", "0"]);
        assert_eq!(of(Source::Stat).len(), 8);
        assert_eq!(of(Source::Meminfo).len(), 4 + 4 + 1);
        assert_eq!(of(Source::Meminfo).last().unwrap(), "0.1");
    }

    #[test]
    fn busybox_asks_the_kernel() {
        let top = "Mem: 4102K used, 9K free, 0K shrd, 0K buff, 7K cached\n\
                   CPU:   4% usr   0% sys   0% nic  95% idle   0% io   0% irq   0% sirq\n\
                   Load average: 0.46 0.47 0.50 1/2 3\n\
                   \u{20} PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND\n\
                   \u{20}   1     0 root     S     1324   0%   1   0% sh\n";
        assert_eq!(of(Probe::Top, true, top, Source::Meminfo).first().unwrap(), "4102K");
        assert_eq!(of(Probe::Top, true, top, Source::Stat).len(), 7 + 1);
        assert_eq!(
            of(Probe::Top, true, top, Source::Loadavg),
            ["0.46", "0.47", "0.50", "1/2", "3"]
        );
        let free = "       total  used\nMem:   100    50\nSwap:  0      0\n";
        assert_eq!(of(Probe::Free, true, free, Source::Sysinfo), ["100", "50", "0", "0"]);
        assert_eq!(of(Probe::Free, false, free, Source::Meminfo), ["100", "50", "0", "0"]);
        let uptime = " 20:57:01 up 13 min,  load average: 0.46, 0.47, 0.50\n";
        assert_eq!(
            of(Probe::Uptime, true, uptime, Source::Sysinfo),
            ["13", "0.46", "0.47", "0.50"]
        );
        assert_eq!(of(Probe::Uptime, false, uptime, Source::Uptime), ["13"]);
    }

    #[test]
    fn run_times_say_what_they_asked() {
        let python = "os.cpu_count() 2\nlen(os.sched_getaffinity(0)) 1\n\
                      os.sysconf('SC_PHYS_PAGES') 6171237\n";
        let word = |word: &str, source| (word.to_string(), source);
        assert_eq!(
            found(Probe::Python, false, python),
            [
                word("2", Source::Stat),
                word("1", Source::Affinity),
                word("6171237", Source::Sysinfo)
            ]
        );
        assert_eq!(
            found(Probe::Node, false, "os.cpus().length 2\nos.totalmem() 25277386752\n"),
            [word("2", Source::Stat), word("25277386752", Source::Meminfo)]
        );
    }

    #[test]
    fn marks_are_in_order_and_apart() {
        for text in [
            TOP,
            "",
            "up",
            " up ",
            "load average:",
            "top - ",
            "Tasks",
            " up  user load average:",
            "根 1 up 2 根",
        ] {
            for probe in Probe::ALL {
                let marks = marks(probe, &output(text, 0, false));
                assert!(marks.windows(2).all(|two| two[0].at.end <= two[1].at.start), "{text}");
                assert!(marks.iter().all(|mark| text.get(mark.at.clone()).is_some()));
            }
        }
        assert_eq!(marks(Probe::Nproc, &output("1 2", 127, false)), []);
    }
}
