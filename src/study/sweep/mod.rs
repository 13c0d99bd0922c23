//! Sweeps: one base scenario, varied along axes; every point answered once and kept.
//!
//! `file` is what is written in a sweep file, `axis` how its axes become steps, `points` the
//! scenarios that they lead to, `units` what is kept of each on disk and how the rest is computed.
//! What is answered for a point is the caller's: the plan stands on a higher floor.

mod axis;
mod file;
mod points;
mod units;

pub use axis::{Axis, Patch, Step};
pub use file::{Combine, Heatmap, Sweep};
pub use points::{SweepError, SweepPoint, sweep_hash};
pub use units::{SweepFailure, SweepOutcome, SweepRow, read_unit, run_sweep};
