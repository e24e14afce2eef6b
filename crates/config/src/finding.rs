//! Something wrong at a place in the file, before it is put into the form that people read.

use crate::diagnostic::Severity;
use crate::node::Span;

/// What is wrong and what would be right. Neither text quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) span: Span,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Finding {
    pub(crate) fn error(span: &Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { span: span.clone(), severity: Severity::Error, message: message.into(), help: help.into() }
    }

    pub(crate) fn warning(span: &Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message, help) }
    }
}
