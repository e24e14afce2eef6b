//! The file of the store: a format version, and redb's pages, each with a checksum.
//!
//! redb verifies its pages only when it repairs a file. A bit that flips on the disk must not become a wrong answer, so
//! every page is verified here each time it is read; on a page of 4 KiB that costs less than copying it.
//!
//! | bytes | what |
//! |---|---|
//! | 0..16 | [`MAGIC`] |
//! | 16..20 | format version, little endian |
//! | 20..28 | XXH3 of bytes 0..20, little endian |
//! | 28..4096 | zero |
//! | 4096..8192 | redb's page 0: its two commit slots |
//! | 8192.. | redb's pages 1, 2, …: 4096 bytes each, followed by their XXH3, seeded with the page's number |
//!
//! Bytes 0..28 mean the same in every format to come, and are written only when the file is created.
//!
//! Page 0 has no checksum of ours: it is the one page that redb overwrites in place, and a page torn from its checksum by a
//! power cut could not be read again. redb keeps checksums of its own in both commit slots, and flips between them with
//! one byte. At worst a bit flipped in that byte brings back the save before the last one, whole: records are delivered
//! again, none is lost.
//!
//! A page of zeros with a checksum of zero is one that was never written: redb expects a file that grows to be zero there.

use std::io;
use std::ops::Bound;

use redb::{BackendError, StorageBackend};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const MAGIC: [u8; 16] = *b"towpath.chkpts\r\n";

/// The format that this version writes.
pub(crate) const FORMAT: u32 = 1;

const PAGE: usize = 4096;
const CHECKSUM: usize = 8;
const BLOCK: usize = PAGE + CHECKSUM;
const FIRST_PAGE: u64 = 4096;
const FIRST_BLOCK: u64 = FIRST_PAGE + PAGE as u64;

/// Why a file is not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("it is {0} bytes long, too short for a checkpoint store")]
    TooShort(u64),
    #[error("it does not begin as a checkpoint store does")]
    NotAStore,
    #[error("its format version does not match its checksum")]
    BadChecksum,
    #[error("it has format {found}")]
    Newer { found: u32 },
    #[error("it has format {0}, which no Towpath has written")]
    Unknown(u32),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a damaged page is reported as, inside an [`io::Error`] of kind `InvalidData`.
#[derive(Debug, thiserror::Error)]
enum Damage {
    #[error("page {0} does not match its checksum")]
    BadChecksum(u64),
    #[error("it ends before page {0}")]
    Missing(u64),
    #[error("page 0 is torn off")]
    NoFirstPage,
}

impl From<Damage> for io::Error {
    fn from(damage: Damage) -> Self {
        Self::new(io::ErrorKind::InvalidData, damage)
    }
}

/// Storage for redb that verifies what it reads from the storage below.
#[derive(Debug)]
pub(crate) struct Pages {
    storage: Box<dyn StorageBackend>,
    is_new: bool,
}

impl Pages {
    /// Begins a store in empty storage. Syncing it does nothing: who creates a file makes it durable once, when it is whole.
    pub(crate) fn create(storage: Box<dyn StorageBackend>) -> io::Result<Self> {
        let mut header = [0; FIRST_PAGE as usize];
        header[..16].copy_from_slice(&MAGIC);
        header[16..20].copy_from_slice(&FORMAT.to_le_bytes());
        let sum = xxh3_64(&header[..20]);
        header[20..28].copy_from_slice(&sum.to_le_bytes());
        storage.set_len(FIRST_PAGE)?;
        storage.write(0, &header)?;
        Ok(Self { storage, is_new: true })
    }

    /// Takes up a store that exists.
    pub(crate) fn open(storage: Box<dyn StorageBackend>) -> Result<Self, HeaderError> {
        let len = storage.len()?;
        if len < 28 {
            return Err(HeaderError::TooShort(len));
        }
        let mut header = [0; 28];
        storage.read(0, &mut header)?;
        if header[..16] != MAGIC {
            return Err(HeaderError::NotAStore);
        }
        if header[20..] != xxh3_64(&header[..20]).to_le_bytes() {
            return Err(HeaderError::BadChecksum);
        }
        match u32::from_le_bytes([header[16], header[17], header[18], header[19]]) {
            FORMAT => {}
            newer if newer > FORMAT => return Err(HeaderError::Newer { found: newer }),
            unknown => return Err(HeaderError::Unknown(unknown)),
        }
        // Without its first page redb would take the file for a new one and begin afresh.
        if len < FIRST_BLOCK {
            return Err(HeaderError::TooShort(len));
        }
        Ok(Self { storage, is_new: false })
    }
}

/// Where page `number`, which is not 0, begins in the file.
fn block_offset(number: u64) -> u64 {
    FIRST_BLOCK + (number - 1) * BLOCK as u64
}

fn checksum(page: &[u8], number: u64) -> [u8; CHECKSUM] {
    xxh3_64_with_seed(page, number).to_le_bytes()
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// The number of the first page of a request, which must be for whole pages after page 0.
fn first_page(offset: u64, len: usize) -> io::Result<u64> {
    if offset == 0 || !offset.is_multiple_of(PAGE as u64) || !len.is_multiple_of(PAGE) {
        let message = format!("request for {len} bytes at {offset} is not one for whole pages");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(offset / PAGE as u64)
}

impl StorageBackend for Pages {
    fn len(&self) -> io::Result<u64> {
        let len = self.storage.len()?;
        if len <= FIRST_PAGE {
            return Ok(0);
        }
        let blocks = len.checked_sub(FIRST_BLOCK).ok_or(Damage::NoFirstPage)? / BLOCK as u64;
        Ok((1 + blocks) * PAGE as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return self.storage.set_len(FIRST_PAGE);
        }
        self.storage.set_len(block_offset(first_page(len, 0)?))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset == 0 && out.len() <= PAGE {
            return self.storage.read(FIRST_PAGE, out);
        }
        let first = first_page(offset, out.len())?;
        let mut blocks = vec![0; out.len() / PAGE * BLOCK];
        self.storage.read(block_offset(first), &mut blocks).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Damage::Missing(first).into(),
            _ => error,
        })?;
        for ((block, page), number) in blocks.chunks_exact(BLOCK).zip(out.chunks_exact_mut(PAGE)).zip(first..)
        {
            let (stored, sum) = block.split_at(PAGE);
            if sum != checksum(stored, number) && !is_zero(block) {
                return Err(Damage::BadChecksum(number).into());
            }
            page.copy_from_slice(stored);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 && data.len() <= PAGE {
            return self.storage.write(FIRST_PAGE, data);
        }
        let first = first_page(offset, data.len())?;
        let mut blocks = Vec::with_capacity(data.len() / PAGE * BLOCK);
        for (page, number) in data.chunks_exact(PAGE).zip(first..) {
            blocks.extend_from_slice(page);
            blocks.extend_from_slice(&checksum(page, number));
        }
        self.storage.write(block_offset(first), &blocks)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.is_new { Ok(()) } else { self.storage.sync_data() }
    }

    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }

    // redb locks the file too. That still keeps a second process out when somebody has deleted the lock file.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.unlock_range(start, end)
    }
}
