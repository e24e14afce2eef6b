//! From the tree to a struct, by serde.
//!
//! A scalar becomes what the struct asks for. A [`Secret`] that stands in a file receives the parts of its `${file:…}`.
//! Errors carry the place of the value and never the value.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use settings::Secret;

use crate::node::{Entry, Kind, Node, Origin, Scalar, Span};

/// Reads a struct from the entries of a block.
pub(crate) fn read<'a, T: DeserializeOwned>(
    entries: impl Iterator<Item = &'a Entry>,
) -> Result<T, ReadError> {
    T::deserialize(MapAccessDeserializer::new(MapDeserializer::new(pairs(entries))))
}

fn pairs<'a>(entries: impl Iterator<Item = &'a Entry>) -> impl Iterator<Item = (&'a str, Reader<'a>)> {
    entries.map(|entry| (&*entry.key, Reader(&entry.value)))
}

/// Why a value cannot be read.
#[derive(Debug)]
pub(crate) struct ReadError {
    /// The innermost value that is known to be at fault.
    pub(crate) span: Option<Span>,
    pub(crate) message: String,
}

impl ReadError {
    fn at(mut self, node: &Node) -> Self {
        self.span.get_or_insert_with(|| node.span.clone());
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

/// serde's own messages would quote the value.
impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { span: None, message: message.to_string() }
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("this must be {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("this must be {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("this must be {}", settings::suggest::any_of(expected.iter().copied())))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!(
            "unknown key beside {}",
            settings::suggest::any_of(expected.iter().copied())
        ))
    }
}

/// A value as serde sees it.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Node);

impl<'a> Reader<'a> {
    fn scalar(self) -> Result<&'a Scalar, ReadError> {
        let scalar = self.0.scalar().filter(|_| !self.0.is_null());
        scalar.ok_or_else(|| {
            ReadError::custom(format_args!("this must be a single value, not {}", self.0.noun())).at(self.0)
        })
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number = self
            .scalar()?
            .integer()
            .ok_or_else(|| ReadError::custom("this must be a whole number").at(self.0))?;
        let read = match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(ReadError::custom("this number is too large")),
        };
        read.map_err(|error: ReadError| error.at(self.0))
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            self.integer(visitor)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    /// For a target that takes anything: the type that the text has in YAML.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.0.kind {
            Kind::Scalar(_) if self.0.is_null() => visitor.visit_unit(),
            Kind::Scalar(scalar) if scalar.origin == Origin::Literal => {
                match (scalar.boolean(), scalar.integer(), scalar.float()) {
                    (Some(boolean), ..) => visitor.visit_bool(boolean),
                    (_, Some(_), _) => return self.integer(visitor),
                    (.., Some(number)) => visitor.visit_f64(number),
                    _ => visitor.visit_str(&scalar.text),
                }
            }
            Kind::Scalar(scalar) => visitor.visit_str(&scalar.text),
            Kind::List(items) => SeqDeserializer::new(items.iter().map(Reader)).deserialize_any(visitor),
            Kind::Map(entries) => MapDeserializer::new(pairs(entries.iter())).deserialize_any(visitor),
        }
        .map_err(|error| error.at(self.0))
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let number =
            self.scalar()?.float().ok_or_else(|| ReadError::custom("this must be a number").at(self.0))?;
        visitor.visit_f64(number).map_err(|error: ReadError| error.at(self.0))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let boolean = self.scalar()?.boolean();
        let boolean =
            boolean.ok_or_else(|| ReadError::custom("this must be `true` or `false`").at(self.0))?;
        visitor.visit_bool(boolean).map_err(|error: ReadError| error.at(self.0))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_str(&self.scalar()?.text).map_err(|error: ReadError| error.at(self.0))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        if name != Secret::NEWTYPE_NAME {
            return visitor.visit_newtype_struct(self);
        }
        let scalar = self.scalar()?;
        let Origin::File { prefix, path, suffix, content } = &scalar.origin else {
            return visitor.visit_str(&scalar.text);
        };
        let path = path.to_str().ok_or_else(|| ReadError::custom("this path is not UTF-8").at(self.0))?;
        let parts: [StrDeserializer<'_, ReadError>; 4] =
            [&**prefix, path, suffix, content].map(IntoDeserializer::into_deserializer);
        visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
    }

    /// A variant is a word, or a block with one key that is the word.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let read = match &self.0.kind {
            Kind::Map(entries) if entries.len() == 1 => {
                let pairs = MapDeserializer::new(pairs(entries.iter()));
                visitor.visit_enum(MapAccessDeserializer::new(pairs))
            }
            Kind::Map(_) => Err(ReadError::custom("this must be a block of one key")),
            _ => visitor.visit_enum(self.scalar()?.text.as_str().into_deserializer()),
        };
        read.map_err(|error| error.at(self.0))
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bytes byte_buf unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de, 'a> IntoDeserializer<'de, ReadError> for Reader<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
