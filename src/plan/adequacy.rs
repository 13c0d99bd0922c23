//! The adequacy of the fleet in the field's measures: what [`super::Answer`] says of shortfalls.
//! Shapes only; they are filled in [`super::measures`].

use serde::{Serialize, Serializer};

use super::result::Eue;
use crate::stats::Estimate;

/// Shortfalls of everyone, a region, a workload or one workload in one region in a year. Means over
/// worlds and inner years, with standard errors over worlds.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ScopeAdequacy {
    /// The region, by name; none where all are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The workload, by name; none where all interactive ones are meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// LOLE, h/yr: hours of epochs with unserved work.
    pub lole_hours: Estimate,
    /// LOLE, d/yr: days (UTC) with at least one such epoch.
    pub lole_days: Estimate,
    /// LOLEv, events/yr: short epochs in a row are one event, counted in the year it begins.
    pub lolev: Estimate,
    /// Expected unserved work.
    pub eue: Eue,
    /// Unserved calls over calls offered, parts per million.
    pub neue_ppm: Estimate,
    /// Mean unserved reference GPU-hours of the worst twentieth of all inner years (CVaR 95 %).
    pub cvar_95: Estimate,
    /// Hours of the longest event of an inner year; 0 where there is none.
    pub longest: Estimate,
    /// The longest of all inner years.
    pub longest_of_all: f64,
    /// Largest shortfall of an inner year, reference GPUs; 0 where there is none.
    pub deepest: Estimate,
    /// The largest of all inner years.
    pub deepest_of_all: f64,
}

impl ScopeAdequacy {
    /// Whether anything was ever short.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.lole_hours.mean > 0.0
    }
}

/// Probability that an epoch is short, by hour of the day (UTC) and month.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lolp {
    /// By hour of the day, 0 to 23, over all months.
    pub by_hour: Vec<Estimate>,
    /// By month, January first, over all hours.
    pub by_month: Vec<Estimate>,
    /// Months x 24 hours; of single years kept out of `summary.json`, in `adequacy.csv`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub table: Vec<Vec<Estimate>>,
    /// Hours of a mean year in each cell of the table, by month: times LOLP, hours short a year.
    #[serde(skip)]
    pub hours: [f64; 12],
}

/// Whether a part of a criterion holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Holds {
    /// Its value and two standard errors are within the limit.
    Yes,
    /// Its value less two standard errors is beyond the limit.
    No,
    /// The worlds do not say.
    #[default]
    NotResolved,
}

/// One part of the three-part criterion in a year.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct CriterionPart {
    /// Events a year, or the share of years in which some event is too long or too deep.
    pub value: Estimate,
    /// Most that is allowed.
    pub limit: f64,
    /// Whether it holds.
    pub holds: Holds,
}

/// Frequency, duration and magnitude of events in a year against their limits.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ThreePart {
    /// Events a year.
    pub frequency: CriterionPart,
    /// Share of years with an event that lasts too long.
    pub duration: CriterionPart,
    /// Share of years with an epoch that is short of too much.
    pub magnitude: CriterionPart,
    /// Whether all three hold.
    pub holds: Holds,
}

/// Is everyone served at the peak of each week if the largest site, or contract, is gone at once?
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PeakSurvival {
    /// Share of the weeks of a year in which everyone is.
    pub survived: Estimate,
    /// Reference GPUs missing in the worst week of an inner year.
    pub missing: Estimate,
    /// The most missing in any.
    pub missing_of_all: f64,
    /// Which was the largest in most weeks; none where there is none.
    pub lost: Option<String>,
    /// In which share of the weeks.
    pub lost_share: f64,
    /// Which was lost where most was missing; none where nothing ever was.
    pub worst: Option<String>,
}

/// The measures of a year with one level of supply.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct SupplyAdequacy {
    /// All regions and interactive workloads.
    pub whole: ScopeAdequacy,
    /// By region; `summary.json` has those that were ever short.
    #[serde(serialize_with = "short_only")]
    pub regions: Vec<ScopeAdequacy>,
    /// By workload; the same.
    #[serde(serialize_with = "short_only")]
    pub workloads: Vec<ScopeAdequacy>,
    /// By workload and region; the same.
    #[serde(serialize_with = "short_only")]
    pub classes: Vec<ScopeAdequacy>,
    /// By hour and month; none where nothing is ever short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lolp: Option<Lolp>,
    /// The criterion of frequency, duration and magnitude.
    pub three_part: ThreePart,
    /// The peak of each week without the largest own site.
    pub largest_site: PeakSurvival,
}

fn short_only<S: Serializer>(all: &[ScopeAdequacy], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(all.iter().filter(|scope| scope.is_short()))
}

/// The measures of a calendar year.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct AdequacyYear {
    /// Calendar year.
    pub year: u16,
    /// With own capacity only, GPUs borrowed from training included.
    pub own: SupplyAdequacy,
    /// With contracts as well, before the on-demand market.
    pub with_contracts: SupplyAdequacy,
    /// The peak of each week without the largest contract.
    pub largest_contract: PeakSurvival,
}

/// How adequate the fleet is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Adequacy {
    /// One entry for each calendar year.
    pub years: Vec<AdequacyYear>,
    /// Loss-of-load probability over the whole horizon, with own capacity only; none where
    /// nothing is ever short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lolp_own: Option<Lolp>,
    /// The same with contracts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lolp_with_contracts: Option<Lolp>,
}
