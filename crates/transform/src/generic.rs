//! The common shape of audit logs, `/v1/audit_logs`: one HTTP request a record, by a user or an API key.

use pipeline::{EventOutcome, Timestamp};

use crate::entry::{Entry, Head, Named, OTHER, Request, Rule, Text, User, UserKind};
use crate::json::{Kind, Value};
use crate::malformed::{Why, action_of};
use crate::mapper::{Product, Within};
use crate::rules::{api, session};
use crate::words::{Verb, Words};

/// What the records of an API in the common shape are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenericSettings {
    /// Who makes the product, e.g. `Acme`.
    pub vendor: String,
    /// What the product is called, e.g. `Acme Platform`.
    pub product: String,
    /// What the records are, e.g. `acme.audit`: OCSF `metadata.log_name`, ECS `data_stream.dataset`. ECS wants it to begin with the
    /// module, in lower case, without hyphens, at most 100 characters.
    pub dataset: String,
    /// ECS's short name for the vendor and the namespace of its own fields, e.g. `acme`: a lower-case letter, then lower-case
    /// letters, digits and underscores.
    pub module: String,
    /// What stands before the paths of the records for a full URL, e.g. `https://api.acme.example`.
    pub base_url: Option<String>,
}

impl GenericSettings {
    pub(crate) fn product(&self) -> Product {
        Product {
            vendor: self.vendor.as_str().into(),
            name: self.product.as_str().into(),
            dataset: self.dataset.as_str().into(),
            module: self.module.as_str().into(),
        }
    }
}

/// Reads records of the common shape.
pub(crate) struct GenericReader {
    service: Box<str>,
    base_url: Option<Box<str>>,
}

/// The members of a record, as far as they are known. Of equal keys the last counts.
#[derive(Default)]
struct Fields<'a> {
    id: Option<Text<'a>>,
    action: Option<Value<'a>>,
    actor: Option<User<'a>>,
    client_ip: Option<Text<'a>>,
    created_at: Option<Text<'a>>,
    method: Option<Text<'a>>,
    path: Option<Text<'a>>,
    status_code: Option<(u16, Text<'a>)>,
    user_agent: Option<Text<'a>>,
    target: Option<Value<'a>>,
}

impl GenericReader {
    pub(crate) fn new(settings: GenericSettings) -> Self {
        let base_url = settings.base_url.map(|url| url.trim_end_matches('/').into());
        Self { service: settings.product.into(), base_url }
    }

    /// What can be told of any object.
    pub(crate) fn head(root: Value<'_>) -> Head<'_> {
        Fields::read(root).head()
    }

    /// Reads a record, or says why it is none.
    pub(crate) fn read<'a>(&'a self, root: Value<'a>, within: &'a mut Within) -> Result<Entry<'a>, Why> {
        let fields = Fields::read(root);
        let action = action_of(fields.action)?;
        let words = Words::split(action.value, &mut within.words);
        let code = fields.status_code.map(|(code, _)| code);
        let (target, target_type) = fields.target.map(read_target).unzip();
        Ok(Entry {
            root,
            head: fields.head(),
            action,
            original_time: fields.created_at,
            message: None,
            rule: rule(&words, action, fields.method, code),
            actor: fields.actor,
            user: None,
            team: Named::default(),
            client: fields.client_ip,
            user_agent: fields.user_agent,
            roles: None,
            members: None,
            group: Named::default(),
            thing: Named::default(),
            thing_type: None,
            service: Text::foreign(&self.service),
            request: Request {
                method: fields.method,
                path: fields.path,
                base_url: self.base_url.as_deref(),
                status: fields.status_code,
                target: target.filter(Named::is_known),
                target_type: target_type.flatten(),
            },
            details: None,
        })
    }
}

impl<'a> Fields<'a> {
    fn read(root: Value<'a>) -> Self {
        let mut fields = Self::default();
        for member in root.members() {
            match member.key() {
                "id" => fields.id = member.scalar(),
                "action" => fields.action = Some(member),
                "actor" => fields.actor = read_actor(member),
                "client_ip" => fields.client_ip = member.string(),
                "created_at" => fields.created_at = member.scalar(),
                "method" => fields.method = member.string(),
                "path" => fields.path = member.string(),
                "status_code" => {
                    fields.status_code =
                        member.scalar().and_then(|text| Some((text.value.parse().ok()?, text)));
                }
                "user_agent" => fields.user_agent = member.string(),
                "target" => fields.target = Some(member).filter(|target| target.kind() == Kind::Object),
                _ => {}
            }
        }
        fields
    }

    fn head(&self) -> Head<'a> {
        let time = self.created_at.and_then(|text| Timestamp::read(text.value));
        Head { id: self.id, time, tenant: None }
    }
}

/// Nothing if neither id nor any name is there.
fn read_actor(actor: Value<'_>) -> Option<User<'_>> {
    let (mut uid, mut name, mut email, mut kind_text) = (None, None, None, None);
    for member in actor.members() {
        match member.key() {
            "id" => uid = member.scalar(),
            "name" => name = member.string(),
            "email" => email = member.string(),
            "type" => kind_text = member.string(),
            _ => {}
        }
    }
    let kind = match kind_text {
        None => UserKind::Unknown,
        Some(text) if text.value == "user" => UserKind::Person,
        Some(text) if text.value == "api_key" => UserKind::ApiKey,
        Some(text) => UserKind::Other(text),
    };
    let name = name.or(email);
    (uid.is_some() || name.is_some()).then(|| User { kind_text, ..User::new(uid, name, name, email, kind) })
}

fn read_target(target: Value<'_>) -> (Named<'_>, Option<Text<'_>>) {
    let (mut named, mut kind) = (Named::default(), None);
    for member in target.members() {
        match member.key() {
            "id" => named.uid = member.scalar(),
            "name" => named.name = member.string(),
            "type" => kind = member.string(),
            _ => {}
        }
    }
    (named, kind)
}

fn rule<'a>(words: &Words<'_>, action: Text<'a>, method: Option<Text<'_>>, code: Option<u16>) -> Rule<'a> {
    let rule: Rule<'a> = if words.sign_in() {
        session(1)
    } else if words.sign_out() {
        session(2)
    } else {
        let by_verb = words.verb().and_then(api_activity);
        api(by_verb.or_else(|| method.and_then(|method| method_activity(method.value))).unwrap_or(OTHER))
    };
    let outcome = match (code, words.success()) {
        (Some(100..=399), _) | (None, Some(true)) => EventOutcome::Success,
        (Some(400..=599), _) | (None, Some(false)) => EventOutcome::Failure,
        _ => EventOutcome::Unknown,
    };
    let severity = if let Some(401 | 403) = code { 2 } else { 1 };
    Rule { name: action, ..rule }.outcome(outcome).severity(severity)
}

/// What of create, read, update and delete a verb is.
pub(crate) const fn api_activity(verb: Verb) -> Option<u8> {
    match verb {
        Verb::Create | Verb::Import => Some(1),
        Verb::Read | Verb::Search | Verb::Export => Some(2),
        Verb::Update => Some(3),
        Verb::Delete => Some(4),
        _ => None,
    }
}

fn method_activity(method: &str) -> Option<u8> {
    const METHODS: [(&str, u8); 7] =
        [("POST", 1), ("GET", 2), ("HEAD", 2), ("OPTIONS", 2), ("PUT", 3), ("PATCH", 3), ("DELETE", 4)];
    METHODS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(method)).map(|(_, activity)| activity)
}
