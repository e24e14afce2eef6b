//! `docs/adding-a-source.md`, done as it says: its files are written, its commands run, and what they print is what it shows.
//! `UPDATE_EXPECT=1` writes anew what they print.
//!
//! A fenced block after `<!-- file: NAME -->` is that file. In a block `console`, lines with `$ ` are commands and the others what
//! they print, stdout before stderr; `…` stands for anything. A command with ` &` at its end runs until the page is done; where it prints the URL of an API, that stands for
//! `http://127.0.0.1:…` in the commands after it. A block `sh` asks for an account of the reader's, and is not run: further down the same
//! request is made of a simulated API. A block after `<!-- later: COMMAND -->` waits for a command that the binary does not have: as soon
//! as it does, the mark has to go.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::binary::towpath;
use crate::process::{Running, run, wait_until};
use crate::workplace::Workplace;

/// What a page writes for the URL of an API that it has started.
const URL: &str = "http://127.0.0.1:…";

/// One line of a page and what it is.
enum Part {
    /// Not ours.
    Text(String),
    /// A command, without its `$ `, and what is printed.
    Command(String, String),
}

/// A page, its files written into `place`.
fn parts(page: &str, place: &Workplace) -> Vec<Part> {
    let (mut parts, mut mark) = (Vec::new(), String::new());
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        parts.push(Part::Text(line.to_owned()));
        let Some(language) = line.strip_prefix("```") else {
            if !line.is_empty() {
                mark = line.trim_start_matches("<!-- ").trim_end_matches(" -->").to_owned();
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if let Some(name) = mark.strip_prefix("file: ") {
            place.write(name, &(block.join("\n") + "\n"));
        }
        let later = mark.strip_prefix("later: ");
        if let Some(command) = later {
            assert!(
                !is_there(command, place),
                "there is `towpath {command}` now: take the mark `later` away"
            );
        }
        for line in block {
            match (line.strip_prefix("$ "), parts.last_mut()) {
                (Some(command), _) if language == "console" && later.is_none() => {
                    parts.push(Part::Command(command.to_owned(), String::new()));
                }
                (None, Some(Part::Command(_, printed))) => *printed += &format!("{line}\n"),
                _ => parts.push(Part::Text(line.to_owned())),
            }
        }
        parts.push(Part::Text("```".to_owned()));
        mark.clear();
    }
    parts
}

/// Whether the binary has a command with that option.
fn is_there(command: &str, place: &Workplace) -> bool {
    let words: Vec<&str> = command.split(' ').filter(|word| !word.starts_with("--")).collect();
    let help = run(&mut place.command(&[&words[..], &["--help"]].concat()), b"");
    let option = command.split(' ').find(|word| word.starts_with("--"));
    help.status.code() == Some(0) && option.is_none_or(|option| help.stdout.contains(option))
}

/// Whether `printed` is what `shown` says, in which `…` stands for anything.
fn fits(shown: &str, printed: &str) -> bool {
    let Some((first, others)) = shown.split_once('…') else { return shown == printed };
    let (between, last) = others.rsplit_once('…').unwrap_or(("", others));
    let rest = printed.strip_prefix(first).and_then(|rest| rest.strip_suffix(last));
    let found = |rest: &str, piece: &str| rest.find(piece).map(|at| at + piece.len());
    rest.is_some_and(|rest| {
        let mut from = 0;
        between.split('…').all(|piece| found(&rest[from..], piece).inspect(|length| from += length).is_some())
    })
}

#[test]
fn what_is_shown_may_leave_out_parts() {
    for (shown, printed) in
        [("a\n", "a\n"), ("a\n…\nc\n", "a\nb\nc\n"), ("a…", "a\nb\n"), ("…:…\n", "x:8080\n"), ("", "")]
    {
        assert!(fits(shown, printed), "{shown:?} {printed:?}");
    }
    for (shown, printed) in [
        ("a\n", "b\n"),
        ("a\n", "a\nb\n"),
        ("a…c\n", "a\nb\n"),
        ("a…\n", "a\nb\nc"),
        ("a…b…b", "ab"),
        ("", "a"),
    ] {
        assert!(!fits(shown, printed), "{shown:?} {printed:?}");
    }
}

#[test]
fn guide_to_adding_a_source_is_right() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/adding-a-source.md");
    let page = fs::read_to_string(&file).unwrap();
    let place = Workplace::new();
    let tools = format!("{}:/usr/bin:/bin", towpath().parent().unwrap().display());
    let (mut fresh, mut commands, mut running) = (String::new(), 0, Vec::new());
    let mut url = URL.to_owned();
    for part in parts(&page, &place) {
        match part {
            Part::Text(line) => fresh += &format!("{line}\n"),
            Part::Command(command, shown) => {
                commands += 1;
                let mut shell = Command::new("/bin/sh");
                shell.current_dir(place.path("")).env_clear().env("PATH", &tools);
                let printed = if let Some(command) = command.strip_suffix(" &") {
                    let log = format!("printed-{commands}");
                    running.push(Running::start(
                        shell.args(["-c", &format!("exec {command}")]),
                        &place.path(&log),
                    ));
                    let lines = shown.lines().count().max(1);
                    wait_until("it says what is shown", || place.lines(&log) >= lines);
                    let printed = place.read(&log);
                    let first = printed.lines().next().filter(|line| line.starts_with("http://"));
                    url = first.map_or(url, str::to_owned);
                    printed
                } else {
                    let ended = run(shell.args(["-c", &command.replace(URL, &url)]), b"");
                    assert!(ended.status.code() != Some(127), "{command}: {ended}");
                    format!("{}{}", ended.stdout, ended.stderr)
                };
                let kept = if fits(&shown, &printed) { &shown } else { &printed };
                fresh += &format!("$ {command}\n{kept}");
            }
        }
    }
    assert!(commands >= 8, "the commands of the page are not found");
    if fresh != page && std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &fresh).unwrap();
    } else {
        assert!(fresh == page, "{} shows something else than what happens:\n{fresh}", file.display());
    }
}
