//! What differs between the OCSF versions, as data.
//!
//! Events are designed in the newest version. A part of the design that an older version has no place for is not
//! written, and so its source stays among the leftovers in `unmapped`. To add a version, add it to [`RELEASES`], add what
//! is new in it to [`SINCE`], and put its schema into `testkit`.

use crate::entry::{Class, OTHER};

/// A published version of OCSF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Release(u8, u8);

/// The versions that events can be written in, and their names.
const RELEASES: [(&str, Release); 4] =
    [("1.1.0", Release(1, 1)), ("1.3.0", Release(1, 3)), ("1.5.0", Release(1, 5)), ("1.8.0", Release(1, 8))];

/// Names of [`RELEASES`].
pub(crate) const NAMES: [&str; RELEASES.len()] = {
    let mut names = [""; RELEASES.len()];
    let mut n = 0;
    while n < names.len() {
        names[n] = RELEASES[n].0;
        n += 1;
    }
    names
};

/// A part of the design that not every version has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// `src_endpoint` and `http_request` on 3004, 3005 and 3006.
    IamRequest,
    /// More than letters, digits and `_.+-` before the `@` of an e-mail address.
    WideAddress,
    /// `type_id`, `org` and `user` of an entity; before, an entity must have a name or an id.
    EntityDetails,
    /// Activities of 3004 from 5 on: enable, disable, activate and so on.
    EntityLifecycle,
    /// Activity 6 of 3002, Preauth.
    Preauth,
    /// Activity 12 of 3001, Unlock.
    AccountUnlock,
    /// Activity 7 of 3002, Account Switch.
    AccountSwitch,
    /// Activities 7 and 8 of 3006, about groups in groups.
    Subgroups,
    /// Observables of type HTTP User-Agent.
    ObservableUserAgent,
    /// Observables of types User uid, Group name and Group uid.
    ObservableIds,
    /// `actor` on 3004, 3005 and 3006 without the host profile.
    PlainActor,
    /// A 3006 event with neither user nor privileges.
    BareGroup,
    /// `http_response` on 3002 and 6003.
    HttpResponse,
    /// `auth_factors`; 1.2 to 1.4 have them, but demand an address, a number or questions with each.
    AuthFactors,
    /// Method PATCH in `http_request`.
    MethodPatch,
    /// `role_id` and `role` of a resource.
    ResourceRole,
    /// `programmatic_credentials` of a user.
    ProgrammaticCredentials,
    /// `metadata.original_event_uid`.
    OriginalEventUid,
    /// `api.token`.
    ApiToken,
}

/// The first version that has each part.
const SINCE: [(Part, Release); 19] = [
    (Part::IamRequest, Release(1, 2)),
    (Part::ObservableUserAgent, Release(1, 2)),
    (Part::Preauth, Release(1, 2)),
    (Part::WideAddress, Release(1, 3)),
    (Part::EntityDetails, Release(1, 3)),
    (Part::EntityLifecycle, Release(1, 3)),
    (Part::AccountUnlock, Release(1, 4)),
    (Part::ObservableIds, Release(1, 4)),
    (Part::PlainActor, Release(1, 4)),
    (Part::BareGroup, Release(1, 4)),
    (Part::HttpResponse, Release(1, 4)),
    (Part::AuthFactors, Release(1, 5)),
    (Part::AccountSwitch, Release(1, 6)),
    (Part::MethodPatch, Release(1, 6)),
    (Part::ResourceRole, Release(1, 6)),
    (Part::Subgroups, Release(1, 6)),
    (Part::ProgrammaticCredentials, Release(1, 6)),
    (Part::OriginalEventUid, Release(1, 7)),
    (Part::ApiToken, Release(1, 8)),
];

/// One version: its name and the parts it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    pub(crate) name: &'static str,
    parts: u32,
}

impl Version {
    /// The newest: what events are designed in.
    pub(crate) const NEWEST: Self = Self::of(RELEASES[RELEASES.len() - 1]);

    /// The version called `name`, if events can be written in it.
    pub(crate) fn find(name: &str) -> Option<Self> {
        RELEASES.into_iter().find(|(known, _)| *known == name).map(Self::of)
    }

    const fn of((name, release): (&'static str, Release)) -> Self {
        let mut parts = 0;
        let mut n = 0;
        while n < SINCE.len() {
            let (part, Release(major, minor)) = SINCE[n];
            if release.0 > major || release.0 == major && release.1 >= minor {
                parts |= 1 << part as u32;
            }
            n += 1;
        }
        Self { name, parts }
    }

    pub(crate) const fn has(self, part: Part) -> bool {
        self.parts & 1 << part as u32 != 0
    }

    /// Whether the class has the activity.
    pub(crate) const fn has_activity(self, class: Class, activity: u8) -> bool {
        self.has(match (class, activity) {
            (_, OTHER) => return true,
            (Class::EntityManagement, 5..) => Part::EntityLifecycle,
            (Class::Authentication, 6) => Part::Preauth,
            (Class::Authentication, 7) => Part::AccountSwitch,
            (Class::AccountChange, 12) => Part::AccountUnlock,
            (Class::GroupManagement, 7 | 8) => Part::Subgroups,
            _ => return true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_what_it_and_older_ones_brought() {
        let parts = |name| {
            let version = Version::find(name).unwrap();
            SINCE.into_iter().filter(|(part, _)| version.has(*part)).count()
        };
        assert_eq!(NAMES.map(parts), [0, 6, 12, 19]);
        assert!(Version::find("1.3.0").unwrap().has(Part::EntityDetails));
        assert!(!Version::find("1.3.0").unwrap().has(Part::AuthFactors));
        assert!(Version::NEWEST.has(Part::ApiToken));
        assert!(Version::find("1.9.0").is_none());
    }
}
