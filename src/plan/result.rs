//! The shape of the answer. Everything that is printed, drawn or written comes from here; the
//! serialised form of [`Answer`] is `summary.json` (described in `docs/summary.md`).

use serde::Serialize;

use super::adequacy::Adequacy;
use crate::scenario::{Criterion, Scenario};
use crate::stats::{Estimate, Spread};

/// What the numbers belong to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Provenance {
    /// Name of the scenario.
    pub scenario: String,
    /// Content hash of the resolved scenario, sampling included: 64 hexadecimal digits.
    pub hash: String,
    /// Version of the program.
    pub version: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Worlds drawn.
    pub worlds: u32,
    /// Inner samples per world.
    pub inner_years: u32,
    /// Length of a demand epoch in hours.
    pub epoch_hours: f64,
}

impl Provenance {
    /// Of a scenario whose epochs have so many hours.
    #[must_use]
    pub fn of(scenario: &Scenario, epoch_hours: f64) -> Self {
        Self {
            scenario: scenario.name.clone(),
            hash: scenario.hash(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: scenario.sampling.seed,
            worlds: scenario.sampling.worlds,
            inner_years: scenario.sampling.inner_years,
            epoch_hours,
        }
    }
}

/// The external block that is sized.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CandidateFacts {
    /// Name of its accelerator, for people.
    pub accelerator: String,
    /// GPUs of a rack (or node).
    pub gpus_per_rack: u32,
    /// GPUs of a rack that serve, times the promised availability.
    pub firm_gpus_per_rack: f64,
    /// All-in IT kilowatts of a GPU.
    pub kilowatts_per_gpu: f64,
    /// Median price, USD per GPU-hour.
    pub dollars_per_gpu_hour: f64,
}

/// Expected unserved interactive work of a year, in three units, each mean with standard error.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Eue {
    /// Engine calls.
    pub calls: Estimate,
    /// Output tokens.
    pub output_tokens: Estimate,
    /// Reference GPU-hours.
    pub reference_gpu_hours: Estimate,
}

/// Cost of external capacity in a year, USD.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Cost {
    /// Contracts in hand, paid whether used or not.
    pub contracts: Spread,
    /// On-demand capacity used.
    pub on_demand: Spread,
    /// A positive gap closed with the candidate at its price, whole racks, the whole year.
    pub gap: Spread,
    /// Contracts and, world by world, the block where there is a gap or else on-demand hours.
    pub total: Spread,
}

/// The reading over all worlds at once: the block for which the expected LOLE over worlds meets
/// the criterion.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct AllWorlds {
    /// Candidate GPUs.
    pub gpus: f64,
    /// Lower end of the 90 % bootstrap interval over worlds.
    pub low: f64,
    /// Upper end of it.
    pub high: f64,
    /// Largest part of the short hours left that one world carries, 0 to 1.
    pub largest_world_share: f64,
    /// False where one world carries more than a quarter: then this is not a number to plan by.
    pub resolved: bool,
}

/// One year of the answer. Spreads are quantiles over worlds and do not add up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct YearResult {
    /// Calendar year.
    pub year: u16,
    /// People who use the assistant on a day.
    pub daily_users: Spread,
    /// What people send, per day.
    pub user_requests_per_day: Spread,
    /// What reaches a GPU, per day, deferrable calls included.
    pub engine_calls_per_day: Spread,
    /// Prompt tokens per day, cached ones included.
    pub tokens_in_per_day: Spread,
    /// Prompt tokens per day that the prefix cache holds.
    pub tokens_cached_per_day: Spread,
    /// Output tokens per day, thinking included.
    pub tokens_out_per_day: Spread,
    /// Interactive demand of the year's busiest epoch, reference GPUs.
    pub peak_demand: Spread,
    /// Own usable capacity for the assistant, mean over the year, reference GPUs.
    pub own_capacity: Spread,
    /// Need in reference GPUs.
    pub need_reference: Spread,
    /// Need in firm candidate GPUs: never negative.
    pub need_gpus: Spread,
    /// Need in whole racks of the candidate.
    pub need_racks: Spread,
    /// Need in IT megawatts of those racks.
    pub need_megawatts: Spread,
    /// Need minus the firm contribution of the contracts in hand, in firm candidate GPUs:
    /// positive is short, negative is a surplus.
    pub gap_gpus: Spread,
    /// Gap in racks, rounded away from zero when short, towards it when in surplus.
    pub gap_racks: Spread,
    /// Gap in IT megawatts of those racks.
    pub gap_megawatts: Spread,
    /// Share of worlds with a positive gap.
    pub short_worlds: f64,
    /// Last day, `2027-03-01`, to sign for a candidate that stands on the first day of the year:
    /// that day less the 90th percentile of the candidate's lead time.
    pub sign_by: String,
    /// Whether that day is still to come on the scenario's `decide_on`; where it is not, the
    /// year's gap cannot be closed by signing.
    pub can_be_signed: bool,
    /// Need over all worlds at once.
    pub need_all_worlds: AllWorlds,
    /// Contracted GPUs delivered, mean over the year, all uses, as nameplate.
    pub contracted_gpus: Spread,
    /// The part of them that serves the assistant, as nameplate; the whole is paid.
    pub contracted_for_assistant_gpus: Spread,
    /// Firm contribution of the contracts to the assistant, candidate GPUs.
    pub firm_contribution_gpus: Spread,
    /// Reference GPUs that one candidate GPU is worth on the year's interactive mix.
    pub reference_per_candidate: Spread,
    /// Cost of external capacity, USD.
    pub cost: Cost,
    /// Interactive LOLE, h/yr, with own capacity only.
    pub lole_own: Estimate,
    /// Interactive LOLE, h/yr, with own capacity and contracts, before the on-demand market.
    pub lole_with_contracts: Estimate,
    /// Expected unserved work with own capacity only.
    pub eue_own: Eue,
    /// Expected unserved work with contracts, before the on-demand market.
    pub eue_with_contracts: Eue,
    /// Share of deferrable work that misses its deadline, with contracts.
    pub deferrable_misses: Estimate,
    /// Interactive work done on GPUs borrowed from training, reference GPU-hours a year.
    pub borrowed_gpu_hours: Estimate,
    /// Calls a year that a smaller model answers because capacity with contracts is short.
    pub degraded_calls: Estimate,
    /// Refused calls a year that come back later.
    pub returned_calls: Estimate,
}

/// Whose capacity a layer of the chart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SupplyKind {
    /// Own and leased sites.
    Own,
    /// Contracts in hand.
    Contract,
}

/// One layer of supply: own capacity of one accelerator generation, or one contract's provider.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// Label for people: `GB300 NVL72`, `CoreWeave I`.
    pub label: String,
    /// Whose it is.
    pub kind: SupplyKind,
}

/// One quarter of the chart, in reference GPUs with the software of the time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuarterResult {
    /// Calendar year.
    pub year: u16,
    /// Quarter, 1 to 4.
    pub quarter: u8,
    /// Mean usable capacity of each source, mean over worlds, in the order of
    /// [`Answer::sources`].
    pub supply: Vec<f64>,
    /// Interactive demand of the quarter's busiest epoch, over worlds.
    pub demand: Spread,
    /// Median and spread over worlds of the total usable capacity.
    pub capacity: Spread,
    /// Own usable capacity, over worlds.
    pub own: Spread,
}

/// One world in one year: a row of `worlds.parquet`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct WorldYear {
    /// World number.
    pub world: u32,
    /// Calendar year.
    pub year: u16,
    /// People who use the assistant on a day.
    pub daily_users: f64,
    /// What people send, per day.
    pub user_requests_per_day: f64,
    /// What reaches a GPU, per day.
    pub engine_calls_per_day: f64,
    /// Prompt tokens per day.
    pub tokens_in_per_day: f64,
    /// Cached prompt tokens per day.
    pub tokens_cached_per_day: f64,
    /// Output tokens per day.
    pub tokens_out_per_day: f64,
    /// Peak interactive demand, reference GPUs.
    pub peak_demand: f64,
    /// Own usable capacity, reference GPUs.
    pub own_capacity: f64,
    /// Need, candidate GPUs.
    pub need_gpus: f64,
    /// Need, reference GPUs.
    pub need_reference: f64,
    /// Gap, candidate GPUs, signed.
    pub gap_gpus: f64,
    /// Contracted GPUs delivered.
    pub contracted_gpus: f64,
    /// The part of them that serves the assistant.
    pub contracted_for_assistant_gpus: f64,
    /// Reference GPUs that one candidate GPU is worth.
    pub reference_per_candidate: f64,
    /// Contracts in hand, USD.
    pub cost_contracts: f64,
    /// On demand, USD.
    pub cost_on_demand: f64,
    /// Gap closed with the candidate, USD.
    pub cost_gap: f64,
    /// Interactive LOLE with own capacity only, h/yr, mean over inner samples.
    pub lole_own: f64,
    /// Interactive LOLE with contracts, h/yr.
    pub lole_with_contracts: f64,
    /// Unserved calls with own capacity only.
    pub unserved_calls_own: f64,
    /// Unserved output tokens with own capacity only.
    pub unserved_output_tokens_own: f64,
    /// Unserved reference GPU-hours with own capacity only.
    pub unserved_gpu_hours_own: f64,
    /// Unserved calls with contracts.
    pub unserved_calls: f64,
    /// Unserved output tokens with contracts.
    pub unserved_output_tokens: f64,
    /// Unserved reference GPU-hours with contracts.
    pub unserved_gpu_hours: f64,
    /// Share of deferrable work that misses its deadline, with contracts.
    pub deferrable_misses: f64,
    /// Interactive work done on GPUs borrowed from training, reference GPU-hours.
    pub borrowed_gpu_hours: f64,
    /// Calls that a smaller model answers because capacity with contracts is short.
    pub degraded_calls: f64,
    /// Refused calls that come back later.
    pub returned_calls: f64,
}

/// What the serving figures of an accelerator rest on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServingBasis {
    /// Its name.
    pub accelerator: String,
    /// `measured` where the step time of every workload on it was, `fitted` to measurements of its
    /// generation, `stated` where somebody has set the figures by hand, or a `bound` that is
    /// inherited with a doubt.
    pub basis: crate::hardware::Provenance,
    /// Workloads whose step time on it was measured on the planner's own deployment.
    pub measured: Vec<String>,
}

/// The whole answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// Version of this schema.
    pub schema: u32,
    /// What the numbers belong to.
    pub provenance: Provenance,
    /// When capacity counts as sufficient.
    pub criterion: Criterion,
    /// The external block that is sized.
    pub candidate: CandidateFacts,
    /// Name of the reference accelerator, for people.
    pub reference: String,
    /// What the serving figures of each accelerator supplied rest on.
    pub serving: Vec<ServingBasis>,
    /// The finding in one sentence.
    pub finding: String,
    /// What the numbers are not, in sentences.
    pub caveats: Vec<String>,
    /// Whether some site lends GPUs of training.
    pub lends_training: bool,
    /// One entry for each calendar year.
    pub years: Vec<YearResult>,
    /// How adequate the fleet is, in the measures of power systems.
    pub adequacy: Adequacy,
    /// Layers of supply, in the order in which they are stacked.
    pub sources: Vec<Source>,
    /// One entry for each quarter.
    pub quarters: Vec<QuarterResult>,
    /// Every world in every year; left out of `summary.json`, kept in `worlds.parquet`.
    #[serde(skip)]
    pub worlds: Vec<WorldYear>,
}
