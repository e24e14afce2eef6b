//! Index templates: how a cluster should store events. They are files, made for each product by
//! `tests/all/templates.rs`; nothing is sent by the sink itself.

use crate::config::Flavor;

/// For which events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateSchema {
    /// ECS documents.
    Ecs,
    /// OCSF events.
    Ocsf,
}

/// The index template, as `PUT _index_template/NAME` takes it.
pub const fn template(schema: TemplateSchema, flavor: Flavor) -> &'static str {
    match (schema, flavor) {
        (TemplateSchema::Ecs, Flavor::Elasticsearch) => include_str!("../templates/ecs-elasticsearch.json"),
        (TemplateSchema::Ecs, Flavor::Opensearch) => include_str!("../templates/ecs-opensearch.json"),
        (TemplateSchema::Ocsf, Flavor::Elasticsearch) => include_str!("../templates/ocsf-elasticsearch.json"),
        (TemplateSchema::Ocsf, Flavor::Opensearch) => include_str!("../templates/ocsf-opensearch.json"),
    }
}
