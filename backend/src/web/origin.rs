//! Which `Host` and `Origin` are ours, exactly.
//!
//! * Another `Host` is refused on every route (421): a name that an attacker points at this
//!   address (DNS rebinding) is not ours.
//! * A socket and every change need an `Origin` that is ours (403). A browser sends the truth
//!   there; a script writes the address it talks to. CORS does not apply to WebSockets, so this
//!   is looked at by the handlers themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, header};

use super::problem::Problem;

/// The hosts and origins that are ours.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Origins {
    /// Those of a listening address, and others such as `https://lab.example`.
    pub(crate) fn new(listen: SocketAddr, allowed: &[String]) -> Origins {
        let mut ours = Origins { hosts: Vec::new(), origins: Vec::new() };
        let ip = listen.ip();
        if ip.is_loopback() || ip.is_unspecified() {
            let loopback = [
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()).to_string(),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), listen.port()).to_string(),
                format!("localhost:{}", listen.port()),
            ];
            loopback.iter().for_each(|host| ours.allow("http", host, ":80"));
        }
        if !ip.is_unspecified() {
            ours.allow("http", &listen.to_string(), ":80");
        }
        for origin in allowed {
            let origin = origin.trim_end_matches('/').to_ascii_lowercase();
            match origin.split_once("://") {
                Some(("http", host)) => ours.allow("http", host, ":80"),
                Some(("https", host)) => ours.allow("https", host, ":443"),
                _ => tracing::warn!(origin, "not an origin; write it like https://lab.example"),
            }
        }
        ours
    }

    /// Browsers leave the scheme's own port out; with it and without mean the same.
    fn allow(&mut self, scheme: &str, host: &str, port: &str) {
        let short = host.strip_suffix(port).unwrap_or(host);
        self.origins.push(format!("{scheme}://{short}"));
        self.hosts.push(short.to_string());
        if !has_port(short) {
            self.hosts.push(format!("{short}{port}"));
        }
    }

    /// Is the request for us? Exactly one `Host`, and the same in an absolute URI.
    pub(crate) fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let host = only(headers, &header::HOST).map(str::to_ascii_lowercase);
        let ours = |host: &str| self.hosts.iter().any(|known| known == host);
        let uri_ours = uri.authority().map(Authority::as_str).is_none_or(ours);
        if uri_ours && host.as_deref().is_some_and(ours) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "this host name is not served here",
            format!(
                "use {}, or allow this origin when the server starts",
                self.origins.join(" or ")
            ),
        ))
    }

    /// Does the request come from our own page, or from a script that says where it talks to?
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let origin = only(headers, &header::ORIGIN);
        if origin.is_some_and(|origin| self.origins.iter().any(|known| known == origin)) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::FORBIDDEN,
            "the Origin header is missing or not allowed",
            format!("send Origin: {}", self.origins.join(" or ")),
        ))
    }
}

fn has_port(host: &str) -> bool {
    let name = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    name.contains(':')
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then(|| value.to_str().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn ours() -> Origins {
        let listen = "127.0.0.1:7878".parse().unwrap();
        Origins::new(listen, &["https://lab.example".into(), "http://[::1]:9000/".into()])
    }

    #[track_caller]
    fn origin(value: &str, allowed: bool) {
        let found = ours().check_origin(&headers(&[("origin", value)])).is_ok();
        assert_eq!(found, allowed, "{value}");
    }

    #[track_caller]
    fn host(value: &str, allowed: bool) {
        let found = ours().check_host(&headers(&[("host", value)]), &Uri::from_static("/"));
        assert_eq!(found.is_ok(), allowed, "{value}");
    }

    #[test]
    fn origins_match_exactly() {
        for good in [
            "http://127.0.0.1:7878",
            "http://localhost:7878",
            "http://[::1]:7878",
            "https://lab.example",
            "http://[::1]:9000",
        ] {
            origin(good, true);
        }
        for bad in [
            "null",
            "",
            "http://localhost",
            "https://localhost:7878",
            "http://localhost:7879",
            "http://localhost:7878.evil.example",
            "http://evil.localhost:7878",
            "http://localhost:78780",
            "https://evil-lab.example",
            "https://lab.example.evil.example",
            "https://lab.example:8443",
            "http://lab.example",
            "http://localhost:7878/",
        ] {
            origin(bad, false);
        }
        assert!(ours().check_origin(&HeaderMap::new()).is_err());
        let two = headers(&[("origin", "http://localhost:7878"), ("origin", "null")]);
        assert!(ours().check_origin(&two).is_err());
    }

    #[test]
    fn hosts_match_exactly() {
        for good in ["127.0.0.1:7878", "LocalHost:7878", "lab.example", "lab.example:443"] {
            host(good, true);
        }
        for bad in ["attacker.example", "localhost", "localhost:80", "lab.example:80", ""] {
            host(bad, false);
        }
        let one = headers(&[("host", "localhost:7878")]);
        assert!(ours().check_host(&one, &Uri::from_static("http://evil.example/")).is_err());
        assert!(ours().check_host(&HeaderMap::new(), &Uri::from_static("/")).is_err());
    }

    #[test]
    fn any_address_is_no_name() {
        let any = Origins::new("0.0.0.0:80".parse().unwrap(), &[]);
        let check = |host| any.check_host(&headers(&[("host", host)]), &Uri::from_static("/"));
        assert!(check("localhost").is_ok());
        assert!(check("localhost:80").is_ok());
        assert!(check("0.0.0.0").is_err());
    }
}
