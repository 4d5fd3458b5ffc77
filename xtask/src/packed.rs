//! A file as browsers fetch it: plain, gzip and brotli.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Endings of what shrinks; pictures and fonts are compressed already.
const SHRINKS: [&str; 10] =
    ["html", "css", "js", "mjs", "json", "svg", "txt", "wasm", "webmanifest", "xml"];

/// Whether `.br` and `.gz` are put beside a file of that name.
pub(crate) fn shrinks(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| SHRINKS.contains(&ending))
}

/// gzip, level 9. No name and no time inside: the same bytes give the same file.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).context("gzip")
}

/// brotli, quality 11.
pub(crate) fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let parameters =
        BrotliEncoderParams { quality: 11, size_hint: bytes.len(), ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut packed, &parameters).context("brotli")?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    #[test]
    fn what_is_packed_unpacks_to_the_same() {
        let text = "a namespace is a view; ".repeat(100);
        let mut unzipped = String::new();
        let zipped = super::gzip(text.as_bytes()).unwrap();
        flate2::read::GzDecoder::new(&*zipped).read_to_string(&mut unzipped).unwrap();
        assert_eq!(unzipped, text);
        let packed = super::brotli(text.as_bytes()).unwrap();
        let mut unpacked = Vec::new();
        brotli::BrotliDecompress(&mut &*packed, &mut unpacked).unwrap();
        assert_eq!(unpacked, text.as_bytes());
        assert!(packed.len() < 60 && zipped.len() < 100);
    }

    #[test]
    fn pictures_are_left_alone() {
        assert!(super::shrinks("page-0123.wasm") && !super::shrinks("icon-192.png"));
    }
}
