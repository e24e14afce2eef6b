//! Channels: what acknowledgements are counted by.
//!
//! Splunk numbers the requests of a channel, on each indexer from 0 on, and forgets a number once it has said that it is
//! indexed. Behind a load balancer several indexers may know the same channel, and their numbers collide. So:
//!
//! - a channel belongs to one write at a time, which asks for its own number alone;
//! - it is used again only when that number was acknowledged. Then no indexer holds a number of this channel of which
//!   nobody has heard, and whichever indexer answers "indexed" means this write. After any other end, also when the write
//!   is dropped, the channel is thrown away;
//! - cookies that the load balancer sets stay with the channel, so that its requests reach the same indexer.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use http_client::header::{COOKIE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

/// Which channel a request belongs to.
const CHANNEL: HeaderName = HeaderName::from_static("x-splunk-request-channel");

/// Cookies that Amazon's load balancers encrypt anew in each answer: another value is no other target ("Sticky sessions
/// for your Application Load Balancer").
const ROTATING: [&str; 4] = ["AWSALB", "AWSALBCORS", "AWSALBTG", "AWSALBTGCORS"];

/// More cookies, and longer ones, are no load balancer's.
const MOST_COOKIES: usize = 16;
const LONGEST_COOKIE: usize = 4096;

/// Channels that no write uses at the moment.
#[derive(Default)]
pub(crate) struct Channels(Mutex<Vec<Channel>>);

impl Channels {
    /// One of them.
    pub(crate) fn take(&self) -> Option<Channel> {
        self.idle().pop()
    }

    /// Gives back a channel of which every number was acknowledged.
    pub(crate) fn give_back(&self, channel: Channel) {
        self.idle().push(channel);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Channel>> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A channel, and who it leads to.
pub(crate) struct Channel {
    /// A GUID, as Splunk asks for.
    id: HeaderValue,
    cookies: Vec<(String, String)>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({:?}, {} cookies)", self.id, self.cookies.len())
    }
}

impl Channel {
    /// One that no indexer knows yet.
    pub(crate) fn new() -> Self {
        // Version 4, variant 1 (RFC 9562, section 5.4).
        let bits = fastrand::u128(..) & !(0xF << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
        let digits = format!("{bits:032x}");
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        let id = HeaderValue::from_str(&parts.join("-")).unwrap_or(HeaderValue::from_static(""));
        Self { id, cookies: Vec::new() }
    }

    /// Adds its headers to a request.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        headers.insert(CHANNEL, self.id.clone());
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Ok(mut line) = HeaderValue::from_str(&cookies.join("; "))
            && !cookies.is_empty()
        {
            line.set_sensitive(true);
            headers.insert(COOKIE, line);
        }
    }

    /// Keeps the cookies of an answer. True when they say that another indexer answers than before.
    pub(crate) fn moved(&mut self, answer: &HeaderMap) -> bool {
        let mut moved = false;
        for line in answer.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
            moved |= self.keep(line);
        }
        moved
    }

    /// Keeps one cookie (RFC 6265, section 5.2); the attributes but for a deletion are of no use here, because all
    /// requests go to the same place.
    fn keep(&mut self, line: &str) -> bool {
        let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
        let Some((name, value)) = pair.split_once('=') else { return false };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || line.len() > LONGEST_COOKIE {
            return false;
        }
        let deleted = attributes.split(';').any(|attribute| {
            let attribute = attribute.trim().to_ascii_lowercase();
            attribute == "max-age=0" || attribute.starts_with("max-age=-")
        });
        let at = self.cookies.iter().position(|(known, _)| known == name);
        let changed = match at {
            Some(at) if deleted => {
                self.cookies.remove(at);
                true
            }
            Some(at) => {
                let changed = self.cookies[at].1 != value;
                value.clone_into(&mut self.cookies[at].1);
                changed
            }
            None if deleted || self.cookies.len() == MOST_COOKIES => false,
            None => {
                self.cookies.push((name.to_owned(), value.to_owned()));
                true
            }
        };
        changed && !ROTATING.contains(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (SET_COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn cookies(channel: &Channel) -> String {
        let mut headers = HeaderMap::new();
        channel.mark(&mut headers);
        headers.get(COOKIE).map(|line| line.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[test]
    fn each_channel_has_a_guid_of_its_own() {
        let (one, other) = (Channel::new(), Channel::new());
        assert_ne!(one.id, other.id);
        let id = one.id.to_str().unwrap();
        let shape: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(shape, [8, 4, 4, 4, 12]);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]));
    }

    #[test]
    fn cookies_are_kept_and_another_value_is_another_indexer() {
        let mut channel = Channel::new();
        assert_eq!(cookies(&channel), "");
        assert!(channel.moved(&answer(&["SERVERID=idx1; Path=/; HttpOnly", "AWSALB=abc; Expires=never"])));
        assert_eq!(cookies(&channel), "SERVERID=idx1; AWSALB=abc");
        assert!(!channel.moved(&answer(&["SERVERID=idx1", "AWSALB=def"])));
        assert_eq!(cookies(&channel), "SERVERID=idx1; AWSALB=def");
        assert!(!channel.moved(&answer(&["nonsense", "=x", ""])));
        assert!(channel.moved(&answer(&["SERVERID=idx2"])));
        assert!(channel.moved(&answer(&["SERVERID=; Max-Age=0"])));
        assert_eq!(cookies(&channel), "AWSALB=def");
        assert!(!channel.moved(&answer(&["SERVERID=; max-age=0"])));
        assert!(!channel.moved(&HeaderMap::new()));
    }

    #[test]
    fn more_than_a_load_balancer_needs_is_not_kept() {
        let mut channel = Channel::new();
        for n in 0..100 {
            channel.moved(&answer(&[&format!("c{n}=1")]));
        }
        channel.moved(&answer(&[&format!("c0={}", "x".repeat(5000))]));
        assert_eq!(channel.cookies.len(), MOST_COOKIES);
        assert!(cookies(&channel).starts_with("c0=1;"));
    }
}
