//! The file's text: places in it, and what of it may be shown.
//!
//! A value is shown only where the configuration's schema knows its key and does not call it a secret; what nobody vouched
//! for is masked, unless it is `${NAME}` and nothing more. So a secret under a mistyped key, in a comment, or in a line that is no YAML stays unseen.

use std::collections::HashSet;

use crate::diagnostic::{Diagnostic, Snippet};
use crate::files::Files;
use crate::finding::Finding;
use crate::interpolate::is_bare_reference;
use crate::node::Span;

/// Takes the place of what is not shown, whatever its length.
const MASK: &str = "***";

/// Characters of a line that are shown at most.
const WIDTH: usize = 120;

/// Structure: what may stand between keys and values.
const STRUCTURE: &str = " \t{}[],:-?|>\"'";

/// The configuration file, with the files that it takes in.
pub(crate) struct Document {
    files: Files,
    /// The starts of the scalars that may be shown.
    shown: HashSet<usize>,
    /// Keys of the schema, when the text is not YAML.
    vocabulary: Option<HashSet<String>>,
}

impl Document {
    /// Texts that are YAML; `shown` are the spans of scalars that may be shown.
    pub(crate) fn new(files: Files, shown: Vec<Span>) -> Self {
        Self { files, shown: shown.into_iter().map(|span| span.start).collect(), vocabulary: None }
    }

    /// A text that is not YAML; of its lines only a first word that is a key in `vocabulary` is shown.
    pub(crate) fn unparsed(files: Files, vocabulary: HashSet<String>) -> Self {
        Self { vocabulary: Some(vocabulary), ..Self::new(files, Vec::new()) }
    }

    /// The finding in the form that people read.
    pub(crate) fn diagnostic(&self, finding: &Finding) -> Diagnostic {
        let text = self.files.text();
        let start = text.floor_char_boundary(finding.span.start);
        let (file, path) = self.files.of(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        Diagnostic {
            severity: finding.severity,
            path: path.clone(),
            line: 1 + text[file..line_start].matches('\n').count(),
            column: 1 + text[line_start..start].chars().count(),
            message: finding.message.clone(),
            help: finding.help.clone(),
            snippet: self.snippet(line_start..line_end, &finding.span),
        }
    }

    /// Whether the scalar at this place may be shown.
    pub(crate) fn shows(&self, scalar: &Span) -> bool {
        self.shown.contains(&scalar.start)
    }

    fn snippet(&self, line: Span, place: &Span) -> Snippet {
        let mut text = String::new();
        let (mut start, mut end) = (None, 0);
        for (piece, span) in self.pieces(&line) {
            // A mask is pointed at as a whole; what is copied, character by character.
            let masked = piece == MASK;
            let count = |to: usize| self.files.text()[span.start..to].chars().count();
            let left = text.chars().count();
            let (from, to) = (place.start.clamp(span.start, span.end), place.end.clamp(span.start, span.end));
            if start.is_none() && place.start < span.end {
                start = Some(if masked { left } else { left + count(from) });
            }
            if place.end.max(place.start + 1) > span.start {
                end = if masked { left + MASK.len() } else { left + count(to) };
            }
            text.push_str(&piece);
        }
        let text: Vec<char> =
            text.trim_end().chars().map(|c| if c.is_control() && c != '\t' { '·' } else { c }).collect();
        let start = start.unwrap_or(text.len()).min(text.len());
        let width = end.min(text.len()).saturating_sub(start).max(1);
        window(&text, start, width)
    }

    /// The line cut into what is shown of it and where that stands in the file.
    fn pieces(&self, line: &Span) -> Vec<(String, Span)> {
        if let Some(vocabulary) = &self.vocabulary {
            return self.unparsed_pieces(line, vocabulary);
        }
        let mut pieces = Vec::new();
        let mut at = line.start;
        let stop = self.files.comments.iter().find(|c| line.contains(&c.start)).map_or(line.end, |c| c.start);
        let first = self.files.scalars.partition_point(|span| span.end <= line.start);
        for span in self.files.scalars[first..]
            .iter()
            .take_while(|span| span.start < stop)
            .filter(|span| !span.is_empty())
        {
            let scalar = span.start.max(at)..span.end.min(stop);
            self.structure(at..scalar.start, &mut pieces);
            let source = &self.files.text()[scalar.clone()];
            let visible = self.shows(span) || is_bare_reference(unquoted(source)) || source.trim().is_empty();
            pieces.push((if visible { source } else { MASK }.to_owned(), scalar.clone()));
            at = scalar.end;
        }
        self.structure(at..stop, &mut pieces);
        pieces
    }

    /// What stands between scalars: indicators, shown, and the names of tags, anchors and aliases, masked.
    fn structure(&self, span: Span, pieces: &mut Vec<(String, Span)>) {
        let mut at = span.start;
        while at < span.end {
            let rest = &self.files.text()[at..span.end];
            let shown = rest.find(|c| !STRUCTURE.contains(c)).unwrap_or(rest.len());
            if shown > 0 {
                pieces.push((rest[..shown].to_owned(), at..at + shown));
                at += shown;
                continue;
            }
            let masked = rest.find(|c| STRUCTURE.contains(c)).unwrap_or(rest.len());
            pieces.push((MASK.to_owned(), at..at + masked));
            at += masked;
        }
    }

    /// The line's indentation and a known key at its start; all else is masked.
    fn unparsed_pieces(&self, line: &Span, vocabulary: &HashSet<String>) -> Vec<(String, Span)> {
        let text = self.files.text()[line.clone()].trim_end();
        let indented = text.len() - text.trim_start_matches([' ', '\t', '-']).len();
        let key =
            text[indented..].split_once(':').map(|(key, _)| key).filter(|key| vocabulary.contains(*key));
        let shown = indented + key.map_or(0, |key| key.len() + 1);
        let gap = text[shown..].len() - text[shown..].trim_start().len();
        let mut pieces = vec![(text[..shown + gap].to_owned(), line.start..line.start + shown + gap)];
        if shown + gap < text.len() {
            pieces.push((MASK.to_owned(), line.start + shown + gap..line.start + text.len()));
        }
        pieces
    }
}

/// A scalar's source text without the quotes around it.
fn unquoted(source: &str) -> &str {
    source.trim().trim_matches(['"', '\''])
}

/// Keeps the surroundings of the place when the line is long.
fn window(text: &[char], start: usize, width: usize) -> Snippet {
    if text.len() <= WIDTH {
        return Snippet { text: text.iter().collect(), start, width };
    }
    let from = start.saturating_sub(WIDTH / 2).min(text.len() - WIDTH);
    let to = from + WIDTH;
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
    let kept: String = text[from..to].iter().collect();
    Snippet {
        text: format!("{before}{kept}{after}").into(),
        start: start - from + before.chars().count(),
        width: width.min(to - start).max(1),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn snippet(document: &Document, place: Span) -> (String, String) {
        let Snippet { text, start, width } = document.diagnostic(&Finding::error(&place, "", "")).snippet;
        (text.into(), format!("{}{}", " ".repeat(start), "^".repeat(width)))
    }

    fn document(text: &str, shown: &[&str]) -> Document {
        let parsed = crate::yaml::parse(text).map_err(|f| f.message).unwrap();
        let shown =
            parsed.scalars.iter().filter(|span| shown.contains(&&text[(*span).clone()])).cloned().collect();
        let mut files = Files::new(Path::new("t.yaml"), text.to_owned());
        files.note(parsed, &mut Vec::new());
        Document::new(files, shown)
    }

    fn place(text: &str, part: &str) -> Span {
        let at = text.find(part).unwrap();
        at..at + part.len()
    }

    #[test]
    fn only_what_is_vouched_for_is_shown() {
        let text = "{ a: one, key: \"hunter2\", 'b': !hunter3 [x, &hunter4 y] } # hunter5\n";
        let document = document(text, &["a", "one", "key", "'b'", "x"]);
        let (line, caret) = snippet(&document, place(text, "key"));
        assert_eq!(line, "{ a: one, key: ***, 'b': *** [x, *** ***] }");
        assert_eq!(caret, "          ^^^");
    }

    #[test]
    fn caret_stands_under_the_mask() {
        let text = "a: hunter2hunter2\nb: [hunter2, c]\n";
        let document = document(text, &["a", "b", "c"]);
        assert_eq!(snippet(&document, 3..17), ("a: ***".into(), "   ^^^".into()));
        assert_eq!(snippet(&document, 8..10), ("a: ***".into(), "   ^^^".into()), "part of a mask");
        assert_eq!(snippet(&document, place(text, "c]")), ("b: [***, c]".into(), "         ^^".into()));
    }

    #[test]
    fn every_line_of_a_long_value_is_masked() {
        let text = "a: |\n  hunter2\n  hunter3\nb: \"x\n  hunter4\"\nc: 1\n";
        let document = document(text, &["a", "b", "c", "1"]);
        for line in ["hunter2", "hunter3", "hunter4"] {
            let (shown, _) = snippet(&document, place(text, line));
            assert_eq!(shown.trim(), MASK, "{line}");
        }
        assert_eq!(snippet(&document, place(text, "1")).0, "c: 1");
    }

    #[test]
    fn caret_counts_characters_and_keeps_tabs() {
        let text = "é: [ä, ö]\n";
        let document = document(text, &["é", "ä", "ö"]);
        let diagnostic = document.diagnostic(&Finding::error(&place(text, "ö"), "m", "h"));
        assert_eq!((diagnostic.line, diagnostic.column), (1, 8));
        assert_eq!(diagnostic.to_string(), "t.yaml:1:8: m\n  1 | é: [ä, ö]\n    |        ^\nhelp: h");
    }

    #[test]
    fn end_of_file_has_a_place() {
        let document = document("a: 1", &["a", "1"]);
        let (line, caret) = snippet(&document, 4..4);
        assert_eq!((&*line, &*caret), ("a: 1", "    ^"));
    }

    #[test]
    fn place_in_a_file_that_is_taken_in_is_counted_from_its_own_start() {
        let mut files = Files::new(Path::new("a.yaml"), "a: 1\n".to_owned());
        let parsed = crate::yaml::parse("b: 2\nc: 3").map_err(|f| f.message).unwrap();
        let (_, Span { start, .. }) =
            files.take_in(Path::new("b.yaml"), "b: 2\nc: 3", parsed, &mut Vec::new());
        let document = Document::new(files, Vec::new());
        let told = |at: usize| {
            let found = document.diagnostic(&Finding::error(&(at..at), "m", ""));
            format!("{}:{}:{}", found.path.display(), found.line, found.column)
        };
        assert_eq!([told(0), told(5)], ["a.yaml:1:1", "a.yaml:2:1"]);
        assert_eq!(
            [told(start), told(start + 5), told(start + 9)],
            ["b.yaml:1:1", "b.yaml:2:1", "b.yaml:2:5"]
        );
    }

    #[test]
    fn line_that_is_no_yaml_shows_a_known_key_at_most() {
        let vocabulary = HashSet::from(["api_key".to_owned()]);
        let text = "  - api_key: \"hunter2\n  hunter3: x\n\n";
        let document = Document::unparsed(Files::new(Path::new("t.yaml"), text.to_owned()), vocabulary);
        let at = |part| snippet(&document, place(text, part).start..place(text, part).start);
        assert_eq!(at("hunter2"), ("  - api_key: ***".into(), "             ^^^".into()));
        assert_eq!(at("hunter3"), ("  ***".into(), "  ^^^".into()));
        assert_eq!(snippet(&document, text.len() - 1..text.len() - 1).0, "");
    }

    #[test]
    fn long_line_is_cut_around_the_place() {
        let text = format!("[{}here, {}c]", "a, ".repeat(100), "b, ".repeat(100));
        let document = document(&text, &["a", "b", "c", "here"]);
        let (line, caret) = snippet(&document, place(&text, "here"));
        assert!(line.starts_with('…') && line.ends_with('…') && line.chars().count() == WIDTH + 2, "{line}");
        let under: String = line.chars().skip(caret.find('^').unwrap()).take(4).collect();
        assert_eq!((under.as_str(), caret.trim()), ("here", "^^^^"));
    }
}
