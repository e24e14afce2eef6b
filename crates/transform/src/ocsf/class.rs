//! The fixed words of OCSF: classes, activities, severities, states. Each id goes with its caption.

use pipeline::EventOutcome;

use crate::entry::{Class, OTHER, Text};
use crate::json::{Line, key};

impl Class {
    pub(crate) const fn uid(self) -> u32 {
        self as u32
    }

    /// Category and class, as members.
    const fn members(self) -> &'static str {
        match self {
            Self::Base => {
                r#","category_uid":0,"category_name":"Uncategorized","class_uid":0,"class_name":"Base Event""#
            }
            Self::AccountChange => {
                r#","category_uid":3,"category_name":"Identity & Access Management","class_uid":3001,"class_name":"Account Change""#
            }
            Self::Authentication => {
                r#","category_uid":3,"category_name":"Identity & Access Management","class_uid":3002,"class_name":"Authentication""#
            }
            Self::EntityManagement => {
                r#","category_uid":3,"category_name":"Identity & Access Management","class_uid":3004,"class_name":"Entity Management""#
            }
            Self::UserAccess => {
                r#","category_uid":3,"category_name":"Identity & Access Management","class_uid":3005,"class_name":"User Access Management""#
            }
            Self::GroupManagement => {
                r#","category_uid":3,"category_name":"Identity & Access Management","class_uid":3006,"class_name":"Group Management""#
            }
            Self::WebResources => {
                r#","category_uid":6,"category_name":"Application Activity","class_uid":6001,"class_name":"Web Resources Activity""#
            }
            Self::Api => {
                r#","category_uid":6,"category_name":"Application Activity","class_uid":6003,"class_name":"API Activity""#
            }
        }
    }

    /// The class's caption with a colon, as `type_name` begins.
    const fn type_prefix(self) -> &'static str {
        match self {
            Self::Base => "Base Event: ",
            Self::AccountChange => "Account Change: ",
            Self::Authentication => "Authentication: ",
            Self::EntityManagement => "Entity Management: ",
            Self::UserAccess => "User Access Management: ",
            Self::GroupManagement => "Group Management: ",
            Self::WebResources => "Web Resources Activity: ",
            Self::Api => "API Activity: ",
        }
    }
}

/// The caption of an activity.
pub(crate) const fn activity_caption(class: Class, activity: u8) -> &'static str {
    match (class, activity) {
        (_, OTHER) => "Other",
        (Class::AccountChange, 1) => "Create",
        (Class::AccountChange, 2) => "Enable",
        (Class::AccountChange, 3) => "Password Change",
        (Class::AccountChange, 4) => "Password Reset",
        (Class::AccountChange, 5) => "Disable",
        (Class::AccountChange, 6) => "Delete",
        (Class::AccountChange, 7) => "Attach Policy",
        (Class::AccountChange, 8) => "Detach Policy",
        (Class::AccountChange, 9) => "Lock",
        (Class::AccountChange, 10) => "MFA Factor Enable",
        (Class::AccountChange, 11) => "MFA Factor Disable",
        (Class::AccountChange, 12) => "Unlock",
        (Class::Authentication, 1) => "Logon",
        (Class::Authentication, 2) => "Logoff",
        (Class::Authentication, 3) => "Authentication Ticket",
        (Class::Authentication, 4) => "Service Ticket Request",
        (Class::Authentication, 5) => "Service Ticket Renew",
        (Class::Authentication, 6) => "Preauth",
        (Class::Authentication, 7) => "Account Switch",
        (Class::EntityManagement, 5) => "Move",
        (Class::EntityManagement, 6) => "Enroll",
        (Class::EntityManagement, 7) => "Unenroll",
        (Class::EntityManagement, 8) => "Enable",
        (Class::EntityManagement, 9) => "Disable",
        (Class::EntityManagement, 10) => "Activate",
        (Class::EntityManagement, 11) => "Deactivate",
        (Class::EntityManagement, 12) => "Suspend",
        (Class::EntityManagement, 13) => "Resume",
        (Class::UserAccess | Class::GroupManagement, 1) => "Assign Privileges",
        (Class::UserAccess | Class::GroupManagement, 2) => "Revoke Privileges",
        (Class::GroupManagement, 3) => "Add User",
        (Class::GroupManagement, 4) => "Remove User",
        (Class::GroupManagement, 5) => "Delete",
        (Class::GroupManagement, 6) => "Create",
        (Class::GroupManagement, 7) => "Add Subgroup",
        (Class::GroupManagement, 8) => "Remove Subgroup",
        (Class::WebResources, 5) => "Search",
        (Class::WebResources, 6) => "Import",
        (Class::WebResources, 7) => "Export",
        (Class::WebResources, 8) => "Share",
        (Class::EntityManagement | Class::WebResources | Class::Api, 1) => "Create",
        (Class::EntityManagement | Class::WebResources | Class::Api, 2) => "Read",
        (Class::EntityManagement | Class::WebResources | Class::Api, 3) => "Update",
        (Class::EntityManagement | Class::WebResources | Class::Api, 4) => "Delete",
        _ => UNKNOWN,
    }
}

/// The caption of activity 0, and of every one that there is not.
const UNKNOWN: &str = "Unknown";

/// The activities of a class but 0, each with its name as OCSF writes names: its caption in lower case, with underscores.
pub(crate) fn activities(class: Class) -> impl Iterator<Item = (u8, String)> {
    let captions = (1..=OTHER).map(move |activity| (activity, activity_caption(class, activity)));
    let known = captions.filter(|(_, caption)| *caption != UNKNOWN);
    known.map(|(activity, caption)| (activity, caption.to_ascii_lowercase().replace(' ', "_")))
}

/// Category, class, activity and type, with their captions. `name` is what activity 99 is called.
pub(crate) fn write_class(line: &mut Line<'_>, class: Class, activity: u8, name: Text<'_>) {
    let caption = activity_caption(class, activity);
    line.push(class.members());
    line.number(key!("activity_id"), activity);
    let name = if activity == OTHER && !name.value.is_empty() { name } else { Text::constant(caption) };
    line.text(key!("activity_name"), name);
    line.number(key!("type_uid"), class.uid() * 100 + u32::from(activity));
    line.push(key!("type_name"));
    line.push("\"");
    line.push(class.type_prefix());
    line.push(caption);
    line.push("\"");
}

/// Severity and its caption, as members.
pub(crate) const fn severity_members(severity: u8) -> &'static str {
    match severity {
        1 => r#","severity_id":1,"severity":"Informational""#,
        2 => r#","severity_id":2,"severity":"Low""#,
        3 => r#","severity_id":3,"severity":"Medium""#,
        4 => r#","severity_id":4,"severity":"High""#,
        5 => r#","severity_id":5,"severity":"Critical""#,
        6 => r#","severity_id":6,"severity":"Fatal""#,
        _ => r#","severity_id":0,"severity":"Unknown""#,
    }
}

/// Status and its caption, as members.
pub(crate) const fn status_members(outcome: EventOutcome) -> &'static str {
    match outcome {
        EventOutcome::Unknown => r#","status_id":0,"status":"Unknown""#,
        EventOutcome::Success => r#","status_id":1,"status":"Success""#,
        EventOutcome::Failure => r#","status_id":2,"status":"Failure""#,
    }
}
