//! Properties of librdkafka: what the sink sets, and what a user may not.

use settings::Invalid;

/// What a user may set otherwise.
pub(crate) const DEFAULTS: &[(&str, &str)] = &[
    ("client.id", "towpath"),
    // As the Java clients place keys, so that records of both come to the same partitions.
    ("partitioner", "murmur2_random"),
    // A mistyped topic is an error, not a new topic.
    ("allow.auto.create.topics", "false"),
    // Measured before compression, while brokers measure after it (1 MiB by default): the broker judges what is between.
    // Batches of several events stay below `batch.size`, 1 MB.
    ("message.max.bytes", "8388608"),
    ("socket.keepalive.enable", "true"),
    ("log.connection.close", "false"),
    // What metrics are made of.
    ("statistics.interval.ms", "5000"),
];

/// What the promises of the sink hang on.
pub(crate) const FIXED: &[(&str, &str)] = &[
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // Nothing expires in the client, where it would leave a gap: the sink's own time-out gives up whole writes.
    ("message.timeout.ms", "0"),
];

/// Names that have a key of the sink, and that key.
const HAVE_A_KEY: &[(&str, &str)] = &[
    ("bootstrap.servers", "brokers"),
    ("metadata.broker.list", "brokers"),
    ("compression.codec", "compression"),
    ("compression.type", "compression"),
    ("security.protocol", "tls` and `sasl"),
    ("ssl.ca.location", "tls.ca_file"),
    ("ssl.ca.pem", "tls.ca_file"),
    ("ssl.certificate.location", "tls.cert_file"),
    ("ssl.certificate.pem", "tls.cert_file"),
    ("ssl.key.location", "tls.key_file"),
    ("ssl.key.pem", "tls.key_file"),
    ("sasl.mechanism", "sasl.mechanism"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("sasl.username", "sasl.username"),
    ("sasl.password", "sasl.password"),
];

/// Names that would break a promise, and why.
const BREAK_A_PROMISE: &[(&str, &str)] = &[
    ("acks", "an event counts as delivered when all in-sync replicas have it"),
    ("request.required.acks", "an event counts as delivered when all in-sync replicas have it"),
    ("enable.idempotence", "without it retries repeat and reorder events"),
    ("enable.gapless.guarantee", "one refused event would stop the producer"),
    ("max.in.flight", "idempotence and order need at most 5, which is set"),
    ("max.in.flight.requests.per.connection", "idempotence and order need at most 5, which is set"),
    ("retries", "the client repeats until `timeout`"),
    ("message.send.max.retries", "the client repeats until `timeout`"),
    ("message.timeout.ms", "events that expire in the client leave gaps; set `timeout` instead"),
    ("delivery.timeout.ms", "events that expire in the client leave gaps; set `timeout` instead"),
    ("queuing.strategy", "events leave in the order in which they came"),
    ("delivery.report.only.error", "without reports of success nothing counts as delivered"),
    ("dr_cb", "the sink hears the reports itself"),
    ("dr_msg_cb", "the sink hears the reports itself"),
    ("enabled_events", "the sink hears the reports itself"),
    ("transactional.id", "the sink does not write in transactions"),
    (
        "enable.ssl.certificate.verification",
        "name the authority of the cluster's certificates in `tls.ca_file`",
    ),
    ("plugin.library.paths", "no other code is loaded"),
    ("log_level", "use --log-level"),
    ("log.queue", "the sink hears the log itself"),
];

/// The complaint about a property that a user may not set.
pub(crate) fn refused(name: &str) -> Option<Invalid> {
    let path = format!("properties.{name}");
    let of = |list: &'static [(&str, &'static str)]| list.iter().find(|(refused, _)| *refused == name);
    if let Some((_, key)) = of(HAVE_A_KEY) {
        return Some(Invalid::new(path, "has a key of its own", format!("use `{key}` instead")));
    }
    if let Some((_, why)) = of(BREAK_A_PROMISE) {
        return Some(Invalid::new(path, "would break what this sink promises", format!("remove it: {why}")));
    }
    if name.starts_with("test.") {
        return Some(Invalid::new(
            path,
            "leads to no real cluster",
            "remove it, and name the cluster in `brokers`",
        ));
    }
    if name.starts_with("sasl.oauthbearer") || name == "enable.sasl.oauthbearer.unsecure.jwt" {
        let remedy = "use `sasl` with OAUTHBEARER, and `token_url` or `token`";
        return Some(Invalid::new(path, "is not what this sink fetches tokens by", remedy));
    }
    if name.starts_with("sasl.kerberos") {
        let remedy = "use `sasl` with SCRAM or OAUTHBEARER, or a client certificate in `tls`";
        return Some(Invalid::new(path, "belongs to a mechanism that this sink does not have", remedy));
    }
    None
}
