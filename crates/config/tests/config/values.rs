//! What values become in the connectors' structs.

use std::path::Path;
use std::time::Duration;

use config::{Config, EventSchema, Listen, MAX_FILE, OcsfVersion};
use settings::ByteSize;

use crate::connectors::{Auth, Compression, Fake, HttpConfig, OneOrMany, PostmanConfig, load, types};

fn right(text: &str, environment: &Fake) -> Config {
    let (config, report) = load(text, environment);
    assert_eq!(report.errors(), 0, "{report}");
    config.unwrap()
}

/// The `http` sink `w` with these keys.
fn http(keys: &str, environment: &Fake) -> HttpConfig {
    let text = format!(
        "sources: {{ p: {{ type: postman, api_key: \"${{KEY}}\" }} }}\nsinks:\n  w:\n    type: http\n    url: u\n{keys}"
    );
    right(&text, environment).sinks[0].block.read().unwrap()
}

#[test]
fn variable_alone_takes_the_type_that_is_asked_for() {
    let environment = Fake::new(
        &[("KEY", "k"), ("N", "7"), ("YES", "true"), ("GZIP", "gzip"), ("SIZE", "2MiB"), ("HALF", "0.5")],
        &[],
    );
    let sink = http(
        "    concurrency: ${N}\n    quiet: \"${YES}\"\n    compression: ${GZIP}\n    max_body: ${SIZE}\n    share: ${HALF}\n    \
         headers: { n: \"${N}\", yes: \"${YES}\", m: '${N}${N}', version: 1.10, no: NO, \"on\": true }\n    \
         mirrors: [\"${N}\", 0x1F, 1e3]\n    topics: \"${N}\"\n    batch: { max_events: \"${NONE:-5}\" }\n",
        &environment,
    );
    assert_eq!((sink.concurrency, sink.quiet, sink.share), (Some(7), true, Some(0.5)));
    assert_eq!((sink.compression, sink.max_body), (Compression::Gzip, Some(ByteSize::mib(2))));
    let headers: Vec<(&str, &str)> = sink.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected =
        [("m", "77"), ("n", "7"), ("no", "NO"), ("on", "true"), ("version", "1.10"), ("yes", "true")];
    assert_eq!(headers, expected);
    assert_eq!(sink.mirrors, ["7", "0x1F", "1e3"]);
    assert_eq!(sink.topics, Some(OneOrMany::One("7".into())));
}

#[test]
fn variable_never_changes_the_structure() {
    for value in
        ["x\nadmin: off", "{a: b}", "[a]", "*a", "&a b", "# c", "null", "~", "${OTHER}", "'", "a: b", "- a"]
    {
        let environment = Fake::new(&[("KEY", value), ("OTHER", "seen")], &[("/run/key", value)]);
        let sink = http("    headers: { a: \"${KEY}\", b: 'x ${KEY}' }\n    topics: ${KEY}\n", &environment);
        assert_eq!((&*sink.headers["a"], &*sink.headers["b"]), (value, &*format!("x {value}")));
        assert_eq!(sink.topics, Some(OneOrMany::One(value.into())));
        let config = right(
            "sources: { p: { type: postman, api_key: \"${file:/run/key}\" } }\nsinks: { f: { type: file, path: x } }",
            &environment,
        );
        assert_eq!(config.admin.listen, Listen::default(), "{value}");
        let source: PostmanConfig = config.sources[0].block.read().unwrap();
        assert_eq!(source.api_key.expose(), value);
    }
}

#[test]
fn keys_and_comments_are_left_alone() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    let sink = http("    # ${NONE} ${\n    headers: { \"${NONE}\": $$5 }\n", &environment);
    assert_eq!(sink.headers.into_iter().collect::<Vec<_>>(), [("${NONE}".to_owned(), "$5".to_owned())]);
}

#[test]
fn secret_in_a_file_can_be_read_again() {
    let environment = Fake::new(&[("WHO", "Bearer"), ("KEY", "k")], &[("/run/key", "old\n")]);
    let Auth::Bearer(secret) =
        http("    auth: { bearer: \"${WHO} ${file:/run/key}!\" }\n", &environment).auth
    else {
        panic!("another variant")
    };
    assert_eq!(secret.expose(), "Bearer old!");
    let fresh = secret.refreshed(|path| {
        assert_eq!(path, Path::new("/run/key"));
        Ok("new".to_owned())
    });
    assert_eq!(fresh.unwrap().unwrap().expose(), "Bearer new!");
    let plain = right(
        "sources: { p: { type: postman, api_key: \"${KEY}\" } }\nsinks: { f: { type: file, path: x } }",
        &environment,
    );
    let source: PostmanConfig = plain.sources[0].block.read().unwrap();
    assert_eq!(source.api_key.refreshed(|_| panic!("reads no file")).unwrap(), None);
}

#[test]
fn enum_is_a_word_or_a_block_of_one_key() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    assert!(matches!(http("    auth: none\n", &environment).auth, Auth::None));
    let Auth::Basic { username, password } =
        http("    auth: { basic: { username: me, password: \"${KEY}\" } }\n", &environment).auth
    else {
        panic!("another variant")
    };
    assert_eq!((&*username, password.expose()), ("me", "k"));
    let many = http("    topics: [a, b]\n", &environment).topics;
    assert_eq!(many, Some(OneOrMany::Many(vec!["a".into(), "b".into()])));
}

#[test]
fn null_is_a_value_where_it_means_something() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    let sink =
        http("    max_body: null\n    concurrency: ~\n    topics: null\n    share: Null\n", &environment);
    assert_eq!((sink.max_body, sink.concurrency, sink.topics, sink.share), (None, None, None, None));
}

#[test]
fn defaults_stand_where_nothing_is_written() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    let config = right(
        "sources: { p: { type: postman, api_key: \"${KEY}\" } }\nsinks: { f: { type: file, path: x }, e: { type: elasticsearch, url: u } }",
        &environment,
    );
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.admin.listen.to_string(), "127.0.0.1:9600");
    assert!(config.admin.token.is_none());
    assert_eq!(config.limits.in_flight, ByteSize::mib(64));
    assert_eq!(config.drain_timeout.get(), Duration::from_secs(25));
    assert_eq!((config.retry.initial.to_string(), config.retry.max.to_string()), ("1s".into(), "1m".into()));
    assert_eq!(config.dead_letters.dir, Path::new("./data/dead-letters"));
    assert_eq!(config.dead_letters.max_size, ByteSize::mib(1024));
    assert_eq!(config.sources[0].labels, []);
    let [file, elastic] = &config.sinks[..] else { panic!("two sinks") };
    assert_eq!((file.schema, elastic.schema), (EventSchema::Ocsf, EventSchema::Ecs));
    assert_eq!((file.ocsf_version, file.keep_raw), (OcsfVersion::V1_8, true));
    assert_eq!(file.from, ["p"]);
    assert_eq!(file.batch, config::Batch::default());
    assert_eq!((file.batch.max_events.get(), file.batch.max_bytes), (1000, ByteSize::mib(1)));
    assert_eq!(file.batch.max_age.get(), Duration::from_secs(1));
    assert_eq!(file.retry, config.retry);
}

#[test]
fn what_is_written_wins_key_by_key() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    let config = right(
        "
data_dir: /var/lib/towpath
limits: { in_flight: 1MiB }
retry: { max: 5m }
admin: { listen: off }
sources:
  b: { type: postman, api_key: \"${KEY}\", labels: { zone: eu, env: prod, build: 12 } }
  a: { type: postman, api_key: \"${KEY}\" }
sinks:
  f: { type: file, path: x, schema: raw, keep_raw: false, from: [a, b], batch: { max_age: 2s }, retry: { initial: 3s } }
  g: { type: file, path: y, ocsf_version: 1.1.0 }
",
        &environment,
    );
    assert_eq!(config.dead_letters.dir, Path::new("/var/lib/towpath/dead-letters"));
    assert_eq!(config.admin.listen, Listen::Off);
    let names: Vec<&str> = config.sources.iter().map(|source| &*source.name).collect();
    assert_eq!(names, ["b", "a"], "in the order of the file");
    let labels: Vec<(&str, &str)> = config.sources[0].labels.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(labels, [("zone", "eu"), ("env", "prod"), ("build", "12")]);
    let sink = &config.sinks[0];
    assert_eq!(
        (sink.schema, sink.keep_raw, &sink.from[..]),
        (EventSchema::Raw, false, &["a".into(), "b".into()][..])
    );
    assert_eq!((sink.batch.max_events.get(), sink.batch.max_age.get()), (1000, Duration::from_secs(2)));
    assert_eq!(sink.batch.max_bytes, ByteSize::kib(512), "a default stays within half of the budget");
    assert_eq!((sink.retry.initial.to_string(), sink.retry.max.to_string()), ("3s".into(), "5m".into()));
    assert_eq!(config.sinks[1].from, ["b", "a"]);
    assert_eq!(config.sinks[1].ocsf_version.name(), "1.1.0");
}

#[test]
fn aliases_repeat_a_value() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    let config = right(
        "
sources: { p: { type: postman, api_key: &key \"${KEY}\" }, q: { type: postman, api_key: *key } }
sinks:
  f: { type: file, path: x, batch: &batch { max_events: 5 } }
  g: { type: file, path: y, batch: *batch }
",
        &environment,
    );
    assert_eq!(config.sinks[1].batch.max_events.get(), 5);
    let source: PostmanConfig = config.sources[1].block.read().unwrap();
    assert_eq!(source.api_key.expose(), "k");
}

#[test]
fn hostile_files_are_refused_quickly() {
    let bomb: String = std::iter::once("a0: &a0 [x, x]\n".to_owned())
        .chain((1..60).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)))
        .collect();
    let chain: String = std::iter::once("a0: &a0 [x]\n".to_owned())
        .chain((1..20_000).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)))
        .collect();
    for (text, message) in [
        (bomb, "the configuration has more than 50000 values, aliases unfolded"),
        (chain, "the configuration has more than 50000 values, aliases unfolded"),
        (
            format!("a: [{}]", "x,".repeat(60_000)),
            "the configuration has more than 50000 values, aliases unfolded",
        ),
        ("[".repeat(500_000), "blocks are nested too deeply"),
        ("a: {".repeat(200_000), "blocks are nested too deeply"),
        ("- ".repeat(200_000), "blocks are nested too deeply"),
        ("#".repeat(1_048_577), "the file is larger than 1MiB"),
        ("a: \0".to_owned(), "a value cannot begin with this character"),
    ] {
        let Err(report) = config::parse(Path::new("t"), &text, &types(), &Fake::default()) else {
            panic!("{message}")
        };
        assert_eq!(report.diagnostics()[0].message, message);
    }
    assert_eq!(MAX_FILE, ByteSize::mib(1));
}

#[test]
fn byte_order_mark_takes_no_column() {
    let (_, report) = load("\u{feff}sorces: {}\n", &Fake::default());
    assert_eq!((report.diagnostics()[0].line, report.diagnostics()[0].column), (1, 1));
    assert_eq!(&*report.diagnostics()[0].snippet.text, "sorces: {}");
}

#[test]
fn comments_may_be_many_and_line_ends_of_any_kind() {
    let environment = Fake::new(&[("KEY", "k")], &[]);
    let text = "\u{feff}sources:\n  p:\n    type: postman\n    api_key: ${KEY}\nsinks:\n  f:\n    type: file\n    path: x\n";
    let commented = text.replace('\n', &format!("\n{}", "  # schema: raw\n".repeat(200)));
    for text in [text.to_owned(), commented, text.replace('\n', "\r\n")] {
        assert_eq!(right(&text, &environment).sinks.len(), 1);
    }
}

#[test]
fn more_sinks_than_can_be_told_apart_are_an_error_at_the_first_that_is_too_many() {
    let text = |sinks: usize, more: &str| {
        let sinks: String = (1..=sinks).map(|n| format!("  s{n}: {{ type: file, path: f{n} }}\n")).collect();
        format!(
            "sources:\n  p: {{ type: postman, api_key: '${{KEY}}' }}\n  q: {{ type: postman, api_key: '${{KEY}}' }}\n\
             sinks:\n{sinks}{more}"
        )
    };
    let environment = Fake::new(&[("KEY", "k")], &[]);
    right(
        &text(63, "  a: { type: file, path: a, from: [p] }\n  b: { type: file, path: b, from: [q] }\n"),
        &environment,
    );
    let (_, report) = load(&text(65, "  a: { type: file, path: a, from: [q] }\n"), &environment);
    let told: Vec<_> = report.diagnostics().iter().map(|told| (told.line, &*told.message)).collect();
    let [(69, of_p), (69, of_q)] = told[..] else { panic!("{report}") };
    assert!(of_p.starts_with("more than 64 sinks take from the source `p`"), "{of_p}");
    assert!(of_q.starts_with("more than 64 sinks take from the source `q`"), "{of_q}");
    assert!(report.to_string().contains("with its own `data_dir`"), "{report}");
}
