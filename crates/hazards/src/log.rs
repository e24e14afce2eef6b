//! The hazards as [`simulator::log`] plays them.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime};

use pipeline::Source;
use simulator::RateLimitHeaders;
use simulator::log::{CursorFrom, Edges, Fault, Log, Manner, Meaning, Paging, Records, TimeFormat};

use crate::{Api, CannotHappen, Hazard, Nature, Shown, Spoiled, hazards};

/// Makes a source to an API of that manner.
type MakeSource = Box<dyn Fn(&Log, &Manner) -> Box<dyn Source> + Send + Sync>;

/// A simulated log, and the sources to it.
pub struct SimulatedLog {
    log: Log,
    manner: Manner,
    source: MakeSource,
}

const HOUR: i64 = 3600;
const DAY: Duration = Duration::from_secs(86_400);

/// "Come again later", in every form that headers have for it. Prose is no header.
const DIALECTS: &[RateLimitHeaders] = &[
    RateLimitHeaders::RetryAfterSeconds,
    RateLimitHeaders::RetryAfterDate,
    RateLimitHeaders::RetryAfterOneWord,
    RateLimitHeaders::XRateLimitRetryAfter,
    RateLimitHeaders::RateLimit,
    RateLimitHeaders::RateLimitTriple,
    RateLimitHeaders::XRateLimitEpoch,
    RateLimitHeaders::XRateLimitDelta,
];

/// For so many seconds.
const THROTTLED: u64 = 7;

/// For so many where nobody jumps over the wait.
const BRIEFLY: u64 = 1;

/// An API that is like that.
///
/// # Errors
/// An API of this manner never is.
pub fn manner_of(manner: &Manner, nature: Nature) -> Result<Manner, CannotHappen> {
    let mut manner = manner.clone();
    let is_bound = manner.paging == Paging::Bound;
    let is_closed = manner.until.as_ref().is_some_and(|until| until.required);
    let takes_dates = manner.since.as_ref().is_some_and(|since| since.format == TimeFormat::Date);
    let of_last = of_last_record(&manner);
    let says_what_is_gone = manner.said(Meaning::Retention).is_some();
    let mut pages = |most: usize| manner.size.given = manner.size.given.min(most);
    if nature != Nature::Plain {
        // One page of a thousand would hide what happens between two.
        pages(100);
    }
    match nature {
        Nature::Plain => {}
        // A life of a few pages must be enough for a window, which has three days where both edges are required.
        Nature::SmallPages if is_closed => pages(30),
        // By dates a walk to the present reads at least as many.
        Nature::SmallPages if takes_dates => pages(50),
        Nature::SmallPages => pages(9),
        // Where there is nothing but time, what shares a moment must have room on a page.
        Nature::CrowdedSeconds if is_bound => manner.records.crowded = 5,
        Nature::CrowdedSeconds => manner.records.crowded = 50,
        Nature::Growing => {
            pages(50);
            manner.records.growing = true;
        }
        Nature::Late => manner.records.late = 20,
        Nature::FutureDates if is_closed => {
            return Err(CannotHappen("what is dated behind the upper edge cannot be asked for"));
        }
        Nature::FutureDates => manner.records.future = 5,
        Nature::DayCut | Nature::ExclusiveEdges if manner.since.is_none() || manner.feed => {
            return Err(CannotHappen("there is no filter that matters"));
        }
        Nature::DayCut if manner.edges_documented => {
            return Err(CannotHappen("it is described what the edges are cut to"));
        }
        Nature::DayCut if is_bound => {
            return Err(CannotHappen("by edges that are cut to the day nothing can be paged"));
        }
        Nature::DayCut => manner.edges = Edges::EXCLUSIVE_DAYS,
        Nature::ExclusiveEdges if manner.edges.unit > 1 => {
            return Err(CannotHappen("whole days are asked for, both included"));
        }
        Nature::ExclusiveEdges => manner.edges.included = false,
        Nature::StrictCursors if !manner.paging.leads_on() => {
            return Err(CannotHappen("there are no cursors"));
        }
        Nature::StrictCursors => {
            pages(40);
            manner.strict_cursors = Some(6);
        }
        Nature::Edited if manner.feed => return Err(CannotHappen("a feed shows a record once")),
        Nature::Edited => manner.records.edited = true,
        Nature::Odd if is_bound => {
            return Err(CannotHappen("without a cursor each record must have a time to go on from"));
        }
        Nature::Odd if of_last => {
            return Err(CannotHappen("each record must have the member that leads on"));
        }
        Nature::Odd => manner.records.odd = 30,
        Nature::Forgetful if manner.since.is_none() => {
            return Err(CannotHappen("nothing older can be asked for"));
        }
        Nature::Forgetful if !says_what_is_gone => {
            return Err(CannotHappen(
                "the description has no error of kind `retention`: what is too old is not refused",
            ));
        }
        Nature::Forgetful => manner.retention = Some(3 * DAY),
        Nature::ClockAhead => manner.skew = 2 * HOUR,
        Nature::ClockBehind => manner.skew = -2 * HOUR,
        Nature::Hostile => {
            pages(30);
            let late = if manner.feed { 0 } else { 10 };
            let odd = if is_bound || of_last { 0 } else { 10 };
            let crowded = if is_bound { 1 } else { 10 };
            manner.records = Records { crowded, late, odd, growing: true, future: 0, edited: !manner.feed };
            manner.gzip = true;
        }
    }
    Ok(manner)
}

fn of_last_record(manner: &Manner) -> bool {
    matches!(manner.paging, Paging::Cursor { from: CursorFrom::LastRecord(_), .. })
}

/// What such an API answers instead of a page.
///
/// # Errors
/// It never does.
pub fn fault_of(manner: &Manner, spoiled: Spoiled) -> Result<Fault, CannotHappen> {
    let leads_on = manner.paging.leads_on();
    let said = |meaning| manner.said(meaning).is_some();
    Ok(match spoiled {
        Spoiled::Throttled(way) => match DIALECTS.get(way) {
            Some(dialect) => Fault::TooMany(*dialect, THROTTLED),
            None => Fault::SaidTooMany(THROTTLED),
        },
        Spoiled::QuotaUsedUp if !said(Meaning::Quota) => {
            return Err(CannotHappen("the description has no error of kind `quota`"));
        }
        Spoiled::QuotaUsedUp => Fault::Said(Meaning::Quota),
        Spoiled::ServerError => Fault::Status(503),
        Spoiled::Reset => Fault::Reset,
        Spoiled::Cut => Fault::Cut,
        Spoiled::Truncated => Fault::Truncated,
        Spoiled::Html => Fault::Html,
        Spoiled::ErrorAsSuccess
            if manner.lines
                || manner.absent_when_empty
                    && ![Meaning::Unavailable, Meaning::Request].into_iter().any(said) =>
        {
            return Err(CannotHappen("by its form an error cannot be told from a page"));
        }
        Spoiled::ErrorAsSuccess => Fault::ErrorAsSuccess,
        Spoiled::NotUtf8 => Fault::NotUtf8,
        Spoiled::CursorLost if !leads_on => return Err(CannotHappen("there are no cursors")),
        Spoiled::CursorLost => Fault::Said(Meaning::Cursor),
        Spoiled::EmptyPage if !leads_on => {
            return Err(CannotHappen("a page without records is the end where no cursor says otherwise"));
        }
        Spoiled::EmptyPage if of_last_record(manner) => {
            return Err(CannotHappen("without a last record there is no cursor"));
        }
        Spoiled::EmptyPage => Fault::EmptyPage,
        Spoiled::RepeatedCursor if !leads_on => return Err(CannotHappen("there are no cursors")),
        Spoiled::RepeatedCursor => Fault::RepeatedCursor,
        Spoiled::Repeated if !leads_on => return Err(CannotHappen("there are no cursors")),
        Spoiled::Repeated => Fault::Repeated,
        Spoiled::Shuffled => Fault::Shuffled,
    })
}

/// What an API that nobody steers is like, to show all of these hazards at once: from its start on, and now and then instead of
/// a page.
///
/// # Errors
/// The hazard that such an API cannot show, and why.
pub fn steady(
    manner: &Manner,
    hazards: &[&'static Hazard],
) -> Result<(Manner, Vec<Fault>), (&'static Hazard, CannotHappen)> {
    let (mut manner, mut faults) = (manner.clone(), Vec::new());
    for hazard in hazards {
        let cannot = |reason| (*hazard, reason);
        match hazard.shown {
            Shown::Nature(nature) => manner = manner_of(&manner, nature).map_err(cannot)?,
            Shown::Spoiled(spoiled) => faults.push(fault_of(&manner, spoiled).map_err(cannot)?),
            Shown::Throttled => {
                faults.extend(DIALECTS.iter().map(|dialect| Fault::TooMany(*dialect, BRIEFLY)))
            }
            Shown::Not => {
                return Err(cannot(CannotHappen("it is up to whoever runs the collector")));
            }
        }
    }
    Ok((manner, faults))
}

/// All hazards that an API of this manner can show by itself and that a collector can get over while it runs: neither a quota
/// that is used up for days, nor a clock that is wrong in two ways.
pub fn hostile(manner: &Manner) -> Vec<&'static Hazard> {
    let left_out = |hazard: &Hazard| {
        matches!(
            hazard.shown,
            Shown::Spoiled(Spoiled::QuotaUsedUp)
                | Shown::Nature(
                    Nature::ClockBehind | Nature::DayCut | Nature::SmallPages | Nature::Forgetful
                )
        )
    };
    let can = |hazard: &&'static Hazard| !left_out(hazard) && steady(manner, &[hazard]).is_ok();
    hazards().iter().filter(can).collect()
}

/// The first answers of an API of nature [`Nature::Hostile`].
const HOSTILE: &[Spoiled] = &[
    Spoiled::ServerError,
    Spoiled::Cut,
    Spoiled::Html,
    Spoiled::Throttled(0),
    Spoiled::Shuffled,
    Spoiled::Truncated,
    Spoiled::ErrorAsSuccess,
    Spoiled::CursorLost,
    Spoiled::NotUtf8,
    Spoiled::Reset,
];

impl SimulatedLog {
    /// Starts one on loopback that is like that, with so many records of the last seven days.
    ///
    /// # Errors
    /// An API of this manner never is like that; no port can be had.
    pub async fn start(
        manner: &Manner,
        nature: Nature,
        records: usize,
        source: impl Fn(&Log, &Manner) -> Box<dyn Source> + Send + Sync + 'static,
    ) -> Result<Self, CannotHappen> {
        let manner = manner_of(manner, nature)?;
        let log = Log::start(manner.clone(), records).await;
        let log = log.unwrap_or_else(|error: io::Error| panic!("no port can be had: {error}"));
        if nature == Nature::Hostile {
            let faults = HOSTILE.iter().filter_map(|spoiled| fault_of(&manner, *spoiled).ok());
            faults.for_each(|fault| log.script(fault));
        }
        Ok(Self { log, manner, source: Box::new(source) })
    }
}

impl Api for SimulatedLog {
    fn source(&self) -> Box<dyn Source> {
        (self.source)(&self.log, &self.manner)
    }

    fn id_of(&self, text: &[u8]) -> Option<String> {
        self.log.id_of(text)
    }

    fn shown(&self) -> Vec<String> {
        self.log.shown().into_iter().collect()
    }

    fn all(&self) -> BTreeMap<String, SystemTime> {
        self.log.all()
    }

    fn now(&self) -> SystemTime {
        self.log.now()
    }

    fn retention(&self) -> Option<Duration> {
        self.manner.retention
    }

    fn has_pages(&self) -> bool {
        self.manner.paging != Paging::None
    }

    fn requests(&self) -> usize {
        self.log.requests()
    }

    fn spoil(&self, spoiled: Spoiled) -> Result<(), CannotHappen> {
        self.log.script(fault_of(&self.manner, spoiled)?);
        Ok(())
    }

    fn throttles(&self) -> Vec<String> {
        let own = self.manner.said(Meaning::RateLimit).map(|_| "the error of kind `rate_limit`".to_owned());
        DIALECTS.iter().map(|dialect| format!("{dialect:?}")).chain(own).collect()
    }

    fn accept(&self, accepted: bool) {
        self.log.accept(accepted);
    }

    fn add(&self, time: SystemTime) -> String {
        self.log.add(time)
    }

    fn edit(&self, id: &str) -> Result<(), CannotHappen> {
        if self.manner.feed {
            return Err(CannotHappen("a feed shows a record once"));
        }
        self.log.edit(id);
        Ok(())
    }

    fn secrets(&self) -> Vec<String> {
        self.manner.credentials.iter().map(|credential| credential.secret().to_owned()).collect()
    }
}
