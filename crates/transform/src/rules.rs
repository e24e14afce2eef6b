//! How rules are put together: by class, then by what differs from the ordinary.

use pipeline::EventOutcome;

use crate::entry::{Class, Facet, Login, Roles, Rule, Text};

/// An activity of any class.
pub(crate) const fn rule(class: Class, activity: u8) -> Rule<'static> {
    Rule {
        class,
        activity,
        name: Text::constant(""),
        severity: 1,
        outcome: EventOutcome::Unknown,
        label: Text::constant(""),
        of_team: false,
        role: "",
        facet: Facet::Plain,
        login: Login::Unsaid,
    }
}

/// Class 3001.
pub(crate) const fn account(activity: u8) -> Rule<'static> {
    rule(Class::AccountChange, activity).label("Account")
}

/// Class 3002.
pub(crate) const fn session(activity: u8) -> Rule<'static> {
    rule(Class::Authentication, activity)
}

/// Class 3004, about a thing of type `label`.
pub(crate) const fn entity(activity: u8, label: &'static str) -> Rule<'static> {
    rule(Class::EntityManagement, activity).label(label)
}

/// Class 3005.
pub(crate) const fn roles(activity: u8) -> Rule<'static> {
    rule(Class::UserAccess, activity)
}

/// Class 3006, about a user group.
pub(crate) const fn group(activity: u8) -> Rule<'static> {
    rule(Class::GroupManagement, activity)
}

/// Class 6001, about a thing of type `label`.
pub(crate) const fn web_resource(activity: u8, label: &'static str) -> Rule<'static> {
    rule(Class::WebResources, activity).label(label)
}

/// Class 6003.
pub(crate) const fn api(activity: u8) -> Rule<'static> {
    rule(Class::Api, activity)
}

impl<'a> Rule<'a> {
    pub(crate) const fn severity(self, severity: u8) -> Self {
        Self { severity, ..self }
    }

    pub(crate) const fn succeeded(self) -> Self {
        self.outcome(EventOutcome::Success)
    }

    pub(crate) const fn outcome(self, outcome: EventOutcome) -> Self {
        Self { outcome, ..self }
    }

    /// What activity 99 is called.
    pub(crate) const fn named(self, name: &'static str) -> Self {
        Self { name: Text::constant(name), ..self }
    }

    pub(crate) const fn label(self, label: &'static str) -> Self {
        Self { label: Text::constant(label), ..self }
    }

    pub(crate) const fn of_team(self) -> Self {
        Self { of_team: true, ..self }
    }

    /// The role that the action itself names.
    pub(crate) const fn role(self, role: &'static str) -> Self {
        Self { role, ..self }
    }

    /// [`Rule::role`] as roles.
    pub(crate) fn implied_role(&self) -> Option<Roles<'static>> {
        (!self.role.is_empty()).then_some(Roles::One(Text::constant(self.role)))
    }

    pub(crate) const fn facet(self, facet: Facet) -> Self {
        Self { facet, ..self }
    }

    pub(crate) const fn login(self, login: Login) -> Self {
        Self { login, ..self }
    }
}
