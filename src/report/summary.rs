//! The answer as JSON: `summary.json`, field by field described in `docs/summary.md`.

use crate::plan::Answer;

/// The whole answer as indented JSON with a newline at the end; `schema` numbers its shape.
#[must_use]
pub fn summary_json(answer: &Answer) -> String {
    let mut text = serde_json::to_string_pretty(answer)
        .expect("plain structs with text keys always serialise into memory");
    text.push('\n');
    text
}
