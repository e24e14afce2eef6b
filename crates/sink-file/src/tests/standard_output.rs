//! The stream behind `-`, over a pipe and over files that fail.

use std::io::{ErrorKind, Read, pipe};
use std::os::fd::OwnedFd;

use bytes::Bytes;

use super::script::Call::{Append, Sync};
use super::script::{Fault, Script, Scripted};
use super::*;
use crate::stream::Stream;

fn lines(parts: &[&'static str]) -> Vec<Bytes> {
    parts.iter().map(|part| Bytes::from_static(part.as_bytes())).collect()
}

#[test]
fn a_pipe_gets_whole_lines_until_its_reader_ends() {
    let (mut reader, writer) = pipe().unwrap();
    let mut stream = Stream::new(Box::new(File::from(OwnedFd::from(writer)))).unwrap();
    // Larger than a pipe, so that it is written in pieces.
    let large = Bytes::from(format!("{{\"x\":\"{}\"}}\n", "x".repeat(300_000)));
    let expected = [&b"{1}\n"[..], &large].concat();
    let reading = std::thread::spawn(move || {
        let mut text = vec![0; 4 + 300_000 + 9];
        reader.read_exact(&mut text).unwrap();
        text
    });
    stream.append(&[Bytes::from_static(b"{1}\n"), large]).unwrap();
    assert_eq!(reading.join().unwrap(), expected);
    // The reader is dropped with its thread.
    let error = SinkError::from(stream.append(&lines(&["{2}\n"])).unwrap_err());
    assert!(matches!(error, SinkError::Paused { reason: "reader_gone", .. }), "{error:?}");
}

#[test]
fn a_torn_line_is_completed_before_anything_else() {
    let parts = lines(&["{1}\n{2}\n", "{3}\n"]);
    let whole = "{1}\n{2}\n{3}\n";
    for stop in 1..whole.len() {
        let dir = directory();
        let path = dir.path().join("out");
        let file = File::options().append(true).create(true).open(&path).unwrap();
        let script = Script::default();
        let mut stream = Stream::new(Box::new(Scripted { file, script: script.clone() })).unwrap();
        script.plan(Append, Fault::Short(stop));
        script.plan(Append, Fault::Fail(ErrorKind::StorageFull));
        stream.append(&parts).unwrap_err();
        // And the rest of it is torn once more.
        script.plan(Append, Fault::Short(1));
        script.plan(Append, Fault::Fail(ErrorKind::Other));
        let torn_again = stream.append(&parts).is_err();
        script.plan(Append, Fault::None);
        script.calls();
        stream.append(&parts).unwrap();
        assert_eq!(script.calls().last(), Some(&Sync), "a file is made durable");
        let found = content(&path);
        assert!(found.lines().all(|line| ["{1}", "{2}", "{3}"].contains(&line)), "{stop}: {found:?}");
        assert!(torn_again && found.ends_with(whole), "{stop}: {found:?}");
    }
}
