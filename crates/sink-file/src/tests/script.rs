//! A file that fails when a test says so, and remembers what was asked of it.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, IoSlice};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::handle::Handle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Append,
    Sync,
    Cut,
}

/// What the next call does instead of succeeding.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Nothing: it succeeds.
    None,
    /// Appends this many bytes only.
    Short(usize),
    /// Fails.
    Fail(ErrorKind),
}

/// Shared by all files of a sink and by the test.
#[derive(Clone, Default)]
pub(super) struct Script(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    faults: VecDeque<(Call, Fault)>,
    always: Option<(Call, Fault)>,
    slow: Duration,
    held: bool,
}

impl Script {
    /// The next call of this kind, after those planned before, goes this way.
    pub(super) fn plan(&self, call: Call, fault: Fault) {
        self.0.lock().unwrap().faults.push_back((call, fault));
    }

    /// Every call of this kind goes this way, those apart that are planned.
    pub(super) fn always(&self, call: Call, fault: Option<Fault>) {
        self.0.lock().unwrap().always = fault.map(|fault| (call, fault));
    }

    /// Every append takes so long.
    pub(super) fn slow(&self, time: Duration) {
        self.0.lock().unwrap().slow = time;
    }

    /// Calls wait until they are let go.
    pub(super) fn hold(&self, held: bool) {
        self.0.lock().unwrap().held = held;
    }

    /// All calls since the last time this was asked.
    pub(super) fn calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// Whether there was a call since the calls were last asked for.
    pub(super) fn was_called(&self) -> bool {
        !self.0.lock().unwrap().calls.is_empty()
    }

    fn next(&self, call: Call) -> io::Result<Option<usize>> {
        self.0.lock().unwrap().calls.push(call);
        while self.0.lock().unwrap().held {
            thread::sleep(Duration::from_millis(1));
        }
        let slow = self.0.lock().unwrap().slow;
        if call == Call::Append {
            thread::sleep(slow);
        }
        let State { faults, always, .. } = &mut *self.0.lock().unwrap();
        let planned = faults.iter().position(|(planned, _)| *planned == call);
        let always = always.filter(|(always, _)| *always == call);
        match planned.and_then(|at| faults.remove(at)).or(always) {
            Some((_, Fault::Fail(kind))) => Err(kind.into()),
            Some((_, Fault::Short(bytes))) => Ok(Some(bytes)),
            Some((_, Fault::None)) | None => Ok(None),
        }
    }
}

pub(super) struct Scripted {
    pub(super) file: File,
    pub(super) script: Script,
}

impl Handle for Scripted {
    fn append(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.script.next(Call::Append)? {
            None => self.file.append(slices),
            Some(bytes) => {
                let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                self.file.append(&[IoSlice::new(&all[..bytes.min(all.len())])])
            }
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.script.next(Call::Sync)?;
        self.file.sync()
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        self.script.next(Call::Cut)?;
        self.file.cut(len)
    }

    fn read_at(&self, block: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(block, offset)
    }

    fn metadata(&self) -> io::Result<Metadata> {
        Handle::metadata(&self.file)
    }

    fn unlock(&self) -> io::Result<()> {
        Handle::unlock(&self.file)
    }
}
