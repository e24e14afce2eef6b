//! Identities that are the same for every delivery of a record, for ever.

use sha1::{Digest, Sha1};
use xxhash_rust::xxh3::xxh3_128;

/// UUIDv5 namespace of event ids: UUIDv5 of `urn:audit-forwarder:ocsf-event` in the URL namespace of RFC 9562.
const NAMESPACE: [u8; 16] =
    [0xf8, 0x80, 0x1b, 0xaf, 0x01, 0x40, 0x53, 0x16, 0xa2, 0x10, 0xb8, 0x98, 0xbc, 0x37, 0x3a, 0x87];

/// A UUIDv5 (RFC 9562, section 5.5) as its 36 characters.
pub(crate) type Uuid = [u8; 36];

/// The UUID of an event: of `dataset|tenant|record|n`. `name` is memory for the name.
pub(crate) fn event_uuid(name: &mut Vec<u8>, dataset: &str, tenant: &str, record: &str, n: usize) -> Uuid {
    let mut digits = itoa::Buffer::new();
    uuid(name, &[dataset, tenant, record, digits.format(n)])
}

/// UUIDv5 of the parts joined by `|`.
pub(crate) fn uuid(name: &mut Vec<u8>, parts: &[&str]) -> Uuid {
    name.clear();
    name.extend_from_slice(&NAMESPACE);
    for (n, part) in parts.iter().enumerate() {
        if n > 0 {
            name.push(b'|');
        }
        name.extend_from_slice(part.as_bytes());
    }
    format_uuid(Sha1::digest(&name[..]).into())
}

fn format_uuid(digest: [u8; 20]) -> Uuid {
    const HEX: [[u8; 2]; 256] = {
        let digits = b"0123456789abcdef";
        let mut table = [[0; 2]; 256];
        let mut n = 0;
        while n < 256 {
            table[n] = [digits[n >> 4], digits[n & 15]];
            n += 1;
        }
        table
    };
    let mut text = [b'-'; 36];
    let mut place = 0;
    for (n, byte) in digest.into_iter().take(16).enumerate() {
        let byte = match n {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => byte,
        };
        if matches!(n, 4 | 6 | 8 | 10) {
            place += 1;
        }
        text[place..place + 2].copy_from_slice(&HEX[usize::from(byte)]);
        place += 2;
    }
    text
}

/// [`pipeline::EventMeta::id`]: the first 128 bits of XXH3 over dataset, tenant, the vendor's record id (empty when it has
/// none), the fan-out index and the content hash. Texts are led by their length as 8 bytes, numbers are 8 bytes, all
/// little-endian. It must never change: it is how destinations recognise what they already have. `name` is memory for the input.
pub(crate) fn event_id(
    name: &mut Vec<u8>,
    dataset: &str,
    tenant: &str,
    record: &str,
    n: u64,
    content: u64,
) -> u128 {
    name.clear();
    for part in [dataset, tenant, record] {
        name.extend_from_slice(&(part.len() as u64).to_le_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    name.extend_from_slice(&n.to_le_bytes());
    name.extend_from_slice(&content.to_le_bytes());
    xxh3_128(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(uuid: Uuid) -> String {
        String::from_utf8(uuid.to_vec()).unwrap()
    }

    #[test]
    fn the_namespace_is_what_its_comment_says() {
        let url =
            [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        let mut name = url.to_vec();
        name.extend_from_slice(b"urn:audit-forwarder:ocsf-event");
        let derived = format_uuid(Sha1::digest(&name).into());
        let stated: String = NAMESPACE.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text(derived).replace('-', ""), stated);
    }

    #[test]
    fn event_uuids_never_change() {
        let uuid = |tenant, record, n| text(event_uuid(&mut Vec::new(), "postman.audit", tenant, record, n));
        assert_eq!(uuid("1234", "50000003", 0), "fbc20a3e-d2da-5cf9-bc97-142b5da6bc38");
        assert_eq!(uuid("1234", "50000003", 1), "24d454da-b0c4-5f84-9635-34921b42631a");
        assert_eq!(uuid("", "50000010", 0), "6ed9411b-a928-5da8-a6a7-ca35ae92b52c");
    }

    #[test]
    fn event_ids_never_change_and_parts_do_not_run_together() {
        let id = |tenant, record, n| event_id(&mut Vec::new(), "postman.audit", tenant, record, n, 0xfeed);
        assert_eq!(id("1234", "50000003", 0), 292_129_179_389_869_389_340_624_958_769_123_559_239);
        assert_ne!(id("1234", "50000003", 0), id("12345", "0000003", 0));
        assert_ne!(id("1234", "50000003", 0), id("1234", "50000003", 1));
    }
}
