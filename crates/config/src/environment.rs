//! The world that `${…}` reaches into.

use std::env::VarError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Environment variables and files. Passed in, so that a configuration is read as a pure function of its inputs.
pub trait Environment {
    /// The value of a variable, like [`std::env::var`].
    ///
    /// # Errors
    /// It is not set, or not Unicode.
    fn variable(&self, name: &str) -> Result<String, VarError>;

    /// The text of a file.
    ///
    /// # Errors
    /// It cannot be read, is not UTF-8 or is too large.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The process's own environment and file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl ProcessEnvironment {
    /// The most that a file named in `${file:…}` may hold, in bytes. Secrets are short; a larger file is another one.
    pub const MAX_FILE: u64 = 64 * 1024;
}

impl Environment for ProcessEnvironment {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        std::env::var(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        read_text(path, Self::MAX_FILE)
    }
}

/// Reads at most `limit` bytes of text.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let message = format!("file is larger than {}", settings::ByteSize::bytes(limit));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("file is not UTF-8 from byte {valid} on"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_within_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_text(&path, 4).unwrap(), "four");
        assert_eq!(read_text(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, b"a\xff").unwrap();
        assert_eq!(read_text(&path, 4).unwrap_err().to_string(), "file is not UTF-8 from byte 1 on");
        assert_eq!(
            ProcessEnvironment.file(&dir.path().join("none")).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn variables_are_those_of_the_process() {
        assert_eq!(ProcessEnvironment.variable("PATH"), std::env::var("PATH"));
        assert_eq!(ProcessEnvironment.variable("TOWPATH_NEVER_SET"), Err(VarError::NotPresent));
    }
}
