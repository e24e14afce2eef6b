//! Records that no rule can map: they are kept whole, and said so.

use pipeline::{EventDraft, EventOutcome, Record, Timestamp};

use crate::entry::{Head, Text};
use crate::json::{Flaw, Kind, Value};
use crate::mapper::Identity;

/// A record that cannot be mapped.
pub(crate) struct Malformed<'a> {
    /// The record as text; bytes that are not UTF-8 are replaced by U+FFFD.
    pub(crate) text: &'a str,
    /// The record, if it is JSON.
    pub(crate) root: Option<Value<'a>>,
    /// What could be read all the same.
    pub(crate) head: Head<'a>,
    pub(crate) why: Why,
}

/// Why a record cannot be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    NotUtf8,
    Unreadable(Flaw),
    NotAnObject,
    NoAction,
    ActionIsNoText,
}

impl Why {
    /// Appends the reason, as text that needs no escapes.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let text: &str = match self {
            Self::NotUtf8 => "not valid UTF-8",
            Self::Unreadable(Flaw::TooLong) => "longer than 4 GiB",
            Self::Unreadable(Flaw::Syntax(at)) => {
                out.extend_from_slice(b"not valid JSON at byte ");
                out.extend_from_slice(itoa::Buffer::new().format(at).as_bytes());
                return;
            }
            Self::NotAnObject => "not a JSON object",
            Self::NoAction => "no action field",
            Self::ActionIsNoText => "action field is not a string",
        };
        out.extend_from_slice(text.as_bytes());
    }
}

/// The action of a record, which it must have.
pub(crate) fn action_of(field: Option<Value<'_>>) -> Result<Text<'_>, Why> {
    match field {
        Some(action) if !matches!(action.kind(), Kind::String | Kind::Null) => Err(Why::ActionIsNoText),
        action => action.and_then(Value::string).ok_or(Why::NoAction),
    }
}

impl<'a> Malformed<'a> {
    /// The record, if it is an object.
    pub(crate) fn object(&self) -> Option<Value<'a>> {
        self.root.filter(|root| root.kind() == Kind::Object)
    }

    /// The facts of its event.
    pub(crate) fn draft(
        &self,
        record: &Record<'_>,
        time: Timestamp,
        identity: &mut Identity<'_>,
    ) -> EventDraft<'a> {
        EventDraft {
            id: identity.event_id(record, 0),
            time,
            class: 0,
            severity: 0,
            outcome: EventOutcome::Unknown,
            action: "",
            actor: "",
            tenant: self.head.tenant.map_or("", |tenant| tenant.value),
        }
    }
}
