//! The check of a mapping: every key, and everything that is wrong at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use pipeline::Path;
use settings::Invalid;
use settings::suggest::{any_of, closest};

use super::actions::{ActionRule, Glob};
use super::config::{
    ActionConfig, ActorTypesConfig, ClassName, FieldsConfig, MappingConfig, OutcomesConfig, Paths,
};
use super::fields::Field;
use super::finder::{Candidate, Finder, MOST_ITEMS, item};
use super::{ActorTypes, Mapping, MappingSettings, Outcomes};
use crate::mapper::Product;
use crate::ocsf;

impl MappingConfig {
    /// Checks every key; pure. `source` is the source's name, for what is left out.
    ///
    /// # Errors
    /// Everything that is wrong, each with its key within the block and what would be right.
    pub fn validate(&self, source: &str) -> Result<MappingSettings, Vec<Invalid>> {
        let mut check = Check { wrong: Vec::new() };
        let product = check.product(self, source);
        check.base_url(self.base_url.as_deref());
        let candidates = check.candidates(&self.fields);
        let actor_types = check.actor_types(&self.actor_types);
        let outcomes = check.outcomes(&self.outcomes);
        let action_names = check.action_names(&self.action_names);
        let actions = check.actions(&self.actions);
        if !check.wrong.is_empty() {
            return Err(check.wrong);
        }
        let base_url = self.base_url.as_deref().map(|url| url.trim_end_matches('/').into());
        let finder = Finder::new(&candidates);
        Ok(MappingSettings(Arc::new(Mapping {
            product,
            base_url,
            finder,
            actor_types,
            outcomes,
            action_names,
            actions,
        })))
    }
}

/// The sets of fields that ECS has: a module of that name would write into it.
const ECS_FIELD_SETS: [&str; 53] = [
    "agent",
    "client",
    "cloud",
    "container",
    "data_stream",
    "destination",
    "device",
    "dll",
    "dns",
    "ecs",
    "email",
    "entity",
    "error",
    "event",
    "faas",
    "file",
    "gen_ai",
    "group",
    "hash",
    "host",
    "http",
    "interface",
    "labels",
    "log",
    "message",
    "network",
    "observer",
    "orchestrator",
    "organization",
    "os",
    "package",
    "process",
    "registry",
    "related",
    "risk",
    "rule",
    "server",
    "service",
    "source",
    "span",
    "tags",
    "threat",
    "tls",
    "trace",
    "transaction",
    "url",
    "user",
    "user_agent",
    "vlan",
    "volume",
    "vulnerability",
    "x509",
    "geo",
];

/// As long as an index of Elasticsearch allows.
const LONGEST_DATASET: usize = 100;

/// What is found wrong.
struct Check {
    wrong: Vec<Invalid>,
}

impl Check {
    fn product(&mut self, config: &MappingConfig, source: &str) -> Product {
        for (key, text) in [("vendor", &config.vendor), ("product", &config.product)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                self.wrong.push(Invalid::new(key, "is empty", "write a name, or remove the key"));
            }
        }
        let vendor = config.vendor.as_deref().unwrap_or(source);
        if let Some(module) = &config.module {
            self.module(module);
        }
        let module = match (&config.module, &config.dataset) {
            (Some(module), _) => module.clone(),
            (None, Some(dataset)) => module_of(dataset.split('.').next().unwrap_or_default()),
            (None, None) => module_of(source),
        };
        let dataset = config.dataset.clone().unwrap_or_else(|| format!("{module}.audit"));
        if config.dataset.is_some() {
            self.dataset(&dataset, &module);
        }
        Product {
            vendor: vendor.into(),
            name: config.product.as_deref().unwrap_or(vendor).into(),
            dataset: dataset.into(),
            module: module.into(),
        }
    }

    fn module(&mut self, module: &str) {
        let mut letters = module.bytes();
        let begins = letters.next().is_some_and(|b| b.is_ascii_lowercase());
        let goes_on = letters.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !(begins && goes_on) {
            self.wrong.push(Invalid::new(
                "module",
                "is not a lower-case letter followed by lower-case letters, digits and underscores",
                format!("write a name such as `{}`", module_of(module)),
            ));
        } else if ECS_FIELD_SETS.contains(&module) {
            self.wrong.push(Invalid::new(
                "module",
                format!("is `{module}`, which ECS uses itself"),
                format!("write another name, such as `{}`", module_of(module)),
            ));
        }
    }

    fn dataset(&mut self, dataset: &str, module: &str) {
        let refused = |c: char| c.is_uppercase() || c.is_control() || "-\\/*?\"<>| ,#:".contains(c);
        let message = if dataset.is_empty() {
            "is empty"
        } else if dataset.chars().count() > LONGEST_DATASET {
            "is longer than 100 characters"
        } else if dataset.contains(refused) {
            "has capitals, spaces or one of `-\\/*?\"<>|,#:`, which data streams cannot have"
        } else if !dataset.starts_with(module) {
            let message = format!("does not begin with the module, `{module}`, as ECS wants it");
            let remedy = format!("write `{module}.audit`, or another `module`");
            return self.wrong.push(Invalid::new("dataset", message, remedy));
        } else {
            return;
        };
        self.wrong.push(Invalid::new("dataset", message, "write a name such as `acme.audit`"));
    }

    fn base_url(&mut self, url: Option<&str>) {
        let Some(url) = url else { return };
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let good = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'))
            && !url.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#'));
        if !good {
            self.wrong.push(Invalid::new(
                "base_url",
                "is no origin with or without a path",
                "write a URL such as `https://api.example.com`",
            ));
        }
    }

    fn candidates(&mut self, fields: &FieldsConfig) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (field, key, paths) in fields.all() {
            let key = format!("fields.{key}");
            match paths {
                None => {
                    let usual = field.usual_paths().iter().zip(0..);
                    candidates.extend(usual.filter_map(|((noun, path), rank)| {
                        let (path, kinds) = (path.parse().ok()?, field.kinds(false));
                        Some(Candidate { field, rank, noun: *noun, path, kinds })
                    }));
                }
                Some(Paths(texts)) if texts.is_empty() && field == Field::Action => {
                    self.wrong.push(Invalid::new(key, "is empty", "name the member that says what was done"));
                }
                Some(Paths(texts)) if texts.len() > usize::from(MOST_PATHS) => {
                    let message = format!("has more than {MOST_PATHS} paths");
                    self.wrong.push(Invalid::new(key, message, "keep those that the API has"));
                }
                Some(Paths(texts)) => {
                    for (text, rank) in texts.iter().zip(0..) {
                        let key = if texts.len() > 1 { format!("{key}.{rank}") } else { key.clone() };
                        let path = self.path(key, text);
                        let kinds = field.kinds(true);
                        candidates.extend(path.map(|path| Candidate { field, rank, noun: 0, path, kinds }));
                    }
                }
            }
        }
        candidates
    }

    fn path(&mut self, key: String, text: &str) -> Option<Path> {
        let invalid = match text.parse::<Path>() {
            Ok(path) if path.is_empty() => {
                Invalid::new(key, "is empty", "name a member such as `actor.id`, or write `[]` for none")
            }
            Ok(path) => {
                let far = path.names().iter().filter_map(|name| item(name)).find(|n| *n >= MOST_ITEMS);
                let Some(n) = far else { return Some(path) };
                let message = format!("asks for item {n} of a list");
                Invalid::new(key, message, format!("items up to {} are looked at", MOST_ITEMS - 1))
            }
            Err(error) => Invalid::new(
                key,
                format!("is {error}"),
                "put a name that has a dot or a space in it into quotes",
            ),
        };
        self.wrong.push(invalid);
        None
    }

    fn actor_types(&mut self, types: &ActorTypesConfig) -> ActorTypes {
        let ActorTypesConfig { person, api_key, system } = types;
        self.apart("actor_types", &[("person", person), ("api_key", api_key), ("system", system)]);
        ActorTypes { person: boxed(person), api_key: boxed(api_key), system: boxed(system) }
    }

    fn outcomes(&mut self, outcomes: &OutcomesConfig) -> Outcomes {
        let OutcomesConfig { success, failure, otherwise } = outcomes;
        self.apart("outcomes", &[("success", success), ("failure", failure)]);
        Outcomes { success: boxed(success), failure: boxed(failure), otherwise: (*otherwise).into() }
    }

    /// No word stands in two of the lists.
    fn apart(&mut self, block: &str, lists: &[(&str, &Vec<String>)]) {
        for (n, (key, words)) in lists.iter().enumerate() {
            for (index, word) in words.iter().enumerate() {
                let same = |other: &String| other.eq_ignore_ascii_case(word);
                if let Some((other, _)) = lists[..n].iter().find(|(_, words)| words.iter().any(same)) {
                    let path = format!("{block}.{key}.{index}");
                    let message = format!("is `{word}`, which stands under `{other}` too");
                    self.wrong.push(Invalid::new(
                        path,
                        message,
                        "keep one of the two; both lists have defaults",
                    ));
                }
            }
        }
    }

    fn action_names(&mut self, names: &BTreeMap<String, String>) -> Vec<(Box<str>, Box<str>)> {
        for (code, name) in names {
            let remedy = "write a code and its name: `\"1000\": user.logged_in`";
            if code.is_empty() {
                self.wrong.push(Invalid::new("action_names", "has a name for no code", remedy));
            } else if name.trim().is_empty() {
                self.wrong.push(Invalid::new("action_names", format!("has no name for `{code}`"), remedy));
            }
        }
        names.iter().map(|(code, name)| (code.as_str().into(), name.as_str().into())).collect()
    }

    fn actions(&mut self, actions: &[ActionConfig]) -> Vec<ActionRule> {
        let mut rules: Vec<ActionRule> = Vec::new();
        for (n, action) in actions.iter().enumerate() {
            let at = |key: &str| format!("actions.{n}.{key}");
            let pattern = Glob::new(&action.r#match);
            if action.r#match.is_empty() {
                let remedy = "write an action, or a pattern such as `user.*`";
                self.wrong.push(Invalid::new(at("match"), "is empty", remedy));
            } else if let Some(before) = rules.iter().position(|rule| rule.pattern.covers(&pattern)) {
                let message =
                    format!("is never reached: `{}` before it fits all of it", actions[before].r#match);
                self.wrong.push(Invalid::new(at("match"), message, "put it before the other one"));
            }
            if action.class.is_none() && action.severity.is_none() {
                let remedy = "write a `class`, a `severity` or both";
                self.wrong.push(Invalid::new(format!("actions.{n}"), "says nothing of the action", remedy));
            }
            let class = match (action.class, &action.activity) {
                (Some(class), Some(activity)) => {
                    self.activity(at("activity"), class, activity).map(|id| (class.class(), Some(id)))
                }
                (Some(class), None) => Some((class.class(), None)),
                (None, Some(_)) => {
                    let message = "is an activity of no class";
                    self.wrong.push(Invalid::new(at("activity"), message, "write the `class` beside it"));
                    None
                }
                (None, None) => None,
            };
            rules.push(ActionRule {
                pattern,
                class,
                severity: action.severity.map(|severity| severity as u8),
            });
        }
        rules
    }

    fn activity(&mut self, key: String, class: ClassName, name: &str) -> Option<u8> {
        let activities: Vec<_> = ocsf::activities(class.class()).collect();
        let known = activities.iter().find(|(_, known)| known == name);
        if let Some((id, _)) = known {
            return Some(*id);
        }
        let names = || activities.iter().map(|(_, name)| name.as_str());
        let remedy = match closest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write {}", any_of(names())),
        };
        let message = format!("is `{name}`, which `{}` does not have", class.name());
        self.wrong.push(Invalid::new(key, message, remedy));
        None
    }
}

/// Paths of one field.
const MOST_PATHS: u8 = 100;

fn boxed(words: &[String]) -> Vec<Box<str>> {
    words.iter().map(|word| word.as_str().into()).collect()
}

/// A name as data streams can have it.
fn plain(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(letter).collect()
}

/// A module for a name: what is left of it, and nothing that ECS uses itself.
fn module_of(name: &str) -> String {
    let plain = plain(name);
    let begins_well = plain.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = plain.trim_start_matches('_');
    let module = match rest {
        _ if begins_well => plain,
        "" => "api".to_owned(),
        _ => format!("api_{rest}"),
    };
    if ECS_FIELD_SETS.contains(&&*module) { format!("{module}_audit") } else { module }
}
