//! What a user writes under `mapping`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use pipeline::EventOutcome;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::fields::{FIELDS, Field};
use crate::entry::Class;

/// How records become events. What is left out is looked for under the names that audit APIs use most, so that an API whose
/// records have the common shape needs none of it. What of a record no field takes is kept beside it, in `unmapped` of OCSF and
/// `<module>.audit.extra_json` of ECS.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MappingConfig {
    /// Who makes the product. Default: the source's name.
    pub vendor: Option<String>,
    /// What the product is called. Default: `vendor`.
    pub product: Option<String>,
    /// ECS's short name for the product, and the namespace of what ECS has no place for: a lower-case letter, then lower-case
    /// letters, digits and underscores. Default: what `dataset` begins with, or else
    /// made of the source's name.
    pub module: Option<String>,
    /// What the records are: OCSF `metadata.log_name`, ECS `data_stream.dataset`. It begins with the module. Default:
    /// `MODULE.audit`. It is part of every event's id, so another one makes other events.
    pub dataset: Option<String>,
    /// What stands before the paths of requests for a full URL: `https://api.example.com`.
    pub base_url: Option<String>,
    /// Where the fields of a record are.
    pub fields: FieldsConfig,
    /// What `fields.outcome` can say.
    pub outcomes: OutcomesConfig,
    /// What `fields.actor.type` can say. Any other text is kept as the type.
    pub actor_types: ActorTypesConfig,
    /// What the API's codes for actions mean, where it writes numbers or other codes: `{ "1000": user.logged_in }`. The action is then
    /// the name, and `actions` are held against it; the code is kept in ECS `event.code` and OCSF `unmapped`. A code without a name
    /// is its own.
    #[schemars(schema_with = "names_of_codes")]
    pub action_names: BTreeMap<String, String>,
    /// What actions are: the first rule that fits counts. Without one, sign-ins and sign-outs are `authentication`, and all else
    /// is `api_activity`, by the action's verb or the request's method.
    pub actions: Vec<ActionConfig>,
}

/// Names for codes; none of them is a secret, whatever its code sounds like.
fn names_of_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "string", "writeOnly": false } })
}

/// Where the fields of a record are: a path, or a list of which the first that is there counts; `[]` leaves a field out. A
/// path is names joined by dots, one with a dot in it in quotes; in a list, the number of an item, from 0. A value of the
/// wrong type counts as not there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldsConfig {
    /// The record's id. Default: `id`, `uuid`, …
    pub id: Option<Paths>,
    /// When it happened: RFC 3339 with or without fraction and offset, a date, or seconds or milliseconds since 1970. Default:
    /// `created_at`, `timestamp`, …
    pub time: Option<Paths>,
    /// What was done, which every record must have: a text, or a number where a path is given here; see `action_names`. Default:
    /// `action`, `event_type`, …
    pub action: Option<Paths>,
    /// What was done, in words. Default: `message`, `description`, `summary`.
    pub message: Option<Paths>,
    /// Who did it. Default: `actor.id` and so on.
    pub actor: PersonConfig,
    /// The user it was done to, where that is not the target. Default: `target_user.id` and so on.
    pub user: UserConfig,
    /// The group that it was done to, where that is not the target. Default: `group.id`, …
    pub group: GroupConfig,
    /// What it was done to. Default: `target.id`, `resource.id`, …
    pub target: TargetConfig,
    /// Whose log it is. Its id is part of every event's id. Default: `org.id`, …
    pub tenant: TenantConfig,
    /// Roles that somebody got or lost, for `user_access` and `group_management`: a text or a list of texts. Default: `roles`, `role`.
    pub roles: Option<Paths>,
    /// Where the request came from: an address, with or without port. Default: `client_ip`, `ip_address`, …
    pub client_ip: Option<Paths>,
    /// The client's `User-Agent`. Default: `user_agent`, …
    pub user_agent: Option<Paths>,
    /// The request's method. Default: `method`, …
    pub method: Option<Paths>,
    /// The request's path, with or without a query. Default: `path`, …
    pub path: Option<Paths>,
    /// The answer's HTTP status. Default: `status_code`, …
    pub status_code: Option<Paths>,
    /// A word on how it ended; see `outcomes`. Default: `outcome`, `result`, `status`, …
    pub outcome: Option<Paths>,
}

/// Where it says who acted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PersonConfig {
    /// The id.
    pub id: Option<Paths>,
    /// The user name, or whatever name there is.
    pub name: Option<Paths>,
    /// The e-mail address; without a name it is that too.
    pub email: Option<Paths>,
    /// Whether it is a person, a key or a system; see `actor_types`.
    pub r#type: Option<Paths>,
}

/// Where it says who was acted on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UserConfig {
    /// The id.
    pub id: Option<Paths>,
    /// The user name, or whatever name there is.
    pub name: Option<Paths>,
    /// The e-mail address; without a name it is that too.
    pub email: Option<Paths>,
}

/// Where it says which group was acted on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GroupConfig {
    /// The id.
    pub id: Option<Paths>,
    /// The name.
    pub name: Option<Paths>,
}

/// Where it says what was acted on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TargetConfig {
    /// The id.
    pub id: Option<Paths>,
    /// The name.
    pub name: Option<Paths>,
    /// What it is. Where that is one of `actor_types.person`, group management is about this user.
    pub r#type: Option<Paths>,
}

/// Where it says whose log it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TenantConfig {
    /// The id.
    pub id: Option<Paths>,
    /// The name.
    pub name: Option<Paths>,
}

/// Words for success and failure, in whatever capitals. Where a record has none of them its HTTP status counts, else the
/// action's own words.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OutcomesConfig {
    /// What success is called; numbers and truth values as they are written.
    pub success: Vec<String>,
    /// What failure is called; numbers and truth values as they are written.
    pub failure: Vec<String>,
    /// What a record is of which nothing tells how it ended: `success` where the API logs only what was done.
    pub otherwise: OutcomeName,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeName {
    /// Nobody says.
    #[default]
    Unknown,
    /// It was done.
    Success,
    /// It was tried.
    Failure,
}

impl From<OutcomeName> for EventOutcome {
    fn from(name: OutcomeName) -> Self {
        match name {
            OutcomeName::Unknown => Self::Unknown,
            OutcomeName::Success => Self::Success,
            OutcomeName::Failure => Self::Failure,
        }
    }
}

impl Default for OutcomesConfig {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            success: words(&[
                "success",
                "succeeded",
                "successful",
                "ok",
                "allow",
                "allowed",
                "granted",
                "true",
            ]),
            otherwise: OutcomeName::Unknown,
            failure: words(&["failure", "failed", "fail", "error", "deny", "denied", "blocked", "false"]),
        }
    }
}

/// Words for the kinds of actors, in whatever capitals.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActorTypesConfig {
    /// What people are called.
    pub person: Vec<String>,
    /// What API keys are called.
    pub api_key: Vec<String>,
    /// What the vendor's own services are called.
    pub system: Vec<String>,
}

impl Default for ActorTypesConfig {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            person: words(&["user", "member"]),
            api_key: words(&["api_key", "token"]),
            system: words(&["system", "app"]),
        }
    }
}

/// What an action is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionConfig {
    /// The action, or many of them: `*` stands for anything, as in `user.login*`. Capitals do not count.
    pub r#match: String,
    /// The OCSF class.
    #[serde(default)]
    pub class: Option<ClassName>,
    /// The OCSF activity of that class, such as `create`, `logon` or `add_user`, or `other`, which is called what the action is.
    /// Default: as the action's words tell.
    #[serde(default)]
    pub activity: Option<String>,
    /// The severity. Default: `informational`, and `low` where the HTTP status is 401 or 403.
    #[serde(default)]
    pub severity: Option<SeverityName>,
}

/// The OCSF classes that audit records become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClassName {
    /// 0: none of the others.
    BaseEvent,
    /// 3001: somebody's account. Needs the user or the target.
    AccountChange,
    /// 3002: a sign-in or sign-out. Needs the user or the actor.
    Authentication,
    /// 3004: a thing that is administered: a setting, a key, a policy.
    EntityManagement,
    /// 3005: somebody's roles. Needs the user or the target, and the roles.
    UserAccess,
    /// 3006: a group and its members. Needs the group or the target.
    GroupManagement,
    /// 6001: a thing that people work on.
    WebResourcesActivity,
    /// 6003: any call of an API. Needs the actor.
    ApiActivity,
}

impl ClassName {
    pub(super) fn class(self) -> Class {
        match self {
            Self::BaseEvent => Class::Base,
            Self::AccountChange => Class::AccountChange,
            Self::Authentication => Class::Authentication,
            Self::EntityManagement => Class::EntityManagement,
            Self::UserAccess => Class::UserAccess,
            Self::GroupManagement => Class::GroupManagement,
            Self::WebResourcesActivity => Class::WebResources,
            Self::ApiActivity => Class::Api,
        }
    }

    /// As a user writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BaseEvent => "base_event",
            Self::AccountChange => "account_change",
            Self::Authentication => "authentication",
            Self::EntityManagement => "entity_management",
            Self::UserAccess => "user_access",
            Self::GroupManagement => "group_management",
            Self::WebResourcesActivity => "web_resources_activity",
            Self::ApiActivity => "api_activity",
        }
    }
}

/// The severities of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeverityName {
    /// 1: nobody needs to act.
    Informational = 1,
    /// 2: somebody decides whether to act.
    Low,
    /// 3: action is needed, but not at once.
    Medium,
    /// 4: action is needed at once.
    High,
    /// 5: action is needed at once, and the scope is broad.
    Critical,
    /// 6: it is too late for any remedy.
    Fatal,
}

/// One path, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Paths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Paths, E> {
                Ok(Paths(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Paths, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(Paths(texts))
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

impl JsonSchema for Paths {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Paths".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] })
    }
}

impl FieldsConfig {
    /// Each field with its key.
    pub(super) fn all(&self) -> [(Field, &'static str, Option<&Paths>); FIELDS] {
        let Self { actor, user, group, target, tenant, .. } = self;
        [
            (Field::Id, "id", self.id.as_ref()),
            (Field::Time, "time", self.time.as_ref()),
            (Field::Action, "action", self.action.as_ref()),
            (Field::Message, "message", self.message.as_ref()),
            (Field::ActorId, "actor.id", actor.id.as_ref()),
            (Field::ActorName, "actor.name", actor.name.as_ref()),
            (Field::ActorEmail, "actor.email", actor.email.as_ref()),
            (Field::ActorType, "actor.type", actor.r#type.as_ref()),
            (Field::UserId, "user.id", user.id.as_ref()),
            (Field::UserName, "user.name", user.name.as_ref()),
            (Field::UserEmail, "user.email", user.email.as_ref()),
            (Field::GroupId, "group.id", group.id.as_ref()),
            (Field::GroupName, "group.name", group.name.as_ref()),
            (Field::TargetId, "target.id", target.id.as_ref()),
            (Field::TargetName, "target.name", target.name.as_ref()),
            (Field::TargetType, "target.type", target.r#type.as_ref()),
            (Field::TenantId, "tenant.id", tenant.id.as_ref()),
            (Field::TenantName, "tenant.name", tenant.name.as_ref()),
            (Field::Roles, "roles", self.roles.as_ref()),
            (Field::ClientIp, "client_ip", self.client_ip.as_ref()),
            (Field::UserAgent, "user_agent", self.user_agent.as_ref()),
            (Field::Method, "method", self.method.as_ref()),
            (Field::Path, "path", self.path.as_ref()),
            (Field::StatusCode, "status_code", self.status_code.as_ref()),
            (Field::Outcome, "outcome", self.outcome.as_ref()),
        ]
    }
}
