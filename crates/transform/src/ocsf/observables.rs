//! `observables`: the values of an event that an analyst searches by, each once, in a fixed order.

use super::version::{Part, Version};
use crate::entry::{Named, Text};
use crate::json::Line;

/// The parts of an event that were written and hold observables.
pub(super) struct Seen<'a> {
    pub(super) ip: Option<Text<'a>>,
    pub(super) actor: Option<Person<'a>>,
    pub(super) user: Option<Person<'a>>,
    pub(super) entity_user: Option<Person<'a>>,
    pub(super) group: Option<Named<'a>>,
    pub(super) user_agent: Option<Text<'a>>,
}

/// What of a user can be observed.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) name: Option<Text<'a>>,
    pub(super) address: Option<Text<'a>>,
    pub(super) uid: Option<Text<'a>>,
}

/// `{"name":…,"type_id":…,"type":…,"value":` of an observable.
macro_rules! observable {
    ($name:literal, $type_id:literal, $type:literal) => {
        concat!("{\"name\":\"", $name, "\",\"type_id\":", $type_id, ",\"type\":\"", $type, "\",\"value\":")
    };
}

/// The observables of a user, wherever it stands.
struct UserPaths {
    name: &'static str,
    email: &'static str,
    uid: &'static str,
}

macro_rules! user_paths {
    ($at:literal) => {
        UserPaths {
            name: concat!("{\"name\":\"", $at, ".name\",\"type_id\":4,\"type\":\"User Name\",\"value\":"),
            email: concat!(
                "{\"name\":\"",
                $at,
                ".email_addr\",\"type_id\":5,\"type\":\"Email Address\",\"value\":"
            ),
            uid: concat!(
                "{\"name\":\"",
                $at,
                ".uid\",\"type_id\":31,\"type\":\"User Object: uid\",\"value\":"
            ),
        }
    };
}

const ACTOR: UserPaths = user_paths!("actor.user");
const USER: UserPaths = user_paths!("user");
const ENTITY_USER: UserPaths = user_paths!("entity.user");

pub(super) fn write(line: &mut Line<'_>, version: Version, seen: &Seen<'_>) {
    let before = line.len();
    line.push(",\"observables\":[");
    let empty = line.len();
    one(line, observable!("src_endpoint.ip", 2, "IP Address"), seen.ip);
    let has_ids = version.has(Part::ObservableIds);
    // Names, addresses and ids that stand there already: somebody who is both actor and user is observed once.
    let mut known = [[""; 3]; 3];
    let users = [(&seen.actor, ACTOR), (&seen.user, USER), (&seen.entity_user, ENTITY_USER)];
    for (n, (user, paths)) in users.into_iter().enumerate() {
        let Some(user) = user else { continue };
        let values =
            [(paths.name, user.name), (paths.email, user.address), (paths.uid, user.uid.filter(|_| has_ids))];
        for (known, (path, value)) in known.iter_mut().zip(values) {
            if let Some(value) = value.filter(|value| !known.contains(&value.value)) {
                known[n] = value.value;
                one(line, path, Some(value));
            }
        }
    }
    if let Some(group) = &seen.group
        && has_ids
    {
        one(line, observable!("group.name", 32, "Group Object: name"), group.name);
        one(line, observable!("group.uid", 33, "Group Object: uid"), group.uid);
    }
    if version.has(Part::ObservableUserAgent) {
        one(line, observable!("http_request.user_agent", 16, "HTTP User-Agent"), seen.user_agent);
    }
    if line.len() == empty {
        line.truncate(before);
    } else {
        line.push("]");
    }
}

fn one(line: &mut Line<'_>, start: &'static str, value: Option<Text<'_>>) {
    if let Some(value) = value {
        line.item();
        line.push(start);
        line.quoted(value);
        line.push("}");
    }
}
