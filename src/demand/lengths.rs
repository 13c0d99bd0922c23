//! Token lengths: an empirical quantile table or a lognormal, scaled to a mean that may be
//! uncertain and may grow.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Growth;
use crate::units::Tokens;

/// The quantile function of a measured length distribution, linear between its knots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LengthTable {
    /// Trace and licence.
    pub source: String,
    /// Date of the trace.
    pub as_of: String,
    /// Mean of the trace itself, tokens.
    pub mean: f64,
    /// (probability, tokens), both rising, from probability 0 to 1.
    pub quantiles: Vec<(f64, f64)>,
}

impl LengthTable {
    /// Tokens at the uniform number `u` (0 to 1), not rounded.
    #[must_use]
    pub fn at(&self, u: f64) -> f64 {
        let upper = self.quantiles.partition_point(|knot| knot.0 <= u);
        let upper = upper.clamp(1, self.quantiles.len() - 1);
        let (p0, t0) = self.quantiles[upper - 1];
        let (p1, t1) = self.quantiles[upper];
        if p1 <= p0 { t1 } else { t0 + (t1 - t0) * (u - p0) / (p1 - p0) }
    }
}

static TABLES: LazyLock<BTreeMap<String, LengthTable>> = LazyLock::new(|| {
    let text = include_str!("../../configs/token_lengths.ron");
    ron::from_str(text).expect("the embedded tables are well formed: a test reads them")
});

/// The quantile tables that ship with the program, by name.
#[must_use]
pub fn length_tables() -> &'static BTreeMap<String, LengthTable> {
    &TABLES
}

/// Shape of a length distribution, before it is scaled to its mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Shape {
    /// A shipped quantile table, by name.
    Empirical(String),
    /// Lognormal with this standard deviation of the logarithm.
    Lognormal(f64),
    /// Every call has the mean length.
    Fixed,
}

/// Token lengths of one part of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenLengths {
    /// Shape of the distribution.
    pub shape: Shape,
    /// Its mean over the years.
    pub mean: Growth<Tokens>,
}
