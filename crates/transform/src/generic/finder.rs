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
}

/// The trie.
#[derive(Debug)]
pub(super) struct Finder {
    /// In preorder; the first is the record itself.
    nodes: Vec<Node>,
    takes: Vec<Take>,
    /// The hash tables of all nodes: places in `nodes`.
    places: Vec<u32>,
}

/// A member that a path leads to or through.
#[derive(Debug)]
struct Node {
    key: Box<str>,
    /// One past the last node below it.
    end: u32,
    /// Its part of [`Finder::takes`].
    takes: (u32, u32),
    /// Where its hash table begins, and the length of that less one; the length is a power of two.
    table: (u32, u32),
    /// How many items of a list can have a path through them; 0 where no name below is a number.
    items: usize,
    has_children: bool,
}

#[derive(Clone, Copy, Debug)]
struct Take {
    field: Field,
    rank: u8,
    noun: u8,
}

/// No node: the record itself is nobody's member.
const NONE: u32 = 0;

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
        for Candidate { field, rank, noun, path } in candidates {
            let mut place = &mut root;
            for name in path.names() {
                place = place.children.entry(name.clone()).or_default();
            }
            place.takes.push(Take { field: *field, rank: *rank, noun: *noun });
        }
        let mut finder = Self { nodes: Vec::new(), takes: Vec::new(), places: Vec::new() };
        finder.add("", root);
        finder
    }

    fn add(&mut self, key: &str, draft: Draft) -> u32 {
        let own = self.nodes.len();
        let first = small(self.takes.len());
        self.takes.extend(draft.takes);
        let takes = (first, small(self.takes.len()));
        let items = draft.children.keys().filter_map(|key| item(key)).map(|n| n + 1).max().unwrap_or(0);
        let has_children = !draft.children.is_empty();
        self.nodes.push(Node { key: key.into(), end: 0, takes, table: (0, 0), items, has_children });
        let children: Vec<u32> =
            draft.children.into_iter().map(|(key, below)| self.add(&key, below)).collect();
        // At most half full, so that looking for what is not there ends soon.
        let size = (2 * children.len().max(1)).next_power_of_two();
        let (start, mask) = (self.places.len(), size - 1);
        self.places.resize(start + size, NONE);
        for child in children {
            let mut at = hash(&self.nodes[child as usize].key) & mask;
            while self.places[start + at] != NONE {
                at = (at + 1) & mask;
            }
            self.places[start + at] = child;
        }
        let end = small(self.nodes.len());
        let node = &mut self.nodes[own];
        (node.end, node.table) = (end, (small(start), small(mask)));
        small(own)
    }

    /// What `record` has of the fields. `memory` is used again for each record.
    pub(super) fn find<'a>(&self, record: Value<'a>, memory: &'a mut Vec<u64>) -> Found<'a> {
        memory.clear();
        memory.resize(self.nodes.len() / 64 + 1, 0);
        let mut search = Search {
            finder: self,
            met: memory,
            found: Found { slots: [Slot::EMPTY; FIELDS], odd_action: false },
        };
        search.below(0, record);
        let mut found = search.found;
        found.keep_to_one_noun();
        found
    }

    #[inline]
    fn child(&self, node: &Node, key: &str) -> Option<u32> {
        let (start, mask) = node.table;
        let mut at = hash(key) & mask as usize;
        loop {
            let place = self.places[start as usize + at];
            if place == NONE || *self.nodes[place as usize].key == *key {
                return (place != NONE).then_some(place);
            }
            at = (at + 1) & mask as usize;
        }
    }
}

/// Length and three letters tell nearly all names apart that audit APIs use.
#[inline]
fn hash(key: &str) -> usize {
    let bytes = key.as_bytes();
    let [first, .., last] = bytes else { return bytes.first().copied().unwrap_or_default().into() };
    let letters = [bytes.len().to_le_bytes()[0], *first, bytes[bytes.len() / 2], *last];
    (u32::from_le_bytes(letters).wrapping_mul(0x9E37_79B1) >> 12) as usize
}

/// The item of a list that a name in a path stands for.
pub(super) fn item(name: &str) -> Option<usize> {
    let plain = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    name.parse().ok().filter(|_| plain)
}

struct Search<'f, 'a> {
    finder: &'f Finder,
    /// A bit for each node that has been met.
    met: &'f mut Vec<u64>,
    found: Found<'a>,
}

impl<'a> Search<'_, 'a> {
    fn below(&mut self, place: u32, value: Value<'a>) {
        let node = &self.finder.nodes[place as usize];
        if value.kind() == Kind::Array {
            for (n, item) in value.items().take(node.items).enumerate() {
                if let Some(child) = self.finder.child(node, itoa::Buffer::new().format(n)) {
                    self.member(child, item);
                }
            }
            return;
        }
        for member in value.members() {
            if let Some(child) = self.finder.child(node, member.key()) {
                self.member(child, member);
            }
        }
    }

    fn member(&mut self, place: u32, value: Value<'a>) {
        let node = &self.finder.nodes[place as usize];
        let (word, bit) = (place as usize / 64, 1 << (place % 64));
        if self.met[word] & bit != 0 {
            self.found.forget(place..node.end);
        }
        self.met[word] |= bit;
        let (first, end) = node.takes;
        for take in &self.finder.takes[first as usize..end as usize] {
            self.found.offer(*take, place, value);
        }
        if node.has_children {
            self.below(place, value);
        }
    }
}

/// What a record has of the fields of a mapping.
pub(super) struct Found<'a> {
    slots: [Slot<'a>; FIELDS],
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
    /// The value of a field, which it fits.
    pub(super) fn get(&self, field: Field) -> Option<Value<'a>> {
        self.slots[field as usize].value
    }

    fn offer(&mut self, take: Take, place: u32, value: Value<'a>) {
        let Take { field, rank, noun } = take;
        let slot = &mut self.slots[field as usize];
        if slot.rank < rank {
            return;
        }
        if field.fits(value) {
            *slot = Slot { value: Some(value), place, rank, noun };
        } else if field == Field::Action && !matches!(value.kind(), Kind::Null | Kind::String) {
            self.odd_action = true;
        }
    }

    /// Of equal keys the last counts: what was found at the one before, and below it, does not.
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
