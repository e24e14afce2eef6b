//! `user`, `group` and `related.user`: who acted, on whom, and everybody named.

use super::once::Once;
use crate::entry::{Class, Entry, Named, Roles, Text, User};
use crate::json::{Line, key};

/// The people of a document.
pub(super) struct People<'a> {
    /// Who acted; of a sign-in, who signed in.
    user: Option<&'a User<'a>>,
    /// Who was acted on, if somebody else.
    target: Option<&'a User<'a>>,
    /// Who is named in the record beside these two, or is one of them in other words.
    other: Option<&'a User<'a>>,
    /// The one user's new roles.
    changed_roles: Option<Roles<'a>>,
    /// Roles that come with joining: the target's, or the user's own if nobody else joined.
    joining_roles: Option<Roles<'a>>,
    group: Option<Named<'a>>,
}

impl<'a> People<'a> {
    /// The only user of a list of roles.
    pub(super) fn only_member(entry: &Entry<'a>) -> Option<User<'a>> {
        let (uid, _) = sole(entry)?;
        Some(User::known_by_id(uid))
    }

    /// The people of `entry`; `member` is its [`People::only_member`].
    pub(super) fn of(entry: &'a Entry<'a>, member: Option<&'a User<'a>>) -> Self {
        let class = entry.rule.class;
        let (actor, named) = (entry.actor.as_ref(), entry.user.as_ref());
        let (user, acted_on, other) = match named {
            Some(named) if class == Class::Authentication => (Some(named), None, actor),
            _ => (actor, named, None),
        };
        // The member's id rules; the record's user is he with his name, or somebody else.
        let (acted_on, other) = match (acted_on, member) {
            (Some(named), Some(member)) if !named.is(member) => (Some(member), Some(named)),
            (named, member) => (named.or(member), other),
        };
        let is_self = acted_on.is_some_and(|acted_on| user.is_some_and(|user| user.is(acted_on)));
        let (target, other) = if is_self { (None, acted_on) } else { (acted_on, other) };
        let joins = class == Class::GroupManagement && entry.rule.activity == 3 && acted_on.is_some();
        let changed = match class {
            Class::UserAccess if entry.members.is_some() => sole(entry).map(|(_, roles)| roles),
            Class::UserAccess => entry.roles,
            _ => None,
        };
        let of_user_group = class == Class::GroupManagement && !entry.rule.of_team;
        Self {
            user,
            target,
            other,
            changed_roles: changed,
            joining_roles: entry.roles.filter(|_| joins),
            group: Some(entry.group).filter(|group| of_user_group && group.is_known()),
        }
    }

    /// Writes `user` and `group`.
    pub(super) fn write(&self, line: &mut Line<'_>) {
        let before = line.len();
        line.push(",\"user\":{");
        let empty = line.len();
        if let Some(user) = self.user {
            write_user(line, user);
        }
        if let Some(target) = self.target {
            line.key(key!("target"));
            line.push("{");
            write_user(line, target);
            write_roles(line, self.joining_roles);
            write_group(line, self.group);
            line.push("}");
        } else {
            write_roles(line, self.joining_roles);
        }
        if let Some(roles) = self.changed_roles.filter(|roles| roles.names().next().is_some()) {
            line.key(key!("changes"));
            line.push("{");
            write_roles(line, Some(roles));
            line.push("}");
        }
        if line.len() == empty {
            line.truncate(before);
        } else {
            line.push("}");
        }
        write_group(line, self.group);
        if let (Some(other), Some(user)) = (self.other, self.user) {
            other.mark_used_where_same(user);
        }
    }

    /// Writes `related.user`: every name, e-mail and id of the record's users, each once.
    pub(super) fn write_related(&self, line: &mut Line<'_>, entry: &Entry<'_>) {
        let before = line.len();
        line.key(key!("user"));
        line.push("[");
        let empty = line.len();
        let mut written = [""; 9];
        let mut count = 0;
        let users = [self.user, self.target, self.other].into_iter().flatten();
        for text in users.flat_map(|user| [user.name, user.email, user.uid]).flatten() {
            if !written[..count].contains(&text.value) {
                line.item();
                line.quoted(text);
                written[count] = text.value;
                count += 1;
            }
        }
        for (uid, _) in entry.members.into_iter().flat_map(|members| members.iter()) {
            if !written[..count].contains(&uid.value) {
                line.item();
                line.quoted(uid);
            }
        }
        if line.len() == empty {
            line.truncate(before);
        } else {
            line.push("]");
        }
    }
}

fn write_user(line: &mut Line<'_>, user: &User<'_>) {
    line.maybe(key!("id"), user.uid);
    line.maybe(key!("name"), user.name);
    line.maybe(key!("full_name"), user.full_name);
    line.maybe(key!("email"), user.email);
}

/// `roles`, each once, as ECS wants it.
fn write_roles(line: &mut Line<'_>, roles: Option<Roles<'_>>) {
    let Some(roles) = roles.filter(|roles| roles.names().next().is_some()) else { return };
    line.key(key!("roles"));
    line.push("[");
    let mut once = Once::new();
    for name in roles.names().filter(|name| once.is_new(name.value)) {
        line.item();
        line.quoted(name);
    }
    line.push("]");
    roles.mark_used();
}

fn write_group(line: &mut Line<'_>, group: Option<Named<'_>>) {
    let Some(group) = group else { return };
    line.key(key!("group"));
    line.push("{");
    line.maybe(key!("id"), group.uid);
    line.maybe(key!("name"), group.name);
    line.push("}");
}

fn sole<'a>(entry: &Entry<'a>) -> Option<(Text<'a>, Roles<'a>)> {
    entry.members.filter(|members| members.len() == 1)?.iter().next()
}
