//! The page's files under their final names: each hashed after its content, each reference rewritten.
//!
//! How a file refers to another, by its name below `static/`:
//!
//! | in | reference |
//! |---|---|
//! | `.html`, `.webmanifest` | `{{NAME}}`, and the short names of [`SHORT`] |
//! | `.js`, `.mjs` | a string `"./NAME"` or `'./NAME'`, as in `import … from "./NAME"` |
//! | `.css` | `url(NAME)`, with or without quotes and `./` |
//!
//! A reference to a file that is not there is an error. So is a circle: nothing in it could be named first.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};

use crate::stamp;

/// Short names for placeholders: what they stand for, and whether the page waits for it.
pub(crate) const SHORT: [(&str, &str, When); 6] = [
    ("glue", GLUE, When::Critical),
    ("wasm", "page.wasm", When::Critical),
    ("boot", "boot.js", When::Critical),
    ("css", "style.css", When::Critical),
    ("term", "term.mjs", When::Lazy),
    ("term-css", "xterm.css", When::Lazy),
];

/// What wasm-bindgen makes: it loads the wasm, and stands between it and the browser.
const GLUE: &str = "page.js";
/// The page itself.
const INDEX: &str = "index.html";

/// When the browser loads a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the page shows anything.
    Critical,
    /// When it is first used.
    Lazy,
}

/// A file as it goes to the browser.
pub(crate) struct Asset {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) when: When,
}

/// Files by their name below `static/` (or the name that the build gives them).
pub(crate) type Sources = BTreeMap<String, Vec<u8>>;

/// Names all files and rewrites what refers to them.
pub(crate) fn assemble(sources: &Sources) -> Result<Vec<Asset>> {
    if !sources.contains_key(INDEX) {
        bail!("static/{INDEX} is missing: it is the page itself");
    }
    let mut naming = Naming { sources, done: BTreeMap::new(), open: Vec::new() };
    for name in sources.keys() {
        naming.finish(name)?;
    }
    let critical = naming.critical();
    let asset = |(name, done): (String, Done)| {
        let when = if critical.contains(&name) { When::Critical } else { When::Lazy };
        Asset { name: done.name, bytes: done.bytes, when }
    };
    Ok(naming.done.into_iter().map(asset).collect())
}

struct Naming<'a> {
    sources: &'a Sources,
    done: BTreeMap<String, Done>,
    /// The files that wait for the one we are at.
    open: Vec<String>,
}

struct Done {
    name: String,
    bytes: Vec<u8>,
    refers_to: Vec<(String, When)>,
}

impl Naming<'_> {
    /// Gives `name` its final name, after all it refers to.
    fn finish(&mut self, name: &str) -> Result<()> {
        if self.done.contains_key(name) {
            return Ok(());
        }
        if self.open.iter().any(|open| open == name) {
            bail!("{} refers in a circle to {name}", self.open.join(", which refers to "));
        }
        self.open.push(name.to_owned());
        let done = self.rewrite(name).with_context(|| format!("static file {name}"))?;
        self.open.pop();
        self.done.insert(name.to_owned(), done);
        Ok(())
    }

    fn rewrite(&mut self, name: &str) -> Result<Done> {
        let bytes = &self.sources[name];
        let marks = Marks::of(name);
        let mut refers_to = Vec::new();
        let mut out = Vec::with_capacity(bytes.len());
        if let Some(marks) = marks {
            let mut rest = std::str::from_utf8(bytes).context("not UTF-8")?;
            while let Some(found) = marks.next(rest) {
                out.extend_from_slice(&rest.as_bytes()[..found.start]);
                out.extend_from_slice(
                    self.resolve(&marks, found.reference, &mut refers_to)?.as_bytes(),
                );
                rest = &rest[found.end..];
            }
            out.extend_from_slice(rest.as_bytes());
        } else {
            out.clone_from(bytes);
        }
        Ok(Done { name: final_name(name, &out), bytes: out, refers_to })
    }

    /// What stands for `reference` in the finished file.
    fn resolve(
        &mut self,
        marks: &Marks,
        reference: &str,
        refers_to: &mut Vec<(String, When)>,
    ) -> Result<String> {
        let (name, when) = match SHORT.iter().find(|(short, _, _)| *short == reference) {
            Some((_, name, when)) if *marks == Marks::BRACES => (*name, *when),
            _ => (reference.trim_start_matches("./"), loads(reference)),
        };
        if !self.sources.contains_key(name) {
            // The glue's strings are not ours to judge: it names a module `./page_bg.js` that never exists.
            let glue = self.open.last().is_some_and(|file| file == GLUE);
            if glue {
                return Ok(format!("./{reference}"));
            }
            return match marks.unknown(reference, when) {
                Some(kept) => Ok(kept),
                None => bail!("it refers to `{reference}`, which is not there. {}", self.known()),
            };
        }
        self.finish(name)?;
        refers_to.push((name.to_owned(), when));
        Ok(format!("./{}", self.done[name].name))
    }

    fn known(&self) -> String {
        let short: Vec<&str> = SHORT.iter().map(|(short, _, _)| *short).collect();
        let names: Vec<&str> = self.sources.keys().map(String::as_str).collect();
        format!("There are: {} (in .html also {})", names.join(", "), short.join(", "))
    }

    /// The page and all that it cannot start without.
    fn critical(&self) -> BTreeSet<String> {
        let mut critical = BTreeSet::new();
        let mut todo = vec![INDEX.to_owned()];
        while let Some(name) = todo.pop() {
            let needed =
                self.done[&name].refers_to.iter().filter(|(_, when)| *when == When::Critical);
            todo.extend(needed.map(|(name, _)| name.clone()));
            critical.insert(name);
        }
        critical
    }
}

/// What begins and ends a reference in one kind of file.
#[derive(PartialEq, Eq)]
struct Marks {
    pairs: &'static [(&'static str, &'static str)],
}

struct Found<'a> {
    reference: &'a str,
    start: usize,
    end: usize,
}

impl Marks {
    const BRACES: Self = Self { pairs: &[("{{", "}}")] };
    const QUOTES: Self = Self { pairs: &[("\"./", "\""), ("'./", "'")] };
    const URLS: Self = Self { pairs: &[("url(\"", "\")"), ("url('", "')"), ("url(", ")")] };

    fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "html" | "webmanifest" => Some(Self::BRACES),
            "js" | "mjs" => Some(Self::QUOTES),
            "css" => Some(Self::URLS),
            _ => None,
        }
    }

    /// The first reference in `text`. Quotes and `url(` stay; braces go.
    fn next<'a>(&self, text: &'a str) -> Option<Found<'a>> {
        let at = |pair: &&(&str, &str)| text.find(pair.0).unwrap_or(usize::MAX);
        let (open, close) = self.pairs.iter().min_by_key(at)?;
        let first = text.find(open)?;
        let start = first + open.len();
        let length = text[start..].find(close)?;
        let reference = &text[start..start + length];
        if *self == Self::BRACES {
            return Some(Found { reference, start: first, end: start + length + close.len() });
        }
        let dot_slash = if *self == Self::QUOTES { 2 } else { 0 };
        Some(Found { reference, start: start - dot_slash, end: start + length })
    }

    /// What becomes of a reference to no file of ours: kept as it is, or `None` for a mistake.
    fn unknown(&self, reference: &str, when: When) -> Option<String> {
        let ours = |ending| [".js", ".mjs", ".css", ".wasm"].contains(&ending);
        let ending = reference.rfind('.').map_or("", |dot| &reference[dot..]);
        if *self == Self::BRACES {
            // Without npm there is no terminal: the page finds an empty name and says so.
            return (when == When::Lazy && SHORT.iter().any(|(short, _, _)| *short == reference))
                .then(String::new);
        }
        if *self == Self::QUOTES {
            return (!ours(ending)).then(|| format!("./{reference}"));
        }
        (reference.starts_with("data:") || reference.starts_with('#')).then(|| reference.to_owned())
    }
}

/// Pictures and the manifest are fetched when the page already stands. So are chunks: scripts
/// name no other wasm, and the page's own has a short name.
fn loads(reference: &str) -> When {
    let ending = reference.rsplit_once('.').map_or("", |(_, ending)| ending);
    if matches!(ending, "svg" | "png" | "ico" | "webp" | "webmanifest" | "wasm") {
        When::Lazy
    } else {
        When::Critical
    }
}

/// `dir/name-0123456789abcdef.ending`. Files that are asked for by a fixed name keep it.
fn final_name(name: &str, bytes: &[u8]) -> String {
    let fixed = ["sw.js", "favicon.ico"].contains(&name);
    match name.rsplit_once('.') {
        Some((_, "html" | "webmanifest" | "txt")) | None => name.to_owned(),
        Some(_) if fixed => name.to_owned(),
        Some((stem, ending)) => format!("{stem}-{}.{ending}", &stamp::of_bytes(bytes)[..16]),
    }
}

#[cfg(test)]
mod tests;
