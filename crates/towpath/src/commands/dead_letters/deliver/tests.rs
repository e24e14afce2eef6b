use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use dead_letters::{LetterFiles, LetterStore};
use pipeline::{
    BoxError, DeadLetters as _, EventDraft, EventOutcome, EventWriter, Origin, Schema, Timestamp,
};

use super::*;

/// What a destination answers next; `Ok` when there is no more to say.
type Script = Mutex<VecDeque<Answer>>;

enum Answer {
    Says(Result<Outcome, SinkError>),
    Hangs,
}

/// Answers by a script, and refuses writes that hold what it does not like.
#[derive(Default)]
struct Destination {
    script: Script,
    /// Refuses a write with one of these without saying which.
    dislikes: Vec<&'static str>,
    /// The most events that it takes at once.
    room: Option<usize>,
    /// The writes that it got.
    seen: Mutex<Vec<Vec<String>>>,
}

#[async_trait]
impl Sink for Destination {
    async fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }

    async fn write(&self, events: &Write) -> Result<Outcome, SinkError> {
        let lines: Vec<String> =
            events.events().map(|(batch, event)| String::from_utf8_lossy(batch.text(event)).into()).collect();
        self.seen.lock().unwrap().push(lines.clone());
        let next = self.script.lock().unwrap().pop_front();
        match next {
            Some(Answer::Says(answer)) => return answer,
            Some(Answer::Hangs) => std::future::pending().await,
            None => {}
        }
        if self.room.is_some_and(|room| lines.len() > room) {
            return Err(SinkError::TooLarge("413".into()));
        }
        if lines.iter().any(|line| self.dislikes.contains(&&**line)) {
            let reason = Reason { kind: "refused", detail: "422".into() };
            return Err(SinkError::Rejected { reason });
        }
        Ok(Outcome::default())
    }
}

/// What became of each letter, by its event.
#[derive(Default)]
struct Book {
    taken: Vec<String>,
    /// With reason and attempts.
    refused: Vec<(String, &'static str, u32)>,
    kept: usize,
}

fn text(letter: &Prepared) -> String {
    String::from_utf8_lossy(letter.batch.text(&letter.batch.events[letter.index])).into()
}

impl Ledger for Book {
    fn settle(&mut self, taken: Vec<Prepared>, refused: Vec<(Prepared, Reason)>) -> Result<(), Failure> {
        self.taken.extend(taken.iter().map(text));
        let refused =
            refused.iter().map(|(letter, reason)| (text(letter), reason.kind, letter.letter.attempts));
        self.refused.extend(refused);
        Ok(())
    }

    fn keep(&mut self, letters: usize) {
        self.kept += letters;
    }
}

/// Letters whose records give two events each: `x` and the one that is wanted.
fn letters(events: &[&str]) -> Vec<Prepared> {
    let origin = Origin { source: "s".into(), kind: "k".into(), dataset: "d".into(), labels: vec![] };
    let (origin, view) = (Arc::new(origin), view());
    let letter = |event: &&str| {
        let mut writer = EventWriter::default();
        writer.start_record(0);
        for line in ["x", *event] {
            writer.line().extend_from_slice(line.as_bytes());
            writer.commit(&EventDraft {
                id: 0,
                time: Timestamp::default(),
                class: 0,
                severity: 0,
                outcome: EventOutcome::Unknown,
                action: "",
                actor: "",
                tenant: "",
            });
        }
        let letter = Letter {
            time: Timestamp::default(),
            origin: origin.clone(),
            sink: "s".into(),
            view: view.clone(),
            event_id: 0,
            fan_out: 1,
            reason: "old".into(),
            detail: "".into(),
            attempts: 5,
            sent: "".into(),
            record: None,
        };
        let batch = Arc::new(writer.finish(origin.clone(), view.clone()));
        Prepared { place: place(&letter), letter, batch, index: 1 }
    };
    events.iter().map(letter).collect()
}

/// A place that exists, or existed.
fn place(letter: &Letter) -> Place {
    let dir = tempfile::tempdir().unwrap();
    LetterStore::open(dir.path(), 10_000).unwrap().keep(std::slice::from_ref(letter)).unwrap();
    let mut letters = LetterFiles::in_dir(dir.path()).letters(None).unwrap();
    letters.next().unwrap().unwrap().place()
}

fn view() -> Arc<View> {
    Arc::new(View { schema: Schema::Raw, version: "".into(), keep_raw: true })
}

const PATIENCE: Duration = Duration::from_secs(300);
const LIMITS: BatchLimits = BatchLimits { max_events: 4, max_bytes: 100, max_age: Duration::ZERO };

fn lane(destination: &Arc<Destination>) -> Lane {
    let retry = Retry { initial: Duration::from_millis(100), max: Duration::from_secs(10) };
    Lane::new("s", destination.clone(), view(), LIMITS, retry)
}

async fn deliver(destination: &Arc<Destination>, events: &[&str]) -> (Book, Lane) {
    let (mut lane, mut book, stop) = (lane(destination), Book::default(), CancellationToken::new());
    for letter in letters(events) {
        lane.push(letter);
    }
    lane.deliver(&mut book, PATIENCE, &stop).await.unwrap();
    (book, lane)
}

fn scripted(script: impl IntoIterator<Item = Result<Outcome, SinkError>>) -> Arc<Destination> {
    let script = Mutex::new(script.into_iter().map(Answer::Says).collect());
    Arc::new(Destination { script, ..Destination::default() })
}

fn transient(retry_after: Option<Duration>) -> Result<Outcome, SinkError> {
    Err(SinkError::Transient { retry_after, source: "503".into() })
}

#[tokio::test(start_paused = true)]
async fn each_outcome_settles_its_letter() {
    let reason = Reason { kind: "mapping", detail: "no".into() };
    let first =
        Outcome { retry: vec![0, 3], rejected: vec![(2, reason.clone()), (3, reason)], ..Outcome::default() };
    let destination = scripted([Ok(first)]);
    let (book, _) = deliver(&destination, &["a", "b", "c", "d"]).await;
    assert_eq!(book.taken, ["b", "a", "d"]);
    assert_eq!(book.refused, [("c".into(), "mapping", 6)]);
    assert_eq!(*destination.seen.lock().unwrap(), [vec!["a", "b", "c", "d"], vec!["a", "d"]]);
    assert_eq!(book.kept, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failing_sink_is_asked_again_until_patience_ends_and_as_late_as_it_asks() {
    let began = Instant::now();
    let wait = Duration::from_secs(40);
    let (book, _) =
        deliver(&scripted([transient(None), transient(Some(wait)), transient(None)]), &["a", "b"]).await;
    assert_eq!(book.taken, ["a", "b"]);
    assert!(
        began.elapsed() >= wait && began.elapsed() < wait + Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );

    let began = Instant::now();
    let never = scripted((0..10_000).map(|_| transient(None)));
    let (book, lane) = deliver(&never, &["a", "b"]).await;
    assert_eq!((book.taken.len(), book.kept, lane.is_stopped()), (0, 2, true));
    assert!(began.elapsed() > PATIENCE - Duration::from_secs(10) && began.elapsed() <= PATIENCE);

    // One that asks for more than our patience is not waited for.
    let began = Instant::now();
    let (book, _) = deliver(&scripted([transient(Some(PATIENCE * 2))]), &["a"]).await;
    assert_eq!((book.kept, began.elapsed()), (1, Duration::ZERO));

    // Neither is one that does not answer.
    let script = Mutex::new([Answer::Hangs].into());
    let silent = Arc::new(Destination { script, ..Destination::default() });
    let (book, _) = deliver(&silent, &["a"]).await;
    assert_eq!((book.kept, book.taken.len()), (1, 0));
}

/// Patience is for a sink that takes nothing: one that is slow, but works, gets all the time that it needs.
#[tokio::test(start_paused = true)]
async fn patience_begins_anew_with_every_success() {
    let slow = |retry: Vec<u32>| Ok(Outcome { retry, ..Outcome::default() });
    let wait = Some(PATIENCE * 2 / 3);
    let script = [transient(wait), slow(vec![1, 2]), transient(wait), slow(vec![1]), transient(wait)];
    let (book, _) = deliver(&scripted(script), &["a", "b", "c"]).await;
    assert_eq!((book.taken, book.kept), (vec!["a".to_owned(), "b".into(), "c".into()], 0));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_as_a_whole_is_split_until_the_event_is_found() {
    let destination = Arc::new(Destination { dislikes: vec!["c"], ..Destination::default() });
    let (book, _) = deliver(&destination, &["a", "b", "c", "d"]).await;
    assert_eq!(book.taken, ["a", "b", "d"]);
    assert_eq!(book.refused, [("c".into(), "refused", 8)]);

    let destination = Arc::new(Destination { room: Some(1), ..Destination::default() });
    let (book, _) = deliver(&destination, &["a", "b", "c"]).await;
    assert_eq!((book.taken.len(), book.refused.len()), (3, 0));
    let destination = Arc::new(Destination { room: Some(0), ..Destination::default() });
    let (book, _) = deliver(&destination, &["a", "b"]).await;
    assert_eq!(book.refused, [("a".into(), "too_large", 7), ("b".into(), "too_large", 7)]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_sink_is_not_asked_again() {
    let paused = SinkError::Paused { reason: "auth", remedy: "renew the token".into(), source: "401".into() };
    let destination = scripted([Err(SinkError::TooLarge("413".into())), Ok(Outcome::default()), Err(paused)]);
    let (mut book, mut lane) = deliver(&destination, &["a", "b", "c", "d"]).await;
    assert_eq!((&book.taken[..], book.kept), (&["a".to_owned(), "b".into()][..], 2));
    assert!(lane.is_stopped());
    for letter in letters(&["e"]) {
        lane.push(letter);
    }
    lane.deliver(&mut book, PATIENCE, &CancellationToken::new()).await.unwrap();
    assert_eq!((book.kept, destination.seen.lock().unwrap().len()), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_a_wait_and_a_write() {
    for script in [Answer::Says(transient(Some(PATIENCE / 2))), Answer::Hangs] {
        let destination =
            Arc::new(Destination { script: Mutex::new([script].into()), ..Destination::default() });
        let (mut lane, mut book, stop) = (lane(&destination), Book::default(), CancellationToken::new());
        for letter in letters(&["a", "b"]) {
            lane.push(letter);
        }
        let began = Instant::now();
        let after = stop.clone();
        let signal = tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            after.cancel();
        });
        lane.deliver(&mut book, PATIENCE, &stop).await.unwrap();
        signal.await.unwrap();
        assert_eq!((book.taken.len(), book.kept, began.elapsed()), (0, 2, Duration::from_secs(1)));
        assert_eq!(destination.seen.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_write_stays_within_its_limits_but_takes_at_least_one() {
    let mut lane = lane(&Arc::new(Destination::default()));
    let large = "l".repeat(150);
    for letter in letters(&[&large]) {
        assert!(lane.has_room(&letter), "the first always has");
        lane.push(letter);
    }
    assert!(!lane.has_room(&letters(&["a"])[0]));
    let mut lane = self::lane(&Arc::new(Destination::default()));
    for letter in letters(&["a", "b", "c", "d"]) {
        assert!(lane.has_room(&letter));
        lane.push(letter);
    }
    assert!(!lane.has_room(&letters(&["e"])[0]));
}
