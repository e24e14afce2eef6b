//! What an audit record says, whatever vendor wrote it and whatever schema it will be written in. Vendor modules fill
//! an [`Entry`]; the schema modules write it. Every text remembers where it came from, so that writing it notes
//! that it has been used and the rest of the record can be told apart.

use std::cell::Cell;
use std::net::IpAddr;

use memchr::memchr;
use pipeline::{EventOutcome, Timestamp};

use crate::json::{Kind, Value};

/// A piece of text.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) value: &'a str,
    /// Whether it can stand in a JSON string as it is.
    pub(crate) clean: bool,
    /// Where to note that it has been written.
    pub(crate) used: Option<&'a Cell<bool>>,
}

impl<'a> Text<'a> {
    /// Text of our own that needs no escapes.
    pub(crate) const fn constant(value: &'static str) -> Self {
        Self { value, clean: true, used: None }
    }

    /// Text from elsewhere than a record.
    pub(crate) const fn foreign(value: &'a str) -> Self {
        Self { value, clean: false, used: None }
    }

    pub(crate) fn mark_used(self) {
        if let Some(used) = self.used {
            used.set(true);
        }
    }

    /// A part of this text.
    pub(crate) fn part(self, value: &'a str) -> Self {
        Self { value, ..self }
    }
}

/// One audit record.
pub(crate) struct Entry<'a> {
    /// The whole record.
    pub(crate) root: Value<'a>,
    pub(crate) head: Head<'a>,
    /// What was done.
    pub(crate) action: Text<'a>,
    /// The record's own code for that, where `action` is a name for it.
    pub(crate) action_code: Option<Text<'a>>,
    /// The record's time as it is written there.
    pub(crate) original_time: Option<Text<'a>>,
    pub(crate) message: Option<Text<'a>>,
    pub(crate) rule: Rule<'a>,
    /// Who acted.
    pub(crate) actor: Option<User<'a>>,
    /// Who was acted on.
    pub(crate) user: Option<User<'a>>,
    /// The tenant.
    pub(crate) team: Named<'a>,
    /// Where the request came from, as it is written there; see [`Client`].
    pub(crate) client: Option<Text<'a>>,
    pub(crate) user_agent: Option<Text<'a>>,
    /// Roles that one user or group got or lost.
    pub(crate) roles: Option<Roles<'a>>,
    /// Roles of several users, by their ids.
    pub(crate) members: Option<Members<'a>>,
    /// The user group acted on.
    pub(crate) group: Named<'a>,
    /// The thing acted on, and what the vendor calls its type.
    pub(crate) thing: Named<'a>,
    pub(crate) thing_type: Option<Text<'a>>,
    /// What was signed in to.
    pub(crate) service: Text<'a>,
    pub(crate) request: Request<'a>,
    /// Vendor details that are kept whole as text where a schema would choke on them.
    pub(crate) details: Option<Value<'a>>,
}

impl Entry<'_> {
    /// Whether its action gives roles to somebody.
    pub(crate) fn grants(&self) -> bool {
        matches!(
            (self.rule.class, self.rule.activity),
            (Class::UserAccess, 1) | (Class::GroupManagement, 1 | 3)
        )
    }

    /// Whether it makes anybody an administrator.
    pub(crate) fn grants_admin(&self) -> bool {
        let members = self.members.into_iter().flat_map(|members| members.iter());
        let mut all = members.map(|(_, roles)| roles).chain(self.roles);
        self.grants() && all.any(|roles| roles.include_admin())
    }
}

/// What can be said even of a record that cannot be mapped.
#[derive(Clone, Copy, Default)]
pub(crate) struct Head<'a> {
    /// The vendor's id of the record.
    pub(crate) id: Option<Text<'a>>,
    /// The record's time, if it can be read.
    pub(crate) time: Option<Timestamp>,
    /// The tenant's id.
    pub(crate) tenant: Option<Text<'a>>,
}

/// How an action is classified. The ids are those of OCSF 1.8.0.
#[derive(Clone, Copy)]
pub(crate) struct Rule<'a> {
    pub(crate) class: Class,
    pub(crate) activity: u8,
    /// What to call activity 99.
    pub(crate) name: Text<'a>,
    pub(crate) severity: u8,
    pub(crate) outcome: EventOutcome,
    /// The type of the thing acted on.
    pub(crate) label: Text<'a>,
    /// Whether the thing is the organization itself, or the group is the whole team.
    pub(crate) of_team: bool,
    /// The role that the action itself names; empty if none.
    pub(crate) role: &'static str,
    pub(crate) facet: Facet,
    pub(crate) login: Login,
}

/// The OCSF classes that audit records become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Base = 0,
    AccountChange = 3001,
    Authentication = 3002,
    EntityManagement = 3004,
    UserAccess = 3005,
    GroupManagement = 3006,
    WebResources = 6001,
    Api = 6003,
}

/// Activity "Other" of every class: its name is the source's own label.
pub(crate) const OTHER: u8 = 99;

/// What ECS needs to know beyond class and activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Facet {
    Plain,
    /// A configuration change that is about identities too.
    Identity,
    /// It says something and changes nothing.
    Notice,
    /// Data leaves as a file.
    Export,
}

/// How somebody signed in, where the action says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Login {
    Unsaid,
    Password,
    Google,
    Sso,
    Saml,
    /// To another product, with the vendor's account.
    Elsewhere,
    /// Not a sign-in: somebody's sessions were ended for him.
    Revoked,
}

/// A person, a service or a key that acts or is acted on.
#[derive(Clone, Copy)]
pub(crate) struct User<'a> {
    pub(crate) uid: Option<Text<'a>>,
    /// User name, else full name, else e-mail.
    pub(crate) name: Option<Text<'a>>,
    /// Only when it differs from `name`.
    pub(crate) full_name: Option<Text<'a>>,
    pub(crate) email: Option<Text<'a>>,
    pub(crate) kind: UserKind<'a>,
    /// What the record calls this kind, noted as used together with it.
    pub(crate) kind_text: Option<Text<'a>>,
    /// Whether the vendor holds the account for active.
    pub(crate) active: Option<Value<'a>>,
}

/// What a [`User`] is.
#[derive(Clone, Copy)]
pub(crate) enum UserKind<'a> {
    Unknown,
    Person,
    System,
    ApiKey,
    Other(Text<'a>),
}

impl<'a> User<'a> {
    /// Somebody with these names. A full name that says no more than `name` counts as written with it.
    pub(crate) fn new(
        uid: Option<Text<'a>>,
        name: Option<Text<'a>>,
        full_name: Option<Text<'a>>,
        email: Option<Text<'a>>,
        kind: UserKind<'a>,
    ) -> Self {
        let differs = |full: &Text<'_>| name.is_none_or(|name| name.value != full.value);
        if let Some(full_name) = full_name.filter(|full| !differs(full)) {
            full_name.mark_used();
        }
        Self { uid, name, full_name: full_name.filter(differs), email, kind, kind_text: None, active: None }
    }

    /// Somebody of whom only the id is known.
    pub(crate) const fn known_by_id(uid: Text<'a>) -> Self {
        let kind = UserKind::Person;
        Self { uid: Some(uid), name: None, full_name: None, email: None, kind, kind_text: None, active: None }
    }

    /// Whether both are the same, as far as their ids, or else their names, tell.
    pub(crate) fn is(&self, other: &User<'_>) -> bool {
        match (self.uid, other.uid) {
            (Some(own), Some(others)) => own.value == others.value,
            _ => match (self.name, other.name) {
                (Some(own), Some(others)) => own.value == others.value,
                _ => false,
            },
        }
    }

    /// Notes what of it has been written with `other`.
    pub(crate) fn mark_used_where_same(&self, other: &User<'_>) {
        let own = [self.uid, self.name, self.full_name, self.email];
        let others = [other.uid, other.name, other.full_name, other.email];
        for (own, other) in own.into_iter().zip(others) {
            if let (Some(own), Some(other)) = (own, other)
                && own.value == other.value
            {
                own.mark_used();
            }
        }
    }
}

/// Something with an id and a name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    pub(crate) uid: Option<Text<'a>>,
    pub(crate) name: Option<Text<'a>>,
}

impl Named<'_> {
    pub(crate) fn is_known(&self) -> bool {
        self.uid.is_some() || self.name.is_some()
    }
}

/// Role names.
#[derive(Clone, Copy)]
pub(crate) enum Roles<'a> {
    /// An array of strings, and the value that counts as written with them.
    Many(Value<'a>, Value<'a>),
    One(Text<'a>),
}

impl<'a> Roles<'a> {
    /// The names in `value`: a string, or an array of nothing but strings, which may stand as JSON in a string.
    pub(crate) fn read(value: Value<'a>) -> Option<Self> {
        let list = value.embedded().unwrap_or(value);
        match list.kind() {
            Kind::String => list.string().map(Roles::One),
            Kind::Array => {
                let names = list.items().all(|item| item.kind() == Kind::String);
                names.then_some(Roles::Many(list, value))
            }
            _ => None,
        }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let (many, one) = match *self {
            Roles::Many(list, _) => (Some(list), None),
            Roles::One(text) => (None, Some(text)),
        };
        many.into_iter().flat_map(Value::items).filter_map(Value::string).chain(one)
    }

    /// Whether one of them rules the whole team.
    pub(crate) fn include_admin(&self) -> bool {
        const ADMIN: [&str; 3] = ["admin", "super-admin", "owner"];
        self.names().any(|name| ADMIN.iter().any(|admin| name.value.eq_ignore_ascii_case(admin)))
    }

    pub(crate) fn mark_used(&self) {
        match self {
            Roles::Many(_, holder) => holder.mark_used(),
            Roles::One(text) => text.mark_used(),
        }
    }
}

/// Users with the roles that each has now.
#[derive(Clone, Copy)]
pub(crate) struct Members<'a> {
    /// An object `{user id: roles}`.
    users: Value<'a>,
    /// The members of it that count, in the order of their keys, each key once.
    order: &'a [u32],
    /// The value that counts as written with them.
    holder: Value<'a>,
}

impl<'a> Members<'a> {
    /// Reads an object `{user id: roles}`, which may stand as JSON in a string; nothing if it is empty or anything in it is no
    /// list of roles. `memory` holds the order.
    pub(crate) fn read(value: Value<'a>, memory: &'a mut Vec<u32>) -> Option<Self> {
        memory.clear();
        let users = value.embedded().unwrap_or(value);
        memory.extend(users.places());
        if users.members().any(|member| member.key().is_empty() || Roles::read(member).is_none()) {
            return None;
        }
        let key = |place: &u32| users.at(*place).key();
        // Of equal keys the last counts.
        memory.sort_unstable_by(|a, b| key(a).cmp(key(b)).then(b.cmp(a)));
        memory.dedup_by(|b, a| key(a) == key(b));
        (!memory.is_empty()).then_some(Self { users, order: memory, holder: value })
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Text<'a>, Roles<'a>)> + use<'a> {
        let users = self.users;
        self.order.iter().filter_map(move |place| {
            let member = users.at(*place);
            Some((member.key_text(), Roles::read(member)?))
        })
    }

    pub(crate) fn mark_used(&self) {
        self.holder.mark_used();
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Client<'a> {
    /// The source's text, as received.
    pub(crate) text: Option<Text<'a>>,
    /// The first address in it.
    pub(crate) ip: Option<Text<'a>>,
    pub(crate) port: Option<u16>,
    /// What follows the first address after a comma: the proxies passed.
    forwarded: &'a str,
    /// Whether every part of the text is an address, so that nothing of it is left over.
    pub(crate) complete: bool,
}

impl<'a> Client<'a> {
    /// Of the text that an entry has, if it has one.
    pub(crate) fn of(entry: &Entry<'a>) -> Self {
        entry.client.map(Self::read).unwrap_or_default()
    }

    /// Reads `ip`, `ip:port`, `[v6]:port`, or several of them with commas between.
    fn read(text: Text<'a>) -> Self {
        let comma = memchr(b',', text.value.as_bytes());
        let (first, forwarded) =
            comma.map_or((text.value, ""), |at| (&text.value[..at], &text.value[at + 1..]));
        let mut client = Self { text: Some(text), forwarded, ..Self::default() };
        if let Some((ip, port)) = address(first) {
            client.ip = Some(Text { used: None, ..text.part(ip) });
            client.port = port;
            client.complete =
                forwarded.is_empty() || client.proxies().all(|proxy| matches!(proxy, Some((_, None))));
        }
        client
    }

    /// What follows the first address: nothing for a part that is not an address.
    fn proxies(&self) -> impl Iterator<Item = Option<(&'a str, Option<u16>)>> + use<'a> {
        let parts = (!self.forwarded.is_empty()).then(|| self.forwarded.split(','));
        parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).map(address)
    }

    /// The addresses after the first.
    pub(crate) fn forwarded(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.proxies().flatten().map(|(ip, _)| ip)
    }
}

/// An address and its port. OCSF's type `ip_t` ends at 40 characters.
fn address(text: &str) -> Option<(&str, Option<u16>)> {
    let text = text.trim();
    let is_ip = |ip: &str| ip.len() <= 40 && ip.parse::<IpAddr>().is_ok();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if is_ip(bare) {
        return Some((bare, None));
    }
    let (host, port) = text.rsplit_once(':')?;
    let ip = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    is_ip(ip).then_some(())?;
    Some((ip, Some(port.parse().ok()?)))
}

/// The HTTP request that was audited, where the record tells of one.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) method: Option<Text<'a>>,
    /// Path and query.
    pub(crate) path: Option<Text<'a>>,
    /// What to put before the path for a full URL.
    pub(crate) base_url: Option<&'a str>,
    /// The answer's status, and its text in the record.
    pub(crate) status: Option<(u16, Text<'a>)>,
    /// What was acted on.
    pub(crate) target: Option<Named<'a>>,
    pub(crate) target_type: Option<Text<'a>>,
}

impl<'a> Request<'a> {
    /// The path up to the question mark and the query after it; nothing for a part that is empty.
    pub(crate) fn path_and_query(&self) -> (Option<Text<'a>>, Option<Text<'a>>) {
        let Some(text) = self.path else { return (None, None) };
        let (path, query) = text.value.split_once('?').unwrap_or((text.value, ""));
        let part = |part: &'a str| {
            Some(Text { used: None, ..text.part(part) }).filter(|part| !part.value.is_empty())
        };
        (part(path), part(query))
    }

    /// Base URL and path, if both are known and the path begins with a slash.
    pub(crate) fn full_url(&self) -> Option<(&'a str, Text<'a>)> {
        let path = self.path.filter(|path| path.value.starts_with('/'))?;
        Some((self.base_url?, path))
    }

    /// The answer's status code.
    pub(crate) fn code(&self) -> Option<u16> {
        self.status.map(|(code, _)| code)
    }
}
