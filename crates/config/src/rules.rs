//! What no schema can say: keys that depend on one another.

use std::path::{Component, Path};

use settings::{ByteSize, HumanDuration};

use crate::draft::{Draft, Group};
use crate::finding::Finding;
use crate::model::{EventSchema, General, Listen, Retry};
use crate::node::{Entry, Kind, Node, Origin, Span};
use settings::suggest::{any_of, closest};

/// Below this, not even a page of an API fits.
const LEAST_IN_FLIGHT: ByteSize = ByteSize::kib(256);

/// What was delivered is remembered in one bit for each sink of a source (`pipeline::SinkSet`).
const MOST_SINKS: usize = 64;

/// Checks a configuration as a whole. `sources` and `sinks` are those that are right in themselves.
pub(crate) fn check(
    root: &Node,
    general: &General,
    sources: &[Draft<'_>],
    sinks: &[Draft<'_>],
    out: &mut Vec<Finding>,
) {
    top(root, general, out);
    for group in [Group::Sources, Group::Sinks] {
        let entry = root.entry(group.key());
        // Any other value is wrong in itself.
        if entry.is_none_or(|entry| matches!(&entry.value.kind, Kind::Map(entries) if entries.is_empty())) {
            let place = entry.map_or(0..0, |entry| entry.key_span.clone());
            let (key, role) = (group.key(), group.role());
            let help = format!("add at least one {role} under `{key}:`, with a name and a `type`");
            out.push(Finding::error(&place, format!("there are no {key}"), help));
        }
    }
    for sink in sinks {
        from(root, sink, out);
        batch(general, sink, out);
        let retry = |key: &str| sink.place(&format!("retry.{key}"));
        if sink.keys.retry.initial.is_some() || sink.keys.retry.max.is_some() {
            pauses(sink.retry(general), retry, out);
        }
        if sink.schema() != EventSchema::Ocsf && sink.entry.value.entry("ocsf_version").is_some() {
            let place = sink.place("ocsf_version");
            let message =
                format!("`ocsf_version` has no effect where the schema is `{}`", sink.schema().name());
            out.push(Finding::warning(&place, message, "remove it, or set `schema: ocsf`"));
        }
    }
    unread(root, sources, sinks, out);
    crowded(sources, sinks, out);
    destinations(sinks, out);
}

fn top(root: &Node, general: &General, out: &mut Vec<Finding>) {
    let place = |path: &str| root.place(path, &(0..0));
    if general.limits.in_flight < LEAST_IN_FLIGHT {
        let message = format!("`in_flight` is below {LEAST_IN_FLIGHT}");
        out.push(Finding::error(
            &place("limits.in_flight"),
            message,
            format!("write {LEAST_IN_FLIGHT} or more"),
        ));
    }
    if general.drain_timeout.get().is_zero() {
        let help = "write how long a stop may wait for events on their way, such as `25s`";
        out.push(Finding::error(&place("drain_timeout"), "`drain_timeout` is zero", help));
    }
    if general.dead_letters.max_size.get() == 0 {
        let help = "write a size such as `1GiB`: what a destination refuses must go somewhere";
        out.push(Finding::error(&place("dead_letters.max_size"), "`max_size` is zero", help));
    }
    let dir = general.dead_letters.dir.as_deref();
    for (path, dir) in [("data_dir", Some(&*general.data_dir)), ("dead_letters.dir", dir)] {
        if dir == Some(Path::new("")) {
            out.push(Finding::error(
                &place(path),
                "this path is empty",
                "name a directory, or remove the key",
            ));
        }
    }
    pauses(general.retry, |key| place(&format!("retry.{key}")), out);
    if let Listen::Address(address) = general.admin.listen
        && !address.ip().is_loopback()
        && general.admin.token.is_none()
    {
        let message =
            "the admin server can be reached from other machines, and anyone may read `/` and `/status`";
        out.push(Finding::warning(
            &place("admin.listen"),
            message,
            "set `token` beside `listen`, or listen on 127.0.0.1",
        ));
    }
}

fn pauses(retry: Retry, place: impl Fn(&str) -> Span, out: &mut Vec<Finding>) {
    if retry.initial.get().is_zero() {
        out.push(Finding::error(&place("initial"), "`initial` is zero", "write a pause such as `1s`"));
    }
    if retry.max < retry.initial {
        let message = format!("`max` is below `initial`, which is {}", retry.initial);
        out.push(Finding::error(&place("max"), message, format!("write {} or more", retry.initial)));
    }
}

/// A sink's `from` names sources that exist, each once.
fn from(root: &Node, sink: &Draft<'_>, out: &mut Vec<Finding>) {
    let Some(names) = &sink.keys.from else { return };
    let place = |path: &str| sink.place(path);
    let sources = || Group::Sources.entries(root).iter().map(|entry| &*entry.key);
    if names.is_empty() {
        let help = format!("name sources: {}; without `from` the sink takes from all", any_of(sources()));
        out.push(Finding::error(&place("from"), "`from` is empty, so the sink would get nothing", help));
    }
    for (index, name) in names.iter().enumerate() {
        let place = place(&format!("from.{index}"));
        if names[..index].contains(name) {
            out.push(Finding::error(&place, "this source is named twice", "remove one of the two"));
        } else if !sources().any(|source| source == name) {
            let help = match closest(name, sources()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("name one of {}, or add this one under `sources`", any_of(sources())),
            };
            out.push(Finding::error(&place, "there is no source of this name", help));
        }
    }
}

fn batch(general: &General, sink: &Draft<'_>, out: &mut Vec<Finding>) {
    let place = |key: &str| sink.place(&format!("batch.{key}"));
    let batch = sink.batch(general);
    let half = ByteSize::bytes(general.limits.in_flight.get() / 2);
    if batch.max_bytes > half {
        let message =
            format!("`max_bytes` is above half of `limits.in_flight`, which is {}", general.limits.in_flight);
        let help = format!(
            "write {half} or less, or raise `limits.in_flight`: a batch that never fills would hold everything"
        );
        out.push(Finding::error(&place("max_bytes"), message, help));
    }
    if batch.max_bytes.get() == 0 {
        out.push(Finding::error(&place("max_bytes"), "`max_bytes` is zero", "write a size such as `1MiB`"));
    }
    if batch.max_age == HumanDuration::default() {
        out.push(Finding::error(&place("max_age"), "`max_age` is zero", "write a duration such as `1s`"));
    }
}

/// What a source collects for no sink would count as delivered and be lost.
fn unread(root: &Node, sources: &[Draft<'_>], sinks: &[Draft<'_>], out: &mut Vec<Finding>) {
    // A sink that was left out may be the one that takes from it.
    if sinks.is_empty() || sinks.len() < Group::Sinks.entries(root).len() {
        return;
    }
    for source in sources {
        if !sinks.iter().any(|sink| takes_from(sink, source)) {
            let message = format!("no sink takes from the source `{}`", source.name());
            out.push(Finding::error(
                &source.entry.key_span,
                message,
                "add it to `from` of a sink, or remove the source",
            ));
        }
    }
}

/// A source that more sinks take from than can be told apart would not start.
fn crowded(sources: &[Draft<'_>], sinks: &[Draft<'_>], out: &mut Vec<Finding>) {
    for source in sources {
        let Some(sink) = sinks.iter().filter(|sink| takes_from(sink, source)).nth(MOST_SINKS) else {
            continue;
        };
        let name = source.name();
        let message =
            format!("more than {MOST_SINKS} sinks take from the source `{name}`, and this is one too many");
        let help = format!(
            "leave `{name}` out of the `from` of this sink and of those below, or move them to a Towpath of their own, with \
             its own `data_dir`"
        );
        out.push(Finding::error(&sink.entry.key_span, message, help));
    }
}

fn takes_from(sink: &Draft<'_>, source: &Draft<'_>) -> bool {
    sink.keys.from.as_ref().is_none_or(|names| names.iter().any(|name| name == source.name()))
}

/// Two sinks of one type write to different places.
fn destinations(sinks: &[Draft<'_>], out: &mut Vec<Finding>) {
    for (index, sink) in sinks.iter().enumerate() {
        let Some((key, entry, text)) = destination(sink) else { continue };
        let same = |other: &&Draft<'_>| {
            other.connector.name == sink.connector.name
                && destination(other).is_some_and(|(_, _, theirs)| normal(theirs).eq(normal(text)))
        };
        if let Some(first) = sinks[..index].iter().find(same) {
            let message =
                format!("the sinks `{}` and `{}` write to the same place", first.name(), sink.name());
            out.push(Finding::error(&entry.value.span, message, format!("give each its own `{key}`")));
        }
    }
}

fn destination<'a>(sink: &'a Draft<'_>) -> Option<(&'static str, &'a Entry, &'a str)> {
    let key = sink.traits().destination?;
    let entry = sink.entry.value.entry(key)?;
    let scalar = entry.value.scalar().filter(|scalar| scalar.origin != Origin::Unresolved)?;
    Some((key, entry, &scalar.text))
}

/// The parts of a path, so that `./out` is `out`; for what is no path it makes no difference.
fn normal(text: &str) -> impl Iterator<Item = Component<'_>> {
    Path::new(text).components().filter(|part| *part != Component::CurDir)
}
