//! How far a number about serving is backed by measurement: the tag that every result carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Accelerator;

/// Where a throughput or a latency comes from, the weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Inherited by assumption: efficiencies of other hardware times a doubt. To be read as a
    /// bound on what may come, not as a forecast.
    Bound,
    /// Computed with efficiencies that were fitted to measurements of this hardware or of its
    /// generation.
    Fitted,
    /// Measured on this hardware and published, or given by the user.
    Measured,
}

impl Provenance {
    /// The tag as tables and files print it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Fitted => "fitted",
            Self::Measured => "measured",
        }
    }
}

impl Accelerator {
    /// Whether what is computed for this accelerator is fitted or a bound.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.efficiency.provenance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::accelerators;

    #[test]
    fn what_was_measured_is_fitted_and_what_was_not_is_a_bound() {
        for name in ["h100", "h200", "b200", "b300", "gb200", "gb300"] {
            assert_eq!(accelerators()[name].provenance(), Provenance::Fitted, "{name}");
        }
        for name in ["rubin_ultra", "next_generation", "mtia_450", "mi450"] {
            assert_eq!(accelerators()[name].provenance(), Provenance::Bound, "{name}");
        }
        // The weakest of several holds for what is made of them.
        assert!(
            Provenance::Bound < Provenance::Fitted && Provenance::Fitted < Provenance::Measured
        );
    }
}
