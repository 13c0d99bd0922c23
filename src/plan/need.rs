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
    deadlines: &[usize],
    epoch_hours: f64,
) -> f64 {
    let mut pooled = Vec::with_capacity(samples.len() * epochs.len());
    for residuals in samples {
        pooled.extend_from_slice(&before.margins(residuals)[epochs.clone()]);
    }
    let allowed = allowed_epochs(criterion, samples.len(), epoch_hours);
    let interactive = order_statistic(&mut pooled, allowed);
    let interactive = with_returns(samples, epochs.clone(), before, allowed, interactive);
    let misses = |block: f64| missed_share(samples, epochs.clone(), before, block, deadlines);
    let most = criterion.deferrable_misses.0;
    if !interactive.is_finite() || misses(interactive) <= most {
        return interactive;
    }
    smallest_from(interactive, |block| misses(block) <= most)
}

/// The smallest block above `low`, which is too small, that `suffices`, by bisection.
fn smallest_from(mut low: f64, suffices: impl Fn(f64) -> bool) -> f64 {
    let mut step = low.abs().max(1.0);
    while !suffices(low + step) && step < 1e12 {
        step *= 2.0;
    }
    let mut high = low + step;
    // To a tenth of a GPU or a part in a million, whichever is coarser.
    while high - low > (high.abs() * 1e-6).max(0.1) {
        let middle = low + (high - low) / 2.0;
        if suffices(middle) { high = middle } else { low = middle }
    }
    high
}

/// The block raised until the epochs that are short are few enough with the calls that come back
/// from the short ones. All that is refused counts as if it came back with the largest share and
/// as early as any does: an upper figure where workloads differ.
fn with_returns(
    samples: &[&Residuals],
    epochs: std::ops::Range<usize>,
    before: Before,
    allowed: usize,
    block: f64,
) -> f64 {
    let quiet = samples.iter().all(|residuals| residuals.returns.0 <= 0.0);
    let suffices = |block: f64| {
        let counts = samples.iter().map(|residuals| {
            short_epochs(&before.margins(residuals)[epochs.clone()], residuals.returns, block)
        });
        counts.sum::<usize>() <= allowed
    };
    if quiet || !block.is_finite() || suffices(block) {
        return block;
    }
    smallest_from(block, suffices)
}

/// Epochs that are short beside a block when a `share` of what is refused comes back `after` some
/// epochs, whole epochs at a time.
#[must_use]
pub fn short_epochs(margins: &[f64], (share, after): (f64, usize), block: f64) -> usize {
    let mut coming = vec![0.0; after.max(1)];
    let mut short = 0;
    for (epoch, margin) in margins.iter().enumerate() {
        let slot = epoch % coming.len();
        let refused = (margin + coming[slot] - block).max(0.0);
        short += usize::from(refused > 0.0);
        coming[slot] = refused * share;
    }
    short
}

/// Share of a year's deferrable work that misses its deadline beside a candidate block.
fn missed_share(
    samples: &[&Residuals],
    epochs: std::ops::Range<usize>,
    before: Before,
    block: f64,
    deadlines: &[usize],
) -> f64 {
    let kinds = deadlines.len();
    let (mut arrived, mut missed) = (0.0, 0.0);
    for residuals in samples {
        let mut backlog = Backlog::new(deadlines);
        let (margins, spare) = (before.margins(residuals), before.spare(residuals));
        for epoch in epochs.clone() {
            // What interactive work leaves of the block; a negative block takes spare away.
            let left = if block > 0.0 { (block - margins[epoch].max(0.0)).max(0.0) } else { block };
            let arrivals = &residuals.deferrable[epoch * kinds..(epoch + 1) * kinds];
            let step = backlog.step(arrivals, spare[epoch] + left);
            arrived += arrivals.iter().sum::<f64>();
            missed += step.missed;
        }
    }
    if arrived > 0.0 { missed / arrived } else { 0.0 }
}
