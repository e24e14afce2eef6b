//! What is said of a hole in the history, in either schema.

use pipeline::{EventDraft, EventOutcome, Gap, Origin};

use crate::ids::{self, Uuid};
use crate::rfc3339;

/// OCSF severity of a gap: Medium.
pub(crate) const SEVERITY: u8 = 3;

/// The sentence that tells of it.
pub(crate) fn message(origin: &Origin, gap: &Gap) -> String {
    let (from, to) = (moment(gap.from), moment(gap.to));
    format!("no audit records of {} are available from {from} to {to}: {}", origin.source, gap.reason)
}

/// What makes two reports of a gap the same: source, both ends and reason.
pub(crate) struct Name<'g> {
    origin: &'g Origin,
    gap: &'g Gap,
    from: String,
    to: String,
}

impl<'g> Name<'g> {
    pub(crate) fn new(origin: &'g Origin, gap: &'g Gap) -> Self {
        Self { origin, gap, from: moment(gap.from), to: moment(gap.to) }
    }

    fn parts(&self) -> [&str; 5] {
        ["gap", &self.origin.source, &self.from, &self.to, &self.gap.reason]
    }

    /// UUIDv5 of `gap|source|from|to|reason`, the moments in RFC 3339.
    pub(crate) fn uuid(&self) -> Uuid {
        ids::uuid(&mut Vec::new(), &self.parts())
    }

    /// The facts of the gap's event.
    pub(crate) fn draft(&self) -> EventDraft<'static> {
        let native = self.parts().join("|");
        EventDraft {
            id: ids::event_id(&mut Vec::new(), &self.origin.dataset, "", &native, 0, 0),
            time: self.gap.to,
            class: 0,
            severity: SEVERITY,
            outcome: EventOutcome::Failure,
            action: "",
            actor: "",
            tenant: "",
        }
    }
}

fn moment(moment: pipeline::Timestamp) -> String {
    let mut text = Vec::with_capacity(24);
    rfc3339::write(&mut text, moment);
    text.into_iter().map(char::from).collect()
}
