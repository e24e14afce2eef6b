//! The fields of an audit record that a mapping fills, and where they are looked for when nobody says.

use crate::json::Kind;

/// A field of an audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    Time,
    Action,
    Message,
    ActorId,
    ActorName,
    ActorEmail,
    ActorType,
    UserId,
    UserName,
    UserEmail,
    GroupId,
    GroupName,
    TargetId,
    TargetName,
    TargetType,
    TenantId,
    TenantName,
    Roles,
    ClientIp,
    UserAgent,
    Method,
    Path,
    StatusCode,
    Outcome,
}

/// How many there are.
pub(super) const FIELDS: usize = Field::Outcome as usize + 1;

use Field::{
    Action, ActorEmail, ActorId, ActorName, ActorType, ClientIp, GroupId, GroupName, Id, Message, Method,
    Outcome, StatusCode, TargetId, TargetName, TargetType, TenantId, TenantName, Time, UserAgent, UserEmail,
    UserId, UserName,
};

impl Field {
    /// The fields of one somebody or something, which are taken from one noun.
    pub(super) const NOUNS: [&[Self]; 3] = [
        &[ActorId, ActorName, ActorEmail, ActorType],
        &[TargetId, TargetName, TargetType],
        &[TenantId, TenantName],
    ];

    /// The kinds of values that can be this field, as bits. One of another kind counts as not there. Only who names the
    /// path of the action knows that a number there is one.
    pub(super) const fn kinds(self, configured: bool) -> u8 {
        const TEXT: u8 = Kind::String.bit();
        match self {
            // APIs write ids, times and codes as texts or as numbers, outcomes as truth values too.
            Id | Time | ActorId | UserId | GroupId | TargetId | TenantId | StatusCode | Outcome => {
                TEXT | Kind::Number.bit() | Kind::Bool.bit()
            }
            Action if configured => TEXT | Kind::Number.bit(),
            Self::Roles => TEXT | Kind::Array.bit(),
            _ => TEXT,
        }
    }

    /// The paths under which the field is looked for unless the configuration names others, the first that is there counts:
    /// those of the common shape first, then the names that audit APIs use most. With each the number of its noun.
    pub(super) fn usual_paths(self) -> &'static [(u8, &'static str)] {
        match self {
            Id => &[(0, "id"), (0, "uuid"), (0, "_id"), (0, "event_id"), (0, "eventId")],
            Time => &[
                (0, "created_at"),
                (0, "timestamp"),
                (0, "@timestamp"),
                (0, "time"),
                (0, "event_time"),
                (0, "occurred_at"),
                (0, "createdAt"),
                (0, "eventTime"),
                (0, "created"),
                (0, "date"),
            ],
            Action => &[
                (0, "action"),
                (0, "event_type"),
                (0, "eventType"),
                (0, "event_name"),
                (0, "eventName"),
                (0, "event"),
                (0, "operation"),
            ],
            Message => &[(0, "message"), (0, "description"), (0, "summary")],
            // Not `user`: in as many APIs that is who was acted on.
            ActorId => &[
                (0, "actor.id"),
                (0, "actor.uid"),
                (0, "actor.uuid"),
                (0, "actor_id"),
                (0, "actor_uuid"),
                (0, "actorId"),
                (1, "initiator.id"),
                (1, "initiator_id"),
                (2, "performed_by.id"),
            ],
            ActorName => &[
                (0, "actor.name"),
                (0, "actor.username"),
                (0, "actor.display_name"),
                (0, "actor.displayName"),
                (0, "actor_name"),
                (0, "actorName"),
                (0, "actor"),
                (1, "initiator.name"),
                (1, "initiator_name"),
                (1, "initiator"),
                (2, "performed_by.name"),
                (2, "performed_by"),
            ],
            ActorEmail => &[
                (0, "actor.email"),
                (0, "actor_email"),
                (0, "actorEmail"),
                (1, "initiator.email"),
                (1, "initiator_email"),
                (2, "performed_by.email"),
            ],
            ActorType => &[
                (0, "actor.type"),
                (0, "actor_type"),
                (0, "actorType"),
                (1, "initiator.type"),
                (2, "performed_by.type"),
            ],
            UserId => &[(0, "target_user.id"), (0, "target_user_id")],
            UserName => &[(0, "target_user.name"), (0, "target_user.username"), (0, "target_user_name")],
            UserEmail => &[(0, "target_user.email"), (0, "target_user_email")],
            GroupId => &[(0, "group.id"), (0, "group_id"), (0, "groupId")],
            GroupName => &[(0, "group.name"), (0, "group_name"), (0, "groupName"), (0, "group")],
            TargetId => &[
                (0, "target.id"),
                (0, "target.uuid"),
                (0, "target_id"),
                (0, "targetId"),
                (1, "resource.id"),
                (1, "resource_id"),
                (1, "resourceId"),
                (2, "object.id"),
                (2, "object_id"),
            ],
            TargetName => &[
                (0, "target.name"),
                (0, "target_name"),
                (0, "targetName"),
                (1, "resource.name"),
                (1, "resource_name"),
                (1, "resourceName"),
                (2, "object.name"),
                (2, "object_name"),
            ],
            TargetType => &[
                (0, "target.type"),
                (0, "target_type"),
                (0, "targetType"),
                (1, "resource.type"),
                (1, "resource_type"),
                (1, "resourceType"),
                (2, "object.type"),
                (2, "object_type"),
            ],
            TenantId => &[
                (0, "org.id"),
                (0, "org_id"),
                (0, "orgId"),
                (1, "organization.id"),
                (1, "organization_id"),
                (1, "organizationId"),
                (2, "tenant.id"),
                (2, "tenant_id"),
                (2, "tenantId"),
            ],
            TenantName => &[
                (0, "org.name"),
                (0, "org_name"),
                (0, "org"),
                (1, "organization.name"),
                (1, "organization_name"),
                (1, "organization"),
                (2, "tenant.name"),
                (2, "tenant_name"),
            ],
            Self::Roles => &[(0, "roles"), (0, "role")],
            ClientIp => &[
                (0, "client_ip"),
                (0, "ip_address"),
                (0, "ip"),
                (0, "source_ip"),
                (0, "remote_ip"),
                (0, "clientIp"),
                (0, "ipAddress"),
                (0, "sourceIp"),
                (0, "actor_ip"),
                (0, "actor.ip"),
                (0, "actor.ip_address"),
            ],
            UserAgent => &[(0, "user_agent"), (0, "userAgent"), (0, "actor.user_agent")],
            Method => &[(0, "method"), (0, "http_method"), (0, "request.method")],
            Self::Path => &[(0, "path"), (0, "request_path"), (0, "request.path")],
            StatusCode => {
                &[(0, "status_code"), (0, "statusCode"), (0, "http_status"), (0, "response.status_code")]
            }
            Outcome => &[(0, "outcome"), (0, "outcome.result"), (0, "result"), (0, "status"), (0, "success")],
        }
    }
}
