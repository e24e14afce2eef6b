//! What a broker answers, code by code.

use rdkafka::types::RDKafkaApiKey::{InitProducerId, Produce};
use rdkafka::types::RDKafkaRespErr as Answer;
use serde_json::json;

use crate::cluster::Cluster;
use crate::{deliver, events, sink, words};

/// What one answer makes of a write of three events, and of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_ends_as_its_class_says_and_heals() {
    let table = [
        (Answer::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, "paused permission", "paused permission"),
        (Answer::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too large", r#"again [] refused ["0 too_large"]"#),
        (Answer::RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, "too large", r#"again [] refused ["0 too_large"]"#),
        (
            Answer::RD_KAFKA_RESP_ERR_INVALID_RECORD,
            "rejected invalid_record",
            r#"again [] refused ["0 invalid_record"]"#,
        ),
        (Answer::RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "rejected policy", r#"again [] refused ["0 policy"]"#),
        (Answer::RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, "paused clock", "paused clock"),
        (Answer::RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, "paused compression", "paused compression"),
        (Answer::RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, "paused unsupported", "paused unsupported"),
    ];
    let cluster = Cluster::start(1);
    // All three in one batch, however busy the machine is.
    let sink = sink(&cluster, &json!({"properties": {"linger.ms": "100"}}));
    let mut number = 0;
    for (answer, three, one) in table {
        for (events, expected) in [(3, three), (1, one)] {
            let numbers: Vec<u32> = (number..number + events).collect();
            number += events;
            cluster.answer(Produce, vec![answer]);
            let result = deliver(&sink, &numbers).await;
            cluster.answer_well(Produce);
            assert_eq!(words(&result), expected, "{answer:?} for {events}");
            assert_eq!(words(&deliver(&sink, &numbers).await), "taken", "after {answer:?}");
        }
    }
    let expected: Vec<String> = (0..number).map(events::text).collect();
    assert_eq!(cluster.texts(), expected, "each once, in order");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_within_a_write_survives_retries() {
    let cluster = Cluster::start(1);
    // Many small batches, so that there is something to put out of order.
    let sink = sink(
        &cluster,
        &json!({"timeout": "20s", "properties": {"batch.num.messages": "10", "linger.ms": "0"}}),
    );
    cluster.answer(
        Produce,
        vec![
            Answer::RD_KAFKA_RESP_ERR_NO_ERROR,
            Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
            Answer::RD_KAFKA_RESP_ERR_NO_ERROR,
            Answer::RD_KAFKA_RESP_ERR__TRANSPORT,
            Answer::RD_KAFKA_RESP_ERR_NO_ERROR,
            Answer::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
            Answer::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            Answer::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        ],
    );
    let numbers: Vec<u32> = (0..400).collect();
    assert_eq!(words(&deliver(&sink, &numbers).await), "taken");
    let expected: Vec<String> = (0..400).map(events::text).collect();
    assert_eq!(cluster.texts(), expected, "each once, in order");
}

/// A fatal error ends the producer, not the sink.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fatal_error_makes_a_new_producer() {
    let cluster = Cluster::start(1);
    let sink = sink(&cluster, &json!({"timeout": "10s"}));
    cluster.answer(InitProducerId, vec![Answer::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED; 50]);
    for _ in 0..2 {
        let result = deliver(&sink, &[0, 1]).await;
        assert_eq!(words(&result), "paused permission", "{result:?}");
    }
    cluster.answer_well(InitProducerId);
    assert_eq!(words(&deliver(&sink, &[0, 1]).await), "taken");
    // Of the producer's session: librdkafka mends it or gives up, and either way the events get there, in order.
    for (turn, answer) in (1..).zip([
        Answer::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        Answer::RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
        Answer::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    ]) {
        let numbers = [turn * 2, turn * 2 + 1];
        cluster.answer(Produce, vec![answer]);
        let result = words(&deliver(&sink, &numbers).await);
        cluster.answer_well(Produce);
        match &*result {
            "taken" => {}
            "transient" => assert_eq!(words(&deliver(&sink, &numbers).await), "taken", "after {answer:?}"),
            _ => panic!("{answer:?} was called {result}"),
        }
    }
    let expected: Vec<String> = (0..8).map(events::text).collect();
    assert_eq!(cluster.texts(), expected, "each once, in order");
}
