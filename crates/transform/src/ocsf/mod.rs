//! OCSF: an entry becomes one event, or one for each user whose roles changed.
//!
//! [`version`] says what the versions differ in, [`class`] holds the fixed words, [`shape`] chooses the class,
//! [`event`] writes it with [`objects`] and [`observables`], [`base`] writes what could not be mapped, and gaps.

mod address;
mod base;
mod class;
mod event;
mod objects;
mod observables;
mod shape;
mod version;

pub(crate) use class::activities;
pub(crate) use shape::{severity_of_all, shape};
pub(crate) use version::{NAMES, Version};

use pipeline::Origin;

use crate::json::{Line, escape, key};
use crate::mapper::Product;

/// Writes events of one OCSF version for the records of one product.
pub(crate) struct Encoder {
    version: Version,
    keep_raw: bool,
    /// The beginning of every event: the members of `metadata` that are always the same.
    head: Box<str>,
    /// The member that follows it unless the record could not be mapped.
    provider: Box<str>,
}

impl Encoder {
    pub(crate) fn new(version: Version, product: &Product, keep_raw: bool) -> Self {
        let head = metadata(version, &product.name, &product.vendor, Some("Audit Logs"), &product.dataset);
        let mut provider = Vec::new();
        Line::new(&mut provider).string(key!("log_provider"), &product.vendor);
        Self { version, keep_raw, head: text(head), provider: text(provider) }
    }
}

/// `{"metadata":{` with what is always the same in it.
fn metadata(version: Version, product: &str, vendor: &str, feature: Option<&str>, log: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut line = Line::new(&mut out);
    line.push("{\"metadata\":{");
    line.string(key!("version"), version.name);
    line.key(key!("product"));
    line.push("{");
    line.string(key!("name"), product);
    line.string(key!("vendor_name"), vendor);
    if let Some(feature) = feature {
        line.key(key!("feature"));
        line.push("{");
        line.string(key!("name"), feature);
        line.push("}");
    }
    line.push("}");
    line.string(key!("log_name"), log);
    out
}

/// The static labels of a source, as `name:value`.
fn write_labels(line: &mut Line<'_>, origin: &Origin) {
    if origin.labels.is_empty() {
        return;
    }
    line.key(key!("labels"));
    line.push("[");
    for (name, value) in &origin.labels {
        line.item();
        line.push("\"");
        escape(line.buffer(), name.as_bytes());
        line.push(":");
        escape(line.buffer(), value.as_bytes());
        line.push("\"");
    }
    line.push("]");
}

fn text(json: Vec<u8>) -> Box<str> {
    String::from_utf8(json)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
        .into()
}
