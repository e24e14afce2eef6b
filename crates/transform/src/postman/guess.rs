//! Actions that no table knows: a rule of thumb over their words. The first one that fits decides.

use pipeline::EventOutcome;

use crate::activities;
use crate::entry::{Facet, Login, OTHER, Rule, Text};
use crate::rules::{account, api, entity, group, roles, session, web_resource};
use crate::words::{Verb, Words, push_title};

/// Things that people work on in Postman.
const RESOURCES: [&str; 39] = [
    "collection",
    "collections",
    "workspace",
    "workspaces",
    "environment",
    "environments",
    "api",
    "apis",
    "mock",
    "mocks",
    "monitor",
    "monitors",
    "flow",
    "flows",
    "spec",
    "specs",
    "specification",
    "vault",
    "request",
    "folder",
    "example",
    "response",
    "fork",
    "comment",
    "documentation",
    "document",
    "global",
    "globals",
    "variable",
    "runner",
    "run",
    "integration",
    "webhook",
    "package",
    "library",
    "template",
    "element",
    "notebook",
    "sdk",
];

/// Things that a team's administrators look after.
const ADMINISTERED: [&str; 22] = [
    "team",
    "organization",
    "org",
    "billing",
    "plan",
    "domain",
    "sso",
    "saml",
    "scim",
    "security",
    "payment",
    "invoice",
    "partner",
    "partnership",
    "subscription",
    "card",
    "credit",
    "credits",
    "policy",
    "setting",
    "settings",
    "customauth",
];

/// Memory for names made of an action's words.
pub(super) struct Names<'m> {
    pub(super) label: &'m mut String,
    pub(super) name: &'m mut String,
}

/// The rule for `words`, the words of `action`.
pub(super) fn guess<'a>(words: &Words<'a>, action: Text<'a>, names: Names<'a>) -> Rule<'a> {
    let outcome = match words.success() {
        Some(true) => EventOutcome::Success,
        Some(false) => EventOutcome::Failure,
        None => EventOutcome::Unknown,
    };
    let rule = signs_in_or_out(words)
        .or_else(|| changes_credentials(words))
        .or_else(|| changes_roles_or_groups(words))
        .or_else(|| changes_keys(words));
    let rule = match rule {
        Some(rule) => rule,
        None => others(words, names),
    };
    // Activity 99 without a better name is called what the source calls it.
    let unnamed = rule.activity == OTHER && rule.name.value.is_empty();
    Rule { name: if unnamed { action } else { rule.name }, ..rule }.outcome(outcome)
}

fn signs_in_or_out(words: &Words<'_>) -> Option<Rule<'static>> {
    if words.sign_in() {
        let login = if words.have(&["password"]) {
            Login::Password
        } else if words.have(&["google"]) {
            Login::Google
        } else if words.have(&["saml"]) {
            Login::Saml
        } else if words.have(&["sso"]) {
            Login::Sso
        } else {
            Login::Unsaid
        };
        return Some(session(1).login(login));
    }
    if words.sign_out() {
        return Some(session(2));
    }
    let ends = words.have(&["session", "sessions"]) && words.verb() == Some(Verb::Delete);
    ends.then_some(session(2).login(Login::Revoked).severity(2))
}

fn changes_credentials(words: &Words<'_>) -> Option<Rule<'static>> {
    if words.have(&["password", "passwords"]) {
        let reset = words.have(&["reset", "forgot", "forgotten"]);
        return Some(account(if reset { 4 } else { 3 }).severity(2));
    }
    if !words.have(&["mfa", "2fa", "totp"]) && !words.have_pair(&["two", "multi"], &["factor"]) {
        return None;
    }
    Some(match words.verb() {
        Some(verb) if verb.takes_away() => account(11).severity(3),
        _ if words.have(&["reset"]) => account(OTHER).named("MFA Reset").severity(3),
        Some(Verb::Create | Verb::Enable | Verb::Activate) => account(10),
        _ => account(OTHER).severity(2),
    })
}

fn changes_roles_or_groups(words: &Words<'_>) -> Option<Rule<'static>> {
    let takes_away = words.verb().is_some_and(Verb::takes_away);
    let about_group = words.have(&["group", "groups", "usergroup", "usergroups"]);
    if words.have(&["role", "roles", "permission", "permissions", "privilege", "privileges"]) {
        let activity = if takes_away { 2 } else { 1 };
        return Some(if about_group { group(activity) } else { roles(activity) }.severity(2));
    }
    if !about_group {
        return None;
    }
    let about_member = words.have(&["member", "members", "collaborator"])
        || words.have(&["user", "users"])
            && words.first() != "user"
            && !words.have_pair(&["user"], &["group", "groups"]);
    let rule = match (about_member, words.verb()) {
        (true, _) => group(if takes_away { 4 } else { 3 }),
        (false, Some(Verb::Create)) => group(6),
        (false, Some(verb)) if verb.takes_away() => group(5),
        _ => group(OTHER).named("Update"),
    };
    Some(rule.severity(2))
}

fn changes_keys(words: &Words<'_>) -> Option<Rule<'static>> {
    const KEYS: [&str; 12] = [
        "key",
        "keys",
        "token",
        "tokens",
        "apikey",
        "apikeys",
        "scimkey",
        "scimkeys",
        "secret",
        "secrets",
        "credential",
        "credentials",
    ];
    if !words.have(&KEYS) {
        return None;
    }
    let activity = activities::of_entity(words.verb());
    let of_scim = words.have(&["scim", "scimkey", "scimkeys"]);
    // A new key to the user directory opens it.
    let severity = match activity {
        1 | 3 | 10 if of_scim => 3,
        2 => 1,
        _ => 2,
    };
    let label = if of_scim { "SCIM API Key" } else { "API Key" };
    Some(entity(activity, label).facet(Facet::Identity).severity(severity))
}

fn others<'a>(words: &Words<'a>, names: Names<'a>) -> Rule<'a> {
    let verb = words.verb();
    if words.iter().any(|word| word.starts_with("invit")) {
        return invite(words, names);
    }
    if words.have(&["account", "authaccount", "accounts"])
        && words.have(&["link", "linked", "unlink", "unlinked"])
    {
        let linked = words.have(&["link", "linked"]);
        return account(OTHER).named(if linked { "Account Linked" } else { "Account Unlinked" }).severity(2);
    }
    if words.have(&["scim"]) && words.have(&["member", "members", "user", "users"]) {
        return match verb {
            Some(Verb::Create) => account(1),
            Some(verb) if verb.takes_away() => account(5),
            Some(Verb::Enable | Verb::Activate) => account(2),
            _ => account(OTHER).named("Update"),
        }
        .severity(2);
    }
    let asks_to_join = words.have_pair(&["join"], &["request", "requests"]);
    if asks_to_join && words.have(&["reject", "rejected", "decline", "declined"]) {
        return account(OTHER).named("Join Request Declined").facet(Facet::Notice);
    }
    if asks_to_join || words.have(&["member", "members", "collaborator", "collaborators"]) {
        let takes_away = verb.is_some_and(Verb::takes_away);
        return group(if takes_away { 4 } else { 3 }).of_team().severity(2);
    }
    let first = words.first();
    if matches!(first, "user" | "account" | "profile")
        && let Some(verb) = verb
        && words.iter().count() <= 2
    {
        return match verb {
            Verb::Create => account(1),
            Verb::Delete => account(6),
            Verb::Enable | Verb::Activate => account(2),
            Verb::Disable | Verb::Deactivate => account(5),
            _ => account(OTHER).named("Update"),
        }
        .severity(2);
    }
    if RESOURCES.contains(&first) {
        push_title(names.label, first);
        let activity = activities::of_web_resource(verb);
        return Rule { label: Text::foreign(names.label), ..web_resource(activity, "") };
    }
    if words.have(&["export", "exported", "download", "downloaded"]) {
        let asked_for = words.have(&["export", "exported"]) && !words.have(&["download", "downloaded"]);
        return web_resource(if asked_for { 7 } else { 2 }, "Data Export").facet(Facet::Export).severity(3);
    }
    if ADMINISTERED.contains(&first) && verb.is_some() {
        return administered(words, names);
    }
    api(verb.and_then(activities::of_api).unwrap_or(OTHER))
}

/// 3001, activity 99 "Invite …".
fn invite<'a>(words: &Words<'a>, names: Names<'a>) -> Rule<'a> {
    names.name.push_str("Invite");
    let others = words
        .iter()
        .filter(|word| !word.starts_with("invit") && !matches!(*word, "team" | "user" | "workspace"));
    for word in others.take(3) {
        push_title(names.name, word);
    }
    let approved = words.have(&["approve", "approved", "accept", "accepted"]);
    let rule = account(OTHER).label("Invite");
    let rule = if approved { rule.severity(2) } else { rule.facet(Facet::Notice) };
    Rule { name: Text::foreign(names.name), ..rule }
}

/// 3004, about what the words name beside the first one and the verbs.
fn administered<'a>(words: &Words<'a>, names: Names<'a>) -> Rule<'a> {
    for word in words.iter().skip(1).filter(|word| Words::is_noun(word)).take(3) {
        push_title(names.label, word);
    }
    if names.label.is_empty() {
        push_title(names.label, words.first());
    }
    let activity = activities::of_entity(words.verb());
    let of_sso = words.have(&["sso", "saml", "customauth"]);
    let of_identity = of_sso || words.have(&["scim"]) || words.have_pair(&["domain"], &["capture"]);
    let takes_away = words.verb().is_some_and(Verb::takes_away);
    let weakens = match activity {
        2 | 8 | 10 => false,
        _ if of_sso => true,
        _ => takes_away && (words.have(&["plan"]) || words.have_pair(&["domain"], &["capture"])),
    };
    let severity = if weakens {
        3
    } else if activity == 2 {
        1
    } else {
        2
    };
    let rule = entity(activity, "").severity(severity);
    let rule = if of_identity { rule.facet(Facet::Identity) } else { rule };
    Rule { label: Text::foreign(names.label), ..rule }
}
