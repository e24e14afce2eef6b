//! Documents of kind `pipeline_error`: records that could not be mapped, and gaps in the history.

use pipeline::{EventWriter, Gap, Origin, Record};

use super::{Encoder, write_labels, write_original};
use crate::gap;
use crate::json::{Line, escape, key};
use crate::malformed::{Malformed, Why};
use crate::mapper::Identity;

impl Encoder {
    /// Writes the document of a record that could not be mapped.
    pub(crate) fn write_malformed(
        &self,
        record: &Record<'_>,
        malformed: &Malformed<'_>,
        identity: &mut Identity<'_>,
        out: &mut EventWriter,
    ) {
        let time = malformed.head.time.unwrap_or(record.collected_at);
        let mut line = Line::new(out.line());
        self.begin(&mut line, time);
        line.push(&self.tags);
        line.push(",\"event\":{\"kind\":\"pipeline_error\"");
        line.push(&self.source);
        line.maybe(key!("id"), malformed.head.id);
        line.push(",\"outcome\":\"unknown\"");
        line.moment(key!("created"), record.collected_at);
        if self.keep_raw {
            write_original(&mut line, malformed.text);
        }
        line.push("},\"error\":{\"message\":\"audit record could not be mapped");
        if malformed.why != Why::NoAction {
            line.push(": ");
            malformed.why.write(line.buffer());
        }
        line.push("\"}");
        if let Some(tenant) = malformed.head.tenant {
            line.push(",\"organization\":{");
            line.text(key!("id"), tenant);
            line.push("}");
        }
        write_labels(&mut line, record.origin);
        // The record must stand somewhere.
        if !self.keep_raw && !malformed.text.is_empty() {
            line.push(",\"");
            escape(line.buffer(), self.module.as_bytes());
            line.push("\":{\"audit\":{");
            line.string(key!("extra_json"), malformed.text);
            line.push("}}");
        }
        line.push("}");
        out.commit(&malformed.draft(record, time, identity));
    }

    /// Writes the document of a gap. It stands in the source's own data stream, where its records are missed.
    pub(crate) fn write_gap(&self, origin: &Origin, gap: &Gap, out: &mut EventWriter) {
        let mut line = Line::new(out.line());
        self.begin(&mut line, gap.to);
        line.push(",\"event\":{\"kind\":\"pipeline_error\"");
        line.push(&self.source);
        line.push(",\"provider\":\"towpath\"");
        line.moment(key!("start"), gap.from);
        line.moment(key!("end"), gap.to);
        line.push("},\"error\":{");
        line.string(key!("message"), &gap::message(origin, gap));
        line.push("}");
        write_labels(&mut line, origin);
        line.push("}");
        out.commit(&gap::Name::new(origin, gap).draft());
    }
}
