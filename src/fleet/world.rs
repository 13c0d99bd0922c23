//! One world laid out for the loop: flat arrays, dense indices, nothing to look up by name.

use crate::supply::UnitLaw;
use crate::units::{Factor, Seconds, Uncertain};

/// A stretch of epochs over which levels are constant: a calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First epoch.
    pub first: usize,
    /// One past the last epoch.
    pub end: usize,
    /// Index into [`World::years`].
    pub year: usize,
    /// Quarter counted from the start of the horizon.
    pub quarter: usize,
}

/// The epochs of one calendar year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearSpan {
    /// Calendar year.
    pub year: u16,
    /// First epoch.
    pub first: usize,
    /// One past the last epoch.
    pub end: usize,
}

/// Demand of one workload in one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    /// Region index.
    pub region: usize,
    /// Workload index.
    pub workload: usize,
    /// Index into [`World::curves`].
    pub curve: usize,
    /// Regions of the candidate that may serve it, as a bit set; 0 when none may.
    pub candidate_reach: u32,
}

/// Demand is multiplied by `factor` in some regions from `start` to `end`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DemandEvent {
    /// Start, seconds after the start of the horizon.
    pub start: u64,
    /// End, seconds after the start of the horizon.
    pub end: u64,
    /// Regions that it touches, as a bit set.
    pub regions: u32,
    /// What demand is multiplied by.
    pub factor: f64,
}

/// Random surges of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct SurgeLaw {
    /// Name of its random stream.
    pub name: String,
    /// Surges per second.
    pub rate: f64,
    /// How long each lasts.
    pub lasts: Uncertain<Seconds>,
    /// What each multiplies demand by.
    pub factor: Uncertain<Factor>,
    /// Regions that it touches, as a bit set.
    pub regions: u32,
    /// Chance that a surge that begins in one of its regions takes each other one with it; all
    /// regions at once where none is given.
    pub spread: Option<f64>,
}

/// What becomes of the calls of a workload that find no GPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// GPU time of an answer of the smaller model, as a share of one in full.
    pub degraded_work: f64,
    /// Largest share of the calls of an epoch that it may answer; 0 where there is none.
    pub most_degraded: f64,
    /// Share of the refused calls that come back.
    pub returning: f64,
    /// Epochs until they do, at least 1.
    pub returns_after: usize,
}

impl Default for Policy {
    /// No smaller model, and nobody asks again.
    fn default() -> Self {
        Self { degraded_work: 1.0, most_degraded: 0.0, returning: 0.0, returns_after: 1 }
    }
}

/// Whose capacity a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolKind {
    /// Own and leased sites.
    Own,
    /// Interruptible training of an own or leased site.
    Borrowed,
    /// The contract with this index.
    Contract(usize),
}

/// Identical units of one accelerator at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Name of its random stream: unchanged by what else the scenario holds.
    pub name: String,
    /// Whose it is.
    pub kind: PoolKind,
    /// Site index, for outages of the whole site.
    pub site: Option<usize>,
    /// Region index.
    pub region: usize,
    /// Accelerator index: a row of [`World::rates`].
    pub accelerator: usize,
    /// Layer of the chart that it belongs to.
    pub source: usize,
    /// How its units fail.
    pub law: UnitLaw,
    /// GPUs of a unit that serve while it is up, maintenance and promised availability deducted.
    pub gpus_per_unit: f64,
    /// GPUs of a unit by epoch, in place of `gpus_per_unit`; empty unless given.
    pub gpus_by_epoch: Vec<f64>,
    /// Most units that it ever holds.
    pub most: u32,
    /// How its units fail while their kind is new; as `law` says from the start if there is none.
    pub young: Option<Young>,
    /// What the GPUs of a unit are multiplied by in each span; empty where that is always 1.
    pub by_span: Vec<f64>,
}

/// The law of a kind of unit in its first months.
#[derive(Debug, Clone, PartialEq)]
pub struct Young {
    /// When it ends, seconds after the start of the horizon.
    pub until: u64,
    /// How units fail until then; of the same form as the law that follows.
    pub law: UnitLaw,
}

/// A pool holds `units` units from `time` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityChange {
    /// Seconds after the start of the horizon (0 for what stands before it).
    pub time: u64,
    /// Pool index.
    pub pool: usize,
    /// Units from then on.
    pub units: u32,
}

/// Outages of a whole site; rates per second.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteLaw {
    /// Name of its random stream.
    pub name: String,
    /// Outages per second while up.
    pub fail: f64,
    /// Recoveries per second while out.
    pub recover: f64,
    /// Epochs of a calendar year in which its training may be interrupted.
    pub borrow_epochs: u64,
}

/// The on-demand market of a world.
#[derive(Debug, Clone, PartialEq)]
pub struct OnDemand {
    /// Accelerator index.
    pub accelerator: usize,
    /// Whether it can reach each interactive class.
    pub reach: Vec<bool>,
    /// Most GPUs at any time.
    pub limit: f64,
}

/// One world, ready to be simulated. Dimensions: spans S, interactive classes C, accelerators A,
/// workloads W, pools P.
#[derive(Debug, Clone, PartialEq)]
pub struct World {
    /// Length of an epoch in seconds.
    pub epoch_s: u64,
    /// Number of epochs.
    pub epochs: usize,
    /// Months.
    pub spans: Vec<Span>,
    /// Calendar years.
    pub years: Vec<YearSpan>,
    /// Number of regions.
    pub regions: usize,
    /// Number of workloads.
    pub workloads: usize,
    /// Interactive classes in the order in which they are served.
    pub classes: Vec<Class>,
    /// S x C: mean calls per second of each class.
    pub base: Vec<f64>,
    /// Curves over time, all of one length and repeated: factors of the epochs from the start of
    /// the horizon.
    pub curves: Vec<Vec<f64>>,
    /// Deferrable classes: region, workload and curve.
    pub deferrables: Vec<Class>,
    /// S x deferrable classes: mean arrivals in candidate GPUs (GPU-seconds of work per second).
    pub deferrable_base: Vec<f64>,
    /// Deadlines of deferrable work in epochs, the epoch of arrival included.
    pub deadlines: Vec<usize>,
    /// By deferrable class, which of the deadlines it has.
    pub deadline_of: Vec<usize>,
    /// By workload, what becomes of calls that find no GPU.
    pub policies: Vec<Policy>,
    /// S x A x W: calls per second of one GPU; 0 where it cannot serve.
    pub rates: Vec<f64>,
    /// S x W: reference GPUs per call per second.
    pub reference_cost: Vec<f64>,
    /// S x W: candidate GPUs per call per second; infinite where it cannot serve.
    pub candidate_cost: Vec<f64>,
    /// S x A: reference GPUs that one GPU is worth on the span's interactive mix.
    pub reference_worth: Vec<f64>,
    /// S x A: candidate GPUs that one GPU is worth on the span's interactive mix.
    pub candidate_worth: Vec<f64>,
    /// S x A: candidate GPUs that one GPU is worth on the deferrable mix.
    pub deferrable_worth: Vec<f64>,
    /// S x W: output tokens of a call.
    pub output_tokens: Vec<f64>,
    /// Weight of each region in the candidate, by its own regions (see [`Class::candidate_reach`]).
    pub candidate_weights: Vec<f64>,
    /// Pools: own ones first, then borrowed ones, then contracts.
    pub pools: Vec<Pool>,
    /// Number of own pools.
    pub own_pools: usize,
    /// Number of borrowed pools.
    pub borrowed_pools: usize,
    /// For each year, the pools that a class may use, best first: own local, own remote, borrowed,
    /// contract.
    pub merit: Vec<[Vec<Vec<u16>>; 4]>,
    /// Changes of the number of units, in order of time.
    pub changes: Vec<CapacityChange>,
    /// Sites with outages.
    pub sites: Vec<SiteLaw>,
    /// Planned events.
    pub events: Vec<DemandEvent>,
    /// Random surges.
    pub surges: Vec<SurgeLaw>,
    /// On-demand market.
    pub on_demand: Option<OnDemand>,
    /// Share of an epoch that a GPU is lost for when it moves to another workload.
    pub reload_share: f64,
    /// Layers of the chart.
    pub sources: usize,
}

impl World {
    /// Indices of the borrowed pools.
    #[must_use]
    pub fn borrowed(&self) -> std::ops::Range<usize> {
        self.own_pools..self.own_pools + self.borrowed_pools
    }

    /// Seconds after the start of the horizon at which an epoch starts.
    #[must_use]
    pub fn epoch_start(&self, epoch: usize) -> u64 {
        epoch as u64 * self.epoch_s
    }

    /// Hours of an epoch.
    #[must_use]
    pub fn epoch_hours(&self) -> f64 {
        self.epoch_s as f64 / 3_600.0
    }
}
