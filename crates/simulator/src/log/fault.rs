//! What is wrong with single answers.

use std::time::Duration;

use serde_json::{Map, Value};

use super::http::{Delivery, Reply};
use super::manner::{Manner, Meaning, Said};
use super::path;
use crate::limits::{Budget, RateLimitHeaders};

/// What happens to the next request for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another status, with an error.
    Status(u16),
    /// An error as the API says it: [`Manner::said`].
    Said(Meaning),
    /// 429 with `Retry-After`, in seconds.
    RetryAfter(u64),
    /// 429 that says in that dialect when to come again, in seconds.
    TooMany(RateLimitHeaders, u64),
    /// "Too many requests" as the API says it, with `X-RateLimit-Reset`, in seconds.
    SaidTooMany(u64),
    /// The connection is reset instead of an answer.
    Reset,
    /// The connection is cut in the middle of the page.
    Cut,
    /// Half a page that claims to be whole. Where a page is lines it is cut within one.
    Truncated,
    /// A page of HTML with a status of success.
    Html,
    /// An error with a status of success.
    ErrorAsSuccess,
    /// A byte that is no UTF-8.
    NotUtf8,
    /// No records, although some follow.
    EmptyPage,
    /// What leads on is what was asked for.
    RepeatedCursor,
    /// Records of the page before come again.
    Repeated,
    /// The records of the page are in no order.
    Shuffled,
}

/// An error in the API's own form, else by its status.
pub(super) fn error(manner: &Manner, meaning: Meaning, status: u16, words: &str) -> Reply {
    match manner.said(meaning) {
        None => said(&Said::new(status, words)),
        Some(own) if own.words.is_empty() => said(&Said { words: words.to_owned(), ..own.clone() }),
        Some(own) => said(own),
    }
}

fn said(said: &Said) -> Reply {
    let mut members = Map::new();
    if let Some((place, value)) = &said.member {
        path::set(&mut members, place, value.clone());
    }
    let words = Value::from(said.words.as_str());
    match &said.words_in {
        Some(place) => path::set(&mut members, place, words),
        None if members.contains_key("error") => drop(members.insert("message".to_owned(), words)),
        None => path::set(&mut members, "error.message", words),
    }
    let mut reply = Reply::json(said.status, Value::Object(members).to_string());
    reply.headers.extend(said.header.clone());
    reply
}

/// The reply of a fault that needs no page. `now` is in seconds.
pub(super) fn spoiled(manner: &Manner, fault: Fault, now: i64) -> Option<Reply> {
    let slow_down = || said(&Said::new(429, "slow down"));
    Some(match fault {
        Fault::Status(status) => said(&Said::new(status, "trouble")),
        Fault::Said(meaning) => {
            let status = match meaning {
                Meaning::Authentication => 401,
                Meaning::Permission => 403,
                Meaning::RateLimit | Meaning::Quota => 429,
                Meaning::Timeout => 504,
                Meaning::Unavailable => 503,
                Meaning::Cursor => 410,
                Meaning::Retention | Meaning::Request => 400,
            };
            error(manner, meaning, status, "trouble")
        }
        Fault::RetryAfter(wait) => slow_down().with("retry-after", wait.to_string()),
        Fault::TooMany(dialect, wait) => {
            let (limit, per) = (60, Duration::from_secs(60));
            let budget = Budget { limit, left: 0, per, full_at: (now + wait as i64) * 1000 };
            dialect
                .headers(&budget, now * 1000)
                .into_iter()
                .fold(slow_down(), |reply, (name, value)| reply.with(name, value))
        }
        Fault::SaidTooMany(wait) => error(manner, Meaning::RateLimit, 429, "slow down")
            .with("x-ratelimit-limit", "60".to_owned())
            .with("x-ratelimit-reset", (now + wait as i64).to_string()),
        Fault::Reset => Reply { delivery: Delivery::Reset, ..Reply::json(200, String::new()) },
        Fault::Html => {
            let page = "<!DOCTYPE html><html><body>Sign in</body></html>";
            Reply {
                headers: vec![("content-type".into(), "text/html".into())],
                ..Reply::json(200, page.into())
            }
        }
        Fault::ErrorAsSuccess => {
            let own =
                [Meaning::Unavailable, Meaning::Request].into_iter().find_map(|meaning| manner.said(meaning));
            let own = own.filter(|own| own.status == 200).cloned();
            said(
                &own.map_or_else(
                    || Said::new(200, "it broke"),
                    |own| Said { words: "it broke".into(), ..own },
                ),
            )
        }
        _ => return None,
    })
}
