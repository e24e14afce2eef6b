//! Compression of a row of slices into one body.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzEncoder;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::spawn_blocking;

/// gzip's own default: twice as fast as the best, and within some percent of it on JSON.
const GZIP_LEVEL: u32 = 6;

/// zstd's own default: smaller than gzip, at a fraction of its time. Its window of 2 MiB is below the 8 MiB that every
/// reader of `Content-Encoding: zstd` must support (RFC 9659, section 3).
const ZSTD_LEVEL: i32 = 3;

/// Bodies from this size on are compressed away from the threads that serve connections.
const BLOCKING_FROM: usize = 64 << 10;

/// How a body is compressed. The same bytes give the same body, every time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// RFC 1952; every server knows it.
    Gzip,
    /// RFC 8878; smaller and faster, where the server knows it.
    Zstd,
}

impl Compression {
    /// The name in `Content-Encoding` (IANA registry of HTTP content codings).
    pub const fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
        }
    }

    /// The same as [`Compression::body`]; what takes long is done on a blocking thread. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of [`Compression::body`].
    pub async fn body_in_background(self, parts: Vec<Bytes>) -> io::Result<Bytes> {
        let length: usize = parts.iter().map(Bytes::len).sum();
        if self == Self::None || length < BLOCKING_FROM {
            return self.body(&parts);
        }
        spawn_blocking(move || self.body(&parts)).await.map_err(io::Error::other)?
    }

    /// Joins `parts` and compresses them as one. Nothing is copied when there is one part, not to be compressed.
    ///
    /// gzip takes tens of milliseconds a mebibyte, so large bodies do not belong on a thread that serves connections.
    ///
    /// # Errors
    /// The library's, when it has no memory for its tables.
    pub fn body(self, parts: &[Bytes]) -> io::Result<Bytes> {
        let length = parts.iter().map(Bytes::len).sum();
        match self {
            Self::None => match parts {
                [whole] => Ok(whole.clone()),
                parts => {
                    let mut body = Vec::with_capacity(length);
                    parts.iter().for_each(|part| body.extend_from_slice(part));
                    Ok(body.into())
                }
            },
            Self::Gzip => {
                let buffer = Vec::with_capacity(length / 8);
                // Its header has no time and no name, or two attempts would differ.
                let mut encoder = GzEncoder::new(buffer, flate2::Compression::new(GZIP_LEVEL));
                parts.iter().try_for_each(|part| encoder.write_all(part))?;
                Ok(encoder.finish()?.into())
            }
            Self::Zstd => {
                let buffer = Vec::with_capacity(length / 8);
                let mut encoder = zstd::Encoder::new(buffer, ZSTD_LEVEL)?;
                // The size in the frame lets readers refuse a bomb before they unpack it; the checksum costs next to
                // nothing and finds damage on the way.
                encoder.set_pledged_src_size(Some(length as u64))?;
                encoder.include_contentsize(true)?;
                encoder.include_checksum(true)?;
                parts.iter().try_for_each(|part| encoder.write_all(part))?;
                Ok(encoder.finish()?.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

    fn read(compression: Compression, body: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => body.to_vec(),
            Compression::Gzip => {
                let mut text = Vec::new();
                let mut decoder = GzDecoder::new(body);
                decoder.read_to_end(&mut text).unwrap();
                assert!(decoder.into_inner().is_empty(), "one member and nothing behind it");
                text
            }
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::new(body).unwrap().single_frame();
                let mut text = Vec::new();
                decoder.read_to_end(&mut text).unwrap();
                let mut rest = Vec::new();
                decoder.finish().read_to_end(&mut rest).unwrap();
                assert!(rest.is_empty(), "one frame and nothing behind it");
                text
            }
        }
    }

    proptest! {
        #[test]
        fn what_was_put_in_comes_out_and_twice_gives_the_same_bytes(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..6),
        ) {
            let whole = parts.concat();
            let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
            for compression in ALL {
                let body = compression.body(&parts).unwrap();
                prop_assert_eq!(&read(compression, &body), &whole);
                prop_assert_eq!(compression.body(&parts).unwrap(), body);
            }
        }
    }

    #[test]
    fn lines_get_smaller_and_a_single_part_is_not_copied() {
        let lines: Vec<Bytes> =
            (0..2000).map(|n| format!("{{\"activity_id\":{n},\"class_uid\":3001}}\n").into()).collect();
        let plain = Compression::None.body(&lines).unwrap();
        for compression in [Compression::Gzip, Compression::Zstd] {
            let body = compression.body(&lines).unwrap();
            assert!(body.len() * 5 < plain.len(), "{compression:?}: {} of {}", body.len(), plain.len());
        }
        let same = Compression::None.body(std::slice::from_ref(&plain)).unwrap();
        assert_eq!(same.as_ptr(), plain.as_ptr());
    }

    #[test]
    fn names_are_those_of_the_configuration_and_of_http() {
        for (name, compression, coding) in [
            ("none", Compression::None, None),
            ("gzip", Compression::Gzip, Some("gzip")),
            ("zstd", Compression::Zstd, Some("zstd")),
        ] {
            assert_eq!(serde_json::from_value::<Compression>(name.into()).unwrap(), compression);
            assert_eq!(compression.content_encoding(), coding);
        }
    }

    /// A zstd frame says how large its content is, and has a checksum (RFC 8878, 3.1.1.1).
    #[test]
    fn zstd_frames_tell_their_size() {
        let body = Compression::Zstd.body(&[Bytes::from(vec![b'x'; 70_000])]).unwrap();
        assert_eq!(zstd::zstd_safe::get_frame_content_size(&body).unwrap(), Some(70_000));
        assert_ne!(body[4] & 0b100, 0, "the checksum flag");
    }
}
