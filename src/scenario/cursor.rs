//! A scanner over the text of a scenario: brackets, strings, comments, keys, and the names of
//! structs and enum variants, nothing more. It never recurses and never fails; what a path leads
//! to is [`super::locate`]'s business.

use std::ops::Range;

use super::locate::Step;

/// Brackets that a step may pass without being named in the path.
const PEELED: usize = 8;

/// Whether a byte may be part of a name or a number.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'+')
}

/// A place in a text.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub at: usize,
}

/// The entries between two brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parts {
    /// Byte after the opening bracket.
    pub inside: usize,
    /// The opening bracket.
    pub bracket: u8,
    /// Keys as written, quotes left out; empty for a list or a tuple.
    pub keys: Vec<Range<usize>>,
    /// Number of entries.
    pub count: usize,
    /// End of the last entry's last token; `inside` when there is none.
    pub end: usize,
}

impl<'a> Cursor<'a> {
    /// The outermost value of a text.
    pub fn outermost(text: &'a str) -> Self {
        let mut cursor = Self::at(text, 0);
        cursor.skip_attributes();
        cursor
    }

    /// A place in a text.
    pub fn at(text: &'a str, at: usize) -> Self {
        Self { bytes: text.as_bytes(), at }
    }

    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn sees(&self, text: &[u8]) -> bool {
        self.bytes[self.at.min(self.bytes.len())..].starts_with(text)
    }

    /// Moves behind blanks and comments.
    pub fn skip_blank(&mut self) {
        while let Some(byte) = self.peek() {
            if byte.is_ascii_whitespace() {
                self.at += 1;
            } else if !self.skip_comment() {
                return;
            }
        }
    }

    /// Moves behind a comment, if one starts here.
    pub fn skip_comment(&mut self) -> bool {
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
    pub fn skip_string(&mut self) {
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
    pub fn skip_raw_string(&mut self) -> bool {
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
    pub fn skip_value(&mut self) -> usize {
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
    pub fn skip_key(&mut self) -> Option<Range<usize>> {
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

    /// Where the entry that `step` names starts, key included, and where its value starts, inside
    /// the value that starts here.
    pub fn enter(&self, step: &Step) -> Option<(usize, usize)> {
        if let Step::Byte(at) = step {
            return Some((*at, *at));
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
                    (true, true) => return Some((cursor.at, cursor.at)),
                    (true, false) => return Some((word.start, word.start)),
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
    fn entry(&mut self, step: &Step) -> Option<(usize, usize)> {
        let mut index = 0;
        while let Some(byte) = self.peek() {
            if matches!(byte, b')' | b']' | b'}') {
                return None;
            }
            let start = self.at;
            let key = self.skip_key();
            let found = match (step, key) {
                (Step::Key(name), Some(key)) => name.as_bytes() == &self.bytes[key],
                (Step::Index(wanted), None) => *wanted == index,
                _ => false,
            };
            if found {
                return Some((start, self.at));
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
    pub fn innermost(&self) -> usize {
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

    /// The entries of the value that starts here, names and brackets of variants and structs passed
    /// over; `None` for a plain value.
    pub fn parts(&self) -> Option<Parts> {
        let mut cursor = self.clone();
        for _ in 0..PEELED {
            if let Some(word) = cursor.word() {
                cursor.at = word.end;
                cursor.skip_blank();
            }
            let bracket = cursor.peek().filter(|byte| matches!(byte, b'(' | b'[' | b'{'))?;
            cursor.at += 1;
            let inside = cursor.at;
            cursor.skip_blank();
            let first = cursor.at;
            let parts = cursor.entries(inside, bracket);
            // `facility_power((value: ..))`: the one value in the brackets has the entries.
            let wraps = bracket == b'(' && parts.keys.is_empty() && parts.count == 1;
            if !wraps {
                return Some(parts);
            }
            cursor.at = first;
        }
        None
    }

    fn entries(&mut self, inside: usize, bracket: u8) -> Parts {
        let mut parts = Parts { inside, bracket, keys: Vec::new(), count: 0, end: inside };
        while self.peek().is_some_and(|byte| !matches!(byte, b')' | b']' | b'}')) {
            parts.keys.extend(self.skip_key());
            parts.end = self.skip_value();
            parts.count += 1;
            if self.peek() == Some(b',') {
                self.at += 1;
            }
            self.skip_blank();
        }
        parts
    }
}
