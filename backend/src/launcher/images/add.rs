//! `vitrine image add`: unpacks a stranger's archive in a process of its own, and gives the
//! result its name when all of it is there.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signalfd::SignalFd;
use serde::{Deserialize, Serialize};
use vitrine_shared::limits::IMAGES;
use vitrine_shared::spec::check_image_name;

use super::super::signals;
use super::super::sys::{self, Side};
use super::store::{self, Fresh};
use super::unpack::{self, Bounds, Config, Kind, Report, Source, Unpacked, wall};
use super::{ImageError, Images, at, skeleton};

/// Another number when the file changes so that an older program cannot read it.
const VERSION: u32 = 1;
/// Most that the unpacking process can say.
const ANSWER_BYTES: u64 = 1 << 20;

/// What is known of an image that was added: `image.json` beside its root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Added {
    version: u32,
    /// Its name.
    pub(crate) name: String,
    /// What it was made of.
    pub(crate) kind: Kind,
    /// The digest of its manifest or configuration, where it had one.
    pub(crate) digest: Option<String>,
    /// When it was added: Unix time, in milliseconds.
    pub(crate) added_msec: u64,
    /// How it is run.
    pub(crate) config: Config,
    /// What was unpacked and what was left out.
    pub(crate) report: Report,
}

impl Added {
    /// What a file says, if it can be read.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Added>(text).ok().filter(|added| added.version == VERSION)
    }
}

impl Images {
    /// Adds an image. It appears whole or not at all.
    pub(crate) fn add(&self, name: &str, source: &Path) -> Result<Added, ImageError> {
        check_image_name(name).map_err(|err| ImageError::Name { reason: err.to_string() })?;
        if name == "busybox" || name == "lab" {
            let reason = format!("{name} is the name of an image of Vitrine's own; choose another");
            return Err(ImageError::Name { reason });
        }
        if self.has(name) {
            let reason = format!("there is an image {name} already; vitrine image remove {name}");
            return Err(ImageError::Name { reason });
        }
        if self.names().len() as u64 >= IMAGES.value {
            let reason = format!("there are {} images already ({})", IMAGES.value, IMAGES.name);
            return Err(ImageError::Name { reason });
        }
        let source = open(source)?;
        let fresh = Fresh::begin(&self.directory)?;
        let root = fresh.path().join("root");
        skeleton::directory(&root)?;
        let unpacked = unpack_apart(fresh.path(), &root, source)?;
        let added = Added {
            version: VERSION,
            name: name.into(),
            kind: unpacked.kind,
            digest: unpacked.digest,
            added_msec: super::super::machine::unix_msec(),
            config: unpacked.config,
            report: unpacked.report,
        };
        let text = serde_json::to_string_pretty(&added).unwrap_or_default();
        skeleton::file(&fresh.path().join("image.json"), &text)?;
        if fresh.publish(&format!("image-{name}"))? {
            let reason = format!("another image {name} was added meanwhile");
            return Err(ImageError::Name { reason });
        }
        Ok(added)
    }

    /// Takes an image away; false when somebody still uses it, and its files go later.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, ImageError> {
        if !self.has(name) {
            return Err(ImageError::NoSuch { name: name.chars().take(64).collect() });
        }
        store::remove(&self.directory, &format!("image-{name}"))
    }
}

/// Opens what is to be unpacked, as whoever runs this may.
fn open(path: &Path) -> Result<Source, ImageError> {
    let file = OpenOptions::new()
        .read(true)
        // A named pipe would keep us waiting.
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(at(path))?;
    let meta = file.metadata().map_err(at(path))?;
    if meta.is_dir() {
        Ok(Source::Directory(file.into()))
    } else if meta.is_file() {
        Ok(Source::File(file))
    } else {
        Err(at(path)(io::Error::other("a source is a directory or a regular file")))
    }
}

/// Two files without a name, for what is decompressed.
fn scratch(directory: &Path) -> Result<[File; 2], ImageError> {
    let make = |name| {
        let path = directory.join(name);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(at(&path))?;
        fs::remove_file(&path).map_err(at(&path))?;
        Ok(file)
    };
    Ok([make("scratch-1")?, make("scratch-2")?])
}

/// Unpacks in a child behind [`wall`]. Ends early when a signal asks for it.
fn unpack_apart(fresh: &Path, root: &Path, source: Source) -> Result<Unpacked, ImageError> {
    let failed = |errno: Errno| at(root)(errno.into());
    let directory: OwnedFd = File::open(root).map_err(at(root))?.into();
    let scratch = scratch(fresh)?;
    let signals = signals::that_end().map_err(failed)?;
    let (answer, tell) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(failed)?;
    let pidfd = match sys::clone3(0).map_err(failed)? {
        Side::Child => {
            drop(answer);
            let said = child(directory, source, scratch, &tell);
            let text = serde_json::to_vec(&said).unwrap_or_default();
            // When nobody listens any more there is nobody to tell.
            let _ = File::from(tell).write_all(&text);
            sys::exit_now(0)
        }
        Side::Parent { pidfd, .. } => pidfd,
    };
    drop((tell, source, scratch, directory));
    let text = listen(File::from(answer), &signals);
    // It has said everything, or is to stop.
    let _ = super::super::userns::end(&pidfd);
    let text = text.map_err(at(root))?;
    match serde_json::from_slice::<Result<Unpacked, String>>(&text) {
        Ok(Ok(unpacked)) => Ok(unpacked),
        Ok(Err(reason)) => Err(ImageError::Refused { reason }),
        Err(_) => Err(ImageError::Refused {
            reason: "the process that unpacks it was killed: too much memory, or a damaged archive"
                .into(),
        }),
    }
}

/// The child's whole life.
fn child(
    root: OwnedFd,
    source: Source,
    scratch: [File; 2],
    tell: &OwnedFd,
) -> Result<Unpacked, String> {
    let from = match &source {
        Source::Directory(directory) => directory.as_raw_fd(),
        Source::File(file) => file.as_raw_fd(),
    };
    let keep = [
        2,
        root.as_raw_fd(),
        from,
        scratch[0].as_raw_fd(),
        scratch[1].as_raw_fd(),
        tell.as_raw_fd(),
    ];
    sys::close_all_but(&keep).map_err(|errno| format!("close_range: {errno}"))?;
    let readable = match &source {
        Source::Directory(directory) => Some(directory.as_fd()),
        // It is open.
        Source::File(_) => None,
    };
    wall::enter(root.as_fd(), readable).map_err(|err| format!("confine the unpacking: {err:#}"))?;
    catch_unwind(AssertUnwindSafe(|| unpack::unpack(source, root, scratch, Bounds::default())))
        .map_err(|_| "the archive confuses the program that unpacks it".to_string())?
        .map_err(|err| err.to_string())
}

/// Everything that the child says, unless a signal comes first.
fn listen(answer: File, signals: &SignalFd) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    loop {
        let mut fds = [
            PollFd::new(answer.as_fd(), PollFlags::POLLIN),
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            other => other?,
        };
        let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
        if ready(&fds[1]) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped by a signal"));
        }
        let mut buffer = [0; 16 * 1024];
        let len = (&answer).read(&mut buffer)?;
        if len == 0 || text.len() as u64 > ANSWER_BYTES {
            return Ok(text);
        }
        text.extend_from_slice(&buffer[..len]);
    }
}
