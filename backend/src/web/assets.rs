//! The page's files: embedded in the binary, or below a directory for development.
//!
//! Names with a content hash (`app-0123456789abcdef.wasm`) never change and are cached for good;
//! everything else is asked for again, with an `ETag`. Only `/` is the page itself: a path that
//! is no file is 404.

use std::fs;
use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use sha2::{Digest, Sha256};

use super::problem::Problem;

/// A file of the page, with its compressed forms.
pub(crate) struct Embedded {
    path: &'static str,
    raw: &'static [u8],
    br: Option<&'static [u8]>,
    gz: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What `/` says when the binary was built without the page.
const MISSING: Embedded =
    Embedded { path: "/index.html", raw: include_bytes!("missing.html"), br: None, gz: None };

/// Where the files come from.
pub(crate) enum Assets {
    /// The binary; with the hash of each file.
    Embedded(Vec<(&'static Embedded, String)>),
    /// A directory.
    Directory(PathBuf),
}

impl Assets {
    /// The files of a directory, or those of the binary.
    pub(crate) fn new(directory: Option<PathBuf>) -> Assets {
        if let Some(directory) = directory {
            return Assets::Directory(directory);
        }
        let files = if EMBEDDED.is_empty() { std::slice::from_ref(&MISSING) } else { EMBEDDED };
        Assets::Embedded(files.iter().map(|file| (file, hash(file.raw))).collect())
    }

    /// The answer to `GET` of a path as it came over the line.
    pub(crate) fn answer(
        &self,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Response<Body>, Problem> {
        let path = if path == "/" { "/index.html" } else { path };
        let found = match self {
            Assets::Embedded(files) => {
                files.iter().find(|(file, _)| file.path == path).map(|(file, hash)| {
                    let (encoding, bytes) = choose(file, headers);
                    (encoding, Bytes::from_static(bytes), hash.clone())
                })
            }
            Assets::Directory(directory) => read(directory, path).map(|bytes| {
                let hash = hash(&bytes);
                ("", Bytes::from(bytes), hash)
            }),
        };
        let Some((encoding, bytes, hash)) = found else {
            let hint = "the page is at /";
            return Err(Problem::new(StatusCode::NOT_FOUND, "there is no such file", hint));
        };
        Ok(respond(path, encoding, bytes, &hash, headers))
    }
}

fn respond(
    path: &str,
    encoding: &'static str,
    bytes: Bytes,
    hash: &str,
    headers: &HeaderMap,
) -> Response<Body> {
    let caching = if is_hashed(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let etag = format!("\"{hash}{encoding}\"");
    let known = lists(headers, &header::IF_NONE_MATCH).any(|tag| {
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        tag == etag || tag == "*"
    });
    let mut response = Response::new(if known { Body::empty() } else { Body::from(bytes) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let fields = response.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        fields.insert(header::ETAG, etag);
    }
    if !known {
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
        if !encoding.is_empty() {
            fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
    }
    response
}

/// The smallest form that the other side reads.
fn choose(file: &'static Embedded, headers: &HeaderMap) -> (&'static str, &'static [u8]) {
    let accepts = |name: &str| {
        lists(headers, &header::ACCEPT_ENCODING).any(|item| {
            let (coding, weight) = item.split_once(';').unwrap_or((item, ""));
            let never = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
            coding.trim() == name && !never
        })
    };
    match (file.br, file.gz) {
        (Some(br), _) if accepts("br") => ("br", br),
        (_, Some(gz)) if accepts("gzip") => ("gzip", gz),
        _ => ("", file.raw),
    }
}

/// The items of a comma-separated header.
fn lists<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(',')).map(str::trim)
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// `name-<16 hex>.ext`
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A file below a directory. Each part of the path is a plain name, and what a link leads to is
/// below the directory too.
fn read(directory: &Path, path: &str) -> Option<Vec<u8>> {
    let plain = |part: &str| {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(good)
    };
    let relative = path.strip_prefix('/')?;
    if !relative.split('/').all(plain) {
        return None;
    }
    let file = directory.join(relative).canonicalize().ok()?;
    let inside = file.starts_with(directory.canonicalize().ok()?);
    if inside { fs::read(file).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILE: Embedded =
        Embedded { path: "/a.js", raw: b"raw", br: Some(b"br"), gz: Some(b"gz") };

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[track_caller]
    fn chooses(accept: &str, encoding: &str) {
        assert_eq!(choose(&FILE, &with(header::ACCEPT_ENCODING, accept)).0, encoding, "{accept}");
    }

    #[test]
    fn encodings() {
        chooses("gzip, deflate, br, zstd", "br");
        chooses("gzip;q=0.8", "gzip");
        chooses("br;q=0, gzip", "gzip");
        chooses("identity", "");
        chooses("brotli", "");
        assert_eq!(choose(&FILE, &HeaderMap::new()).0, "");
    }

    #[test]
    fn hashed_names() {
        assert!(is_hashed("/app-0123456789abcdef.wasm"));
        assert!(is_hashed("/x/app-0123456789abcdef.min.js"));
        assert!(!is_hashed("/index.html"));
        assert!(!is_hashed("/app-0123456789abcde.wasm"));
        assert!(!is_hashed("/app-0123456789ABCDEF.wasm"));
    }

    #[test]
    fn caching() {
        let assets = Assets::Embedded(vec![(&FILE, hash(FILE.raw))]);
        let first = assets.answer("/a.js", &HeaderMap::new()).unwrap();
        assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let etag = first.headers()[header::ETAG].to_str().unwrap();
        let again = assets.answer("/a.js", &with(header::IF_NONE_MATCH, etag)).unwrap();
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        let other = assets.answer("/a.js", &with(header::IF_NONE_MATCH, "\"0\"")).unwrap();
        assert_eq!(other.status(), StatusCode::OK);
        assert!(assets.answer("/b.js", &HeaderMap::new()).is_err());
    }

    #[test]
    fn nothing_outside_the_directory() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("web");
        fs::create_dir_all(inner.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        fs::write(inner.join("index.html"), "page").unwrap();
        fs::write(inner.join("sub/a.js"), "code").unwrap();
        fs::write(inner.join(".hidden"), "hidden").unwrap();
        std::os::unix::fs::symlink("../secret", inner.join("link")).unwrap();
        assert_eq!(read(&inner, "/index.html").as_deref(), Some(&b"page"[..]));
        assert_eq!(read(&inner, "/sub/a.js").as_deref(), Some(&b"code"[..]));
        for bad in [
            "/../secret",
            "/sub/../../secret",
            "/link",
            "/.hidden",
            "//etc/passwd",
            "/%2e%2e/secret",
            "/..%2fsecret",
            "/..\\secret",
            "/sub",
            "/",
            "",
            "etc/passwd",
        ] {
            assert_eq!(read(&inner, bad), None, "{bad}");
        }
    }

    #[test]
    fn every_binary_has_a_page() {
        let assets = Assets::new(None);
        let page = assets.answer("/", &HeaderMap::new()).unwrap();
        assert_eq!(page.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    }
}
