//! A recipe as a description that holds together, with a credential of the simulator's.

use anyhow::anyhow;
use config::{ConnectorType, ProcessEnvironment, Recipe, Report};
use http_client::Url;
use settings::Secret;
use simulator::log::{Credential, KEY, Manner};
use source_audit_logs::{AuditLogsConfig, AuthConfig, Oauth2Config};

use super::manner::manner;
use crate::connectors;
use crate::failure::Failure;

/// What a recipe says, and the API that speaks so.
pub(crate) struct Described {
    /// The block of a source to it, checked; its URL is the vendor's.
    pub(crate) config: AuditLogsConfig,
    pub(crate) manner: Manner,
}

/// Where the simulated API gives out tokens.
const TOKEN_PATH: &str = "/oauth2/token";

impl Described {
    /// Checks all of a recipe, and what is to be added to it.
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, Failure> {
        let types = connectors::types();
        let connector = types.iter().find(|connector: &&ConnectorType| !connector.recipes.is_empty());
        let connector = connector.ok_or_else(|| anyhow!("no type of source takes recipes"))?;
        let wrong = |report: Report| Failure::Usage(report.to_string());
        let source =
            recipe.source("simulated", connector, &added(recipe)?, &ProcessEnvironment).map_err(wrong)?;
        let mut report = Report::default();
        let mut config = match source.block.read::<AuditLogsConfig>() {
            Ok(config) => Some(config),
            Err(diagnostic) => {
                report.extend([diagnostic]);
                None
            }
        };
        if let Some(config) = &mut config {
            add_variables(config);
            let checked = config.validate().err().unwrap_or_default();
            report.extend(checked.iter().map(|invalid| source.block.diagnostic(invalid)));
        }
        let (_, unmapped) = connectors::read_mapping(&source);
        report.extend(unmapped);
        let Some(mut config) = config.filter(|_| report.errors() == 0) else { return Err(wrong(report)) };
        let credentials = give_credentials(&mut config.auth);
        let manner = manner(&config, credentials).map_err(|why| {
            Failure::Usage(format!("error: the API of recipe {} cannot be simulated: {why}", recipe.name))
        })?;
        Ok(Self { config, manner })
    }

    /// The block of a source to the simulated API at that origin.
    pub(crate) fn config_at(&self, origin: &str) -> AuditLogsConfig {
        let mut config = self.config.clone();
        config.url = format!("{origin}{}", base_path(&config.url));
        if let AuthConfig::Oauth2(oauth2) = &mut config.auth {
            oauth2.token_url = format!("{origin}{TOKEN_PATH}");
        }
        config
    }
}

/// The path that all requests share.
pub(super) fn base_path(url: &str) -> String {
    Url::parse(url).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}

/// What a user of the recipe adds: its `credential` says so, as YAML in backticks.
fn added(recipe: &Recipe) -> Result<String, Failure> {
    let pieces: Vec<&str> = recipe.credential.split('`').skip(1).step_by(2).collect();
    let said = |key: &str| pieces.iter().find(|piece| piece.starts_with(&format!("{key}: "))).copied();
    let mut added = String::new();
    if !recipe.has("auth") {
        let auth = said("auth").ok_or_else(|| {
            Failure::Usage(format!(
                "error: recipe {} does not say how its credential is sent\n\
                 help: write it into `credential`, in backticks, such as \"`auth: {{ bearer: TOKEN }}`\"",
                recipe.name
            ))
        })?;
        added += &format!("{auth}\n");
    }
    if !recipe.has("url") {
        added += &format!("{}\n", said("url").unwrap_or("url: https://api.example.com"));
    }
    Ok(added)
}

/// Every `{name}` of the request that nobody has given gets a value.
fn add_variables(config: &mut AuditLogsConfig) {
    let request = &config.request;
    let body = request.body.values().map(ToString::to_string);
    let edges = config.time_filter.iter().flat_map(|filter| [&filter.since, &filter.until]).flatten();
    let templates = edges.filter_map(|edge| edge.template.clone());
    let later = config.paging.cursor.iter().filter_map(|cursor| cursor.path.clone());
    let texts: Vec<String> = [request.path.clone()]
        .into_iter()
        .chain(request.query.values().cloned())
        .chain(request.headers.values().cloned())
        .chain(body)
        .chain(templates)
        .chain(later)
        .collect();
    for text in texts {
        for piece in text.split('{').skip(1) {
            let name = piece.split('}').next().unwrap_or_default();
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if piece.contains('}') && !name.is_empty() && name.chars().all(is_name) {
                config.variables.entry(name.to_owned()).or_insert_with(|| "simulated".to_owned());
            }
        }
    }
}

/// Puts the simulator's keys where placeholders stand, such as `TOKEN` in `Bearer TOKEN`. Returns what the API asks for.
fn give_credentials(auth: &mut AuthConfig) -> Vec<Credential> {
    let mut count = 0;
    let mut give = |secret: &mut Secret| {
        count += 1;
        let key = if count == 1 { KEY.to_owned() } else { format!("{KEY}-{count}") };
        let text = secret.expose();
        let before =
            text.trim_end_matches(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || "_-".contains(c));
        let value = if before.len() == text.len() { key } else { format!("{before}{key}") };
        *secret = Secret::new(value.clone());
        value
    };
    match auth {
        AuthConfig::Bearer(token) => vec![Credential::bearer(&give(token))],
        AuthConfig::Headers(headers) => headers
            .iter_mut()
            .map(|(name, value)| Credential::Header { name: name.to_ascii_lowercase(), value: give(value) })
            .collect(),
        AuthConfig::Basic(basic) => vec![Credential::Basic {
            username: give(&mut basic.username),
            password: basic.password.as_mut().map(&mut give).unwrap_or_default(),
        }],
        AuthConfig::Query(query) => {
            vec![Credential::Query { name: query.name.clone(), value: give(&mut query.value) }]
        }
        AuthConfig::Oauth2(Oauth2Config { client_id, client_secret, .. }) => vec![Credential::Token {
            path: TOKEN_PATH.to_owned(),
            client: client_id.clone(),
            secret: give(client_secret),
            requests: 200,
        }],
        AuthConfig::None(_) => Vec::new(),
    }
}
