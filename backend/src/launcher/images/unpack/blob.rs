//! The bytes of layers: decompressed to a file, and compared with their digests before anything
//! of them is unpacked.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek as _, SeekFrom, Write as _};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use sha2::{Digest as _, Sha256};

use super::source::{Files, Part};
use super::{Bounds, Doing as _, UnpackError, below};

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// A blob that a manifest names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Where it is in the layout.
    pub(super) name: String,
    /// SHA-256 of its bytes, where the manifest says it.
    pub(super) digest: Option<String>,
    /// Its size, where the manifest says it.
    pub(super) size: Option<u64>,
    /// SHA-256 of what is in it when it is decompressed.
    pub(super) diff_id: String,
}

/// By its first bytes.
pub(super) fn packing(file: &File) -> Result<Packing, UnpackError> {
    packing_of(&Part::whole(file)?)
}

fn packing_of(part: &Part) -> Result<Packing, UnpackError> {
    let first = part.first_bytes().doing(|| "read the first bytes".into())?;
    let other = |name: &str| {
        let what =
            format!("it is compressed with {name}; decompress it first, or use gzip or zstd");
        Err(UnpackError::Wrong(what))
    };
    match first {
        [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
        // A frame, or one that is to be skipped (at the beginning of a "chunked" layer).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Packing::Zstd),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => other("xz"),
        [b'B', b'Z', b'h', ..] => other("bzip2"),
        [0x04, 0x22, 0x4d, 0x18, ..] => other("lz4"),
        _ => Ok(Packing::None),
    }
}

/// Fetches a layer as a plain tar into `scratch`; an error when it is not what was promised.
pub(super) fn fetch(
    files: &Files,
    wanted: &Wanted,
    scratch: &File,
    bounds: Bounds,
) -> Result<File, UnpackError> {
    let name = &wanted.name;
    let part = files.open(name)?;
    let part = part.ok_or_else(|| UnpackError::wrong(format!("the layer {name} is missing")))?;
    if let Some(size) = wanted.size
        && size != part.length
    {
        let has = part.length;
        return Err(UnpackError::wrong(format!(
            "{name} has {has} bytes; the manifest says {size}"
        )));
    }
    let found = unpack_into(packing_of(&part)?, part, scratch, bounds)?;
    if let Some(digest) = &wanted.digest {
        compare(name, "digest", digest, &found.packed)?;
    }
    compare(name, "diff_id", &wanted.diff_id, &found.plain)?;
    scratch.try_clone().doing(|| "dup".into())
}

/// Two digests of the same thing.
pub(super) fn compare(
    name: &str,
    what: &str,
    promised: &str,
    found: &str,
) -> Result<(), UnpackError> {
    if promised == found {
        return Ok(());
    }
    Err(UnpackError::Wrong(format!(
        "{name}: its {what} is sha256:{found}, promised is sha256:{promised}"
    )))
}

/// SHA-256, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digests of a blob.
pub(super) struct Digests {
    packed: String,
    plain: String,
}

/// Decompresses into `scratch`, from its beginning; more than is allowed is refused.
pub(super) fn unpack_into(
    packing: Packing,
    part: Part,
    scratch: &File,
    bounds: Bounds,
) -> Result<Digests, UnpackError> {
    let doing = || "decompress".to_string();
    let mut packed =
        BufReader::with_capacity(64 * 1024, Hashing { inner: part, hash: Sha256::new() });
    let mut out = scratch.try_clone().doing(doing)?;
    out.set_len(0).and_then(|()| out.seek(SeekFrom::Start(0))).doing(doing)?;
    let plain = match packing {
        Packing::None => copy(&mut packed, &mut out, bounds)?,
        Packing::Gzip => copy(&mut MultiGzDecoder::new(&mut packed), &mut out, bounds)?,
        Packing::Zstd => copy(&mut Zstd::new(&mut packed), &mut out, bounds)?,
    };
    // Whatever stands behind the compressed data belongs to the digest too.
    io::copy(&mut packed, &mut io::sink()).doing(doing)?;
    let packed = packed.into_inner().hash.finalize();
    Ok(Digests { packed: hex(packed.as_ref()), plain })
}

fn copy(from: &mut dyn Read, to: &mut File, bounds: Bounds) -> Result<String, UnpackError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut total = 0;
    loop {
        let len = match from.read(&mut buffer) {
            Ok(0) => break,
            Err(err) if err.kind() == io::ErrorKind::Interrupted => continue,
            Ok(len) => len,
            Err(err) => {
                return Err(UnpackError::Wrong(format!("it cannot be decompressed: {err}")));
            }
        };
        total += len as u64;
        below(bounds.bytes, total, || "decompressed".into())?;
        hash.update(&buffer[..len]);
        to.write_all(&buffer[..len]).doing(|| "write what is decompressed".into())?;
    }
    Ok(hex(hash.finalize().as_ref()))
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.hash.update(&buffer[..len]);
        Ok(len)
    }
}

/// All frames of a zstd stream, those that are to be skipped left out.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        Zstd { source, decoder: FrameDecoder::new(), in_frame: false }
    }

    /// Begins the next frame; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a frame is cut"));
                    }
                }
                Err(err) => return Err(io::Error::other(err.to_string())),
            }
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame && !self.next_frame()? {
                return Ok(0);
            }
            self.in_frame = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(|err| io::Error::other(err.to_string()))?;
            }
            let len = self.decoder.read(buffer)?;
            if len > 0 || buffer.is_empty() {
                return Ok(len);
            }
            self.in_frame = false;
        }
    }
}
