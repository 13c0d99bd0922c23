//! The answer made visible: a table for the terminal, files for other programs, a chart for
//! people. Results in, bytes out.
//!
//! Nothing here simulates or decides; every number is read from [`crate::plan::Answer`]. Only
//! [`write_folder`] touches the file system.

mod chart;
mod columns;
mod error;
mod folder;
mod heat;
mod rounding;
mod simulate;
mod summary;
mod sweep;
#[cfg(feature = "parquet")]
mod sweep_parquet;
mod table;
#[cfg(feature = "parquet")]
mod worlds;
mod years;

pub use chart::{gap_png, gap_svg, heatmap_png, heatmap_svg};
pub use columns::{metric_names, sweep_rows};
pub use error::ReportError;
pub use folder::{Staged, check_folder, write_folder};
pub use heat::{Cell, Heat, Panel, Side};
pub use simulate::{DeploymentWords, SimulationReport, simulation_json, simulation_table};
pub use summary::summary_json;
pub use sweep::SweepTable;
pub use table::table;
#[cfg(feature = "parquet")]
pub use worlds::worlds_parquet;
pub use years::years_csv;

/// The first eight digits of a scenario's hash: enough to tell runs apart in print.
fn short_hash(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}
