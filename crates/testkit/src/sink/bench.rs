//! What a case works with: its destination, and what it may hold.

use std::collections::HashMap;
use std::sync::Arc;

use pipeline::Sink;

use super::events::Event;
use super::{CannotHappen, Delivery, Destination, Held, Patience, Trouble, Unheard};

/// One case's destination.
pub(crate) struct Bench {
    pub(crate) destination: Arc<dyn Destination>,
    pub(crate) unheard: Unheard,
    pub(crate) patience: Patience,
}

/// Whether an event may stand there more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Nothing happened that excuses it.
    Never,
    /// Somebody did not hear of a success.
    Excused,
}

impl Bench {
    pub(crate) fn sink(&self) -> Arc<dyn Sink> {
        self.destination.sink()
    }

    pub(crate) fn cause(&self, trouble: Trouble) -> Result<(), CannotHappen> {
        self.destination.cause(trouble)
    }

    pub(crate) fn heal(&self) {
        self.destination.heal();
    }

    /// Repeats are excused where what nobody has heard of stays.
    pub(crate) fn when_unheard(&self) -> Repeats {
        match self.unheard {
            Unheard::TakenBack => Repeats::Never,
            Unheard::Stays => Repeats::Excused,
        }
    }

    /// What it holds, which must be undamaged.
    pub(crate) fn held(&self) -> Held {
        let held = self.destination.held();
        assert!(held.damage.is_empty(), "the destination holds what is no event: {:?}", held.damage);
        held
    }

    /// How often it holds each text.
    pub(crate) fn counts(held: &Held) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for text in held.deliveries.iter().flat_map(|delivery| &delivery.events) {
            *counts.entry(text.as_str()).or_default() += 1;
        }
        counts
    }

    /// It holds all of these and nothing else.
    pub(crate) fn holds(&self, events: &[Event], repeats: Repeats) {
        self.holds_and_may_hold(events, &[], repeats);
    }

    /// It holds all of `events`, perhaps some of `others`, and nothing else.
    pub(crate) fn holds_and_may_hold(&self, events: &[Event], others: &[Event], repeats: Repeats) {
        let held = self.held();
        let counts = Self::counts(&held);
        for event in events {
            assert!(counts.contains_key(event.text.as_str()), "event {} is lost", event.number);
        }
        let known: HashMap<&str, u32> =
            events.iter().chain(others).map(|event| (event.text.as_str(), event.number)).collect();
        for (text, times) in counts {
            let Some(number) = known.get(text) else {
                panic!("the destination holds what was not sent, or was changed: {text:?}")
            };
            let once = times == 1 || repeats == Repeats::Excused;
            assert!(once, "event {number} stands there {times} times, and nothing excuses that");
        }
        deliveries_keep_their_ids(&held.deliveries);
    }
}

/// The same events have the same id whenever they come together, and no others have it.
pub(crate) fn deliveries_keep_their_ids(deliveries: &[Delivery]) {
    let mut ids: HashMap<&[String], &str> = HashMap::new();
    let mut contents: HashMap<&str, &[String]> = HashMap::new();
    for delivery in deliveries {
        let Some(id) = delivery.id.as_deref() else { continue };
        let before = *ids.entry(&delivery.events).or_insert(id);
        assert_eq!(before, id, "the same events came again with another id: {:?}", delivery.events);
        let before = *contents.entry(id).or_insert(&delivery.events);
        assert_eq!(before, delivery.events, "other events came with the id {id}");
    }
}
