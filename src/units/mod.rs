//! Units as types: every dimensioned number of the model is a newtype over `f64`, read from and
//! written to a scenario as a string with its unit (`"2 GW"`, `"45 ms"`, `"35B USD"`).
//!
//! Here live the newtypes, their parser and the uncertain quantities built on them
//! ([`Uncertain`]). Calendar dates and the two clocks are in [`crate::time`]; nothing here knows
//! what a quantity is used for.

mod parse;
mod schema;
mod uncertain;

pub use parse::{QuantityError, parse_number, parse_quantity};
pub use uncertain::{Distribution, Uncertain, correlate, normal_score, uniform_of_score};

use std::borrow::Cow;
use std::ops::{Add, AddAssign, Div, Mul, Sub};

use schemars::{JsonSchema, Schema, SchemaGenerator};

/// A number with a dimension, a set of unit names and a legal range.
pub trait Quantity: Copy + JsonSchema {
    /// What the number measures, as an error message says it: `power`.
    const KIND: &'static str;
    /// A well-formed value for error messages: `2 GW`.
    const EXAMPLE: &'static str;
    /// Unit names with their size in the base unit; the base unit is the one of size 1.
    const UNITS: &'static [(&'static str, f64)];
    /// Smallest and largest legal value in base units.
    const RANGE: (f64, f64);
    /// Whether a bare number is understood (dimensionless quantities only).
    const BARE: bool;
    /// Wraps a number of base units.
    fn from_base(value: f64) -> Self;
    /// The number of base units.
    fn base(self) -> f64;
}

/// Defines one quantity: its type, its words, its units and its range.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $example:literal, bare $bare:literal,
     $low:expr => $high:expr, { $($unit:literal = $size:expr),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
        pub struct $name(pub f64);

        impl Quantity for $name {
            const KIND: &'static str = $kind;
            const EXAMPLE: &'static str = $example;
            const UNITS: &'static [(&'static str, f64)] = &[$(($unit, $size)),+];
            const RANGE: (f64, f64) = ($low, $high);
            const BARE: bool = $bare;
            fn from_base(value: f64) -> Self { Self(value) }
            fn base(self) -> f64 { self.0 }
        }
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self { Self(self.0 + other.0) }
        }
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { self.0 += other.0; }
        }
        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self { Self(self.0 - other.0) }
        }
        impl Mul<f64> for $name {
            type Output = Self;
            fn mul(self, factor: f64) -> Self { Self(self.0 * factor) }
        }
        impl Div for $name {
            type Output = f64;
            fn div(self, other: Self) -> f64 { self.0 / other.0 }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                parse::deserialize(from)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                parse::serialize(*self, to)
            }
        }
        impl JsonSchema for $name {
            fn inline_schema() -> bool { true }
            fn schema_name() -> Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut SchemaGenerator) -> Schema { schema::plain::<Self>() }
        }
    };
}

const INF: f64 = f64::MAX;

quantity!(
    /// A span of time, in seconds; a month is 30.4375 days, a year 365.25 days.
    Seconds, "duration", "45 ms", bare false, -INF => INF,
    { "s" = 1.0, "ns" = 1e-9, "us" = 1e-6, "ms" = 1e-3, "min" = 60.0, "h" = 3600.0, "d" = 86_400.0,
      "days" = 86_400.0, "weeks" = 604_800.0, "months" = 2_629_800.0, "years" = 31_557_600.0 }
);
quantity!(
    /// Tokens, as a fluid amount (the engine counts them in integers).
    Tokens, "token count", "2.5k tokens", bare false, 0.0 => INF, { "tokens" = 1.0 }
);
quantity!(
    /// Requests of one person and day, or engine calls of one person and day.
    RequestsPerDay, "daily request rate", "4 requests/day", bare false, 0.0 => INF,
    { "requests/day" = 1.0, "calls/day" = 1.0 }
);
quantity!(
    /// Bytes of memory; decimal multiples.
    Bytes, "memory size", "288 GB", bare false, 0.0 => INF,
    { "B" = 1.0, "kB" = 1e3, "MB" = 1e6, "GB" = 1e9, "TB" = 1e12 }
);
quantity!(
    /// Bytes per second of a memory or a link.
    BytesPerSecond, "bandwidth", "8 TB/s", bare false, 0.0 => INF,
    { "B/s" = 1.0, "MB/s" = 1e6, "GB/s" = 1e9, "TB/s" = 1e12 }
);
quantity!(
    /// Floating-point operations per second, dense.
    FlopsPerSecond, "compute rate", "15 PFLOP/s", bare false, 0.0 => INF,
    { "FLOP/s" = 1.0, "TFLOP/s" = 1e12, "PFLOP/s" = 1e15, "EFLOP/s" = 1e18 }
);
quantity!(
    /// Electrical power; the field says whether it is IT or facility power.
    Watts, "power", "2 GW", bare false, 0.0 => INF,
    { "W" = 1.0, "kW" = 1e3, "MW" = 1e6, "GW" = 1e9 }
);
quantity!(
    /// US dollars, nominal.
    Dollars, "sum of money", "35B USD", bare false, 0.0 => INF, { "USD" = 1.0 }
);
quantity!(
    /// US dollars per GPU package and hour.
    DollarsPerGpuHour, "GPU price", "4.55 USD/gpu-h", bare false, 0.0 => INF,
    { "USD/gpu-h" = 1.0 }
);
quantity!(
    /// People.
    Users, "number of users", "1.4 B users", bare false, 0.0 => INF, { "users" = 1.0 }
);
quantity!(
    /// Model parameters.
    Parameters, "parameter count", "117B params", bare false, 0.0 => INF, { "params" = 1.0 }
);
quantity!(
    /// A part of a whole, 0 to 1, written in percent.
    Share, "share", "8%", bare false, 0.0 => 1.0, { "%" = 0.01, "of 1" = 1.0 }
);
quantity!(
    /// Relative change per year, above -1, written `25 %/yr`.
    AnnualGrowth, "yearly growth", "25 %/yr", bare false, -0.999 => 100.0,
    { "/yr" = 1.0, "%/yr" = 0.01 }
);
quantity!(
    /// A dimensionless factor, zero or more.
    Factor, "factor", "1.3", bare true, 0.0 => INF, { "" = 1.0, "x" = 1.0 }
);
quantity!(
    /// Hours in a year during which something holds.
    HoursPerYear, "hours per year", "2.4 h/yr", bare false, 0.0 => 8784.0,
    { "h/yr" = 1.0, "d/yr" = 24.0 }
);
quantity!(
    /// Events in a year.
    EventsPerYear, "events per year", "0.1 events/yr", bare false, 0.0 => 8784.0,
    { "events/yr" = 1.0 }
);
quantity!(
    /// GPU packages, as a fluid amount (a Vera Rubin NVL72 rack has 72).
    GpuAmount, "number of GPUs", "1.2M gpus", bare false, 0.0 => INF, { "gpus" = 1.0 }
);
