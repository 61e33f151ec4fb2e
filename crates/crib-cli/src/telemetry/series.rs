//! Counts and times of calls, by method, server and tool.
//!
//! A series is a few arrays of counters, one per group of threads, so that two cores do not fight over a cache line.
//! Each thread remembers the series of the tools it met, found by the addresses of their names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crib_mcp::Method;
use crib_model::{Entry, Slug};
use parking_lot::RwLock;

use super::outcome;

/// Series kept apart; beyond it further tools are counted together as `_other`.
const SERIES_MAX: usize = 4096;
/// Places in each thread's memory of series.
const RECENT: usize = 256;
/// Groups of threads with counters of their own.
const STRIPES: usize = 4;
pub(super) const OTHER: &str = "_other";

/// Upper bounds of the histogram in nanoseconds; beyond the last is infinity.
pub(super) const BOUNDS: [u64; 17] = {
    const MS: u64 = 1_000_000;
    [
        MS / 4,
        MS / 2,
        MS,
        MS * 5 / 2,
        MS * 5,
        MS * 10,
        MS * 25,
        MS * 50,
        MS * 100,
        MS * 250,
        MS * 500,
        MS * 1000,
        MS * 2500,
        MS * 5000,
        MS * 10_000,
        MS * 30_000,
        MS * 120_000,
    ]
};

/// What a series counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Labels {
    pub(super) server: Arc<str>,
    pub(super) tool: Arc<str>,
    pub(super) method: Arc<str>,
}

#[derive(Debug)]
pub(super) struct Series {
    stripes: [Stripe; STRIPES],
}

#[derive(Debug)]
#[repr(align(128))]
struct Stripe {
    endings: [AtomicU64; outcome::COUNT],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
    /// The longest call.
    longest: AtomicU64,
    request_bytes: AtomicU64,
    reply_bytes: AtomicU64,
    /// When its last call ended, in milliseconds since the meter was made; one more, for nought is never.
    last: AtomicU64,
}

/// The sums of a series at one moment.
#[derive(Debug)]
pub(super) struct Totals {
    pub(super) endings: [u64; outcome::COUNT],
    pub(super) buckets: [u64; BOUNDS.len() + 1],
    pub(super) seconds: f64,
    /// The longest call, in nanoseconds.
    pub(super) longest: u64,
    pub(super) request_bytes: u64,
    pub(super) reply_bytes: u64,
    /// As a stripe has it.
    last: u64,
}

/// All series.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Tells the threads' memories of one meter from those of another.
    id: usize,
    begun: Instant,
    series: RwLock<HashMap<Labels, Arc<Series>>>,
}

/// A series a thread met before. The names are held, so their addresses are nobody else's.
struct Known {
    meter: usize,
    method: Method,
    server: Option<Slug>,
    tool: Option<Arc<str>>,
    series: Arc<Series>,
}

thread_local! {
    static KNOWN: RefCell<Vec<Option<Known>>> = const { RefCell::new(Vec::new()) };
    static STRIPE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES
    };
}

impl Known {
    fn is(&self, meter: usize, entry: &Entry) -> bool {
        let same_tool = match (&self.tool, &entry.target) {
            (Some(known), Some(target)) => Arc::ptr_eq(known, target),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        // Slugs of one server may be different copies of one text.
        same_tool && self.meter == meter && self.server == entry.upstream && self.method == entry.method
    }
}

impl Meter {
    pub(super) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), begun: Instant::now(), series: RwLock::default() }
    }

    pub(super) fn count(&self, entry: &Entry) {
        let place = place(entry);
        let at = self.millis(entry.ended) + 1;
        KNOWN.with_borrow_mut(|known| {
            if known.is_empty() {
                known.resize_with(RECENT, || None);
            }
            let Some(slot) = known.get_mut(place) else { return };
            match slot {
                Some(known) if known.is(self.id, entry) => known.series.add(entry, at),
                Some(_) | None => {
                    let series = self.series(entry);
                    series.add(entry, at);
                    let (server, tool) = (entry.upstream.clone(), entry.target.clone());
                    *slot = Some(Known { meter: self.id, method: entry.method.clone(), server, tool, series });
                }
            }
        });
    }

    fn series(&self, entry: &Entry) -> Arc<Series> {
        let labels = Labels::of(entry);
        if let Some(series) = self.series.read().get(&labels) {
            return Arc::clone(series);
        }
        let mut all = self.series.write();
        let labels = if all.len() < SERIES_MAX || all.contains_key(&labels) { labels } else { Labels::other(labels.method) };
        Arc::clone(all.entry(labels).or_default())
    }

    /// Returns the sums of one tool's calls.
    pub(super) fn totals_of(&self, server: &Slug, tool: &str) -> Option<Totals> {
        let labels = Labels { server: server.as_str().into(), tool: tool.into(), method: Method::ToolsCall.as_str().into() };
        self.series.read().get(&labels).map(|series| series.totals())
    }

    /// Returns the sums of all calls of a server, and how long ago the last of them ended.
    pub(super) fn totals_of_server(&self, server: &Slug) -> Option<(Totals, Duration)> {
        let series = self.series.read();
        let own = series.iter().filter(|(labels, _)| *labels.server == *server.as_str());
        let totals = own.map(|(_, series)| series.totals()).reduce(|sum, more| sum.and(&more))?;
        let ago = self.millis(Instant::now()).saturating_sub(totals.last.saturating_sub(1));
        Some((totals, Duration::from_millis(ago)))
    }

    fn millis(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// Returns every series with its sums, in the order of names.
    pub(super) fn totals(&self) -> Vec<(Labels, Totals)> {
        let mut all: Vec<_> = self.series.read().iter().map(|(labels, series)| (labels.clone(), series.totals())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

/// Chooses a place in the thread's memory.
fn place(entry: &Entry) -> usize {
    let tool = entry.target.as_ref().map_or(0, |target| target.as_ptr().addr());
    let server = entry.upstream.as_ref().map_or(0, |server| server.as_str().len());
    // Allocations are 16 bytes apart at least.
    ((tool >> 4) ^ (tool >> 12) ^ server ^ entry.method.as_str().len()) % RECENT
}

impl Labels {
    /// Only what the gateway resolved itself becomes a label: never free text of a client, and no URIs.
    fn of(entry: &Entry) -> Self {
        let method = if let Method::Other(_) = entry.method { OTHER } else { entry.method.as_str() };
        let is_named = matches!(entry.method, Method::ToolsCall | Method::PromptsGet);
        let tool = entry.target.clone().filter(|_| is_named);
        Self {
            server: entry.upstream.as_ref().map_or("", Slug::as_str).into(),
            tool: tool.unwrap_or_else(|| "".into()),
            method: method.into(),
        }
    }

    fn other(method: Arc<str>) -> Self {
        Self { server: OTHER.into(), tool: OTHER.into(), method }
    }
}

impl Default for Series {
    fn default() -> Self {
        Self { stripes: std::array::from_fn(|_| Stripe::new()) }
    }
}

impl Stripe {
    fn new() -> Self {
        Self {
            endings: std::array::from_fn(|_| AtomicU64::new(0)),
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            nanoseconds: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            request_bytes: AtomicU64::new(0),
            reply_bytes: AtomicU64::new(0),
            last: AtomicU64::new(0),
        }
    }
}

impl Series {
    fn add(&self, entry: &Entry, at: u64) {
        let Some(stripe) = self.stripes.get(STRIPE.with(|at| *at)) else { return };
        let nanoseconds = u64::try_from(entry.latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < nanoseconds);
        let add = |counter: Option<&AtomicU64>, by: u64| {
            if let Some(counter) = counter {
                counter.fetch_add(by, Ordering::Relaxed);
            }
        };
        add(stripe.endings.get(outcome::index(&entry.ending)), 1);
        add(stripe.buckets.get(bucket), 1);
        add(Some(&stripe.nanoseconds), nanoseconds);
        // Most calls are not the longest: looking costs less than writing.
        if stripe.longest.load(Ordering::Relaxed) < nanoseconds {
            stripe.longest.fetch_max(nanoseconds, Ordering::Relaxed);
        }
        add(Some(&stripe.request_bytes), entry.request_bytes as u64);
        add(Some(&stripe.reply_bytes), entry.reply_bytes as u64);
        stripe.last.fetch_max(at, Ordering::Relaxed);
    }

    fn totals(&self) -> Totals {
        let sum = |counter: &dyn Fn(&Stripe) -> &AtomicU64| self.stripes.iter().map(|s| counter(s).load(Ordering::Relaxed)).sum::<u64>();
        let each = |at: usize, counters: &dyn Fn(&Stripe) -> &[AtomicU64]| {
            self.stripes.iter().filter_map(|s| counters(s).get(at)).map(|counter| counter.load(Ordering::Relaxed)).sum::<u64>()
        };
        Totals {
            endings: std::array::from_fn(|at| each(at, &|s| &s.endings)),
            buckets: std::array::from_fn(|at| each(at, &|s| &s.buckets)),
            seconds: Duration::from_nanos(sum(&|s| &s.nanoseconds)).as_secs_f64(),
            request_bytes: sum(&|s| &s.request_bytes),
            reply_bytes: sum(&|s| &s.reply_bytes),
            longest: self.stripes.iter().map(|stripe| stripe.longest.load(Ordering::Relaxed)).max().unwrap_or(0),
            last: self.stripes.iter().map(|stripe| stripe.last.load(Ordering::Relaxed)).max().unwrap_or(0),
        }
    }
}

impl Totals {
    /// Returns the sums of both.
    fn and(mut self, other: &Self) -> Self {
        let counters = self.endings.iter_mut().chain(&mut self.buckets);
        counters.zip(other.endings.iter().chain(&other.buckets)).for_each(|(sum, more)| *sum += more);
        self.seconds += other.seconds;
        self.longest = self.longest.max(other.longest);
        self.request_bytes += other.request_bytes;
        self.reply_bytes += other.reply_bytes;
        self.last = self.last.max(other.last);
        self
    }
}
