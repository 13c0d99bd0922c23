//! A site: where it is, what is delivered to it when, how late that may be, and the share of it
//! that is left for the assistant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::demand::Growth;
use crate::time::FleetTime;
use crate::units::{Factor, GpuAmount, HoursPerYear, Seconds, Share, Uncertain, Watts};

/// How much a phase delivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Amount {
    /// Facility power; GPUs follow from the accelerator's power and the site's PUE.
    FacilityPower(Uncertain<Watts>),
    /// GPU packages.
    Gpus(Uncertain<GpuAmount>),
}

/// What comes in equal batches instead of on one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// How many batches.
    pub batches: u32,
    /// From the first of them, on the date of the whole, to the last, at equal distances.
    pub over: Seconds,
}

/// When the power of a phase is there, where that is another matter than its racks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Energised {
    /// Planned date.
    pub on: FleetTime,
    /// How late it comes, correlated with the other slips of the site.
    pub slip: Uncertain<Seconds>,
    /// In which steps; all on one day if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
}

/// The first weeks after acceptance, in which a part of the GPUs is still being put right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BurnIn {
    /// How long that is.
    pub lasts: Seconds,
    /// Share of a batch's GPUs that serve meanwhile.
    pub usable: Share,
}

/// One delivery of one accelerator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Planned date of acceptance.
    pub on: FleetTime,
    /// Accelerator, by name.
    pub accelerator: String,
    /// How much.
    pub amount: Amount,
    /// In which batches it comes; all on one day if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// When its power is there; as its racks come if left out. A part of it serves when both are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<Energised>,
    /// What refills its halls when it retires, by name, with the same facility power; nothing
    /// if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refill: Option<String>,
    /// Whether it already stands: then it does not slip.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delivered: bool,
    /// Where plan and date come from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

/// Outages of a whole site (grid, cooling, network); all its units are gone at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outages {
    /// Mean time between outages.
    pub mtbf: Seconds,
    /// Mean time to recover.
    pub mttr: Seconds,
}

/// Training of a site that may be interrupted: its GPUs may be borrowed while interactive work is
/// left after everything else of our own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Share of the site's GPUs that may be borrowed.
    pub share: Growth<Share>,
    /// Hours of a calendar year in which any of it may be.
    pub hours: HoursPerYear,
    /// Where that comes from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

/// One site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Name for people.
    pub label: String,
    /// Region, by name.
    pub region: String,
    /// Facility power over IT power.
    pub pue: Factor,
    /// Share of the site's GPUs left for the assistant after training, ads and ranking.
    pub assistant_share: Growth<Share>,
    /// Training that may be interrupted; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// How late each phase comes: drawn per phase, correlated within the site.
    pub slip: Uncertain<Seconds>,
    /// Correlation of the normal scores of the slips of one site's phases, 0 to 1.
    pub slip_correlation: Share,
    /// Outages of the whole site.
    pub outages: Outages,
    /// Share of the units in planned maintenance at any time.
    pub maintenance: Share,
    /// How maintenance is spread over the months from January: 12 factors, of which only the
    /// ratios matter; evenly if left out. Small ones keep it away from the peak.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub maintenance_months: Vec<f64>,
    /// Share of the capacity that power and cooling allow in each month from January: 12 shares;
    /// all of it if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usable_months: Vec<Share>,
    /// The first weeks of what is delivered; full service from acceptance if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub burn_in: Option<BurnIn>,
    /// What is delivered when.
    pub phases: Vec<Phase>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

impl Site {
    /// Share of the units in planned maintenance in a month; months count from 0, January.
    #[must_use]
    pub fn maintained(&self, month: usize) -> f64 {
        let sum: f64 = self.maintenance_months.iter().sum();
        let factor = self.maintenance_months.get(month).map_or(1.0, |factor| 12.0 * factor / sum);
        self.maintenance.0 * factor
    }

    /// Whether anything of it differs from month to month.
    #[must_use]
    pub fn is_seasonal(&self) -> bool {
        !(self.maintenance_months.is_empty() && self.usable_months.is_empty())
    }

    /// What its capacity is multiplied by in a month: what is not in maintenance, or what power and
    /// cooling allow where that is less.
    #[must_use]
    pub fn usable(&self, month: usize) -> f64 {
        let allowed = self.usable_months.get(month).map_or(1.0, |share| share.0);
        (1.0 - self.maintained(month)).min(allowed)
    }
}
