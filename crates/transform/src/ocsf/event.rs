//! One OCSF event of an entry.

use pipeline::{EventDraft, EventWriter, Record};

use super::class::{severity_members, status_members, write_class};
use super::observables::Person;
use super::shape::{Entity, Shape, Subject, carries_record, severity, severity_of_all, shape};
use super::version::Part;
use super::{Encoder, objects, observables, write_labels};
use crate::entry::{Class, Client, Entry, Login, Roles, Text, User};
use crate::json::{Line, escape, key, leftovers};
use crate::mapper::Identity;

/// Who and what one event is about, beyond the entry.
struct Focus<'a> {
    user: Option<&'a User<'a>>,
    roles: Option<Roles<'a>>,
}

impl Encoder {
    /// Writes the events of `entry`, read from `text`.
    pub(crate) fn write(
        &self,
        record: &Record<'_>,
        text: &str,
        entry: &Entry<'_>,
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        let shape = shape(entry, self.version, text.len());
        let events = shape.events(entry);
        if let (Subject::Accesses, Some(members)) = (&shape.subject, entry.members) {
            for (n, (uid, roles)) in members.iter().enumerate() {
                let named = entry.user.as_ref();
                let named = named.filter(|user| user.uid.is_some_and(|named| named.value == uid.value));
                let member = User::known_by_id(uid);
                members.mark_used();
                let focus = Focus { user: Some(named.unwrap_or(&member)), roles: Some(roles) };
                self.write_one(record, text, entry, &shape, &focus, (n, events), identity, out);
            }
            return;
        }
        let (user, roles) = match &shape.subject {
            Subject::User(user) => (Some(*user), None),
            Subject::Access(user, roles) => (Some(*user), Some(*roles)),
            Subject::Group(..) => (entry.user.as_ref(), entry.roles),
            Subject::Entity(_) => (entry.user.as_ref(), None),
            Subject::Nothing | Subject::Accesses | Subject::WebResource | Subject::Api(_) => (None, None),
        };
        self.write_one(record, text, entry, &shape, &Focus { user, roles }, (0, 1), identity, out);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one event; bundling them would only rename them"
    )]
    fn write_one(
        &self,
        record: &Record<'_>,
        text: &str,
        entry: &Entry<'_>,
        shape: &Shape<'_>,
        focus: &Focus<'_>,
        (n, events): (usize, usize),
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        let time = entry.head.time.unwrap_or(record.collected_at);
        let severity = match (&shape.subject, focus.roles) {
            (Subject::Accesses | Subject::Access(..), roles) => severity(entry, roles),
            _ => severity_of_all(entry),
        };
        let client = Client::of(entry);
        let mut line = Line::new(out.line());
        self.write_metadata(&mut line, record, entry, shape, (n, events), identity);
        line.number(key!("time"), time.as_millis());
        write_class(&mut line, shape.class, shape.activity, shape.name);
        line.push(severity_members(severity));
        line.push(status_members(entry.rule.outcome));
        self.write_status(&mut line, entry);
        line.maybe(key!("message"), entry.message);
        let actor = self.write_actor(&mut line, entry, shape);
        let (user, entity_user) = self.write_subject(&mut line, entry, shape, focus);
        let request = self.write_request(&mut line, entry, &client, shape.class);
        let group = match shape.subject {
            Subject::Group(group, _) => Some(group),
            _ => None,
        };
        let seen = observables::Seen {
            ip: request.then_some(client.ip).flatten(),
            actor,
            user,
            entity_user,
            group,
            user_agent: request.then_some(entry.user_agent).flatten(),
        };
        observables::write(&mut line, self.version, &seen);
        if carries_record(n, events, text.len()) {
            let before = line.len();
            line.key(key!("unmapped"));
            if !leftovers(&mut line, entry.root) {
                line.truncate(before);
            }
            if self.keep_raw {
                line.key(key!("raw_data"));
                line.push("\"");
                escape(line.buffer(), text.as_bytes());
                line.push("\"");
            }
        }
        line.push("}");
        out.commit(&EventDraft {
            id: identity.event_id(record, n),
            time,
            class: shape.class.uid(),
            severity,
            outcome: entry.rule.outcome,
            action: entry.action.value,
            actor: entry.actor.as_ref().and_then(|actor| actor.uid).map_or("", |uid| uid.value),
            tenant: entry.head.tenant.map_or("", |tenant| tenant.value),
        });
    }

    fn write_metadata(
        &self,
        line: &mut Line<'_>,
        record: &Record<'_>,
        entry: &Entry<'_>,
        shape: &Shape<'_>,
        (n, events): (usize, usize),
        identity: &mut Identity<'_>,
    ) {
        line.push(&self.head);
        line.push(&self.provider);
        line.key(key!("uid"));
        line.push("\"");
        line.buffer().extend_from_slice(&identity.event_uuid(record, n));
        line.push("\"");
        if self.version.has(Part::OriginalEventUid) {
            line.maybe(key!("original_event_uid"), entry.head.id);
        }
        line.text(key!("event_code"), entry.action);
        if let Some(time) = entry.original_time {
            line.key(key!("original_time"));
            line.quoted(time);
            if entry.head.time.is_some() {
                time.mark_used();
            }
        }
        line.maybe(key!("tenant_uid"), entry.head.tenant);
        if let (Some(id), 2..) = (entry.head.id, events) {
            line.key(key!("correlation_uid"));
            line.quoted(id);
        }
        let by_profile = match shape.class {
            Class::Base | Class::WebResources => true,
            Class::EntityManagement | Class::UserAccess | Class::GroupManagement => {
                !self.version.has(Part::PlainActor)
            }
            Class::AccountChange | Class::Authentication | Class::Api => false,
        };
        if by_profile && entry.actor.is_some() && shape.class != Class::Base {
            line.push(",\"profiles\":[\"host\"]");
        }
        write_labels(line, record.origin);
        line.push("}");
    }

    fn write_status(&self, line: &mut Line<'_>, entry: &Entry<'_>) {
        if let Some((_, code)) = entry.request.status {
            line.text(key!("status_code"), code);
        }
        if entry.rule.login == Login::Revoked {
            line.push(",\"status_detail\":\"User sessions revoked\"");
        }
    }

    /// Writes who acted, if the class has a place for it.
    fn write_actor<'a>(
        &self,
        line: &mut Line<'_>,
        entry: &Entry<'a>,
        shape: &Shape<'_>,
    ) -> Option<Person<'a>> {
        let actor = entry.actor.as_ref().filter(|_| shape.class != Class::Base)?;
        line.key(key!("actor"));
        line.push("{");
        let actor = objects::write_user(line, key!("user"), actor, &entry.team, self.version);
        line.push("}");
        Some(actor)
    }

    /// Writes what the class requires. Returns the user and the user of the entity that were written.
    fn write_subject<'a>(
        &self,
        line: &mut Line<'_>,
        entry: &Entry<'_>,
        shape: &Shape<'_>,
        focus: &Focus<'a>,
    ) -> (Option<Person<'a>>, Option<Person<'a>>) {
        if let Subject::Entity(entity) = &shape.subject {
            return (None, self.write_entity(line, entry, entity, focus.user));
        }
        let user =
            focus.user.map(|user| objects::write_user(line, key!("user"), user, &entry.team, self.version));
        match &shape.subject {
            Subject::User(_) if shape.class == Class::Authentication => {
                objects::write_login(line, entry, self.version);
            }
            Subject::Group(group, of_team) => objects::write_group(line, group, *of_team),
            Subject::WebResource => objects::write_web_resource(line, entry),
            Subject::Api(actor) => objects::write_api(line, entry, actor, self.version),
            Subject::Nothing
            | Subject::User(_)
            | Subject::Access(..)
            | Subject::Accesses
            | Subject::Entity(_) => {}
        }
        if let Some(roles) = &focus.roles {
            objects::write_privileges(line, roles);
        }
        (user, None)
    }

    fn write_entity<'a>(
        &self,
        line: &mut Line<'_>,
        entry: &Entry<'_>,
        entity: &Entity<'_>,
        user: Option<&'a User<'a>>,
    ) -> Option<Person<'a>> {
        let detailed = self.version.has(Part::EntityDetails);
        let user = user.filter(|_| detailed);
        line.key(key!("entity"));
        line.push("{");
        if detailed {
            line.push(if entity.is_organization { "\"type_id\":4" } else { "\"type_id\":99" });
        }
        line.text(key!("type"), entity.label);
        line.maybe(key!("uid"), entity.thing.uid);
        line.maybe(key!("name"), entity.thing.name);
        let has_more = detailed && (user.is_some() || entry.team.is_known());
        if !entity.thing.is_known() && !has_more {
            line.text(key!("name"), Text::constant("Unknown"));
        }
        let user = user.map(|user| objects::write_user(line, key!("user"), user, &entry.team, self.version));
        if detailed {
            objects::write_organization(line, &entry.team);
        }
        line.push("}");
        user
    }

    /// Writes where the request came from and what it was, if the class has a place for it.
    fn write_request(
        &self,
        line: &mut Line<'_>,
        entry: &Entry<'_>,
        client: &Client<'_>,
        class: Class,
    ) -> bool {
        let allowed = match class {
            Class::Base => false,
            Class::EntityManagement | Class::UserAccess | Class::GroupManagement => {
                self.version.has(Part::IamRequest)
            }
            Class::AccountChange | Class::Authentication | Class::WebResources | Class::Api => true,
        };
        if allowed {
            objects::write_source(line, client, class == Class::Api);
            objects::write_http(line, entry, client, self.version);
            if class == Class::Api {
                objects::write_target(line, &entry.request, self.version);
            }
        }
        allowed
    }
}
