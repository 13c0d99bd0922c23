//! The text of a scenario, put together from a base and its patches, of which every byte still
//! knows the file and place that it came from. A patch is spliced into the text and the whole is
//! read once, so that a fault in a patched scenario is shown where it was written.
//!
//! What a path leads to is in [`super::locate`], applying patches in [`super::patch`], files and
//! what they include in [`super::include`].

use std::ops::Range;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::diagnostic::{Diagnostic, Finding, Place, ScenarioError};
use super::locate::{Path, locate};
use super::read;

/// One value that a patch or an option put in place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Which value.
    pub path: String,
    /// The new value, as RON; `remove` where an entry was taken out.
    pub value: String,
    /// What it replaced, as RON, cut where it is long; none where there was nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Who says so: a file or an option of the command line.
    pub from: String,
}

/// A file, or what stands for one: an option of the command line.
#[derive(Debug, Clone)]
struct Origin {
    name: String,
    text: String,
}

/// A stretch of the text up to the next piece.
#[derive(Debug, Clone, Copy)]
struct Piece {
    /// First byte in the whole.
    start: usize,
    /// Index of the origin.
    origin: usize,
    /// First byte in the origin.
    at: usize,
    /// Bytes of the origin that the whole piece stands for, where it was not copied from there.
    stands_for: Option<usize>,
}

/// New text for a splice: what, from which origin, and where there.
pub(super) struct Part<'a> {
    pub text: &'a str,
    pub origin: usize,
    pub at: usize,
    pub stands_for: Option<usize>,
}

/// A scenario as text: a base with the patches applied so far.
#[derive(Debug, Clone)]
pub struct ScenarioText {
    text: String,
    origins: Vec<Origin>,
    pieces: Vec<Piece>,
    overrides: Vec<Override>,
}

impl ScenarioText {
    /// A text of one file, as it is.
    #[must_use]
    pub fn plain(text: impl Into<String>, file: &str) -> Self {
        let text = text.into();
        Self {
            origins: vec![Origin { name: file.to_owned(), text: text.clone() }],
            pieces: vec![Piece { start: 0, origin: 0, at: 0, stands_for: None }],
            overrides: Vec::new(),
            text,
        }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What patches and options have put in place of something else, in order.
    #[must_use]
    pub fn overrides(&self) -> &[Override] {
        &self.overrides
    }

    /// The place of some bytes of the text in the file that they came from.
    #[must_use]
    pub fn place(&self, span: Range<usize>) -> Place {
        let index = self.pieces.partition_point(|piece| piece.start <= span.start).max(1) - 1;
        let piece = self.pieces[index];
        let next = self.pieces.get(index + 1).map_or(self.text.len(), |piece| piece.start);
        let origin = &self.origins[piece.origin];
        let span = match piece.stands_for {
            Some(length) => piece.at..piece.at + length,
            None => {
                let from = |at: usize| piece.at + at.saturating_sub(piece.start);
                from(span.start)..from(span.end.clamp(span.start, next.max(span.start)))
            }
        };
        Place::of(&origin.text, &origin.name, span)
    }

    /// A fault at some bytes of the text.
    pub(super) fn fault_at(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ScenarioError {
        ScenarioError::one(Diagnostic {
            path: String::new(),
            message: message.into(),
            help: Some(help.into()),
            place: self.place(span),
        })
    }

    /// Reads the text as any of our types; faults stand at the place that they came from.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with the first place that cannot be read, or with every name that
    /// is given twice.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ScenarioError> {
        let value = read::parse(self)?;
        self.require_none(read::repeated_keys(&self.text))?;
        Ok(value)
    }

    /// Faults that checks found, each found again in the text; nothing where there are none.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with the faults.
    pub fn require_none(&self, findings: Vec<Finding>) -> Result<(), ScenarioError> {
        if findings.is_empty() {
            return Ok(());
        }
        let place = |path: &Path| self.place(locate(&self.text, path).0);
        Err(ScenarioError::of_findings(findings, place))
    }

    /// Adds an origin; returns its index.
    pub(super) fn add_origin(&mut self, name: &str, text: &str) -> usize {
        self.origins.push(Origin { name: name.to_owned(), text: text.to_owned() });
        self.origins.len() - 1
    }

    /// The name of an origin.
    pub(super) fn origin(&self, index: usize) -> (&str, &str) {
        (&self.origins[index].name, &self.origins[index].text)
    }

    /// Remembers that something was overridden.
    pub(super) fn remember(&mut self, entry: Override) {
        self.overrides.push(entry);
    }

    /// Puts `parts` in place of some bytes.
    pub(super) fn splice(&mut self, range: Range<usize>, parts: &[Part<'_>]) {
        let cut = self.pieces.partition_point(|piece| piece.start < range.start);
        let rest = self.pieces.partition_point(|piece| piece.start <= range.end).max(1) - 1;
        let mut after = self.pieces[rest];
        if after.stands_for.is_none() {
            after.at += range.end - after.start;
        }
        let mut pieces = self.pieces[..cut].to_vec();
        let mut text = self.text[..range.start].to_owned();
        for part in parts {
            let Part { origin, at, stands_for, .. } = *part;
            pieces.push(Piece { start: text.len(), origin, at, stands_for });
            text.push_str(part.text);
        }
        pieces.push(Piece { start: text.len(), ..after });
        let moved = self.pieces[rest + 1..].iter();
        pieces.extend(
            moved.map(|piece| Piece { start: piece.start - range.end + text.len(), ..*piece }),
        );
        text.push_str(&self.text[range.end..]);
        self.text = text;
        self.pieces = pieces;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_knows_where_it_came_from() {
        let mut whole = ScenarioText::plain("(a: 1,\n b: 2,\n c: 3)", "base.ron");
        let patch = whole.add_origin("patch.ron", "x\ny: 77777");
        let part = |text, at| Part { text, origin: patch, at, stands_for: None };
        whole.splice(11..12, &[part("77777", 5)]);
        assert_eq!(whole.text(), "(a: 1,\n b: 77777,\n c: 3)");
        let place = |at: usize| {
            let place = whole.place(at..at + 1);
            (place.file, place.line, place.column)
        };
        assert_eq!(place(4), ("base.ron".to_owned(), 1, 5));
        assert_eq!(place(11), ("patch.ron".to_owned(), 2, 4));
        assert_eq!(place(13), ("patch.ron".to_owned(), 2, 6));
        assert_eq!(place(22), ("base.ron".to_owned(), 3, 5));
        // A second patch inside the first, and one that stands for something.
        let glue = Part { text: "k: ", origin: patch, at: 2, stands_for: Some(1) };
        whole.splice(12..13, &[glue]);
        assert_eq!(whole.text(), "(a: 1,\n b: 7k: 777,\n c: 3)");
        let place = |at: usize| {
            let place = whole.place(at..at + 1);
            (place.file, place.line, place.column)
        };
        assert_eq!(place(13), ("patch.ron".to_owned(), 2, 1));
        assert_eq!(place(15), ("patch.ron".to_owned(), 2, 6));
        assert_eq!(place(24), ("base.ron".to_owned(), 3, 5));
    }
}
