//! One ECS document of an entry.

use pipeline::{EventDraft, EventOutcome, EventWriter, Record};

use super::category::categories;
use super::once::Once;
use super::people::People;
use super::{Encoder, write_labels, write_original};
use crate::entry::{Class, Client, Entry, Request, Text};
use crate::json::{Line, escape, key, leftovers};
use crate::mapper::Identity;
use crate::ocsf::{Version, severity_of_all, shape};

impl Encoder {
    /// Writes the document of `entry`, read from `text`.
    pub(crate) fn write(
        &self,
        record: &Record<'_>,
        text: &str,
        entry: &Entry<'_>,
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        let time = entry.head.time.unwrap_or(record.collected_at);
        let only_member = People::only_member(entry);
        let client = Client::of(entry);
        let people = People::of(entry, only_member.as_ref());
        let shape = shape(entry, Version::NEWEST, text.len());
        let mut line = Line::new(out.line());
        self.begin(&mut line, time);
        line.maybe(key!("message"), entry.message);
        line.push(&self.tags);
        self.write_event(&mut line, record, text, entry, shape.class);
        people.write(&mut line);
        write_organization(&mut line, entry);
        write_source(&mut line, &client);
        if let Some(user_agent) = entry.user_agent {
            line.push(",\"user_agent\":{");
            line.text(key!("original"), user_agent);
            line.push("}");
        }
        write_request(&mut line, &entry.request);
        write_related(&mut line, entry, &client, &people);
        write_labels(&mut line, record.origin);
        self.write_vendor(&mut line, entry, identity.memory());
        line.push("}");
        out.commit(&EventDraft {
            id: identity.event_id(record, 0),
            time,
            class: shape.class.uid(),
            severity: severity_of_all(entry),
            outcome: entry.rule.outcome,
            action: entry.action.value,
            actor: entry.actor.as_ref().and_then(|actor| actor.uid).map_or("", |uid| uid.value),
            tenant: entry.head.tenant.map_or("", |tenant| tenant.value),
        });
    }

    fn write_event(
        &self,
        line: &mut Line<'_>,
        record: &Record<'_>,
        text: &str,
        entry: &Entry<'_>,
        class: Class,
    ) {
        line.push(",\"event\":{\"kind\":\"event\"");
        line.push(&self.source);
        line.string(key!("provider"), &self.module);
        line.maybe(key!("id"), entry.head.id);
        line.text(key!("action"), entry.action);
        line.maybe(key!("code"), entry.action_code);
        // Nothing is known of an action that fell back to the base class for want of an actor.
        let (categories, types) = match (entry.rule.class, class) {
            (Class::Api, Class::Base) => (&[][..], &[][..]),
            _ => categories(&entry.rule),
        };
        write_words(line, key!("category"), categories, None);
        let admin = entry.rule.class == Class::UserAccess && entry.grants_admin();
        let denied = categories == ["api"] && matches!(entry.request.code(), Some(401 | 403));
        let extra = if admin {
            Some("admin")
        } else if denied {
            Some("denied")
        } else {
            None
        };
        write_words(line, key!("type"), types, extra);
        line.push(match entry.rule.outcome {
            EventOutcome::Success => ",\"outcome\":\"success\"",
            EventOutcome::Failure => ",\"outcome\":\"failure\"",
            EventOutcome::Unknown => ",\"outcome\":\"unknown\"",
        });
        line.moment(key!("created"), record.collected_at);
        if self.keep_raw {
            write_original(line, text);
        }
        line.push("}");
        if let (Some(time), Some(_)) = (entry.original_time, entry.head.time) {
            time.mark_used();
        }
    }

    /// What ECS has no place for, under the vendor's name. Variable structures are JSON inside a string: their keys and
    /// types change from record to record, which an index's mapping does not survive.
    fn write_vendor(&self, line: &mut Line<'_>, entry: &Entry<'_>, rest: &mut Vec<u8>) {
        let before = line.len();
        line.push(",\"");
        escape(line.buffer(), self.module.as_bytes());
        line.push("\":{\"audit\":{");
        let empty = line.len();
        let kind = entry.actor.as_ref().and_then(|actor| actor.kind_text);
        let active = entry.actor.as_ref().and_then(|actor| actor.active);
        if kind.is_some() || active.is_some() {
            line.key(key!("actor"));
            line.push("{");
            line.maybe(key!("type"), kind);
            if let Some(active) = active {
                line.key(key!("active"));
                line.push(active.text().value);
                active.mark_used();
            }
            line.push("}");
        }
        if let Some(target) = entry.request.target {
            line.key(key!("target"));
            line.push("{");
            line.maybe(key!("id"), target.uid);
            line.maybe(key!("name"), target.name);
            line.maybe(key!("type"), entry.request.target_type);
            line.push("}");
        }
        if let Some(details) = entry.details.filter(|details| !details.is_blank()) {
            line.text(key!("variables_json"), Text { clean: false, ..details.text() });
        }
        rest.clear();
        if leftovers(&mut Line::new(rest), entry.root) {
            line.key(key!("extra_json"));
            line.push("\"");
            escape(line.buffer(), rest);
            line.push("\"");
        }
        if line.len() == empty {
            line.truncate(before);
        } else {
            line.push("}}");
        }
    }
}

fn write_words(line: &mut Line<'_>, key: &'static str, words: &[&str], extra: Option<&str>) {
    if words.is_empty() {
        return;
    }
    line.key(key);
    line.push("[");
    for word in words.iter().copied().chain(extra) {
        line.item();
        line.push("\"");
        line.push(word);
        line.push("\"");
    }
    line.push("]");
}

fn write_organization(line: &mut Line<'_>, entry: &Entry<'_>) {
    if entry.team.is_known() {
        line.push(",\"organization\":{");
        line.maybe(key!("id"), entry.team.uid);
        line.maybe(key!("name"), entry.team.name);
        line.push("}");
    }
}

/// `source`: the first address, or the text as it is where there is none in it.
fn write_source(line: &mut Line<'_>, client: &Client<'_>) {
    let Some(text) = client.text else { return };
    line.push(",\"source\":{");
    match client.ip {
        Some(ip) => {
            line.text(key!("address"), ip);
            line.text(key!("ip"), ip);
            if let Some(port) = client.port {
                line.number(key!("port"), port);
            }
            if client.complete {
                text.mark_used();
            }
        }
        None => line.text(key!("address"), text),
    }
    line.push("}");
}

fn write_request(line: &mut Line<'_>, request: &Request<'_>) {
    if request.method.is_some() || request.status.is_some() {
        line.push(",\"http\":{");
        if let Some(method) = request.method {
            line.key(key!("request"));
            line.push("{");
            line.text(key!("method"), method);
            line.push("}");
        }
        if let Some((code, text)) = request.status {
            line.key(key!("response"));
            line.push("{");
            line.number(key!("status_code"), code);
            line.push("}");
            text.mark_used();
        }
        line.push("}");
    }
    if let Some(text) = request.path {
        let (path, query) = request.path_and_query();
        line.push(",\"url\":{");
        line.text(key!("original"), text);
        line.maybe(key!("path"), path);
        line.maybe(key!("query"), query);
        if let Some((base, path)) = request.full_url() {
            line.key(key!("full"));
            line.joined(Text::foreign(base), path);
        }
        line.push("}");
    }
}

fn write_related(line: &mut Line<'_>, entry: &Entry<'_>, client: &Client<'_>, people: &People<'_>) {
    let before = line.len();
    line.push(",\"related\":{");
    let empty = line.len();
    people.write_related(line, entry);
    if let Some(first) = client.ip {
        line.key(key!("ip"));
        line.push("[");
        line.quoted(first);
        let mut once = Once::new();
        once.is_new(first.value);
        for proxy in client.forwarded().filter(|proxy| once.is_new(proxy)) {
            line.item();
            line.quoted(first.part(proxy));
        }
        line.push("]");
    }
    if line.len() == empty {
        line.truncate(before);
    } else {
        line.push("}");
    }
}
