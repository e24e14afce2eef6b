//! The objects inside an OCSF event.

use super::address::is_address;
use super::observables::Person;
use super::version::{Part, Version};
use crate::entry::{Client, Entry, Login, Named, Request, Roles, Text, User, UserKind};
use crate::json::{Line, key};

/// Writes a user; returns what of it was written that can be observed.
pub(super) fn write_user<'a>(
    line: &mut Line<'_>,
    at: &'static str,
    user: &User<'a>,
    team: &Named<'_>,
    version: Version,
) -> Person<'a> {
    let address = user.email.filter(|email| is_address(email.value, version));
    line.key(at);
    line.push("{");
    line.maybe(key!("uid"), user.uid);
    line.maybe(key!("name"), user.name);
    line.maybe(key!("full_name"), user.full_name);
    line.maybe(key!("email_addr"), address);
    match user.kind {
        UserKind::Unknown => line.push(r#","type_id":0,"type":"Unknown""#),
        UserKind::Person => line.push(r#","type_id":1,"type":"User""#),
        UserKind::System => line.push(r#","type_id":3,"type":"System""#),
        UserKind::ApiKey => line.push(r#","type_id":99,"type":"API Key""#),
        UserKind::Other(kind) => {
            line.push(",\"type_id\":99");
            line.text(key!("type"), kind);
        }
    }
    if let Some(kind) = user.kind_text {
        kind.mark_used();
    }
    if !matches!(user.kind, UserKind::System) {
        write_organization(line, team);
    }
    if let (UserKind::ApiKey, Some(uid)) = (user.kind, user.uid)
        && version.has(Part::ProgrammaticCredentials)
    {
        line.push(",\"programmatic_credentials\":[{");
        line.text(key!("uid"), uid);
        line.push(",\"type\":\"API Key\"}]");
    }
    line.push("}");
    Person { name: user.name, address, uid: user.uid }
}

pub(super) fn write_organization(line: &mut Line<'_>, team: &Named<'_>) {
    if team.is_known() {
        line.key(key!("org"));
        line.push("{");
        line.maybe(key!("uid"), team.uid);
        line.maybe(key!("name"), team.name);
        line.push("}");
    }
}

pub(super) fn write_group(line: &mut Line<'_>, group: &Named<'_>, is_team: bool) {
    line.key(key!("group"));
    line.push("{");
    line.maybe(key!("uid"), group.uid);
    line.maybe(key!("name"), group.name);
    if is_team {
        line.push(",\"type\":\"Team\"");
    }
    line.push("}");
}

pub(super) fn write_privileges(line: &mut Line<'_>, roles: &Roles<'_>) {
    line.key(key!("privileges"));
    line.push("[");
    for role in roles.names() {
        line.item();
        line.quoted(role);
    }
    line.push("]");
    roles.mark_used();
}

/// What class 3002 says beyond the user.
pub(super) fn write_login(line: &mut Line<'_>, entry: &Entry<'_>, version: Version) {
    line.key(key!("service"));
    line.push("{");
    line.text(key!("name"), entry.service);
    line.push("},\"is_remote\":true");
    match entry.rule.login {
        Login::Password if version.has(Part::AuthFactors) => {
            line.push(r#","auth_factors":[{"factor_type_id":11,"factor_type":"Password"}]"#);
        }
        Login::Google => line.push(r#","auth_protocol_id":6,"auth_protocol":"OAUTH 2.0""#),
        Login::Sso => line.push(r#","auth_protocol_id":99,"auth_protocol":"SSO""#),
        Login::Saml => line.push(r#","auth_protocol_id":5,"auth_protocol":"SAML""#),
        Login::Password | Login::Unsaid | Login::Elsewhere | Login::Revoked => {}
    }
}

pub(super) fn write_web_resource(line: &mut Line<'_>, entry: &Entry<'_>) {
    line.key(key!("web_resources"));
    line.push("[{");
    line.text(key!("type"), entry.thing_type.unwrap_or(entry.rule.label));
    line.maybe(key!("uid"), entry.thing.uid);
    line.maybe(key!("name"), entry.thing.name);
    if !entry.thing.is_known() {
        line.push(",\"name\":\"Unknown\"");
    }
    line.push("}]");
}

pub(super) fn write_api(line: &mut Line<'_>, entry: &Entry<'_>, actor: &User<'_>, version: Version) {
    line.key(key!("api"));
    line.push("{");
    line.text(key!("operation"), entry.action);
    if let Some(code) = entry.request.code() {
        line.push(",\"response\":{");
        line.number(key!("code"), code);
        line.push("}");
    }
    if matches!(actor.kind, UserKind::ApiKey) && version.has(Part::ApiToken) {
        line.push(",\"token\":{");
        line.maybe(key!("uid"), actor.uid);
        line.maybe(key!("name"), actor.name);
        line.key(key!("type_id"));
        line.push("7,\"type\":\"API Token\"}");
    }
    line.push("}");
}

/// `src_endpoint`, which class 6003 must have.
pub(super) fn write_source(line: &mut Line<'_>, client: &Client<'_>, required: bool) {
    if let Some(ip) = client.ip {
        line.push(",\"src_endpoint\":{");
        line.text(key!("ip"), ip);
        if let Some(port) = client.port {
            line.number(key!("port"), port);
        }
        line.push("}");
        if let Some(text) = client.text
            && client.complete
        {
            text.mark_used();
        }
    } else if required {
        line.push(",\"src_endpoint\":{\"name\":\"Unknown\"}");
    }
}

/// `http_request` and `http_response`.
pub(super) fn write_http(line: &mut Line<'_>, entry: &Entry<'_>, client: &Client<'_>, version: Version) {
    let before = line.len();
    line.push(",\"http_request\":{");
    let empty = line.len();
    if let Some((method, text)) =
        entry.request.method.and_then(|text| Some((listed_method(text.value, version)?, text)))
    {
        line.text(key!("http_method"), Text::constant(method));
        text.mark_used();
    }
    write_url(line, &entry.request);
    line.maybe(key!("user_agent"), entry.user_agent);
    let mut proxies = client.forwarded().peekable();
    if proxies.peek().is_some() {
        line.key(key!("x_forwarded_for"));
        line.push("[");
        for ip in proxies {
            line.item();
            line.quoted(Text { used: None, ..client.text.map_or(Text::foreign(ip), |text| text.part(ip)) });
        }
        line.push("]");
    }
    if line.len() == empty {
        line.truncate(before);
    } else {
        line.push("}");
    }
    if let Some(code) = entry.request.code()
        && version.has(Part::HttpResponse)
    {
        line.push(",\"http_response\":{");
        line.number(key!("code"), code);
        line.push("}");
    }
}

/// OCSF takes nine methods, in upper case.
fn listed_method(method: &str, version: Version) -> Option<&'static str> {
    const METHODS: [&str; 9] =
        ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];
    let listed = METHODS.into_iter().find(|listed| listed.eq_ignore_ascii_case(method))?;
    (listed != "PATCH" || version.has(Part::MethodPatch)).then_some(listed)
}

fn write_url(line: &mut Line<'_>, request: &Request<'_>) {
    let Some(text) = request.path else { return };
    let (path, query) = request.path_and_query();
    let full = request.full_url();
    if path.is_none() && full.is_none() {
        return;
    }
    line.key(key!("url"));
    line.push("{");
    line.maybe(key!("path"), path);
    line.maybe(key!("query_string"), query);
    if let Some((base, path)) = full {
        line.key(key!("url_string"));
        line.joined(Text::foreign(base), path);
    }
    line.push("}");
    text.mark_used();
}

/// `resources`: what the request acted on.
pub(super) fn write_target(line: &mut Line<'_>, request: &Request<'_>, version: Version) {
    let Some(target) = request.target.filter(Named::is_known) else { return };
    line.push(",\"resources\":[{");
    line.maybe(key!("uid"), target.uid);
    line.maybe(key!("name"), target.name);
    line.maybe(key!("type"), request.target_type);
    if version.has(Part::ResourceRole) {
        line.push(r#","role_id":1,"role":"Target""#);
    }
    line.push("}]");
}
