//! External capacity: contracts in hand, the on-demand market, and the candidate block that the
//! plan sizes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::FleetTime;
use crate::units::{Dollars, DollarsPerGpuHour, Factor, GpuAmount, Seconds, Share, Uncertain};

/// A part of a contract's capacity and the date on which it is planned to be accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tranche {
    /// Planned acceptance; billing starts then.
    pub on: FleetTime,
    /// Share of the contract's full capacity.
    pub share: Share,
    /// Accelerator, by name.
    pub accelerator: String,
    /// Whether it already stands: then it does not come late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delivered: bool,
}

/// A part of a contract's value that is paid when it is signed and credited, evenly over the
/// GPU-hours of the term, against what is billed: the total stays the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prepay {
    /// When it is signed and paid.
    pub signed: FleetTime,
    /// Share of the value, a backstop left out.
    pub share: Uncertain<Share>,
}

/// Capacity beyond the value that the buyer must take where the supplier cannot sell it elsewhere:
/// same price, tranches and term.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backstop {
    /// Value of all of it.
    pub value: Uncertain<Dollars>,
    /// Share of it that the buyer is left with.
    pub taken: Uncertain<Share>,
}

/// A provider that goes under: its capacity ends, and so does its bill; what was prepaid is lost.
/// All contracts of one provider fail on the same draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CounterpartyDefault {
    /// Mean number a year, from the day of the decision on.
    pub per_year: Uncertain<Factor>,
    /// Share of the capacity that somebody else takes over, at the price of the contract; nothing
    /// if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Uncertain<Share>>,
    /// How long that takes; nothing is usable meanwhile.
    pub after: Seconds,
    /// Where its plain numbers come from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

/// One contract in hand. The full capacity follows from value, price, tranches and end:
/// `GPUs = value / (price * sum of share * hours)`, so that its spend integrates to its value; the
/// part of a backstop that is taken counts as value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// Name for people.
    pub label: String,
    /// Supplier.
    pub provider: String,
    /// Where it serves: shares by region, summing to 100 %.
    pub regions: BTreeMap<String, Share>,
    /// Total value, take-or-pay: paid whether used or not.
    pub value: Uncertain<Dollars>,
    /// Price per GPU-hour of its blend.
    pub price: Uncertain<DollarsPerGpuHour>,
    /// What is paid ahead; nothing if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepay: Option<Prepay>,
    /// What else may have to be taken; nothing if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backstop: Option<Backstop>,
    /// Capacity by acceptance date; shares sum to 100 %.
    pub tranches: Vec<Tranche>,
    /// End of the term; late delivery shifts it with the start and keeps the value.
    pub end: FleetTime,
    /// How late each tranche comes.
    pub slip: Uncertain<Seconds>,
    /// Correlation of the normal scores of the slips of its tranches, 0 to 1; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slip_correlation: Option<Share>,
    /// How late a tranche may come: the buyer ends one that is later, and pays nothing for it. One
    /// is waited for however long that takes if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long_stop: Option<Seconds>,
    /// How its provider may fail; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<CounterpartyDefault>,
    /// Share of the contract's capacity that serves the assistant; the whole is paid.
    pub assistant_share: Uncertain<Share>,
    /// Share of delivered GPUs that is usable at any time, as the contract promises.
    pub availability: Share,
    /// Where the terms come from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

/// Capacity by the hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Market {
    /// Accelerator, by name.
    pub accelerator: String,
    /// Region, by name.
    pub region: String,
    /// Price on demand.
    pub price: Uncertain<DollarsPerGpuHour>,
    /// Most GPUs to be had at any time.
    pub limit: Uncertain<GpuAmount>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// The external block that the plan sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// Accelerator, by name.
    pub accelerator: String,
    /// Where it would serve: shares by region, summing to 100 %.
    pub regions: BTreeMap<String, Share>,
    /// Price under a new contract; the rent of its accelerator if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Uncertain<DollarsPerGpuHour>>,
    /// From signature to acceptance; the lead time of its accelerator if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead_time: Option<Uncertain<Seconds>>,
    /// Share of delivered GPUs usable at any time.
    pub availability: Share,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
