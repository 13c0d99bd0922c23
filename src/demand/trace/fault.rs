//! What can be wrong with a trace, in words that say where it is and what to do.

use std::io;

/// A trace that cannot be read, or not any further.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {fault}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct TraceError {
    /// The file.
    pub file: String,
    /// The line at fault, from 1; where reading failed, the last whole line.
    pub line: Option<u64>,
    /// What is wrong.
    #[source]
    pub fault: TraceFault,
}

/// What is wrong with a trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceFault {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A gzip file that stops early or is damaged.
    #[error("the compressed data end or break after this line ({0}): copy the file again")]
    Broken(io::Error),
    /// Nothing in it.
    #[error("an empty file: a trace has one request a line")]
    Empty,
    /// A first line that no known format has.
    #[error(
        "`{0}` is the first line of no known trace. Known are\n  \
         Azure: a table with the columns TIMESTAMP,ContextTokens,GeneratedTokens\n  \
         Mooncake: {{\"timestamp\": 0, \"input_length\": 6758, \"output_length\": 500, \
         \"hash_ids\": [0, 1]}}\n  \
         vLLM log: {{\"arrival_time\": 0.5, \"input_toks\": 2358, \"output_toks\": 531}}"
    )]
    UnknownFormat(String),
    /// Bytes that are no text.
    #[error("not UTF-8 text: save the trace as UTF-8, plain or compressed with gzip")]
    NotUtf8,
    /// A line without an end.
    #[error("a line of more than 4 MiB: a trace has one request a line")]
    TooLong,
    /// A line that is no JSON object of the format.
    #[error("`{line}` is no row of this trace ({cause}): correct it or leave it out")]
    NotJson {
        /// The line, shortened.
        line: String,
        /// What the JSON reader says.
        cause: String,
    },
    /// A column or field is missing.
    #[error("`{name}` is missing in `{row}`: {fix}")]
    Missing {
        /// Name of the column or field.
        name: &'static str,
        /// The header or row, shortened.
        row: String,
        /// What to do.
        fix: &'static str,
    },
    /// A value that does not fit.
    #[error("`{name}` is `{value}`: allowed are {allowed}; correct the row or leave it out")]
    Value {
        /// Name of the column or field.
        name: &'static str,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Rows that are out of order.
    #[error("`{row}` is earlier, by its `{name}`, than the row before: sort the rows by time")]
    Disorder {
        /// Name of the column or field.
        name: &'static str,
        /// The row, shortened.
        row: String,
    },
    /// A trace that is longer than the engine's clock.
    #[error(
        "`{row}` is, by its `{name}`, over 106 days after the first row: split the trace or play \
             it faster"
    )]
    TooLate {
        /// Name of the column or field.
        name: &'static str,
        /// The row, shortened.
        row: String,
    },
    /// A factor that time cannot be played at.
    #[error("a trace cannot be played at {0} times its speed: allowed are 1e-6 to 1e6")]
    Speed(f64),
}

/// A text as it is shown in an error: its beginning, without control characters.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 80;
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.trim().chars().take(LONGEST).map(plain).collect();
    if text.trim().chars().count() > LONGEST {
        shown.push_str("...");
    }
    shown
}
