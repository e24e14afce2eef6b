//! Which activity of a class a verb is, where nobody has said it.

use crate::entry::{Class, OTHER};
use crate::words::{Verb, Words};

/// The activity of class 6003: what of create, read, update and delete a verb is.
pub(crate) const fn of_api(verb: Verb) -> Option<u8> {
    match verb {
        Verb::Create | Verb::Import => Some(1),
        Verb::Read | Verb::Search | Verb::Export => Some(2),
        Verb::Update => Some(3),
        Verb::Delete => Some(4),
        _ => None,
    }
}

/// The activity of class 3004.
pub(crate) const fn of_entity(verb: Option<Verb>) -> u8 {
    match verb {
        Some(Verb::Create | Verb::Import) => 1,
        Some(Verb::Read | Verb::Search | Verb::Export) => 2,
        Some(Verb::Update | Verb::Share) => 3,
        Some(Verb::Delete) => 4,
        Some(Verb::Move) => 5,
        Some(Verb::Enable) => 8,
        Some(Verb::Disable) => 9,
        Some(Verb::Activate) => 10,
        Some(Verb::Deactivate) => 11,
        None => OTHER,
    }
}

/// The activity of class 6001.
pub(crate) const fn of_web_resource(verb: Option<Verb>) -> u8 {
    match verb {
        Some(Verb::Create) => 1,
        Some(Verb::Read) => 2,
        Some(Verb::Delete) => 4,
        Some(Verb::Search) => 5,
        Some(Verb::Import) => 6,
        Some(Verb::Export) => 7,
        Some(Verb::Share) => 8,
        Some(_) => 3,
        None => OTHER,
    }
}

/// The activity of `class` that the words of an action tell; [`OTHER`] if they tell none.
pub(crate) fn of_words(class: Class, words: &Words<'_>) -> u8 {
    let verb = words.verb();
    let takes_away = verb.is_some_and(Verb::takes_away);
    match (class, verb) {
        (Class::Base, _) => OTHER,
        (Class::Api, _) => verb.and_then(of_api).unwrap_or(OTHER),
        (Class::EntityManagement, _) => of_entity(verb),
        (Class::WebResources, _) => of_web_resource(verb),
        (Class::Authentication, _) if words.sign_out() => 2,
        (Class::Authentication, _) if words.sign_in() => 1,
        (Class::AccountChange, Some(Verb::Create)) => 1,
        (Class::AccountChange, Some(Verb::Enable | Verb::Activate)) => 2,
        (Class::AccountChange, Some(Verb::Disable | Verb::Deactivate)) => 5,
        (Class::AccountChange, Some(Verb::Delete)) => 6,
        (Class::UserAccess, Some(_)) if takes_away => 2,
        (Class::UserAccess, Some(_)) => 1,
        (Class::GroupManagement, Some(_)) if words.have(&["member", "members", "user", "users"]) => {
            if takes_away {
                4
            } else {
                3
            }
        }
        (Class::GroupManagement, Some(Verb::Create)) => 6,
        (Class::GroupManagement, Some(Verb::Delete)) => 5,
        (Class::Authentication | Class::AccountChange | Class::UserAccess | Class::GroupManagement, _) => {
            OTHER
        }
    }
}
