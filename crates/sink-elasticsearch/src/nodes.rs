//! The nodes of the cluster: who is asked next.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a node is left alone after its first failure; doubled with each further one.
const FIRST_REST: Duration = Duration::from_secs(1);

/// Longest time for which a node is left alone.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// The nodes, by their number in the configuration. They are asked in turn; one that has failed rests for a growing time,
/// and when all of them rest, the one whose rest ends first is asked all the same.
pub(crate) struct Nodes(Mutex<State>);

struct State {
    next: usize,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Default)]
struct Node {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Nodes {
    /// So many nodes, all of them well.
    pub(crate) fn new(count: usize) -> Self {
        Self(Mutex::new(State { next: 0, nodes: vec![Node::default(); count] }))
    }

    /// The node to ask now.
    pub(crate) fn pick(&self, now: Instant) -> usize {
        let state = &mut *self.state();
        let count = state.nodes.len();
        let in_turn = (state.next..state.next + count).map(|n| n % count);
        let rests = |n: &usize| state.nodes[*n].rests_until.filter(|until| *until > now);
        // The first of those that rest least, and not at all is least.
        let node = in_turn.min_by_key(rests).unwrap_or(0);
        state.next = (node + 1) % count;
        node
    }

    /// It has answered.
    pub(crate) fn works(&self, node: usize) {
        self.state().nodes[node] = Node::default();
    }

    /// It has not, or not for itself. True when another one is worth asking at once.
    pub(crate) fn failed(&self, node: usize, now: Instant) -> bool {
        let state = &mut *self.state();
        let failures = state.nodes[node].failures.saturating_add(1);
        let rest = LONGEST_REST.min(FIRST_REST * 2_u32.pow((failures - 1).min(12)));
        state.nodes[node] = Node { failures, rests_until: Some(now + rest) };
        state.nodes.iter().any(|node| node.rests_until.is_none_or(|until| until <= now))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at any moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(nodes: &Nodes, now: Instant, count: usize) -> Vec<usize> {
        (0..count).map(|_| nodes.pick(now)).collect()
    }

    #[tokio::test]
    async fn nodes_take_turns_and_one_that_failed_rests_for_a_growing_time() {
        let (nodes, now) = (Nodes::new(3), Instant::now());
        let at = |secs| now + Duration::from_secs(secs);
        assert_eq!(picks(&nodes, now, 4), [0, 1, 2, 0]);
        assert!(nodes.failed(1, now));
        assert_eq!(picks(&nodes, now, 4), [2, 0, 2, 0]);
        assert!(picks(&nodes, at(1), 3).contains(&1));
        assert!(nodes.failed(1, at(1)));
        assert!(!picks(&nodes, at(2), 6).contains(&1));
        assert!(picks(&nodes, at(3), 3).contains(&1));
        nodes.works(1);
        assert!(nodes.failed(1, at(3)));
        assert!(picks(&nodes, at(4), 3).contains(&1), "the time grows from the start again");
    }

    #[tokio::test]
    async fn when_all_rest_the_one_that_failed_first_is_asked() {
        let (nodes, now) = (Nodes::new(2), Instant::now());
        let later = now + Duration::from_millis(10);
        assert!(nodes.failed(1, now));
        assert!(!nodes.failed(0, later), "nobody else is left");
        assert_eq!(picks(&nodes, later, 2), [1, 1]);
        for _ in 0..100 {
            nodes.failed(1, later);
        }
        assert_eq!(picks(&nodes, later, 2), [0, 0]);
        assert!(picks(&nodes, later + LONGEST_REST, 2).contains(&1), "no rest is for ever");
        assert_eq!(picks(&Nodes::new(1), now, 2), [0, 0]);
    }
}
