//! What encoding costs: `cargo bench -p transform [-- SECONDS]`.
//!
//! Records are generated: Postman's shape, 588 bytes on average, a mix of sign-ins, member and settings changes, role changes of several
//! users, and unknown actions. Before a figure is printed, the output is counted, hashed, and each kind of event in it checked
//! against its schema. Figures are CPU time of this thread, the best of several rounds.

#![allow(clippy::print_stdout, reason = "it is a program")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pipeline::{Buffers, EventWriter, Origin, Record, RecordId, Schema, Timestamp, Transform, View};
use transform::{ECS_VERSION, OCSF_VERSIONS, PostmanOptions, UnknownActions};
use xxhash_rust::xxh3::xxh3_64;

const RECORDS: usize = 2000;
const ROUNDS: u32 = 5;

fn main() {
    let seconds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(0.3);
    let records = generate(RECORDS);
    let bytes: usize = records.iter().map(Vec::len).sum();
    println!("{RECORDS} records, {} bytes on average", bytes / RECORDS);
    println!(
        "view         events  bytes/event  ns/record  ns/event  MB/s in  MB/s out  allocations/event  hash of output"
    );
    let ocsf = OCSF_VERSIONS.into_iter().rev().map(|version| (Schema::Ocsf, version, true));
    let newest = OCSF_VERSIONS[OCSF_VERSIONS.len() - 1];
    let others = [(Schema::Ocsf, newest, false), (Schema::Ecs, ECS_VERSION, true), (Schema::Raw, "", true)];
    for (schema, version, keep_raw) in ocsf.chain(others) {
        let view = View { schema, version: version.into(), keep_raw };
        measure(&view, &records, Duration::from_secs_f64(seconds));
    }
}

fn measure(view: &View, records: &[Vec<u8>], round: Duration) {
    let options =
        PostmanOptions { unknown: Some(Arc::new(UnknownActions::default())), ..PostmanOptions::default() };
    let transform = transform::postman(view, options).expect("the view has a version that there is");
    let origin = Origin {
        source: "p".into(),
        kind: "postman".into(),
        dataset: "postman.audit".into(),
        labels: vec![],
    };
    let mut out = EventWriter::with_buffer(&Buffers::default(), 4 * records.len(), 8192 * records.len());
    encode(&*transform, &origin, records, &mut out);
    let (events, size, hash) = (out.len(), out.bytes(), xxh3_64(out.ndjson()));
    verify(view, &out, records.len());

    let allocated = allocation_counter::measure(|| encode(&*transform, &origin, records, &mut out));
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let (start, cpu, mut laps) = (Instant::now(), cpu_time(), 0);
        while start.elapsed() < round {
            encode(&*transform, &origin, records, &mut out);
            laps += 1;
        }
        best = best.min((cpu_time().unwrap_or(start.elapsed()) - cpu.unwrap_or_default()) / laps);
    }
    assert_eq!((out.len(), out.bytes(), xxh3_64(out.ndjson())), (events, size, hash), "the output changed");

    let input: usize = records.iter().map(Vec::len).sum();
    let nanos = best.as_secs_f64() * 1e9;
    let name = format!("{view}{}", if view.keep_raw { "" } else { " -raw" });
    println!(
        "{name:<16} {events:>5} {:>9} {:>12.0} {:>9.0} {:>8.0} {:>9.0} {:>12.4} {hash:>26x}",
        size / events,
        nanos / records.len() as f64,
        nanos / events as f64,
        input as f64 * 1e3 / nanos,
        size as f64 * 1e3 / nanos,
        allocated.count_total as f64 / events as f64,
    );
}

fn encode(transform: &dyn Transform, origin: &Origin, records: &[Vec<u8>], out: &mut EventWriter) {
    out.clear();
    for (n, text) in (0..).zip(records) {
        out.start_record(n);
        let id = RecordId { second: 0, native: u64::from(n), content: u64::from(n) };
        let collected_at = Timestamp::from_millis(1_795_800_000_000);
        transform.apply(&Record { origin, text, id, collected_at }, out);
    }
}

/// Every record has an event, and the events of the first hundred records are what their schema wants.
fn verify(view: &View, out: &EventWriter, records: usize) {
    let mut of_record: HashMap<u32, usize> = HashMap::new();
    for event in out.events() {
        *of_record.entry(event.record).or_default() += 1;
        let text = &out.ndjson()[event.span.start as usize..event.span.end as usize];
        let checked = match view.schema {
            _ if event.record >= 100 => Ok(()),
            Schema::Ocsf => testkit::schema::check_ocsf(&view.version, text),
            Schema::Ecs => testkit::schema::check_ecs(text),
            Schema::Raw => serde_json::from_slice::<serde::de::IgnoredAny>(text)
                .map(|_| ())
                .map_err(|error| vec![error.to_string()]),
        };
        checked.expect("the event is valid");
    }
    assert_eq!(of_record.len(), records, "every record has an event");
}

/// CPU time of this thread; nothing where the system does not tell.
fn cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn generate(count: usize) -> Vec<Vec<u8>> {
    let mut state = 0x2026_1120_u64;
    let mut next = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..count).map(|n| generate_one(n, &mut next).into_bytes()).collect()
}

fn generate_one(n: usize, next: &mut impl FnMut(u64) -> u64) -> String {
    const NAMES: [(&str, &str); 6] = [
        ("Taylor Lee", "taylor-lee"),
        ("Alex Cruz", "alex-cruz"),
        ("Sam Okonkwo", "sam.okonkwo"),
        ("Zoë Müller", "zoe-mueller"),
        ("Priya Raghunathan", "priya-raghunathan"),
        ("Jo Ng", "jo"),
    ];
    const SIGN_INS: [&str; 3] =
        ["user.login_password_success", "user.login_google_success", "user.login_sso_success"];
    const CHANGES: [&str; 6] = [
        "team.add_member",
        "team.scim_add_member",
        "user.mfa_enabled",
        "team.remove_member",
        "user.password_change",
        "team.send_invite",
    ];
    const SETTINGS: [&str; 5] = [
        "user.apikey_create",
        "team.customauth.update",
        "team.add_domain",
        "team.add_card",
        "team.change_plan",
    ];
    const UNKNOWN: [&str; 4] = [
        "collection.shared",
        "workspace.role_changed",
        "api.schema_published",
        "user.browser_session_extended",
    ];
    let mut person = |id: &str| {
        let (name, username) = NAMES[next(6) as usize];
        let number = 10_000_000 + next(80_000_000);
        format!(
            r#"{{"name":"{name}","username":"{username}","email":"{username}@example.com","id":{number}{id}}}"#
        )
    };
    let (actor, user) = (person(r#","active":true"#), person(""));
    let kind = next(20);
    let (action, variables) = match kind {
        0..8 => (SIGN_INS[next(3) as usize], String::new()),
        8..12 => (CHANGES[next(6) as usize], r#","variables":{"roles":"user"}"#.to_owned()),
        12..16 => (
            SETTINGS[next(5) as usize],
            format!(r#","variables":{{"id":{},"name":"Okta SAML"}}"#, next(100_000)),
        ),
        16..18 => {
            let (one, two) = (10_000_000 + next(1_000_000), 20_000_000 + next(1_000_000));
            let users =
                format!(r#"{{\"{one}\":[\"user\",\"community-manager\",\"admin\"],\"{two}\":[\"user\"]}}"#);
            ("team.update_user_roles", format!(r#","variables":{{"users":"{users}"}}"#))
        }
        _ => (UNKNOWN[next(4) as usize], String::new()),
    };
    let user = if (16..18).contains(&kind) { String::new() } else { format!(r#""user":{user},"#) };
    let (a, b, c) = (next(223), next(255), next(255));
    let ip = if next(10) == 0 { "null".to_owned() } else { format!("\"203.{a}.{b}.{c}\"") };
    let (hour, minute, second, milli) = (next(24), next(60), next(60), next(1000));
    let day = 1 + next(28);
    let padding = "The action was taken through the web app of the team. ".repeat(1 + next(2) as usize);
    format!(
        r#"{{"id":{id},"ip":{ip},"userAgent":"Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0","action":"{action}","timestamp":"2026-10-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z","message":"{padding}","data":{{"actor":{actor},{user}"team":{{"name":"Test-Team","id":1234}}{variables}}}}}"#,
        id = 50_000_000 + n,
    )
}
