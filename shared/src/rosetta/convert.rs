//! Values turned from one dialect into the other. What is no value of its file gives `None`.

use std::collections::BTreeMap;

use super::{How, Pair, Place, Texts};
use crate::cgroup::{shares_of_weight, weight_of_shares};

/// The page that limits in bytes are rounded down to (on most machines).
pub const BYTES_PER_PAGE: u64 = 4_096;
/// What v1 reads as "no limit" in bytes: the largest number of whole pages (`PAGE_COUNTER_MAX`).
pub const UNLIMITED_V1: u64 = i64::MAX as u64 / BYTES_PER_PAGE * BYTES_PER_PAGE;

type Said = Option<Vec<(Place, String)>>;

pub(super) fn to_v2(pair: &Pair, v1: Texts<'_>) -> Said {
    let text = |index: usize| pair.v1.get(index)?.find(v1);
    let one = |text: String| Some(vec![(*pair.v2.first()?, text)]);
    match pair.how {
        How::Same => one(text(0)?.into()),
        How::Limit { bytes } => one(limit_v2(read_v1(text(0)?, bytes)?, bytes)),
        How::QuotaAndPeriod => {
            let period = number(text(1)?)?;
            one(format!("{} {period}", limit_v2(read_v1(text(0)?, false)?, false)))
        }
        How::Weight => one(weight_of_shares(number(text(0)?)?).to_string()),
        How::Scale { times, by } => one(scale(number(text(0)?)?, times, by)?),
        How::Swap { memory_v1, .. } => {
            let both = read_v1(text(0)?, true)?;
            let memory = read_v1(Place { file: memory_v1, key: None }.find(v1)?, true)?;
            let swap = match (both, memory) {
                (None, _) => None,
                // Never so on a kernel: it refuses memory above memory and swap.
                (Some(_), None) => return None,
                (Some(both), Some(memory)) => Some(both.checked_sub(memory)?),
            };
            one(limit_v2(swap, true))
        }
        How::Freezer => one(match text(0)? {
            "FROZEN" | "FREEZING" => "1",
            "THAWED" => "0",
            _ => return None,
        }
        .into()),
        How::IoMax => {
            let devices = throttles(v1, pair.v1)?;
            let lines = devices.iter().map(|(device, values)| io_line(device, values, "max"));
            one(lines.collect::<Vec<_>>().join("\n"))
        }
        How::IoStat => one(io_stat_v2(text(0)?, text(1)?)?),
        How::IoWeight => {
            let weight = number(text(0)?).filter(|weight| (10..=1_000).contains(weight))?;
            one((1 + (weight - 10) * 9_999 / 990).to_string())
        }
        How::Exclusive => one(if number(text(0)?)? == 1 { "root" } else { "member" }.into()),
        How::Never => None,
    }
}

pub(super) fn to_v1(pair: &Pair, v2: Texts<'_>) -> Said {
    let text = pair.v2.first()?.find(v2)?;
    let one = |text: String| Some(vec![(*pair.v1.first()?, text)]);
    match pair.how {
        How::Same => one(text.into()),
        How::Limit { bytes: true } => one(limit_v1(read_v2(text)?.map(whole_pages))),
        // `pids.max` says `max` in both.
        How::Limit { bytes: false } => one(limit_v2(read_v2(text)?, false)),
        How::QuotaAndPeriod => {
            let (quota, period) = text.split_once(' ').unwrap_or((text, "100000"));
            let (quota, period) = (read_v2(quota)?, number(period)?);
            Some(vec![(*pair.v1.first()?, limit_v1(quota)), (*pair.v1.get(1)?, period.to_string())])
        }
        How::Weight => one(shares_of_weight(number(text)?).to_string()),
        // The other way round.
        How::Scale { times, by } => one(scale(number(text)?, by, times)?),
        How::Swap { memory_v2, .. } => {
            let memory = read_v2(Place { file: memory_v2, key: None }.find(v2)?)?;
            let both = match (read_v2(text)?, memory) {
                (Some(swap), Some(memory)) => Some(swap.checked_add(memory)?),
                _ => None,
            };
            one(limit_v1(both.map(whole_pages)))
        }
        How::Freezer => one(match text {
            "1" => "FROZEN",
            "0" => "THAWED",
            _ => return None,
        }
        .into()),
        How::IoMax => {
            let mut files: [Vec<String>; 4] = Default::default();
            for line in text.lines() {
                let (device, values) = read_io_line(line)?;
                for (file, value) in files.iter_mut().zip(values) {
                    if let Some(Some(value)) = value {
                        file.push(format!("{device} {value}"));
                    }
                }
            }
            let texts = files.map(|lines| lines.join("\n"));
            Some(pair.v1.iter().copied().zip(texts).collect())
        }
        How::IoStat => {
            let (bytes, ops) = io_stat_v1(text)?;
            Some(pair.v1.iter().copied().zip([bytes, ops]).collect())
        }
        How::IoWeight => {
            let weight = number(text.strip_prefix("default ").unwrap_or(text).lines().next()?)?;
            let weight = (1..=10_000).contains(&weight).then_some(weight)?;
            // Up, so that the way there and back ends where it began.
            one((10 + ((weight - 1) * 990).div_ceil(9_999)).to_string())
        }
        How::Exclusive => one(u8::from(text != "member").to_string()),
        How::Never => None,
    }
}

/// What the write of one v1 throttle file is in `io.max`.
pub(super) fn write_io_v2(v1: Texts<'_>) -> Said {
    let pair = super::PAIRS.iter().find(|pair| pair.how == How::IoMax)?;
    let devices = throttles(v1, pair.v1)?;
    // Only what is written is said: `io.max` keeps the rest.
    let (device, values) = devices.iter().next()?;
    Some(vec![(*pair.v2.first()?, io_line(device, values, ""))])
}

/// What the write of a line of `io.max` is in the v1 throttle files.
pub(super) fn write_io_v1(line: &str) -> Said {
    let pair = super::PAIRS.iter().find(|pair| pair.how == How::IoMax)?;
    let (device, values) = read_io_line(line.trim())?;
    let said = |(place, value): (&Place, Option<Option<u64>>)| {
        value.map(|value| (*place, format!("{device} {}", value.unwrap_or(0))))
    };
    Some(pair.v1.iter().zip(values).filter_map(said).collect())
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// A v1 limit: `-1`, or as much as v1 reads for it, is none.
fn read_v1(text: &str, bytes: bool) -> Option<Option<u64>> {
    match text.trim() {
        "-1" | "max" => Some(None),
        text => {
            let value = number(text)?;
            Some((!bytes || value < UNLIMITED_V1).then_some(value))
        }
    }
}

fn read_v2(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "max" => Some(None),
        text => number(text).map(Some),
    }
}

fn limit_v1(limit: Option<u64>) -> String {
    limit.map_or_else(|| "-1".into(), |limit| limit.to_string())
}

fn limit_v2(limit: Option<u64>, bytes: bool) -> String {
    let round = if bytes { whole_pages } else { |value| value };
    limit.map_or_else(|| "max".into(), |limit| round(limit).to_string())
}

fn whole_pages(bytes: u64) -> u64 {
    bytes / BYTES_PER_PAGE * BYTES_PER_PAGE
}

fn scale(value: u64, times: u64, by: u64) -> Option<String> {
    let scaled = u128::from(value) * u128::from(times) / u128::from(by);
    u64::try_from(scaled).ok().map(|scaled| scaled.to_string())
}

/// Values of one device, in the order of the v1 files; outside `None`: nothing is said.
type Values = [Option<Option<u64>>; 4];

const KEYS: [&str; 4] = ["rbps", "wbps", "riops", "wiops"];

/// The v1 throttle files by device; in them `0` is no limit, and so is silence.
fn throttles(v1: Texts<'_>, files: &[Place]) -> Option<BTreeMap<(u32, u32), Values>> {
    let mut devices: BTreeMap<(u32, u32), Values> = BTreeMap::new();
    let mut any = false;
    for (index, file) in files.iter().enumerate() {
        let Some(text) = file.find(v1) else { continue };
        any = true;
        for line in text.lines() {
            let (device, value) = line.split_once(' ')?;
            let value = number(value)?;
            let values = devices.entry(read_device(device)?).or_default();
            *values.get_mut(index)? = Some((value > 0).then_some(value));
        }
    }
    any.then_some(devices)
}

fn read_device(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// One line of `io.max`; `silent` is said of what nothing is said of (empty: it is left out).
fn io_line(device: &(u32, u32), values: &Values, silent: &str) -> String {
    let mut line = format!("{}:{}", device.0, device.1);
    for (key, value) in KEYS.iter().zip(values) {
        let value = match value {
            Some(value) => limit_v2(*value, false),
            None if silent.is_empty() => continue,
            None => silent.into(),
        };
        line += &format!(" {key}={value}");
    }
    line
}

fn read_io_line(line: &str) -> Option<(&str, Values)> {
    let mut words = line.split_whitespace();
    let device = words.next()?;
    read_device(device)?;
    let mut values = Values::default();
    for word in words {
        let (key, value) = word.split_once('=')?;
        let index = KEYS.iter().position(|known| *known == key)?;
        *values.get_mut(index)? = Some(read_v2(value)?);
    }
    Some((device, values))
}

/// The directions that both dialects count, and their keys in `io.stat` (bytes, operations).
const DIRECTIONS: [(&str, &str, &str); 3] =
    [("Read", "rbytes", "rios"), ("Write", "wbytes", "wios"), ("Discard", "dbytes", "dios")];

fn io_stat_v2(bytes: &str, ops: &str) -> Option<String> {
    let mut devices: BTreeMap<(u32, u32), BTreeMap<&str, u64>> = BTreeMap::new();
    for (text, is_bytes) in [(bytes, true), (ops, false)] {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            // The last line, the total of all, has no device.
            let [device, direction, value] = words[..] else { continue };
            let Some(found) = DIRECTIONS.iter().find(|(name, ..)| *name == direction) else {
                continue;
            };
            let key = if is_bytes { found.1 } else { found.2 };
            devices.entry(read_device(device)?).or_default().insert(key, number(value)?);
        }
    }
    let lines = devices.iter().map(|((major, minor), counts)| {
        let keys = DIRECTIONS.iter().map(|d| d.1).zip(DIRECTIONS.iter().map(|d| d.2));
        let (bytes, ops): (Vec<_>, Vec<_>) = keys.unzip();
        // The kernel's order: bytes and operations of reads and writes, then discards.
        let order = [bytes[0], bytes[1], ops[0], ops[1], bytes[2], ops[2]];
        let words = order.map(|key| format!("{key}={}", counts.get(key).unwrap_or(&0)));
        format!("{major}:{minor} {}", words.join(" "))
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

fn io_stat_v1(text: &str) -> Option<(String, String)> {
    let (mut bytes, mut ops) = (Vec::new(), Vec::new());
    let (mut all_bytes, mut all_ops) = (0, 0);
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let device = words.next()?;
        read_device(device)?;
        let counts: Vec<(&str, u64)> = words
            .filter_map(|word| word.split_once('='))
            .filter_map(|(key, value)| Some((key, number(value)?)))
            .collect();
        let count =
            |key| counts.iter().find(|(name, _)| *name == key).map_or(0, |(_, count)| *count);
        for (direction, byte_key, op_key) in DIRECTIONS {
            bytes.push(format!("{device} {direction} {}", count(byte_key)));
            ops.push(format!("{device} {direction} {}", count(op_key)));
        }
        let total = |lines: &mut Vec<String>, sum: u64| {
            lines.push(format!("{device} Total {sum}"));
            sum
        };
        all_bytes += total(&mut bytes, DIRECTIONS.iter().map(|d| count(d.1)).sum());
        all_ops += total(&mut ops, DIRECTIONS.iter().map(|d| count(d.2)).sum());
    }
    bytes.push(format!("Total {all_bytes}"));
    ops.push(format!("Total {all_ops}"));
    Some((bytes.join("\n"), ops.join("\n")))
}
