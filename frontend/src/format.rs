//! Numbers as people read them.

/// Thousandths of one CPU as a percentage with one decimal: `20.0`.
pub(crate) fn percent(permille: u32) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

/// A quota as a percentage, without a decimal that says nothing: `20`, `12.5`.
pub(crate) fn short_percent(permille: u32) -> String {
    match permille % 10 {
        0 => (permille / 10).to_string(),
        tenth => format!("{}.{tenth}", permille / 10),
    }
}

/// Bytes in binary units with at most one decimal: `1.2 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    match tenths % 10 {
        0 => format!("{} {}", tenths / 10, UNITS[unit]),
        _ if tenths >= 1_000 => format!("{} {}", tenths / 10, UNITS[unit]),
        tenth => format!("{}.{tenth} {}", tenths / 10, UNITS[unit]),
    }
}

/// Microseconds as milliseconds with two decimals, three where two would say little: `1.25`.
pub(crate) fn msec(usec: u64) -> String {
    if usec < 100 {
        return format!("0.{usec:03}");
    }
    format!("{}.{:02}", usec / 1_000, usec % 1_000 / 10)
}

/// Unix milliseconds as the time of day with `offset_min` minutes east of Greenwich: `13:05:09`.
pub(crate) fn time_of_day(unix_msec: u64, offset_min: i64) -> String {
    let seconds = i64::try_from(unix_msec / 1_000).unwrap_or(0) + offset_min * 60;
    let day = seconds.rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", day / 3_600, day / 60 % 60, day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        assert_eq!(percent(200), "20.0");
        assert_eq!(percent(1_005), "100.5");
        assert_eq!(percent(7), "0.7");
        assert_eq!(short_percent(200), "20");
        assert_eq!(short_percent(125), "12.5");
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_024), "1 KiB");
        assert_eq!(bytes(1_258_291), "1.1 MiB");
        assert_eq!(bytes(256 << 20), "256 MiB");
        assert_eq!(bytes(24 << 30), "24 GiB");
        assert!(bytes(u64::MAX).ends_with("TiB"));
    }

    #[test]
    fn times() {
        assert_eq!(msec(1_259), "1.25");
        assert_eq!(msec(9), "0.009");
        assert_eq!(msec(100), "0.10");
        assert_eq!(time_of_day(0, 0), "00:00:00");
        assert_eq!(time_of_day(3_661_000, 480), "09:01:01");
        assert_eq!(time_of_day(0, -60), "23:00:00");
    }
}
