//! TLS: what the certificate and the key make, and what is said to whoever speaks plain HTTP.
//!
//! Web can open no file: the launcher reads both and hands them over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, version};

use super::Web;
use super::problem::Problem;
use crate::ipc::TlsSetup;

/// The first byte of every TLS connection: the content type `handshake`.
const HANDSHAKE: u8 = 22;

/// Reads the two texts. The launcher does so too, before it starts, to say what is wrong.
pub(crate) fn acceptor(setup: &TlsSetup) -> Result<TlsAcceptor> {
    let chain: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(&setup.certificate)
        .map(|one| one.map(CertificateDer::into_owned))
        .collect::<Result<_, _>>()
        .context("the certificate of --tls-cert cannot be read (PEM is expected)")?;
    ensure!(!chain.is_empty(), "there is no certificate in --tls-cert (PEM is expected)");
    let key = PrivateKeyDer::from_pem_slice(&setup.key)
        .context("there is no private key in --tls-key (PEM is expected, without a passphrase)")?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .context("choose TLS 1.2 and 1.3")?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("--tls-cert and --tls-key do not belong together, or cannot be used")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What new connections are accepted with: renewed while the server runs.
#[derive(Clone)]
pub(crate) struct Acceptor(Arc<Mutex<TlsAcceptor>>);

impl Acceptor {
    /// Begins with this certificate and key.
    pub(crate) fn new(setup: &TlsSetup) -> Result<Self> {
        Ok(Acceptor(Arc::new(Mutex::new(acceptor(setup)?))))
    }

    /// Those of now.
    pub(crate) fn now(&self) -> TlsAcceptor {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes others for the connections that come from now on; on error the old ones stay.
    pub(crate) fn renew(&self, setup: &TlsSetup) -> Result<()> {
        let fresh = acceptor(setup)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

/// Does TLS begin here? None: nothing came in time.
pub(crate) async fn begins(stream: &TcpStream, patience: Duration) -> Option<bool> {
    let mut first = [0];
    match timeout(patience, stream.peek(&mut first)).await {
        Ok(Ok(1)) => Some(first[0] == HANDSHAKE),
        _ => None,
    }
}

/// What plain HTTP is answered on this port: where to go. Nothing else is served.
pub(crate) fn plain(web: Arc<Web>) -> Router {
    Router::new().fallback(elsewhere).with_state(web)
}

async fn elsewhere(State(web): State<Arc<Web>>, request: Request) -> Response {
    if let Err(problem) = web.origins.check_host(request.headers(), request.uri()) {
        return problem.into_response();
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let problem = Problem::new(
        StatusCode::BAD_REQUEST,
        "this port speaks TLS",
        format!("use https://{host}"),
    );
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let location = format!("https://{host}{path}");
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return problem.into_response();
    }
    let mut response =
        Problem { status: StatusCode::TEMPORARY_REDIRECT, ..problem }.into_response();
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> TlsSetup {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        TlsSetup {
            certificate: made.cert.pem().into_bytes(),
            key: made.signing_key.serialize_pem().into_bytes(),
        }
    }

    #[track_caller]
    fn wrong(setup: &TlsSetup, said: &str) {
        let err = format!("{:#}", acceptor(setup).err().unwrap());
        assert!(err.contains(said), "{err}");
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let good = pair();
        assert!(acceptor(&good).is_ok());
        wrong(
            &TlsSetup { certificate: Vec::new(), ..good.clone() },
            "no certificate in --tls-cert",
        );
        let cut = good.certificate[..200].to_vec();
        wrong(&TlsSetup { certificate: cut, ..good.clone() }, "--tls-cert");
        wrong(
            &TlsSetup { key: b"nonsense".to_vec(), ..good.clone() },
            "no private key in --tls-key",
        );
        wrong(&TlsSetup { key: pair().key, ..good }, "do not belong together");
    }
}
