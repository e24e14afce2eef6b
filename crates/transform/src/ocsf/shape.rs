//! Which class an entry becomes, and what stands at its centre: the preferred class if the entry has the subject that
//! the class requires, else the next one of the degrade chain. No event is ever dropped.

use super::class::activity_caption;
use super::version::{Part, Version};
use crate::entry::{Class, Entry, Named, OTHER, Roles, Text, User};

/// Above this many users a record becomes one event.
const MOST_USERS: usize = 200;

/// Above this many bytes of events in sum, as the record's size tells, a record becomes one event.
const MOST_BYTES: usize = 16 << 20;

/// Above this many bytes in sum the record's own text goes into its first event only.
const MOST_RAW_BYTES: usize = 1 << 20;

/// The form of an entry's event.
pub(crate) struct Shape<'a> {
    pub(crate) class: Class,
    pub(crate) activity: u8,
    /// What to call activity 99.
    pub(crate) name: Text<'a>,
    pub(crate) subject: Subject<'a>,
}

/// What a class requires.
pub(crate) enum Subject<'a> {
    /// Class 0.
    Nothing,
    /// Classes 3001 and 3002.
    User(&'a User<'a>),
    /// Class 3005, one event.
    Access(&'a User<'a>, Roles<'a>),
    /// Class 3005, one event a user.
    Accesses,
    /// Class 3006; the team if `true`, else a user group.
    Group(Named<'a>, bool),
    /// Class 3004.
    Entity(Entity<'a>),
    /// Class 6001.
    WebResource,
    /// Class 6003, by this actor.
    Api(&'a User<'a>),
}

/// The thing of a 3004 event.
pub(crate) struct Entity<'a> {
    pub(crate) label: Text<'a>,
    pub(crate) is_organization: bool,
    pub(crate) thing: Named<'a>,
}

/// The form that `entry`, of a record of `size` bytes, takes in `version`.
pub(crate) fn shape<'a>(entry: &'a Entry<'a>, version: Version, size: usize) -> Shape<'a> {
    let rule = &entry.rule;
    let subject = match rule.class {
        Class::Base => Some(Subject::Nothing),
        Class::AccountChange => entry.user.as_ref().map(Subject::User),
        Class::Authentication => entry.user.as_ref().or(entry.actor.as_ref()).map(Subject::User),
        Class::UserAccess => access(entry, size),
        Class::GroupManagement => group(entry, version),
        Class::EntityManagement => {
            let thing = entry.thing;
            Some(Subject::Entity(Entity { label: rule.label, is_organization: rule.of_team, thing }))
        }
        Class::WebResources => Some(Subject::WebResource),
        Class::Api => entry.actor.as_ref().map(Subject::Api),
    };
    let (class, activity, name) = (rule.class, rule.activity, rule.name);
    let mut shape = match (subject, class) {
        (Some(subject), _) => Shape { class, activity, name, subject },
        (None, Class::Authentication | Class::Api) => {
            Shape { class: Class::Base, activity: OTHER, name: entry.action, subject: Subject::Nothing }
        }
        (None, _) => as_entity(entry),
    };
    if !version.has_activity(shape.class, shape.activity) {
        shape.name = Text::constant(activity_caption(shape.class, shape.activity));
        shape.activity = OTHER;
    }
    shape
}

fn access<'a>(entry: &'a Entry<'a>, size: usize) -> Option<Subject<'a>> {
    if let Some(members) = entry.members {
        let few = members.len() <= MOST_USERS && members.len().saturating_mul(size) <= MOST_BYTES;
        return few.then_some(Subject::Accesses);
    }
    Some(Subject::Access(entry.user.as_ref()?, entry.roles?))
}

fn group<'a>(entry: &'a Entry<'a>, version: Version) -> Option<Subject<'a>> {
    let of_team = entry.rule.of_team;
    let group = if of_team { entry.team } else { entry.group };
    let bare = entry.user.is_none() && entry.roles.is_none();
    let fits = group.is_known() && (!bare || version.has(Part::BareGroup));
    fits.then_some(Subject::Group(group, of_team))
}

/// The entity that stands in for a missing subject. What was done keeps its name where an entity has no such activity.
fn as_entity<'a>(entry: &'a Entry<'a>) -> Shape<'a> {
    let rule = &entry.rule;
    let (label, thing) = match rule.class {
        Class::UserAccess => ("User Roles", Named::default()),
        Class::GroupManagement if rule.of_team => ("Team", Named::default()),
        Class::GroupManagement => ("Group", entry.group),
        _ => (rule.label.value, entry.thing),
    };
    let label = if label == rule.label.value { rule.label } else { Text::foreign(label) };
    let activity = match (rule.class, rule.activity) {
        (Class::AccountChange, 1) | (Class::GroupManagement, 6) => 1,
        (Class::AccountChange, 2) => 8,
        (Class::AccountChange, 5) => 9,
        (Class::AccountChange, 6) | (Class::GroupManagement, 5) => 4,
        (Class::UserAccess, _) | (Class::GroupManagement, OTHER) => 3,
        _ => OTHER,
    };
    let name = match rule.activity {
        OTHER => rule.name,
        known => Text::constant(activity_caption(rule.class, known)),
    };
    let entity = Entity { label, is_organization: false, thing };
    Shape { class: Class::EntityManagement, activity, name, subject: Subject::Entity(entity) }
}

impl Shape<'_> {
    /// How many events the entry becomes.
    pub(crate) fn events(&self, entry: &Entry<'_>) -> usize {
        match (&self.subject, entry.members) {
            (Subject::Accesses, Some(members)) => members.len(),
            _ => 1,
        }
    }
}

/// Whether event `n` of `events` carries the record's own text, so that fan-out does not multiply large records.
pub(crate) const fn carries_record(n: usize, events: usize, size: usize) -> bool {
    n == 0 || events.saturating_mul(size) <= MOST_RAW_BYTES
}

/// Severity of an event of `entry` about `roles`: 3 at least where somebody is made an administrator.
pub(crate) fn severity(entry: &Entry<'_>, roles: Option<Roles<'_>>) -> u8 {
    let admin = entry.grants() && roles.is_some_and(|roles| roles.include_admin());
    if admin { entry.rule.severity.max(3) } else { entry.rule.severity }
}

/// Severity of the whole entry, where it is one event.
pub(crate) fn severity_of_all(entry: &Entry<'_>) -> u8 {
    if entry.grants_admin() { entry.rule.severity.max(3) } else { entry.rule.severity }
}
