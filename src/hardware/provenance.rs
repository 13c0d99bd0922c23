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
        self.figures().into_iter().zip(other.figures()).all(near)
    }
}

/// Whether two figures are one, written and read again.
fn near((a, b): (f64, f64)) -> bool {
    (a - b).abs() <= SAME * a.abs().max(b.abs())
}

impl Accelerator {
    /// Peaks, memory, links and the software curve: what step times are made of beside the
    /// efficiencies, which were fitted with these.
    fn figures(&self) -> [f64; 13] {
        let software = &self.software;
        let ceiling = |u: f64| software.ceiling.at(u).0;
        [
            self.fp4.map_or(0.0, |peak| peak.0),
            self.fp8.0,
            self.bf16.0,
            self.memory.0,
            self.memory_bandwidth.0,
            self.scale_up.0,
            self.scale_out.0,
            f64::from(self.scale_up_domain),
            software.launch.0 as f64,
            software.time_constant.0,
            ceiling(0.1),
            ceiling(0.5),
            ceiling(0.9),
        ]
    }

    /// Whether what is computed for it is computed from the figures of a shipped one, which is
    /// backed as far as this one says of itself. A bound is one on any hardware.
    fn computed_as(&self, shipped: &Self) -> bool {
        let (own, theirs) = (&self.efficiency, &shipped.efficiency);
        let hardware = || self.figures().into_iter().zip(shipped.figures()).all(near);
        own.same_figures(theirs)
            && own.provenance <= theirs.provenance
            && (own.provenance == Provenance::Bound || hardware())
    }

    /// How far what is computed for this accelerator is backed: as its efficiency says, but
    /// [`Provenance::Stated`] where somebody has changed what was fitted or inherited:
    ///
    /// - the efficiency names a source that ships with the program, and its figures or, unless it
    ///   is a bound, peaks, memory, links or software curve are not those of that source;
    /// - it is said to be fitted, has the name of a shipped accelerator and the date of its fit,
    ///   but other figures: a source of its own makes no fit, a source and a date do;
    /// - fitted step times are scaled (the median of `realised` is not 1).
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        let own = &self.efficiency;
        let shipped = || accelerators().values();
        let same_source = || shipped().filter(|known| known.efficiency.source == own.source);
        let fitted = own.provenance == Provenance::Fitted;
        let changed = if same_source().next().is_some() {
            !same_source().any(|known| self.computed_as(known))
        } else {
            let mut named = shipped().filter(|known| known.label == self.label);
            let same_fit = |known: &Self| known.efficiency.fitted == own.fitted;
            fitted && named.any(|known| same_fit(known) && !self.computed_as(known))
        };
        let scaled = fitted && (self.realised.central().0 - 1.0).abs() > SCALED;
        if changed || scaled { Provenance::Stated } else { own.provenance }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::FleetTime;
    use crate::units::{FlopsPerSecond, Share, Uncertain};

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
        // Step times are made of peaks, memory, links and the software curve too. A bound holds
        // for any.
        let hardware: [&dyn Fn(&mut Accelerator); 8] = [
            &|own| own.memory_bandwidth.0 = 20e12,
            &|own| own.memory.0 *= 1.5,
            &|own| own.fp8.0 *= 2.0,
            &|own| own.fp4 = Some(FlopsPerSecond(1e17)),
            &|own| own.scale_up.0 *= 2.0,
            &|own| own.scale_out.0 *= 2.0,
            &|own| own.scale_up_domain = 144,
            &|own| own.software.ceiling = Uncertain::parse("5").expect("a factor"),
        ];
        for change in hardware {
            assert_eq!(tag(change, "gb300"), Provenance::Stated);
            assert_eq!(tag(change, "mi450"), Provenance::Bound);
        }
        // What does not touch step times leaves the tag.
        assert_eq!(tag(&|own| own.power.0 *= 2.0, "gb300"), Provenance::Fitted);
    }

    #[test]
    fn a_fit_of_ones_own_has_a_source_and_a_date() {
        let tag = |changes: &[&dyn Fn(&mut Accelerator)]| {
            let mut own = accelerators()["h100"].clone();
            changes.iter().for_each(|change| change(&mut own));
            own.provenance()
        };
        let memory = |own: &mut Accelerator| own.efficiency.memory = Share(0.9);
        let bandwidth = |own: &mut Accelerator| own.memory_bandwidth.0 *= 2.0;
        let named = |own: &mut Accelerator| own.efficiency.source = "our runs".to_owned();
        let dated = |own: &mut Accelerator| {
            own.efficiency.fitted = FleetTime::parse("2026-10").expect("a date");
        };
        let measured = |own: &mut Accelerator| own.efficiency.provenance = Provenance::Measured;
        assert_eq!(tag(&[&memory, &named]), Provenance::Stated);
        assert_eq!(tag(&[&bandwidth, &named]), Provenance::Stated);
        assert_eq!(tag(&[&memory, &dated]), Provenance::Stated);
        assert_eq!(tag(&[&memory, &named, &dated]), Provenance::Fitted);
        // Another source of the same figures changes nothing.
        assert_eq!(tag(&[&named]), Provenance::Fitted);
        // What the program ships is fitted, never measured; what others have may be.
        assert_eq!(tag(&[&measured]), Provenance::Stated);
        assert_eq!(tag(&[&memory, &measured]), Provenance::Stated);
        assert_eq!(tag(&[&memory, &measured, &named]), Provenance::Measured);
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
