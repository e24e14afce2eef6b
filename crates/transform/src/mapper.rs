//! The one [`Transform`] of this crate: reads a record by its vendor's rules, writes it in the view's schema.

use std::cell::RefCell;

use pipeline::{EventWriter, Gap, Origin, Record, Transform};
use sha2::{Digest, Sha256};

use crate::entry::{Entry, Head};
use crate::generic::GenericReader;
use crate::ids::{self, Uuid};
use crate::json::{Buffers, Flaw, Kind, Value};
use crate::malformed::{Malformed, Why};
use crate::postman::PostmanReader;
use crate::{ecs, ocsf, raw};

/// What produced the records, in each schema's words.
#[derive(Clone, Debug)]
pub(crate) struct Product {
    /// Who makes it: `Postman`.
    pub(crate) vendor: Box<str>,
    /// What it is called: `Postman`.
    pub(crate) name: Box<str>,
    /// What the records are: `postman.audit`.
    pub(crate) dataset: Box<str>,
    /// ECS's short name for the vendor, and the namespace of its own fields: `postman`.
    pub(crate) module: Box<str>,
}

/// The rules by which records are read: one vendor's.
pub(crate) enum Reader {
    Postman(PostmanReader),
    Generic(GenericReader),
}

/// The schema in which events are written.
pub(crate) enum Encoder {
    Ocsf(ocsf::Encoder),
    Ecs(ecs::Encoder),
    Raw,
}

/// Reader and encoder of one view of one source.
pub(crate) struct Mapper {
    pub(crate) product: Product,
    pub(crate) reader: Reader,
    pub(crate) encoder: Encoder,
}

/// Memory used again for each record, so that ordinary records need no allocation.
#[derive(Default)]
pub(crate) struct Scratch {
    record: Buffers,
    pub(crate) within: Within,
    identity: Vec<u8>,
}

/// Memory for what is read out of a record's values.
#[derive(Default)]
pub(crate) struct Within {
    /// Places of a mapping that have been met.
    pub(crate) met: Vec<u64>,
    /// The order of users.
    pub(crate) order: Vec<u32>,
    /// The action's words.
    pub(crate) words: String,
    /// Names made of those words.
    pub(crate) label: String,
    pub(crate) name: String,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

impl Transform for Mapper {
    fn apply(&self, record: &Record<'_>, out: &mut EventWriter) {
        SCRATCH.with_borrow_mut(|scratch| match simdutf8::basic::from_utf8(record.text) {
            Ok(text) => self.apply_text(record, text, None, scratch, out),
            Err(_) => {
                let text = String::from_utf8_lossy(record.text);
                self.apply_text(record, &text, Some(Why::NotUtf8), scratch, out);
            }
        });
    }

    fn gap(&self, origin: &Origin, gap: &Gap, out: &mut EventWriter) {
        match &self.encoder {
            Encoder::Ocsf(encoder) => encoder.write_gap(origin, gap, out),
            Encoder::Ecs(encoder) => encoder.write_gap(origin, gap, out),
            Encoder::Raw => {}
        }
    }
}

impl Mapper {
    fn apply_text(
        &self,
        record: &Record<'_>,
        text: &str,
        flaw: Option<Why>,
        scratch: &mut Scratch,
        out: &mut EventWriter,
    ) {
        let Scratch { record: buffers, within, identity } = scratch;
        buffers.read(text, |root| self.apply_parsed(record, text, flaw, root, within, identity, out));
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one record; bundling them would only rename them"
    )]
    fn apply_parsed(
        &self,
        record: &Record<'_>,
        text: &str,
        flaw: Option<Why>,
        root: Result<Value<'_>, Flaw>,
        within: &mut Within,
        memory: &mut Vec<u8>,
        out: &mut EventWriter,
    ) {
        let object = root.ok().filter(|root| root.kind() == Kind::Object);
        let why = match (flaw, root, object) {
            (Some(flaw), ..) => flaw,
            (None, Err(flaw), _) => Why::Unreadable(flaw),
            (None, Ok(_), None) => Why::NotAnObject,
            (None, Ok(_), Some(object)) => match &self.read(object, within) {
                Ok(entry) => {
                    let mut identity = Identity::new(&self.product, &entry.head, memory);
                    self.write(record, text, entry, &mut identity, out);
                    return;
                }
                Err(why) => *why,
            },
        };
        let head = object.map(|object| self.head(object, within)).unwrap_or_default();
        let malformed = Malformed { text, root: root.ok(), head, why };
        let mut identity = Identity::new(&self.product, &head, memory);
        self.write_malformed(record, &malformed, &mut identity, out);
    }

    fn read<'a>(&'a self, root: Value<'a>, within: &'a mut Within) -> Result<Entry<'a>, Why> {
        match &self.reader {
            Reader::Postman(reader) => reader.read(root, within),
            Reader::Generic(reader) => reader.read(root, within),
        }
    }

    fn head<'a>(&self, root: Value<'a>, within: &'a mut Within) -> Head<'a> {
        match &self.reader {
            Reader::Postman(_) => PostmanReader::head(root),
            Reader::Generic(reader) => reader.head(root, within),
        }
    }

    fn write(
        &self,
        record: &Record<'_>,
        text: &str,
        entry: &Entry<'_>,
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        match &self.encoder {
            Encoder::Ocsf(encoder) => encoder.write(record, text, entry, identity, out),
            Encoder::Ecs(encoder) => encoder.write(record, text, entry, identity, out),
            Encoder::Raw => raw::write(record, text, entry, identity, out),
        }
    }

    fn write_malformed(
        &self,
        record: &Record<'_>,
        malformed: &Malformed<'_>,
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        match &self.encoder {
            Encoder::Ocsf(encoder) => encoder.write_malformed(record, malformed, identity, out),
            Encoder::Ecs(encoder) => encoder.write_malformed(record, malformed, identity, out),
            Encoder::Raw => raw::write_malformed(record, malformed, identity, out),
        }
    }
}

/// The ids of one record's events.
pub(crate) struct Identity<'s> {
    dataset: &'s str,
    tenant: &'s str,
    /// The vendor's id; empty when there is none.
    native: &'s str,
    memory: &'s mut Vec<u8>,
}

impl<'s> Identity<'s> {
    fn new(product: &'s Product, head: &Head<'s>, memory: &'s mut Vec<u8>) -> Self {
        let text = |text: Option<crate::entry::Text<'s>>| text.map_or("", |text| text.value);
        Self { dataset: &product.dataset, tenant: text(head.tenant), native: text(head.id), memory }
    }

    /// Memory for whatever is composed on the way.
    pub(crate) fn memory(&mut self) -> &mut Vec<u8> {
        self.memory
    }

    /// OCSF's `metadata.uid` of event `n`. The SHA-256 of the record stands in for an id that it has not.
    pub(crate) fn event_uuid(&mut self, record: &Record<'_>, n: usize) -> Uuid {
        let digest;
        let native = if self.native.is_empty() {
            let bytes = Sha256::digest(record.text);
            digest = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            &digest
        } else {
            self.native
        };
        ids::event_uuid(self.memory, self.dataset, self.tenant, native, n)
    }

    /// [`pipeline::EventMeta::id`] of event `n`.
    pub(crate) fn event_id(&mut self, record: &Record<'_>, n: usize) -> u128 {
        ids::event_id(self.memory, self.dataset, self.tenant, self.native, n as u64, record.id.content)
    }
}
