//! What a user writes, and what it becomes.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use settings::{ByteSize, Invalid};

use crate::rotation::Rotation;

/// Lines in a file, or on standard output.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file to append to; it and its directories are created. `-` is standard output, which keeps nothing by
    /// itself: what is written there counts as delivered.
    pub path: PathBuf,
    /// When the file is put aside and a new one begun. Files put aside are never deleted or overwritten.
    #[serde(default)]
    pub rotate: RotateConfig,
}

/// When a file is put aside under a name with the time of its last write, such as
/// `events-2026-11-20T10-00-00Z-0001.ndjson`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateConfig {
    /// Before it would grow beyond this; `null`: however large it is. At least 1MiB.
    pub max_size: Option<ByteSize>,
    /// Before the first event of a new day (UTC).
    pub daily: bool,
}

/// One file of a size that tools can still handle, and no surprise for whoever rotates files by other means.
impl Default for RotateConfig {
    fn default() -> Self {
        Self { max_size: Some(ByteSize::mib(1024)), daily: false }
    }
}

/// A validated [`FileConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSettings {
    pub(crate) target: Target,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    StandardOutput,
    File { path: PathBuf, rotation: Rotation },
}

impl FileConfig {
    /// Checks what can be checked without looking at the disk.
    ///
    /// # Errors
    /// Everything that is wrong, by key.
    pub fn validate(&self) -> Result<FileSettings, Vec<Invalid>> {
        let mut wrong = Vec::new();
        let standard_output = ["-", "/dev/stdout"].iter().any(|name| self.path == Path::new(name));
        let text = self.path.as_os_str().as_encoded_bytes();
        if text.is_empty() || text.contains(&0) || text.ends_with(b"/") || self.path.file_name().is_none() {
            wrong.push(Invalid::new(
                "path",
                "is not the name of a file",
                "name a file, such as `./out/events.ndjson`, or `-` for standard output",
            ));
        }
        if self.rotate.max_size.is_some_and(|size| size < ByteSize::mib(1)) {
            wrong.push(Invalid::new(
                "rotate.max_size",
                "is below 1MiB, which gives a flood of files",
                "write `1MiB` or more, or `null` for no limit",
            ));
        }
        if standard_output && self.rotate.daily {
            wrong.push(Invalid::new(
                "rotate.daily",
                "asks to rotate standard output",
                "remove `rotate`, or name a file in `path`",
            ));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let rotation =
            Rotation { max_size: self.rotate.max_size.map(ByteSize::get), daily: self.rotate.daily };
        Ok(FileSettings {
            target: match standard_output {
                true => Target::StandardOutput,
                false => Target::File { path: self.path.clone(), rotation },
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<FileSettings, Vec<String>> {
        let config: FileConfig = serde_json::from_str(json).unwrap();
        config.validate().map_err(|wrong| wrong.into_iter().map(|invalid| invalid.path).collect())
    }

    #[test]
    fn a_path_alone_is_enough_and_rotates_at_one_gibibyte() {
        let file = |max_size, daily| {
            let rotation = Rotation { max_size, daily };
            Ok(FileSettings { target: Target::File { path: "out/e.ndjson".into(), rotation } })
        };
        assert_eq!(read(r#"{"path": "out/e.ndjson"}"#), file(Some(1 << 30), false));
        assert_eq!(read(r#"{"path": "out/e.ndjson", "rotate": {"daily": true}}"#), file(Some(1 << 30), true));
        assert_eq!(read(r#"{"path": "out/e.ndjson", "rotate": {"max_size": null}}"#), file(None, false));
        assert_eq!(
            read(r#"{"path": "out/e.ndjson", "rotate": {"max_size": "16MiB"}}"#),
            file(Some(16 << 20), false)
        );
        for path in ["-", "/dev/stdout"] {
            let expected = FileSettings { target: Target::StandardOutput };
            assert_eq!(read(&format!(r#"{{"path": "{path}"}}"#)), Ok(expected));
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let key = |keys: &[&str]| Err(keys.iter().map(ToString::to_string).collect());
        for path in ["", "out/", "..", "/", "a\\u0000b"] {
            assert_eq!(read(&format!(r#"{{"path": "{path}"}}"#)), key(&["path"]), "{path}");
        }
        assert_eq!(
            read(r#"{"path": "", "rotate": {"max_size": "1KiB", "daily": true}}"#),
            key(&["path", "rotate.max_size"])
        );
        assert_eq!(read(r#"{"path": "-", "rotate": {"daily": true}}"#), key(&["rotate.daily"]));
        assert!(serde_json::from_str::<FileConfig>(r#"{"path": "a", "rotate": {"hourly": true}}"#).is_err());
    }
}
