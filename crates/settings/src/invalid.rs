//! What a connector's `validate` finds wrong.

/// One key whose value has the right type but makes no sense. `config` turns it into a diagnostic with file, line and
/// column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Invalid {
    /// The key, relative to the connector's block: names and list indexes joined by dots, `tls.key_file`, `brokers.0`.
    /// Empty means the block itself.
    pub path: String,
    /// What is wrong, after the key's name: `is below 1s`. Quotes no secret.
    pub message: String,
    /// What would be right: ``write `1s` or more``.
    pub remedy: String,
}

impl Invalid {
    /// Such a finding; see the fields.
    pub fn new(path: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), remedy: remedy.into() }
    }

    /// The same finding seen from the block around: `key_file` under `tls` is `tls.key_file`.
    pub fn under(mut self, parent: &str) -> Self {
        self.path = if self.path.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.path) };
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_grows_outwards() {
        let inner = Invalid::new("", "is empty", "name a broker").under("0").under("brokers");
        assert_eq!(inner.to_string(), "brokers.0: is empty");
    }
}
