//! Finding a value again in the text of a scenario: from a path (`sites.prometheus.phases[0].on`)
//! to the bytes that it was read from.
//!
//! Nothing here fails: a text that is not RON gives the deepest place that could be reached.

use std::fmt;
use std::ops::Range;

use super::cursor::{Cursor, is_word};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A field, a map key or an enum variant.
    Key(String),
    /// A place in a list or a tuple.
    Index(usize),
    /// A place in the text that no path leads to.
    Byte(usize),
}

/// The place of a value in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(pub(super) Vec<Step>);

impl Path {
    /// A field of the outermost struct.
    #[must_use]
    pub fn of(field: &str) -> Self {
        Self(vec![Step::Key(field.to_owned())])
    }

    /// A field, a map entry or a variant of this value.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        self.then(Step::Key(name.to_owned()))
    }

    /// An element of this value.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Step::Index(index))
    }

    /// One step further.
    pub(super) fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The path that a failed read was at.
    #[must_use]
    pub fn of_error(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment;
        let steps = path.iter().map_while(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { variant } => Some(Step::Key(variant.clone())),
            Segment::Unknown => None,
        });
        Self(steps.collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(name) if place == 0 => write!(to, "{name}")?,
                Step::Key(name) => write!(to, ".{name}")?,
                Step::Index(index) => write!(to, "[{index}]")?,
                Step::Byte(_) => {}
            }
        }
        Ok(())
    }
}

/// The bytes of the value at `path`, or of the deepest value on the way to it that exists; cut
/// at the end of its first line. The flag says whether the whole path was found.
#[must_use]
pub fn locate(text: &str, path: &Path) -> (Range<usize>, bool) {
    let mut cursor = Cursor::outermost(text);
    let mut found = true;
    for step in &path.0 {
        match cursor.enter(step) {
            Some((_, at)) => cursor.at = at,
            None => {
                found = false;
                break;
            }
        }
    }
    let start = cursor.innermost();
    cursor.at = start;
    let end = cursor.skip_value();
    let line = text[start..].find('\n').map_or(text.len(), |length| start + length);
    (start..end.min(line).max(start), found)
}

/// The first byte at or after `at` that is neither blank nor in a comment.
#[must_use]
pub fn next_token(text: &str, at: usize) -> usize {
    let mut cursor = Cursor::at(text, at);
    cursor.skip_blank();
    cursor.at
}

/// The end of the token that starts at `at`: a string, a word, a number or one sign.
#[must_use]
pub fn token_end(text: &str, at: usize) -> usize {
    let mut cursor = Cursor::at(text, at);
    match cursor.peek() {
        Some(b'"') => cursor.skip_string(),
        Some(byte) if is_word(byte) => {
            while cursor.peek().is_some_and(is_word) {
                cursor.at += 1;
            }
        }
        Some(_) => cursor.at += 1,
        None => {}
    }
    while !text.is_char_boundary(cursor.at) {
        cursor.at += 1;
    }
    cursor.at
}

/// Keys that a map or struct of a well-formed text holds twice, with the place of the second.
#[must_use]
pub fn repeated_keys(text: &str) -> Vec<(String, Path)> {
    let mut cursor = Cursor::outermost(text);
    let mut repeated = Vec::new();
    // One list of keys for each bracket that is open.
    let mut open: Vec<Vec<&str>> = Vec::new();
    while let Some(byte) = cursor.peek() {
        match byte {
            b'"' => cursor.skip_string(),
            b'r' if cursor.skip_raw_string() => {}
            b'/' if cursor.skip_comment() => continue,
            b')' | b']' | b'}' => {
                open.pop();
                cursor.at += 1;
            }
            b'(' | b'[' | b'{' | b',' => {
                cursor.at += 1;
                if byte != b',' {
                    open.push(Vec::new());
                }
                cursor.skip_blank();
                let start = cursor.at;
                let (Some(keys), Some(key)) = (open.last_mut(), cursor.skip_key()) else {
                    cursor.at = start;
                    continue;
                };
                let key = &text[key];
                if keys.contains(&key) {
                    repeated.push((key.to_owned(), Path(vec![Step::Byte(start)])));
                }
                keys.push(key);
            }
            _ => cursor.at += 1,
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"#![enable(implicit_some)]
// a comment with ( and "
Scenario(
    name: "a, \"b\" (c", /* sites: */
    sites: {
        "north": (share: constant("8%"), phases: [(on: "2027"), (on: "2028" /* , */)]),
        "south": (growth: logistic(start: "1 users", cap: (value: "2 users"))),
    },
    years: {2027: 'x', 2028: 12},
    last: remainder,
)"#;

    fn at(path: &Path) -> (&'static str, bool) {
        let (span, found) = locate(TEXT, path);
        (&TEXT[span], found)
    }

    #[test]
    fn paths_lead_to_their_values() {
        let sites = Path::of("sites");
        let north = sites.key("north");
        assert_eq!(at(&Path::of("name")), (r#""a, \"b\" (c""#, true));
        assert_eq!(at(&north.key("share")), (r#"constant("8%")"#, true));
        assert_eq!(at(&north.key("share").key("constant")), (r#""8%""#, true));
        assert_eq!(at(&north.key("phases").index(1).key("on")), (r#""2028""#, true));
        let growth = sites.key("south").key("growth");
        assert_eq!(at(&growth.key("cap").key("value")), (r#""2 users""#, true));
        assert_eq!(at(&growth.key("logistic").key("start")), (r#""1 users""#, true));
        assert_eq!(at(&Path::of("years").key("2028")), ("12", true));
        assert_eq!(at(&Path::of("last").key("remainder")), ("remainder", true));
        assert_eq!(growth.index(3).to_string(), "sites.south.growth[3]");
    }

    #[test]
    fn a_missing_place_gives_the_deepest_one_that_exists() {
        let (span, found) = locate(TEXT, &Path::of("sites").key("east"));
        assert!(!found);
        assert_eq!(&TEXT[span], "{");
    }

    #[test]
    fn a_key_given_twice_is_found() {
        assert!(repeated_keys(TEXT).is_empty());
        let text = r#"(a: {"x": 1, "y": (x: 2), /* "x": */ "x": 3}, b: [(k: 1), (k: 2)])"#;
        let found = repeated_keys(text);
        assert_eq!(found.len(), 1);
        let (span, _) = locate(text, &found[0].1);
        assert_eq!((found[0].0.as_str(), &text[span]), ("x", r#""x": 3"#));
    }

    #[test]
    fn no_text_upsets_the_scanner() {
        let path = Path::of("sites").key("a").index(3).key("b");
        for text in ["", "(", "\"", "r#\"", "/*", "(((", "{[(\"é", "é(é:é", "s:", "#![", "'", ")"]
        {
            assert!(repeated_keys(text).is_empty());
            let (span, _) = locate(text, &path);
            assert!(span.end <= text.len());
            for at in 0..=text.len() {
                if text.is_char_boundary(at) {
                    assert!(text.is_char_boundary(token_end(text, at)));
                    assert!(next_token(text, at) <= text.len());
                }
            }
        }
        let deep = "(".repeat(1_000_000);
        assert!(!locate(&deep, &path).1);
    }
}
