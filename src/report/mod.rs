//! The answer made visible: a table for the terminal, files for other programs, a chart for
//! people. Results in, bytes out.
//!
//! Nothing here simulates or decides; every number is read from [`crate::plan::Answer`]. Only
//! [`write_folder`] touches the file system.

mod chart;
mod error;
mod folder;
mod rounding;
mod summary;
mod table;
#[cfg(feature = "parquet")]
mod worlds;
mod years;

pub use chart::{gap_png, gap_svg};
pub use error::ReportError;
pub use folder::{check_folder, write_folder};
pub use summary::summary_json;
pub use table::table;
#[cfg(feature = "parquet")]
pub use worlds::worlds_parquet;
pub use years::years_csv;

/// The first eight digits of a scenario's hash: enough to tell runs apart in print.
fn short_hash(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}
