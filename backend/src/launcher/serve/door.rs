//! Where people get in: the listening socket, TLS, and the address that is printed.

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;

use super::Options;
use crate::ipc::TlsSetup;
use crate::web::tls_acceptor;

/// Larger than any certificate with everything above it.
const MOST_BYTES: u64 = 1 << 20;

/// Listens, before anything else is begun.
pub(super) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("cannot listen on {address}; choose another with --listen"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Certificate and key, read and looked at: web can open no file, and would die of a wrong one.
pub(super) fn read_tls(options: &Options) -> anyhow::Result<Option<TlsSetup>> {
    let (certificate, key) = match (&options.tls_cert, &options.tls_key) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => anyhow::bail!("--tls-cert and --tls-key go together: give both, or neither"),
    };
    let setup =
        TlsSetup { certificate: read("--tls-cert", certificate)?, key: read("--tls-key", key)? };
    tls_acceptor(&setup)?;
    let mode = fs::metadata(key).map_or(0, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        let key = key.display();
        tracing::warn!("others on this host can read the private key; chmod 600 {key}");
    }
    Ok(Some(setup))
}

fn read(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A pipe without a writer would hold up everybody: this is read again while others are served.
    let mut options = fs::File::options();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .with_context(|| format!("{flag} {}", path.display()))?;
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{flag} {}", path.display()))?;
    Ok(bytes)
}

/// Can it be reached from other hosts without TLS? Then it says so, and what to do.
pub(super) fn is_plain(address: SocketAddr, tls: bool) -> bool {
    let plain = !tls && !address.ip().to_canonical().is_loopback();
    if plain {
        tracing::warn!(
            "{address} is plain HTTP: everybody on the way can read and change what people type, \
             and take over their sessions; use --tls-cert and --tls-key, or listen on 127.0.0.1 \
             behind a proxy with TLS (--allowed-origin https://NAME --trusted-proxy ADDR)"
        );
    }
    plain
}

/// On every address of this host, no name but `localhost` is known to be ours.
pub(super) fn warn_of_no_name(address: SocketAddr, allowed: &[String]) {
    if address.ip().is_unspecified() && allowed.is_empty() {
        tracing::warn!(
            "others are refused until the server knows by which address they come; name it as \
             they type it, such as --allowed-origin http://192.0.2.10:{}",
            address.port()
        );
    }
}

/// The address to open, without the token. A name that was allowed is what people will type, and
/// what a certificate is for; `0.0.0.0` is nobody's.
pub(super) fn url(address: SocketAddr, tls: bool, allowed: &[String]) -> String {
    let scheme = if tls { "https" } else { "http" };
    let named = allowed.iter().find(|origin| origin.starts_with(&format!("{scheme}://")));
    match named.filter(|_| tls || address.ip().is_unspecified()) {
        Some(origin) => origin.clone(),
        None if address.ip().is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
        None => format!("{scheme}://{address}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_is_printed_can_be_opened() {
        let lab = ["https://lab.example".to_string(), "http://lab.example:7878".to_string()];
        for (address, tls, allowed, expected) in [
            ("127.0.0.1:7878", false, &[][..], "http://127.0.0.1:7878"),
            // Behind a proxy the way past it is open to root of this host only.
            ("127.0.0.1:7878", false, &lab[..1], "http://127.0.0.1:7878"),
            ("0.0.0.0:7878", false, &[], "http://localhost:7878"),
            ("0.0.0.0:7878", false, &lab, "http://lab.example:7878"),
            ("[::]:443", true, &lab, "https://lab.example"),
            ("192.0.2.1:443", true, &lab, "https://lab.example"),
            ("192.0.2.1:443", true, &[], "https://192.0.2.1:443"),
        ] {
            assert_eq!(url(address.parse().unwrap(), tls, allowed), expected, "{address}");
        }
    }

    #[test]
    fn only_this_host_alone_is_not_warned_about() {
        for (address, tls, plain) in [
            ("127.0.0.1:1", false, false),
            ("[::1]:1", false, false),
            ("[::ffff:127.0.0.1]:1", false, false),
            ("0.0.0.0:1", false, true),
            ("192.0.2.1:1", false, true),
            ("[::]:1", false, true),
            ("0.0.0.0:1", true, false),
        ] {
            assert_eq!(is_plain(address.parse().unwrap(), tls), plain, "{address}");
        }
    }
}
