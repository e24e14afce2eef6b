//! Sources of a type of their own whose API is one description for this engine: what they are called, and how they speak of it.

/// What a source of its own type has besides the description of its API.
#[derive(Clone, Debug)]
pub struct Vendor {
    /// The source's type: of its events' origin, and of its positions.
    pub kind: &'static str,
    /// The API's host, by the one of its names that positions have and budgets are counted by.
    pub host: String,
    /// The key under which a user writes the credential.
    pub credential: &'static str,
    /// How it speaks.
    pub voice: Voice,
}

/// How a source speaks of its API to its users.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// What the API is called: `Postman` answers 503.
    pub api: &'static str,
    /// Whether its users have written the description, so that errors name its keys, and a page that it does not fit is more likely
    /// their slip than the API's trouble.
    pub names_keys: bool,
    /// What to do about a request that is not taken.
    pub request: &'static str,
    /// What to do where something else than the API seems to answer.
    pub no_page: &'static str,
    /// What the pause for a used-up quota is called, and what to do about it.
    pub quota: (&'static str, &'static str),
}

impl Voice {
    /// Of a source whose users have described its API.
    pub(crate) const DESCRIBED: Self = Self {
        api: "the API",
        names_keys: true,
        request: "check `url`, `request` and `time_filter`: the API does not take what they describe",
        no_page: "if it says so again, check `url`, `request.path` and `proxy`: something else than the API answers, such as a \
                  login page; for one record a line, `records.format` is `ndjson`",
        quota: (
            "quota",
            "the API's quota is used up: raise it there, or wait; a longer `poll_interval` needs fewer calls",
        ),
    };

    /// That a quota is used up, as a clause.
    pub(crate) fn quota_used_up(&self) -> String {
        format!("{}'s {} is used up", self.api, self.quota.0.replace('_', " "))
    }
}
