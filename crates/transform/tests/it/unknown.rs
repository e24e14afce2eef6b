//! Actions that no table knows: the rules of thumb, and what is told about them.

use std::sync::Arc;

use pipeline::EventOutcome;
use serde_json::{Value, json};
use transform::{PostmanOptions, UnknownActions};

use crate::actions::full;
use crate::support::{ecs, events, in_ecs, in_ocsf, lines, ocsf, origin, postman, record, views};

#[test]
fn the_first_rule_that_fits_decides() {
    for (action, type_uid, severity) in [
        // 1 sign-ins, but not how to sign in
        ("user.sign_in", 300_201, 1),
        ("user.loggedIn", 300_201, 1),
        ("sso.login_failed", 300_201, 1),
        ("team.login_method_updated", 300_403, 2),
        ("team.sso_login_policy_updated", 300_403, 3),
        ("user.logged_out", 300_202, 1),
        ("user.sessions_revoked", 300_202, 2),
        // 2 credentials
        ("user.password_forgot", 300_104, 2),
        ("user.password_expired", 300_103, 2),
        ("user.twoFactor_enabled", 300_110, 1),
        ("user.2fa_removed", 300_111, 3),
        ("user.totp_reset", 300_199, 3),
        // 3 roles
        ("workspace.user_role_changed", 300_501, 2),
        ("team.revoke_permission", 300_502, 2),
        ("usergroup.role_added", 300_601, 2),
        ("group.role_removed", 300_602, 2),
        // 4 groups
        ("group.member_added", 300_603, 2),
        ("team.group_user_removed", 300_604, 2),
        ("group.created", 300_606, 2),
        ("team.user_group_deleted", 300_605, 2),
        ("group.renamed", 300_699, 2),
        // 5 keys
        ("api_key.generated", 300_401, 2),
        ("team.scimKeyRotated", 300_403, 3),
        ("vault.secret_viewed", 300_402, 1),
        ("user.credential_suspended", 300_411, 2),
        // 6 invitations, linked accounts, members
        ("workspace.invitation_accepted", 300_199, 2),
        ("team.invite_expired", 300_199, 1),
        ("user.google_account_unlinked", 300_199, 2),
        ("scim.user_suspended", 300_105, 2),
        ("scim.user_activated", 300_102, 2),
        ("team.join_request_rejected", 300_199, 1),
        ("team.join_request_accepted", 300_603, 2),
        ("team.member_left", 300_604, 2),
        // 7 accounts
        ("user.created", 300_101, 2),
        ("user.deleted", 300_106, 2),
        ("profile.updated", 300_199, 2),
        ("account.enabled", 300_102, 2),
        // 8 resources
        ("collection.created", 600_101, 1),
        ("workspace.viewed", 600_102, 1),
        ("environment.renamed", 600_103, 1),
        ("mock.deleted", 600_104, 1),
        ("api.searched", 600_105, 1),
        ("spec.imported", 600_106, 1),
        ("collection.exported", 600_107, 1),
        ("workspace.published", 600_108, 1),
        ("monitor.paused", 600_199, 1),
        // 9 exports, administration
        ("user.report_export", 600_107, 3),
        ("audit.report_downloaded", 600_102, 3),
        ("billing.address_updated", 300_403, 2),
        ("team.sso_disabled", 300_409, 3),
        ("domain.capture_disabled", 300_409, 3),
        ("plan.cancelled", 300_404, 3),
        // 10 all else
        ("robot.created", 600_301, 1),
        ("robot.listed", 600_302, 1),
        ("robot.painted", 600_399, 1),
        ("---", 600_399, 1),
        ("日本語", 600_399, 1),
    ] {
        let event = in_ocsf(&full(action));
        // A user access event without several users' roles has those of one.
        assert_eq!(
            (&event["type_uid"], &event["severity_id"]),
            (&json!(type_uid), &json!(severity)),
            "{action}"
        );
        assert_eq!(event["metadata"]["event_code"], action);
    }
}

#[test]
fn things_and_nameless_activities_are_called_by_the_actions_words() {
    let name = |action: &str| in_ocsf(&full(action))["activity_name"].clone();
    assert_eq!(name("robot.painted"), "robot.painted");
    assert_eq!(name("monitor.paused"), "monitor.paused");
    assert_eq!(name("workspace.invitation_accepted"), "Invite Accepted");
    assert_eq!(name("team.invite"), "Invite");
    assert_eq!(name("team.join_request_rejected"), "Join Request Declined");
    let thing = |action: &str| in_ocsf(&full(action))["entity"]["type"].clone();
    assert_eq!(thing("billing.address_updated"), "Address");
    assert_eq!(thing("team.sso_url_updated"), "SSO URL");
    assert_eq!(thing("team.updated"), "Team");
    assert_eq!(thing("scim.token_created"), "SCIM API Key");
    assert_eq!(in_ocsf(&full("api.created"))["web_resources"][0]["type"], "API");
}

#[test]
fn only_words_of_success_and_failure_tell_the_outcome() {
    for (action, status) in [
        ("user.sign_in", 0),
        ("user.sign_in_failed", 2),
        ("user.login_denied", 2),
        ("payment.charge_failure", 2),
        ("robot.paint_success", 1),
        ("robot.paint_rejected", 0),
        ("robot.paint_cancelled", 0),
    ] {
        let event = in_ocsf(&full(action));
        assert_eq!(event["status_id"], status, "{action}");
        let outcome = [EventOutcome::Unknown, EventOutcome::Success, EventOutcome::Failure][status];
        assert_eq!(event.meta.outcome, outcome, "{action}");
    }
    let failed = in_ecs(&full("user.sign_in_failed"));
    assert_eq!(
        (&failed["event"]["category"], &failed["event"]["outcome"]),
        (&json!(["authentication"]), &json!("failure"))
    );
}

#[test]
fn without_an_actor_an_api_activity_is_a_base_event() {
    let mut record = full("robot.painted");
    record["data"]["actor"] = Value::Null;
    let event = in_ocsf(&record);
    assert_eq!(
        (&event["class_uid"], &event["type_uid"], &event["activity_name"]),
        (&json!(0), &json!(99), &json!("robot.painted"))
    );
    assert_eq!(event["unmapped"]["data"]["user"]["id"], 87_654_321);
    let document = in_ecs(&record);
    assert_eq!((document["event"].get("category"), document["event"].get("type")), (None, None));
    assert_eq!(document["event"]["kind"], "event");
}

#[test]
fn unknown_actions_are_counted_once_a_record() {
    let unknown = Arc::new(UnknownActions::default());
    let view = ocsf("1.8.0");
    let options = PostmanOptions { unknown: Some(Arc::clone(&unknown)), ..PostmanOptions::default() };
    let transform = transform::postman(&view, options).unwrap();
    for action in ["robot.painted", "user.logout", "collection.created", "robot.painted"] {
        events(&*transform, &view, full(action).to_string().as_bytes());
    }
    assert_eq!(unknown.total(), 3);
    assert_eq!(unknown.counts(), [("collection.created".into(), 1), ("robot.painted".into(), 2)]);
}

#[test]
fn the_list_of_unknown_actions_is_bounded() {
    let unknown = Arc::new(UnknownActions::default());
    let options = PostmanOptions { unknown: Some(Arc::clone(&unknown)), ..PostmanOptions::default() };
    let transform = transform::postman(&ecs(), options).unwrap();
    let origin = origin("postman.audit");
    for n in 0..1100 {
        let text =
            json!({"action": format!("robot.{n}.{}é", "x".repeat(199)), "user": {"id": 1}}).to_string();
        lines(&*transform, &record(&origin, text.as_bytes()));
    }
    assert_eq!((unknown.total(), unknown.counts().len()), (1100, 1000));
    assert!(unknown.counts().iter().all(|(name, count)| name.len() <= 200 && *count == 1));
}

/// Keeps the messages that mention an action.
#[derive(Clone, Default)]
struct Messages(Arc<std::sync::Mutex<Vec<String>>>);

impl tracing::Subscriber for Messages {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::INFO
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        struct Action<'a>(&'a mut Vec<String>);
        impl tracing::field::Visit for Action<'_> {
            fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
                if field.name() == "action" {
                    self.0.push(value.to_owned());
                }
            }

            fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn std::fmt::Debug) {}
        }
        event.record(&mut Action(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn each_unknown_action_is_logged_once() {
    let messages = Messages::default();
    let unknown = Arc::new(UnknownActions::default());
    tracing::subscriber::with_default(messages.clone(), || {
        let view = ocsf("1.8.0");
        let options = PostmanOptions { unknown: Some(unknown), ..PostmanOptions::default() };
        let transform = transform::postman(&view, options).unwrap();
        for action in ["robot.painted", "robot.\u{1b}[31m", "robot.painted", "user.logout"] {
            events(&*transform, &view, full(action).to_string().as_bytes());
        }
    });
    assert_eq!(*messages.0.lock().unwrap(), ["robot.painted", "robot.\u{1b}[31m"]);
}

#[test]
fn an_action_of_any_length_and_letters_is_mapped() {
    for action in [
        "x",
        "É",
        "user.",
        ".login",
        "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.login",
        &"login_".repeat(10_000),
    ] {
        for view in views() {
            assert_eq!(events(&*postman(&view), &view, full(action).to_string().as_bytes()).len(), 1);
        }
    }
}
