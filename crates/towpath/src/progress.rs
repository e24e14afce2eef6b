//! Progress on stderr: one line that changes on a terminal, plain lines now and then otherwise.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Shows how far something is.
pub(crate) struct Progress {
    on_terminal: bool,
    every: Duration,
    shown: Instant,
    began: Instant,
    dirty: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let on_terminal = stderr().is_terminal();
        let every = if on_terminal { Duration::from_millis(200) } else { Duration::from_secs(5) };
        let now = Instant::now();
        Self { on_terminal, every, shown: now, began: now, dirty: false }
    }

    /// How often [`Progress::show`] shows something.
    pub(crate) fn every(&self) -> Duration {
        self.every
    }

    /// Shows `text` if the last one is long enough ago.
    pub(crate) fn show(&mut self, text: impl FnOnce() -> String) {
        if self.shown.elapsed() < self.every {
            return;
        }
        self.shown = Instant::now();
        self.dirty = self.on_terminal;
        let text = text();
        // Progress that cannot be shown is no reason to stop the work.
        drop(if self.on_terminal {
            write!(stderr(), "\r\x1b[K{text}")
        } else {
            writeln!(stderr(), "{text}")
        });
    }

    /// Clears the changing line, so that what follows stands alone.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.dirty) {
            drop(write!(stderr(), "\r\x1b[K"));
        }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(super::thousands(number), text);
        }
    }
}
