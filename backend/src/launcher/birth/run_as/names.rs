//! `USER[:GROUP]` against the text of `/etc/passwd` and `/etc/group` (`passwd(5)`, `group(5)`).
//!
//! As Docker reads it: the first line that fits counts. A number need not be in the list: then its
//! group is 0 and its home `/`. The groups that a user is named in come along, unless a group is
//! asked for.

/// A user, as the image numbers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// The user.
    pub(crate) uid: u32,
    /// The first group.
    pub(crate) gid: u32,
    /// The other groups.
    pub(crate) groups: Vec<u32>,
    /// The home directory.
    pub(crate) home: String,
}

/// Nobody of this name is in the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoSuch {
    /// No such user.
    #[error("the image's /etc/passwd has no user {0:?}")]
    User(String),
    /// No such group.
    #[error("the image's /etc/group has no group {0:?}")]
    Group(String),
}

/// A line of `/etc/passwd`.
struct User<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

/// A line of `/etc/group`.
struct Group<'a> {
    name: &'a [u8],
    gid: u32,
    members: &'a [u8],
}

impl Person {
    /// Finds who is meant.
    pub(super) fn find(words: &str, passwd: &[u8], group: &[u8]) -> Result<Self, NoSuch> {
        let (user, group_of) = words.split_once(':').unwrap_or((words, ""));
        // As Docker has it: nobody named is root.
        let user = if user.is_empty() { "0" } else { user };
        let number = number(user.as_bytes());
        let fits = |line: &User<'_>| line.name == user.as_bytes() || Some(line.uid) == number;
        let line = users(passwd).find(fits);
        let mut person = match (&line, number) {
            (Some(line), _) => {
                Person { uid: line.uid, gid: line.gid, groups: Vec::new(), home: home(line.home) }
            }
            (None, Some(uid)) => Person { uid, gid: 0, groups: Vec::new(), home: "/".into() },
            (None, None) => return Err(NoSuch::User(shown(user))),
        };
        if !group_of.is_empty() {
            person.gid = gid_of(group_of, group)?;
        } else if let Some(line) = line {
            let in_it =
                |group: &Group<'_>| group.members.split(|&b| b == b',').any(|m| m == line.name);
            person.groups = groups(group).filter(in_it).map(|group| group.gid).collect();
        }
        Ok(person)
    }
}

fn gid_of(word: &str, group: &[u8]) -> Result<u32, NoSuch> {
    let number = number(word.as_bytes());
    let fits = |line: &Group<'_>| line.name == word.as_bytes() || Some(line.gid) == number;
    let found = groups(group).find(fits).map(|line| line.gid);
    found.or(number).ok_or_else(|| NoSuch::Group(shown(word)))
}

fn users(text: &[u8]) -> impl Iterator<Item = User<'_>> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        let (name, _password) = (fields.next()?, fields.next()?);
        let (uid, gid) = (number(fields.next()?)?, number(fields.next()?)?);
        let (_about, home) = (fields.next(), fields.next().unwrap_or_default());
        (!name.is_empty()).then_some(User { name, uid, gid, home })
    })
}

fn groups(text: &[u8]) -> impl Iterator<Item = Group<'_>> {
    lines(text).filter_map(|line| {
        let mut fields = line.split(|&b| b == b':');
        let (name, _password, gid) = (fields.next()?, fields.next()?, number(fields.next()?)?);
        let members = fields.next().unwrap_or_default();
        (!name.is_empty()).then_some(Group { name, gid, members })
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&b| b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.starts_with(b"#"))
}

/// Digits and nothing else: `-1` and `+1` are names.
fn number(word: &[u8]) -> Option<u32> {
    let digits = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

fn home(field: &[u8]) -> String {
    match std::str::from_utf8(field) {
        Ok(home) if home.starts_with('/') && !home.contains('\0') => home.into(),
        _ => "/".into(),
    }
}

/// What a stranger wrote, short.
fn shown(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"# users\n\
        root:x:0:0:root:/root:/bin/sh\n\
        broken:x:12a:0::/:\n\
        half:x:5\n\
        \n\
        app:x:1000:1001:App,,,:/srv/app:/bin/sh\r\n\
        app:x:0:0:a second one:/root:/bin/sh\n\
        1000:x:7:7::/seven:\n\
        2000:x:8:8::relative:\n\
        :x:9:9::/:\n";
    const GROUP: &[u8] = b"root:x:0:root\n\
        wheel:x:10:root,app\n\
        apps:x:1001:\n\
        video:x:44:other,app,application\n\
        audio:x:45:application\n\
        bad:x:-3:app\n";

    fn person(uid: u32, gid: u32, groups: &[u32], home: &str) -> Result<Person, NoSuch> {
        Ok(Person { uid, gid, groups: groups.to_vec(), home: home.into() })
    }

    fn find(words: &str) -> Result<Person, NoSuch> {
        Person::find(words, PASSWD, GROUP)
    }

    #[test]
    fn a_name_brings_its_groups_and_its_home() {
        assert_eq!(find("app"), person(1000, 1001, &[10, 44], "/srv/app"));
        assert_eq!(find("root"), person(0, 0, &[0, 10], "/root"));
        assert_eq!(find(""), find("root"));
    }

    #[test]
    fn a_number_need_not_be_in_the_list() {
        // The first line that fits by name or number.
        assert_eq!(find("1000"), find("app"));
        assert_eq!(find("2000"), person(8, 8, &[], "/"));
        assert_eq!(find("4000"), person(4000, 0, &[], "/"));
        assert_eq!(Person::find("4000:50", b"", b""), person(4000, 50, &[], "/"));
        assert_eq!(Person::find("0", b"", b""), person(0, 0, &[], "/"));
    }

    #[test]
    fn a_group_that_is_asked_for_is_the_only_one() {
        assert_eq!(find("app:video"), person(1000, 44, &[], "/srv/app"));
        assert_eq!(find("app:0"), person(1000, 0, &[], "/srv/app"));
        assert_eq!(find(":wheel"), person(0, 10, &[], "/root"));
        assert_eq!(find("4000:apps"), person(4000, 1001, &[], "/"));
        assert_eq!(find("app:nobodys"), Err(NoSuch::Group("nobodys".into())));
        assert_eq!(find("app:bad"), Err(NoSuch::Group("bad".into())));
        assert_eq!(find("app:wheel:0"), Err(NoSuch::Group("wheel:0".into())));
    }

    #[test]
    fn a_line_that_is_not_what_it_should_be_is_nobody() {
        for name in ["broken", "half", "-1", "+5", "#", "# users", "99999999999", "nobody"] {
            assert_eq!(find(name), Err(NoSuch::User(name.into())), "{name}");
        }
        let long = "x".repeat(10_000);
        assert_eq!(find(&long), Err(NoSuch::User("x".repeat(40))));
        // Bytes of any kind: nothing is found, and nothing panics.
        let noise: Vec<u8> = (0..=255_u8).cycle().take(5000).collect();
        assert_eq!(Person::find("app", &noise, &noise), Err(NoSuch::User("app".into())));
    }
}
