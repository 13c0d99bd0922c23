//! Is everything served at the peak of a week if the largest site, or the largest contract, is
//! gone at once?
//!
//! The loop keeps what each week's busiest epoch found free; after it every such epoch is
//! dispatched again without the largest, on arrays of its own.

use super::dispatch::{Dispatch, Merit};
use super::world::{PoolKind, World};

/// Weeks of a year: of seven days from 1 January; the last one takes the days that are left.
pub const WEEKS: usize = 52;

/// The peaks of one year's weeks without the largest site or contract.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PeakLoss {
    /// Weeks in which everything interactive was served.
    pub survived: u32,
    /// Most that was missing in a week's peak, reference GPUs.
    pub missing: f64,
    /// Who was lost in that week: index of a site or contract; none where all was served.
    pub worst: Option<usize>,
    /// Weeks in which each site or contract was the largest.
    pub lost: Vec<u32>,
}

/// What may be lost, and what is left to serve with.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PeakLosses {
    /// Without the largest own site, its training included, own capacity only. By year, as all.
    pub own_site: Vec<PeakLoss>,
    /// Without that site, with contracts.
    pub site: Vec<PeakLoss>,
    /// Without the largest contract.
    pub contract: Vec<PeakLoss>,
}

/// What the busiest epoch of each week found.
#[derive(Debug, Clone)]
pub(super) struct Peaks {
    /// Last epoch, exclusive, of each week.
    ends: Vec<usize>,
    /// The week that is on.
    week: usize,
    end: usize,
    most: f64,
    /// By week: the busiest epoch, none where nothing was asked for.
    epochs: Vec<Option<usize>>,
    /// Weeks x pools, weeks x classes, weeks x sites and weeks x cells of borrowed pools.
    free: Vec<f64>,
    asked: Vec<f64>,
    lent: Vec<u64>,
    held: Vec<f64>,
}

/// Levels of the month of a peak.
pub(super) struct PeakMonth<'a> {
    pub reference_cost: &'a [f64],
    /// Reference GPUs that a GPU is worth, by accelerator.
    pub reference_worth: &'a [f64],
    pub merit: [Merit; 4],
}

/// Working arrays of the epochs that are dispatched again.
struct Trial {
    dispatch: Dispatch,
    /// GPUs of each pool that are left.
    free: Vec<f64>,
    sums: Vec<f64>,
}

/// Takes `count` values for each week.
fn of_week<T>(values: &[T], week: usize, count: usize) -> &[T] {
    &values[week * count..(week + 1) * count]
}

impl Peaks {
    /// Nothing yet. Where nothing can be lost, nothing is ever kept.
    #[cold]
    pub fn new(world: &World) -> Self {
        let losable = |kind: PoolKind| matches!(kind, PoolKind::Contract(_));
        let any = world.pools.iter().any(|pool| pool.site.is_some() || losable(pool.kind));
        let per_week = (7 * 86_400 / world.epoch_s) as usize;
        let ends: Vec<usize> = if any {
            let year = |year: &super::world::YearSpan| {
                let (first, last) = (year.first, year.end);
                let end = move |week: usize| {
                    if week == WEEKS { last } else { last.min(first + week * per_week) }
                };
                (1..=WEEKS).map(end)
            };
            world.years.iter().flat_map(year).collect()
        } else {
            Vec::new()
        };
        let weeks = ends.len();
        Self {
            week: 0,
            end: ends.first().copied().unwrap_or(usize::MAX),
            most: if any { 0.0 } else { f64::INFINITY },
            epochs: vec![None; weeks],
            free: vec![0.0; weeks * world.pools.len()],
            asked: vec![0.0; weeks * world.classes.len()],
            lent: vec![0; weeks * world.sites.len()],
            held: vec![0.0; weeks * world.borrowed_pools * world.workloads],
            ends,
        }
    }

    /// Looks at an epoch before anything of it is served: `demand` in reference GPUs.
    #[inline]
    pub fn look(&mut self, world: &World, epoch: usize, demand: f64, dispatch: &Dispatch) {
        while epoch >= self.end {
            self.week += 1;
            self.end = self.ends.get(self.week).copied().unwrap_or(usize::MAX);
            self.most = 0.0;
        }
        if demand > self.most {
            self.keep(world, epoch, demand, dispatch);
        }
    }

    #[cold]
    fn keep(&mut self, world: &World, epoch: usize, demand: f64, dispatch: &Dispatch) {
        fn put<T: Copy>(kept: &mut [T], week: usize, values: &[T]) {
            kept[week * values.len()..(week + 1) * values.len()].copy_from_slice(values);
        }
        self.most = demand;
        self.epochs[self.week] = Some(epoch);
        put(&mut self.free, self.week, &dispatch.free);
        put(&mut self.asked, self.week, &dispatch.residual);
        put(&mut self.lent, self.week, &dispatch.epochs_left);
        let width = world.workloads;
        let cells = world.borrowed().start * width..world.borrowed().end * width;
        put(&mut self.held, self.week, &dispatch.loaded[cells]);
    }

    /// Dispatches every peak again without the largest; `month` gives the levels of a span.
    #[cold]
    pub fn losses<'a>(&self, world: &World, month: impl Fn(usize) -> PeakMonth<'a>) -> PeakLosses {
        let contract = |kind| if let PoolKind::Contract(index) = kind { index + 1 } else { 0 };
        let contracts = world.pools.iter().map(|pool| contract(pool.kind)).max().unwrap_or(0);
        let years = if self.ends.is_empty() { 0 } else { world.years.len() };
        let none = |count| vec![PeakLoss { lost: vec![0; count], ..PeakLoss::default() }; years];
        let sites = none(world.sites.len());
        let mut losses =
            PeakLosses { own_site: sites.clone(), site: sites, contract: none(contracts) };
        let mut trial =
            Trial { dispatch: Dispatch::new(world), free: Vec::new(), sums: Vec::new() };
        let mut levels: Option<(usize, PeakMonth<'_>)> = None;
        for (week, epoch) in self.epochs.iter().enumerate() {
            let Some(epoch) = epoch else {
                let PeakLosses { own_site, site, contract } = &mut losses;
                for by_year in [own_site, site, contract] {
                    by_year[week / WEEKS].survived += 1;
                }
                continue;
            };
            let span = world.spans.partition_point(|span| span.end <= *epoch);
            if levels.as_ref().is_none_or(|(known, _)| *known != span) {
                levels = Some((span, month(span)));
            }
            if let Some((_, levels)) = &levels {
                self.lose(world, levels, week, &mut trial, &mut losses);
            }
        }
        losses
    }

    fn lose(
        &self,
        world: &World,
        levels: &PeakMonth<'_>,
        week: usize,
        trial: &mut Trial,
        losses: &mut PeakLosses,
    ) {
        let year = week / WEEKS;
        let free = of_week(&self.free, week, world.pools.len());
        let own = |pool: usize| match world.pools[pool].kind {
            PoolKind::Own => world.pools[pool].site,
            _ => None,
        };
        let bought = |pool: usize| match world.pools[pool].kind {
            PoolKind::Contract(index) => Some(index),
            _ => None,
        };
        let site = largest(world, levels, free, &mut trial.sums, own);
        let of_site = |pool: usize| site.is_some() && world.pools[pool].site == site;
        let missing = self.serve(world, levels, week, trial, of_site);
        losses.own_site[year].add(site, missing[0]);
        losses.site[year].add(site, missing[1]);
        let contract = largest(world, levels, free, &mut trial.sums, bought);
        let of_contract = |pool: usize| contract.is_some() && bought(pool) == contract;
        let missing = self.serve(world, levels, week, trial, of_contract);
        losses.contract[year].add(contract, missing[1]);
    }

    /// Serves the peak of a week without some pools: what is missing with own capacity only and
    /// with contracts, reference GPUs.
    fn serve(
        &self,
        world: &World,
        levels: &PeakMonth<'_>,
        week: usize,
        trial: &mut Trial,
        gone: impl Fn(usize) -> bool,
    ) -> [f64; 2] {
        let width = world.workloads;
        let Trial { dispatch, free, .. } = trial;
        dispatch.residual.copy_from_slice(of_week(&self.asked, week, world.classes.len()));
        dispatch.epochs_left.copy_from_slice(of_week(&self.lent, week, world.sites.len()));
        let cells = world.borrowed().start * width..world.borrowed().end * width;
        let held = of_week(&self.held, week, cells.len());
        dispatch.loaded[cells].copy_from_slice(held);
        free.clear();
        let found = of_week(&self.free, week, world.pools.len()).iter().enumerate();
        free.extend(found.map(|(pool, gpus)| if gone(pool) { 0.0 } else { *gpus }));
        dispatch.begin(free);
        let asked = of_week(&self.asked, week, world.classes.len());
        // A smaller model may answer what its policy lets it.
        let missing = |dispatch: &Dispatch| -> f64 {
            let calls = asked.iter().zip(&dispatch.residual);
            let refused = world.classes.iter().zip(calls).map(|(class, (asked, left))| {
                let fate = world.policies[class.workload].settle(*asked, *left);
                fate.refused * levels.reference_cost[class.workload]
            });
            refused.sum()
        };
        dispatch.serve(&levels.merit[0]);
        let mut short = dispatch.serve(&levels.merit[1]);
        if short && world.borrowed_pools > 0 {
            short = dispatch.borrow(world, &levels.merit[2]);
        }
        let own = missing(dispatch);
        if short {
            dispatch.serve(&levels.merit[3]);
        }
        let with_contracts = missing(dispatch);
        dispatch.forget();
        [own, with_contracts]
    }
}

impl PeakLoss {
    fn add(&mut self, lost: Option<usize>, missing: f64) {
        if let Some(lost) = lost {
            self.lost[lost] += 1;
        }
        if missing <= 0.0 {
            self.survived += 1;
        } else if missing > self.missing {
            (self.missing, self.worst) = (missing, lost);
        }
    }
}

/// The owner of the most free GPUs, at their worth in reference GPUs: the first of equal ones,
/// none where nobody has any. `sums` is for its working.
fn largest(
    world: &World,
    levels: &PeakMonth<'_>,
    free: &[f64],
    sums: &mut Vec<f64>,
    owner: impl Fn(usize) -> Option<usize>,
) -> Option<usize> {
    sums.clear();
    for (pool, gpus) in free.iter().enumerate() {
        let Some(owner) = owner(pool) else { continue };
        if owner >= sums.len() {
            sums.resize(owner + 1, 0.0);
        }
        sums[owner] += gpus * levels.reference_worth[world.pools[pool].accelerator];
    }
    let mut found = (0.0, None);
    for (owner, worth) in sums.iter().enumerate() {
        if *worth > found.0 {
            found = (*worth, Some(owner));
        }
    }
    found.1
}
