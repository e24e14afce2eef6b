//! The API that a recipe describes, simulated, with credentials of the simulator's.

use config::Recipe;
use http_client::Url;
use settings::Secret;
use simulator::log::{Credential, KEY, Manner};
use source_audit_logs::{AuditLogsConfig, AuthConfig, Oauth2Config};

use super::described::{Described, said};
use super::manner::{Takes, has_forms, manner};
use crate::failure::Failure;

/// What a recipe says, and the API that speaks so.
pub(crate) struct Simulated {
    /// The block of a source to it, checked; its URL is the vendor's.
    pub(crate) config: AuditLogsConfig,
    pub(crate) manner: Manner,
    /// The same where it takes times only in the last of the forms that are tried, if there are several.
    pub(crate) harder: Option<Manner>,
}

/// Where the simulated API gives out tokens.
const TOKEN_PATH: &str = "/oauth2/token";

impl Simulated {
    /// Checks all of a recipe, and what is to be added to it.
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, Failure> {
        if !recipe.has("auth") && said(recipe, "auth").is_none() {
            return Err(Failure::Usage(format!(
                "error: recipe {} does not say how its credential is sent\n\
                 help: write it into `credential`, in backticks, such as \"`auth: {{ bearer: TOKEN }}`\"",
                recipe.name
            )));
        }
        let mut config = Described::new(recipe)?.config;
        let credentials = give_credentials(&mut config.auth);
        let manner = |takes| {
            manner(&config, credentials.clone(), takes).map_err(|why| {
                Failure::Usage(format!("error: the API of recipe {} cannot be simulated: {why}", recipe.name))
            })
        };
        let harder = has_forms(&config).then(|| manner(Takes::TheLast)).transpose()?;
        let manner = manner(Takes::TheFirst)?;
        Ok(Self { config, manner, harder })
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
