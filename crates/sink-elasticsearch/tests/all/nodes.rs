//! Several nodes, of which some are away.

use std::collections::HashSet;

use serde_json::json;

use crate::cluster::{Cluster, Fate, Setup};
use crate::{deliver, sink_to, words};

fn nodes(cluster: &Cluster, from: usize) -> Vec<usize> {
    cluster.requests()[from..].iter().map(|(node, _)| *node).collect()
}

#[tokio::test]
async fn nodes_take_turns() {
    let cluster = Cluster::start(Setup::default(), 3).await;
    let sink = sink_to(&cluster, &json!({}));
    for number in 0..6 {
        assert_eq!(words(&deliver(&sink, &[number]).await), "taken");
    }
    assert_eq!(nodes(&cluster, 0), [0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn a_node_that_is_away_costs_one_attempt_and_is_left_alone_for_a_while() {
    let cluster = Cluster::start(Setup::default(), 3).await;
    let sink = sink_to(&cluster, &json!({}));
    cluster.nodes[0].away(true);
    // Asked again at once, of another one.
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient 0ns");
    for number in 0..6 {
        assert_eq!(words(&deliver(&sink, &[number]).await), "taken");
    }
    assert_eq!(nodes(&cluster, 0).into_iter().collect::<HashSet<_>>(), HashSet::from([1, 2]));
}

#[tokio::test]
async fn when_all_are_away_the_runtime_waits_and_the_first_that_comes_back_is_found() {
    let cluster = Cluster::start(Setup::default(), 2).await;
    let sink = sink_to(&cluster, &json!({}));
    cluster.nodes.iter().for_each(|node| node.away(true));
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient 0ns");
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient");
    cluster.nodes[0].away(false);
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
}

#[tokio::test]
async fn a_node_that_answers_for_a_gateway_in_trouble_is_left_alone_too() {
    let cluster = Cluster::start(Setup::default(), 2).await;
    let sink = sink_to(&cluster, &json!({}));
    cluster.fates([Fate::Refuse(503, vec![], String::new())]);
    assert_eq!(words(&deliver(&sink, &[1]).await), "transient 0ns");
    assert_eq!(words(&deliver(&sink, &[1]).await), "taken");
    assert_eq!(words(&deliver(&sink, &[2]).await), "taken");
    assert_eq!(nodes(&cluster, 0), [0, 1, 1]);
    // One that is only busy is not.
    cluster.fates([Fate::Refuse(429, vec![], String::new())]);
    assert_eq!(words(&deliver(&sink, &[3]).await), "transient");
}
