//! Are events what OCSF and ECS say they are?
//!
//! Two layers: the published schemas as JSON Schema (`schemas/`, derived from OCSF and ECS, each under the licence beside
//! it), and the rules that JSON Schema cannot say: observables resolve, times are milliseconds, every identity is
//! in `related`.

use std::collections::HashSet;
use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, ValidationError, Validator};
use serde_json::Value;

/// The OCSF versions that [`check_ocsf`] knows.
pub const OCSF_VERSIONS: [&str; 4] = ["1.1.0", "1.3.0", "1.5.0", "1.8.0"];

/// 2000-01-01 to 2100-01-01 in milliseconds: an event time outside is in another unit.
const CREDIBLE_MILLIS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;

/// Checks one OCSF event, given as JSON text, against `version` of the schema.
///
/// # Errors
/// Everything that is wrong with it, each as `JSON pointer: what`.
///
/// # Panics
/// When `version` is not one of [`OCSF_VERSIONS`].
pub fn check_ocsf(version: &str, event: &[u8]) -> Result<(), Vec<String>> {
    let event = parse(event)?;
    against_schema(ocsf_validator(version), &event)?;
    let mut errors = Vec::new();
    if !event["time"].as_i64().is_some_and(|millis| CREDIBLE_MILLIS.contains(&millis)) {
        errors.push("/time: not epoch milliseconds".to_owned());
    }
    let observables = event["observables"].as_array().map_or(&[][..], Vec::as_slice);
    for (n, observable) in observables.iter().enumerate() {
        let name = observable["name"].as_str().unwrap_or_default();
        if at(&event, name) != observable.get("value") {
            errors.push(format!("/observables/{n}: {name} does not resolve to {}", observable["value"]));
        }
    }
    if event.get("raw_data").is_some_and(|raw| raw.as_str().is_none_or(|text| !is_json(text))) {
        errors.push("/raw_data: not JSON".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Checks one ECS 9.4.0 document, given as JSON text.
///
/// # Errors
/// Everything that is wrong with it, each as `JSON pointer or field: what`.
pub fn check_ecs(document: &[u8]) -> Result<(), Vec<String>> {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    let document = parse(document)?;
    let validator =
        VALIDATOR.get_or_init(|| compile(include_str!("../../schemas/ecs-9.4.0-slim.schema.json")));
    against_schema(validator, &document)?;
    let mut errors = Vec::new();
    let event = &document["event"];
    let dataset = event["dataset"].as_str().unwrap_or_default();
    if event["dataset"] != document["data_stream"]["dataset"] {
        errors.push("event.dataset: not data_stream.dataset".to_owned());
    }
    if !dataset.starts_with(event["module"].as_str().unwrap_or_default()) {
        errors.push("event.dataset: does not start with event.module".to_owned());
    }
    let (categories, types) = (strings(&event["category"]), strings(&event["type"]));
    if event["kind"] == "event" && !categories.is_empty() && types.is_empty() {
        errors.push("event.category: without event.type".to_owned());
    }
    let about_somebody = ["user", "group", "info"].iter().any(|kind| types.contains(kind));
    if categories.contains("iam") && !categories.contains("configuration") && !about_somebody {
        errors.push("event.type: an iam event needs user or group".to_owned());
    }
    let related = strings(&document["related"]["user"]);
    for base in ["user", "user.target", "user.effective"] {
        for key in ["id", "name", "email"] {
            let identity = at(&document, base).and_then(|user| user[key].as_str());
            if identity.is_some_and(|identity| !related.contains(identity)) {
                errors.push(format!("{base}.{key}: missing from related.user"));
            }
        }
    }
    let address = document["source"]["ip"].as_str();
    if address.is_some_and(|address| !strings(&document["related"]["ip"]).contains(address)) {
        errors.push("source.ip: missing from related.ip".to_owned());
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn ocsf_validator(version: &str) -> &'static Validator {
    const SCHEMAS: [&str; 4] = [
        include_str!("../../schemas/ocsf-1.1.0-slim.schema.json"),
        include_str!("../../schemas/ocsf-1.3.0-slim.schema.json"),
        include_str!("../../schemas/ocsf-1.5.0-slim.schema.json"),
        include_str!("../../schemas/ocsf-1.8.0-slim.schema.json"),
    ];
    static VALIDATORS: [OnceLock<Validator>; 4] = [const { OnceLock::new() }; 4];
    let known = OCSF_VERSIONS.iter().position(|known| *known == version);
    let n = known.unwrap_or_else(|| panic!("no schema of OCSF {version}; there is {OCSF_VERSIONS:?}"));
    VALIDATORS[n].get_or_init(|| compile(SCHEMAS[n]))
}

fn compile(schema: &str) -> Validator {
    let schema = serde_json::from_str(schema).expect("the schema file is JSON");
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .build(&schema)
        .expect("the schema file is a JSON Schema")
}

fn parse(event: &[u8]) -> Result<Value, Vec<String>> {
    serde_json::from_slice(event).map_err(|error| vec![format!("not JSON: {error}")])
}

fn against_schema(validator: &Validator, event: &Value) -> Result<(), Vec<String>> {
    let errors: Vec<String> = validator.iter_errors(event).map(|error| describe(&error)).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Of several alternatives that all fail, the one that came closest says best what is wrong.
fn describe(error: &ValidationError<'_>) -> String {
    if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } =
        error.kind()
        && let Some(closest) =
            context.iter().filter(|errors| !errors.is_empty()).min_by_key(|errors| errors.len())
    {
        return describe(&closest[0]);
    }
    let what: String = error.to_string().chars().take(300).collect();
    format!("{}: {what}", error.instance_path())
}

/// The value under a dotted path of object keys.
fn at<'v>(event: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(event, |value, key| value.get(key))
}

fn strings(array: &Value) -> HashSet<&str> {
    array.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether `text` is one JSON value. Only the grammar counts, so numbers of any size and lone surrogates are allowed.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests;
