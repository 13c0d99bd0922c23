//! What a sized deployment takes: units, power, rent, and dollars per token.

use super::SizedDeployment;
use crate::engine::CallMeans;
use crate::hardware::Accelerator;

/// Facility power over IT power, that of own sites in the default scenario.
pub const FACILITY_PUE: f64 = 1.10;

/// Rent and power of a deployment. A GPU is paid and powered with its part of the GPUs of a unit
/// that are spare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeCost {
    /// Whole units (racks, nodes) that hold the replicas, none of them split over two.
    pub units: u64,
    /// GPUs with their part of the spare ones: those that are paid.
    pub paid_gpus: f64,
    /// All-in IT power of these, MW.
    pub it_megawatts: f64,
    /// The same with [`FACILITY_PUE`].
    pub facility_megawatts: f64,
    /// Rent of these under a three-year commitment, central price.
    pub dollars_per_hour: f64,
    /// The same if whole units are rented for this load alone.
    pub dollars_per_hour_of_units: f64,
    /// Dollars for a million output tokens at the load.
    pub dollars_per_million_output: f64,
    /// Dollars for a million prompt and output tokens, cached ones included.
    pub dollars_per_million_total: f64,
}

/// Whole units that hold the replicas: a replica stays within one unit, and the smaller kind fills
/// what the larger one leaves.
#[must_use]
pub fn installed_units(serving: u32, kinds: [(u32, u64); 2]) -> u64 {
    let serving = u64::from(serving);
    let [(first, some), (second, others)] = kinds.map(|(gpus, count)| (u64::from(gpus), count));
    let (large, small) = if first >= second {
        ((first, some), (second, others))
    } else {
        ((second, others), (first, some))
    };
    let fit = |gpus: u64, room: u64| room.checked_div(gpus).unwrap_or(0);
    let per_unit = fit(large.0, serving).max(1);
    let units = large.1.div_ceil(per_unit);
    let last = units.saturating_mul(per_unit) - large.1;
    let beside = fit(small.0, serving.saturating_sub(per_unit * large.0));
    let placed = units.saturating_mul(beside).saturating_add(match last {
        0 => 0,
        free => fit(small.0, serving.saturating_sub((per_unit - free) * large.0)) - beside,
    });
    let left = small.1.saturating_sub(placed);
    units + left.div_ceil(fit(small.0, serving).max(1))
}

/// What a deployment takes at `rate` calls per second.
#[must_use]
pub fn size_cost(
    accelerator: &Accelerator,
    sized: &SizedDeployment,
    calls: &CallMeans,
    rate: f64,
) -> SizeCost {
    let unit = accelerator.unit;
    let entry = sized.prefill_layout.as_ref().map_or(0, |layout| layout.gpus);
    let kinds = [(sized.layout.gpus, sized.replicas), (entry, sized.prefill_replicas)];
    let units = installed_units(unit.serving, kinds);
    let paid_gpus = sized.gpus as f64 * f64::from(unit.gpus) / f64::from(unit.serving.max(1));
    let it_megawatts = paid_gpus * accelerator.power.0 * 1e-6;
    let rent = accelerator.rent.central().0;
    let dollars_per_hour = paid_gpus * rent;
    let per_million = |tokens: f64| dollars_per_hour / (rate * tokens * 3_600.0) * 1e6;
    SizeCost {
        units,
        paid_gpus,
        it_megawatts,
        facility_megawatts: it_megawatts * FACILITY_PUE,
        dollars_per_hour,
        dollars_per_hour_of_units: units as f64 * f64::from(unit.gpus) * rent,
        dollars_per_million_output: per_million(calls.output),
        dollars_per_million_total: per_million(calls.prompt + calls.output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_fill_units_without_being_split() {
        // Nodes of 8: two replicas of 4 each.
        assert_eq!(installed_units(8, [(4, 5), (0, 0)]), 3);
        // Of 5 GPUs only one fits into a node; the ones of 2 go beside them.
        assert_eq!(installed_units(8, [(5, 3), (2, 3)]), 3);
        assert_eq!(installed_units(8, [(2, 8), (5, 3)]), 5);
        // A node that is half full takes two of 2.
        assert_eq!(installed_units(8, [(4, 1), (2, 2)]), 1);
        assert_eq!(installed_units(8, [(4, 1), (2, 3)]), 2);
        assert_eq!(installed_units(64, [(64, 2), (8, 9)]), 4);
        assert_eq!(installed_units(8, [(1, 1), (0, 0)]), 1);
    }
}
