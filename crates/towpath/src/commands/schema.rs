//! `towpath schema`

use std::io::Write as _;

use sink_elasticsearch::{Flavor, TemplateSchema, template};

use crate::admin::status::StatusDocument;
use crate::cli::{FlavorName, SchemaArgs, SchemaOf, TemplateOf};
use crate::connectors;
use crate::failure::Failure;

/// The JSON Schema of the configuration, as `config/schema.json` holds it.
pub(crate) fn config_schema() -> String {
    let mut text =
        serde_json::to_string_pretty(&config::schema(&connectors::types())).expect("a schema is plain data");
    text.push('\n');
    text
}

/// The JSON Schema of what `/status` answers.
fn status_schema() -> String {
    let schema = schemars::schema_for!(StatusDocument);
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain data");
    text.push('\n');
    text
}

fn index_template(schema: TemplateOf, flavor: FlavorName) -> &'static str {
    let schema = match schema {
        TemplateOf::Ecs => TemplateSchema::Ecs,
        TemplateOf::Ocsf => TemplateSchema::Ocsf,
    };
    let flavor = match flavor {
        FlavorName::Elasticsearch => Flavor::Elasticsearch,
        FlavorName::Opensearch => Flavor::Opensearch,
    };
    template(schema, flavor)
}

pub(crate) fn run(args: &SchemaArgs) -> Result<(), Failure> {
    let text = match args.of {
        SchemaOf::Config => config_schema(),
        SchemaOf::Status => status_schema(),
        SchemaOf::Elasticsearch => index_template(args.schema, args.flavor).to_owned(),
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
