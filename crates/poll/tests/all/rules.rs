//! One test for each promise about collection.

mod history;
mod overlap;
mod retention;
mod start;
mod walks;

use std::time::Duration;

use pipeline::Timestamp;

use crate::conversation::Conversation;

const SECOND: Duration = Duration::from_secs(1);

fn ago(talk: &Conversation, back: Duration) -> Timestamp {
    talk.now.minus(back)
}
