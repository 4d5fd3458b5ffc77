//! The truth lens without its pictures: what a container is told, what it has, and which number of
//! an output comes from where.

use std::ops::Range;

use vitrine_shared::cgroup::{CgroupSample, GroupId};
use vitrine_shared::id::ContainerId;
use vitrine_shared::truth::{Output, Probe, ProcView, Source, marks};

use crate::groups::way_up::{Resource, of, way_up};
use crate::readings::Readings;

/// A limit, and the group that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) value: u64,
    /// Its path below the machine's cap.
    pub(crate) path: String,
}

/// What a container may really use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Has {
    /// Thousandths of one CPU.
    pub(crate) cpu: Option<Bound>,
    /// The CPUs that it may run on; empty where nobody says.
    pub(crate) cpus: String,
    /// Bytes.
    pub(crate) memory: Option<Bound>,
    /// Does its own group limit both?
    pub(crate) is_limited: bool,
}

impl Has {
    /// The least of all limits on the way up from a group.
    pub(crate) fn of(groups: &[CgroupSample], id: GroupId) -> Has {
        let way = way_up(groups, id);
        let least = |resource| {
            let mut least: Option<Bound> = None;
            for group in way.iter().filter_map(|&at| groups.get(at)) {
                let limit = of(group, resource, None).limit;
                let is_less = |value: &u64| least.as_ref().is_none_or(|least| *value < least.value);
                if let Some(value) = limit.filter(is_less) {
                    least = Some(Bound { value, path: group.path.clone() });
                }
            }
            least
        };
        let own = way.first().and_then(|&at| groups.get(at));
        Has {
            cpu: least(Resource::Cpu),
            cpus: own.map(|group| group.cpus.clone()).unwrap_or_default(),
            memory: least(Resource::Memory),
            is_limited: own.is_some_and(|own| {
                [Resource::Cpu, Resource::Memory]
                    .iter()
                    .all(|&what| of(own, what, None).limit.is_some())
            }),
        }
    }
}

/// A number that a command said, and whence it had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) probe: Probe,
    pub(crate) source: Source,
}

/// What a container is told under one view.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) cpus: Option<Said>,
    /// In KiB.
    pub(crate) memory: Option<Said>,
    /// How long it has been up.
    pub(crate) up: Option<Said>,
}

impl Told {
    pub(crate) fn of(readings: &Readings, container: ContainerId, view: ProcView) -> Told {
        let output = |probe| Some(&readings.of(container, probe, view)?.output);
        let first = |probe| {
            let output = output(probe)?;
            let mark = marks(probe, output).into_iter().next()?;
            let text = output.text.get(mark.at)?.to_string();
            Some(Said { text, probe, source: mark.source })
        };
        let up = output(Probe::Uptime).and_then(|output| {
            let text = up_for(&output.text)?.to_string();
            let source = if output.busybox { Source::Sysinfo } else { Source::Uptime };
            Some(Said { text, probe: Probe::Uptime, source })
        });
        let cpus = first(Probe::Getconf).or_else(|| first(Probe::Nproc));
        Told { cpus, memory: first(Probe::Free), up }
    }
}

/// ` 10:02:11 up 3 days,  2:04,  1 user,  load average: …` → `3 days, 2:04`
fn up_for(uptime: &str) -> Option<&str> {
    let rest = uptime.split_once(" up ")?.1;
    let end = rest.find(" load average")?;
    let end = rest[..end].find(" user").and_then(|at| rest[..at].rfind(", ")).unwrap_or(end);
    Some(rest[..end].trim_matches([' ', ',']))
}

/// A part of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) at: Range<usize>,
    /// Whence it is, when it is a number.
    pub(crate) source: Option<Source>,
    /// The first of several from the same source in its line.
    pub(crate) is_first: bool,
}

/// An output in parts, numbers by themselves.
pub(crate) fn pieces(probe: Probe, output: &Output) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut done = 0;
    let mut last = None;
    for mark in marks(probe, output) {
        let between = done..mark.at.start;
        let line_ended = output.text.get(between.clone()).is_some_and(|text| text.contains('\n'));
        if !between.is_empty() {
            pieces.push(Piece { at: between, source: None, is_first: false });
        }
        let is_first = last != Some(mark.source) || line_ended;
        done = mark.at.end;
        pieces.push(Piece { at: mark.at, source: Some(mark.source), is_first });
        last = Some(mark.source);
    }
    if done < output.text.len() {
        pieces.push(Piece { at: done..output.text.len(), source: None, is_first: false });
    }
    pieces
}

/// The sources of an output and their numbers, in the order of [`Source::ALL`].
pub(crate) fn sources(probe: Probe, output: &Output) -> Vec<(Source, Vec<&str>)> {
    let marks = marks(probe, output);
    let of = |source: Source| {
        let numbers = marks.iter().filter(|mark| mark.source == source);
        let numbers: Vec<&str> =
            numbers.filter_map(|mark| output.text.get(mark.at.clone())).collect();
        (!numbers.is_empty()).then_some((source, numbers))
    };
    Source::ALL.into_iter().filter_map(of).collect()
}

/// The letter of a source, the same in every output.
pub(crate) fn letter(source: Source) -> char {
    let at = Source::ALL.iter().position(|one| *one == source).unwrap_or(0);
    ('a'..='z').nth(at).unwrap_or('?')
}

/// The view that is shown beside the host's: the one that is in force, or the last that was.
pub(crate) fn mended(
    readings: &Readings,
    container: ContainerId,
    now: ProcView,
) -> Option<ProcView> {
    if now != ProcView::Host {
        return Some(now);
    }
    let read_at = |view: &ProcView| {
        let times = Probe::NUMBERS.into_iter().filter_map(|p| readings.of(container, p, *view));
        times.map(|reading| reading.output.at_msec).max()
    };
    [ProcView::Own, ProcView::Lxcfs]
        .into_iter()
        .max_by_key(read_at)
        .filter(|v| read_at(v).is_some())
}

#[cfg(test)]
mod tests {
    use vitrine_shared::message::{Answer, Command, Made};

    use super::*;
    use crate::fixture::{self, CONTAINER, MACHINE};

    fn output(text: &str, view: ProcView, at_msec: u64) -> Output {
        Output { text: text.into(), cut: false, status: 0, busybox: false, view, at_msec }
    }

    fn heard(readings: &mut Readings, probe: Probe, output: Output) {
        let command = Command::Probe { machine: MACHINE, container: Some(CONTAINER), probe };
        let made = Some(Made::Output(output));
        readings.heard(&command, Some(&Answer::Done { deeds: Vec::new(), made }));
    }

    #[test]
    fn the_least_limit_on_the_way_up_is_what_it_has() {
        let group = |id, path: &str, quota, memory_max| CgroupSample {
            group: id,
            path: path.into(),
            memory_max,
            cpus: "0-1".into(),
            ..fixture::group(0, quota, 0, 0)
        };
        let own = GroupId::Container(CONTAINER);
        let mut groups = vec![
            group(GroupId::Cap, "", Some(150_000), Some(512 << 20)),
            group(GroupId::Root, "root", None, None),
            group(own, "root/c1", Some(50_000), None),
        ];
        let has = Has::of(&groups, own);
        assert_eq!(has.cpu, Some(Bound { value: 500, path: "root/c1".into() }));
        assert_eq!(has.memory, Some(Bound { value: 512 << 20, path: String::new() }));
        assert_eq!((has.cpus.as_str(), has.is_limited), ("0-1", false));
        groups[2].memory_max = Some(64 << 20);
        assert!(Has::of(&groups, own).is_limited);
        assert_eq!(Has::of(&[], own), Has::default());
    }

    #[test]
    fn what_it_is_told_is_read_from_what_was_printed() {
        let mut readings = Readings::default();
        let told = |readings: &Readings| Told::of(readings, CONTAINER, ProcView::Host);
        assert_eq!(told(&readings), Told::default());
        let host = |text| output(text, ProcView::Host, 1);
        heard(&mut readings, Probe::Nproc, host("2\n"));
        let cpus = |readings: &Readings| told(readings).cpus.map(|said| (said.text, said.source));
        assert_eq!(cpus(&readings), Some(("2".into(), Source::Affinity)));
        heard(&mut readings, Probe::Getconf, host("4\n"));
        assert_eq!(cpus(&readings), Some(("4".into(), Source::Stat)));
        heard(&mut readings, Probe::Free, host("  total used\nMem:  24684948  5000\nSwap: 0 0\n"));
        assert_eq!(told(&readings).memory.map(|said| said.text).as_deref(), Some("24684948"));
        let line = " 10:02:11 up 3 days,  2:04,  1 user,  load average: 0.00, 0.01, 0.05\n";
        heard(&mut readings, Probe::Uptime, host(line));
        assert_eq!(told(&readings).up.map(|said| said.text).as_deref(), Some("3 days,  2:04"));
        assert_eq!(up_for(" 10:02:11 up 13 min,  load average: 0"), Some("13 min"));
        assert_eq!(up_for("up user"), None);
    }

    #[test]
    fn pieces_put_together_are_the_output_and_runs_have_one_letter() {
        let text = "Mem: 100 50\nSwap: 0 0\n";
        let output = output(text, ProcView::Host, 1);
        let pieces = pieces(Probe::Free, &output);
        let again: String = pieces.iter().map(|piece| &text[piece.at.clone()]).collect();
        assert_eq!(again, text);
        let firsts: Vec<&str> =
            pieces.iter().filter(|piece| piece.is_first).map(|p| &text[p.at.clone()]).collect();
        assert_eq!(firsts, ["100", "0"]);
        let found = sources(Probe::Free, &output);
        assert_eq!(found, [(Source::Meminfo, vec!["100", "50", "0", "0"])]);
        assert_eq!((letter(Source::Meminfo), letter(Source::Users)), ('a', 'i'));
    }

    #[test]
    fn the_view_in_force_stands_beside_or_the_last_that_was() {
        let mut readings = Readings::default();
        assert_eq!(mended(&readings, CONTAINER, ProcView::Host), None);
        assert_eq!(mended(&readings, CONTAINER, ProcView::Own), Some(ProcView::Own));
        heard(&mut readings, Probe::Free, output("", ProcView::Own, 5));
        heard(&mut readings, Probe::Free, output("", ProcView::Lxcfs, 4));
        assert_eq!(mended(&readings, CONTAINER, ProcView::Host), Some(ProcView::Own));
    }
}
