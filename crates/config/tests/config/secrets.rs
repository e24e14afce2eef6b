//! Secrets are in no output, whatever is wrong around them.

use config::Report;
use settings::Invalid;

use crate::connectors::{Fake, HttpConfig, PostmanConfig, load};

/// Stands wherever a secret can stand; no piece of it may be seen.
const SECRET: &str = "zq7kxj9zq7kxj9";

/// The report, checked.
fn told(text: &str, environment: &Fake) -> Report {
    let (config, report) = load(text, environment);
    let seen = format!("{report}\n{report:?}\n{config:?}");
    for start in 0..7 {
        let piece = &SECRET[start..start + 4];
        assert!(!seen.contains(piece), "`{piece}` is told of\n{text}\n{report}");
    }
    report
}

fn environment() -> Fake {
    let variables = [("KEY", SECRET), ("URL", &*format!("https://me:{SECRET}@a.example/{SECRET}"))];
    Fake::new(&variables, &[("/run/key", SECRET)])
}

/// A configuration with a secret in every way of writing one.
const CONFIG: &str = r#"drain_timeout: 25s
sources:
  a:
    type: postman
    api_key: zq7kxj9zq7kxj9     # was zq7kxj9zq7kxj9
    overlap: 1m
  b: { type: postman, api_key: 'zq7kxj9zq7kxj9', start: all }
  c:
    api_key: |
      zq7kxj9zq7kxj9
    type: postman
  d: { api_key: "${KEY}", url: "${URL}", type: postman }
sinks:
  w:
    auth: { basic: { password: "zq7kxj9zq7kxj9", username: me } }
    headers: { X-Token: zq7kxj9zq7kxj9, Accept: a }
    url: "https://me:zq7kxj9zq7kxj9@a.example/?k=zq7kxj9zq7kxj9"
    type: http
"#;

#[test]
fn configuration_itself_is_right() {
    assert_eq!(told(CONFIG, &environment()).errors(), 0);
}

#[test]
fn no_typing_error_brings_a_secret_to_light() {
    let environment = environment();
    let slips = [":", "\"", "{", ",", "\n", "- "];
    for at in 0..CONFIG.len() {
        let (before, after) = CONFIG.split_at(at);
        told(before, &environment);
        told(&format!("{before}{}", &after[1..]), &environment);
        // Two of them at each place: all of them within every three.
        for slip in slips.iter().skip(at % 3).step_by(3) {
            told(&format!("{before}{slip}{after}"), &environment);
        }
    }
}

#[test]
fn no_mistake_brings_a_secret_to_light() {
    let environment = environment();
    let base = "sinks: { f: { type: file, path: x } }\nsources:\n  p:\n    type: postman\n";
    for mistake in [
        "    apikey: zq7kxj9zq7kxj9\n",
        "    apikey: [zq7kxj9zq7kxj9, { zq7kxj9zq7kxj9: zq7kxj9zq7kxj9 }]\n",
        "    api_key: [zq7kxj9zq7kxj9]\n",
        "    api_key: { zq7kxj9zq7kxj9 }\n",
        "    api_key: &zq7kxj9zq7kxj9 x\n    typo: 1\n",
        "    api_key: !zq7kxj9zq7kxj9 x\n    typo: 1\n",
        "    api_key: *zq7kxj9zq7kxj9\n",
        "    api_key: ${zq7kxj9-zq7kxj9}\n",
        "    api_key: ${zq7kxj9zq7kxj9\n",
        "    api_key: ${NONE:-zq7kxj9zq7kxj9}\n    typo: 1\n",
        "    api_key: ${KEY}\n    poll_interval: ${KEY}\n",
        "    api_key: x${KEY}\n    start: [${KEY}]\n    requests_per_minute: ${KEY}\n",
        "    api_key: ${file:/run/key}\n    overlap: ${file:/run/key}\n    type: x\n",
        "    api_key: \"zq7kxj9zq7kxj9\n      zq7kxj9zq7kxj9\"\n    typo: 1\n",
        "    api_key: >\n      zq7kxj9zq7kxj9\n\n      zq7kxj9zq7kxj9\n    typo: 1\n",
        "    api_key:zq7kxj9zq7kxj9\n",
        "    api_key: zq7kxj9zq7kxj9: zq7kxj9zq7kxj9\n",
        "    api_key: @zq7kxj9zq7kxj9\n",
        "    api_key: `zq7kxj9zq7kxj9`\n",
        "    api_key: \"zq7kxj9zq7kxj9\\q\"\n",
        "    api_key: 'zq7kxj9zq7kxj9' zq7kxj9zq7kxj9\n",
        "    api_key: [zq7kxj9zq7kxj9\n",
        "    api_key: a # zq7kxj9zq7kxj9\n    typo: 1 # zq7kxj9zq7kxj9\n",
        "    ? zq7kxj9zq7kxj9 zq7kxj9zq7kxj9\n    : a\n",
        "    ? [zq7kxj9zq7kxj9]\n    : a\n",
        "    type: zq7kxj9zq7kxj9zq7kxj9zq7kxj9\n",
        "    api_key: a\n    tls: zq7kxj9zq7kxj9zq7kxj9:\n",
        "    url: https://zq7kxj9zq7kxj9@a/\n    typo: 1\n    api_key: ''\n",
        "    api_key: a\n    url: ${URL}\n    typo: ${URL}\n",
        "%zq7kxj9zq7kxj9\n",
        "--- zq7kxj9zq7kxj9\n",
    ] {
        assert!(told(&format!("{base}{mistake}"), &environment).errors() > 0, "{mistake}");
        let flow = mistake.trim().replace("\n    ", ", ").replace('\n', " ");
        told(&format!("sources: {{ p: {{ type: postman, {flow} }}, typo: 1 }}\n"), &environment);
        told(&format!("{base}{mistake}").replace('\n', "\r\n"), &environment);
    }
}

#[test]
fn words_of_connectors_are_scrubbed() {
    let text = r#"
sources: { p: { type: postman, api_key: "${KEY}", start: "${NONE:-all}" } }
sinks: { w: { type: http, url: x, auth: { bearer: zq7kxj9zq7kxj9 } } }
"#;
    let (config, _) = load(text, &environment());
    let config = config.unwrap();
    let source: PostmanConfig = config.sources[0].block.read().unwrap();
    let quoting = Invalid::new("api_key", format!("is `{}`", source.api_key.expose()), SECRET);
    let diagnostic = config.sources[0].block.diagnostic(&quoting);
    assert_eq!((&*diagnostic.message, &*diagnostic.help), ("`api_key` is `***`", "***"));
    let quoting = Invalid::new("auth.bearer", format!("{SECRET} {SECRET}"), "x");
    let diagnostic = config.sinks[0].block.diagnostic(&quoting);
    assert_eq!(diagnostic.message, "`auth.bearer` *** ***");
    assert!(config.sinks[0].block.read::<HttpConfig>().is_ok());
}
