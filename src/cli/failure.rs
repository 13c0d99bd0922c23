//! Everything that can end a command early, with its exit code.

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
    /// The scenario is well formed but cannot be planned for.
    #[error("error: {0}")]
    Unplannable(String),
    /// No field of a scenario has that path.
    #[error("error: {0}\n  help: {help}", help = .0.help)]
    UnknownField(#[from] UnknownField),
    /// Results cannot be drawn or written.
    #[error("error: {0}")]
    Report(#[from] ReportError),
    /// Stdout cannot be written.
    #[error("error: cannot write to standard output: {0}")]
    Print(std::io::Error),
    /// The threads cannot be started.
    #[error("error: cannot start threads: {0}")]
    Threads(rayon::ThreadPoolBuildError),
    /// Ctrl-C.
    #[error("interrupted: no results were written")]
    Interrupted,
}

impl Failure {
    /// Exit code: 1 internal or I/O, 2 usage or scenario, 130 interrupted.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Scenario(ScenarioError::Invalid { .. })
            | Self::Usage(_)
            | Self::Unplannable(_)
            | Self::UnknownField(_) => 2,
            Self::Scenario(ScenarioError::Read { .. })
            | Self::Report(_)
            | Self::Print(_)
            | Self::Threads(_) => 1,
            Self::Interrupted => 130,
        }
    }

    /// The message, with colours where they are wanted.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Scenario(error) => error.render(colour),
            other => other.to_string(),
        }
    }
}
