//! ECS: an entry becomes one document.

mod category;
mod document;
mod malformed;
mod once;
mod people;

use pipeline::{Origin, Timestamp};

use crate::json::{Line, escape, key};
use crate::mapper::Product;

/// The version of ECS that documents are written in.
pub(crate) const VERSION: &str = "9.4.0";

/// Writes documents for the records of one product.
pub(crate) struct Encoder {
    keep_raw: bool,
    module: Box<str>,
    /// `,"ecs":…,"data_stream":…`
    head: Box<str>,
    /// `,"tags":…`
    tags: Box<str>,
    /// `"module":…,"dataset":…`
    source: Box<str>,
}

impl Encoder {
    pub(crate) fn new(product: &Product, keep_raw: bool) -> Self {
        let build = |write: &dyn Fn(&mut Line<'_>)| -> Box<str> {
            let mut out = Vec::new();
            write(&mut Line::new(&mut out));
            String::from_utf8_lossy(&out).into()
        };
        let head = build(&|line| {
            line.push(",\"ecs\":{");
            line.string(key!("version"), VERSION);
            line.push("},\"data_stream\":{\"type\":\"logs\"");
            line.string(key!("dataset"), &product.dataset);
            line.push(",\"namespace\":\"default\"}");
        });
        let tags = build(&|line| {
            line.push(",\"tags\":[\"");
            escape(line.buffer(), product.module.as_bytes());
            line.push("-audit\",\"forwarded\"");
            line.push(if keep_raw { ",\"preserve_original_event\"]" } else { "]" });
        });
        let source = build(&|line| {
            line.string(key!("module"), &product.module);
            line.string(key!("dataset"), &product.dataset);
        });
        Self { keep_raw, module: product.module.clone(), head, tags, source }
    }

    /// Opens the document and writes what every one begins with.
    fn begin(&self, line: &mut Line<'_>, time: Timestamp) {
        line.push("{");
        line.moment(key!("@timestamp"), time);
        line.push(&self.head);
    }
}

/// The static labels of a source. ECS wants them flat, so a dot in a name becomes an underscore.
fn write_labels(line: &mut Line<'_>, origin: &Origin) {
    if origin.labels.is_empty() {
        return;
    }
    line.key(key!("labels"));
    line.push("{");
    for (name, value) in &origin.labels {
        line.item();
        line.push("\"");
        for (n, part) in name.split('.').enumerate() {
            line.push(if n > 0 { "_" } else { "" });
            escape(line.buffer(), part.as_bytes());
        }
        line.push("\":\"");
        escape(line.buffer(), value.as_bytes());
        line.push("\"");
    }
    line.push("}");
}

/// `event.original`: the record as it was received. Keeping nothing of an empty one is all that ECS allows.
fn write_original(line: &mut Line<'_>, text: &str) {
    if !text.is_empty() {
        line.key(key!("original"));
        line.push("\"");
        escape(line.buffer(), text.as_bytes());
        line.push("\"");
    }
}
