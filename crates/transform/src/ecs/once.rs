//! Lists in which ECS wants every value once.

use std::collections::HashSet;

/// Up to this many texts are compared one by one.
const FEW: usize = 16;

/// The texts of a list so far.
pub(super) struct Once<'a> {
    few: [&'a str; FEW],
    count: usize,
    /// Those beyond the first few: an ordinary list needs no memory for them.
    many: HashSet<&'a str>,
}

impl<'a> Once<'a> {
    pub(super) fn new() -> Self {
        Self { few: [""; FEW], count: 0, many: HashSet::new() }
    }

    /// Whether `text` has not been asked for before.
    pub(super) fn is_new(&mut self, text: &'a str) -> bool {
        if self.few[..self.count].contains(&text) {
            return false;
        }
        if let Some(place) = self.few.get_mut(self.count) {
            *place = text;
            self.count += 1;
            return true;
        }
        self.many.insert(text)
    }
}
