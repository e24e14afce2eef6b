//! `event.category` and `event.type`.

use pipeline::EventOutcome;

use crate::entry::{Class, Facet, Rule};

/// Categories and types of an entry. Both are empty where ECS has no fitting ones.
pub(super) const fn categories(rule: &Rule<'_>) -> (&'static [&'static str], &'static [&'static str]) {
    let category: &[&str] = match (rule.class, rule.facet) {
        (Class::Base, _) => &[],
        (Class::AccountChange | Class::UserAccess | Class::GroupManagement, _) => &["iam"],
        (Class::Authentication, _) if matches!(rule.outcome, EventOutcome::Failure) => &["authentication"],
        (Class::Authentication, _) => &["authentication", "session"],
        (Class::EntityManagement, Facet::Identity) => &["configuration", "iam"],
        (Class::WebResources, Facet::Export) => &["file"],
        (Class::EntityManagement | Class::WebResources, _) => &["configuration"],
        (Class::Api, _) => &["api"],
    };
    let types: &[&str] = match (rule.class, rule.activity, rule.facet) {
        (Class::Base, ..) => &[],
        (Class::AccountChange, 1, _) => &["user", "creation"],
        (Class::AccountChange, 6, _) => &["user", "deletion"],
        (Class::AccountChange, _, Facet::Notice) => &["user", "info"],
        (Class::AccountChange, ..) | (Class::UserAccess, ..) => &["user", "change"],
        (Class::Authentication, 1, _) => &["start"],
        (Class::Authentication, 2, _) => &["end"],
        (Class::Authentication, ..) => &["info"],
        (Class::GroupManagement, 6, _) => &["group", "creation"],
        (Class::GroupManagement, 5, _) => &["group", "deletion"],
        (Class::GroupManagement, 3 | 4, _) if rule.of_team => &["user", "change"],
        (Class::GroupManagement, 3 | 4, _) => &["group", "user", "change"],
        (Class::GroupManagement, ..) => &["group", "change"],
        (Class::EntityManagement | Class::WebResources | Class::Api, 1, _) => &["creation"],
        (Class::EntityManagement | Class::WebResources | Class::Api, 2, _) => &["access"],
        (Class::EntityManagement | Class::WebResources | Class::Api, 4, _) => &["deletion"],
        (Class::WebResources, 6, _) | (Class::WebResources, 7, Facet::Export) => &["creation"],
        (Class::WebResources, 5 | 7, _) => &["access"],
        (Class::Api, 3, _) | (Class::EntityManagement | Class::WebResources, ..) => &["change"],
        (Class::Api, ..) => &["info"],
    };
    (category, types)
}
