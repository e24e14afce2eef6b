//! What a code of librdkafka or of a broker means for the events: one table, nothing that maps to dropping.
//!
//! Sources: the error codes of the Kafka protocol ("Error Codes", with their column "Retriable"); KIP-98 (idempotent
//! producer); KIP-467 (records of a batch that are refused one by one); librdkafka's `rdkafka.h` for its own codes, which
//! are negative.

use rdkafka::error::RDKafkaErrorCode as Code;

/// What follows from a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// It may go well later: the event comes again.
    Again,
    /// The batch that the event was in is larger than the topic takes.
    TooLarge,
    /// The batch that the event was in holds what the topic does not take. The word goes to [`pipeline::Reason::kind`].
    Content(&'static str),
    /// The cluster takes nothing until a person acts.
    Paused {
        /// A stable word for metrics.
        reason: &'static str,
        /// What to do, in a sentence.
        remedy: &'static str,
    },
}

/// The class of any code, known or not. A code of the client itself that is not named passes; one of a broker that is
/// not named holds everything and calls a person, because brokers name what passes as such.
pub(crate) fn class(code: Code) -> Class {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge => Class::TooLarge,
        Code::InvalidMessageSize => Class::Content("message_size"),
        Code::InvalidRecord => Class::Content("invalid_record"),
        Code::PolicyViolation => Class::Content("policy"),

        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::IllegalSASLState
        | Code::DelegationTokenExpired
        | Code::UnsupportedSASLMechanism
        | Code::UnacceptableCredential => paused(
            "authentication",
            "correct `sasl`: the cluster does not accept its mechanism, or what it is shown by it; what stands in files is read again",
        ),
        Code::SSL => paused(
            "tls",
            "compare `tls` and `brokers` with the cluster's TLS listener: `tls.ca_file` must hold the authority of its \
             certificates, `brokers` the names in them, and `tls.cert_file` a certificate that it knows if it wants one",
        ),
        Code::TopicAuthorizationFailed => paused(
            "permission",
            "let the user of `sasl` or `tls.cert_file` write to `topic`: the ACLs WRITE and DESCRIBE on the topic",
        ),
        Code::ClusterAuthorizationFailed | Code::TransactionalIdAuthorizationFailed => paused(
            "permission",
            "let the user of `sasl` or `tls.cert_file` use an idempotent producer: the ACL IDEMPOTENT_WRITE on the \
             cluster, or on clusters from 2.8 on WRITE on `topic`",
        ),
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => paused(
            "not_found",
            "create `topic`, or correct its name: the cluster has no such topic, or hides it from this user",
        ),
        Code::InvalidTopic => paused("not_found", "correct `topic`: the cluster takes no such name"),
        Code::InvalidTimestamp => paused(
            "clock",
            "set this machine's clock, or raise of `topic` message.timestamp.before.max.ms and \
             message.timestamp.after.max.ms: it refuses the present time",
        ),
        Code::UnsupportedCompressionType => {
            paused("compression", "set `compression` to one that the cluster and the topic take")
        }

        // Retriable by the protocol's table, or a matter of this producer's session, which the next one does not have.
        Code::NoError
        | Code::Unknown
        | Code::OffsetOutOfRange
        | Code::InvalidMessage
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::RequestTimedOut
        | Code::BrokerNotAvailable
        | Code::ReplicaNotAvailable
        | Code::StaleControllerEpoch
        | Code::NetworkException
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::NotController
        | Code::OutOfOrderSequenceNumber
        | Code::DuplicateSequenceNumber
        | Code::InvalidProducerEpoch
        | Code::InvalidProducerIdMapping
        | Code::ConcurrentTransactions
        | Code::OperationNotAttempted
        | Code::KafkaStorageError
        | Code::LogDirNotFound
        | Code::UnknownProducerId
        | Code::ReassignmentInProgress
        | Code::ListenerNotFound
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::StaleBrokerEpoch
        | Code::OffsetNotAvailable
        | Code::PreferredLeaderNotAvailable
        | Code::EligibleLeadersNotAvailable
        | Code::ThrottlingQuotaExceeded
        | Code::ProducerFenced => Class::Again,

        other if (other as i32) < 0 => Class::Again,
        _ => paused(
            "unsupported",
            "compare `topic`, `compression` and `properties` with what the cluster's documentation asks for",
        ),
    }
}

/// Whether the other events of its batch are no fault's cause, because the broker has named the one that is.
pub(crate) fn is_neighbour(code: Code) -> bool {
    code == Code::InvalidDifferentRecord
}

const fn paused(reason: &'static str, remedy: &'static str) -> Class {
    Class::Paused { reason, remedy }
}

#[cfg(test)]
mod tests;
