//! Who really asks: the address of the connection, or what a trusted proxy says about it.
//!
//! A proxy appends the address that it was asked from, so only what stands right of the first
//! address that is no trusted proxy can be believed: the rightmost untrusted one is the client.
//! From anybody else these headers are ignored: everybody can write them.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) address: IpAddr,
    /// Does it come over TLS, as far as we can know?
    pub(crate) secure: bool,
}

/// The proxies that are believed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Those in these networks.
    pub(crate) fn new(networks: Vec<IpNet>) -> Proxies {
        Proxies(networks)
    }

    /// Is this one of them?
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who asks, on a connection from `address`.
    pub(crate) fn peer(&self, address: IpAddr, tls: bool, headers: &HeaderMap) -> Peer {
        let direct = Peer { address, secure: tls };
        if !self.trusts(address) {
            return direct;
        }
        let (old_hops, old_proto) = x_forwarded(headers);
        let (new_hops, new_proto) = forwarded(headers);
        let old = (!old_hops.is_empty()).then(|| self.client(address, &old_hops));
        let new = (!new_hops.is_empty()).then(|| self.client(address, &new_hops));
        let believed = match (old, new) {
            // A proxy that writes the one may pass on the other as the client sent it.
            (Some(old), Some(new)) if old != new => address,
            (old, new) => old.or(new).unwrap_or(address),
        };
        let secure = match (old_proto, new_proto) {
            (Some(old), Some(new)) => old && new,
            (old, new) => old.or(new).unwrap_or(tls),
        };
        Peer { address: believed, secure }
    }

    /// The rightmost address that is no trusted proxy; all trusted, the leftmost.
    fn client(&self, from: IpAddr, hops: &[Option<IpAddr>]) -> IpAddr {
        let mut client = from;
        for hop in hops.iter().rev() {
            // What cannot be read was not written by a proxy that we know.
            let Some(address) = hop else { break };
            client = *address;
            if !self.trusts(client) {
                break;
            }
        }
        client
    }
}

/// Addresses in the order in which they were appended, and whether the last proxy had TLS.
type Hops = (Vec<Option<IpAddr>>, Option<bool>);

fn x_forwarded(headers: &HeaderMap) -> Hops {
    let items = |name| {
        let values = headers.get_all(name).iter();
        values.flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim)
    };
    let hops = items(FOR).map(address).collect();
    let proto = items(PROTO).next_back().map(|proto| proto.eq_ignore_ascii_case("https"));
    (hops, proto)
}

/// `Forwarded`, RFC 7239: elements by comma, parameters by semicolon.
fn forwarded(headers: &HeaderMap) -> Hops {
    let (mut hops, mut proto) = (Vec::new(), None);
    for value in headers.get_all(header::FORWARDED) {
        for element in split(value.to_str().unwrap_or("?"), ',') {
            let (mut hop, mut over) = (None, None);
            for parameter in split(element, ';') {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let value = value.trim().trim_matches('"');
                match name.trim().to_ascii_lowercase().as_str() {
                    "for" => hop = address(value),
                    "proto" => over = Some(value.eq_ignore_ascii_case("https")),
                    _ => {}
                }
            }
            hops.push(hop);
            proto = over;
        }
    }
    (hops, proto)
}

/// Splits outside of double quotes.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == at && !quoted
    })
    .map(str::trim)
}

/// An address with or without a port; `unknown` and `_hidden` are none.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    plain.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> Proxies {
        let networks = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"];
        Proxies::new(networks.map(|network| network.parse().unwrap()).to_vec())
    }

    #[track_caller]
    fn check(from: &str, sent: &[(&'static str, &str)], address: &str, secure: bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        let found = proxies().peer(from.parse().unwrap(), false, &headers);
        assert_eq!(found, Peer { address: address.parse().unwrap(), secure }, "{from} {sent:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        let xff = "x-forwarded-for";
        // A stranger writes what it likes.
        check("192.0.2.7", &[(xff, "1.1.1.1")], "192.0.2.7", false);
        check("192.0.2.7", &[("x-forwarded-proto", "https")], "192.0.2.7", false);
        check("192.0.2.7", &[("forwarded", "for=1.1.1.1;proto=https")], "192.0.2.7", false);
        // The proxy says nothing.
        check("127.0.0.1", &[], "127.0.0.1", false);
        check("127.0.0.1", &[(xff, "192.0.2.7")], "192.0.2.7", false);
        // The client wrote the left part itself.
        check("127.0.0.1", &[(xff, "1.1.1.1, 192.0.2.7")], "192.0.2.7", false);
        check("127.0.0.1", &[(xff, "1.1.1.1"), (xff, "192.0.2.7")], "192.0.2.7", false);
        // Through two proxies.
        check("127.0.0.1", &[(xff, "1.1.1.1, 192.0.2.7, 10.1.2.3")], "192.0.2.7", false);
        check("127.0.0.1", &[(xff, "10.1.2.3, 10.1.2.4")], "10.1.2.3", false);
        // What cannot be read ends it.
        check("127.0.0.1", &[(xff, "192.0.2.7, nonsense")], "127.0.0.1", false);
        check("127.0.0.1", &[(xff, "nonsense, 10.1.2.3")], "10.1.2.3", false);
        check("127.0.0.1", &[(xff, "")], "127.0.0.1", false);
        check("127.0.0.1", &[(xff, "192.0.2.7:4711")], "192.0.2.7", false);
        check("127.0.0.1", &[(xff, "2001:db8::1")], "2001:db8::1", false);
        check("127.0.0.1", &[(xff, "[2001:db8::1]:80")], "2001:db8::1", false);
        check("127.0.0.1", &[(xff, "::ffff:192.0.2.7")], "192.0.2.7", false);
        check("fd00::5", &[(xff, "192.0.2.7")], "192.0.2.7", false);
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let one = |value: &str, address: &str, secure: bool| {
            check("127.0.0.1", &[("forwarded", value)], address, secure);
        };
        one("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60", false);
        one("For=\"[2001:db8:cafe::17]:4711\";Proto=HTTPS", "2001:db8:cafe::17", true);
        one("for=1.1.1.1, for=192.0.2.43;proto=https, for=10.9.9.9", "192.0.2.43", false);
        one("for=unknown, for=10.9.9.9", "10.9.9.9", false);
        one("for=_hidden", "127.0.0.1", false);
        one("for=\"1.1.1.1, for=2.2.2.2\"", "127.0.0.1", false);
        one("proto=https", "127.0.0.1", true);
    }

    #[test]
    fn two_headers_that_disagree_are_both_disbelieved() {
        let xff = ("x-forwarded-for", "192.0.2.7");
        check("127.0.0.1", &[xff, ("forwarded", "for=1.1.1.1")], "127.0.0.1", false);
        check("127.0.0.1", &[xff, ("forwarded", "for=192.0.2.7")], "192.0.2.7", false);
        let https = ("x-forwarded-proto", "https");
        check("127.0.0.1", &[https, ("forwarded", "proto=http")], "127.0.0.1", false);
        check("127.0.0.1", &[https], "127.0.0.1", true);
        check("127.0.0.1", &[("x-forwarded-proto", "https, http")], "127.0.0.1", false);
    }
}
