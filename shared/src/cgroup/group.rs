//! Which group of a machine: those that the server makes have names of their own, those that
//! somebody made below the machine's root have a path, which is checked before it is one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::id::ContainerId;

/// Which group of a machine's subtree. A path cannot lead out of it, nor into a container's group.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum GroupId {
    /// The cap, one level above what the machine can write.
    Cap,
    /// The machine's own root.
    #[default]
    Root,
    /// Below it, where the machine's PID 1 and its shells are: in v2 a group with processes in
    /// it cannot have controllers for its children.
    Shell,
    /// A container's.
    Container(ContainerId),
    /// One that a page or a shell in the machine has made, by its path below the machine's root.
    Made(GroupPath),
}

/// Most bytes of a [`GroupPath`]; it is kept in place, so that an id stays a plain value.
pub const GROUP_PATH_BYTES: usize = 119;
/// Most levels of a [`GroupPath`].
pub const GROUP_PATH_DEPTH: usize = 8;

/// The path of a group below its machine's root, such as `test_container` or `shell/web`: one to
/// eight names with `/` between them, none of them `.` or `..`, at most 119 bytes.
///
/// Whoever makes groups in a machine chooses their names, so no character is in it that would
/// change how the text around it looks (control and direction marks).
#[derive(Clone, Copy)]
pub struct GroupPath {
    len: u8,
    bytes: [u8; GROUP_PATH_BYTES],
}

/// The text is no path of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a group's path is 1 to {GROUP_PATH_DEPTH} names with / between them, none of them . or .., without control or direction marks, at most {GROUP_PATH_BYTES} bytes"
)]
pub struct BadPath;

/// Why a group cannot be made, removed or moved to, or a process not be moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum BadGroup {
    /// The name cannot be a group's, or the path would be too long or too deep.
    #[error(
        "{given:?} cannot be a group's name here: no /, not . or .., no control or direction marks, and the whole path at most {GROUP_PATH_BYTES} bytes and {GROUP_PATH_DEPTH} levels"
    )]
    Name {
        /// What was given, cut.
        given: String,
    },
    /// The cap is above what the machine can use.
    #[error("the cap is above the machine: nothing is made in it or moved to it")]
    Cap,
    /// The machine's root, its shell's group and containers' groups are the server's.
    #[error("the server made this group and removes it with what it is for")]
    Fixed,
    /// A container's group is the container: whoever is in it ends with it, and its limits are what
    /// the container was given. So nothing is made in it, and nobody is moved in or out.
    #[error("a container's group is the container: nothing is made in it, nobody moves in or out")]
    OfContainer,
    /// The process is not one of the machine's own.
    #[error("process {pid} is not one of this machine's own")]
    NotOwn {
        /// Its PID on the host.
        pid: u32,
    },
}

impl GroupId {
    /// A group of this name in it: what [`crate::message::Command::MakeGroup`] makes.
    pub fn new_child(&self, name: &str) -> Result<GroupPath, BadGroup> {
        let made = match self {
            GroupId::Root => GroupPath::below_root(name),
            GroupId::Shell => GroupPath::below_root("shell").and_then(|shell| shell.child(name)),
            GroupId::Made(path) => path.child(name),
            GroupId::Cap => return Err(BadGroup::Cap),
            GroupId::Container(_) => return Err(BadGroup::OfContainer),
        };
        made.map_err(|BadPath| BadGroup::Name { given: name.chars().take(40).collect() })
    }

    /// Its path below the machine's cap, if that does not depend on a container's name.
    pub fn path(&self) -> Option<String> {
        match self {
            GroupId::Cap => Some(String::new()),
            GroupId::Root => Some("root".into()),
            GroupId::Shell => Some("root/shell".into()),
            GroupId::Made(path) => Some(format!("root/{path}")),
            GroupId::Container(_) => None,
        }
    }
}

impl GroupPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        // Made from a `str`, and never cut inside a character.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The names on the way down.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }

    /// The last name.
    pub fn name(&self) -> &str {
        self.as_str().rsplit('/').next().unwrap_or_default()
    }

    /// The group that it is in; `None` directly below the machine's root.
    pub fn parent(&self) -> Option<GroupPath> {
        self.as_str().rsplit_once('/')?.0.parse().ok()
    }

    /// One level below this group.
    pub fn child(&self, name: &str) -> Result<GroupPath, BadPath> {
        checked_name(name)?;
        format!("{self}/{name}").parse()
    }

    /// A group directly below the machine's root.
    pub fn below_root(name: &str) -> Result<GroupPath, BadPath> {
        checked_name(name)?;
        name.parse()
    }
}

/// One name, with no `/` in it.
fn checked_name(name: &str) -> Result<(), BadPath> {
    let is_plain = |c: char| c != '/' && !c.is_control() && !is_mark(c);
    let is_name = !name.is_empty() && name != "." && name != ".." && name.chars().all(is_plain);
    if is_name { Ok(()) } else { Err(BadPath) }
}

/// Characters that show nothing and change how their neighbours look (Unicode `Cf` and line
/// separators, as far as terminals and browsers act on them).
fn is_mark(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

impl FromStr for GroupPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        if text.len() > GROUP_PATH_BYTES || text.split('/').count() > GROUP_PATH_DEPTH {
            return Err(BadPath);
        }
        text.split('/').try_for_each(checked_name)?;
        let mut bytes = [0; GROUP_PATH_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let len = u8::try_from(text.len()).map_err(|_| BadPath)?;
        Ok(GroupPath { len, bytes })
    }
}

impl fmt::Display for GroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for GroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for GroupPath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for GroupPath {}

impl PartialOrd for GroupPath {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Name by name, so that a group stands before those in it and they before its next sibling.
impl Ord for GroupPath {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.names().cmp(other.names())
    }
}

impl std::hash::Hash for GroupPath {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for GroupPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for GroupPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for GroupPath {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "GroupPath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^(?!\\.{1,2}(/|$))[^/\\x00-\\x1f\\x7f-\\x9f]+(/(?!\\.{1,2}(/|$))[^/\\x00-\\x1f\\x7f-\\x9f]+){0,7}$",
            "maxLength": GROUP_PATH_BYTES,
            "description": "The path of a group below its machine's root, such as test_container or \
                shell/web: one to eight names with / between them, none of them . or .., at most 119 \
                bytes as UTF-8, without control or direction marks.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> GroupPath {
        text.parse().unwrap()
    }

    #[test]
    fn names_on_the_way_down() {
        let deep = path("shell/web server/größe");
        assert_eq!(deep.names().collect::<Vec<_>>(), ["shell", "web server", "größe"]);
        assert_eq!((deep.name(), deep.parent()), ("größe", Some(path("shell/web server"))));
        assert_eq!(path("a").parent(), None);
        assert_eq!(path("a").child("b"), Ok(path("a/b")));
        assert_eq!(GroupPath::below_root("测试"), Ok(path("测试")));
    }

    #[test]
    fn nothing_leads_elsewhere_or_looks_like_something_else() {
        let (long, deep) =
            ("x".repeat(GROUP_PATH_BYTES + 1), ["d"; GROUP_PATH_DEPTH + 1].join("/"));
        for bad in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/..",
            "a/./b",
            "a\0",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}",
            "\u{feff}",
            "\x1b[2J",
            &long,
            &deep,
        ] {
            assert_eq!(bad.parse::<GroupPath>(), Err(BadPath), "{bad:?}");
        }
        for fine in ["...", ".hidden", "a b", "<b>", "$(reboot)", "-rf", &long[1..], &deep[2..]] {
            assert_eq!(path(fine).as_str(), fine);
        }
        // A name is one name.
        assert_eq!(path("a").child("b/c"), Err(BadPath));
        assert_eq!(GroupPath::below_root("../b"), Err(BadPath));
        assert_eq!(path(&long[1..]).child("b"), Err(BadPath));
    }

    #[test]
    fn where_groups_are_made() {
        assert_eq!(GroupId::Root.new_child("a"), Ok(path("a")));
        assert_eq!(GroupId::Shell.new_child("a"), Ok(path("shell/a")));
        assert_eq!(GroupId::Made(path("a")).new_child("b"), Ok(path("a/b")));
        assert_eq!(GroupId::Cap.new_child("a"), Err(BadGroup::Cap));
        let container = GroupId::Container(ContainerId(1));
        assert_eq!(container.new_child("a"), Err(BadGroup::OfContainer));
        for bad in ["", "a/b", "..", "a\n"] {
            assert_eq!(GroupId::Root.new_child(bad), Err(BadGroup::Name { given: bad.into() }));
        }
        assert_eq!(GroupId::Made(path("a/b")).path().unwrap(), "root/a/b");
        assert_eq!((GroupId::Cap.path().unwrap(), container.path()), (String::new(), None));
    }

    #[test]
    fn a_group_stands_before_those_in_it() {
        let mut all = ["a.b", "a", "a/z", "a/b/c", "b", "a/b"].map(path);
        all.sort();
        assert_eq!(all, ["a", "a/b", "a/b/c", "a/z", "a.b", "b"].map(path));
    }
}
