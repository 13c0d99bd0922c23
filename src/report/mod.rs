//! The answer made visible: a table for the terminal, files for other programs, a chart for
//! people. Results in, bytes out.
//!
//! Nothing here simulates or decides; every number is read from [`crate::plan::Answer`]. Only
//! [`write_folder`] touches the file system.

mod adequacy;
mod chart;
mod columns;
mod error;
mod folder;
mod frontier;
mod heat;
mod measures;
mod measures_table;
mod published;
mod rounding;
mod simulate;
mod size;
mod stack;
mod summary;
mod sweep;
#[cfg(feature = "parquet")]
mod sweep_parquet;
mod table;
mod validation;
#[cfg(feature = "parquet")]
mod worlds;
mod worth;
mod years;

pub use adequacy::{
    AdequacyReport, AssessedRisk, system_adequacy_csv, system_adequacy_json, system_adequacy_table,
};
pub use chart::{frontier_png, frontier_svg, gap_png, gap_svg, heatmap_png, heatmap_svg};
pub use columns::{metric_names, sweep_rows};
pub use error::ReportError;
pub use folder::{Staged, check_folder, write_folder};
pub use frontier::{FrontierReport, Measure, frontier_csv, frontier_json, frontier_table};
pub use heat::{Cell, Heat, Panel, Side};
pub use measures::adequacy_csv;
pub use published::PublishedFactors;
pub use simulate::{DeploymentWords, SimulationReport, simulation_json, simulation_table};
pub use size::{SizeReport, size_csv, size_json, size_table};
pub use stack::StackSource;
pub use summary::summary_json;
pub use sweep::SweepTable;
pub use table::table;
pub use validation::{StatedErrors, Validation, stated_errors};
#[cfg(feature = "parquet")]
pub use worlds::worlds_parquet;
pub use worth::{worth_json, worth_table};
pub use years::years_csv;

/// The first eight digits of a scenario's hash: enough to tell runs apart in print.
fn short_hash(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}
