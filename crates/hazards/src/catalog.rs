//! The list of hazards: what the API does, and what is lost by whom falls for it.

use std::pin::Pin;

use crate::cases::Verdict;
use crate::cases::answers::{outage, quota, spoiled, throttled_in_every_way, wrong_key_heals};
use crate::cases::crashes::{
    cancel_at_each_await, expired_cursors, killed_at_random, restart_after_each_page,
    restart_before_each_save,
};
use crate::cases::later::{arrives_edited, arrives_late, away_for_long, crash_in_a_walk, skewed_clock};
use crate::cases::opening::{check_hands_nothing_out, foreign_position, start_is_resolved_once};
use crate::cases::records::{collected_whole, gap_is_told, shown_is_collected};
use crate::{Harness, Nature, Spoiled};

type Case = for<'a> fn(&'a dyn Harness) -> Pin<Box<dyn Future<Output = Verdict> + 'a>>;

/// Something that an API does, or that happens to a collector, by which records get lost.
#[derive(Debug)]
pub struct Hazard {
    /// Its name, in `snake_case`.
    pub name: &'static str,
    /// What the API does, or what happens to the collector.
    pub does: &'static str,
    /// What a collector loses, or does wrong, that does not expect it.
    pub loses: &'static str,
    /// How a simulated API shows it to any collector by itself.
    pub shown: Shown,
    pub(crate) case: Case,
}

/// How a hazard is shown by an API that nobody steers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The API is like that from its start on.
    Nature(Nature),
    /// Every few pages are spoiled.
    Spoiled(Spoiled),
    /// Every few requests are refused, each time in another way of saying "come again later".
    Throttled,
    /// It is up to whoever runs the collector: to kill it, to change its credential, to look at what it says.
    Not,
}

/// All hazards, in the order in which they are tried.
pub fn hazards() -> &'static [Hazard] {
    HAZARDS
}

macro_rules! hazard {
    ($name:literal, $shown:expr, $does:literal, $loses:literal, $case:expr) => {
        Hazard {
            name: $name,
            does: $does,
            loses: $loses,
            shown: $shown,
            case: |harness| Box::pin($case(harness)),
        }
    };
}

macro_rules! nature {
    ($name:literal, $nature:ident, $case:ident($records:literal), $does:literal, $loses:literal) => {
        hazard!($name, Shown::Nature(Nature::$nature), $does, $loses, |harness| $case(
            harness,
            Nature::$nature,
            $records
        ))
    };
}

macro_rules! page {
    ($name:literal, $spoiled:ident, $does:literal, $loses:literal) => {
        hazard!($name, Shown::Spoiled(Spoiled::$spoiled), $does, $loses, |harness| spoiled(
            harness,
            Spoiled::$spoiled
        ))
    };
}

const HAZARDS: &[Hazard] = &[
    nature!(
        "plain",
        Plain,
        collected_whole(700),
        "It does as its documentation says.",
        "Everything, if it is described wrongly."
    ),
    nature!(
        "small_pages",
        SmallPages,
        collected_whole(300),
        "It gives fewer records a page than it was asked for.",
        "What follows the first page, by whom takes a short page for the last."
    ),
    nature!(
        "ties_over_page_edges",
        CrowdedSeconds,
        collected_whole(800),
        "More records share a second than a page holds.",
        "The rest of that second, by whom goes on behind the time of the last record."
    ),
    nature!(
        "insertion_while_paging",
        Growing,
        shown_is_collected(800),
        "Records appear while pages are read.",
        "What slips from one page to another, or appears behind the reader's back."
    ),
    nature!(
        "late_records",
        Late,
        collected_whole(600),
        "Records were listed hours after their time.",
        "All of them, by whom expects the order of the list to be that of their times."
    ),
    nature!(
        "future_dates",
        FutureDates,
        collected_whole(600),
        "Some records are dated tomorrow.",
        "Everything until then, by whom goes on from the largest time that was seen."
    ),
    nature!(
        "day_cut_filters",
        DayCut,
        collected_whole(600),
        "The edges of the time filter are cut to their day, which is left out, although nothing says so.",
        "Up to two days, by whom believes that an edge is exact."
    ),
    nature!(
        "exclusive_edges",
        ExclusiveEdges,
        collected_whole(600),
        "The edges of the time filter leave out the second that they name.",
        "Records of that second, by whom believes that it is included."
    ),
    hazard!(
        "strict_cursors",
        Shown::Nature(Nature::StrictCursors),
        "A cursor is refused when it is a few requests or ten minutes old, or comes without the filters that it was made with.",
        "The rest of a walk, by whom takes the refusal for its end; everything, by whom asks with it for ever.",
        expired_cursors
    ),
    nature!(
        "edited_records",
        Edited,
        shown_is_collected(600),
        "Records change after they were shown.",
        "What was changed, by whom goes by ids alone."
    ),
    nature!(
        "odd_records",
        Odd,
        collected_whole(600),
        "Records are numbers, texts or lists, or have no id or no time.",
        "The page around them, by whom stops reading at the first one."
    ),
    hazard!(
        "gap_is_told",
        Shown::Nature(Nature::Forgetful),
        "The oldest days are gone, and who asks for them is refused.",
        "Everything, by whom asks for them again and again; the knowledge of the gap, by whom says nothing.",
        gap_is_told
    ),
    hazard!(
        "away_for_long",
        Shown::Not,
        "The collector is away for longer than the API keeps its records.",
        "The knowledge of the gap, by whom goes on as if nothing had been.",
        away_for_long
    ),
    hazard!(
        "clock_ahead",
        Shown::Nature(Nature::ClockAhead),
        "Its clock is two hours ahead of the collector's.",
        "The newest two hours, by whom asks up to its own time and then goes on behind it.",
        |harness| skewed_clock(harness, Nature::ClockAhead)
    ),
    hazard!(
        "clock_behind",
        Shown::Nature(Nature::ClockBehind),
        "Its clock is two hours behind the collector's.",
        "Two hours after each poll, by whom goes on from its own time.",
        |harness| skewed_clock(harness, Nature::ClockBehind)
    ),
    nature!(
        "hostile",
        Hostile,
        shown_is_collected(1200),
        "Everything at once: growth, ties, late and odd records, small pages, failing and spoiled answers.",
        "What each of them takes, where the means against one spoil those against another."
    ),
    hazard!(
        "restart_after_each_page",
        Shown::Not,
        "The collector is killed after a page was saved, again and again.",
        "What was left of a walk, by whom remembers the newest record only; and what was saved comes again.",
        restart_after_each_page
    ),
    hazard!(
        "restart_before_each_save",
        Shown::Not,
        "The collector is killed after a page was handed out and before it was saved.",
        "That page, by whom saves its position before the records are delivered.",
        restart_before_each_save
    ),
    hazard!(
        "cancel_at_each_await",
        Shown::Not,
        "A request is given up at any moment.",
        "The page that was under way, by whom moves on before it has it.",
        cancel_at_each_await
    ),
    hazard!(
        "crash_in_a_walk",
        Shown::Not,
        "The collector is killed in the middle of reading new records, and more appear while it is away.",
        "With the newest first, everything between the last page and the last poll.",
        crash_in_a_walk
    ),
    hazard!(
        "killed_at_random",
        Shown::Not,
        "The collector is killed at any moment, while the API shows ties, growth, late records, strict cursors and failures.",
        "Whatever was held nowhere but in memory.",
        killed_at_random
    ),
    hazard!(
        "outage",
        Shown::Spoiled(Spoiled::ServerError),
        "It answers 503, or cuts its answers, for a while.",
        "What happened meanwhile, by whom goes on from the present.",
        outage
    ),
    hazard!(
        "throttled_in_every_way",
        Shown::Throttled,
        "It refuses requests for some seconds, in each dialect of headers that says for how many.",
        "The patience of the API, by whom asks again before the time; the page, by whom takes the refusal for an empty one.",
        throttled_in_every_way
    ),
    hazard!(
        "quota",
        Shown::Spoiled(Spoiled::QuotaUsedUp),
        "A quota is used up for days.",
        "The next quota, by whom goes on asking.",
        quota
    ),
    hazard!(
        "wrong_key_heals",
        Shown::Not,
        "It refuses the credential, and takes it again later.",
        "What happened meanwhile, by whom ends, or takes the refusal for an empty log; the key, by whom prints it.",
        wrong_key_heals
    ),
    hazard!(
        "arrives_late",
        Shown::Not,
        "A record appears twelve minutes after its time, when all was read.",
        "That record, by whom never looks back.",
        arrives_late
    ),
    hazard!(
        "arrives_edited",
        Shown::Not,
        "A record changes when it was read already.",
        "The change, by whom goes by ids alone.",
        arrives_edited
    ),
    hazard!(
        "start_is_resolved_once",
        Shown::Not,
        "The collector is killed before its first answer, and started again three days later.",
        "Three days, by whom reckons where to begin anew at each start.",
        start_is_resolved_once
    ),
    hazard!(
        "foreign_position",
        Shown::Not,
        "The saved position is another collector's, or damaged.",
        "Everything, by whom begins at the present instead and says nothing.",
        foreign_position
    ),
    hazard!(
        "check_hands_nothing_out",
        Shown::Not,
        "Somebody tries the credentials before the first run.",
        "What the trial has read, by whom moves on with it.",
        check_hands_nothing_out
    ),
    page!(
        "spoiled_server_error",
        ServerError,
        "It answers 503 instead of a page.",
        "That page, by whom goes on with the next."
    ),
    page!(
        "spoiled_reset",
        Reset,
        "It resets the connection instead of an answer.",
        "That page, by whom goes on with the next."
    ),
    page!(
        "spoiled_cut",
        Cut,
        "The connection ends in the middle of a page.",
        "The rest of the page, by whom reads what has come."
    ),
    page!(
        "spoiled_truncated",
        Truncated,
        "Half a page claims to be whole.",
        "The rest of the page, by whom reads what can be read."
    ),
    page!(
        "spoiled_html",
        Html,
        "A page of HTML with a status of success, as of a proxy that wants a login.",
        "The rest of the walk, by whom takes it for an empty page."
    ),
    page!(
        "spoiled_error_as_success",
        ErrorAsSuccess,
        "An error with a status of success.",
        "The rest of the walk, by whom takes it for an empty page."
    ),
    page!(
        "spoiled_not_utf8",
        NotUtf8,
        "A record holds a byte that is no UTF-8.",
        "The page, by whom refuses to read it, for ever."
    ),
    page!(
        "spoiled_cursor_lost",
        CursorLost,
        "It does not know its cursor any more.",
        "The rest of the walk, by whom takes that for its end; everything, by whom asks with it for ever."
    ),
    page!(
        "spoiled_empty_page",
        EmptyPage,
        "A page has no records, although its cursor leads to more.",
        "The rest of the walk, by whom takes it for the end."
    ),
    page!(
        "spoiled_repeated_cursor",
        RepeatedCursor,
        "What leads on is what was asked for.",
        "Everything, by whom goes round in a circle; the rest of the walk, by whom ends there."
    ),
    page!(
        "spoiled_repeated",
        Repeated,
        "Records of the page before come again.",
        "The receiver's patience, by whom delivers them twice."
    ),
    page!(
        "spoiled_shuffled",
        Shuffled,
        "The records of a page are in no order.",
        "What is older than the last one, by whom goes on from its time."
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn hazards_have_names_of_their_own_and_whole_sentences() {
        let names: BTreeSet<_> = hazards().iter().map(|hazard| hazard.name).collect();
        assert_eq!(names.len(), hazards().len());
        for hazard in hazards() {
            assert!(hazard.does.ends_with('.') && hazard.loses.ends_with('.'), "{}", hazard.name);
        }
    }
}
