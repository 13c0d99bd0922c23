//! Need, read from stored residuals: the smallest candidate block for which the criterion holds.

use crate::fleet::{Backlog, Residuals};
use crate::scenario::Criterion;

/// How many of `epochs` pooled epochs may be short: whole epochs within the allowed hours of each
/// of `samples` years.
#[must_use]
pub fn allowed_epochs(criterion: &Criterion, samples: usize, epoch_hours: f64) -> usize {
    let hours = criterion.interactive_lole.0 * samples as f64;
    // A hair above, so that 24 h / 0.1 h is 240 epochs and not 239.
    (hours / epoch_hours + 1e-9) as usize
}

/// The smallest block for which at most `allowed` epochs are short: an epoch is short when its
/// margin exceeds the block, so it is the margin with exactly `allowed` larger ones. Negative when
/// capacity could be taken away. Reorders the margins.
#[must_use]
pub fn order_statistic(margins: &mut [f64], allowed: usize) -> f64 {
    if margins.is_empty() {
        return 0.0;
    }
    let index = allowed.min(margins.len() - 1);
    *margins.select_nth_unstable_by(index, |a, b| b.total_cmp(a)).1
}

/// Which capacity comes before the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Own capacity only: gives the need.
    Own,
    /// Own capacity and the contracts in hand: gives the gap.
    Contracts,
}

impl Before {
    fn margins(self, residuals: &Residuals) -> &[f64] {
        match self {
            Self::Own => &residuals.own,
            Self::Contracts => &residuals.with_contracts,
        }
    }

    fn spare(self, residuals: &Residuals) -> &[f64] {
        match self {
            Self::Own => &residuals.own_spare,
            Self::Contracts => &residuals.spare_with_contracts,
        }
    }
}

/// The block that a year needs, over the pooled inner samples: by the order statistic, raised by
/// bisection where deferrable work would miss its deadline too often. Signed.
#[must_use]
pub fn required_block(
    samples: &[&Residuals],
    epochs: std::ops::Range<usize>,
    before: Before,
    criterion: &Criterion,
    deadline: usize,
    epoch_hours: f64,
) -> f64 {
    let mut pooled = Vec::with_capacity(samples.len() * epochs.len());
    for residuals in samples {
        pooled.extend_from_slice(&before.margins(residuals)[epochs.clone()]);
    }
    let allowed = allowed_epochs(criterion, samples.len(), epoch_hours);
    let interactive = order_statistic(&mut pooled, allowed);
    let misses = |block: f64| missed_share(samples, epochs.clone(), before, block, deadline);
    let most = criterion.deferrable_misses.0;
    if !interactive.is_finite() || misses(interactive) <= most {
        return interactive;
    }
    let mut step = interactive.abs().max(1.0);
    while misses(interactive + step) > most && step < 1e12 {
        step *= 2.0;
    }
    let (mut low, mut high) = (interactive, interactive + step);
    // To a tenth of a GPU or a part in a million, whichever is coarser.
    while high - low > (high.abs() * 1e-6).max(0.1) {
        let middle = low + (high - low) / 2.0;
        if misses(middle) > most { low = middle } else { high = middle }
    }
    high
}

/// Share of a year's deferrable work that misses its deadline beside a candidate block.
fn missed_share(
    samples: &[&Residuals],
    epochs: std::ops::Range<usize>,
    before: Before,
    block: f64,
    deadline: usize,
) -> f64 {
    let (mut arrived, mut missed) = (0.0, 0.0);
    for residuals in samples {
        let mut backlog = Backlog::new(deadline);
        let (margins, spare) = (before.margins(residuals), before.spare(residuals));
        for epoch in epochs.clone() {
            // What interactive work leaves of the block; a negative block takes spare away.
            let left = if block > 0.0 { (block - margins[epoch].max(0.0)).max(0.0) } else { block };
            let step = backlog.step(residuals.deferrable[epoch], spare[epoch] + left);
            arrived += residuals.deferrable[epoch];
            missed += step.missed;
        }
    }
    if arrived > 0.0 { missed / arrived } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{HoursPerYear, Share};

    fn criterion(hours: f64) -> Criterion {
        Criterion { interactive_lole: HoursPerYear(hours), deferrable_misses: Share(0.001) }
    }

    fn residuals(margins: &[f64]) -> Residuals {
        Residuals {
            own: margins.to_vec(),
            with_contracts: margins.to_vec(),
            own_spare: margins.iter().map(|margin| (-margin).max(0.0)).collect(),
            spare_with_contracts: margins.iter().map(|margin| (-margin).max(0.0)).collect(),
            deferrable: vec![0.0; margins.len()],
        }
    }

    /// Hours in which a block is short, the plain way.
    fn short_hours(margins: &[f64], block: f64) -> usize {
        margins.iter().filter(|margin| **margin > block).count()
    }

    #[test]
    fn need_is_the_smallest_block_that_meets_the_criterion() {
        let margins: Vec<f64> = (0..200).map(|hour| f64::from(hour * 37 % 199) - 120.0).collect();
        let year = residuals(&margins);
        let block = required_block(&[&year], 0..200, Before::Own, &criterion(2.4), 1, 1.0);
        assert!(short_hours(&margins, block) <= 2);
        assert!(short_hours(&margins, block - 1e-9) > 2);
    }

    #[test]
    fn bisection_gives_the_order_statistic() {
        let margins: Vec<f64> = (0..500).map(|hour| f64::from(hour * 61 % 499) - 300.0).collect();
        let (mut low, mut high) = (-1_000.0, 1_000.0);
        while high - low > 1e-9 {
            let middle = (low + high) / 2.0;
            if short_hours(&margins, middle) > 4 { low = middle } else { high = middle }
        }
        let mut pooled = margins.clone();
        let allowed = allowed_epochs(&criterion(4.9), 1, 1.0);
        assert!((order_statistic(&mut pooled, allowed) - high).abs() < 1e-6);
    }

    #[test]
    fn two_regions_that_need_nothing_alone_may_need_something_together() {
        // Each short 100 GPUs in 2 different hours: 2.4 h/yr allows two short hours but not four.
        let mut first: Vec<f64> = vec![-10.0; 100];
        let mut second: Vec<f64> = vec![-10.0; 100];
        (first[3], first[4], second[50], second[51]) = (100.0, 100.0, 100.0, 100.0);
        let need = |margins: &[f64]| {
            let year = residuals(margins);
            required_block(&[&year], 0..100, Before::Own, &criterion(2.4), 1, 1.0).max(0.0)
        };
        let together: Vec<f64> =
            first.iter().zip(&second).map(|(a, b): (&f64, &f64)| a.max(0.0) + b.max(0.0)).collect();
        assert_eq!((need(&first), need(&second), need(&together)), (0.0, 0.0, 100.0));
    }

    #[test]
    fn deferrable_work_raises_the_need_until_it_is_done_in_time() {
        // No spare at all, 10 GPUs of deferrable work arriving each hour: the block must do 99.9 %
        // of it, less the last day's arrivals, which are not due within the year.
        let mut year = residuals(&[0.0; 1_000]);
        year.deferrable = vec![10.0; 1_000];
        let block = required_block(&[&year], 0..1_000, Before::Own, &criterion(2.4), 24, 1.0);
        assert!((9.7..=10.0).contains(&block), "{block}");
    }
}
