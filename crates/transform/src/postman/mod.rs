//! Postman's audit log: `GET /audit/logs`.
//!
//! [`actions`] is the table of known actions, [`guess`] the rule of thumb for all others, [`names`] what the API's own list of
//! actions adds; this module reads the record.

mod actions;
mod guess;
mod names;

use std::sync::Arc;

use pipeline::Timestamp;

use crate::entry::{Class, Entry, Head, Login, Members, Named, Request, Roles, Rule, Text, User, UserKind};
use crate::json::{Kind, Value};
use crate::malformed::{Why, action_of};
use crate::mapper::{Product, Within};
use crate::words::Words;
use actions::KNOWN;
use guess::{Names, guess};
pub use names::{ActionNames, UnknownActions};

/// Reads Postman's records.
pub(crate) struct PostmanReader {
    pub(crate) names: Arc<ActionNames>,
    pub(crate) unknown: Option<Arc<UnknownActions>>,
}

pub(crate) fn product() -> Product {
    Product {
        vendor: "Postman".into(),
        name: "Postman".into(),
        dataset: "postman.audit".into(),
        module: "postman".into(),
    }
}

/// The members of a record, as far as they are known. Of equal keys the last counts.
#[derive(Default)]
struct Fields<'a> {
    id: Option<Text<'a>>,
    ip: Option<Value<'a>>,
    user_agent: Option<Value<'a>>,
    action: Option<Value<'a>>,
    timestamp: Option<Text<'a>>,
    message: Option<Value<'a>>,
    /// `data.actor`, then the top-level `actor` and `user` of an older description.
    actors: [Option<Value<'a>>; 3],
    /// `data.user`.
    user: Option<Value<'a>>,
    team: Named<'a>,
    resource: Option<Value<'a>>,
    variables: Option<Value<'a>>,
}

/// What variables of an action tell; which of them there are differs from action to action.
#[derive(Default)]
struct Variables<'a> {
    uid: Option<Text<'a>>,
    name: Option<Text<'a>>,
    app_name: Option<Text<'a>>,
    group: Named<'a>,
    roles: Option<Value<'a>>,
    users: Option<Value<'a>>,
}

impl PostmanReader {
    /// What can be told of any object.
    pub(crate) fn head(root: Value<'_>) -> Head<'_> {
        Fields::read(root).head()
    }

    /// Reads a record, or says why it is none.
    pub(crate) fn read<'a>(&self, root: Value<'a>, within: &'a mut Within) -> Result<Entry<'a>, Why> {
        let fields = Fields::read(root);
        let action = action_of(fields.action)?;
        let Within { order, words, label, name, .. } = within;
        let rule = self.rule(action, words, Names { label, name });
        let variables = fields.variables.map(Variables::read).unwrap_or_default();
        let (thing, thing_type) = thing(&variables, fields.resource);
        let (roles, members) = roles(&rule, &variables, order);
        let service = variables.app_name.filter(|_| rule.login == Login::Elsewhere);
        Ok(Entry {
            root,
            head: fields.head(),
            action,
            action_code: None,
            original_time: fields.timestamp,
            message: fields.message.and_then(Value::string),
            rule,
            actor: fields.actors.into_iter().flatten().find_map(read_user),
            user: fields.user.and_then(read_user),
            team: fields.team,
            client: fields.ip.and_then(Value::string),
            user_agent: fields.user_agent.and_then(Value::string),
            roles,
            members,
            group: variables.group,
            thing,
            thing_type,
            service: service.unwrap_or(Text::constant("Postman")),
            request: Request::default(),
            details: fields.variables.filter(|variables| variables.kind() == Kind::Object),
        })
    }

    /// By the table, by the name that the API displays, or by the words.
    fn rule<'a>(&self, action: Text<'a>, words: &'a mut String, names: Names<'a>) -> Rule<'a> {
        if let Some(place) = actions::place(action.value).or_else(|| self.names.place(action.value)) {
            return KNOWN[place].rule;
        }
        if let Some(unknown) = &self.unknown {
            unknown.note(action.value);
        }
        names.label.clear();
        names.name.clear();
        guess(&Words::split(action.value, words), action, names)
    }
}

impl<'a> Fields<'a> {
    fn read(root: Value<'a>) -> Self {
        let mut fields = Self::default();
        for member in root.members() {
            match member.key() {
                "id" => fields.id = member.scalar(),
                "ip" => fields.ip = Some(member),
                "userAgent" => fields.user_agent = Some(member),
                "action" => fields.action = Some(member),
                "timestamp" => fields.timestamp = member.scalar(),
                "message" => fields.message = Some(member),
                "actor" => fields.actors[1] = Some(member),
                "user" => fields.actors[2] = Some(member),
                "resource" => fields.resource = Some(member),
                "data" => fields.read_data(member),
                _ => {}
            }
        }
        fields
    }

    fn read_data(&mut self, data: Value<'a>) {
        for member in data.members() {
            match member.key() {
                "actor" => self.actors[0] = Some(member),
                "user" => self.user = Some(member),
                "team" => self.team = read_named(member, &["id"], &["name"]),
                "variables" => self.variables = Some(member),
                _ => {}
            }
        }
    }

    fn head(&self) -> Head<'a> {
        let time = self.timestamp.and_then(|text| Timestamp::read(text.value));
        Head { id: self.id, time, tenant: self.team.uid }
    }
}

/// An `actor` or `user`; nothing if neither id nor any name is there.
fn read_user(object: Value<'_>) -> Option<User<'_>> {
    let (mut uid, mut full_name, mut username, mut email, mut active) = (None, None, None, None, None);
    for member in object.members() {
        match member.key() {
            "id" => uid = member.scalar(),
            "name" => full_name = member.string(),
            "username" => username = member.string(),
            "email" => email = member.string(),
            "active" => active = Some(member).filter(|active| active.kind() == Kind::Bool),
            _ => {}
        }
    }
    let name = username.or(full_name).or(email);
    if uid.is_none() && name.is_none() {
        return None;
    }
    // Services have neither user name nor e-mail.
    let kind = if username.is_none() && email.is_none() { UserKind::System } else { UserKind::Person };
    Some(User { active, ..User::new(uid, name, full_name, email, kind) })
}

impl<'a> Variables<'a> {
    fn read(object: Value<'a>) -> Self {
        let mut variables = Self::default();
        let (mut ids, mut names) = ([None; 3], [None; 3]);
        for member in object.members() {
            match member.key() {
                "id" => ids[0] = member.scalar(),
                "apiKey" => ids[1] = member.scalar(),
                "keyId" => ids[2] = member.scalar(),
                "name" => names[0] = member.string(),
                "domain" => names[1] = member.string(),
                "email" => names[2] = member.string(),
                "appName" => variables.app_name = member.string(),
                "group" | "usergroup" | "userGroup" => {
                    variables.group = read_named(member, &["id"], &["name"])
                }
                "groupId" => variables.group.uid = member.scalar(),
                "groupName" => variables.group.name = member.string(),
                "role" | "roles" => variables.roles = Some(member),
                "users" => variables.users = Some(member),
                _ => {}
            }
        }
        variables.uid = ids.into_iter().flatten().next();
        variables.name = names.into_iter().flatten().next();
        variables
    }
}

/// The thing acted on, by the variables or by the top-level `resource` of an older description, and what that calls its type.
fn thing<'a>(variables: &Variables<'a>, resource: Option<Value<'a>>) -> (Named<'a>, Option<Text<'a>>) {
    let by_variables = Named { uid: variables.uid, name: variables.name };
    match resource {
        Some(resource) if !by_variables.is_known() => {
            let kind = resource.members().filter(|member| member.key() == "type").find_map(Value::string);
            (read_named(resource, &["id", "uid"], &["name"]), kind)
        }
        _ => (by_variables, None),
    }
}

/// Roles of one or of several users. Postman puts them as JSON into a string; older descriptions show the JSON itself.
fn roles<'a>(
    rule: &Rule<'a>,
    variables: &Variables<'a>,
    memory: &'a mut Vec<u32>,
) -> (Option<Roles<'a>>, Option<Members<'a>>) {
    match (rule.class, variables.users) {
        (Class::UserAccess, Some(users)) => (None, Members::read(users, memory)),
        (Class::UserAccess | Class::GroupManagement, _) => {
            (variables.roles.and_then(Roles::read).or(rule.implied_role()), None)
        }
        _ => (None, None),
    }
}

/// An object's id and name, under the first of the keys that it has.
fn read_named<'a>(object: Value<'a>, ids: &[&str], names: &[&str]) -> Named<'a> {
    let mut named = Named::default();
    for member in object.members() {
        let key = member.key();
        if ids.contains(&key) {
            named.uid = member.scalar();
        } else if names.contains(&key) {
            named.name = member.string();
        }
    }
    named
}
