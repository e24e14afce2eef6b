//! Base events: records that could not be mapped, and gaps in the history.

use pipeline::{EventOutcome, EventWriter, Gap, Origin, Record};

use super::class::{severity_members, status_members, write_class};
use super::version::Part;
use super::{Encoder, metadata, write_labels};
use crate::entry::{Class, OTHER, Text};
use crate::gap;
use crate::json::{Line, escape, key, whole};
use crate::malformed::Malformed;
use crate::mapper::Identity;

impl Encoder {
    /// Writes the event of a record that could not be mapped.
    pub(crate) fn write_malformed(
        &self,
        record: &Record<'_>,
        malformed: &Malformed<'_>,
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        let time = malformed.head.time.unwrap_or(record.collected_at);
        let mut line = Line::new(out.line());
        line.push(&self.head);
        line.key(key!("uid"));
        line.push("\"");
        line.buffer().extend_from_slice(&identity.event_uuid(record, 0));
        line.push("\"");
        if self.version.has(Part::OriginalEventUid) {
            line.maybe(key!("original_event_uid"), malformed.head.id);
        }
        line.maybe(key!("tenant_uid"), malformed.head.tenant);
        write_labels(&mut line, record.origin);
        line.push("}");
        line.number(key!("time"), time.as_millis());
        write_class(&mut line, Class::Base, 0, Text::constant(""));
        line.push(severity_members(0));
        line.push(status_members(EventOutcome::Unknown));
        line.push(",\"status_detail\":\"");
        malformed.why.write(line.buffer());
        line.push("\",\"message\":\"Unmapped audit record: ");
        malformed.why.write(line.buffer());
        line.push("\",\"unmapped\":");
        match malformed.object() {
            Some(object) => whole(&mut line, object),
            None => {
                line.push("{\"record\":");
                match malformed.root {
                    Some(root) => whole(&mut line, root),
                    None => line.quoted(Text::foreign(malformed.text)),
                }
                line.push("}");
            }
        }
        // What is no JSON has its place in `unmapped` alone: readers of `raw_data` parse it.
        if self.keep_raw && malformed.root.is_some() {
            line.key(key!("raw_data"));
            line.push("\"");
            escape(line.buffer(), malformed.text.as_bytes());
            line.push("\"");
        }
        line.push("}");
        out.commit(&malformed.draft(record, time, identity));
    }

    /// Writes the event of a gap.
    pub(crate) fn write_gap(&self, origin: &Origin, gap: &Gap, out: &mut EventWriter) {
        let name = gap::Name::new(origin, gap);
        let line = out.line();
        line.extend_from_slice(&metadata(self.version, "Towpath", "Towpath", None, "towpath.gap"));
        let mut line = Line::new(line);
        line.push(",\"log_provider\":\"Towpath\",\"uid\":\"");
        line.buffer().extend_from_slice(&name.uuid());
        line.push("\"");
        write_labels(&mut line, origin);
        line.push("}");
        line.number(key!("time"), gap.to.as_millis());
        line.number(key!("start_time"), gap.from.as_millis());
        line.number(key!("end_time"), gap.to.as_millis());
        write_class(&mut line, Class::Base, OTHER, Text::constant("Collection Gap"));
        line.push(severity_members(gap::SEVERITY));
        line.push(status_members(EventOutcome::Failure));
        line.string(key!("message"), &gap::message(origin, gap));
        line.push("}");
        out.commit(&name.draft());
    }
}
