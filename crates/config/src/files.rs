//! The texts that a configuration is made of: its own, and behind it those of the files that it takes in. They are read as one,
//! so that a place in any of them is one span.

use std::path::Path;
use std::sync::Arc;

use crate::finding::Finding;
use crate::node::{Kind, Node, Span};
use crate::yaml::Parsed;

/// The texts, and what was seen in them.
pub(crate) struct Files {
    text: String,
    /// Where each file begins, and how it is called.
    starts: Vec<(usize, Arc<Path>)>,
    /// Every key and value that is written there; sorted, and none overlaps another.
    pub(crate) scalars: Vec<Span>,
    /// Every comment; sorted.
    pub(crate) comments: Vec<Span>,
    /// Keys that stand a second time, each with the first one of its name.
    pub(crate) repeated: Vec<(Span, Span)>,
}

impl Files {
    /// One file, called `path` in messages, in which nothing was seen yet.
    pub(crate) fn new(path: &Path, text: String) -> Self {
        let starts = vec![(0, path.into())];
        Self { text, starts, scalars: Vec::new(), comments: Vec::new(), repeated: Vec::new() }
    }

    /// Notes what was seen in the first file, and gives its tree back.
    pub(crate) fn note(&mut self, parsed: Parsed, findings: &mut Vec<Finding>) -> Option<Node> {
        self.note_from(0, parsed, findings)
    }

    /// Takes in another file. Gives its tree back, whose places are in the whole, and the place of its start.
    pub(crate) fn take_in(
        &mut self,
        path: &Path,
        text: &str,
        parsed: Parsed,
        findings: &mut Vec<Finding>,
    ) -> (Option<Node>, Span) {
        let start = self.append(path, text);
        (self.note_from(start, parsed, findings), start..start)
    }

    /// Takes in a file that is no YAML, of which therefore nothing is shown. Gives what was found there back, with its place in the
    /// whole.
    pub(crate) fn unparsed(&mut self, path: &Path, text: &str, finding: Finding) -> Finding {
        let start = self.append(path, text);
        Finding { span: finding.span.start + start..finding.span.end + start, ..finding }
    }

    fn append(&mut self, path: &Path, text: &str) -> usize {
        // Keeps the end of the one file apart from the start of the next one.
        self.text.push('\n');
        let start = self.text.len();
        self.starts.push((start, path.into()));
        self.text.push_str(text);
        start
    }

    fn note_from(&mut self, start: usize, parsed: Parsed, findings: &mut Vec<Finding>) -> Option<Node> {
        let Parsed { mut root, scalars, comments, repeated, findings: seen } = parsed;
        let moved = |span: Span| span.start + start..span.end + start;
        self.scalars.extend(scalars.into_iter().map(moved));
        self.comments.extend(comments.into_iter().map(moved));
        self.repeated.extend(repeated.into_iter().map(|(again, first)| (moved(again), moved(first))));
        findings.extend(seen.into_iter().map(|finding| Finding { span: moved(finding.span), ..finding }));
        if let Some(root) = &mut root {
            for_each_span(root, &mut |span| *span = moved(span.clone()));
        }
        root
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the file with this place begins, and how it is called.
    pub(crate) fn of(&self, at: usize) -> (usize, &Arc<Path>) {
        let number = self.starts.partition_point(|(start, _)| *start <= at);
        let (start, path) = &self.starts[number.saturating_sub(1)];
        (*start, path)
    }
}

/// Calls `change` with the place of everything in a tree.
pub(crate) fn for_each_span(node: &mut Node, change: &mut impl FnMut(&mut Span)) {
    change(&mut node.span);
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => items.iter_mut().for_each(|item| for_each_span(item, change)),
        Kind::Map(entries) => {
            for entry in entries {
                change(&mut entry.key_span);
                for_each_span(&mut entry.value, change);
            }
        }
    }
}
