//! What one inner sample leaves behind: residuals by epoch and tallies by year.

use super::measures::Measures;
use super::peak_loss::PeakLosses;

/// Signed margins by epoch, in candidate GPUs: positive is the smallest candidate block that
/// would have served everything interactive, negative is spare capacity.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Residuals {
    /// With own capacity only, GPUs borrowed from training included.
    pub own: Vec<f64>,
    /// With own capacity and the contracts in hand.
    pub with_contracts: Vec<f64>,
    /// Own capacity left for deferrable work after interactive work, candidate GPUs.
    pub own_spare: Vec<f64>,
    /// The same with contracts.
    pub spare_with_contracts: Vec<f64>,
    /// Epochs x deadlines: deferrable work that arrives, candidate GPUs.
    pub deferrable: Vec<f64>,
    /// Largest share of refused calls that comes back, and after how many epochs at the earliest.
    /// Margins are without them.
    pub returns: (f64, usize),
}

/// Unserved interactive work.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Unserved {
    /// Epochs in which some interactive class had unserved work.
    pub short_epochs: u64,
    /// Engine calls that are refused and not asked again.
    pub calls: f64,
    /// Output tokens.
    pub output_tokens: f64,
    /// Reference GPU-hours.
    pub reference_gpu_hours: f64,
}

/// Sums over one calendar year of one inner sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct YearTally {
    /// Interactive calls offered.
    pub offered_calls: f64,
    /// Unserved with own capacity only, GPUs borrowed from training included.
    pub own: Unserved,
    /// Unserved with contracts as well, before the on-demand market.
    pub with_contracts: Unserved,
    /// Interactive demand of the busiest epoch, reference GPUs.
    pub peak_demand: f64,
    /// Own usable capacity summed over epochs, reference GPUs.
    pub own_capacity: f64,
    /// Interactive work done on GPUs borrowed from training, reference GPU-hours.
    pub borrowed_gpu_hours: f64,
    /// Calls that a smaller model answers because capacity with contracts is short.
    pub degraded_calls: f64,
    /// Refused calls that come back in a later epoch, before the market.
    pub returned_calls: f64,
    /// On-demand GPU-hours bought.
    pub on_demand_gpu_hours: f64,
    /// Deferrable work that arrived, candidate GPU-hours.
    pub deferrable_arrived: f64,
    /// Deferrable work done in time.
    pub deferrable_done: f64,
    /// Deferrable work that missed its deadline.
    pub deferrable_missed: f64,
}

/// Sums over one quarter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QuarterTally {
    /// Usable capacity by source, reference GPUs, summed over epochs.
    pub supply: Vec<f64>,
    /// Interactive demand of the busiest epoch, reference GPUs.
    pub peak_demand: f64,
    /// Epochs.
    pub epochs: u64,
}

/// One inner sample of one world.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// By epoch.
    pub residuals: Residuals,
    /// By calendar year.
    pub years: Vec<YearTally>,
    /// By quarter.
    pub quarters: Vec<QuarterTally>,
    /// Shortfalls by year, region, workload and class.
    pub measures: Measures,
    /// Weekly peaks without the largest site or contract.
    pub peak_losses: PeakLosses,
    /// Deferrable work still waiting at the end of the horizon, candidate GPU-hours.
    pub backlog: f64,
    /// Refused calls still on their way back at the end of the horizon.
    pub returning_calls: f64,
}
