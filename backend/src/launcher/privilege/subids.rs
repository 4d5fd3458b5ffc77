//! Subordinate ids of a user: `subuid(5)`, `subgid(5)`.

use std::fs;
use std::path::Path;

/// A range of ids: the first, and how many.
pub(crate) type Range = (u32, u32);

/// The ranges that a file gives to a user, by name or by number.
pub(crate) fn of_user(file: &Path, name: Option<&str>, uid: u32) -> Vec<Range> {
    // A file that cannot be read gives nothing.
    parse(&fs::read_to_string(file).unwrap_or_default(), name, uid)
}

/// Everybody's ranges in a file.
pub(crate) fn all(file: &Path) -> Vec<Range> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let of_line = |line: &str| {
        let owner = line.split(':').next()?.trim().to_string();
        parse(line, Some(&owner), u32::MAX).pop()
    };
    text.lines().filter_map(of_line).collect()
}

fn parse(text: &str, name: Option<&str>, uid: u32) -> Vec<Range> {
    let number = uid.to_string();
    let range = |line: &str| {
        let mut fields = line.split(':').map(str::trim);
        let owner = fields.next()?;
        (owner == number || Some(owner) == name).then_some(())?;
        let first: u32 = fields.next()?.parse().ok()?;
        let count: u32 = fields.next()?.parse().ok()?;
        // Not the host's root, and not past the end.
        (first > 0 && count > 0 && first.checked_add(count - 1).is_some()).then_some((first, count))
    };
    text.lines().filter_map(range).collect()
}

/// The name of a user in `passwd(5)`.
pub(crate) fn name_of(passwd: &Path, uid: u32) -> Option<String> {
    let text = fs::read_to_string(passwd).ok()?;
    let number = uid.to_string();
    let line = text.lines().find(|line| line.split(':').nth(2) == Some(number.as_str()))?;
    line.split(':').next().filter(|name| !name.is_empty()).map(str::to_string)
}

/// Ranges one after the other, cut where there are more than `most`.
pub(crate) fn cut(ranges: &[Range], most: u32) -> Vec<Range> {
    let mut left = most;
    let mut kept = Vec::new();
    for &(first, count) in ranges {
        let count = count.min(left);
        if count > 0 {
            kept.push((first, count));
        }
        left -= count;
    }
    kept
}

/// How many there are in all.
pub(crate) fn total(ranges: &[Range]) -> u32 {
    ranges.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_name_and_by_number() {
        let text = "me:100000:65536\nyou:165536:65536\n1000:300000:10\n# me:1:1\nbroken\nme:0:5\n";
        assert_eq!(parse(text, Some("me"), 1000), [(100_000, 65_536), (300_000, 10)]);
        assert_eq!(parse(text, None, 1000), [(300_000, 10)]);
        assert_eq!(parse(text, Some("nobody"), 7), []);
        assert_eq!(parse("me:4294967295:2", Some("me"), 1), [], "past the end");
    }

    #[test]
    fn ranges_are_cut_to_what_is_used() {
        let ranges = [(100_000, 40_000), (300_000, 40_000)];
        assert_eq!(total(&ranges), 80_000);
        assert_eq!(cut(&ranges, 65_536), [(100_000, 40_000), (300_000, 25_536)]);
        assert_eq!(cut(&ranges, 10), [(100_000, 10)]);
    }
}
