//! The number of a frame: 1 to 999,999,999, then 1 again.

/// Most that it can be: nine digits.
pub(crate) const MOST: u32 = 999_999_999;

/// Of a frame that wants an answer, or of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(u32);

impl Number {
    /// Of the first frame of a session.
    pub(crate) const FIRST: Self = Self(1);

    /// A number that was read; `None` when no frame has it.
    pub(crate) fn new(number: u32) -> Option<Self> {
        (1..=MOST).contains(&number).then_some(Self(number))
    }

    /// This one, moving on to the next.
    pub(crate) fn take(&mut self) -> Self {
        let number = *self;
        self.0 = if number.0 == MOST { 1 } else { number.0 + 1 };
        number
    }

    /// How many frames after `first` this one is.
    pub(crate) fn since(self, first: Self) -> usize {
        let after = if self.0 >= first.0 { self.0 - first.0 } else { MOST - first.0 + self.0 };
        after as usize
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_one_comes_the_first_one() {
        let first = Number::new(MOST - 1).unwrap();
        let mut next = first;
        let taken: Vec<u32> = (0..4).map(|_| next.take().get()).collect();
        assert_eq!(taken, [MOST - 1, MOST, 1, 2]);
        assert_eq!(next.since(first), 4);
        assert_eq!(first.since(first), 0);
        assert_eq!((Number::new(0), Number::new(MOST + 1)), (None, None));
    }
}
