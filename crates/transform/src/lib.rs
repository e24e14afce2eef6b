//! From vendors' audit records to OCSF and ECS events, or to the record itself on one line.
//!
//! ```
//! use pipeline::{EventWriter, Origin, Record, RecordId, Schema, Timestamp, View};
//!
//! let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
//! let postman = transform::postman(&view, transform::PostmanOptions::default())?;
//! let dataset = "postman.audit".into();
//! let origin = Origin { source: "postman".into(), kind: "postman".into(), dataset, labels: vec![] };
//! let text = br#"{"id":7,"action":"user.logout","data":{"user":{"id":1,"username":"ann"}}}"#;
//! let id = RecordId { second: 0, native: 7, content: 7 };
//! let collected_at = "2026-11-20T10:00:00Z".parse()?;
//! let mut out = EventWriter::default();
//! postman.apply(&Record { origin: &origin, text, id, collected_at }, &mut out);
//! assert_eq!(out.events()[0].class, 3002);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A transform never fails and never drops: a record that it cannot map, whatever bytes it is, becomes a base event that
//! says why and holds the record. What of a record has no place in the schema is kept beside it: `unmapped` in OCSF,
//! `<module>.audit.extra_json` in ECS. Transforms are pure: the same record gives the same bytes, but for the collection time in ECS.
//!
//! Where to find things: a module of one vendor ([`postman`]), or of any that a mapping describes ([`generic`]), reads a record into an `entry::Entry`, the neutral
//! form of an audit record; a schema module (`ocsf`, `ecs`, `raw`) writes it; `mapper` joins the two.
//! What the OCSF versions differ in is data, in `ocsf/version.rs`; the known actions of Postman are data, in `postman/actions.rs`.

mod activities;
mod ecs;
mod entry;
mod gap;
mod generic;
mod ids;
mod json;
mod malformed;
mod mapper;
mod ocsf;
mod postman;
mod raw;
mod rfc3339;
mod rules;
mod words;

use std::sync::Arc;

use pipeline::{Schema, Transform, View};

pub use generic::{
    ActionConfig, ActorTypesConfig, ClassName, FieldsConfig, GroupConfig, MappingConfig, MappingSettings,
    OutcomeName, OutcomesConfig, Paths, PersonConfig, SeverityName, TargetConfig, TenantConfig, UserConfig,
};
pub use postman::{ActionNames, UnknownActions};

use mapper::{Encoder, Mapper, Product, Reader};

/// The OCSF versions that events can be written in, oldest first.
pub const OCSF_VERSIONS: [&str; 4] = ocsf::NAMES;

/// The ECS version that documents are written in.
pub const ECS_VERSION: &str = ecs::VERSION;

/// The view asks for a version of its schema that this release does not write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no {} version {version:?}; this release writes {}", schema.name(), supported.join(", "))]
pub struct UnknownVersion {
    /// The schema.
    pub schema: Schema,
    /// The version asked for.
    pub version: Box<str>,
    /// The versions there are.
    pub supported: &'static [&'static str],
}

/// What the records of Postman are mapped with beyond the table of this crate.
#[derive(Clone, Debug, Default)]
pub struct PostmanOptions {
    /// What `GET /audit-actions` told.
    pub names: Arc<ActionNames>,
    /// Where to count actions that are mapped by rule of thumb. Give it to one view of a source.
    pub unknown: Option<Arc<UnknownActions>>,
}

/// The transform of Postman's audit records (`GET /audit/logs`) to `view`.
///
/// # Errors
/// When the view's version is not one of [`OCSF_VERSIONS`], or for ECS not [`ECS_VERSION`].
pub fn postman(view: &View, options: PostmanOptions) -> Result<Box<dyn Transform>, UnknownVersion> {
    let product = postman::product();
    let reader = postman::PostmanReader { names: options.names, unknown: options.unknown };
    Ok(Box::new(Mapper { encoder: encoder(view, &product)?, reader: Reader::Postman(reader), product }))
}

/// The transform to `view` of records of any API, as `settings` map them.
///
/// ```
/// use pipeline::{EventWriter, Origin, Record, RecordId, Schema, Timestamp, View};
///
/// let mapping: transform::MappingConfig = serde_json::from_str(r#"{
///     "fields": {"action": "kind", "actor": {"id": "by"}},
///     "actions": [{"match": "member.*", "class": "group_management"}]
/// }"#)?;
/// let settings = mapping.validate("acme").unwrap();
/// let view = View { schema: Schema::Ocsf, version: "1.8.0".into(), keep_raw: true };
/// let transform = transform::generic(&view, &settings)?;
/// let dataset = settings.dataset().into();
/// let origin = Origin { source: "acme".into(), kind: "audit_logs".into(), dataset, labels: vec![] };
/// let text = br#"{"kind":"member.added","by":7,"group":"Admins","target":{"type":"user","id":9}}"#;
/// let id = RecordId { second: 0, native: 7, content: 7 };
/// let mut out = EventWriter::default();
/// transform.apply(&Record { origin: &origin, text, id, collected_at: Timestamp::from_millis(0) }, &mut out);
/// assert_eq!(out.events()[0].class, 3006);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the view's version is not one of [`OCSF_VERSIONS`], or for ECS not [`ECS_VERSION`].
pub fn generic(view: &View, settings: &MappingSettings) -> Result<Box<dyn Transform>, UnknownVersion> {
    let product = settings.product().clone();
    let reader = generic::GenericReader::new(settings.clone());
    Ok(Box::new(Mapper { encoder: encoder(view, &product)?, reader: Reader::Generic(reader), product }))
}

fn encoder(view: &View, product: &Product) -> Result<Encoder, UnknownVersion> {
    let unknown =
        |supported| UnknownVersion { schema: view.schema, version: view.version.clone(), supported };
    match view.schema {
        Schema::Ocsf => {
            let version = ocsf::Version::find(&view.version).ok_or(unknown(&OCSF_VERSIONS))?;
            Ok(Encoder::Ocsf(ocsf::Encoder::new(version, product, view.keep_raw)))
        }
        Schema::Ecs if &*view.version == ECS_VERSION => {
            Ok(Encoder::Ecs(ecs::Encoder::new(product, view.keep_raw)))
        }
        Schema::Ecs => Err(unknown(&[ECS_VERSION])),
        Schema::Raw => Ok(Encoder::Raw),
    }
}
