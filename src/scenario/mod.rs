//! The checked whole: what a scenario says, read from RON and checked once, at the door.
//!
//! After [`Scenario`] exists, every name in it resolves and every simulation of it ends without
//! an error. Reading and the checks live here; what the numbers mean is with the types of the
//! floors below: [`describe`] reads it off them, field by field, and [`audit`] asks each number
//! for its source.

mod audit;
mod check;
mod correlation;
mod cursor;
pub mod describe;
mod diagnostic;
mod include;
mod locate;
mod lookup;
mod network;
mod patch;
mod read;
mod resolve;
mod system;
mod text;

pub use audit::{Audit, AuditedValue, Origin, audit};
pub use check::{layout_faults, splits_heads};
pub use correlation::RankCorrelation;
pub use diagnostic::{Diagnostic, Finding, Place, ScenarioError, known_names, nearest_name};
pub use include::{shipped_names, shipped_text};
pub use locate::Path;
pub use network::{Area, Link, Network};
pub use resolve::DEFAULT;
pub use system::{Chronological, Level, Load, Season, System, UnitFailures, Units};
pub use text::{Override, ScenarioText};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::demand::{PlannedEvent, Profile, Region, Release, Surface, Surge, Workload};
use crate::engine::Deployment;
use crate::hardware::{Accelerator, Llm};
use crate::supply::{Candidate, Contract, Market, Site};
use crate::time::FleetTime;
use crate::units::{EventsPerYear, HoursPerYear, Seconds, Share, Uncertain};

/// How often the model is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// Worlds: joint draws of what we do not know.
    pub worlds: u32,
    /// Inner samples per world: failures, surges, arrivals over the whole horizon.
    pub inner_years: u32,
    /// Seed of every random stream.
    pub seed: u64,
}

/// The calendar years that are simulated and the length of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Horizon {
    /// First calendar year.
    pub first_year: u16,
    /// Last calendar year.
    pub last_year: u16,
    /// Length of a demand epoch; divides an hour, or is an hour.
    pub epoch: Seconds,
    /// Whether deliveries and tranches after the last year are left out without a word; a fault
    /// otherwise, since a date that is wrong by a digit would lose capacity.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignore_later: bool,
}

/// When capacity counts as sufficient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Expected hours of a year in which an interactive workload has unserved work.
    pub interactive_lole: HoursPerYear,
    /// Share of deferrable work that may miss its deadline in a year.
    pub deferrable_misses: Share,
    /// Limits on the frequency, the duration and the magnitude of events: reported against, not
    /// planned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub three_part: Option<ThreePartLimits>,
}

/// Limits on events, runs of epochs with unserved interactive work, in three parts, as Texas has
/// adopted them for its grid in 2024 (16 TAC 25.508).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ThreePartLimits {
    /// Most events of a year, in the mean.
    pub frequency: EventsPerYear,
    /// Every event must be shorter than this.
    pub duration: Seconds,
    /// Every epoch must be short of less than this share of the year's peak demand.
    pub magnitude: Share,
    /// Share of years in which the duration, and in which the magnitude, may be exceeded.
    pub exceedance: Share,
}

impl Default for ThreePartLimits {
    /// One event in ten years, 12 h, a fifth of the peak (19 GW of some 90 GW in Texas), 0.25 %.
    fn default() -> Self {
        Self {
            frequency: EventsPerYear(0.1),
            duration: Seconds(12.0 * 3_600.0),
            magnitude: Share(0.2),
            exceedance: Share(0.0025),
        }
    }
}

/// One scenario, whole. Read it with [`Scenario::from_ron`] or [`Scenario::load`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name; it becomes part of file names: letters, digits, `_` and `-`.
    pub name: String,
    /// What it is about, for people.
    pub description: String,
    /// How often the model is drawn.
    pub sampling: Sampling,
    /// Which years.
    pub horizon: Horizon,
    /// Before this date it is history; nothing can be signed earlier.
    pub decide_on: FleetTime,
    /// Regions by name.
    pub regions: BTreeMap<String, Region>,
    /// Surfaces by name.
    pub surfaces: BTreeMap<String, Surface>,
    /// Workloads by name.
    pub workloads: BTreeMap<String, Workload>,
    /// Daily and weekly curves by name.
    pub profiles: BTreeMap<String, Profile>,
    /// Planned events by name.
    #[serde(default)]
    pub events: BTreeMap<String, PlannedEvent>,
    /// Random surges by name.
    #[serde(default)]
    pub surges: BTreeMap<String, Surge>,
    /// Releases of the model by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub releases: BTreeMap<String, Release>,
    /// Rank correlations between named draws.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub correlations: Vec<RankCorrelation>,
    /// Accelerators by name: these are added to the shipped catalogue or replace entries of it.
    #[serde(default)]
    pub hardware: BTreeMap<String, Accelerator>,
    /// Models by name: added to the shipped catalogue or replacing entries of it.
    #[serde(default)]
    pub models: BTreeMap<String, Llm>,
    /// Deployments by workload name: one for each workload.
    pub deployments: BTreeMap<String, Deployment>,
    /// Time for which a GPU that moves from one workload to another serves neither.
    pub reload: Uncertain<Seconds>,
    /// Own and leased sites by name.
    #[serde(default)]
    pub sites: BTreeMap<String, Site>,
    /// Contracts in hand by name.
    #[serde(default)]
    pub contracts: BTreeMap<String, Contract>,
    /// On-demand market; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<Market>,
    /// The external block that the plan sizes.
    pub candidate: Candidate,
    /// The accelerator that demand and capacity are expressed in: its GPUs with the software of
    /// the time are the reference GPUs.
    pub reference: String,
    /// When capacity counts as sufficient.
    pub criterion: Criterion,
    /// What was put in place of something else on the way here; for people, not for the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}
