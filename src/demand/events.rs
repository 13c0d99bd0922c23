//! What the weekly curve does not know: New Year's Eve, a World Cup final, a surge out of the
//! blue. Events multiply the interactive demand of the regions that they touch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::FleetTime;
use crate::units::{Factor, Seconds, Share, Uncertain};

/// When a planned event happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Occurrence {
    /// Every year at a month, a day and an hour of each region's local time.
    Yearly {
        /// Month, 1 to 12.
        month: u8,
        /// Day of the month.
        day: u8,
        /// Local hour at which it starts.
        hour: u8,
    },
    /// On given dates, at an hour UTC, everywhere at once.
    Dates {
        /// The dates.
        dates: Vec<FleetTime>,
        /// Hour UTC at which it starts.
        hour: u8,
    },
}

/// An event that the calendar announces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedEvent {
    /// When.
    pub when: Occurrence,
    /// How long.
    pub lasts: Seconds,
    /// What demand is multiplied by.
    pub factor: Uncertain<Factor>,
    /// Regions that it touches; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// A surge that nobody announces: a Poisson process of times, the same law for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Surge {
    /// Mean number of surges in a year.
    pub per_year: Factor,
    /// How long one lasts.
    pub lasts: Uncertain<Seconds>,
    /// What demand is multiplied by while it lasts.
    pub factor: Uncertain<Factor>,
    /// Regions that it touches; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Chance that a surge, which begins in one of them, takes each other one with it; all at once
    /// if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<Share>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
