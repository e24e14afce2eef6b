//! The store on a simulated disk, which refuses and loses power wherever we like.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use pipeline::{CheckpointStore, Position, RecordId, Revision, Save, SinkSet, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;
use redb::StorageBackend;
use tempfile::TempDir;

use crate::database;
use crate::directory::DirectoryLock;
use crate::file_store::FileStore;

/// A disk with a cache, as the system has it: what is written can be read at once, and survives a power cut for sure only
/// after a sync. Clones are the same disk.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<DiskState>>);

#[derive(Debug, Default)]
struct DiskState {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync.
    pending: Vec<Change>,
    trouble: Option<Trouble>,
    has_befallen: bool,
    random: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

/// What befalls the disk once so many changes have gone well.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    after: usize,
    kind: TroubleKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum TroubleKind {
    /// Changes fail until there is room again.
    Full,
    /// One change fails. If it is a sync, what it should have made durable is lost in part, and the disk never says so again.
    OneError,
    /// Nothing works any more, reading included.
    PowerCut,
}

fn apply(change: &Change, bytes: &mut Vec<u8>) {
    match change {
        Change::SetLen(len) => bytes.resize(*len, 0),
        Change::Write(offset, data) => {
            let end = offset + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*offset..end].copy_from_slice(data);
        }
    }
}

impl DiskState {
    fn random(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    fn step(&mut self) -> io::Result<()> {
        let Some(trouble) = &mut self.trouble else { return Ok(()) };
        if trouble.after > 0 {
            trouble.after -= 1;
            return Ok(());
        }
        self.has_befallen = true;
        match trouble.kind {
            TroubleKind::Full => Err(io::ErrorKind::StorageFull.into()),
            TroubleKind::PowerCut => Err(io::Error::other("no power")),
            TroubleKind::OneError => {
                self.trouble = None;
                Err(io::Error::other("I/O error"))
            }
        }
    }

    /// Some of what was not synced reaches the disk, in pieces of a sector, and some does not.
    fn lose_some_pending(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::SetLen(_) => {
                    if self.random(2) == 0 {
                        apply(&change, &mut self.durable);
                    }
                }
                Change::Write(offset, data) => {
                    let whole = self.random(3);
                    let mut at = 0;
                    while at < data.len() {
                        let end = data.len().min(at + 512 - (offset + at) % 512);
                        if whole == 0 || whole == 1 && self.random(2) == 0 {
                            apply(&Change::Write(offset + at, data[at..end].to_vec()), &mut self.durable);
                        }
                        at = end;
                    }
                }
            }
        }
    }
}

impl Disk {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.step()?;
        apply(&change, &mut state.cached);
        state.pending.push(change);
        Ok(())
    }

    fn befall(&self, trouble: Option<Trouble>) {
        let mut state = self.0.lock().unwrap();
        state.trouble = trouble;
        state.has_befallen = false;
    }

    /// Whether the trouble came.
    fn has_befallen(&self) -> bool {
        self.0.lock().unwrap().has_befallen
    }

    fn power_up(&self, random: u64) {
        let mut state = self.0.lock().unwrap();
        state.random ^= random;
        state.lose_some_pending();
        state.cached = state.durable.clone();
        state.trouble = None;
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().cached.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        if state.has_befallen && state.trouble.is_some_and(|trouble| trouble.kind == TroubleKind::PowerCut) {
            return Err(io::Error::other("no power"));
        }
        let range = offset as usize..offset as usize + out.len();
        out.copy_from_slice(state.cached.get(range).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::SetLen(len as usize))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset as usize, data.to_vec()))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if let Err(error) = state.step() {
            if error.kind() != io::ErrorKind::StorageFull && state.trouble.is_none() {
                state.lose_some_pending();
            }
            return Err(error);
        }
        for change in std::mem::take(&mut state.pending) {
            apply(&change, &mut state.durable);
        }
        Ok(())
    }
}

/// A store on a disk of its own.
struct Machine {
    disk: Disk,
    dir: TempDir,
    store: Option<FileStore>,
}

impl Machine {
    fn new() -> Self {
        let disk = Disk::default();
        database::create(Path::new("simulated"), Box::new(disk.clone())).unwrap();
        disk.sync_data().unwrap();
        let mut machine = Self { disk, dir: tempfile::tempdir().unwrap(), store: None };
        machine.restart().unwrap();
        machine
    }

    fn restart(&mut self) -> Result<(), StoreError> {
        self.store = None;
        let disk = self.disk.clone();
        let open = move || Ok(Box::new(disk.clone()) as Box<dyn StorageBackend>);
        let lock = DirectoryLock::acquire(self.dir.path())?;
        self.store = Some(FileStore::with_storage(Path::new("simulated"), Box::new(open), lock)?);
        Ok(())
    }

    fn power_cycle(&mut self, random: u64) {
        self.store = None;
        self.disk.power_up(random);
        self.restart().unwrap();
    }

    fn store(&self) -> &FileStore {
        self.store.as_ref().unwrap()
    }
}

fn id(second: i64, native: u64, content: u64) -> RecordId {
    RecordId { second, native, content }
}

/// Save `number` brings the ids of second `number`.
fn numbered_save(store: &FileStore, number: u64, expected: u64) -> Result<Revision, StoreError> {
    let ids: Vec<_> = (0..200).map(|n| (id(number as i64, n, number), SinkSet::ALL)).collect();
    let position = Position::encode(&number);
    store.save("s", Save { position: &position, delivered: &ids, prune_before: i64::MIN }, Revision(expected))
}

/// Asserts that saves 1 to n are there, each of them whole and nothing else, and returns n.
fn newest_save(store: &FileStore) -> u64 {
    let checkpoint = store.load("s").unwrap().unwrap();
    let newest: u64 = checkpoint.position.decode().unwrap();
    assert_eq!(checkpoint.delivered, newest * 200);
    for number in 1..newest + 3 {
        let ids: Vec<_> = (0..200).map(|n| id(number as i64, n, number)).collect();
        let expected = if number <= newest { vec![(number, SinkSet::ALL)] } else { vec![] };
        assert_eq!(store.delivered("s", &ids).unwrap(), vec![expected; 200], "save {number} of {newest}");
    }
    newest
}

#[test]
fn a_power_cut_at_any_moment_leaves_the_save_before_or_the_save_after() {
    let mut outcomes = [0, 0];
    for step in 0.. {
        let mut machine = Machine::new();
        numbered_save(machine.store(), 1, 0).unwrap();
        machine.disk.befall(Some(Trouble { after: step, kind: TroubleKind::PowerCut }));
        let result = numbered_save(machine.store(), 2, 1);
        // Closing writes too.
        machine.store = None;
        let cut = machine.disk.has_befallen();
        machine.power_cycle(step as u64);

        let newest = newest_save(machine.store());
        assert!(result.is_err() || newest == 2, "save 2 was confirmed and is gone");
        outcomes[newest as usize - 1] += 1;
        numbered_save(machine.store(), newest + 1, newest).unwrap();
        assert_eq!(newest_save(machine.store()), newest + 1);
        if !cut {
            break;
        }
    }
    assert!(outcomes.iter().all(|&seen| seen > 0), "before, after: {outcomes:?}");
}

#[test]
fn a_power_cut_while_opening_loses_nothing() {
    for step in 0.. {
        let mut machine = Machine::new();
        numbered_save(machine.store(), 1, 0).unwrap();
        machine.disk.befall(Some(Trouble { after: 0, kind: TroubleKind::PowerCut }));
        machine.store = None;
        machine.disk.power_up(step as u64);
        machine.disk.befall(Some(Trouble { after: step, kind: TroubleKind::PowerCut }));
        let result = machine.restart();
        let cut = machine.disk.has_befallen();
        assert_eq!(result.is_err(), cut);
        machine.power_cycle(step as u64);
        assert_eq!(newest_save(machine.store()), 1);
        if !cut {
            assert!(step > 2, "opening after a power cut should write");
            break;
        }
    }
}

#[test]
fn a_save_that_the_disk_refused_goes_through_when_the_disk_has_healed() {
    for kind in [TroubleKind::Full, TroubleKind::OneError] {
        for step in 0.. {
            let mut machine = Machine::new();
            numbered_save(machine.store(), 1, 0).unwrap();
            machine.disk.befall(Some(Trouble { after: step, kind }));
            let mut result = numbered_save(machine.store(), 2, 1);
            let refused = machine.disk.has_befallen();
            if kind == TroubleKind::Full && result.is_err() {
                assert!(matches!(numbered_save(machine.store(), 2, 1), Err(StoreError::Io { .. })));
                machine.disk.befall(None);
            }
            if let Err(error) = &result {
                assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
                result = numbered_save(machine.store(), 2, 1);
            }
            let revision = result.unwrap_or_else(|error| panic!("{kind:?} at step {step}: {error:?}"));
            assert_eq!(newest_save(machine.store()), 2);
            machine.power_cycle(step as u64);
            assert_eq!(newest_save(machine.store()), 2, "{kind:?} at step {step}");
            assert_eq!(machine.store().load("s").unwrap().unwrap().revision, revision);
            if !refused {
                break;
            }
        }
    }
}

#[test]
fn a_save_in_doubt_does_not_hide_a_conflict() {
    let machine = Machine::new();
    numbered_save(machine.store(), 1, 0).unwrap();
    machine.disk.befall(Some(Trouble { after: 1, kind: TroubleKind::OneError }));
    numbered_save(machine.store(), 2, 1).unwrap_err();
    assert!(matches!(
        numbered_save(machine.store(), 2, 0),
        Err(StoreError::Conflict { expected: 0, found: 1, .. })
    ));
    numbered_save(machine.store(), 2, 1).unwrap();
    assert!(matches!(
        numbered_save(machine.store(), 3, 1),
        Err(StoreError::Conflict { expected: 1, found: 2, .. })
    ));
}

#[derive(Clone, Debug)]
struct SomeSave {
    stream: &'static str,
    delivered: Vec<(RecordId, SinkSet)>,
    prune_before: i64,
}

#[derive(Clone, Debug)]
enum Action {
    Save(SomeSave),
    WrongRevision(SomeSave),
    Reset(&'static str),
    Restart,
    /// In the middle of a save, or soon after it.
    PowerCut(SomeSave, usize, u64),
    Refuse(SomeSave, usize),
}

fn some_save() -> impl Strategy<Value = SomeSave> {
    let stream = prop_oneof![Just("a"), Just("b")];
    let second = prop_oneof![8 => -20..20_i64, 1 => Just(i64::MIN), 1 => Just(RecordId::TIMELESS)];
    let sinks = prop_oneof![3 => Just(SinkSet::ALL), 1 => (0..4_u64).prop_map(SinkSet)];
    let delivered = vec(((second, 0..4_u64, 0..2_u64).prop_map(|(s, n, c)| id(s, n, c)), sinks), 0..60);
    let prune_before = prop_oneof![2 => Just(i64::MIN), 2 => -20..20_i64, 1 => Just(i64::MAX)];
    (stream, delivered, prune_before).prop_map(|(stream, delivered, prune_before)| SomeSave {
        stream,
        delivered,
        prune_before,
    })
}

fn some_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => some_save().prop_map(Action::Save),
        1 => some_save().prop_map(Action::WrongRevision),
        1 => prop_oneof![Just("a"), Just("b")].prop_map(Action::Reset),
        1 => Just(Action::Restart),
        2 => (some_save(), 0..30_usize, any::<u64>()).prop_map(|(save, step, random)| Action::PowerCut(save, step, random)),
        2 => (some_save(), 0..30_usize).prop_map(|(save, step)| Action::Refuse(save, step)),
    ]
}

/// What a store should be, the plain way.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model(BTreeMap<&'static str, Stream>);

#[derive(Clone, Debug, Default, PartialEq)]
struct Stream {
    revision: u64,
    position: u64,
    ids: BTreeMap<(i64, u64), Vec<(u64, SinkSet)>>,
}

impl Model {
    fn save(&mut self, save: &SomeSave, position: u64) {
        let stream = self.0.entry(save.stream).or_default();
        stream.revision += 1;
        stream.position = position;
        stream.ids.retain(|&(second, _), _| second >= save.prune_before);
        for (id, sinks) in &save.delivered {
            let versions = stream.ids.entry((id.second, id.native)).or_default();
            match versions.iter_mut().find(|(content, _)| *content == id.content) {
                Some((_, known)) => known.0 |= sinks.0,
                None => versions.push((id.content, *sinks)),
            }
        }
    }

    /// The store's contents as a model, asked in a way that finds all ids that any action can have saved.
    fn of(store: &FileStore) -> Self {
        let mut model = Self::default();
        for name in ["a", "b"] {
            let Some(checkpoint) = store.load(name).unwrap() else { continue };
            let mut stream = Stream {
                revision: checkpoint.revision.0,
                position: checkpoint.position.decode().unwrap(),
                ids: BTreeMap::new(),
            };
            let seconds = (-20..20).chain([i64::MIN, RecordId::TIMELESS]);
            let ids: Vec<_> =
                seconds.flat_map(|second| (0..4).map(move |native| id(second, native, 0))).collect();
            for (id, versions) in ids.iter().zip(store.delivered(name, &ids).unwrap()) {
                if !versions.is_empty() {
                    stream.ids.insert((id.second, id.native), versions);
                }
            }
            let counted: usize = stream.ids.values().map(Vec::len).sum();
            assert_eq!(checkpoint.delivered, counted as u64);
            model.0.insert(name, stream);
        }
        assert_eq!(store.streams().unwrap(), model.0.keys().copied().collect::<Vec<_>>());
        model
    }
}

fn perform(store: &FileStore, save: &SomeSave, position: u64, expected: u64) -> Result<Revision, StoreError> {
    let position = Position::encode(&position);
    let SomeSave { delivered, prune_before, .. } = save;
    store.save(
        save.stream,
        Save { position: &position, delivered, prune_before: *prune_before },
        Revision(expected),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_a_plain_map_does(actions in vec(some_action(), 1..24)) {
        let mut machine = Machine::new();
        let mut model = Model::default();
        for (number, action) in (1..).zip(actions) {
            let revision = |save: &SomeSave| model.0.get(save.stream).map_or(0, |stream| stream.revision);
            match action {
                Action::Save(save) => {
                    perform(machine.store(), &save, number, revision(&save)).unwrap();
                    model.save(&save, number);
                }
                Action::WrongRevision(save) => {
                    let result = perform(machine.store(), &save, number, revision(&save) + 1);
                    let refused = matches!(result, Err(StoreError::Conflict { .. }));
                    prop_assert!(refused);
                }
                Action::Reset(stream) => {
                    machine.store().reset(stream).unwrap();
                    model.0.remove(stream);
                }
                Action::Restart => machine.restart().unwrap(),
                Action::PowerCut(save, after, random) => {
                    let expected = revision(&save);
                    machine.disk.befall(Some(Trouble { after, kind: TroubleKind::PowerCut }));
                    let confirmed = perform(machine.store(), &save, number, expected).is_ok();
                    machine.power_cycle(random);
                    let found = Model::of(machine.store());
                    if confirmed || found != model {
                        model.save(&save, number);
                    }
                }
                Action::Refuse(save, after) => {
                    let expected = revision(&save);
                    machine.disk.befall(Some(Trouble { after, kind: TroubleKind::OneError }));
                    let first = perform(machine.store(), &save, number, expected);
                    machine.disk.befall(None);
                    let last = first.or_else(|_| perform(machine.store(), &save, number, expected)).unwrap();
                    model.save(&save, number);
                    // The refused attempt may have become durable, and then counts; its ids are the same.
                    model.0.get_mut(save.stream).unwrap().revision = last.0;
                }
            }
            prop_assert_eq!(&Model::of(machine.store()), &model);
        }
    }
}
