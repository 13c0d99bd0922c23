//! Estimates that carry their own error, and mergeable latency histograms.

use serde::Serialize;

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Estimate {
    /// Sample mean.
    pub mean: f64,
    /// Standard error of the mean; 0 when there is but one sample.
    pub standard_error: f64,
}

impl Estimate {
    /// Mean and standard error of independent samples, summed in the given order.
    #[must_use]
    pub fn of(samples: &[f64]) -> Self {
        let count = samples.len() as f64;
        if samples.is_empty() {
            return Self::default();
        }
        let mean = samples.iter().sum::<f64>() / count;
        if samples.len() < 2 {
            return Self { mean, standard_error: 0.0 };
        }
        let squares: f64 = samples.iter().map(|value| (value - mean) * (value - mean)).sum();
        let variance = squares / (count - 1.0);
        Self { mean, standard_error: (variance / count).sqrt() }
    }

    /// Mean of the largest `share` (above 0, at most 1) of independent samples, rounded up to whole
    /// ones: the conditional value at risk. Its error is the asymptotic one (Hong, Hu, Liu 2014):
    /// the spread in the tail and that of where it begins.
    #[must_use]
    pub fn of_tail(samples: &[f64], share: f64) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let count = (samples.len() as f64 * share).ceil() as usize;
        sorted.truncate(count.max(1));
        let (tail, Some(begin)) = (Self::of(&sorted), sorted.last()) else {
            return Self::default();
        };
        let beyond = tail.mean - begin;
        let variance = beyond * beyond * (1.0 - share) / sorted.len() as f64;
        let error = tail.standard_error * tail.standard_error + variance;
        Self { mean: tail.mean, standard_error: error.sqrt() }
    }

    /// [`Estimate::of_tail`] of samples that come in groups of `group` in a row (at least 1), of
    /// which only the groups are independent: the same linearised tail mean, each sample's
    /// influence `q + (x - q)+ / share - tail mean` averaged over its group first, and the error
    /// that of the mean over groups. Where the tail is in few groups that is next to nothing:
    /// then it is what leaving out one group after another says (jackknife; Efron, Stein 1981).
    #[must_use]
    pub fn of_grouped_tail(samples: &[f64], group: usize, share: f64) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let count = ((samples.len() as f64 * share).ceil() as usize).max(1);
        sorted.truncate(count);
        let Some(begin) = sorted.last().copied() else { return Self::default() };
        let mean = sorted.iter().sum::<f64>() / count as f64;
        let part = count as f64 / samples.len() as f64;
        let influence = |value: &f64| begin + (value - begin).max(0.0) / part - mean;
        let of_group =
            |values: &[f64]| values.iter().map(influence).sum::<f64>() / values.len() as f64;
        let groups: Vec<f64> = samples.chunks(group).map(of_group).collect();
        let linear = Self::of(&groups).standard_error;
        Self { mean, standard_error: linear.max(jackknifed_tail(samples, group, share)) }
    }

    /// The ratio of the means of two lists of independent pairs, 0 where the second is: its error
    /// is the linearised one, that of the mean of `part - ratio * whole` over the mean of the
    /// wholes (Cochran 1977, Sampling Techniques, chapter 6).
    #[must_use]
    pub fn of_ratio(parts: &[f64], wholes: &[f64]) -> Self {
        let whole = Self::of(wholes).mean;
        if whole <= 0.0 {
            return Self::default();
        }
        let ratio = Self::of(parts).mean / whole;
        let rest: Vec<f64> =
            parts.iter().zip(wholes).map(|(part, whole)| part - ratio * whole).collect();
        Self { mean: ratio, standard_error: Self::of(&rest).standard_error / whole }
    }

    /// The same estimate in a unit of which one is `factor` of the present one.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, standard_error: self.standard_error * factor.abs() }
    }

    /// Whether `value` lies within `k` standard errors of the mean.
    #[must_use]
    pub fn within(self, value: f64, k: f64) -> bool {
        (self.mean - value).abs() <= k * self.standard_error
    }
}

/// Standard error of the mean of the largest `share` of samples in groups of `group`, from the
/// tails that are left without each of the groups.
fn jackknifed_tail(samples: &[f64], group: usize, share: f64) -> f64 {
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by(|a, b| samples[*b].total_cmp(&samples[*a]));
    let groups = samples.len().div_ceil(group);
    let tail_without = |left_out: usize| {
        let others = order.iter().filter(|index| **index / group != left_out);
        let most = share * (samples.len() - group.min(samples.len() - left_out * group)) as f64;
        let (mut taken, mut sum) = (0.0, 0.0);
        for index in others {
            let part = f64::min(1.0, most - taken);
            if part <= 0.0 {
                break;
            }
            taken += part;
            sum += part * samples[*index];
        }
        if taken > 0.0 { sum / taken } else { 0.0 }
    };
    if groups < 2 || order.first().is_none_or(|index| samples[*index] == 0.0) {
        return 0.0;
    }
    let tails: Vec<f64> = (0..groups).map(tail_without).collect();
    let mean = tails.iter().sum::<f64>() / groups as f64;
    let squares: f64 = tails.iter().map(|tail| (tail - mean) * (tail - mean)).sum();
    (squares * (groups - 1) as f64 / groups as f64).sqrt()
}

/// A quantile with the interval of order statistics that holds it with 90 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct RankedQuantile {
    /// The sample quantile (inverse of the empirical distribution: a value that occurred).
    pub value: f64,
    /// Lower end of the binomial rank interval.
    pub low: f64,
    /// Upper end of the binomial rank interval.
    pub high: f64,
}

/// P10, P50 and P90 over worlds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Spread {
    /// 10th percentile.
    pub p10: RankedQuantile,
    /// Median.
    pub p50: RankedQuantile,
    /// 90th percentile.
    pub p90: RankedQuantile,
}

impl Spread {
    /// The three quantiles of the samples, in any order.
    #[must_use]
    pub fn of(samples: &[f64]) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |p| ranked_quantile(&sorted, p);
        Self { p10: at(0.1), p50: at(0.5), p90: at(0.9) }
    }

    /// The same spread with every value multiplied (`factor` must not be negative).
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let scale = |q: RankedQuantile| RankedQuantile {
            value: q.value * factor,
            low: q.low * factor,
            high: q.high * factor,
        };
        Self { p10: scale(self.p10), p50: scale(self.p50), p90: scale(self.p90) }
    }
}

/// The quantile `p` of sorted samples with its 90 % binomial rank interval: the order statistics
/// `l` and `u` between which the true quantile lies with the stated confidence whatever the law
/// of the samples (Conover, Practical Nonparametric Statistics, chapter 3).
#[must_use]
pub fn ranked_quantile(sorted: &[f64], p: f64) -> RankedQuantile {
    let count = sorted.len();
    if count == 0 {
        return RankedQuantile::default();
    }
    let rank = ((p * count as f64).ceil() as usize).clamp(1, count) - 1;
    let low = binomial_rank(count, p, 0.05).saturating_sub(1);
    let high = binomial_rank(count, p, 0.95).min(count - 1);
    RankedQuantile { value: sorted[rank], low: sorted[low.min(rank)], high: sorted[high.max(rank)] }
}

/// Smallest k with P(Binomial(n, p) <= k) >= level.
fn binomial_rank(n: usize, p: f64, level: f64) -> usize {
    let ratio = p / (1.0 - p);
    let mut log_term = n as f64 * libm::log(1.0 - p);
    let mut cumulative = libm::exp(log_term);
    let mut k = 0;
    while cumulative < level && k < n {
        log_term += libm::log(ratio * (n - k) as f64 / (k + 1) as f64);
        cumulative += libm::exp(log_term);
        k += 1;
    }
    k
}

/// Sub-buckets per power of two: bins are at most 1/64 = 1.6 % wide.
const SUB: u32 = 6;
const BINS: usize = ((64 - SUB as usize) + 1) << SUB;

/// Counts of non-negative integers in fixed bins, exact to merge in any order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    sum: u128,
    largest: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BINS], sum: 0, largest: 0 }
    }
}

fn bin_of(value: u64) -> usize {
    if value < (1 << SUB) {
        return value as usize;
    }
    let shift = 63 - value.leading_zeros() - SUB;
    (((shift + 1) as usize) << SUB) + ((value >> shift) as usize & ((1 << SUB) - 1))
}

/// Largest value of a bin.
fn bin_top(bin: usize) -> u64 {
    if bin < (1 << SUB) {
        return bin as u64;
    }
    let shift = (bin >> SUB) as u32 - 1;
    let low = ((1u64 << SUB) + (bin as u64 & ((1 << SUB) - 1))) << shift;
    low + ((1u64 << shift) - 1)
}

impl Histogram {
    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.counts[bin_of(value)] += 1;
        self.sum += u128::from(value);
        self.largest = self.largest.max(value);
    }

    /// Counts `weight` times each of the `terms` terms of an arithmetic progression, every one of
    /// them cut by `bits` binary digits. The sum is cut once, not term by term.
    pub fn record_progression(
        &mut self,
        (first, growth): (u64, u64),
        terms: u64,
        weight: u64,
        bits: u32,
    ) {
        if terms == 0 || weight == 0 {
            return;
        }
        let last = u128::from(first) + u128::from(growth) * u128::from(terms - 1);
        let (low, high) = (first >> bits, (last >> bits) as u64);
        if bin_of(low) == bin_of(high) {
            self.counts[bin_of(low)] += weight * terms;
        } else {
            self.spread_progression((first, growth), terms, weight, bits);
        }
        let pairs = u128::from(terms) * u128::from(terms - 1) / 2;
        let sum = u128::from(first) * u128::from(terms) + u128::from(growth) * pairs;
        self.sum += (sum * u128::from(weight)) >> bits;
        self.largest = self.largest.max(high);
    }

    /// Counts the terms of a progression that reaches over several bins.
    #[cold]
    fn spread_progression(
        &mut self,
        (first, growth): (u64, u64),
        terms: u64,
        weight: u64,
        bits: u32,
    ) {
        let mut index = 0;
        while index < terms {
            let term = u128::from(first) + u128::from(growth) * u128::from(index);
            let bin = bin_of((term >> bits) as u64);
            let above = (u128::from(bin_top(bin)) + 1) << bits;
            let below = (above - u128::from(first)).div_ceil(u128::from(growth)) as u64;
            let inside = below.min(terms);
            self.counts[bin] += weight * (inside - index);
            index = inside;
        }
    }

    /// Adds the counts of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum += other.sum;
        self.largest = self.largest.max(other.largest);
    }

    /// How many values were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Exact mean of the values, 0 when there are none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let total = self.count();
        if total == 0 { 0.0 } else { self.sum as f64 / total as f64 }
    }

    /// Largest value counted.
    #[must_use]
    pub fn largest(&self) -> u64 {
        self.largest
    }

    /// A value at or above the share `p` of the counts, at most one bin width too high.
    #[must_use]
    pub fn quantile(&self, p: f64) -> u64 {
        let total = self.count();
        let rank = ((p * total as f64).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return bin_top(bin).min(self.largest);
            }
        }
        self.largest
    }
}

/// The lower triangular factor `L` of a symmetric matrix, `L L^T` (Cholesky); `None` unless the
/// matrix is positive definite.
#[must_use]
pub fn cholesky(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    let mut factor = vec![vec![0.0; size]; size];
    for row in 0..size {
        for column in 0..=row {
            let known: f64 = (0..column).map(|k| factor[row][k] * factor[column][k]).sum();
            let left = matrix[row][column] - known;
            factor[row][column] = if row > column {
                left / factor[column][column]
            } else if left > 1e-9 {
                left.sqrt()
            } else {
                return None;
            };
        }
    }
    Some(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_of_a_hand_worked_sample() {
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(estimate.mean, 2.5);
        // Variance 5/3, standard error sqrt(5/12).
        assert!((estimate.standard_error - (5.0_f64 / 12.0).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_tail_of_groups_worked_by_hand() {
        // Two worlds of two years; the worst half are 9 and 5, so the tail mean is 7 and begins
        // at 5. Influences: 5 + 4 / 0.5 - 7 = 6 for the 9, -2 for each of the others; groups: 2
        // and -2, whose mean has the standard error sqrt(8 / 2) = 2.
        let found = Estimate::of_grouped_tail(&[9.0, 1.0, 5.0, 3.0], 2, 0.5);
        assert_eq!((found.mean, found.standard_error), (7.0, 2.0));
        // Twins in a group tell no more than one of them: the error is that of the groups.
        let twins = Estimate::of_grouped_tail(&[9.0, 9.0, 1.0, 1.0, 5.0, 5.0, 3.0, 3.0], 2, 0.5);
        let alone = Estimate::of_grouped_tail(&[9.0, 1.0, 5.0, 3.0], 1, 0.5);
        assert_eq!(twins, alone);
        // Independent samples: the same as the formula for those, but for n - 1 in place of n.
        let many: Vec<f64> = (0..2_000).map(|i| f64::from(i * 7_919 % 2_000).powi(2)).collect();
        let (grouped, plain) =
            (Estimate::of_grouped_tail(&many, 1, 0.05), Estimate::of_tail(&many, 0.05));
        assert_eq!(grouped.mean, plain.mean);
        assert!((grouped.standard_error / plain.standard_error - 1.0).abs() < 0.03);
        // One world in twenty is the tail, whatever its two years are: without it nothing is.
        let mut lonely = vec![0.0; 40];
        (lonely[8], lonely[9]) = (100.0, 99.0);
        let found = Estimate::of_grouped_tail(&lonely, 2, 0.05);
        assert!(found.mean == 99.5 && found.standard_error > 90.0, "{found:?}");
    }

    #[test]
    fn a_ratio_worked_by_hand() {
        // (1, 10) and (3, 30) lie on one line through the origin: no rest, no error.
        let exact = Estimate::of_ratio(&[1.0, 3.0], &[10.0, 30.0]);
        assert_eq!((exact.mean, exact.standard_error), (0.1, 0.0));
        // (0, 10) and (4, 30): rests -1 and 1, standard error of their mean 1, over 20.
        let found = Estimate::of_ratio(&[0.0, 4.0], &[10.0, 30.0]);
        assert_eq!((found.mean, found.standard_error), (0.1, 0.05));
        assert_eq!(Estimate::of_ratio(&[0.0], &[0.0]), Estimate::default());
    }

    #[test]
    fn rank_interval_of_a_median_of_one_hundred() {
        let sorted: Vec<f64> = (1..=100).map(f64::from).collect();
        let median = ranked_quantile(&sorted, 0.5);
        assert_eq!(median.value, 50.0);
        // Binomial(100, 1/2): P(X <= 41) = 0.0443, P(X <= 42) = 0.0666, P(X <= 58) = 0.9557.
        assert_eq!((median.low, median.high), (42.0, 59.0));
    }

    #[test]
    fn histogram_bins_are_narrow_and_ordered() {
        for value in (0..100_000u64).chain([u64::MAX, u64::MAX / 3, 1 << 40]) {
            let top = bin_top(bin_of(value));
            assert!(top >= value && (top - value) as f64 <= value as f64 / 64.0);
        }
    }

    #[test]
    fn histogram_merges_exactly() {
        let (mut left, mut right, mut all) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..1_000u64 {
            let side = if value % 3 == 0 { &mut left } else { &mut right };
            side.record(value * value);
            all.record(value * value);
        }
        left.merge(&right);
        assert_eq!(left, all);
        assert_eq!(all.quantile(1.0), 999 * 999);
    }

    #[test]
    fn a_progression_is_counted_like_its_terms() {
        for (first, growth, terms) in [(3, 0, 5), (1_000, 7, 400), (1 << 40, 1 << 33, 999)] {
            let (mut whole, mut single) = (Histogram::default(), Histogram::default());
            whole.record_progression((first, growth), terms, 3, 4);
            for term in 0..terms {
                (0..3).for_each(|_| single.record((first + growth * term) >> 4));
            }
            assert_eq!(whole.counts, single.counts);
            assert_eq!(whole.largest, single.largest);
            assert!((whole.mean() - single.mean()).abs() < 1.0);
        }
    }

    #[test]
    fn a_matrix_has_the_factor_worked_by_hand() {
        // Rows (2), (1, 3) and (-1, 2, 1): their products.
        let matrix = [vec![4.0, 2.0, -2.0], vec![2.0, 10.0, 5.0], vec![-2.0, 5.0, 6.0]];
        let factor = vec![vec![2.0, 0.0, 0.0], vec![1.0, 3.0, 0.0], vec![-1.0, 2.0, 1.0]];
        assert_eq!(cholesky(&matrix), Some(factor));
        assert_eq!(cholesky(&[vec![1.0, 1.0], vec![1.0, 1.0]]), None);
        assert_eq!(cholesky(&[vec![1.0, 2.0], vec![2.0, 1.0]]), None);
    }
}
