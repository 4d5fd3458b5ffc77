//! Sessions: a one-time token becomes a signed cookie, and the cookie says who comes.
//!
//! The cookie is `1.<participant>.<role>.<expiry>.<random>.<HMAC-SHA256 of what is before>`; the
//! key is the launcher's, so sessions outlive web. The token is a secret of the terminal it was
//! printed on, never part of a URL's path or query; it is good once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, StatusCode, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vitrine_shared::id::ParticipantId;
use vitrine_shared::limits::{Reached, TOKEN_TRIES};
use vitrine_shared::role::{Identity, Role};

use super::bucket::Bucket;
use super::problem::Problem;

/// The cookie's name.
pub const COOKIE: &str = "vitrine";
/// How long a session lasts, in seconds.
pub const LIFETIME_SECS: u64 = 12 * 3600;
/// Addresses whose tries are counted one by one.
const ADDRESSES: usize = 1024;

/// Makes the value of a cookie.
pub fn sign(key: &[u8; 32], identity: Identity, expires_sec: u64, random: u128) -> String {
    let text = format!(
        "1.{}.{}.{expires_sec}.{random:032x}",
        identity.participant,
        role_letter(identity.role)
    );
    let tag: String = mac(key, &text).finalize().into_bytes().iter().map(hex).collect();
    format!("{text}.{tag}")
}

/// Whom a cookie's value names, if it is genuine and not too old.
pub fn verify(key: &[u8; 32], value: &str, now_sec: u64) -> Option<Identity> {
    let (text, tag) = value.rsplit_once('.')?;
    mac(key, text).verify_slice(&from_hex(tag)?).ok()?;
    let mut parts = text.split('.');
    let (Some("1"), Some(participant), Some(role), Some(expires)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let participant = participant.parse().ok()?;
    let role = [Role::Teacher, Role::Student, Role::Viewer]
        .into_iter()
        .find(|&known| role_letter(known) == role)?;
    (expires.parse::<u64>().ok()? > now_sec).then_some(Identity { participant, role })
}

fn role_letter(role: Role) -> &'static str {
    match role {
        Role::Teacher => "t",
        Role::Student => "s",
        Role::Viewer => "v",
    }
}

fn mac(key: &[u8; 32], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

fn hex(byte: &u8) -> String {
    format!("{byte:02x}")
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return None;
    }
    (0..32).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()).collect()
}

/// Who may come in.
pub(crate) struct Sessions {
    key: [u8; 32],
    teacher: ParticipantId,
    token: Mutex<Option<String>>,
    tries: Mutex<HashMap<IpAddr, Bucket>>,
}

impl Sessions {
    /// Sessions under a key, with the token that has not been exchanged yet.
    pub(crate) fn new(key: [u8; 32], teacher: ParticipantId, token: Option<String>) -> Sessions {
        Sessions { key, teacher, token: Mutex::new(token), tries: Mutex::default() }
    }

    /// Who sends these headers, if their cookie is genuine.
    pub(crate) fn identify(&self, headers: &HeaderMap) -> Result<Identity, Problem> {
        let prefix = format!("{COOKIE}=");
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(&prefix))
            .find_map(|value| verify(&self.key, value, now_sec()))
            .ok_or_else(|| {
                Problem::new(
                    StatusCode::UNAUTHORIZED,
                    "no session",
                    "open the link that the server printed",
                )
            })
    }

    /// Exchanges the token for an identity and the `Set-Cookie` of its session.
    pub(crate) fn exchange(
        &self,
        from: IpAddr,
        secure: bool,
        given: &str,
        now: Instant,
    ) -> Result<(Identity, String), Problem> {
        self.count_try(from, now)?;
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let wrong = |error: &str| {
            let hint = "open the link that the server printed last; each works once";
            Err(Problem::new(StatusCode::UNAUTHORIZED, error, hint))
        };
        let Some(expected) = token.as_deref() else {
            return wrong("the token has been used");
        };
        // Compared by their MACs, so that the time says nothing about the token.
        let tag = mac(&self.key, expected).finalize().into_bytes();
        if mac(&self.key, given).verify_slice(&tag).is_err() {
            return wrong("the token is not right");
        }
        let identity = Identity { participant: self.teacher, role: Role::Teacher };
        let mut random = [0; 16];
        if let Err(err) = getrandom::fill(&mut random) {
            tracing::error!("getrandom: {err}");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Problem::new(status, "no random numbers", "try again in a moment"));
        }
        *token = None;
        let expires = now_sec() + LIFETIME_SECS;
        let value = sign(&self.key, identity, expires, u128::from_be_bytes(random));
        // Over plain HTTP a browser would not keep a cookie with `Secure`.
        let only_tls = if secure { "; Secure" } else { "" };
        let cookie = format!(
            "{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={LIFETIME_SECS}{only_tls}"
        );
        Ok((identity, cookie))
    }

    fn count_try(&self, from: IpAddr, now: Instant) -> Result<(), Problem> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.len() >= ADDRESSES {
            tries.retain(|_, bucket| !bucket.is_full(now));
        }
        // With that many addresses at it, those that are new share one count.
        let from = match tries.len() {
            ADDRESSES.. if !tries.contains_key(&from) => IpAddr::from([0, 0, 0, 0]),
            _ => from,
        };
        #[expect(clippy::cast_precision_loss, reason = "ten")]
        let burst = TOKEN_TRIES.value as f64;
        let bucket = tries.entry(from).or_insert_with(|| Bucket::new(burst, burst / 60.0, now));
        if bucket.take(now) {
            return Ok(());
        }
        let Reached { name, value, unit } = TOKEN_TRIES.into();
        Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("the limit {name} is reached: {value} {unit}"),
            "wait a minute",
        ))
    }
}

fn now_sec() -> u64 {
    // A clock before 1970 makes every cookie look young, and it is signed all the same.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const STUDENT: Identity = Identity { participant: ParticipantId(0xabc), role: Role::Student };
    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_cookie_names_its_bearer_until_it_expires() {
        for role in [Role::Teacher, Role::Student, Role::Viewer] {
            let identity = Identity { role, ..STUDENT };
            let cookie = sign(&KEY, identity, 100, 5);
            assert_eq!(verify(&KEY, &cookie, 99), Some(identity));
            assert_eq!(verify(&KEY, &cookie, 100), None);
        }
    }

    #[test]
    fn a_changed_cookie_is_nobodys() {
        let cookie = sign(&KEY, STUDENT, 100, 5);
        assert_eq!(verify(&[8; 32], &cookie, 0), None);
        assert_eq!(verify(&KEY, &cookie.replace(".s.", ".t."), 0), None);
        assert_eq!(verify(&KEY, &cookie.replace(".100.", ".999."), 0), None);
        for at in 0..cookie.len() {
            let mut bytes = cookie.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(verify(&KEY, &changed, 0), None, "{changed}");
        }
        for bad in ["", ".", "1", &cookie[1..], &cookie[..cookie.len() - 2]] {
            assert_eq!(verify(&KEY, bad, 0), None, "{bad}");
        }
    }

    #[test]
    fn the_token_is_good_once() {
        let sessions = Sessions::new(KEY, STUDENT.participant, Some("secret".into()));
        let status = |given| {
            sessions.exchange(HERE, false, given, Instant::now()).map_err(|problem| problem.status)
        };
        assert_eq!(status("secre"), Err(StatusCode::UNAUTHORIZED));
        assert_eq!(status(""), Err(StatusCode::UNAUTHORIZED));
        let (identity, cookie) = status("secret").unwrap();
        assert_eq!(identity.role, Role::Teacher);
        let mut headers = HeaderMap::new();
        let pair = format!("other=1; {}", cookie.split(';').next().unwrap());
        headers.insert(header::COOKIE, pair.parse().unwrap());
        assert_eq!(sessions.identify(&headers), Ok(identity));
        assert_eq!(status("secret"), Err(StatusCode::UNAUTHORIZED));
    }

    #[test]
    fn tries_are_counted_for_each_address() {
        let sessions = Sessions::new(KEY, STUDENT.participant, Some("secret".into()));
        let now = Instant::now();
        for _ in 0..TOKEN_TRIES.value {
            assert!(sessions.exchange(HERE, false, "guess", now).is_err());
        }
        let status = sessions.exchange(HERE, false, "secret", now).unwrap_err().status;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
        assert!(sessions.exchange(IpAddr::from([10, 0, 0, 1]), false, "secret", now).is_ok());
    }
}
