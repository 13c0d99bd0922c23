//! Finding a value again in the text of a scenario: from a path (`sites.prometheus.phases[0].on`)
//! to the bytes that it was read from.
//!
//! The scanner never recurses and never fails: a text that is not RON gives the deepest place
//! that could be reached. It understands brackets, strings, comments and the names of structs and
//! enum variants, nothing more.

use std::fmt;
use std::ops::Range;

/// Brackets that a step may pass without being named in the path.
const PEELED: usize = 8;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// A field, a map key or an enum variant.
    Key(String),
    /// A place in a list or a tuple.
    Index(usize),
    /// A place in the text that no path leads to.
    Byte(usize),
}

/// The place of a value in a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(Vec<Step>);

impl Path {
    /// A field of the outermost struct.
    #[must_use]
    pub fn of(field: &str) -> Self {
        Self(vec![Step::Key(field.to_owned())])
    }

    /// A field, a map entry or a variant of this value.
    #[must_use]
    pub fn key(&self, name: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(name.to_owned()));
        Self(steps)
    }

    /// An element of this value.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
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
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    cursor.skip_attributes();
    let mut found = true;
    for step in &path.0 {
        match cursor.enter(step) {
            Some(at) => cursor.at = at,
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
    let mut cursor = Cursor { bytes: text.as_bytes(), at };
    cursor.skip_blank();
    cursor.at
}

/// The end of the token that starts at `at`: a string, a word, a number or one sign.
#[must_use]
pub fn token_end(text: &str, at: usize) -> usize {
    let mut cursor = Cursor { bytes: text.as_bytes(), at };
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
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    cursor.skip_attributes();
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

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+')
}

#[derive(Clone)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn sees(&self, text: &[u8]) -> bool {
        self.bytes[self.at.min(self.bytes.len())..].starts_with(text)
    }

    /// Moves behind blanks and comments.
    fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            if byte.is_ascii_whitespace() {
                self.at += 1;
            } else if !self.skip_comment() {
                return;
            }
        }
    }

    /// Moves behind a comment, if one starts here.
    fn skip_comment(&mut self) -> bool {
        if self.sees(b"//") {
            while self.peek().is_some_and(|byte| byte != b'\n') {
                self.at += 1;
            }
            return true;
        }
        if !self.sees(b"/*") {
            return false;
        }
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            if self.sees(b"/*") {
                depth += 1;
                self.at += 2;
            } else if self.sees(b"*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    break;
                }
            } else {
                self.at += 1;
            }
        }
        true
    }

    /// Moves behind `#![enable(...)]` lines at the top.
    fn skip_attributes(&mut self) {
        self.skip_blank();
        while self.sees(b"#!") {
            while self.peek().is_some_and(|byte| byte != b']') {
                self.at += 1;
            }
            self.at = (self.at + 1).min(self.bytes.len());
            self.skip_blank();
        }
    }

    /// Moves behind the string that starts here.
    fn skip_string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    /// Moves behind the raw string (`r"..."`, `r#"..."#`) that starts here, if one does.
    fn skip_raw_string(&mut self) -> bool {
        let rest = &self.bytes[self.at..];
        let in_word = self.at > 0 && is_word(self.bytes[self.at - 1]);
        if in_word || rest.first() != Some(&b'r') {
            return false;
        }
        let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(1 + hashes) != Some(&b'"') {
            return false;
        }
        self.at += 2 + hashes;
        while self.at < self.bytes.len() {
            let closing = self.bytes[self.at] == b'"';
            self.at += 1;
            let tail = &self.bytes[self.at..];
            if closing && tail.iter().take(hashes).filter(|byte| **byte == b'#').count() == hashes {
                self.at += hashes;
                break;
            }
        }
        true
    }

    /// Moves to the `,` or the closing bracket that ends the value here; returns the end of the
    /// value's last token.
    fn skip_value(&mut self) -> usize {
        let mut depth = 0_usize;
        let mut end = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.skip_string(),
                b'r' if self.skip_raw_string() => {}
                b'/' if self.skip_comment() => continue,
                b'(' | b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                }
                b')' | b']' | b'}' if depth == 0 => break,
                b')' | b']' | b'}' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => break,
                byte if byte.is_ascii_whitespace() => {
                    self.at += 1;
                    continue;
                }
                _ => self.at += 1,
            }
            end = self.at;
        }
        end
    }

    /// The word that starts here.
    fn word(&self) -> Option<Range<usize>> {
        let first = self.peek()?;
        if !(first.is_ascii_alphabetic() || first == b'_') {
            return None;
        }
        let length = self.bytes[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        Some(self.at..self.at + length)
    }

    /// Moves behind the key of a map or struct entry and its colon; returns the key's text.
    fn skip_key(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let key = match self.peek()? {
            b'"' => {
                self.skip_string();
                start + 1..self.at.saturating_sub(1).max(start + 1)
            }
            byte if is_word(byte) => {
                while self.peek().is_some_and(is_word) {
                    self.at += 1;
                }
                start..self.at
            }
            _ => return None,
        };
        self.skip_blank();
        if self.peek() == Some(b':') && !self.sees(b"::") {
            self.at += 1;
            self.skip_blank();
            return Some(key);
        }
        self.at = start;
        None
    }

    /// Where the value that `step` names starts, inside the value that starts here.
    fn enter(&self, step: &Step) -> Option<usize> {
        if let Step::Byte(at) = step {
            return Some(*at);
        }
        let mut cursor = self.clone();
        // Each turn peels one name and one bracket; nothing of ours nests deeper without a name.
        for _ in 0..PEELED {
            if let Some(word) = cursor.word() {
                let named = matches!(step, Step::Key(name)
                    if name.as_bytes() == &cursor.bytes[word.clone()]);
                cursor.at = word.end;
                cursor.skip_blank();
                let opens = matches!(cursor.peek(), Some(b'(' | b'{'));
                match (named, opens) {
                    (true, true) => return Some(cursor.at),
                    (true, false) => return Some(word.start),
                    (false, true) => {}
                    (false, false) => return None,
                }
            }
            let round = cursor.peek() == Some(b'(');
            if !matches!(cursor.peek(), Some(b'(' | b'[' | b'{')) {
                return None;
            }
            cursor.at += 1;
            cursor.skip_blank();
            let inside = cursor.at;
            if let Some(found) = cursor.entry(step) {
                return Some(found);
            }
            cursor.at = inside;
            if !(round && cursor.skip_key().is_none()) {
                return None;
            }
        }
        None
    }

    /// The entry that `step` names among the entries that start here.
    fn entry(&mut self, step: &Step) -> Option<usize> {
        let mut index = 0;
        while let Some(byte) = self.peek() {
            if matches!(byte, b')' | b']' | b'}') {
                return None;
            }
            let key = self.skip_key();
            let found = match (step, key) {
                (Step::Key(name), Some(key)) => name.as_bytes() == &self.bytes[key],
                (Step::Index(wanted), None) => *wanted == index,
                _ => false,
            };
            if found {
                return Some(self.at);
            }
            self.skip_value();
            if self.peek() == Some(b',') {
                self.at += 1;
            }
            self.skip_blank();
            index += 1;
        }
        None
    }

    /// From the bracket of a variant to the one value in it, if that is a plain one.
    fn innermost(&self) -> usize {
        let mut inside = self.clone();
        if inside.peek() == Some(b'(') {
            inside.at += 1;
            inside.skip_blank();
            if matches!(inside.peek(), Some(b'"' | b'0'..=b'9' | b'-')) {
                return inside.at;
            }
        }
        self.at
    }
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
