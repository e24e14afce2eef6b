//! Where the configuration file is.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::environment::read_text;
use crate::load::MAX_FILE;

/// The environment variable that names the file.
pub const VARIABLE: &str = "TOWPATH_CONFIG";

/// Where the file is looked for when nothing names it, in this order.
pub const USUAL_PLACES: [&str; 2] = ["./towpath.yaml", "/etc/towpath/towpath.yaml"];

/// Finds the file: `option` (from `--config`) if given, else `variable` (the value of [`VARIABLE`]) if set, else the first
/// of [`USUAL_PLACES`] that exists. A file that was named is never passed over for another one, even if it is missing.
///
/// # Errors
/// None of the usual places has a file.
pub fn locate(
    option: Option<&Path>,
    variable: Option<&Path>,
    exists: impl Fn(&Path) -> bool,
) -> Result<PathBuf, NotFound> {
    let variable = variable.filter(|path| !path.as_os_str().is_empty());
    if let Some(named) = option.or(variable) {
        return Ok(named.to_owned());
    }
    let tried = USUAL_PLACES.map(PathBuf::from);
    tried.iter().find(|path| exists(path)).cloned().ok_or(NotFound { tried: tried.into() })
}

/// There is no configuration file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NotFound {
    /// Where it was looked for.
    pub tried: Vec<PathBuf>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tried: Vec<String> = self.tried.iter().map(|path| format!("`{}`", path.display())).collect();
        write!(f, "no configuration file at {}; name one with `--config` or `{VARIABLE}`", tried.join(" or "))
    }
}

/// The text of a configuration file.
///
/// # Errors
/// It cannot be read, is not UTF-8, or is larger than [`MAX_FILE`].
pub fn read_file(path: &Path) -> io::Result<String> {
    read_text(path, MAX_FILE.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_file_wins_over_the_usual_places() {
        let nothing = |_: &Path| false;
        let option = Some(Path::new("a.yaml"));
        assert_eq!(locate(option, Some(Path::new("b.yaml")), nothing).unwrap(), Path::new("a.yaml"));
        assert_eq!(locate(None, Some(Path::new("b.yaml")), |_| true).unwrap(), Path::new("b.yaml"));
        assert_eq!(locate(None, Some(Path::new("")), |_| true).unwrap(), Path::new("./towpath.yaml"));
        let etc = |path: &Path| path.starts_with("/etc");
        assert_eq!(locate(None, None, etc).unwrap(), Path::new("/etc/towpath/towpath.yaml"));
        assert_eq!(
            locate(None, None, nothing).unwrap_err().to_string(),
            "no configuration file at `./towpath.yaml` or `/etc/towpath/towpath.yaml`; name one with `--config` or \
             `TOWPATH_CONFIG`"
        );
    }
}
