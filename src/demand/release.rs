//! Releases of the model: what changes from one day on and stays changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::FleetTime;
use crate::units::{Factor, Seconds, Uncertain};

/// One release: a step in the work of a token and in what people ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Name for people.
    pub label: String,
    /// Planned date.
    pub on: FleetTime,
    /// How late it comes.
    pub slip: Uncertain<Seconds>,
    /// Workloads whose work changes; all if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<String>,
    /// What the work of a token is multiplied by from then on.
    pub work: Uncertain<Factor>,
    /// What user requests are multiplied by from then on, whatever their workload.
    pub requests: Uncertain<Factor>,
    /// Where date and steps come from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

impl Release {
    /// Whether the work of a workload changes.
    #[must_use]
    pub fn touches(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|name| name == workload)
    }

    /// What the work of a workload's token is multiplied by at an instant because of this release,
    /// every uncertain part at its median.
    #[must_use]
    pub fn central_work(&self, workload: &str, at: FleetTime) -> f64 {
        let out = self.on.0 + self.slip.central().0 as i64 <= at.0;
        if out && self.touches(workload) { self.work.central().0 } else { 1.0 }
    }
}
