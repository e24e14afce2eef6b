//! What Elasticsearch and OpenSearch refuse of a request and of its documents, in their types of errors, which `answers.rs`
//! compares with those of real nodes.

use std::io::Read;

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::json;
use serde_json::value::RawValue;
use testkit::http::Request;

use crate::cluster::{Document, Setup, error};

/// The refusal of a document: status, type, words.
pub(crate) type Refusal = (u16, &'static str, String);

/// A document, and its refusal if it has one.
pub(crate) type Judged = (Document, Option<Refusal>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Action {
    create: Meta,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    #[serde(rename = "_index")]
    index: Option<String>,
    #[serde(rename = "_id")]
    id: String,
}

/// Which media types go together: both with a version or neither, and none with a version to OpenSearch.
pub(crate) fn media_types(request: &Request, setup: &Setup) -> Result<(), (u16, String)> {
    let content = request.header("content-type").unwrap_or_default();
    let accept = request.header("accept").unwrap_or("*/*");
    let versioned = |text: &str| text.starts_with("application/vnd.elasticsearch+");
    let unsupported = || {
        let words = format!("Content-Type header [{content}] is not supported");
        Err((406, json!({"error": words, "status": 406}).to_string()))
    };
    if setup.opensearch && (versioned(content) || versioned(accept)) {
        return unsupported();
    }
    if versioned(content) != versioned(accept) {
        return Err(error(400, "media_type_header_exception", "A compatible version is required on both"));
    }
    if content.contains("x-ndjson") || content == "application/json" { Ok(()) } else { unsupported() }
}

/// The documents of a request, or what is wrong with the whole.
pub(crate) fn documents(
    request: &Request,
    query: &str,
    index: Option<&str>,
    setup: &Setup,
) -> Result<Vec<Judged>, (u16, String)> {
    let bad = |reason: &str| error(400, "illegal_argument_exception", reason);
    let mut pipeline = None;
    for (name, value) in query.split('&').filter_map(|parameter| parameter.split_once('=')) {
        match name {
            "filter_path" => {}
            "pipeline" => pipeline = Some(value),
            other => return Err(bad(&format!("request contains unrecognized parameter: [{other}]"))),
        }
    }
    if request.header("content-encoding") != setup.coding {
        return Err(bad("the test expects another coding"));
    }
    let mut text = Vec::new();
    match setup.coding {
        None => text.clone_from(&request.body),
        Some(_) => {
            let read = flate2::read::GzDecoder::new(&request.body[..]).read_to_end(&mut text);
            read.map_err(|_| bad("not in gzip format"))?;
        }
    }
    if text.is_empty() {
        return Err(error(400, "parse_exception", "request body is required"));
    }
    let text = String::from_utf8(text).map_err(|_| bad("not UTF-8"))?;
    let text = text
        .strip_suffix('\n')
        .ok_or_else(|| bad("The bulk request must be terminated by a newline [\\n]"))?;
    let invalid = |reason: &str| error(400, "action_request_validation_exception", reason);
    let mut documents = Vec::new();
    let mut lines = text.split('\n');
    while let Some(action) = lines.next() {
        if action.is_empty() {
            continue;
        }
        let Action { create: Meta { index: own, id } } =
            serde_json::from_str(action).map_err(|error| unreadable(&error, setup))?;
        // An action at the end without a document is passed over.
        let Some(text) = lines.next() else { break };
        if id.len() > 512 {
            return Err(invalid(&format!("id [{id}] is too long, must be no longer than 512 bytes")));
        }
        let Some(index) = own.or(index.map(str::to_owned)) else {
            return Err(invalid("index is missing"));
        };
        let document = Document { index, id, text: text.to_owned() };
        let refusal = match pipeline {
            Some(name) if !setup.pipelines.contains(&name) => {
                Some((400, "illegal_argument_exception", format!("pipeline with id [{name}] does not exist")))
            }
            _ => refusal(&document, setup),
        };
        documents.push((document, refusal));
    }
    if documents.is_empty() {
        Err(invalid("Validation Failed: 1: no requests added;"))
    } else {
        Ok(documents)
    }
}

/// What is said of a line that is no action.
fn unreadable(wrong: &serde_json::Error, setup: &Setup) -> (u16, String) {
    let kind = match (wrong.classify(), setup.opensearch) {
        (Category::Syntax, true) => "json_parse_exception",
        (Category::Syntax, false) => "x_content_parse_exception",
        (Category::Eof, true) => "json_e_o_f_exception",
        (Category::Eof, false) => "x_content_e_o_f_exception",
        (Category::Data | Category::Io, _) => "illegal_argument_exception",
    };
    error(400, kind, &format!("Malformed action/metadata line: {wrong}"))
}

/// Why a document is not stored.
fn refusal(document: &Document, setup: &Setup) -> Option<Refusal> {
    let Document { index, id, text } = document;
    if index.chars().any(|c| c.is_uppercase() || "\\/*?\"<>| ,#:".contains(c))
        || index.starts_with(['-', '_', '+'])
    {
        return Some((400, "invalid_index_name_exception", format!("Invalid index name [{index}]")));
    }
    if setup.absent.contains(&index.as_str()) {
        return Some((404, "index_not_found_exception", format!("no such index [{index}]")));
    }
    if id.is_empty() {
        let words = "if _id is specified it must not be empty".to_owned();
        return Some((400, "illegal_argument_exception", words));
    }
    let unparsed = if setup.opensearch { "mapper_parsing_exception" } else { "document_parsing_exception" };
    let members = match object(text) {
        Ok(members) => members,
        Err(reason) => {
            let is_followed = reason.contains("trailing characters") && text.starts_with('{');
            let kind = if is_followed && !setup.opensearch { "illegal_argument_exception" } else { unparsed };
            return Some((400, kind, reason));
        }
    };
    let of = |name: &str| members.iter().find(|(key, _)| key == name).map(|(_, value)| value.get());
    let wrong = if setup.data_streams.contains(&index.as_str())
        && of("@timestamp").is_none_or(|time| time.len() < 22 || !time.ends_with("Z\""))
    {
        Err("data stream timestamp field [@timestamp] is missing".to_owned())
    } else if setup.is_mapped && of("n").is_some_and(|value| value.starts_with('"')) {
        Err("failed to parse field [n] of type [long]".to_owned())
    } else {
        members.iter().try_for_each(|(_, value)| sound(value.get(), setup))
    };
    wrong.err().map(|reason| (400, unparsed, reason))
}

/// Whether a value can be stored, however deep something in it.
fn sound(text: &str, setup: &Setup) -> Result<(), String> {
    match text.as_bytes().first() {
        Some(b'{') => object(text)?.iter().try_for_each(|(_, value)| sound(value.get(), setup)),
        Some(b'[') => {
            let values: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| error.to_string())?;
            values.iter().try_for_each(|value| sound(value.get(), setup))
        }
        Some(b'-' | b'0'..=b'9') if setup.is_mapped => {
            let is_whole = !text.contains(['.', 'e', 'E']);
            let fits = match is_whole {
                true => text.parse::<i64>().is_ok(),
                false => text.parse::<f32>().is_ok_and(f32::is_finite),
            };
            if fits { Ok(()) } else { Err("failed to parse: out of range".to_owned()) }
        }
        _ => Ok(()),
    }
}

/// The members of an object, none of them twice and each with a name.
fn object(text: &str) -> Result<Vec<(String, Box<RawValue>)>, String> {
    struct Members(Vec<(String, Box<RawValue>)>);
    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let mut members = Vec::new();
                    while let Some(member) = map.next_entry()? {
                        members.push(member);
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    let Members(members) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if names.contains(&"") {
        return Err("field name cannot be an empty string".to_owned());
    }
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("Duplicate field '{}'", twice[0]));
    }
    Ok(members)
}
