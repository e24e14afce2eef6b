//! What only a process of its own can show: it is killed, or the system limits it. Each test runs this test program again
//! with a role.

use std::env;
use std::io::{self, BufRead, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use super::*;

const ROLE: &str = "SINK_FILE_TEST_ROLE";
const DIRECTORY: &str = "SINK_FILE_TEST_DIRECTORY";
const ROUND: &str = "SINK_FILE_TEST_ROUND";

/// Not a test of its own: what a child does.
#[tokio::test]
async fn child() {
    let Ok(role) = env::var(ROLE) else { return };
    let path = Path::new(&env::var_os(DIRECTORY).unwrap()).join("e.ndjson");
    match role.as_str() {
        "write until killed" => write_until_killed(&path, env::var(ROUND).unwrap().parse().unwrap()).await,
        "two files" => two_files(&path).await,
        "size limit" => size_limit(&path).await,
        "full disk" => full_disk(&path).await,
        "read-only disk" => read_only_disk(&path).await,
        "no permission" => no_permission(&path).await,
        other => panic!("{other}"),
    }
}

/// This program in a role.
fn command(role: &str, directory: &Path) -> Command {
    as_child(Command::new(env::current_exe().unwrap()), role, directory)
}

/// This program in a role, run by `script` with `exec "$0" "$@"`.
fn through_shell(script: &str, role: &str, directory: &Path) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(env::current_exe().unwrap());
    as_child(shell, role, directory)
}

fn as_child(mut command: Command, role: &str, directory: &Path) -> Command {
    command.args(["--exact", "tests::processes::child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(DIRECTORY, directory);
    command
}

fn succeeds(mut command: Command) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "{}", text(&output.stdout));
}

/// Says so past the test harness, which hides what is printed.
fn skipped(why: &str) {
    writeln!(io::stderr(), "skipped: {why}").unwrap();
}

fn is_root() -> bool {
    geteuid().is_root()
}

/// Enough for a write to take its time.
const LINES: usize = 2_000;

fn line(round: u64, part: usize) -> String {
    format!("{{\"round\":{round},\"part\":{part},\"pad\":\"{}\"}}", "x".repeat(1000))
}

async fn write_until_killed(path: &Path, round: u64) {
    let sink = FileSink::new(settings(path, Rotation { max_size: Some(8 << 20), daily: false }));
    let lines: Vec<String> = (0..LINES).map(|part| line(round, part)).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let (start, end) = lines.split_at(LINES / 3);
    let events = events(&[start, end]);
    loop {
        sink.write(&events).await.unwrap();
        println!("\nacknowledged");
    }
}

#[test]
fn a_killed_process_leaves_every_acknowledged_line_and_no_torn_one() {
    // In memory a sync costs nothing, so nearly all of the time is spent in writing, and most of the kills hit a write.
    let dir = directory();
    let path = dir.path().join("e.ndjson");
    let mut acknowledged = Vec::new();
    for round in 0..10 {
        let mut command = command("write until killed", dir.path());
        let mut child = command.env(ROUND, round.to_string()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut acknowledgements = output.lines().filter(|line| line.as_ref().unwrap() == "acknowledged");
        assert!(acknowledgements.next().is_some());
        thread::sleep(Duration::from_millis(1 + round % 4));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.push(1 + acknowledgements.count());
    }
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(sink(&path).open()).unwrap();
    let mut found = vec![vec![0; LINES]; acknowledged.len()];
    for entry in fs::read_dir(dir.path()).unwrap() {
        let text = content(&entry.unwrap().path());
        assert!(text.is_empty() || text.ends_with('\n'));
        for text in text.lines() {
            let mut numbers = text.split([':', ',']).skip(1).step_by(2).map(|number| number.parse().unwrap());
            let (round, part): (usize, usize) = (numbers.next().unwrap(), numbers.next().unwrap());
            assert_eq!(text, line(round as u64, part));
            found[round][part] += 1;
        }
    }
    for (round, times) in acknowledged.into_iter().enumerate() {
        for (part, found) in found[round].iter().enumerate() {
            assert!(*found >= times, "line {part} of round {round}: {found} of {times}");
        }
    }
}

async fn two_files(path: &Path) {
    let path = path.with_file_name("new/e.ndjson");
    let sink = FileSink::new(settings(&path, Rotation { max_size: Some(8), daily: false }));
    for line in ["{1}", "{2}"] {
        deliver(&sink, &[line, line]).await.unwrap();
        println!("\nacknowledged");
    }
}

/// What survives a power failure cannot be seen from outside, but what the kernel is asked for can.
#[test]
fn names_and_lines_are_synced_before_they_are_acknowledged() {
    let dir = directory();
    let trace = dir.path().join("trace");
    let strace = "-f -y -e trace=mkdir,rename,renameat,renameat2,write,writev,fsync,fdatasync";
    let run = format!("exec strace {strace} -o '{}' \"$0\" \"$@\"", trace.display());
    if !through_shell(&run, "two files", dir.path()).output().unwrap().status.success() {
        return skipped("this test needs strace and the right to trace");
    }
    let (new, file) = (dir.path().join("new"), dir.path().join("new/e.ndjson"));
    let fsync = |directory: &Path| format!("fsync(<{}>)", directory.display());
    let lines = [format!("writev(<{}>)", file.display()), format!("fdatasync(<{}>)", file.display())];
    let acknowledged = "acknowledged".to_owned();
    let steps: Vec<String> = fs::read_to_string(&trace).unwrap().lines().filter_map(step).collect();
    assert_eq!(
        steps,
        [
            &["mkdir".to_owned(), fsync(dir.path()), fsync(&new)][..],
            &lines,
            &[acknowledged.clone(), "rename".to_owned(), fsync(&new)],
            &lines,
            &[acknowledged],
        ]
        .concat()
    );
}

/// `17 fsync(9</a/b>) = 0` as `fsync(</a/b>)`; nothing for lines of no interest.
fn step(line: &str) -> Option<String> {
    let (name, arguments) = line.split_once(' ')?.1.trim_start().split_once('(')?;
    let file =
        arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(file, _)| file);
    match name {
        "mkdir" | "rename" => Some(name.to_owned()),
        "write" => arguments.contains("acknowledged").then(|| "acknowledged".to_owned()),
        "writev" | "fsync" | "fdatasync" => Some(format!("{name}(<{file}>)")),
        _ => None,
    }
}

/// Delivers that many numbered lines of a hundred bytes, or until the sink refuses.
async fn fill(sink: &FileSink, expected: &mut String, lines: usize) -> Result<(), SinkError> {
    for _ in 0..lines {
        let line = format!("{{\"n\":\"{:0>90}\"}}", expected.lines().count());
        deliver(sink, &[&line]).await?;
        expected.push_str(&line);
        expected.push('\n');
    }
    Ok(())
}

async fn size_limit(path: &Path) {
    let limit = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(10_050), maximum: limit.maximum }).unwrap();
    let sink = sink(path);
    let mut expected = String::new();
    for _ in 0..2 {
        assert_eq!(reason(fill(&sink, &mut expected, 200).await), "file_too_large");
        assert_eq!(content(path), expected);
    }
    assert!(expected.len() > 9_900, "{}", expected.len());
    setrlimit(Resource::Fsize, limit).unwrap();
    fill(&sink, &mut expected, 10).await.unwrap();
    assert_eq!(content(path), expected);
}

#[test]
fn a_limit_on_file_sizes_pauses_and_heals() {
    let dir = directory();
    // The limit comes with a signal that would end the process; what is ignored stays ignored in a child.
    succeeds(through_shell("trap '' XFSZ; exec \"$0\" \"$@\"", "size limit", dir.path()));
}

async fn full_disk(path: &Path) {
    let ballast = path.with_file_name("ballast");
    fs::write(&ballast, vec![0; 100 << 10]).unwrap();
    let sink = sink(path);
    let mut expected = String::new();
    for _ in 0..2 {
        assert_eq!(reason(fill(&sink, &mut expected, 4_000).await), "disk_full");
        // A large write stops in the middle of a line.
        let large = vec!["{\"n\":\"large\"}"; 20_000];
        assert_eq!(reason(deliver(&sink, &large).await), "disk_full");
        assert_eq!(content(path), expected);
    }
    fs::remove_file(ballast).unwrap();
    deliver(&sink, &["{\"n\":\"healed\"}"]).await.unwrap();
    expected.push_str("{\"n\":\"healed\"}\n");
    assert_eq!(content(path), expected);
}

/// In a mount namespace of its own, so that nothing is left mounted.
fn with_tmpfs(options: &str, role: &str) {
    if !is_root() {
        return skipped("mounting a file system needs root");
    }
    let dir = directory();
    let run = format!("mount -t tmpfs -o {options} none \"${DIRECTORY}\" && exec \"$0\" \"$@\"");
    succeeds(through_shell(&format!("exec unshare --mount sh -c '{run}' \"$0\" \"$@\""), role, dir.path()));
}

#[test]
fn a_full_disk_pauses_and_heals() {
    with_tmpfs("size=256k", "full disk");
}

async fn read_only_disk(path: &Path) {
    let remount = |mode: &str| {
        let status = Command::new("mount").args(["-o", mode]).arg(path.parent().unwrap()).status();
        assert!(status.unwrap().success());
    };
    assert_eq!(reason(deliver(&sink(path), &["{0}"]).await), "read_only");
    assert!(sink(path).check().await.is_err());
    let sink = sink(path);
    assert_eq!(reason(sink.open().await), "read_only");
    remount("remount,rw");
    deliver(&sink, &["{1}"]).await.unwrap();
    assert_eq!(content(path), "{1}\n");
}

#[test]
fn a_read_only_disk_pauses_and_heals() {
    with_tmpfs("size=256k,ro", "read-only disk");
}

async fn no_permission(path: &Path) {
    let directory = path.parent().unwrap();
    let allow = |place: &Path, mode| fs::set_permissions(place, fs::Permissions::from_mode(mode)).unwrap();
    let sink = FileSink::new(settings(path, Rotation { max_size: Some(8), daily: false }));
    allow(directory, 0o500);
    assert_eq!(reason(deliver(&sink, &["{1}"]).await), "permission");
    let error = sink.check().await.unwrap_err();
    assert!(error.to_string().contains(&format!("{} (owner", directory.display())), "{error}");
    allow(directory, 0o700);
    deliver(&sink, &["{1}"]).await.unwrap();
    deliver(&sink, &["{2}"]).await.unwrap();
    // A file that is full cannot be put aside.
    allow(directory, 0o500);
    let error = deliver(&sink, &["{3}"]).await.unwrap_err();
    assert!(error.to_string().contains(&format!("{} (owner", directory.display())), "{error}");
    assert_eq!(content(path), "{1}\n{2}\n");
    allow(directory, 0o700);
    deliver(&sink, &["{3}"]).await.unwrap();
    assert_eq!(content(path), "{3}\n");
    // The file itself is another's.
    drop(sink);
    allow(path, 0o400);
    let sink = self::sink(path);
    let error = sink.open().await.unwrap_err();
    assert!(error.to_string().contains(&format!("{} (owner", path.display())), "{error}");
    assert!(sink.check().await.is_err());
    allow(path, 0o600);
    deliver(&sink, &["{4}"]).await.unwrap();
    assert_eq!(content(path), "{3}\n{4}\n");
}

#[test]
fn a_missing_permission_pauses_and_heals() {
    let dir = tempfile::tempdir().unwrap();
    if !is_root() {
        return succeeds(command("no permission", dir.path()));
    }
    // Permissions do not bind root, so the child is nobody; it must be able to reach its own program.
    let nobody = 65_534;
    let program = dir.path().join("program");
    fs::copy(env::current_exe().unwrap(), &program).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    std::os::unix::fs::chown(&out, Some(nobody), Some(nobody)).unwrap();
    let mut child = as_child(Command::new(program), "no permission", &out);
    child.uid(nobody).gid(nobody).current_dir(&out);
    succeeds(child);
}
