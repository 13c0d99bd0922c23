//! The fewest replicas of a candidate at which the promises hold at the load: first roughly, by a
//! run or a few at each number tried; then with as many runs as it takes to be sure.

use std::collections::BTreeMap;

use super::candidate::{Candidate, Counts, Pool};
use super::fewest::{Fewest, fewest};
use super::observed::{MARGIN, Observed, Verdict};
use super::trial::{Effort, Sample};
use super::{SizeLimit, SizeQuestion, SizedDeployment};
use crate::engine::{CallClass, ClusterModel};
use crate::study::capacity::{Capacity, measured_capacity};

/// Highest share of the saturated throughput that a replica is given: closer to it a run of finite
/// length cannot tell a queue that stays from one that grows.
const SUSTAINABLE: f64 = 0.97;
/// Share of the throughput without promises up to which these, and not saturation, are the limit.
const PROMISED: f64 = 0.8;
/// Replicas beyond those of the closed form that are tried at most: factor and number.
const MOST_REPLICAS: (u64, u64) = (24, 8);
/// A size is found to one replica up to this many, and to one part in so many beyond.
const RESOLUTION: u64 = 200;
/// The sizes between which the sample leaves it open are found to one part in so many.
const EDGES: u64 = 20;
/// Calls of a rough decision, and engine replicas (attention ranks) and calls of a run at most:
/// what a larger deployment does is read off so many at the same load each.
const ROUGH: f64 = 1.2e5;
const ROUGHLY: (f64, f64) = (32.0, 4e5);
/// The same where it is decided.
const FULL: Effort = Effort { runs: 4, calls: 2e6, margin: MARGIN };
const FULLY: (f64, f64) = (256.0, 6e5);
/// Prefill replicas beyond those of the closed form that are tried at most, and how often replicas
/// that decode are added where they do not help.
const MOST_PREFILL: (u64, u64) = (4, 4);
const DECODE_RAISES: u32 = 3;
/// Times that a size that does not hold surely is raised, each time by twice as much.
const RAISES: u32 = 12;

/// How a size is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Roughly, to find where to look.
    Rough,
    /// Until it is decided.
    Full,
    /// On random streams that have not chosen it: a size at which the first ones were lucky does
    /// not hold again.
    Again,
}

/// A kind of replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prefill,
    Decode,
}

impl Kind {
    fn of(self, counts: Counts) -> u64 {
        match self {
            Self::Prefill => counts.prefill,
            Self::Decode => counts.decode,
        }
    }

    /// The same counts with another number of this kind.
    fn with(self, counts: Counts, count: u64) -> Counts {
        match self {
            Self::Prefill => Counts { prefill: count, ..counts },
            Self::Decode => Counts { decode: count, ..counts },
        }
    }
}

/// The size of a candidate.
pub(super) struct Found {
    counts: Counts,
    pub(super) gpus: u64,
    /// GPUs of the smallest size that the sample leaves open, and of the smallest one that another
    /// sample would find to hold too.
    pub(super) between: (u64, u64),
    /// The next smaller numbers that do not hold surely, of prefill and of decode replicas.
    broken: (Option<u64>, Option<u64>),
    seen: Observed,
}

/// The search on one candidate.
pub(super) struct Search<'a> {
    question: &'a SizeQuestion<'a>,
    candidate: &'a Candidate,
    /// Replicas that the load would saturate: no fewer.
    floor: Counts,
    /// Replicas that the closed form asks for.
    start: Counts,
    /// What has been simulated, roughly or fully.
    samples: BTreeMap<(u64, u64, Stage), Sample>,
}

/// Calls per second at which a replica would saturate, as measured on one rank that never runs out
/// of calls; by closed form where the promises end far below it.
fn saturated(pool: &Pool, class: &CallClass) -> f64 {
    let (most, batch) = pool.unpromised;
    if pool.calls_per_second < PROMISED * most {
        return most;
    }
    let alone = ClusterModel { replica: pool.model.clone(), replicas: 1, prefill: None };
    let class = CallClass { calls: pool.calls.clone(), ..class.clone() };
    let none =
        Capacity { calls_per_second: f64::INFINITY, batch, limit: "replicas", measured: false };
    measured_capacity(&alone, &[class], none).calls_per_second * pool.ranks as f64
}

fn least(rate: f64, calls_per_second: f64) -> u64 {
    (rate / calls_per_second).ceil().max(1.0) as u64
}

impl<'a> Search<'a> {
    /// `None` where the candidate cannot hold within `budget` GPUs, as one run shows.
    pub(super) fn new(
        question: &'a SizeQuestion<'a>,
        candidate: &'a Candidate,
        budget: u64,
    ) -> Option<Self> {
        let rate = question.rate;
        let start = candidate.least(rate);
        let samples = BTreeMap::new();
        let mut search = Self { question, candidate, floor: start, start, samples };
        let largest = search.largest(budget);
        if largest.is_some_and(|largest| !search.may_hold(largest)) {
            return None;
        }
        let floor = |pool: &Pool| least(rate, SUSTAINABLE * saturated(pool, &question.class));
        let floor = Counts {
            decode: floor(&candidate.decode),
            prefill: candidate.prefill.as_ref().map_or(0, |(pool, _)| floor(pool)),
        };
        search.floor = floor;
        search.start = Counts {
            decode: start.decode.max(floor.decode),
            prefill: start.prefill.max(floor.prefill),
        };
        Some(search)
    }

    /// As many replicas of each kind as a budget allows beside as few of the other as the closed
    /// form asks for; none where the budget is far above what it asks for.
    fn largest(&self, budget: u64) -> Option<Counts> {
        let start = self.start;
        let decode = self.gpus_of(Kind::Decode);
        let entry = self.candidate.prefill.as_ref().map(|_| self.gpus_of(Kind::Prefill));
        let reserved = entry.map_or(0, |gpus| gpus * start.prefill);
        let most = budget.saturating_sub(reserved) / decode;
        let left = budget.saturating_sub(start.decode * decode);
        let prefill = entry.map_or(0, |gpus| left / gpus);
        let tight = most <= start.decode.saturating_mul(3);
        let some = most >= start.decode && prefill >= start.prefill;
        (tight && some).then_some(Counts { prefill, decode: most })
    }

    /// GPUs of a replica.
    fn gpus_of(&self, kind: Kind) -> u64 {
        let prefill = self.candidate.prefill.as_ref().filter(|_| kind == Kind::Prefill);
        u64::from(prefill.map_or(&self.candidate.decode, |(pool, _)| pool).layout.gpus)
    }

    fn kinds(&self) -> &'static [Kind] {
        match self.candidate.prefill {
            Some(_) => &[Kind::Prefill, Kind::Decode],
            None => &[Kind::Decode],
        }
    }

    fn sample(&mut self, counts: Counts, stage: Stage) -> &mut Sample {
        let (question, candidate) = (self.question, self.candidate);
        let most = if stage == Stage::Rough { ROUGHLY } else { FULLY };
        let seed = question.seed.wrapping_add(u64::from(stage == Stage::Again));
        let new = || Sample::of((question, seed), candidate, counts, most);
        self.samples.entry((counts.prefill, counts.decode, stage)).or_insert_with(new)
    }

    /// Whether a size holds, roughly: by the mean where a few runs leave it open.
    fn holds(&mut self, counts: Counts) -> bool {
        let effort = Effort { runs: 1, calls: ROUGH, margin: 0.0 };
        self.sample(counts, Stage::Rough).settle(effort, Observed::within) == Verdict::Holds
    }

    /// Whether a size may hold, as far as one run tells.
    fn may_hold(&mut self, counts: Counts) -> bool {
        let effort = Effort { runs: 1, calls: ROUGH, margin: MARGIN };
        self.sample(counts, Stage::Rough).settle(effort, Observed::within) != Verdict::Breaks
    }

    /// Whether a size holds, by as many runs as it takes.
    fn verdict(&mut self, counts: Counts) -> Verdict {
        self.sample(counts, Stage::Full).settle(FULL, Observed::within)
    }

    /// A size that holds, roughly, if it takes at most `budget` GPUs.
    pub(super) fn roughly(&mut self, budget: u64) -> Option<Counts> {
        let most = |start: u64| start.saturating_mul(MOST_REPLICAS.0) + MOST_REPLICAS.1;
        let decode_gpus = self.gpus_of(Kind::Decode);
        if self.candidate.prefill.is_none() {
            let room = (budget / decode_gpus).min(most(self.start.decode));
            let at = |decode| Counts { prefill: 0, decode };
            let found = self.rough(self.floor.decode, self.start.decode, room, at)?;
            return Some(at(found.held));
        }
        let entry_gpus = self.gpus_of(Kind::Prefill);
        // As many prefill replicas as are never in the way of the time per output token.
        let generous = self.start.prefill.saturating_mul(2) + 1;
        let reserved = self.start.prefill * entry_gpus;
        let room = (budget.checked_sub(reserved)? / decode_gpus).min(most(self.start.decode));
        let (floor, start) = (self.floor.decode, self.start.decode);
        if room < floor {
            return None;
        }
        let decode = fewest((floor, start, room), RESOLUTION, |decode| {
            let effort = Effort { runs: 1, calls: ROUGH, margin: 0.0 };
            let sample = self.sample(Counts { prefill: generous, decode }, Stage::Rough);
            sample.settle(effort, Observed::pace_within) == Verdict::Holds
        })?;
        // Then as many as the time to first token needs.
        let (more, beyond) = MOST_PREFILL;
        let most = self.start.prefill.saturating_mul(more) + beyond;
        let mut replicas = decode.held;
        for _ in 0..DECODE_RAISES {
            let room = (budget.checked_sub(replicas * decode_gpus)? / entry_gpus).min(most);
            let at = |prefill| Counts { prefill, decode: replicas };
            // What the most do not do is known by one run.
            if room >= self.floor.prefill && self.holds(at(room)) {
                let found = self.rough(self.floor.prefill, self.start.prefill, room, at)?;
                return Some(at(found.held));
            }
            replicas += (replicas / 8).max(1);
        }
        None
    }

    fn rough(
        &mut self,
        floor: u64,
        start: u64,
        room: u64,
        at: impl Fn(u64) -> Counts,
    ) -> Option<Fewest> {
        if room < floor {
            return None;
        }
        fewest((floor, start, room), RESOLUTION, |count| self.holds(at(count)))
    }

    /// `counts`, or where they take more than `budget` GPUs as many fewer of the kind that is not
    /// short as it takes; `None` where that leaves none.
    pub(super) fn within(&mut self, counts: Counts, budget: u64) -> Option<Counts> {
        let excess = self.candidate.gpus(counts).saturating_sub(budget);
        let fewer = |kind: &Kind| {
            let left = kind.of(counts).checked_sub(excess.div_ceil(self.gpus_of(*kind)))?;
            (left >= kind.of(self.floor).max(1)).then(|| kind.with(counts, left))
        };
        if excess == 0 {
            return Some(counts);
        }
        let sizes: Vec<Counts> = self.kinds().iter().filter_map(fewer).collect();
        let missed = |counts: &Counts| {
            let seen = self.sample(*counts, Stage::Rough);
            seen.extend(1);
            let seen = seen.observed();
            seen.late.mean.max(seen.slow.mean)
        };
        let missed: Vec<f64> = sizes.iter().map(missed).collect();
        let places = (0..sizes.len()).min_by(|a, b| missed[*a].total_cmp(&missed[*b]));
        places.map(|place| sizes[place])
    }

    /// The kind that more of would help: a late first token is for the prefill replicas to heal,
    /// where there are any.
    fn short(&mut self, counts: Counts) -> Kind {
        self.sample(counts, Stage::Full).extend(1);
        let seen = self.sample(counts, Stage::Full).observed();
        let late = seen.late.mean > seen.slow.mean && counts.prefill > 0;
        if late { Kind::Prefill } else { Kind::Decode }
    }

    /// The size around `counts` that holds surely, if it takes at most `budget` GPUs; else, where
    /// the sample leaves open that one within the budget does, the GPUs of it. With `edges` also
    /// the sizes between which the sample leaves it open.
    pub(super) fn surely(
        &mut self,
        counts: Counts,
        (budget, edges): (u64, bool),
    ) -> Result<Found, Option<u64>> {
        let mut counts = self.raised(counts, budget)?;
        let mut broken = (None, None);
        for kind in self.kinds() {
            let (now, floor) = (kind.of(counts), kind.of(self.floor));
            let holds = |count| self.verdict(kind.with(counts, count)) == Verdict::Holds;
            let found = fewest((floor.min(now), now, now), RESOLUTION, holds).ok_or(None)?;
            counts = kind.with(counts, found.held);
            match kind {
                Kind::Prefill => broken.0 = found.broken,
                Kind::Decode => broken.1 = found.broken,
            }
        }
        let lowest = counts;
        let counts = self.again(counts, budget)?;
        for kind in self.kinds() {
            let (now, before) = (kind.of(counts), kind.of(lowest));
            let broken = if *kind == Kind::Prefill { &mut broken.0 } else { &mut broken.1 };
            *broken = if now > before { Some(now - 1) } else { *broken };
        }
        let (mut low, mut high) = (counts, counts);
        if edges {
            (low, high) = (self.lowest_open(lowest), self.repeated(counts));
        }
        self.verdict(counts);
        let seen = self.sample(counts, Stage::Full).observed();
        let [gpus, low, high] = [counts, low, high].map(|counts| self.candidate.gpus(counts));
        Ok(Found { counts, gpus, between: (low, high), broken, seen })
    }

    /// Replicas are added until the size holds surely.
    fn raised(&mut self, mut counts: Counts, budget: u64) -> Result<Counts, Option<u64>> {
        let mut open: Option<u64> = None;
        let mut reach = 1;
        for _ in 0..RAISES {
            let gpus = self.candidate.gpus(counts);
            if gpus > budget {
                return Err(open);
            }
            match self.verdict(counts) {
                Verdict::Holds => return Ok(counts),
                Verdict::Open => open = Some(open.map_or(gpus, |open| open.min(gpus))),
                Verdict::Breaks => {}
            }
            let kind = self.short(counts);
            let now = kind.of(counts);
            // As far as the budget allows, and at least one.
            let room = (budget - gpus) / self.gpus_of(kind);
            let more = (reach * (now / RESOLUTION).max(1)).min(room).max(1);
            counts = kind.with(counts, now.saturating_add(more));
            reach *= 2;
        }
        Err(open)
    }

    /// Replicas are added until the size holds on other random streams too.
    fn again(&mut self, mut counts: Counts, budget: u64) -> Result<Counts, Option<u64>> {
        let chosen = self.candidate.gpus(counts);
        for _ in 0..RAISES {
            if self.candidate.gpus(counts) > budget {
                break;
            }
            let sample = self.sample(counts, Stage::Again);
            if sample.settle(FULL, Observed::within) == Verdict::Holds {
                return Ok(counts);
            }
            let kind = self.short(counts);
            let now = kind.of(counts);
            counts = kind.with(counts, now + (now / EDGES).max(1));
        }
        Err(Some(chosen))
    }

    /// The smallest numbers of each kind that the sample leaves open beside the other.
    fn lowest_open(&mut self, counts: Counts) -> Counts {
        let mut low = counts;
        for kind in self.kinds() {
            let (now, floor) = (kind.of(counts), kind.of(self.floor));
            let open = |count| self.verdict(kind.with(counts, count)) != Verdict::Breaks;
            let found = fewest((floor.min(now), now, now), EDGES, open);
            let broken = found.map_or(now.saturating_sub(1), |found| found.broken_or(floor));
            low = kind.with(low, (broken + 1).min(now));
        }
        low
    }

    /// The smallest size from this one on that other samples would find to hold too.
    fn repeated(&mut self, counts: Counts) -> Counts {
        let kind = self.short(counts);
        let now = kind.of(counts);
        let most = now.saturating_mul(2).saturating_add(1);
        let found = fewest((now, now, most), EDGES, |count| {
            let sample = self.sample(kind.with(counts, count), Stage::Full);
            let part = sample.calls_of_a_run() / FULL.calls;
            let repeats = |seen: &Observed, margin: f64| {
                let surely = seen.within(margin) == Verdict::Holds;
                let spent = part * f64::from(seen.runs);
                if surely && seen.repeats(spent) { Verdict::Holds } else { Verdict::Open }
            };
            sample.settle(FULL, repeats) == Verdict::Holds
        });
        kind.with(counts, found.map_or(most, |found| found.held))
    }

    /// The size in full.
    pub(super) fn sized(&mut self, found: &Found) -> SizedDeployment {
        let counts = found.counts;
        let Candidate { decode, prefill } = self.candidate;
        let rate = self.question.rate;
        let entry = prefill.as_ref().map(|(pool, _)| pool);
        let share = |pool: &Pool, count: u64| rate / (pool.calls_per_second * count as f64);
        let (no_prefill, no_decode) = found.broken;
        let mut after = |kind: Kind, broken: Option<u64>, pool: &Pool| match broken {
            Some(fewer) => {
                let fewer = kind.with(counts, fewer);
                self.verdict(fewer);
                let seen = self.sample(fewer, Stage::Full).observed();
                if seen.late.mean > seen.slow.mean { SizeLimit::Ttft } else { SizeLimit::Tpot }
            }
            None if kind.of(counts) == 1 => SizeLimit::WholeReplica,
            None => pool.limit,
        };
        let limit = after(Kind::Decode, no_decode, decode);
        let prefill_limit = entry.map(|pool| after(Kind::Prefill, no_prefill, pool));
        SizedDeployment {
            layout: decode.layout.clone(),
            ranks: decode.ranks as u32,
            replicas: counts.decode,
            prefill_layout: entry.map(|pool| pool.layout.clone()),
            prefill_ranks: entry.map_or(0, |pool| pool.ranks as u32),
            prefill_replicas: counts.prefill,
            gpus: found.gpus,
            max_sequences: u64::from(decode.model.scheduler.max_sequences) * decode.ranks,
            limited_by_memory: decode.filled,
            sampled: found.between,
            eta: share(decode, counts.decode),
            eta_broken: no_decode.map(|count| share(decode, count)),
            prefill_load: entry.map_or(0.0, |pool| share(pool, counts.prefill)),
            limit,
            prefill_limit,
            seen: found.seen,
            candidates: (0, 0),
            model: self.candidate.whole(counts),
        }
    }
}
