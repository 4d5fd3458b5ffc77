//! How many connections each address has that are not WebSockets (yet).
//!
//! Without it one address could take all that the server accepts, and nobody else would get in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use vitrine_shared::limits::CONNECTIONS_PER_ADDRESS;

/// The connections that are open, by address.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    counts: Mutex<HashMap<IpAddr, u64>>,
}

/// One connection; it counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Guest {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

impl Addresses {
    /// Lets one more in; `None` when its address has as many as it may.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Guest> {
        let key = key(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= CONNECTIONS_PER_ADDRESS.value {
            return None;
        }
        *count += 1;
        Some(Guest { addresses: self.clone(), key })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// One subscriber of IPv6 has a /64 at least, and takes any address of it.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_and_gives_it_back() {
        let addresses = Arc::new(Addresses::default());
        let admit = |text: &str| addresses.admit(text.parse().unwrap());
        let mut held: Vec<_> =
            (0..CONNECTIONS_PER_ADDRESS.value).map(|_| admit("192.0.2.1")).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(admit("192.0.2.1").is_none());
        assert!(admit("::ffff:192.0.2.1").is_none(), "the same address, written another way");
        assert!(admit("192.0.2.2").is_some());
        held.pop();
        assert!(admit("192.0.2.1").is_some());
        drop(held);
        assert!(addresses.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let key = |text: &str| super::key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8:0:0:ffff::9"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
    }
}
