//! How a quantity moves over the years: constant, linear, exponential, logistic, or a series by
//! year. A law's `start` holds at the middle of 2026 (the average of that year).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::{AnnualGrowth, Quantity, Uncertain};

/// Middle of the base year as a decimal year: the instant at which the `start` of a law holds.
pub const BASE_YEAR: f64 = 2026.5;

/// Answers with the uniform number of a part of a law, by its name and that of a shared draw.
pub type Draws<'a> = dyn FnMut(&str, Option<&str>) -> f64 + 'a;

/// A growth law for a quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[serde(bound(serialize = "Q: Quantity", deserialize = "Q: Quantity"))]
#[schemars(bound = "Q: Quantity", rename = "Growth_{Q}")]
pub enum Growth<Q> {
    /// The same in every year.
    Constant(Uncertain<Q>),
    /// A straight line; never below the quantity's legal range nor above `cap`.
    Linear {
        /// Value in the middle of 2026.
        start: Uncertain<Q>,
        /// What is added in a year.
        per_year: Uncertain<Q>,
        /// Ceiling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cap: Option<Uncertain<Q>>,
    },
    /// A constant relative growth.
    Exponential {
        /// Value in the middle of 2026.
        start: Uncertain<Q>,
        /// Relative growth per year.
        growth: Uncertain<AnnualGrowth>,
    },
    /// Grows by `growth` a year at first and levels off at `cap`.
    Logistic {
        /// Value in the middle of 2026.
        start: Uncertain<Q>,
        /// Relative growth per year at the start, limits included.
        growth: Uncertain<AnnualGrowth>,
        /// Value in the end.
        cap: Uncertain<Q>,
    },
    /// Values at the middle of the named years, straight lines between, flat beyond.
    Series(BTreeMap<u16, Uncertain<Q>>),
}

impl<Q: Quantity> Growth<Q> {
    /// The value at a decimal year, with every uncertain part drawn by `draw`, which is given the
    /// part's name and the name of the draw that it shares, if any, and must return a uniform
    /// number (0.5 for the central case).
    pub fn at(&self, year: f64, draw: &mut Draws<'_>) -> Q {
        let elapsed = year - BASE_YEAR;
        let value = match self {
            Self::Constant(value) => value.at(draw("", value.draw.as_deref())).base(),
            Self::Linear { start, per_year, cap } => {
                let line = start.at(draw("start", start.draw.as_deref())).base()
                    + elapsed * per_year.at(draw("per_year", per_year.draw.as_deref())).base();
                let cap = cap.as_ref().map(|cap| cap.at(draw("cap", cap.draw.as_deref())).base());
                line.min(cap.unwrap_or(f64::MAX))
            }
            Self::Exponential { start, growth } => {
                let rate = libm::log1p(growth.at(draw("growth", growth.draw.as_deref())).0);
                start.at(draw("start", start.draw.as_deref())).base() * libm::exp(rate * elapsed)
            }
            Self::Logistic { start, growth, cap } => logistic(
                start.at(draw("start", start.draw.as_deref())).base(),
                growth.at(draw("growth", growth.draw.as_deref())).0,
                cap.at(draw("cap", cap.draw.as_deref())).base(),
                elapsed,
            ),
            Self::Series(points) => interpolate(points, year, draw),
        };
        let (low, high) = Q::RANGE;
        Q::from_base(value.clamp(low, high))
    }

    /// The value at a decimal year with every part at its median.
    #[must_use]
    pub fn central(&self, year: f64) -> Q {
        self.at(year, &mut |_, _| 0.5)
    }
}

/// `cap / (1 + (cap/start - 1) exp(-r t))`, with r such that the first year grows by `growth`
/// relative to the room left; a start within a fifth of the cap counts as having a fifth of room,
/// since the law could not have come from far below in a few years. A start above the cap is cut.
fn logistic(start: f64, growth: f64, cap: f64, elapsed: f64) -> f64 {
    if start <= 0.0 || start >= cap {
        return start.clamp(0.0, cap);
    }
    let room = (1.0 - start / cap).max(0.2);
    let rate = libm::log1p(growth) / room;
    cap / (1.0 + (cap / start - 1.0) * libm::exp(-rate * elapsed))
}

fn interpolate<Q: Quantity>(
    points: &BTreeMap<u16, Uncertain<Q>>,
    year: f64,
    draw: &mut Draws<'_>,
) -> f64 {
    // One uniform number for the whole series: a high draw is high in every year.
    let shared = points.values().find_map(|point| point.draw.as_deref());
    let u = draw("", shared);
    let value = |entry: (&u16, &Uncertain<Q>)| (f64::from(*entry.0) + 0.5, entry.1.at(u).base());
    let before = points.iter().map(value).rfind(|point| point.0 <= year);
    let after = points.iter().map(value).find(|point| point.0 > year);
    match (before, after) {
        (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (year - x0) / (x1 - x0),
        (Some((_, only)), None) | (None, Some((_, only))) => only,
        (None, None) => 0.0,
    }
}
