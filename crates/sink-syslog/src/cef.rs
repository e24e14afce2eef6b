//! The main facts of an event as CEF, and the whole event with them.

use std::borrow::Cow;
use std::net::IpAddr;

use encode::cef::{Event, Header};
use pipeline::{EventBatch, EventMeta, EventOutcome};
use serde::Deserialize;

use crate::message::{digits, word};

/// What receivers have fields for, wherever OCSF and ECS keep it. What is missing, or is of another type, is left out.
#[derive(Default, Deserialize)]
struct Facts<'a> {
    #[serde(borrow, default)]
    message: Option<Cow<'a, str>>,
    // OCSF
    #[serde(borrow, default)]
    actor: Option<Actor<'a>>,
    #[serde(borrow, default)]
    src_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow, default)]
    http_request: Option<Request<'a>>,
    // ECS
    #[serde(borrow, default)]
    user: Option<User<'a>>,
    #[serde(borrow, default)]
    source: Option<Endpoint<'a>>,
    #[serde(borrow, default)]
    user_agent: Option<Agent<'a>>,
}

#[derive(Default, Deserialize)]
struct Actor<'a> {
    #[serde(borrow, default)]
    user: Option<User<'a>>,
}

#[derive(Default, Deserialize)]
struct User<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "email_addr")]
    email: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Endpoint<'a> {
    #[serde(borrow, default)]
    ip: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Request<'a> {
    #[serde(borrow, default)]
    user_agent: Option<Cow<'a, str>>,
}

#[derive(Default, Deserialize)]
struct Agent<'a> {
    #[serde(borrow, default)]
    original: Option<Cow<'a, str>>,
}

/// Writes one event. `rawEvent` stands last: where a message is cut, the facts before it stay.
pub(crate) fn event(batch: &EventBatch, meta: &EventMeta, out: &mut Vec<u8>) {
    let text = match simdutf8::basic::from_utf8(batch.text(meta)) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(batch.text(meta)),
    };
    // A vendor's own record may be of any form; then the facts that are known without it must do.
    let facts: Facts<'_> = serde_json::from_str(&text).unwrap_or_default();
    let action = word(batch, &meta.action);
    let class = meta.class.to_string();
    let header = Header {
        vendor: "Towpath",
        product: &batch.origin.dataset,
        version: env!("CARGO_PKG_VERSION"),
        signature: if action.is_empty() { &class } else { action },
        name: if action.is_empty() { "event" } else { action },
        severity: severity(meta.severity),
    };
    let mut event = Event::begin(&header, out);
    event.value("rt", &meta.time.as_millis().to_string());
    event.value("externalId", digits(&meta.id_digits()));
    event.value("act", action);
    event.value(
        "outcome",
        match meta.outcome {
            EventOutcome::Unknown => "",
            EventOutcome::Success => "success",
            EventOutcome::Failure => "failure",
        },
    );
    event.value("suid", word(batch, &meta.actor));
    let user = facts.user.or(facts.actor.and_then(|actor| actor.user)).unwrap_or_default();
    event.value("suser", &user.email.or(user.name).unwrap_or_default());
    let address = facts.source.or(facts.src_endpoint).and_then(|endpoint| endpoint.ip).unwrap_or_default();
    match address.parse() {
        Ok(IpAddr::V4(_)) => event.value("src", &address),
        // `src` is for IPv4 alone.
        Ok(IpAddr::V6(_)) => {
            event.value("c6a2Label", "Source IPv6 Address");
            event.value("c6a2", &address);
        }
        Err(_) => {}
    }
    let agent = facts.user_agent.and_then(|agent| agent.original);
    let agent = agent.or(facts.http_request.and_then(|request| request.user_agent));
    event.value("requestClientApplication", &agent.unwrap_or_default());
    for (label, key, name, value) in [
        ("cs1Label", "cs1", "tenant", word(batch, &meta.tenant)),
        ("cs2Label", "cs2", "source", &*batch.origin.source),
    ] {
        if !value.is_empty() {
            event.value(label, name);
            event.value(key, value);
        }
    }
    event.value("msg", &facts.message.unwrap_or_default());
    event.json("rawEvent", &text);
}

/// OCSF's severity on CEF's scale of 0 to 10 (low to 3, medium to 6, high to 8, very high).
fn severity(ocsf: u8) -> u8 {
    match ocsf {
        1 => 2,
        2 => 3,
        3 => 5,
        4 => 8,
        5 => 9,
        6 => 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pipeline::{EventDraft, EventWriter, Origin, Schema, Timestamp, View};

    use super::*;

    fn written(text: &str, action: &str) -> String {
        let mut writer = EventWriter::default();
        writer.line().extend_from_slice(text.as_bytes());
        writer.commit(&EventDraft {
            id: 0xAB,
            time: Timestamp::from_millis(1_795_199_492_000),
            class: 3004,
            severity: 3,
            outcome: EventOutcome::Success,
            action,
            actor: "12345678",
            tenant: "1=2",
        });
        let origin = Origin {
            source: "pm".into(),
            kind: "postman".into(),
            dataset: "postman.audit".into(),
            labels: vec![],
        };
        let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
        let batch = writer.finish(Arc::new(origin), Arc::new(view));
        let mut out = Vec::new();
        event(&batch, &batch.events[0], &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn facts_come_from_either_schema() {
        let version = env!("CARGO_PKG_VERSION");
        let head = format!(
            "CEF:0|Towpath|postman.audit|{version}|user.x|user.x|5|rt=1795199492000 externalId=000000000000000000000000000000ab"
        );
        let ocsf = r#"{"message":"a\nb=c","actor":{"user":{"name":"n","email_addr":"t@x"}},"src_endpoint":{"ip":"192.0.2.4"},"http_request":{"user_agent":"R/7"}}"#;
        assert_eq!(
            written(ocsf, "user.x"),
            format!(
                r#"{head} act=user.x outcome=success suid=12345678 suser=t@x src=192.0.2.4 requestClientApplication=R/7 cs1Label=tenant cs1=1\=2 cs2Label=source cs2=pm msg=a\nb\=c rawEvent={{"message":"a\\nb\=c","actor":{{"user":{{"name":"n","email_addr":"t@x"}}}},"src_endpoint":{{"ip":"192.0.2.4"}},"http_request":{{"user_agent":"R/7"}}}}"#
            )
        );
        let ecs = r#"{"user":{"name":"n"},"source":{"ip":"2001:db8::1"},"user_agent":{"original":"R"}}"#;
        let text = written(ecs, "user.x");
        assert!(
            text.contains(
                " suser=n c6a2Label=Source IPv6 Address c6a2=2001:db8::1 requestClientApplication=R "
            ),
            "{text}"
        );
    }

    #[test]
    fn a_record_of_any_form_is_an_event() {
        for text in ["[1]", "null", r#"{"user":7}"#, r#"{"source":"x"}"#] {
            let written = written(text, "");
            assert!(
                written.contains("|3004|event|5|rt=") && written.ends_with(&format!(" rawEvent={text}")),
                "{written}"
            );
        }
    }
}
