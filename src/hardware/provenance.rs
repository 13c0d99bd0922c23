//! How far a number about serving is backed by measurement: the tag that every result carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Accelerator, Efficiency, accelerators};

/// How far figures that were written and read again may be apart.
const SAME: f64 = 1e-6;
/// How far the median of the error of a fit may be from none.
const SCALED: f64 = 0.01;

/// Where a throughput or a latency comes from, the weakest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Inherited by assumption: efficiencies of other hardware times a doubt. To be read as a
    /// bound on what may come, not as a forecast.
    #[default]
    Bound,
    /// Efficiencies, or the step time itself, set by hand: as good as whoever says so.
    Stated,
    /// Computed with efficiencies that were fitted to measurements of this hardware or of its
    /// generation.
    Fitted,
    /// Measured on this hardware, and published or recorded.
    Measured,
}

impl Provenance {
    /// The tag as tables and files print it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Stated => "stated",
            Self::Fitted => "fitted",
            Self::Measured => "measured",
        }
    }
}

impl Efficiency {
    /// Shares, overheads and the date of the software: all that is fitted.
    fn figures(&self) -> [f64; 12] {
        [
            self.compute.0,
            self.narrow_compute.0,
            self.memory.0,
            self.network.0,
            self.layer_overhead.0,
            self.expert_overhead.0,
            self.latent_overhead.0,
            self.sparse_overhead.0,
            self.hybrid_overhead.0,
            self.collective_overhead.0,
            self.sequence_overhead.0,
            self.fitted.0 as f64,
        ]
    }

    /// Whether both have the same figures.
    fn same_figures(&self, other: &Self) -> bool {
        let near = |(a, b): (f64, f64)| (a - b).abs() <= SAME * a.abs().max(b.abs());
        self.figures().into_iter().zip(other.figures()).all(near)
    }
}

impl Accelerator {
    /// How far what is computed for this accelerator is backed: as its efficiency says, but
    /// [`Provenance::Stated`] where somebody has changed what was fitted or inherited. That is so
    /// where the efficiency names a source that ships with the program and has other figures than
    /// that source gave, and where fitted step times are scaled (the median of `realised` is not
    /// 1). Other figures with a source of their own are what they say they are.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        let own = &self.efficiency;
        let shipped = || accelerators().values().map(|known| &known.efficiency);
        let mut same_source = shipped().filter(|known| known.source == own.source).peekable();
        let changed =
            same_source.peek().is_some() && !same_source.any(|known| known.same_figures(own));
        let scaled = own.provenance == Provenance::Fitted
            && (self.realised.central().0 - 1.0).abs() > SCALED;
        if own.provenance != Provenance::Measured && (changed || scaled) {
            return Provenance::Stated;
        }
        own.provenance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Share, Uncertain};

    #[test]
    fn what_somebody_has_changed_is_stated() {
        let tag = |change: &dyn Fn(&mut Accelerator), name: &str| {
            let mut own = accelerators()[name].clone();
            change(&mut own);
            own.provenance()
        };
        let memory = |own: &mut Accelerator| own.efficiency.memory = Share(0.9);
        for name in ["h100", "gb300", "mi450", "vera_rubin"] {
            assert_eq!(tag(&memory, name), Provenance::Stated, "{name}");
        }
        let scaled =
            |own: &mut Accelerator| own.realised = Uncertain::parse("1.3").expect("a factor");
        assert_eq!(tag(&scaled, "h100"), Provenance::Stated);
        // A bound has a doubt of any size.
        assert_eq!(tag(&scaled, "mi450"), Provenance::Bound);
        // The last digit of a number that was written and read again does not count.
        let written = |own: &mut Accelerator| own.efficiency.memory.0 *= 1.0 + 1e-12;
        assert_eq!(tag(&written, "h100"), Provenance::Fitted);
        // A fit of somebody's own names its source.
        let own_fit = |own: &mut Accelerator| {
            memory(own);
            own.efficiency.source = "our runs of 2026-10".to_owned();
        };
        assert_eq!(tag(&own_fit, "h100"), Provenance::Fitted);
        let measured = |own: &mut Accelerator| {
            memory(own);
            own.efficiency.provenance = Provenance::Measured;
        };
        assert_eq!(tag(&measured, "h100"), Provenance::Measured);
    }

    #[test]
    fn what_was_measured_is_fitted_and_what_was_not_is_a_bound() {
        for name in ["h100", "h200", "b200", "b300", "gb200", "gb300"] {
            assert_eq!(accelerators()[name].provenance(), Provenance::Fitted, "{name}");
        }
        for name in ["rubin_ultra", "next_generation", "mtia_450", "mi450"] {
            assert_eq!(accelerators()[name].provenance(), Provenance::Bound, "{name}");
        }
        // The weakest of several holds for what is made of them.
        let order =
            [Provenance::Bound, Provenance::Stated, Provenance::Fitted, Provenance::Measured];
        assert!(order.is_sorted());
    }
}
