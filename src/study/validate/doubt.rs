//! How far the speed of an accelerator is known.

use super::fit_error;
use crate::hardware::{Accelerator, Provenance};

/// Factors on the speed of all steps that bound what is believed: the 10th and 90th percentile of
/// `realised`. Where that is the doubt about hardware that has not been measured, the error of the
/// fit that it inherits is not in it and comes beside it: the two are independent, so their
/// logarithms add as squares.
#[must_use]
pub fn speed_doubt(accelerator: &Accelerator) -> (f64, f64) {
    let realised = &accelerator.realised;
    let middle = realised.central().0;
    // Of efficiencies that were set by hand it stays: that makes nothing surer.
    let inherited = match accelerator.efficiency.provenance {
        Provenance::Bound => libm::log(fit_error("blackwell").0),
        Provenance::Stated | Provenance::Fitted | Provenance::Measured => 0.0,
    };
    let edge = |u: f64, sign: f64| {
        let own = libm::log(realised.at(u).0 / middle);
        libm::exp(sign * libm::hypot(own, inherited))
    };
    (edge(0.1, -1.0), edge(0.9, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::accelerators;
    use crate::units::Uncertain;

    #[test]
    fn the_band_is_that_of_the_fit_and_of_what_is_not_known() {
        let mut rack = accelerators()["gb300"].clone();
        rack.realised = Uncertain::parse("lognormal(p10 0.5, p90 2.0)").unwrap();
        let (low, high) = speed_doubt(&rack);
        assert!((low * 2.0 - 1.0).abs() < 1e-6 && (high / 2.0 - 1.0).abs() < 1e-6);
        // What is inherited has the error of the fit beside it.
        rack.efficiency.provenance = Provenance::Bound;
        let (low, high) = speed_doubt(&rack);
        let fit = fit_error("gb300").0.ln();
        let both = (f64::ln(2.0).powi(2) + fit * fit).sqrt().exp();
        assert!((high / both - 1.0).abs() < 1e-6 && (low * both - 1.0).abs() < 1e-6);
    }
}
