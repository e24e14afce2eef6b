//! Finding the members of a record that a mapping names, in one pass over it.
//!
//! All paths of all fields are joined into one trie at the start. A record is read beside it: a member that the trie does
//! not know is passed over with all that it holds, and nothing is allocated.

use std::collections::BTreeMap;

use pipeline::Path;

use super::fields::{FIELDS, Field};
use crate::json::{Kind, Value};

/// A path that a field is looked for under.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) field: Field,
    /// Of several candidates of a field that are there, the lowest counts.
    pub(super) rank: u8,
    /// What the path is about: fields of one somebody or something are taken from one noun, the lowest that is there, so that the
    /// id of one is never put beside the name of another.
    pub(super) noun: u8,
    pub(super) path: Path,
    /// The kinds of values that the field can be there, a bit each.
    pub(super) kinds: u8,
}

/// The trie.
#[derive(Debug)]
pub(super) struct Finder {
    /// In preorder; the first is the record itself.
    nodes: Vec<Node>,
    takes: Vec<Take>,
    /// The hash tables of all nodes.
    entries: Vec<Entry>,
    /// How many nodes have nodes below them.
    inner: usize,
}

/// A member that a path leads to or through.
#[derive(Debug)]
struct Node {
    key: Box<str>,
    /// Its own place, and one past that of the last node below it.
    place: u32,
    end: u32,
    /// Its part of [`Finder::takes`].
    takes: (u32, u32),
    /// What is below it.
    below: Option<Below>,
}

/// The nodes below a node.
#[derive(Clone, Copy, Debug)]
struct Below {
    /// Where the hash table begins, and its length less one; the length is a power of two.
    start: usize,
    mask: usize,
    /// How many items of a list can have a path through them; 0 where no name is a number.
    items: usize,
    /// Its number among the nodes that have nodes below them.
    number: usize,
}

/// An entry of a hash table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    print: Print,
    /// The place of the node; 0, which is nobody's member, for none.
    place: u32,
}

impl Entry {
    const NONE: Self = Self { print: Print { length: 0, ends: [0; 2] }, place: 0 };
}

/// The length of a key and its ends, which are the whole key if it is not long: comparing it costs less than comparing texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    length: usize,
    ends: [u64; 2],
}

impl Print {
    /// Keys up to this length are told apart by their prints.
    const WHOLE: usize = 16;

    #[inline(always)]
    fn of(key: &str) -> Self {
        let bytes = key.as_bytes();
        let ends = if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            [u64::from_le_bytes(*first), u64::from_le_bytes(*last)]
        } else if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
            [u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into()]
        } else if let (Some(first), Some(middle), Some(last)) =
            (bytes.first(), bytes.get(bytes.len() / 2), bytes.last())
        {
            [u32::from_le_bytes([*first, *middle, *last, 0]).into(), 0]
        } else {
            [0; 2]
        };
        Self { length: bytes.len(), ends }
    }

    #[inline(always)]
    const fn hash(self) -> usize {
        let [first, last] = self.ends;
        let mixed = (first ^ last.rotate_left(24)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 48) as usize
    }
}

#[derive(Clone, Copy, Debug)]
struct Take {
    field: Field,
    /// The kinds of values that the field can be, a bit each.
    kinds: u8,
    rank: u8,
    noun: u8,
}

/// Items of a list beyond these are not looked for.
pub(super) const MOST_ITEMS: usize = 100;

#[derive(Default)]
struct Draft {
    children: BTreeMap<Box<str>, Draft>,
    takes: Vec<Take>,
}

impl Finder {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let mut root = Draft::default();
        for Candidate { field, rank, noun, path, kinds } in candidates {
            let mut place = &mut root;
            for name in path.names() {
                place = place.children.entry(name.clone()).or_default();
            }
            place.takes.push(Take { field: *field, kinds: *kinds, rank: *rank, noun: *noun });
        }
        let mut finder = Self { nodes: Vec::new(), takes: Vec::new(), entries: Vec::new(), inner: 0 };
        finder.add("", root);
        finder
    }

    fn add(&mut self, key: &str, draft: Draft) -> u32 {
        let place = small(self.nodes.len());
        let first = small(self.takes.len());
        self.takes.extend(draft.takes);
        let takes = (first, small(self.takes.len()));
        self.nodes.push(Node { key: key.into(), place, end: place + 1, takes, below: None });
        if draft.children.is_empty() {
            return place;
        }
        let items = draft.children.keys().filter_map(|key| item(key)).map(|n| n + 1).max().unwrap_or(0);
        let number = self.inner;
        self.inner += 1;
        let children: Vec<u32> =
            draft.children.into_iter().map(|(key, below)| self.add(&key, below)).collect();
        // At most half full, so that looking for what is not there ends soon.
        let size = (2 * children.len()).next_power_of_two();
        let (start, mask) = (self.entries.len(), size - 1);
        self.entries.resize(start + size, Entry::NONE);
        for child in children {
            let print = Print::of(&self.nodes[child as usize].key);
            let mut at = print.hash() & mask;
            while self.entries[start + at].place != 0 {
                at = (at + 1) & mask;
            }
            self.entries[start + at] = Entry { print, place: child };
        }
        let end = small(self.nodes.len());
        let node = &mut self.nodes[place as usize];
        (node.end, node.below) = (end, Some(Below { start, mask, items, number }));
        place
    }

    /// Puts into `found`, which is empty, what `record` has of the fields. `memory` is used again for each record.
    pub(super) fn find<'a>(&self, record: Value<'a>, memory: &mut Vec<u64>, found: &mut Found<'a>) {
        memory.clear();
        memory.resize(self.inner.div_ceil(64), 0);
        if let Some(below) = self.nodes[0].below {
            Search { finder: self, met: memory, found }.below(&below, record);
        }
        if found.second_noun {
            found.keep_to_one_noun();
        }
    }

    #[inline(always)]
    fn child(&self, below: &Below, key: &str) -> Option<&Node> {
        let print = Print::of(key);
        let mut at = print.hash() & below.mask;
        loop {
            let entry = self.entries.get(below.start + at)?;
            if entry.place == 0 {
                return None;
            }
            if entry.print == print {
                let node = self.nodes.get(entry.place as usize)?;
                if print.length <= Print::WHOLE || *node.key == *key {
                    return Some(node);
                }
            }
            at = (at + 1) & below.mask;
        }
    }
}

/// The item of a list that a name in a path stands for.
pub(super) fn item(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    name.parse().ok().filter(|_| plain)
}

struct Search<'f, 's, 'a> {
    finder: &'f Finder,
    /// A bit for each node with nodes below it that has been met.
    met: &'s mut [u64],
    found: &'s mut Found<'a>,
}

impl<'a> Search<'_, '_, 'a> {
    fn below(&mut self, below: &Below, value: Value<'a>) {
        let finder = self.finder;
        if value.kind() == Kind::Array {
            for (n, item) in value.items().take(below.items).enumerate() {
                if let Some(child) = finder.child(below, itoa::Buffer::new().format(n)) {
                    self.member(child, item);
                }
            }
            return;
        }
        for member in value.members() {
            if let Some(child) = finder.child(below, member.key()) {
                self.member(child, member);
            }
        }
    }

    #[inline(always)]
    fn member(&mut self, node: &Node, value: Value<'a>) {
        if let Some(below) = &node.below {
            return self.inner(node, below, value);
        }
        self.offer(node, value);
    }

    fn inner(&mut self, node: &Node, below: &Below, value: Value<'a>) {
        let (word, bit) = (below.number / 64, 1 << (below.number % 64));
        if self.met[word] & bit != 0 {
            self.found.forget(node.place..node.end);
        }
        self.met[word] |= bit;
        self.offer(node, value);
        self.below(below, value);
    }

    #[inline(always)]
    fn offer(&mut self, node: &Node, value: Value<'a>) {
        let (first, end) = node.takes;
        for take in self.finder.takes.get(first as usize..end as usize).unwrap_or_default() {
            self.found.offer(*take, node.place, value);
        }
    }
}

/// What a record has of the fields of a mapping.
pub(super) struct Found<'a> {
    slots: [Slot<'a>; FIELDS],
    /// Something was found that is not of the first noun.
    second_noun: bool,
    /// An action stands where one belongs, but is no text.
    pub(super) odd_action: bool,
}

#[derive(Clone, Copy)]
struct Slot<'a> {
    value: Option<Value<'a>>,
    /// The node that it was found at.
    place: u32,
    rank: u8,
    noun: u8,
}

impl Slot<'_> {
    const EMPTY: Self = Self { value: None, place: 0, rank: u8::MAX, noun: u8::MAX };
}

impl<'a> Found<'a> {
    /// Nothing yet.
    pub(super) const EMPTY: Self =
        Self { slots: [Slot::EMPTY; FIELDS], second_noun: false, odd_action: false };

    /// The value of a field, which it fits.
    pub(super) fn get(&self, field: Field) -> Option<Value<'a>> {
        self.slots[field as usize].value
    }

    #[inline(always)]
    fn offer(&mut self, take: Take, place: u32, value: Value<'a>) {
        let Take { field, kinds, rank, noun } = take;
        let slot = &mut self.slots[field as usize];
        if slot.rank < rank {
            return;
        }
        if value.is_one_of(kinds) {
            *slot = Slot { value: Some(value), place, rank, noun };
            self.second_noun |= noun > 0;
            return;
        }
        // Of equal keys the last counts, also where it is of no use.
        if slot.place == place && slot.rank == rank {
            *slot = Slot::EMPTY;
        }
        self.odd_action |= field == Field::Action && !matches!(value.kind(), Kind::Null | Kind::String);
    }

    /// Of equal keys the last counts: what was found below the one before does not.
    #[cold]
    fn forget(&mut self, places: std::ops::Range<u32>) {
        for slot in self.slots.iter_mut().filter(|slot| places.contains(&slot.place)) {
            *slot = Slot::EMPTY;
        }
    }

    fn keep_to_one_noun(&mut self) {
        for fields in Field::NOUNS {
            let nouns = fields.iter().map(|field| self.slots[*field as usize].noun);
            let Some(noun) = nouns.min() else { continue };
            for field in fields.iter() {
                let slot = &mut self.slots[*field as usize];
                if slot.noun != noun {
                    *slot = Slot::EMPTY;
                }
            }
        }
    }
}

/// Counts of names in a configuration fit.
#[expect(clippy::cast_possible_truncation, reason = "see above")]
const fn small(count: usize) -> u32 {
    count as u32
}
