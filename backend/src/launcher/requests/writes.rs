//! Writes that the table of files takes and that would hold others up all the same: a shared disk,
//! and swap that nobody counts.

use std::path::Path;

use vitrine_shared::cgroup::{BadWrite, IoMax};
use vitrine_shared::message::Refusal;
use vitrine_shared::refusal::Lacking;
use vitrine_shared::spec::{Quantity, SpecError};

use super::Not;

/// A limit on a device that is there; a limit of nothing at all would hold its users for ever.
pub(super) fn check_io_max(io: &IoMax) -> Result<(), Not> {
    let IoMax { major, minor, .. } = io;
    if !Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists() {
        return Err(Refusal::Missing {
            what: Lacking::BlockDevice { major: *major, minor: *minor },
        }
        .into());
    }
    check_rate(io.read_bps.into_iter().chain(io.write_bps), MIN_IO_BPS)?;
    check_rate(io.read_iops.into_iter().chain(io.write_iops), MIN_IOPS)
}

/// The least bandwidth of a disk, in bytes a second. A page of an image that all machines share
/// stays locked while its reader is held back, and everybody else waits for it.
const MIN_IO_BPS: u64 = 1 << 20;
/// The least number of reads or writes a second.
const MIN_IOPS: u64 = 64;

fn check_rate(rates: impl IntoIterator<Item = u64>, min: u64) -> Result<(), Not> {
    match rates.into_iter().find(|&rate| rate < min) {
        None => Ok(()),
        Some(given) => {
            let what = Quantity::IoRate;
            Err(SpecError::OutOfRange { what, given, min, max: u64::MAX }.into())
        }
    }
}

/// The same for a raw file; `text` is as the table of files takes it.
pub(super) fn check_io(file: &str, text: &str) -> Result<(), Not> {
    if file == "io.max" {
        return IoMax::parse(text).map_or(Ok(()), |io| check_io_max(&io));
    }
    let min = match file {
        "blkio.throttle.read_bps_device" | "blkio.throttle.write_bps_device" => MIN_IO_BPS,
        "blkio.throttle.read_iops_device" | "blkio.throttle.write_iops_device" => MIN_IOPS,
        _ => return Ok(()),
    };
    let rate = text.rsplit(' ').next().and_then(|rate| rate.parse().ok());
    // Zero is no limit (blkio-controller.rst).
    check_rate(rate.filter(|&rate| rate > 0), min)
}

/// Where swap is not counted, a swappiness of 0 is what keeps a machine out of it.
pub(super) fn check_swappiness(counts_swap: bool, file: &str, text: &str) -> Result<(), Not> {
    if file != "memory.swappiness" || text == "0" || counts_swap {
        return Ok(());
    }
    Err(Refusal::Write(BadWrite::SwapNotCounted { given: text.into() }).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(result: Result<(), Not>) -> Refusal {
        match result {
            Err(Not::Refused(refusal)) => refusal,
            Err(Not::Failed(err)) => panic!("{err}"),
            Ok(()) => panic!("taken"),
        }
    }

    /// A block device of this host, as `MAJOR:MINOR`.
    fn device() -> String {
        let mut devices = std::fs::read_dir("/sys/dev/block").unwrap();
        let entry = devices.next().expect("this test needs a block device").unwrap();
        entry.file_name().into_string().unwrap()
    }

    #[test]
    fn a_rate_that_would_hold_others_up_is_refused_with_the_least() {
        let device = device();
        for (file, below, least) in [
            ("blkio.throttle.read_bps_device", "1048575", "1048576"),
            ("blkio.throttle.write_bps_device", "1", "1048576"),
            ("blkio.throttle.read_iops_device", "63", "64"),
            ("blkio.throttle.write_iops_device", "1", "64"),
        ] {
            let refusal = refused(check_io(file, &format!("{device} {below}")));
            let Refusal::Spec(SpecError::OutOfRange { given, min, .. }) = refusal else {
                panic!("{refusal:?}")
            };
            assert_eq!(
                (given.to_string(), min.to_string()),
                (below.into(), least.into()),
                "{file}"
            );
            assert!(check_io(file, &format!("{device} {least}")).is_ok());
            // No limit.
            assert!(check_io(file, &format!("{device} 0")).is_ok());
        }
        for (below, least) in [
            ("rbps=1048575", "rbps=1048576"),
            ("wbps=1", "wbps=max"),
            ("riops=63", "riops=64"),
            ("rbps=1048576 wiops=1", "rbps=1048576 wiops=64"),
        ] {
            let refusal = refused(check_io("io.max", &format!("{device} {below}")));
            let out = matches!(refusal, Refusal::Spec(SpecError::OutOfRange { .. }));
            assert!(out, "{below}: {refusal:?}");
            assert!(check_io("io.max", &format!("{device} {least}")).is_ok(), "{least}");
        }
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let Refusal::Missing { what } = refused(check_io("io.max", "4095:4095 rbps=max")) else {
            panic!()
        };
        assert_eq!(what, Lacking::BlockDevice { major: 4095, minor: 4095 });
    }

    #[test]
    fn swappiness_is_0_where_swap_is_not_counted_and_the_reason_is_said() {
        let refusal = refused(check_swappiness(false, "memory.swappiness", "60"));
        assert_eq!(refusal, Refusal::Write(BadWrite::SwapNotCounted { given: "60".into() }));
        assert!(check_swappiness(false, "memory.swappiness", "0").is_ok());
        assert!(check_swappiness(true, "memory.swappiness", "60").is_ok());
        assert!(check_swappiness(false, "cpu.shares", "60").is_ok());
    }
}
