//! The JSON Schema of a whole configuration, put together from the common keys and those of the connector types.
//!
//! The same schema serves twice: [`crate::check`] holds the tree against it, and [`schema`] publishes it for editors.

use std::collections::{BTreeMap, HashSet};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::connector::ConnectorType;
use crate::model::{General, SinkKeys, SourceKeys};
use crate::recipe::RECIPE;

/// What the names of sources and sinks look like: they become metric labels and file names.
pub(crate) const NAME_PATTERN: &str = "^[a-z][a-z0-9_-]{0,62}$";

/// The schemas of all parts of a configuration, over one set of definitions.
pub(crate) struct Schemas {
    definitions: Map<String, Value>,
    /// The top of the file, without `sources` and `sinks`.
    pub(crate) general: Value,
    /// The block of a source, by type.
    pub(crate) sources: BTreeMap<&'static str, Value>,
    /// The block of a sink, by type.
    pub(crate) sinks: BTreeMap<&'static str, Value>,
}

impl Schemas {
    pub(crate) fn new<'t>(types: impl IntoIterator<Item = &'t ConnectorType>) -> Self {
        let mut schemas = Self {
            definitions: Map::new(),
            general: Value::Null,
            sources: BTreeMap::new(),
            sinks: BTreeMap::new(),
        };
        schemas.general = schemas.part("towpath", root::<General>());
        let source = schemas.part("source", root::<SourceKeys>());
        let sink = schemas.part("sink", root::<SinkKeys>());
        for connector in types {
            let role = if connector.is_source() { "source" } else { "sink" };
            let schema = connector.schema();
            let parts = connector.parts(&schema);
            let own = schemas.part(&format!("{role}-{}", connector.name), schema.to_value());
            let mut block = block(connector.name, own, if connector.is_source() { &source } else { &sink });
            for (key, schema) in parts {
                let prefix = format!("{role}-{}-{key}", connector.name);
                block["properties"][key] = schemas.part(&prefix, schema.to_value());
            }
            if !connector.recipes.is_empty() {
                block["properties"][RECIPE] = json!({
                    "type": "string",
                    "description": "The recipe that has what this block leaves out: a name (see `towpath recipes list`), or the path of a file, which counts from this one. Takes no `${…}`.",
                });
            }
            let blocks = if connector.is_source() { &mut schemas.sources } else { &mut schemas.sinks };
            blocks.insert(connector.name, block);
        }
        schemas
    }

    /// The schema of a struct `T` that has one more key, a block of anything, and what that schema refers to.
    pub(crate) fn with_extra<T: JsonSchema>(prefix: &str, key: &str) -> (Self, Value) {
        let mut schemas = Self::new([]);
        let mut schema = schemas.part(prefix, root::<T>());
        schema["properties"][key] = json!({ "type": "object" });
        if let Some(required) = schema["required"].as_array_mut() {
            required.push(json!(key));
        }
        (schemas, schema)
    }

    /// Takes the definitions of a part in, under names of its own, and gives the rest back.
    fn part(&mut self, prefix: &str, mut schema: Value) -> Value {
        tidy(&mut schema, prefix);
        let Value::Object(object) = &mut schema else { return schema };
        object.remove("$schema");
        object.remove("title");
        if let Some(Value::Object(definitions)) = object.remove("$defs") {
            self.definitions
                .extend(definitions.into_iter().map(|(name, value)| (format!("{prefix}.{name}"), value)));
        }
        schema
    }

    /// The schema that a `$ref` stands for, or the schema itself.
    pub(crate) fn target<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/$defs/"));
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }

    /// Every key that some block has.
    pub(crate) fn vocabulary(&self) -> HashSet<String> {
        fn collect(schema: &Value, words: &mut HashSet<String>) {
            match schema {
                Value::Object(object) => {
                    if let Some(Value::Object(properties)) = object.get("properties") {
                        words.extend(properties.keys().cloned());
                    }
                    object.values().for_each(|value| collect(value, words));
                }
                Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
                _ => {}
            }
        }
        let mut words = HashSet::from(["sources".to_owned(), "sinks".to_owned()]);
        self.definitions
            .values()
            .chain(self.sources.values())
            .chain(self.sinks.values())
            .chain([&self.general])
            .for_each(|schema| collect(schema, &mut words));
        words
    }
}

/// The JSON Schema (draft 2020-12) of a configuration with these connector types, for editors and other tools. Wherever a
/// single value is expected it takes `${…}` too. Keys are sorted, so that the text is always the same.
///
/// # Panics
/// When a type has a key twice: of its own, as a part, or one that all of its role have.
pub fn schema(types: &[ConnectorType]) -> Value {
    let Schemas { definitions, general, mut sources, sinks } = Schemas::new(types);
    sources.values_mut().for_each(recipe_or_keys);
    let named = |blocks: BTreeMap<&str, Value>, description: &str| {
        json!({
            "type": "object",
            "description": description,
            "minProperties": 1,
            "propertyNames": { "pattern": NAME_PATTERN },
            "additionalProperties": { "oneOf": blocks.into_values().collect::<Vec<_>>() },
        })
    };
    let mut root = general;
    root["properties"]["sources"] =
        named(sources, "What to collect. The name of a source becomes a metric label.");
    root["properties"]["sinks"] =
        named(sinks, "Where to deliver. The name of a sink becomes a metric label.");
    root["required"] = json!(["sinks", "sources"]);
    root["$defs"] = definitions.into();
    accept_references(&mut root, false);
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("Towpath configuration");
    root["description"] = json!("Collects audit trails of SaaS vendors and delivers them to a SIEM.");
    sorted(root)
}

/// Where a block may name a recipe, nothing else is required of one that does.
fn recipe_or_keys(block: &mut Value) {
    if block["properties"].get(RECIPE).is_none() {
        return;
    }
    let required = std::mem::replace(&mut block["required"], json!(["type"]));
    block["anyOf"] = json!([{ "required": [RECIPE] }, { "required": required }]);
}

fn root<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// One type's block: its own keys, the common ones and `type`.
fn block(name: &str, own: Value, common: &Value) -> Value {
    let properties_of = |schema: &Value| schema["properties"].as_object().cloned().unwrap_or_default();
    let mut properties = properties_of(common);
    properties.extend(properties_of(&own));
    properties.insert("type".to_owned(), json!({ "const": name, "description": "What it is." }));
    let mut required = vec![json!("type")];
    required.extend(own["required"].as_array().into_iter().flatten().cloned());
    let mut block = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    if let Some(description) = own.get("description") {
        block["description"] = description.clone();
    }
    block
}

/// Puts a generated schema into the form that the rest relies on: definitions named after their part, no unknown keys beside
/// known ones, and `null` only as a branch of its own.
fn tidy(schema: &mut Value, prefix: &str) {
    let Value::Object(object) = schema else { return };
    for_each_inner(object, |inner| tidy(inner, prefix));
    if let Some(Value::String(target)) = object.get_mut("$ref")
        && let Some(name) = target.strip_prefix("#/$defs/")
    {
        *target = format!("#/$defs/{prefix}.{name}");
    }
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if object.contains_key("properties") {
        object.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    null_apart(object);
}

/// The schemas right below a schema. A key may be called `properties` too, so not everything below is one.
fn for_each_inner(schema: &mut Map<String, Value>, mut visit: impl FnMut(&mut Value)) {
    for (key, value) in schema {
        match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(named)) => named.values_mut().for_each(&mut visit),
            ("oneOf" | "anyOf" | "allOf", Value::Array(branches)) => branches.iter_mut().for_each(&mut visit),
            ("additionalProperties" | "items", inner) => visit(inner),
            _ => {}
        }
    }
}

/// `type: [string, null]` becomes a choice of two.
fn null_apart(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get_mut("type") else { return };
    let all = types.len();
    types.retain(|name| name != "null");
    let [only] = &types[..] else { return };
    let (only, nullable) = (only.clone(), all > 1);
    object.insert("type".to_owned(), only);
    if let Some(Value::Array(words)) = object.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if nullable {
        let inner = without_annotations(object);
        object.insert("anyOf".to_owned(), json!([inner, { "type": "null" }]));
    }
}

/// Takes out what a schema demands, and leaves what it tells.
fn without_annotations(object: &mut Map<String, Value>) -> Value {
    let told = ["description", "default", "writeOnly"];
    let (outer, inner) =
        std::mem::take(object).into_iter().partition(|(key, _)| told.contains(&key.as_str()));
    *object = outer;
    Value::Object(inner)
}

/// Whether a schema is the branch for `null`.
pub(crate) fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|name| name == "null")
}

/// Lets text with `${…}` stand in for every single value that is not just any text. `branch` says that the schema is one
/// of several, of which the whole takes the text.
fn accept_references(schema: &mut Value, branch: bool) {
    let Value::Object(object) = schema else { return };
    for key in ["properties", "$defs"] {
        if let Some(Value::Object(children)) = object.get_mut(key) {
            children
                .iter_mut()
                .filter(|(name, _)| *name != "type")
                .for_each(|(_, child)| accept_references(child, false));
        }
    }
    for key in ["additionalProperties", "items"] {
        if let Some(child) = object.get_mut(key) {
            accept_references(child, false);
        }
    }
    let mut words = false;
    for key in ["oneOf", "anyOf"] {
        if let Some(Value::Array(branches)) = object.get_mut(key) {
            branches.iter_mut().for_each(|child| accept_references(child, true));
            if branches.iter().any(is_single_value) {
                branches.push(reference());
                words = true;
            }
        }
    }
    if words || branch || !is_single_value(&Value::Object(object.clone())) {
        return;
    }
    let inner = without_annotations(object);
    object.insert("anyOf".to_owned(), json!([inner, reference()]));
}

/// A schema of numbers, booleans, or text of a certain form.
fn is_single_value(schema: &Value) -> bool {
    let restricted =
        ["const", "enum", "pattern", "format", "minLength"].iter().any(|key| schema.get(*key).is_some());
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => true,
        Some("string") => restricted,
        None => schema.get("const").is_some() || schema.get("enum").is_some(),
        Some(_) => false,
    }
}

fn reference() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{.+\\}" })
}

/// The same value with the keys of every object in order, whatever order the map keeps.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let ordered: BTreeMap<String, Value> =
                object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            ordered.into_iter().collect::<Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}
