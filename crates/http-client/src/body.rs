//! Collects an answer's body, at most `cap` bytes of it after decompression.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// Why a body cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It passes the cap.
    TooLarge,
    /// Its compression is damaged, or ends early.
    Damaged,
    /// It is encoded in a way that was not asked for.
    Encoding,
}

/// A body on its way in. Grows with what arrives: an announced length is not believed.
pub(crate) enum Body {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Body {
    /// For the body that follows `headers`.
    pub(crate) fn new(headers: &HeaderMap, cap: usize) -> Result<Self, BodyError> {
        let capped = Capped { bytes: Vec::new(), cap, passed: false };
        match headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii()) {
            None | Some(b"" | b"identity") => Ok(Self::Plain(capped)),
            Some(name) if name.eq_ignore_ascii_case(b"gzip") || name.eq_ignore_ascii_case(b"x-gzip") => {
                Ok(Self::Gzip(Box::new(MultiGzDecoder::new(capped))))
            }
            Some(_) => Err(BodyError::Encoding),
        }
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), BodyError> {
        let written = match self {
            Self::Plain(capped) => capped.write_all(piece),
            Self::Gzip(decoder) => decoder.write_all(piece),
        };
        written.map_err(|_| self.failure())
    }

    /// The whole body.
    pub(crate) fn finish(self) -> Result<Bytes, BodyError> {
        match self {
            Self::Plain(capped) => Ok(capped.bytes.into()),
            Self::Gzip(mut decoder) => match decoder.try_finish() {
                Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes).into()),
                Err(_) if decoder.get_ref().passed => Err(BodyError::TooLarge),
                Err(_) => Err(BodyError::Damaged),
            },
        }
    }

    /// What there is of it, however it ended.
    pub(crate) fn beginning(self) -> Bytes {
        match self {
            Self::Plain(capped) => capped.bytes.into(),
            Self::Gzip(mut decoder) => {
                // Fails when the end is missing or beyond the cap, and hands over what it had unpacked all the same.
                let whole = decoder.try_finish().is_ok();
                let bytes = std::mem::take(&mut decoder.get_mut().bytes);
                tracing::trace!(whole, bytes = bytes.len(), "beginning of a compressed answer");
                bytes.into()
            }
        }
    }

    fn failure(&self) -> BodyError {
        let capped = match self {
            Self::Plain(capped) => capped,
            Self::Gzip(decoder) => decoder.get_ref(),
        };
        if capped.passed { BodyError::TooLarge } else { BodyError::Damaged }
    }
}

/// A buffer that refuses to grow past its cap, and keeps what fits.
pub(crate) struct Capped {
    bytes: Vec<u8>,
    cap: usize,
    passed: bool,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let room = self.cap - self.bytes.len();
        if piece.len() > room {
            self.bytes.extend_from_slice(&piece[..room]);
            self.passed = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::tests::headers;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(encoding: &str, pieces: &[&[u8]], cap: usize) -> Result<Bytes, BodyError> {
        let mut body = Body::new(&headers(&[("content-encoding", encoding)]), cap)?;
        pieces.iter().try_for_each(|piece| body.push(piece))?;
        body.finish()
    }

    #[test]
    fn the_cap_counts_decompressed_bytes() {
        let bomb = gzip(&vec![b' '; 10_000_000]);
        assert!(bomb.len() < 20_000);
        assert_eq!(read("gzip", &[&bomb], 9_999_999), Err(BodyError::TooLarge));
        assert_eq!(read("gzip", &[&bomb], 10_000_000).unwrap().len(), 10_000_000);
        assert_eq!(read("identity", &[b"123", b"45"], 4), Err(BodyError::TooLarge));
        assert_eq!(&read("", &[b"123", b"45"], 5).unwrap()[..], b"12345");
    }

    #[test]
    fn the_beginning_of_any_body_can_be_had() {
        let read = |encoding: &str, pieces: &[&[u8]]| {
            let mut body = Body::new(&headers(&[("content-encoding", encoding)]), 10).unwrap();
            let taken = pieces.iter().all(|piece| body.push(piece).is_ok());
            (taken, body.beginning())
        };
        let (long, short) = (gzip(b"0123456789 and more"), gzip(b"01234"));
        assert_eq!(read("", &[b"01234", b"56789 and more"]), (false, "0123456789".into()));
        assert_eq!(read("", &[b"01234"]), (true, "01234".into()));
        assert_eq!(read("gzip", &[&long]).1, "0123456789");
        assert_eq!(read("gzip", &[&short]), (true, "01234".into()));
        assert_eq!(read("gzip", &[&short[..short.len() - 8]]).1, "01234");
        assert_eq!(read("gzip", &[b"no gzip"]).1, "");
    }

    #[test]
    fn cut_or_damaged_compression_is_an_error() {
        let whole = gzip(b"{\"trails\":[]}");
        for cut in 0..whole.len() {
            assert_eq!(read("gzip", &[&whole[..cut]], 1000), Err(BodyError::Damaged), "cut at {cut}");
        }
        let single: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(&read("X-GZIP", &single, 1000).unwrap()[..], b"{\"trails\":[]}");
        let mut two = whole.clone();
        two.extend_from_slice(&gzip(b" "));
        assert_eq!(&read("gzip", &[&two], 1000).unwrap()[..], b"{\"trails\":[]} ");
        let mut damaged = whole;
        let at = damaged.len() - 6;
        damaged[at] ^= 1;
        assert_eq!(read("gzip", &[&damaged], 1000), Err(BodyError::Damaged));
        assert_eq!(read("br", &[], 1000), Err(BodyError::Encoding));
    }
}
