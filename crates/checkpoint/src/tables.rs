//! The tables of the store, and the transactions on them.
//!
//! | table | key | value |
//! |---|---|---|
//! | `checkpoints` | stream | revision, how many ids are remembered, position |
//! | `sinks` | stream, number | name of the sink |
//! | `delivered/STREAM` | second and native id, as one number of 128 bits | the versions delivered, see [`encode`] |
//!
//! Keys sort by second, so that new ids go in at the end, or in few places, and expired ones come out at the front.

use std::ops::{Bound, RangeInclusive};

use pipeline::{Checkpoint, Position, RecordId, Revision, Save, SinkSet};
use redb::{
    Database, Error, ReadTransaction, ReadableDatabase, ReadableTable, Table, TableDefinition, TableError,
    WriteTransaction,
};

const CHECKPOINTS: TableDefinition<'_, &str, (u64, u64, &str)> = TableDefinition::new("checkpoints");
const SINKS: TableDefinition<'_, (&str, u32), &str> = TableDefinition::new("sinks");

/// Contents of one id, and which sinks have them; newest last.
type Versions = Vec<(u64, SinkSet)>;

/// A delivered id: its key, its content, and which sinks have it.
type Row = (u128, (u64, SinkSet));

/// How many expired ids a save forgets, at most: more than it brings, so that a backlog shrinks, and a few milliseconds'
/// worth in any case, so that a quiet stream works off what a long pause has left. The rest waits for the next save.
fn prune_limit(new: usize) -> usize {
    2 * new + 10_000
}

/// [`SinkSet`] has 64 bits.
const MAX_SINKS: u32 = 64;

/// Creates the tables that are always there.
pub(crate) fn create(database: &Database) -> Result<(), Error> {
    let transaction = begin(database)?;
    transaction.open_table(CHECKPOINTS)?;
    transaction.open_table(SINKS)?;
    Ok(transaction.commit()?)
}

/// A durable transaction. It also records which pages are in use, so that opening after a crash does not have to read the
/// whole file, and it commits in two phases, so that a commit whose first phase failed is never taken for whole.
fn begin(database: &Database) -> Result<WriteTransaction, Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    Ok(transaction)
}

pub(crate) fn streams(database: &Database) -> Result<Vec<String>, Error> {
    let checkpoints = database.begin_read()?.open_table(CHECKPOINTS)?;
    checkpoints.iter()?.map(|row| Ok(row?.0.value().to_owned())).collect()
}

pub(crate) fn load(database: &Database, stream: &str) -> Result<Option<Checkpoint>, Error> {
    let checkpoints = database.begin_read()?.open_table(CHECKPOINTS)?;
    let Some(row) = checkpoints.get(stream)? else { return Ok(None) };
    let (revision, delivered, position) = row.value();
    let position = Position::from_json(position)
        .map_err(|error| Error::Corrupted(format!("position of stream {stream} is no JSON: {error}")))?;
    Ok(Some(Checkpoint { position, revision: Revision(revision), delivered }))
}

/// Saves if the stream's revision is one of `follows`; otherwise the inner error tells which it is.
pub(crate) fn save(
    database: &Database,
    stream: &str,
    save: &Save<'_>,
    follows: RangeInclusive<Revision>,
) -> Result<Result<Revision, Revision>, Error> {
    let transaction = begin(database)?;
    let revision = {
        let mut checkpoints = transaction.open_table(CHECKPOINTS)?;
        let (found, remembered) = match checkpoints.get(stream)? {
            Some(row) => (row.value().0, row.value().1),
            None => (0, 0),
        };
        if !follows.contains(&Revision(found)) {
            return Ok(Err(Revision(found)));
        }
        let mut ids = transaction.open_table(delivered_table(&delivered_name(stream)))?;
        let forgotten = forget_before(&mut ids, save.prune_before, prune_limit(save.delivered.len()))?;
        let added = remember(&mut ids, save.delivered)?;
        let remembered = (remembered + added)
            .checked_sub(forgotten)
            .ok_or_else(|| Error::Corrupted(format!("stream {stream} remembers more ids than it counts")))?;
        checkpoints.insert(stream, (found + 1, remembered, save.position.as_str()))?;
        found + 1
    };
    transaction.commit()?;
    Ok(Ok(Revision(revision)))
}

pub(crate) fn delivered(database: &Database, stream: &str, ids: &[RecordId]) -> Result<Vec<Versions>, Error> {
    let transaction = database.begin_read()?;
    let Some(table) = open_delivered(&transaction, stream)? else {
        return Ok(vec![Versions::new(); ids.len()]);
    };
    ids.iter()
        .map(|id| match table.get(key(id.second, id.native))? {
            Some(row) => decode(row.value()),
            None => Ok(Versions::new()),
        })
        .collect()
}

pub(crate) fn reset(database: &Database, stream: &str) -> Result<(), Error> {
    let transaction = begin(database)?;
    transaction.open_table(CHECKPOINTS)?.remove(stream)?;
    transaction.open_table(SINKS)?.retain_in((stream, 0)..=(stream, u32::MAX), |_, _| false)?;
    transaction.delete_table(delivered_table(&delivered_name(stream)))?;
    Ok(transaction.commit()?)
}

/// The number of each sink; names that have none yet get the next ones. The inner error is the name for which none is left.
pub(crate) fn sink_numbers(
    database: &Database,
    stream: &str,
    names: &[&str],
) -> Result<Result<Vec<u32>, String>, Error> {
    let known = saved_sinks(&database.begin_read()?.open_table(SINKS)?, stream)?;
    if let Some(numbers) = names.iter().map(|name| number_of(name, &known)).collect() {
        return Ok(Ok(numbers));
    }
    let transaction = begin(database)?;
    let mut numbers = Vec::with_capacity(names.len());
    {
        let mut table = transaction.open_table(SINKS)?;
        // Again, now that nobody else can write.
        let mut sinks = saved_sinks(&table, stream)?;
        for &name in names {
            let number = match number_of(name, &sinks) {
                Some(number) => number,
                None => {
                    let next = sinks.len() as u32;
                    if next == MAX_SINKS {
                        return Ok(Err(name.to_owned()));
                    }
                    table.insert((stream, next), name)?;
                    sinks.push((name.to_owned(), next));
                    next
                }
            };
            numbers.push(number);
        }
    }
    transaction.commit()?;
    Ok(Ok(numbers))
}

fn saved_sinks(
    table: &impl ReadableTable<(&'static str, u32), &'static str>,
    stream: &str,
) -> Result<Vec<(String, u32)>, Error> {
    let rows = table.range((stream, 0)..=(stream, u32::MAX))?;
    rows.map(|row| row.map(|(key, name)| (name.value().to_owned(), key.value().1)).map_err(Error::from))
        .collect()
}

fn number_of(name: &str, sinks: &[(String, u32)]) -> Option<u32> {
    sinks.iter().find(|(known, _)| known == name).map(|&(_, number)| number)
}

fn delivered_name(stream: &str) -> String {
    format!("delivered/{stream}")
}

fn delivered_table(name: &str) -> TableDefinition<'_, u128, &'static [u8]> {
    TableDefinition::new(name)
}

/// The stream's ids; a stream that was never saved has no table.
fn open_delivered(
    transaction: &ReadTransaction,
    stream: &str,
) -> Result<Option<impl ReadableTable<u128, &'static [u8]> + use<>>, Error> {
    match transaction.open_table(delivered_table(&delivered_name(stream))) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn key(second: i64, native: u64) -> u128 {
    // Flipping the sign makes negative seconds sort before positive ones.
    let second = second as u64 ^ 1 << 63;
    u128::from(second) << 64 | u128::from(native)
}

/// Takes out the oldest ids before `second`, at most `limit` rows, and returns how many ids that were.
fn forget_before(
    table: &mut Table<'_, u128, &'static [u8]>,
    second: i64,
    limit: usize,
) -> Result<u64, Error> {
    let mut forgotten = 0;
    for row in table.extract_from_if(..key(second, 0), |_, _| true)?.take(limit) {
        forgotten += decode(row?.1.value())?.len() as u64;
    }
    Ok(forgotten)
}

/// Adds ids to the table, and returns how many were not there yet.
fn remember(
    table: &mut Table<'_, u128, &'static [u8]>,
    delivered: &[(RecordId, SinkSet)],
) -> Result<u64, Error> {
    let mut rows: Vec<Row> =
        delivered.iter().map(|(id, sinks)| (key(id.second, id.native), (id.content, *sinks))).collect();
    // Stable, so that versions of one id stay in the order in which they were delivered.
    rows.sort_by_key(|row| row.0);

    let mut added = 0;
    let mut groups = rows.chunk_by(|a, b| a.0 == b.0).peekable();
    while let Some(group) = groups.next() {
        let key = group[0].0;
        let (mut versions, next_key) = versions_and_next_key(table, key)?;
        added += merge(&mut versions, group);
        table.insert(key, &*encode(&versions))?;

        // Ids that are all new go in as one run, which costs half as much as one by one.
        let in_run = |group: &&[Row]| next_key.is_none_or(|next| group[0].0 < next);
        if groups.peek().is_some_and(in_run) {
            let mut cursor = table.lower_bound_mut(Bound::Excluded(key))?;
            while let Some(group) = groups.next_if(in_run) {
                let mut versions = Versions::new();
                added += merge(&mut versions, group);
                cursor.insert_before(group[0].0, &*encode(&versions))?;
            }
            cursor.close()?;
        }
    }
    Ok(added)
}

/// What is remembered under `key`, and the key that comes after it.
fn versions_and_next_key(
    table: &impl ReadableTable<u128, &'static [u8]>,
    key: u128,
) -> Result<(Versions, Option<u128>), Error> {
    let mut rows = table.range(key..)?;
    let Some((first, row)) = rows.next().transpose()? else { return Ok((Versions::new(), None)) };
    if first.value() != key {
        return Ok((Versions::new(), Some(first.value())));
    }
    let next = rows.next().transpose()?.map(|(next, _)| next.value());
    Ok((decode(row.value())?, next))
}

/// Adds what was delivered of one id to what is known of it, and returns how many versions are new.
fn merge(versions: &mut Versions, delivered: &[Row]) -> u64 {
    let known = versions.len();
    for &(_, (content, sinks)) in delivered {
        match versions.iter_mut().find(|version| version.0 == content) {
            Some(version) => version.1.0 |= sinks.0,
            None => versions.push((content, sinks)),
        }
    }
    (versions.len() - known) as u64
}

/// The value of a row: 8 bytes of content for one version that every sink has, which is by far the most common; otherwise
/// 16 bytes a version, newest last: content and set of sinks. Little endian.
fn encode(versions: &[(u64, SinkSet)]) -> Vec<u8> {
    match versions {
        [(content, SinkSet::ALL)] => content.to_le_bytes().to_vec(),
        versions => versions
            .iter()
            .flat_map(|(content, sinks)| [content.to_le_bytes(), sinks.0.to_le_bytes()])
            .flatten()
            .collect(),
    }
}

fn decode(value: &[u8]) -> Result<Versions, Error> {
    let (numbers, rest) = value.as_chunks::<8>();
    match (numbers, rest) {
        ([content], []) => Ok(vec![(u64::from_le_bytes(*content), SinkSet::ALL)]),
        (numbers, []) if !numbers.is_empty() && numbers.len().is_multiple_of(2) => Ok(numbers
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[content, sinks]| (u64::from_le_bytes(*content), SinkSet(u64::from_le_bytes(*sinks))))
            .collect()),
        _ => Err(Error::Corrupted(format!("a delivered id has a value of {} bytes", value.len()))),
    }
}
