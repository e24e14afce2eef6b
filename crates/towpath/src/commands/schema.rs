//! `towpath schema`

use std::io::Write as _;

use crate::cli::{SchemaArgs, SchemaOf};
use crate::connectors;
use crate::failure::Failure;

/// The JSON Schema of the configuration, as `config/schema.json` holds it.
pub(crate) fn config_schema() -> String {
    let mut text =
        serde_json::to_string_pretty(&config::schema(&connectors::types())).expect("a schema is plain data");
    text.push('\n');
    text
}

pub(crate) fn run(args: &SchemaArgs) -> Result<(), Failure> {
    let SchemaOf::Config = args.of;
    Ok(std::io::stdout().write_all(config_schema().as_bytes())?)
}
