//! The actions that Postman is known to write, and what each is.
//!
//! About half of the names were seen in Postman's documentation, API description or answers. The others are guesses from
//! the descriptions: a guess that is wrong is set right at run time by the display name, see [`ActionNames`].
//!
//! [`ActionNames`]: super::ActionNames

use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64;

use crate::entry::{Facet, Login, OTHER, Rule};
use crate::rules::{account, entity, group, roles, session, web_resource};

/// A known action.
pub(super) struct Known {
    /// Its machine name, as in a record's `action`.
    pub(super) name: &'static str,
    /// What `GET /audit-actions` calls it, as far as the documentation tells.
    pub(super) display: &'static str,
    pub(super) rule: Rule<'static>,
}

const fn known(name: &'static str, display: &'static str, rule: Rule<'static>) -> Known {
    Known { name, display, rule: rule.succeeded() }
}

/// Severity is 1 where none is given.
#[rustfmt::skip]
pub(super) const KNOWN: [Known; 81] = [
    // The team.
    known("team.name_updated", "Team name updated", entity(3, "Organization").of_team().severity(2)),
    known("team.url_updated", "Team URL updated", entity(3, "Organization").of_team().severity(2)),
    known("team.discovery_updated", "Team discovery updated", entity(3, "Organization").of_team().severity(2)),
    known("team.domain_capture_add_domain", "Domain added for domain capture", entity(1, "Captured Domain").facet(Facet::Identity).severity(2)),
    known("team.domain_capture_verify_domain", "Domain verified for domain capture", entity(3, "Captured Domain").facet(Facet::Identity).severity(2)),
    known("team.domain_capture_enable", "Domain team management enabled", entity(8, "Domain Team Management").facet(Facet::Identity).severity(2)),
    known("team.domain_capture_add_user", "User joined through domain capture", group(3).of_team().severity(2)),
    known("team.domain_capture_disable", "Domain team management disabled", entity(9, "Domain Team Management").facet(Facet::Identity).severity(3)),
    known("team.domain_capture_remove_domain", "Domain removed for domain capture", entity(4, "Captured Domain").facet(Facet::Identity).severity(3)),
    known("team.add_domain", "Custom domain added", entity(1, "Custom Domain").severity(2)),
    known("team.update_domain_verification", "Custom domain verification status updated", entity(3, "Custom Domain")),
    known("team.delete_domain", "Custom domain deleted", entity(4, "Custom Domain").severity(2)),
    known("team.customauth.create", "Custom auth scheme created", entity(1, "SSO Scheme").facet(Facet::Identity).severity(3)),
    known("team.customauth.enable", "Custom auth scheme enabled", entity(8, "SSO Scheme").facet(Facet::Identity).severity(2)),
    known("team.customauth.update", "Custom auth scheme updated", entity(3, "SSO Scheme").facet(Facet::Identity).severity(3)),
    known("team.customauth.disable", "Custom auth scheme disabled", entity(9, "SSO Scheme").facet(Facet::Identity).severity(3)),
    known("team.customauth.remove", "Custom auth scheme removed", entity(4, "SSO Scheme").facet(Facet::Identity).severity(3)),
    known("team.scimkey_create", "SCIM key created", entity(1, "SCIM API Key").facet(Facet::Identity).severity(3)),
    known("team.scimkey_activate", "SCIM key activated", entity(10, "SCIM API Key").facet(Facet::Identity).severity(3)),
    known("team.scimkey_regenerate", "SCIM key regenerated", entity(3, "SCIM API Key").facet(Facet::Identity).severity(3)),
    known("team.scimkey_revoke", "SCIM key revoked", entity(11, "SCIM API Key").facet(Facet::Identity).severity(2)),
    known("team.scimkey_delete", "SCIM key deleted", entity(4, "SCIM API Key").facet(Facet::Identity).severity(2)),
    known("team.scim_add_member", "SCIM user provisioned", account(1).severity(2)),
    known("team.scim_remove_member", "SCIM user deprovisioned", account(5).severity(2)),
    known("user.data_export_requested", "Data export requested", web_resource(7, "Data Export").facet(Facet::Export).severity(3)),
    known("user.data_export_downloaded", "Exported data downloaded", web_resource(2, "Data Export").facet(Facet::Export).severity(3)),
    known("team.custom_token.create", "Custom token alert added", entity(1, "Custom Token Alert")),
    known("team.custom_token.update", "Custom token alert edited", entity(3, "Custom Token Alert").severity(2)),
    known("team.custom_token.remove", "Custom token alert deleted", entity(4, "Custom Token Alert").severity(3)),
    known("team.add_partnership_member", "Partnership member added", group(3).of_team().severity(3)),
    known("team.scim_enabled", "SCIM provisioning enabled", entity(8, "SCIM Provisioning").facet(Facet::Identity).severity(3)),
    // Its users.
    known("team.add_member", "Team member added", group(3).of_team().severity(2)),
    known("team.remove_member", "Team member removed", group(4).of_team().severity(2)),
    known("team.send_invite", "Team invite sent", account(OTHER).named("Invite Sent").label("Invite").facet(Facet::Notice)),
    known("team.approve_invite", "Team invite approved", account(OTHER).named("Invite Approved").label("Invite").severity(2)),
    known("team.reject_invite", "Team invite declined", account(OTHER).named("Invite Declined").label("Invite").facet(Facet::Notice)),
    known("team.cancel_invite", "Team invite cancelled", account(OTHER).named("Invite Cancelled").label("Invite").facet(Facet::Notice)),
    known("team.approve_join_request", "Team join request approved", group(3).of_team().severity(2)),
    known("team.reject_join_request", "Team join request declined", account(OTHER).named("Join Request Declined").facet(Facet::Notice)),
    known("user.update_roles", "User roles updated (one user)", roles(1).severity(2)),
    known("team.update_user_roles", "User roles updated (several users)", roles(1).severity(2)),
    known("team.create_group", "Group created", group(6).severity(2)),
    known("team.update_group", "Group updated", group(OTHER).named("Update").severity(2)),
    known("team.add_group_member", "Group member added", group(3).severity(2)),
    known("team.add_group_role", "Group role added", group(1).severity(2)),
    known("team.remove_group_role", "Group role removed", group(2).severity(2)),
    known("team.remove_group_member", "Group member removed", group(4).severity(2)),
    known("team.delete_group", "Group deleted", group(5).severity(2)),
    known("user.login_password_success", "Signed in with password", session(1).login(Login::Password)),
    known("user.login_google_success", "Signed in with Google", session(1).login(Login::Google)),
    known("user.login_sso_success", "Signed in with SSO", session(1).login(Login::Sso)),
    known("user.password_reset", "Password reset", account(4).severity(2)),
    known("user.password_change", "Password changed", account(3).severity(2)),
    known("user.session_revoked", "User sessions revoked", session(2).login(Login::Revoked).severity(2)),
    known("user.logout", "Signed out", session(2)),
    known("user.authaccount.linked", "Auth account linked", account(OTHER).named("Account Linked").severity(2)),
    known("team.add_group_manager", "Group manager added", group(1).role("manager").severity(2)),
    known("user.mfa_enabled", "2FA enabled", account(10)),
    known("user.mfa_disabled", "2FA disabled", account(11).severity(3)),
    known("user.mfa_reset", "2FA reset", account(OTHER).named("MFA Reset").severity(3)),
    known("user.mfa_rotate_recovery_codes", "2FA recovery codes rotated", account(OTHER).named("MFA Recovery Codes Rotated").severity(2)),
    known("user.apikey_create", "API key created by a user", entity(1, "API Key").facet(Facet::Identity).severity(2)),
    known("user.apikey_activate", "API key activated", entity(10, "API Key").facet(Facet::Identity).severity(2)),
    known("admin.apikey_create", "API key created by Postman on behalf of a user", entity(1, "API Key").facet(Facet::Identity).severity(2)),
    known("user.authenticate_third_party_app", "Signed in to a third-party app through Postman", session(1).login(Login::Elsewhere)),
    // Its bills.
    known("team.add_credits", "Credits added", entity(3, "Credits")),
    known("team.update_overages", "Billing operation overages setting updated", entity(3, "Billing Overages").severity(2)),
    known("team.start_enterprise", "Plan started", entity(1, "Billing Plan")),
    known("team.change_plan", "Plan changed", entity(3, "Billing Plan").severity(2)),
    known("team.increase_size", "Team size increased", entity(3, "Team Size")),
    known("team.decrease_size", "Team size decreased", entity(3, "Team Size")),
    known("team.update_monitor_blocks", "Monitoring block count updated", entity(3, "Monitoring Blocks")),
    known("team.modify_future_plan", "Instructions set for the next billing cycle", entity(3, "Billing Plan")),
    known("team.update_billing_email", "Billing email updated", entity(3, "Billing Email").severity(2)),
    known("team.update_invoice_details", "Invoice details updated", entity(3, "Invoice Details")),
    known("team.add_card", "Payment method added", entity(1, "Payment Method")),
    known("team.change_default_card", "Default payment method changed", entity(3, "Payment Method")),
    known("team.delete_card", "Payment method removed", entity(4, "Payment Method")),
    known("team.retry_invoice_success", "Invoice retry succeeded", entity(3, "Invoice")),
    known("team.cancel_invoice", "Invoice cancelled", entity(4, "Invoice")),
    known("team.cancel_plan", "Plan cancelled", entity(4, "Billing Plan").severity(3)),
];

/// Slots of the hash table below: a power of two, far above the number of actions, so that a search is short.
const SLOTS: usize = 512;

/// Place in [`KNOWN`] plus one, by hash of the name; 0 is empty. A full slot sends on to the next.
static PLACES: LazyLock<[u8; SLOTS]> = LazyLock::new(|| {
    let mut places = [0; SLOTS];
    for (place, action) in (1..).zip(&KNOWN) {
        let mut slot = slot(action.name);
        while places[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        places[slot] = place;
    }
    places
});

fn slot(name: &str) -> usize {
    // The remainder fits.
    usize::try_from(xxh3_64(name.as_bytes()) % SLOTS as u64).unwrap_or_default()
}

/// The place in [`KNOWN`] of the action with this machine name.
pub(super) fn place(name: &str) -> Option<usize> {
    let mut slot = slot(name);
    loop {
        let place = usize::from(PLACES[slot]).checked_sub(1)?;
        if KNOWN[place].name == name {
            return Some(place);
        }
        slot = (slot + 1) % SLOTS;
    }
}
