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
    pub(crate) fn new(listen: SocketAddr, tls: bool, allowed: &[String]) -> Origins {
        let mut ours = Origins { hosts: Vec::new(), origins: Vec::new() };
        let (scheme, port) = if tls { ("https", ":443") } else { ("http", ":80") };
        let ip = listen.ip();
        if ip.is_loopback() || ip.is_unspecified() {
            let loopback = [
                SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()).to_string(),
                SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), listen.port()).to_string(),
                format!("localhost:{}", listen.port()),
            ];
            loopback.iter().for_each(|host| ours.allow(scheme, host, port));
        }
        if !ip.is_unspecified() {
            ours.allow(scheme, &listen.to_string(), port);
        }
        for origin in allowed {
            // The launcher has checked them when it read its command line.
            match checked(origin).as_deref().map(|origin| origin.split_once("://")) {
                Ok(Some(("http", host))) => ours.allow("http", host, ":80"),
                Ok(Some((_, host))) => ours.allow("https", host, ":443"),
                _ => tracing::warn!(origin, "not an origin"),
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
                "use {}, or start the server with --allowed-origin and the address as it is typed, \
                 such as --allowed-origin {EXAMPLE}",
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
            format!(
                "send Origin: {}, or start the server with --allowed-origin ORIGIN",
                self.origins.join(" or ")
            ),
        ))
    }
}

/// What stands in messages.
const EXAMPLE: &str = "https://lab.example.org";

/// An origin as browsers write it, or what is wrong with this one.
pub(crate) fn checked(text: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("{why}; an origin is such as {EXAMPLE}"));
    let origin = text.trim().to_ascii_lowercase();
    if origin.contains('*') {
        return wrong("wildcards are not allowed: name each origin");
    }
    if !origin.is_ascii() {
        return wrong("write the name as browsers send it (punycode, xn--…)");
    }
    let Some((scheme, host)) = origin.split_once("://") else {
        return wrong("it has no http:// or https://");
    };
    if !matches!(scheme, "http" | "https") {
        return wrong("only http and https are served");
    }
    let host = host.strip_suffix('/').unwrap_or(host);
    if host.contains(['/', '?', '#', '@']) {
        return wrong("a path or a user is not part of it");
    }
    let Ok(authority) = host.parse::<Authority>() else {
        return wrong("the host name is not one");
    };
    let name = authority.host();
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    };
    let v6 = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if !v6.map_or_else(|| is_name(name), |v6| v6.parse::<Ipv6Addr>().is_ok()) {
        return wrong("the host name is not one");
    }
    if has_port(host) && authority.port_u16().is_none_or(|port| port == 0) {
        return wrong("the port must be 1 to 65535");
    }
    Ok(format!("{scheme}://{host}"))
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
        Origins::new(listen, false, &["https://lab.example".into(), "http://[::1]:9000/".into()])
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
    fn with_tls_only_https_is_ours() {
        let listen = "192.0.2.1:443".parse().unwrap();
        let ours = Origins::new(listen, true, &["http://lab.example:8080".into()]);
        let check = |origin| ours.check_origin(&headers(&[("origin", origin)])).is_ok();
        assert!(check("https://192.0.2.1"));
        assert!(!check("http://192.0.2.1") && !check("http://192.0.2.1:443"));
        assert!(check("http://lab.example:8080"), "as it was allowed");
    }

    #[test]
    fn only_exact_origins_can_be_allowed() {
        for (good, written) in [
            ("https://lab.example.org", "https://lab.example.org"),
            ("HTTPS://Lab.Example.org/", "https://lab.example.org"),
            ("http://10.0.0.5:7878", "http://10.0.0.5:7878"),
            ("http://[2001:db8::1]:80", "http://[2001:db8::1]:80"),
        ] {
            assert_eq!(checked(good).as_deref(), Ok(written), "{good}");
        }
        for (bad, said) in [
            ("*", "wildcards"),
            ("https://*.example.org", "wildcards"),
            ("lab.example.org", "http://"),
            ("ftp://lab.example.org", "only http"),
            ("https://", "host name"),
            ("https://lab.example.org/path", "path"),
            ("https://me@lab.example.org", "user"),
            ("https://lab example.org", "host name"),
            ("https://lab.example.org:0", "port"),
            ("https://lab.example.org:", "port"),
            ("https://lab.example.org:99999", "port"),
            ("https://[nonsense]", "host name"),
            ("https://bücher.example", "punycode"),
            ("null", "http://"),
            ("", "http://"),
        ] {
            let err = checked(bad).unwrap_err();
            assert!(err.contains(said) && err.contains(EXAMPLE), "{bad}: {err}");
        }
    }

    #[test]
    fn a_refusal_names_the_flag() {
        let refused = ours().check_origin(&HeaderMap::new()).unwrap_err();
        assert!(refused.hint.contains("--allowed-origin"), "{}", refused.hint);
        let refused = ours().check_host(&HeaderMap::new(), &Uri::from_static("/")).unwrap_err();
        assert!(refused.hint.contains("--allowed-origin"), "{}", refused.hint);
    }

    #[test]
    fn any_address_is_no_name() {
        let any = Origins::new("0.0.0.0:80".parse().unwrap(), false, &[]);
        let check = |host| any.check_host(&headers(&[("host", host)]), &Uri::from_static("/"));
        assert!(check("localhost").is_ok());
        assert!(check("localhost:80").is_ok());
        assert!(check("0.0.0.0").is_err());
    }
}
