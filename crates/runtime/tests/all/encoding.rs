//! Records are made into events once for all sinks that want them in the same view.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use pipeline::EventBatch;

use crate::support::{Act, Api, FakeSink, World};

const RECORDS: usize = 1000;

/// The batches that a sink was given, kept so that no address is used twice.
type Given = Arc<Mutex<Vec<Arc<EventBatch>>>>;

fn sink() -> (Arc<FakeSink>, Given) {
    let given = Given::default();
    let keep = given.clone();
    let sink = FakeSink::new(move |_, write| {
        keep.lock().unwrap().extend(write.parts().iter().map(|(batch, _)| batch.clone()));
        Act::Take
    });
    (sink, given)
}

/// Where the text of each batch lies.
fn texts(given: &Given) -> BTreeMap<usize, usize> {
    let given = given.lock().unwrap();
    given.iter().map(|batch| (batch.ndjson.as_ptr().addr(), batch.ndjson.len())).collect()
}

#[tokio::test(start_paused = true)]
async fn three_sinks_of_one_view_share_one_encoding() {
    let (sinks, given): (Vec<_>, Vec<_>) = (0..3).map(|_| sink()).unzip();
    let world = World::new(Api::new(RECORDS, 30), sinks.clone());
    world.catch_up().await.0.unwrap();
    for sink in &sinks {
        assert_eq!(sink.sorted(), (0..RECORDS).collect::<Vec<_>>());
    }
    assert_eq!(
        world.applied.load(Ordering::SeqCst),
        RECORDS,
        "each record once, whatever the number of sinks"
    );
    let texts: Vec<_> = given.iter().map(texts).collect();
    assert!(texts[0].len() > 1 && texts.iter().all(|other| *other == texts[0]), "they read the same bytes");
}
