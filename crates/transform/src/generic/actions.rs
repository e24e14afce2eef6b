//! What an action is: by the first rule of the configuration that fits, else by its words and the request's method.

use pipeline::EventOutcome;

use crate::activities;
use crate::entry::{Class, OTHER, Rule, Text};
use crate::rules;
use crate::words::{Words, push_title};

/// A rule of the configuration.
#[derive(Clone, Debug)]
pub(super) struct ActionRule {
    pub(super) pattern: Glob,
    /// The class, and its activity unless the action's words are to tell it.
    pub(super) class: Option<(Class, Option<u8>)>,
    pub(super) severity: Option<u8>,
}

/// A text in which `*` stands for anything, also for nothing. Capitals of ASCII do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Box<str>);

impl Glob {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.to_ascii_lowercase().into())
    }

    /// Whether all that `other` fits is fitted by this too. Right because no text has to be told from a `*` in it.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.fits(&other.0)
    }

    /// Whether it fits the whole of `text`. Takes at most as many steps as both are long multiplied.
    pub(super) fn fits(&self, text: &str) -> bool {
        let (pattern, text) = (self.0.as_bytes(), text.as_bytes());
        let (mut p, mut t) = (0, 0);
        // Where to go on after the last `*`, if what follows it does not fit here.
        let mut again: Option<(usize, usize)> = None;
        while t < text.len() {
            if pattern.get(p) == Some(&b'*') {
                p += 1;
                again = Some((p, t));
            } else if pattern.get(p) == Some(&text[t].to_ascii_lowercase()) {
                p += 1;
                t += 1;
            } else if let Some((after, from)) = again {
                (p, t) = (after, from + 1);
                again = Some((after, t));
            } else {
                return false;
            }
        }
        pattern[p..].iter().all(|b| *b == b'*')
    }
}

/// What of a record, beside its action, tells what the action is.
pub(super) struct Circumstances<'a> {
    pub(super) method: Option<Text<'a>>,
    /// The HTTP status.
    pub(super) code: Option<u16>,
    /// What the record says of how it ended, as far as its word is known.
    pub(super) outcome: Option<EventOutcome>,
    /// What it ended with if nothing tells.
    pub(super) otherwise: EventOutcome,
    pub(super) target_type: Option<Text<'a>>,
}

/// Memory for the words of an action and what is made of them.
pub(super) struct Memory<'m> {
    pub(super) words: &'m mut String,
    pub(super) label: &'m mut String,
}

/// The rule for `action`.
pub(super) fn rule<'a>(
    rules: &[ActionRule],
    action: Text<'a>,
    circumstances: &Circumstances<'a>,
    memory: Memory<'a>,
) -> Rule<'a> {
    let words = Words::split(action.value, memory.words);
    let configured = rules.iter().find(|rule| rule.pattern.fits(action.value));
    let rule = match configured.and_then(|rule| rule.class) {
        Some((class, activity)) => {
            let activity = activity.unwrap_or_else(|| match class {
                Class::Api => api_activity(&words, circumstances.method),
                _ => activities::of_words(class, &words),
            });
            let label = label(class, &words, circumstances.target_type, memory.label);
            Rule { label, ..rules::rule(class, activity) }
        }
        None if words.sign_in() => rules::session(1),
        None if words.sign_out() => rules::session(2),
        None => rules::api(api_activity(&words, circumstances.method)),
    };
    let by_code = match circumstances.code {
        Some(100..=399) => Some(EventOutcome::Success),
        Some(400..=599) => Some(EventOutcome::Failure),
        Some(_) => Some(EventOutcome::Unknown),
        None => None,
    };
    let outcome = circumstances.outcome.or(by_code).or_else(|| match words.success()? {
        true => Some(EventOutcome::Success),
        false => Some(EventOutcome::Failure),
    });
    let usual = if let Some(401 | 403) = circumstances.code { 2 } else { 1 };
    let severity = configured.and_then(|rule| rule.severity).unwrap_or(usual);
    Rule { name: action, ..rule }.outcome(outcome.unwrap_or(circumstances.otherwise)).severity(severity)
}

/// By the action's verb, else by the method.
fn api_activity(words: &Words<'_>, method: Option<Text<'_>>) -> u8 {
    let by_verb = words.verb().and_then(activities::of_api);
    by_verb.or_else(|| method.and_then(|method| method_activity(method.value))).unwrap_or(OTHER)
}

fn method_activity(method: &str) -> Option<u8> {
    const METHODS: [(&str, u8); 7] =
        [("POST", 1), ("GET", 2), ("HEAD", 2), ("OPTIONS", 2), ("PUT", 3), ("PATCH", 3), ("DELETE", 4)];
    METHODS.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(method)).map(|(_, activity)| activity)
}

/// What to call the type of the thing acted on: as the record does, else by the first word of the action that is no verb.
fn label<'a>(
    class: Class,
    words: &Words<'_>,
    target_type: Option<Text<'a>>,
    memory: &'a mut String,
) -> Text<'a> {
    if !matches!(class, Class::EntityManagement | Class::WebResources) {
        return Text::constant("Account");
    }
    if let Some(target_type) = target_type {
        return target_type;
    }
    memory.clear();
    if let Some(word) = words.iter().find(|word| Words::is_noun(word)) {
        push_title(memory, word);
    }
    if memory.is_empty() { Text::constant("Resource") } else { Text::foreign(memory) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_all_else_for_itself() {
        for (pattern, fitting, others) in [
            (
                "user.login",
                &["user.login", "USER.Login"][..],
                &["user.logi", "user.login2", "user_login"][..],
            ),
            ("user.*", &["user.", "user.a.b"], &["user", "xuser.a"]),
            ("*.added", &["a.added", ".added", "x.added.added"], &["added", "a.added.x"]),
            ("a*b*c", &["abc", "aXbYbZc", "abcbc"], &["ac", "ab", "abcd"]),
            ("**", &["", "x"], &[]),
            ("GET /u/{id}?*", &["get /u/{id}?x"], &["get /u/7"]),
            ("", &[""], &["x"]),
            ("größe*", &["größe.x"], &["grösse"]),
        ] {
            let glob = Glob::new(pattern);
            for text in fitting {
                assert!(glob.fits(text), "{pattern} {text}");
            }
            for text in others {
                assert!(!glob.fits(text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_covers_what_is_narrower() {
        let covers = |a: &str, b: &str| Glob::new(a).covers(&Glob::new(b));
        for (wide, narrow) in [("*", "a"), ("user.*", "user.login*"), ("a*", "a*"), ("*.b", "A*.b")] {
            assert!(covers(wide, narrow), "{wide} {narrow}");
        }
        assert!(!covers("user.login*", "user.*") && !covers("*.b", "a.*"));
    }

    #[test]
    fn a_hostile_text_costs_no_more_than_its_length_allows() {
        let glob = Glob::new(&"*a".repeat(20));
        assert!(!glob.fits(&"ab".repeat(10_000)) || glob.fits("a"));
        assert!(!Glob::new("*a*a*a*a*a*a*a*b").fits(&"a".repeat(20_000)));
    }
}
