//! A region: its clock and how far the others are.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Seconds;

/// One region of users and sites.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// Name for people.
    pub label: String,
    /// Parts of the region's users by time zone: hours from UTC to the share of users there.
    /// Several entries spread a wide region's peak.
    pub time_zones: Vec<(Seconds, f64)>,
    /// Network round trip to other regions, by name; stated once per pair.
    #[serde(default)]
    pub round_trip: BTreeMap<String, Seconds>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
