//! Values that must not be seen.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// A key, token or password. Its `Debug` form tells nothing, and it cannot be serialised.
///
/// One that came from a file (`${file:/run/secrets/key}`) remembers where, so that a rotated secret is taken up
/// without a restart: see [`Secret::refreshed`].
///
/// ```
/// use settings::Secret;
/// let key = Secret::new("PMAK-1".to_owned());
/// assert_eq!(key.expose(), "PMAK-1");
/// assert_eq!(format!("{key:?}"), "Secret(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    value: String,
    file: Option<FileTemplate>,
}

/// `Bearer ${file:/run/token}`: what stands before and after the file's text, and the file.
#[derive(Clone, PartialEq, Eq)]
struct FileTemplate {
    prefix: String,
    path: PathBuf,
    suffix: String,
}

impl Secret {
    /// The name by which a `Secret` asks for `deserialize_newtype_struct`. A deserialiser that knows it may answer with
    /// the sequence `[prefix, path, suffix, text of the file]` for a secret that stands in a file; every other one
    /// answers with a string.
    pub const NEWTYPE_NAME: &str = "towpath::Secret";

    /// A secret that stands in no file.
    pub fn new(value: String) -> Self {
        Self { value, file: None }
    }

    /// A secret of which a part is the text of a file, without the line breaks at its end.
    pub fn from_file(prefix: String, path: PathBuf, suffix: String, text: &str) -> Self {
        let value = format!("{prefix}{}{suffix}", Self::trim(text));
        Self { value, file: Some(FileTemplate { prefix, path, suffix }) }
    }

    /// The value itself: for the request that needs it, nothing else.
    pub fn expose(&self) -> &str {
        &self.value
    }

    /// A secret file's text without the line breaks at its end, which editors and `echo` leave there.
    pub fn trim(text: &str) -> &str {
        text.trim_end_matches(['\r', '\n'])
    }

    /// Reads the secret's file again, through `read`. `None` when it stands in no file or has not changed.
    ///
    /// # Errors
    /// What `read` returns, or [`io::ErrorKind::InvalidData`] when the file is empty, as it is for a moment while some
    /// tools write it. The secret at hand stays good.
    pub fn refreshed(&self, read: impl FnOnce(&Path) -> io::Result<String>) -> io::Result<Option<Self>> {
        let Some(FileTemplate { prefix, path, suffix }) = &self.file else { return Ok(None) };
        let text = read(path)?;
        if Self::trim(&text).is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "secret file is empty"));
        }
        let fresh = Self::from_file(prefix.clone(), path.clone(), suffix.clone(), &text);
        Ok((fresh.value != self.value).then_some(fresh))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(Self::NEWTYPE_NAME, SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> de::Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
        Ok(Secret::new(text.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Secret, A::Error> {
        let mut part = |index| {
            parts.next_element::<String>()?.ok_or_else(|| de::Error::invalid_length(index, &"4 parts"))
        };
        let (prefix, path, suffix, text) = (part(0)?, part(1)?, part(2)?, part(3)?);
        Ok(Secret::from_file(prefix, path.into(), suffix, &text))
    }
}

/// Marked `writeOnly`, by which `config` and other readers of the schema know not to show the value.
impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

#[cfg(test)]
mod tests {
    use serde::de::Visitor as _;
    use serde::de::value::SeqDeserializer;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Login {
        password: Secret,
    }

    #[test]
    fn debug_form_shows_neither_value_nor_length_nor_file() {
        let login: Login = serde_json::from_str(r#"{"password": "hunter2"}"#).unwrap();
        assert_eq!(login.password.expose(), "hunter2");
        assert_eq!(format!("{login:?}"), "Login { password: Secret(…) }");
        let filed = Secret::from_file("a".into(), "/run/x".into(), "b".into(), "c\n");
        assert_eq!(format!("{filed:#?}"), "Secret(…)");
    }

    #[test]
    fn wrong_type_is_not_quoted() {
        let error = serde_json::from_str::<Login>(r#"{"password": {"hunter2": 1}}"#).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn rotated_file_gives_the_new_value_in_its_template() {
        let parts = ["Bearer ", "/run/token", "!", "old\r\n\n"].map(str::to_owned);
        let parts = SeqDeserializer::<_, de::value::Error>::new(parts.into_iter());
        let old = SecretVisitor.visit_seq(parts).unwrap();
        assert_eq!(old.expose(), "Bearer old!");
        let new = old
            .refreshed(|path| {
                assert_eq!(path, Path::new("/run/token"));
                Ok("new\n".to_owned())
            })
            .unwrap()
            .unwrap();
        assert_eq!(new.expose(), "Bearer new!");
        assert_eq!(new.refreshed(|_| Ok("new".to_owned())).unwrap(), None);
        assert_eq!(new.refreshed(|_| Ok("newer".to_owned())).unwrap().unwrap().expose(), "Bearer newer!");
    }

    #[test]
    fn secret_is_kept_when_its_file_is_empty_missing_or_none() {
        let filed = Secret::from_file(String::new(), "/run/token".into(), String::new(), "old");
        let empty = filed.refreshed(|_| Ok("\n".to_owned())).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::InvalidData);
        let missing = filed.refreshed(|_| Err(io::ErrorKind::NotFound.into())).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        let plain = Secret::new("old".to_owned());
        assert_eq!(plain.refreshed(|_| panic!("reads no file")).unwrap(), None);
    }
}
