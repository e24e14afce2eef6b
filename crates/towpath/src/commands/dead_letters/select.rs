//! Which letters a command is to touch: it never guesses.

use std::collections::HashSet;

use anyhow::anyhow;
use dead_letters::{KeptLetter, LetterId};

use super::Chosen;
use crate::cli::WhichLetters;
use crate::failure::Failure;

/// The letters that were named.
pub(super) enum Selection {
    All,
    Ids(HashSet<LetterId>),
}

impl Selection {
    /// Looks up what the command line names. `verb` is for the error when it names nothing.
    pub(super) fn of(which: &WhichLetters, letters: &Chosen, verb: &str) -> Result<Self, Failure> {
        if which.all {
            return Ok(Self::All);
        }
        if which.ids.is_empty() {
            return Err(Failure::Usage(format!(
                "error: nothing is chosen to {verb}; name letters by their ids, as `towpath dead-letters list` shows \
                 them, or say --all, or --all --sink NAME for those of one sink"
            )));
        }
        let mut ids = HashSet::new();
        find(letters, &which.ids, |kept| {
            ids.insert(kept.id);
        })?;
        Ok(Self::Ids(ids))
    }

    pub(super) fn has(&self, id: LetterId) -> bool {
        match self {
            Self::All => true,
            Self::Ids(ids) => ids.contains(&id),
        }
    }
}

/// Finds the letters whose ids start as `starts` say: exactly one for each.
pub(super) fn find(
    letters: &Chosen,
    starts: &[String],
    mut take: impl FnMut(KeptLetter),
) -> Result<(), Failure> {
    let starts: Vec<String> = starts.iter().map(|start| start.to_ascii_lowercase()).collect();
    for start in &starts {
        if start.is_empty() || start.len() > 32 || !start.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Failure::Usage(format!(
                "error: {start:?} is no id of a dead letter, which is up to 32 hexadecimal digits; \
                 `towpath dead-letters list` shows them"
            )));
        }
    }
    let mut found: Vec<Vec<LetterId>> = vec![Vec::new(); starts.len()];
    let mut unreadable = 0_u64;
    for kept in letters.files.letters(letters.sink.as_deref())? {
        let Ok(kept) = kept else {
            unreadable += 1;
            continue;
        };
        let id = kept.id.to_string();
        let mut wanted = false;
        for (start, found) in starts.iter().zip(&mut found) {
            if id.starts_with(start) && !found.contains(&kept.id) {
                found.push(kept.id);
                wanted = true;
            }
        }
        if wanted {
            take(kept);
        }
    }
    for (start, found) in starts.iter().zip(&found) {
        match found.as_slice() {
            [_] => {}
            [] => {
                let of = letters.sink.as_ref().map_or(String::new(), |sink| format!(" of {sink}"));
                let mut text = format!("there is no dead letter {start}{of} in {}", letters.dir.display());
                if unreadable > 0 {
                    text += "; some cannot be read, `towpath dead-letters list` says which";
                }
                return Err(anyhow!(text).into());
            }
            several => {
                let ids: Vec<_> = several.iter().take(5).map(LetterId::to_string).collect();
                return Err(Failure::Usage(format!(
                    "error: {} dead letters start with {start}; write more of the id: {}",
                    several.len(),
                    ids.join(", ")
                )));
            }
        }
    }
    Ok(())
}
