//! The connector types that a configuration may name.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use crate::model::{Batch, EventSchema, SINK_KEYS, SOURCE_KEYS};

/// One `type:` of source or sink. The binary lists all it has.
#[derive(Clone, Debug)]
pub struct ConnectorType {
    /// The word after `type:`.
    pub name: &'static str,
    /// What it is.
    pub role: Role,
    /// The JSON Schema of its own configuration struct.
    pub schema: Schema,
    /// Further keys of its own that are not its struct's, each with the JSON Schema of a struct; see
    /// [`ConnectorType::with_part`].
    pub parts: Vec<(&'static str, Schema)>,
    /// Recipes that a block may name, each with its text; see [`Recipe`](crate::Recipe).
    pub recipes: &'static [(&'static str, &'static str)],
}

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
    /// A source type whose own keys are the fields of `C`.
    ///
    /// # Panics
    /// When `C` has a key that all sources have (`type`, `labels`).
    pub fn source<C: JsonSchema>(name: &'static str) -> Self {
        Self::new::<C>(name, Role::Source, SOURCE_KEYS)
    }

    /// A sink type whose own keys are the fields of `C`.
    ///
    /// # Panics
    /// When `C` has a key that all sinks have (`type`, `schema`, `ocsf_version`, `keep_raw`, `from`, `batch`, `retry`).
    pub fn sink<C: JsonSchema>(name: &'static str, traits: SinkTraits) -> Self {
        Self::new::<C>(name, Role::Sink(traits), SINK_KEYS)
    }

    /// The same type with one more key, whose value is a block of the fields of `P`. It is for somebody else than the
    /// connector, who reads it with [`Block::part`](crate::Block::part).
    ///
    /// # Panics
    /// When the type has the key already.
    pub fn with_part<P: JsonSchema>(mut self, key: &'static str) -> Self {
        let own = self.schema.get("properties").and_then(|properties| properties.as_object());
        let common = if self.is_source() { SOURCE_KEYS } else { SINK_KEYS };
        let taken = common.contains(&key)
            || own.is_some_and(|own| own.contains_key(key))
            || self.parts.iter().any(|(part, _)| *part == key);
        assert!(!taken, "connector type `{}` redefines the key `{key}`", self.name);
        self.parts.push((key, SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<P>()));
        self
    }

    /// The same type with recipes, one of which a block may name under `recipe`.
    #[must_use]
    pub fn with_recipes(self, recipes: &'static [(&'static str, &'static str)]) -> Self {
        Self { recipes, ..self }
    }

    fn new<C: JsonSchema>(name: &'static str, role: Role, common: &[&str]) -> Self {
        let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<C>();
        let own = schema.get("properties").and_then(|properties| properties.as_object());
        for key in common {
            assert!(
                !own.is_some_and(|own| own.contains_key(*key)),
                "connector type `{name}` redefines the key `{key}`"
            );
        }
        Self { name, role, schema, parts: Vec::new(), recipes: &[] }
    }

    /// Whether it is a source rather than a sink.
    pub(crate) fn is_source(&self) -> bool {
        self.role == Role::Source
    }
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
        ConnectorType::source::<Own>("own");
    }

    #[test]
    #[should_panic(expected = "connector type `own` redefines the key `url`")]
    fn part_cannot_redefine_a_key() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema is used")]
        struct Url {
            url: String,
        }
        ConnectorType::source::<Url>("own").with_part::<Url>("url");
    }

    #[test]
    fn key_of_the_other_role_is_free() {
        assert!(!ConnectorType::sink::<Own>("own", SinkTraits::default()).is_source());
    }
}
