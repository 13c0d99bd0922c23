//! Everything that can end a command early, with its exit code.

use std::path::PathBuf;

use crate::demand::{TraceError, TraceFault};
use crate::hardware::{MeasuredError, MeasuredFault};
use crate::report::ReportError;
use crate::scenario::ScenarioError;
use crate::scenario::describe::UnknownField;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The scenario cannot be read or is wrong.
    #[error("{0}")]
    Scenario(#[from] ScenarioError),
    /// What was typed cannot be meant.
    #[error("error: {0}")]
    Usage(String),
    /// A trace cannot be read or is wrong.
    #[error("error: {0}")]
    Trace(#[from] TraceError),
    /// A table of measured points cannot be read or is wrong.
    #[error("error: {0}")]
    Measured(#[from] MeasuredError),
    /// The scenario is well formed but cannot be planned for.
    #[error("error: {0}")]
    Unplannable(String),
    /// No field of a scenario has that path.
    #[error("error: {0}\n  help: {help}", help = .0.help)]
    UnknownField(#[from] UnknownField),
    /// Results cannot be drawn or written.
    #[error("error: {0}")]
    Report(#[from] ReportError),
    /// The scenario of a point of a sweep is wrong.
    #[error("{point}:\n{fault}")]
    Point {
        /// Number and values of the point.
        point: String,
        /// What is wrong.
        fault: ScenarioError,
    },
    /// What is kept of a point cannot be written or read again.
    #[error("error: cannot keep a point in {}: {cause}", path.display())]
    Unit {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// Ctrl-C in a sweep.
    #[error("interrupted: every finished point is kept; the same command goes on from there")]
    SweepInterrupted,
    /// No accelerator serves the load that was to be sized.
    #[error("not served: none of these accelerators can serve the load within the SLO")]
    NotServed,
    /// A size did not hold when it was simulated at its whole load.
    #[error("not verified: {0}")]
    NotVerified(String),
    /// Stdout cannot be written.
    #[error("error: cannot write to standard output: {0}")]
    Print(std::io::Error),
    /// The threads cannot be started.
    #[error("error: cannot start threads: {0}")]
    Threads(rayon::ThreadPoolBuildError),
    /// A check that was asked for has failed.
    #[error("failed: {0}")]
    Gate(String),
    /// Ctrl-C.
    #[error("interrupted: no results were written")]
    Interrupted,
}

impl Failure {
    /// Exit code: 1 internal or I/O, 2 usage or scenario, 3 a check failed, 130 interrupted.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Scenario(fault) | Self::Point { fault, .. } => fault.exit_code(),
            Self::Usage(_) | Self::UnknownField(_) | Self::Unplannable(_) => 2,
            Self::Trace(error) => match error.fault {
                TraceFault::Io(_) => 1,
                _ => 2,
            },
            Self::Measured(error) => match error.fault {
                MeasuredFault::Io(_) => 1,
                _ => 2,
            },
            Self::Report(_) | Self::Unit { .. } | Self::Print(_) | Self::Threads(_) => 1,
            Self::Gate(_) | Self::NotServed | Self::NotVerified(_) => 3,
            Self::Interrupted | Self::SweepInterrupted => 130,
        }
    }

    /// The message, with colours where they are wanted.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Scenario(error) => error.render(colour),
            Self::Point { point, fault } => format!("{point}:\n{}", fault.render(colour)),
            other => other.to_string(),
        }
    }
}
