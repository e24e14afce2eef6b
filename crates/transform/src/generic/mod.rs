//! Audit records of any API, read as a mapping of the configuration says. Without one they are read as the common shape,
//! `/v1/audit_logs`: one HTTP request a record, by a user or an API key.
//!
//! [`config`] is what a user writes, [`check`] checks it, [`fields`] says where fields are looked for otherwise, [`finder`]
//! looks for them, [`actions`] classifies; this module makes an entry of what was found.

mod actions;
mod check;
mod config;
mod fields;
mod finder;

use std::sync::Arc;

use pipeline::{EventOutcome, Timestamp};

use crate::entry::{Class, Entry, Head, Named, Request, Roles, Rule, Text, User, UserKind};
use crate::json::Value;
use crate::malformed::Why;
use crate::mapper::{Product, Within};
use actions::{ActionRule, Circumstances, Memory};
pub use config::{
    ActionConfig, ActorTypesConfig, ClassName, FieldsConfig, GroupConfig, MappingConfig, OutcomeName,
    OutcomesConfig, Paths, PersonConfig, SeverityName, TargetConfig, TenantConfig, UserConfig,
};
use fields::Field;
use finder::{Finder, Found};

/// A checked [`MappingConfig`]. It is cheap to clone.
#[derive(Clone, Debug)]
pub struct MappingSettings(Arc<Mapping>);

/// How the records of a source are read.
#[derive(Debug)]
struct Mapping {
    product: Product,
    base_url: Option<Box<str>>,
    finder: Finder,
    actor_types: ActorTypes,
    outcomes: Outcomes,
    /// The codes that have names, in order.
    action_names: Vec<(Box<str>, Box<str>)>,
    actions: Vec<ActionRule>,
}

impl Mapping {
    /// The name of the action that a record calls `code`.
    fn action_name(&self, code: &str) -> Option<Text<'_>> {
        let place = self.action_names.binary_search_by(|(known, _)| (**known).cmp(code)).ok()?;
        self.action_names.get(place).map(|(_, name)| Text::foreign(name))
    }
}

/// What records call the kinds of actors.
#[derive(Debug)]
struct ActorTypes {
    person: Vec<Box<str>>,
    api_key: Vec<Box<str>>,
    system: Vec<Box<str>>,
}

/// What records call success and failure.
#[derive(Debug)]
struct Outcomes {
    success: Vec<Box<str>>,
    failure: Vec<Box<str>>,
    otherwise: EventOutcome,
}

impl MappingSettings {
    /// What the records are: `acme.audit`.
    pub fn dataset(&self) -> &str {
        &self.0.product.dataset
    }

    pub(crate) fn product(&self) -> &Product {
        &self.0.product
    }
}

/// Whether one of `words` is `text`, in whatever capitals.
fn have(words: &[Box<str>], text: Text<'_>) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text.value))
}

impl ActorTypes {
    fn kind<'a>(&self, text: Option<Text<'a>>) -> UserKind<'a> {
        match text {
            None => UserKind::Unknown,
            Some(text) if have(&self.person, text) => UserKind::Person,
            Some(text) if have(&self.api_key, text) => UserKind::ApiKey,
            Some(text) if have(&self.system, text) => UserKind::System,
            Some(text) => UserKind::Other(text),
        }
    }
}

impl Outcomes {
    fn read(&self, text: Text<'_>) -> Option<EventOutcome> {
        if have(&self.failure, text) {
            Some(EventOutcome::Failure)
        } else {
            have(&self.success, text).then_some(EventOutcome::Success)
        }
    }
}

/// Reads records by a mapping.
pub(crate) struct GenericReader(MappingSettings);

impl GenericReader {
    pub(crate) const fn new(settings: MappingSettings) -> Self {
        Self(settings)
    }

    /// What can be told of any object.
    pub(crate) fn head<'a>(&self, root: Value<'a>, within: &'a mut Within) -> Head<'a> {
        let mut found = Found::EMPTY;
        self.0.0.finder.find(root, &mut within.met, &mut found);
        found.head()
    }

    /// Reads a record, or says why it is none.
    pub(crate) fn read<'a>(&'a self, root: Value<'a>, within: &'a mut Within) -> Result<Entry<'a>, Why> {
        let mapping = &*self.0.0;
        let Within { met, words, label, .. } = within;
        let mut found = Found::EMPTY;
        mapping.finder.find(root, met, &mut found);
        let Some(written) = found.text(Field::Action) else {
            return Err(if found.odd_action { Why::ActionIsNoText } else { Why::NoAction });
        };
        let name = mapping.action_name(written.value);
        let action = name.unwrap_or(written);
        let method = found.text(Field::Method);
        let status = found.text(Field::StatusCode).and_then(|text| Some((text.value.parse().ok()?, text)));
        let target = found.named(Field::TargetId, Field::TargetName);
        let target_type = found.text(Field::TargetType);
        let circumstances = Circumstances {
            method,
            code: status.map(|(code, _)| code),
            outcome: found.text(Field::Outcome).and_then(|text| mapping.outcomes.read(text)),
            otherwise: mapping.outcomes.otherwise,
            target_type,
        };
        let rule = actions::rule(&mapping.actions, action, &circumstances, Memory { words, label });
        let about_person = target_type.is_some_and(|kind| have(&mapping.actor_types.person, kind));
        Ok(Entry {
            root,
            head: found.head(),
            action,
            action_code: name.map(|_| written),
            original_time: found.text(Field::Time),
            message: found.text(Field::Message),
            rule,
            actor: found.actor(&mapping.actor_types),
            user: found.user().or_else(|| user_of(&rule, target, about_person)),
            team: found.named(Field::TenantId, Field::TenantName),
            client: found.text(Field::ClientIp),
            user_agent: found.text(Field::UserAgent),
            roles: roles(&rule, &found),
            members: None,
            group: group(&rule, &found, target, about_person),
            thing: target,
            thing_type: target_type,
            service: Text::foreign(&mapping.product.name),
            request: Request {
                method,
                path: found.text(Field::Path),
                base_url: mapping.base_url.as_deref(),
                status,
                target: Some(target).filter(Named::is_known),
                target_type,
            },
            details: None,
        })
    }
}

impl<'a> Found<'a> {
    fn text(&self, field: Field) -> Option<Text<'a>> {
        self.get(field).and_then(Value::scalar)
    }

    fn named(&self, id: Field, name: Field) -> Named<'a> {
        Named { uid: self.text(id), name: self.text(name) }
    }

    fn head(&self) -> Head<'a> {
        let time = self.text(Field::Time).and_then(|text| Timestamp::read(text.value));
        Head { id: self.text(Field::Id), time, tenant: self.text(Field::TenantId) }
    }

    /// Nothing if neither id nor any name is there.
    fn actor(&self, types: &ActorTypes) -> Option<User<'a>> {
        let kind_text = self.text(Field::ActorType);
        let actor =
            self.person([Field::ActorId, Field::ActorName, Field::ActorEmail], types.kind(kind_text))?;
        Some(User { kind_text, ..actor })
    }

    fn user(&self) -> Option<User<'a>> {
        self.person([Field::UserId, Field::UserName, Field::UserEmail], UserKind::Person)
    }

    fn person(&self, [id, name, email]: [Field; 3], kind: UserKind<'a>) -> Option<User<'a>> {
        let (uid, email) = (self.text(id), self.text(email));
        let name = self.text(name).or(email);
        (uid.is_some() || name.is_some()).then(|| User::new(uid, name, None, email, kind))
    }
}

/// The target, where the class is about a user and the record names no other.
fn user_of<'a>(rule: &Rule<'a>, target: Named<'a>, about_person: bool) -> Option<User<'a>> {
    let is_user = match rule.class {
        Class::AccountChange | Class::UserAccess => true,
        Class::GroupManagement => about_person,
        _ => false,
    };
    let Named { uid, name } = target;
    (is_user && target.is_known()).then(|| User::new(uid, name, None, None, UserKind::Person))
}

/// The group, or else the target where the class is about a group.
fn group<'a>(rule: &Rule<'a>, found: &Found<'a>, target: Named<'a>, about_person: bool) -> Named<'a> {
    let group = found.named(Field::GroupId, Field::GroupName);
    let stands_in = rule.class == Class::GroupManagement && !group.is_known() && !about_person;
    if stands_in { target } else { group }
}

fn roles<'a>(rule: &Rule<'a>, found: &Found<'a>) -> Option<Roles<'a>> {
    let wanted = matches!(rule.class, Class::UserAccess | Class::GroupManagement);
    found.get(Field::Roles).filter(|_| wanted).and_then(Roles::read)
}
