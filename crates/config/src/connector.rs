//! The connector types that a configuration may name.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use crate::model::{Batch, EventSchema, SINK_KEYS, SOURCE_KEYS};
use crate::recipe::Shipped;

/// One `type:` of source or sink. The binary lists all it has.
#[derive(Clone, Debug)]
pub struct ConnectorType {
    /// The word after `type:`.
    pub name: &'static str,
    /// What it is.
    pub role: Role,
    /// Makes the JSON Schema of its own configuration struct: only for types that a configuration names, because that of
    /// all of them takes a mebibyte and more of a process that lives for months.
    schema: MakeSchema,
    /// Further keys of its own that are not its struct's, each with the JSON Schema of a struct; see
    /// [`ConnectorType::with_part`].
    parts: Vec<(&'static str, MakeSchema)>,
    /// Recipes that a block may name, each with its text; see [`Recipe`](crate::Recipe).
    pub recipes: &'static Shipped,
}

type MakeSchema = fn() -> Schema;

/// What a connector is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Collects.
    Source,
    /// Delivers.
    Sink(SinkTraits),
}

/// What sinks of one type have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SinkTraits {
    /// The default of `schema`.
    pub schema: EventSchema,
    /// The default of `batch`.
    pub batch: Batch,
    /// The key that says where a sink writes, when two sinks must not write to the same place.
    pub destination: Option<&'static str>,
}

impl ConnectorType {
    /// A source type whose own keys are the fields of `C`, which must not have a key that all sources have (`type`,
    /// `labels`): see [`schema`](crate::schema()).
    pub fn source<C: JsonSchema>(name: &'static str) -> Self {
        Self { name, role: Role::Source, schema: schema_of::<C>, parts: Vec::new(), recipes: &[] }
    }

    /// A sink type whose own keys are the fields of `C`, which must not have a key that all sinks have (`type`, `schema`,
    /// `ocsf_version`, `keep_raw`, `from`, `batch`, `retry`): see [`schema`](crate::schema()).
    pub fn sink<C: JsonSchema>(name: &'static str, traits: SinkTraits) -> Self {
        Self { name, role: Role::Sink(traits), schema: schema_of::<C>, parts: Vec::new(), recipes: &[] }
    }

    /// The same type with one more key, which it must not have already, whose value is a block of the fields of `P`. It is
    /// for somebody else than the connector, who reads it with [`Block::part`](crate::Block::part).
    #[must_use]
    pub fn with_part<P: JsonSchema>(mut self, key: &'static str) -> Self {
        self.parts.push((key, schema_of::<P>));
        self
    }

    /// The same type with recipes, one of which a block may name under `recipe`.
    #[must_use]
    pub fn with_recipes(self, recipes: &'static Shipped) -> Self {
        Self { recipes, ..self }
    }

    /// The JSON Schema of its own struct.
    ///
    /// # Panics
    /// When that has a key that all connectors of the role have.
    pub(crate) fn schema(&self) -> Schema {
        let schema = (self.schema)();
        let common = if self.is_source() { SOURCE_KEYS } else { SINK_KEYS };
        for key in common {
            assert!(!has(&schema, key), "connector type `{}` redefines the key `{key}`", self.name);
        }
        schema
    }

    /// The names of its parts.
    pub(crate) fn part_names(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().map(|(key, _)| *key)
    }

    /// The JSON Schemas of its parts.
    ///
    /// # Panics
    /// When a part has the name of another key of the type, whose own schema is `own`.
    pub(crate) fn parts(&self, own: &Schema) -> Vec<(&'static str, Schema)> {
        let common = if self.is_source() { SOURCE_KEYS } else { SINK_KEYS };
        for (number, key) in self.part_names().enumerate() {
            let taken = common.contains(&key)
                || has(own, key)
                || self.part_names().take(number).any(|part| part == key);
            assert!(!taken, "connector type `{}` redefines the key `{key}`", self.name);
        }
        self.parts.iter().map(|(key, schema)| (*key, schema())).collect()
    }

    /// Whether it is a source rather than a sink.
    pub(crate) fn is_source(&self) -> bool {
        self.role == Role::Source
    }
}

fn schema_of<C: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>()
}

fn has(schema: &Schema, key: &str) -> bool {
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    properties.is_some_and(|properties| properties.contains_key(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is used")]
    struct Own {
        url: String,
        labels: u8,
    }

    #[test]
    #[should_panic(expected = "connector type `own` redefines the key `labels`")]
    fn common_key_cannot_be_redefined() {
        crate::schema(&[ConnectorType::source::<Own>("own")]);
    }

    #[test]
    #[should_panic(expected = "connector type `own` redefines the key `url`")]
    fn part_cannot_redefine_a_key() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema is used")]
        struct Url {
            url: String,
        }
        crate::schema(&[ConnectorType::source::<Url>("own").with_part::<Url>("url")]);
    }

    #[test]
    fn key_of_the_other_role_is_free() {
        crate::schema(&[ConnectorType::sink::<Own>("own", SinkTraits::default())]);
    }
}
