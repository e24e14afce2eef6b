//! What can go wrong with a file, and what the runtime and the operator do about it.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pipeline::SinkError;

/// Why lines could not be written. Everything heals without a restart once its cause is gone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The system refused.
    #[error("cannot {doing} {}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Somebody else has it.
    #[error("{} is locked by another process or another sink", path.display())]
    InUse { path: PathBuf },
    /// It is a directory, a named pipe, a device.
    #[error("{} is {what}, not a file", path.display())]
    NotAFile { path: PathBuf, what: &'static str },
    /// Its end is no line of text.
    #[error("{} does not end in a line of text, so it is no file of events", path.display())]
    NotLines { path: PathBuf },
    /// Somebody moved or deleted it at the wrong moment.
    #[error("{} was moved or deleted during the write", path.display())]
    Moved { path: PathBuf },
    /// The work ended without a result: a defect, or the program is ending.
    #[error("the writing task ended early")]
    Task(#[source] tokio::task::JoinError),
}

impl Failure {
    /// For `map_err`: the system refused to do this to that.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    /// Reason and remedy where a person must act; nothing where time may heal it.
    fn remedy(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Io { path, source, .. } => io_remedy(path, source.kind()),
            Self::InUse { path } => Some((
                "in_use",
                format!(
                    "stop the other writer (`fuser {0}` finds it) or give this sink a path of its own",
                    path.display()
                ),
            )),
            Self::NotAFile { what, .. } => Some((
                "path",
                format!("{what} cannot keep events: name a file in `path`, or `-` for standard output"),
            )),
            Self::NotLines { path } => Some((
                "path",
                format!("move {} away if it is not needed, or name another file in `path`", path.display()),
            )),
            Self::Moved { .. } | Self::Task(_) => None,
        }
    }
}

fn io_remedy(path: &Path, kind: ErrorKind) -> Option<(&'static str, String)> {
    let shown = path.display();
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some((
            "disk_full",
            format!("free space for {shown} or raise the quota: delivery then goes on by itself"),
        )),
        ErrorKind::FileTooLarge => Some((
            "file_too_large",
            format!(
                "raise the limit on file sizes for {shown} (`ulimit -f`, systemd `LimitFSIZE`) or set \
                 `rotate.max_size` below it"
            ),
        )),
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid();
            Some(("permission", format!("let user {} read and write {}", user.as_raw(), owner(path))))
        }
        ErrorKind::ReadOnlyFilesystem => Some((
            "read_only",
            format!("make the file system of {shown} writable (under systemd: `ReadWritePaths`)"),
        )),
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::InvalidFilename => {
            Some(("path", format!("name a file in `path` that can exist; {shown} cannot")))
        }
        ErrorKind::BrokenPipe => Some((
            "reader_gone",
            "what read standard output has ended: start Towpath again with a reader, or name a file in `path`"
                .to_owned(),
        )),
        _ => None,
    }
}

/// The file, or the nearest directory above it that there is, with its owner and mode.
fn owner(path: &Path) -> String {
    for place in path.ancestors() {
        if let Ok(metadata) = fs::metadata(place) {
            let (user, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
            return format!("{} (owner {user}:{group}, mode {mode:04o})", place.display());
        }
    }
    path.display().to_string()
}

impl From<Failure> for SinkError {
    fn from(failure: Failure) -> Self {
        match failure.remedy() {
            Some((reason, remedy)) => Self::Paused { reason, remedy, source: failure.into() },
            None => Self::Transient { retry_after: None, source: failure.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn each_failure_says_whether_a_person_must_act() {
        let path = Path::new("/no/such/file");
        for (kind, reason) in [
            (ErrorKind::StorageFull, Some("disk_full")),
            (ErrorKind::QuotaExceeded, Some("disk_full")),
            (ErrorKind::FileTooLarge, Some("file_too_large")),
            (ErrorKind::PermissionDenied, Some("permission")),
            (ErrorKind::ReadOnlyFilesystem, Some("read_only")),
            (ErrorKind::NotADirectory, Some("path")),
            (ErrorKind::IsADirectory, Some("path")),
            (ErrorKind::InvalidFilename, Some("path")),
            (ErrorKind::BrokenPipe, Some("reader_gone")),
            (ErrorKind::StaleNetworkFileHandle, None),
            (ErrorKind::NotFound, None),
            (ErrorKind::Other, None),
        ] {
            let found = match SinkError::from(Failure::io("write to", path)(kind.into())) {
                SinkError::Paused { reason, .. } => Some(reason),
                SinkError::Transient { .. } => None,
                other => panic!("{kind}: {other:?}"),
            };
            assert_eq!(found, reason, "{kind}");
        }
    }

    #[test]
    fn a_refused_permission_names_the_place_its_owner_and_us() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1705)).unwrap();
        let metadata = fs::metadata(dir.path()).unwrap();
        let (user, group) = (metadata.uid(), metadata.gid());
        let failure = Failure::io("open", &dir.path().join("a/b.ndjson"))(ErrorKind::PermissionDenied.into());
        assert_eq!(
            SinkError::from(failure).to_string(),
            format!(
                "let user {user} read and write {} (owner {user}:{group}, mode 1705)",
                dir.path().display()
            )
        );
    }
}
