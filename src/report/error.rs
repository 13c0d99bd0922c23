//! What can go wrong between an answer and its bytes.

use std::path::PathBuf;

/// Why a report could not be drawn or written; displays as one sentence.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The font that comes with the program could not be read.
    #[error("cannot draw the chart: the built-in font is unreadable")]
    Font,
    /// The drawing library refused.
    #[error("cannot draw the chart: {0}")]
    Draw(String),
    /// The image could not be encoded.
    #[error("cannot encode the chart as PNG: {0}")]
    Encode(String),
    /// A file name that would leave the folder, or is empty.
    #[error("`{0}` is not a plain file name")]
    Name(String),
    /// A folder or file could not be written; nothing half-written was left.
    #[error("cannot {action} {}: {cause}", path.display())]
    Write {
        /// What was tried: `create the folder`, `write`, `put in place`.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
}
