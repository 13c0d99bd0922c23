//! What is counted of shortfalls in one inner sample: by year, for every class, workload and
//! region and for all of them, in the measures of power-system adequacy; and what was offered.
//!
//! Nothing here is called in an epoch without unserved work. Means, errors and tails over samples
//! are read off in [`crate::plan`]; the loss of a site is in [`super::peak_loss`].

use super::world::{DemandEvent, World};

/// Months of a year times hours of a day: cells of the table of loss-of-load probability.
pub const CELLS: usize = 12 * 24;

/// Who is counted: everyone, then regions, then workloads (those that are deferrable stay at
/// zero), then interactive classes in the order of [`World::classes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes {
    /// Number of regions.
    pub regions: usize,
    /// Number of workloads.
    pub workloads: usize,
    /// Number of interactive classes.
    pub classes: usize,
}

impl Scopes {
    /// Those of a world.
    #[must_use]
    pub fn of(world: &World) -> Self {
        let World { regions, workloads, classes, .. } = world;
        Self { regions: *regions, workloads: *workloads, classes: classes.len() }
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.class(self.classes)
    }

    /// Index of a region.
    #[must_use]
    pub fn region(self, region: usize) -> usize {
        1 + region
    }

    /// Index of a workload.
    #[must_use]
    pub fn workload(self, workload: usize) -> usize {
        1 + self.regions + workload
    }

    /// Index of a class.
    #[must_use]
    pub fn class(self, class: usize) -> usize {
        1 + self.regions + self.workloads + class
    }
}

/// What was short for one of the [`Scopes`] in one calendar year.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shortfall {
    /// Epochs with unserved work.
    pub short_epochs: u64,
    /// Days (UTC) with such an epoch.
    pub short_days: u64,
    /// Runs of such epochs; one over New Year is one in both years.
    pub events: u64,
    /// Unserved engine calls.
    pub calls: f64,
    /// Unserved output tokens.
    pub output_tokens: f64,
    /// Unserved work, reference GPU-hours.
    pub reference_gpu_hours: f64,
    /// Epochs in the year of its longest event.
    pub longest_epochs: u64,
    /// Largest shortfall of an epoch, reference GPUs.
    pub deepest: f64,
}

/// The event of a scope that came last.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Run {
    /// The epoch after its last one.
    next: usize,
    /// Its epochs.
    length: u64,
    /// Year in which it began.
    year: usize,
    /// Last day that was counted.
    day: u64,
}

/// Shortfalls with one level of supply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Shortfalls {
    /// Years x [`Scopes`].
    pub rows: Vec<Shortfall>,
    /// Years x [`CELLS`]: epochs of a month and an hour of the day (UTC) with unserved work of
    /// anyone, hour by hour within month by month.
    pub cells: Vec<u32>,
    scopes: Scopes,
    runs: Vec<Run>,
    /// Reference GPUs short in this epoch, by scope up to the first class.
    depth: Vec<f64>,
}

/// An epoch and what a call was worth in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShortEpoch<'a> {
    pub epoch: usize,
    /// Index of its year.
    pub year: usize,
    /// Its month, 0 to 11.
    pub month: usize,
    /// Reference GPUs per call per second, by workload.
    pub reference_cost: &'a [f64],
    /// Output tokens of a call, by workload.
    pub output_tokens: &'a [f64],
}

impl Shortfalls {
    fn new(world: &World) -> Self {
        let scopes = Scopes::of(world);
        let run = Run { next: usize::MAX, length: 0, year: 0, day: u64::MAX };
        Self {
            rows: vec![Shortfall::default(); world.years.len() * scopes.count()],
            cells: vec![0; world.years.len() * CELLS],
            scopes,
            runs: vec![run; scopes.count()],
            depth: vec![0.0; scopes.class(0)],
        }
    }

    /// The rows of a year, by scope.
    #[must_use]
    pub fn year(&self, year: usize) -> &[Shortfall] {
        let count = self.scopes.count();
        &self.rows[year * count..(year + 1) * count]
    }

    /// Counts an epoch in which calls per second of each class are refused, and `lost` of those are
    /// not asked again; none is none.
    #[cold]
    pub(super) fn record(
        &mut self,
        world: &World,
        [refused, lost]: [&[f64]; 2],
        at: ShortEpoch<'_>,
    ) {
        let scopes = self.scopes;
        let start = world.epoch_start(at.epoch);
        self.depth.fill(0.0);
        for (index, (class, left)) in world.classes.iter().zip(refused).enumerate() {
            if *left <= 0.0 {
                continue;
            }
            let calls = lost[index] * world.epoch_s as f64;
            let tokens = calls * at.output_tokens[class.workload];
            let hours = calls * at.reference_cost[class.workload] / 3_600.0;
            let gpus = left * at.reference_cost[class.workload];
            let wider = [0, scopes.region(class.region), scopes.workload(class.workload)];
            for scope in wider {
                self.depth[scope] += gpus;
            }
            for scope in wider.into_iter().chain([scopes.class(index)]) {
                let row = &mut self.rows[at.year * scopes.count() + scope];
                row.calls += calls;
                row.output_tokens += tokens;
                row.reference_gpu_hours += hours;
            }
            self.mark(scopes.class(index), (at.epoch, at.year, start / 86_400), gpus);
        }
        if self.depth[0] <= 0.0 {
            return;
        }
        for scope in 0..scopes.class(0) {
            if self.depth[scope] > 0.0 {
                self.mark(scope, (at.epoch, at.year, start / 86_400), self.depth[scope]);
            }
        }
        let hour = (start % 86_400 / 3_600) as usize;
        self.cells[at.year * CELLS + at.month * 24 + hour] += 1;
    }

    fn mark(&mut self, scope: usize, (epoch, year, day): (usize, usize, u64), gpus: f64) {
        let row = |year: usize| year * self.scopes.count() + scope;
        let run = &mut self.runs[scope];
        let short = &mut self.rows[row(year)];
        short.short_epochs += 1;
        short.deepest = short.deepest.max(gpus);
        if run.day != day {
            run.day = day;
            short.short_days += 1;
        }
        // Each calendar year stands for itself: an event over New Year is one in both.
        if run.next != epoch || run.year != year {
            short.events += 1;
            (run.length, run.year) = (0, year);
        }
        (run.next, run.length) = (epoch + 1, run.length + 1);
        let begun = &mut self.rows[row(run.year)];
        begun.longest_epochs = begun.longest_epochs.max(run.length);
    }
}

/// The adequacy of one inner sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measures {
    /// Who is counted.
    pub scopes: Scopes,
    /// With own capacity only, GPUs borrowed from training included.
    pub own: Shortfalls,
    /// With contracts as well, before the on-demand market.
    pub with_contracts: Shortfalls,
    /// Years x [`Scopes`]: interactive calls offered.
    pub offered: Vec<f64>,
}

impl Measures {
    #[cold]
    pub(super) fn new(world: &World) -> Self {
        let scopes = Scopes::of(world);
        Self {
            scopes,
            own: Shortfalls::new(world),
            with_contracts: Shortfalls::new(world),
            offered: vec![0.0; world.years.len() * scopes.count()],
        }
    }

    /// Adds up the calls offered under these demand events. The loop does not: over a stretch of
    /// epochs without a change of level or factor the sum is a difference of two prefix sums.
    #[cold]
    pub(super) fn offer(&mut self, world: &World, events: &[DemandEvent]) {
        let prefixes: Vec<Vec<f64>> = world.curves.iter().map(|curve| prefix_sums(curve)).collect();
        let epoch_of = |time: u64| (time.div_ceil(world.epoch_s) as usize).min(world.epochs);
        let on: Vec<(usize, usize)> =
            events.iter().map(|event| (epoch_of(event.start), epoch_of(event.end))).collect();
        let mut cuts: Vec<usize> = on.iter().flat_map(|(start, end)| [*start, *end]).collect();
        cuts.extend(world.spans.iter().flat_map(|span| [span.first, span.end]));
        cuts.sort_unstable();
        cuts.dedup();
        let mut factor = vec![1.0; world.regions];
        let mut index = 0;
        for cut in cuts.windows(2) {
            let (first, end) = (cut[0], cut[1]);
            while index < world.spans.len() && world.spans[index].end <= first {
                index += 1;
            }
            let Some(span) = world.spans.get(index) else { break };
            factor.fill(1.0);
            // In the order of the list, as the loop multiplies them.
            for (event, (start, end)) in events.iter().zip(&on) {
                if *start <= first && first < *end {
                    let touched = (0..world.regions).filter(|r| event.regions >> r & 1 == 1);
                    touched.for_each(|region| factor[region] *= event.factor);
                }
            }
            let width = world.classes.len();
            for (class, facts) in world.classes.iter().enumerate() {
                let factors = between(&prefixes[facts.curve], first, end) * factor[facts.region];
                let calls = world.base[index * width + class] * factors * world.epoch_s as f64;
                let scopes = self.scopes;
                let own = [scopes.region(facts.region), scopes.workload(facts.workload)];
                for scope in own.into_iter().chain([0, scopes.class(class)]) {
                    self.offered[span.year * scopes.count() + scope] += calls;
                }
            }
        }
    }
}

/// Sums of the first 0, 1, 2 ... values.
fn prefix_sums(values: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    let add = |value: &f64| {
        sum += value;
        sum
    };
    [0.0].into_iter().chain(values.iter().map(add)).collect()
}

/// Sum of a repeated curve from one epoch to another.
fn between(prefix: &[f64], first: usize, end: usize) -> f64 {
    let length = (prefix.len() - 1).max(1);
    let whole = prefix[prefix.len() - 1];
    let (rounds, rest) = (end / length - first / length, prefix[end % length]);
    rounds as f64 * whole + rest - prefix[first % length]
}
