//! Limits on block devices: `--device-read-bps /dev/sda:1m` and its three siblings.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use vitrine_shared::cgroup::{IoMax, parse_device};

use super::parse_bytes;

/// A device and a number a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    major: u32,
    minor: u32,
    rate: u64,
}

/// A rate in bytes.
pub(super) fn parse_bps(text: &str) -> Result<Rate, String> {
    parse(text, parse_bytes)
}

/// A rate in operations.
pub(super) fn parse_iops(text: &str) -> Result<Rate, String> {
    parse(text, |rate| rate.parse().map_err(|_| format!("{rate:?} is not a number")))
}

fn parse(text: &str, rate: impl Fn(&str) -> Result<u64, String>) -> Result<Rate, String> {
    let (device, number) = text
        .rsplit_once(':')
        .ok_or_else(|| format!("{text:?} is not a device and a rate such as /dev/sda:1m"))?;
    let (major, minor) = numbers(device)?;
    match rate(number)? {
        0 => Err("a rate is at least 1; leave the flag out for no limit".into()),
        rate => Ok(Rate { major, minor, rate }),
    }
}

/// The numbers of a device by its path, or as they stand: `8:0`.
fn numbers(device: &str) -> Result<(u32, u32), String> {
    if let Some(numbers) = parse_device(device) {
        return Ok(numbers);
    }
    let metadata = std::fs::metadata(device).map_err(|err| format!("{device}: {err}"))?;
    if !metadata.file_type().is_block_device() {
        return Err(format!("{device} is not a block device; lsblk -p lists them"));
    }
    let of = |number: u64| u32::try_from(number).map_err(|_| format!("{device}: no such device"));
    Ok((of(libc::major(metadata.rdev()).into())?, of(libc::minor(metadata.rdev()).into())?))
}

/// One limit a device, from read and written bytes and operations.
pub(super) fn limits(rates: [&[Rate]; 4]) -> Vec<IoMax> {
    let mut all: Vec<IoMax> = Vec::new();
    for (kind, rates) in rates.into_iter().enumerate() {
        for Rate { major, minor, rate } in rates {
            let known = all.iter().position(|io| (io.major, io.minor) == (*major, *minor));
            let at = known.unwrap_or_else(|| {
                all.push(IoMax { major: *major, minor: *minor, ..IoMax::default() });
                all.len() - 1
            });
            let io = &mut all[at];
            let values =
                [&mut io.read_bps, &mut io.write_bps, &mut io.read_iops, &mut io.write_iops];
            for (index, value) in values.into_iter().enumerate() {
                if index == kind {
                    *value = Some(*rate);
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_by_number_and_what_is_none() {
        assert_eq!(parse_bps("8:0:1m"), Ok(Rate { major: 8, minor: 0, rate: 1 << 20 }));
        assert_eq!(parse_iops("8:16:100"), Ok(Rate { major: 8, minor: 16, rate: 100 }));
        for bad in ["/dev/null:1m", "/no/such:1m", "1m", "8:0:0", "8:0:x", ""] {
            assert!(parse_bps(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_limit_a_device() {
        let rate = |minor, rate| Rate { major: 8, minor, rate };
        let found = limits([&[rate(0, 1)], &[rate(0, 2), rate(16, 3)], &[], &[rate(16, 4)]]);
        let first =
            IoMax { major: 8, minor: 0, read_bps: Some(1), write_bps: Some(2), ..IoMax::default() };
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], first);
        assert_eq!((found[1].write_bps, found[1].write_iops), (Some(3), Some(4)));
    }
}
