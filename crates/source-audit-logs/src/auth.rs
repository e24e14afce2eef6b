//! Credentials: what a user writes, and what goes into a request.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_client::delivery::{Hidden, Secrets};
use http_client::header::{AUTHORIZATION, HeaderMap, HeaderName};
use http_client::oauth2::{self, Client, Proof};
use http_client::{Request, endpoint, secret_header};
use schemars::JsonSchema;
use serde::Deserialize;
use settings::{Invalid, Secret};

/// The credential.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthConfig {
    /// `Authorization: Bearer …`
    Bearer(Secret),
    /// Headers of any name, each with its whole value: `Authorization: SSWS ${KEY}`.
    Headers(BTreeMap<String, Secret>),
    /// Name and password (RFC 7617).
    Basic(BasicConfig),
    /// A parameter of the query. Proxies and servers log those: only where the API takes nothing else.
    Query(QueryConfig),
    /// A token that is fetched with a client's credentials, and anew before it runs out (RFC 6749).
    Oauth2(Oauth2Config),
    /// None.
    None(crate::describe::Nothing),
}

/// Name and password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicConfig {
    /// The name; for some APIs the key.
    pub username: Secret,
    /// The password; without it an empty one.
    #[serde(default)]
    pub password: Option<Secret>,
}

/// A parameter of the query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryConfig {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Secret,
}

/// A token that is fetched with a client's credentials.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2Config {
    /// Where tokens are given out.
    pub token_url: String,
    /// By what right.
    #[serde(default)]
    pub grant: GrantName,
    /// The client.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: Secret,
    /// For `grant: refresh_token`. One that is replaced with every use is not kept over a restart: use another grant, or a
    /// client whose refresh token stays.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// What the token is for.
    #[serde(default)]
    pub scope: Option<String>,
    /// Whatever else the server wants, such as `account_id` or `audience`.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// How the client proves who it is.
    #[serde(default)]
    pub client_auth: ClientAuthName,
}

/// By what right a token is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantName {
    /// The client's own.
    #[default]
    ClientCredentials,
    /// That of a user who has agreed once.
    RefreshToken,
    /// That of an account (Zoom).
    AccountCredentials,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthName {
    /// Name and password in the header `Authorization`, as every server must take it (RFC 6749, 2.3.1).
    #[default]
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
}

/// The credential, and the key under which its user has written it, where that is not `auth`.
#[derive(Clone, Debug)]
pub(crate) struct Auth {
    pub(crate) config: AuthConfig,
    pub(crate) key: Option<&'static str>,
}

impl Secrets for Auth {
    type Prepared = Prepared;

    fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
        let key = self.key;
        let named = |(name, secret)| (key.map_or(name, str::to_owned), secret);
        self.config.each_mut().into_iter().map(named).collect()
    }

    fn prepare(&self) -> Result<Prepared, Vec<Invalid>> {
        let named = |wrong: Invalid| match self.key {
            Some(key) => Invalid { path: key.to_owned(), ..wrong },
            None => wrong,
        };
        self.config.prepare().map_err(|wrong| wrong.into_iter().map(named).collect())
    }
}

/// What goes into requests.
#[derive(Default)]
pub struct Prepared {
    pub(crate) headers: HeaderMap,
    pub(crate) query: Option<(String, String)>,
    /// How a token is fetched.
    pub(crate) oauth2: Option<Request>,
    pub(crate) hidden: Hidden,
}

/// Shows nothing.
impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

impl Prepared {
    fn header(&mut self, key: &str, name: HeaderName, secret: &Secret) -> Result<(), Invalid> {
        self.hidden.hide(secret.expose());
        // `Bearer x` is as secret as x.
        if let Some((_, token)) = secret.expose().split_once(' ') {
            self.hidden.hide(token);
        }
        let value = secret_header(key, secret).map_err(|_| unfit(key))?;
        self.headers.insert(name, value);
        Ok(())
    }
}

fn unfit(key: &str) -> Invalid {
    let message = "holds a line break or another character that no header can carry";
    Invalid::new(key, message, "copy it again, without what stands around it")
}

fn basic(username: &str, password: &str) -> Secret {
    Secret::new(format!("Basic {}", BASE64.encode(format!("{username}:{password}"))))
}

impl Secrets for AuthConfig {
    type Prepared = Prepared;

    fn each_mut(&mut self) -> Vec<(String, &mut Secret)> {
        let key = |name: &str| format!("auth.{name}");
        match self {
            Self::Bearer(token) => vec![(key("bearer"), token)],
            Self::Headers(headers) => {
                headers.iter_mut().map(|(name, value)| (key(&format!("headers.{name}")), value)).collect()
            }
            Self::Basic(BasicConfig { username, password }) => {
                let password = password.iter_mut().map(|password| (key("basic.password"), password));
                [(key("basic.username"), username)].into_iter().chain(password).collect()
            }
            Self::Query(query) => vec![(key("query.value"), &mut query.value)],
            Self::Oauth2(oauth2) => {
                let refresh =
                    oauth2.refresh_token.iter_mut().map(|token| (key("oauth2.refresh_token"), token));
                [(key("oauth2.client_secret"), &mut oauth2.client_secret)]
                    .into_iter()
                    .chain(refresh)
                    .collect()
            }
            Self::None(_) => Vec::new(),
        }
    }

    fn prepare(&self) -> Result<Prepared, Vec<Invalid>> {
        let mut prepared = Prepared::default();
        let mut wrong = Vec::new();
        let mut secrets = self.clone();
        for (key, secret) in secrets.each_mut() {
            if secret.expose().trim().is_empty() {
                wrong.push(Invalid::new(
                    key,
                    "is empty",
                    "write the credential, or the variable that has it",
                ));
            }
        }
        let taken = match self {
            Self::Bearer(token) => {
                prepared.hidden.hide(token.expose());
                let value = Secret::new(format!("Bearer {}", token.expose()));
                prepared.header("auth.bearer", AUTHORIZATION, &value)
            }
            Self::Headers(headers) => headers.iter().try_for_each(|(name, secret)| {
                let key = format!("auth.headers.{name}");
                let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
                    Invalid::new(&key, "is no name of a header", "write a name such as `X-API-Key`")
                })?;
                prepared.header(&key, header, secret)
            }),
            Self::Basic(BasicConfig { username, password }) => {
                let password = password.as_ref().map_or("", Secret::expose);
                prepared.hidden.hide(password);
                prepared.hidden.hide(username.expose());
                prepared.header("auth.basic", AUTHORIZATION, &basic(username.expose(), password))
            }
            Self::Query(QueryConfig { name, value }) => {
                prepared.hidden.hide(value.expose());
                prepared.query = Some((name.clone(), value.expose().to_owned()));
                Ok(())
            }
            Self::Oauth2(oauth2) => prepared.token_request(oauth2),
            Self::None(_) => Ok(()),
        };
        wrong.extend(taken.err());
        if wrong.is_empty() { Ok(prepared) } else { Err(wrong) }
    }
}

impl Prepared {
    fn token_request(&mut self, config: &Oauth2Config) -> Result<(), Invalid> {
        let key = "auth.oauth2.token_url";
        let url = endpoint(&config.token_url)
            .map_err(|error| Invalid::new(key, format!("is {error}"), error.remedy()))?;
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let mut add = |name, value| fields.push((name, value));
        match (config.grant, &config.refresh_token) {
            (GrantName::ClientCredentials, None) => add("grant_type", "client_credentials"),
            (GrantName::AccountCredentials, None) => add("grant_type", "account_credentials"),
            (GrantName::RefreshToken, Some(token)) => {
                add("grant_type", "refresh_token");
                add("refresh_token", token.expose());
            }
            (GrantName::RefreshToken, None) => {
                let remedy = "write the token that the user's consent has given";
                return Err(Invalid::new("auth.oauth2.refresh_token", "is missing", remedy));
            }
            (_, Some(_)) => {
                let message = "belongs to `grant: refresh_token`";
                return Err(Invalid::new(
                    "auth.oauth2.refresh_token",
                    message,
                    "leave it out, or write that grant",
                ));
            }
        }
        if let Some(scope) = &config.scope {
            add("scope", scope);
        }
        fields.extend(config.params.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let proof = match config.client_auth {
            ClientAuthName::Basic => Proof::Header,
            ClientAuthName::Body => Proof::Body,
        };
        let client = Client { id: &config.client_id, secret: config.client_secret.expose(), proof };
        let request = oauth2::request(url, client, &fields, "auth.oauth2.client_secret", &mut self.hidden)?;
        if let Some(token) = &config.refresh_token {
            self.hidden.hide(token.expose());
        }
        self.oauth2 = Some(request);
        Ok(())
    }
}
