//! Rank correlations between named draws, and the factor that turns independent normal scores into
//! correlated ones.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::stats::cholesky;

/// Two named draws that tend to be high together, or opposite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankCorrelation {
    /// Names of the two draws (the `draw` of uncertain quantities).
    pub between: (String, String),
    /// Rank correlation (Spearman), above -1 and below 1.
    pub rank: f64,
    /// Who says so.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

impl Scenario {
    /// The draws that any correlation names, in order, and the lower triangular factor of the
    /// correlations of their normal scores; `None` where these cannot hold together.
    ///
    /// A Gaussian copula: scores correlated by `r = 2 sin(pi rank / 6)` have this rank correlation
    /// (Pearson 1907).
    #[must_use]
    pub fn correlated_draws(&self) -> Option<(Vec<&str>, Vec<Vec<f64>>)> {
        let pairs = || self.correlations.iter().map(|entry| (&*entry.between.0, &*entry.between.1));
        let names: BTreeSet<&str> = pairs().flat_map(|(one, other)| [one, other]).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let mut matrix = vec![vec![0.0; names.len()]; names.len()];
        for (index, row) in matrix.iter_mut().enumerate() {
            row[index] = 1.0;
        }
        let place = |name: &str| names.binary_search(&name).unwrap_or(0);
        for (entry, (one, other)) in self.correlations.iter().zip(pairs()) {
            let score = 2.0 * libm::sin(std::f64::consts::PI * entry.rank / 6.0);
            let (row, column) = (place(one), place(other));
            matrix[row][column] = score;
            matrix[column][row] = score;
        }
        cholesky(&matrix).map(|factor| (names, factor))
    }
}
