//! The words of an action's machine name, and the verbs among them.

/// What an action does, as far as one of its words says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Read,
    Update,
    Delete,
    Enable,
    Disable,
    Activate,
    Deactivate,
    Export,
    Import,
    Share,
    Search,
    Move,
}

impl Verb {
    /// The lexicon, in the forms that action names use.
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "create" | "created" | "creates" | "add" | "added" | "adds" | "generate" | "generated"
            | "invite" | "invited" | "new" | "insert" | "inserted" | "register" | "registered"
            | "provision" | "provisioned" | "issue" | "issued" | "upload" | "uploaded" | "start"
            | "started" | "fork" | "forked" | "assign" | "assigned" | "grant" | "granted" | "join"
            | "joined" | "post" => Self::Create,
            "read" | "view" | "viewed" | "download" | "downloaded" | "get" | "list" | "listed" | "fetch"
            | "fetched" | "access" | "accessed" | "open" | "opened" | "show" | "preview" | "describe" => {
                Self::Read
            }
            "update" | "updated" | "updates" | "modify" | "modified" | "rotate" | "rotated" | "approve"
            | "approved" | "change" | "changed" | "edit" | "edited" | "rename" | "renamed" | "set"
            | "reset" | "regenerate" | "regenerated" | "replace" | "replaced" | "patch" | "put" | "merge"
            | "merged" | "transfer" | "transferred" | "restore" | "restored" | "renew" | "renewed"
            | "verify" | "verified" | "configure" | "configured" | "increase" | "decrease" | "reject"
            | "rejected" | "decline" | "declined" | "accept" | "accepted" | "link" | "linked" | "unlink"
            | "unlinked" => Self::Update,
            "delete" | "deleted" | "deletes" | "remove" | "removed" | "removes" | "revoke" | "revoked"
            | "cancel" | "cancelled" | "canceled" | "destroy" | "destroyed" | "deprovision"
            | "deprovisioned" | "purge" | "purged" | "erase" | "erased" | "drop" | "dropped" | "unassign"
            | "unassigned" | "uninstall" | "uninstalled" | "leave" | "left" => Self::Delete,
            "enable" | "enabled" => Self::Enable,
            "disable" | "disabled" => Self::Disable,
            "activate" | "activated" | "reactivate" | "reactivated" => Self::Activate,
            "deactivate" | "deactivated" | "suspend" | "suspended" => Self::Deactivate,
            "export" | "exported" => Self::Export,
            "import" | "imported" => Self::Import,
            "share" | "shared" | "publish" | "published" => Self::Share,
            "search" | "searched" | "query" | "queried" => Self::Search,
            "move" | "moved" => Self::Move,
            _ => return None,
        })
    }

    /// Whether it takes something away.
    pub(crate) fn takes_away(self) -> bool {
        matches!(self, Self::Delete | Self::Disable | Self::Deactivate)
    }
}

/// The words of a name, in lower case.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    words: [&'a str; MOST],
    count: usize,
}

/// What an ASCII letter is to a name.
const KINDS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut n = 0;
    while n < 128 {
        table[n] = match n as u8 {
            b'A'..=b'Z' => UPPER,
            b'a'..=b'z' => LOWER,
            b'0'..=b'9' => DIGIT,
            _ => OTHER,
        };
        n += 1;
    }
    table
};
const OTHER: u8 = 0;
const UPPER: u8 = 1;
const LOWER: u8 = 2;
const DIGIT: u8 = 3;

/// Words of a name beyond these are not looked at.
const MOST: usize = 16;

impl<'a> Words<'a> {
    /// Splits `name` at everything that is neither letter nor digit, and inside `camelCase`: `scimKey` and `MFAEnabled` are two
    /// words each. `memory` holds the words.
    pub(crate) fn split(name: &str, memory: &'a mut String) -> Self {
        memory.clear();
        let mut words = Self { words: [""; MOST], count: 0 };
        if !name.is_ascii() {
            words_of_any_script(name, memory);
            for (place, word) in words.words.iter_mut().zip(memory.split_ascii_whitespace()) {
                *place = word;
                words.count += 1;
            }
            return words;
        }
        memory.push_str(name);
        memory.make_ascii_lowercase();
        let lower: &'a str = memory;
        let kind = |at: usize| name.as_bytes().get(at).map_or(OTHER, |letter| KINDS[usize::from(*letter)]);
        let (mut start, mut before) = (0, OTHER);
        for (at, letter) in name.bytes().enumerate() {
            let own = KINDS[usize::from(letter)];
            if own == OTHER {
                words.push(&lower[start..at]);
                start = at + 1;
            } else if own == UPPER && before != OTHER && (before != UPPER || kind(at + 1) == LOWER) {
                words.push(&lower[start..at]);
                start = at;
            }
            before = own;
        }
        words.push(&lower[start..]);
        words
    }

    #[inline]
    fn push(&mut self, word: &'a str) {
        if let Some(place) = self.words.get_mut(self.count).filter(|_| !word.is_empty()) {
            *place = word;
            self.count += 1;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a str> + Clone {
        self.words[..self.count].iter().copied()
    }

    /// Whether `word` is no verb.
    pub(crate) fn is_noun(word: &str) -> bool {
        Verb::of(word).is_none()
    }

    pub(crate) fn first(&self) -> &'a str {
        self.words[0]
    }

    /// Whether one of the words is one of `any`.
    pub(crate) fn have(&self, any: &[&str]) -> bool {
        self.iter().any(|word| any.contains(&word))
    }

    /// Whether `first` and `second` stand side by side.
    pub(crate) fn have_pair(&self, first: &[&str], second: &[&str]) -> bool {
        let words = &self.words[..self.count];
        words.windows(2).any(|pair| first.contains(&pair[0]) && second.contains(&pair[1]))
    }

    /// The last verb.
    pub(crate) fn verb(&self) -> Option<Verb> {
        self.iter().filter_map(Verb::of).last()
    }

    /// Whether it tells of a sign-in, not of how one is to sign in.
    pub(crate) fn sign_in(&self) -> bool {
        const SETTINGS: [&str; 8] =
            ["settings", "setting", "config", "configuration", "policy", "method", "methods", "scheme"];
        let signs_in = self.have(&["login", "signin", "logon"])
            || self.have_pair(&["log", "logged", "sign", "signed"], &["in", "on"]);
        signs_in && !self.have(&SETTINGS)
    }

    /// Whether it tells of a sign-out.
    pub(crate) fn sign_out(&self) -> bool {
        self.have(&["logout", "signout", "logoff"])
            || self.have_pair(&["log", "logged", "sign", "signed"], &["out", "off"])
    }

    /// Whether a word says that it failed (`Some(false)`) or succeeded (`Some(true)`). Refusals by a person, such as
    /// `reject` and `cancel`, are acts that succeeded.
    pub(crate) fn success(&self) -> Option<bool> {
        const FAILED: [&str; 14] = [
            "failed",
            "failure",
            "fail",
            "fails",
            "error",
            "errors",
            "denied",
            "blocked",
            "unauthorized",
            "forbidden",
            "unsuccessful",
            "invalid",
            "locked",
            "refused",
        ];
        const SUCCEEDED: [&str; 5] = ["success", "successful", "succeeded", "succeed", "successfully"];
        if self.have(&FAILED) {
            Some(false)
        } else if self.have(&SUCCEEDED) {
            Some(true)
        } else {
            None
        }
    }
}

/// Writes the words of `name` in lower case, with spaces between.
fn words_of_any_script(name: &str, memory: &mut String) {
    let mut before: Option<char> = None;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_alphanumeric() {
            before = None;
            continue;
        }
        let hump = letter.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || letters.peek().is_some_and(|next| next.is_lowercase())
            });
        if (before.is_none() || hump) && !memory.is_empty() {
            memory.push(' ');
        }
        if letter.is_ascii() {
            memory.push(letter.to_ascii_lowercase());
        } else {
            memory.extend(letter.to_lowercase());
        }
        before = Some(letter);
    }
}

/// Appends `word` as a word of a title: `alert` as `Alert`, `sso` as `SSO`.
pub(crate) fn push_title(title: &mut String, word: &str) {
    const ACRONYMS: [&str; 10] = ["api", "sso", "scim", "url", "mfa", "2fa", "ip", "saml", "id", "oauth"];
    if !title.is_empty() {
        title.push(' ');
    }
    if ACRONYMS.contains(&word) {
        title.extend(word.chars().flat_map(char::to_uppercase));
        return;
    }
    let mut letters = word.chars();
    title.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    title.push_str(letters.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> String {
        let mut memory = String::new();
        Words::split(name, &mut memory).iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_split_at_punctuation_and_humps() {
        for (name, expected) in [
            ("user.login_sso_success", "user login sso success"),
            ("team.scimKeyCreated", "team scim key created"),
            ("MFAEnabled", "mfa enabled"),
            ("user.2fa-reset", "user 2fa reset"),
            ("..Größe__ÄNDERN", "größe ändern"),
            ("...", ""),
            ("A", "a"),
            ("aBC2D", "a bc2 d"),
            ("-x--Y-", "x y"),
            ("é.a b", "é a b"),
            ("1 2 3 4 5 6 7 8 9 a b c d e f g h i", "1 2 3 4 5 6 7 8 9 a b c d e f g"),
        ] {
            assert_eq!(words(name), expected);
        }
        // Both ways of splitting agree.
        for name in ["aBC2D", "userLogin__SSOFailed.x9Y", "..HTTPServer", "ABC", "aB"] {
            let mut memory = String::new();
            words_of_any_script(name, &mut memory);
            assert_eq!(words(name), memory);
        }
    }

    #[test]
    fn the_last_verb_counts() {
        let verb = |name: &str| Words::split(name, &mut String::new()).verb();
        assert_eq!(verb("workspace.create_invite_revoked"), Some(Verb::Delete));
        assert_eq!(verb("collection.shared"), Some(Verb::Share));
        assert_eq!(verb("team.something"), None);
    }
}
