//! What the model says against what was measured: recorded runs, their predictions by the engine,
//! the fit of the efficiencies and its errors on what it has not seen.

mod coefficients;
mod doubt;
mod fit;
mod predict;
mod promised;
mod published;
mod rows;
mod runs;
mod stack;
mod summary;
mod whole;

pub use coefficients::{
    Coefficients, EFFICIENCY_COEFFICIENTS, FittedCoefficient, FittedCoefficients,
    STEP_COEFFICIENTS, fit_error, generation,
};
pub use doubt::speed_doubt;
pub use fit::{EfficiencyFit, LogErrors, errors_of, fit};
pub use predict::{Latencies, calls_of, predict};
pub use published::{
    Published, PublishedOutcome, PublishedRatio, published_ratio, published_throughputs,
};
pub use rows::Row;
pub use runs::{MeasuredRun, RunsError, Workers, read_runs};
pub use stack::ServingStack;
pub use summary::{ErrorGroup, Spread, cell_error, error_groups, measured_scatter};
