//! Hears when an image is added or removed while a server runs.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::Images;

/// Readable when an image has come or gone.
#[derive(Debug)]
pub(crate) struct Watcher(Inotify);

impl Images {
    /// Watches the store from now on. Images come and go by being renamed.
    pub(crate) fn watch(&self) -> nix::Result<Watcher> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        let changes = AddWatchFlags::IN_MOVE | AddWatchFlags::IN_ONLYDIR;
        inotify.add_watch(&self.directory, changes)?;
        Ok(Watcher(inotify))
    }
}

impl Watcher {
    /// Takes note of what has happened; what it was is looked up in the store.
    pub(crate) fn drain(&self) {
        // Until there is nothing to be read.
        while self.0.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
