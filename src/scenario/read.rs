//! From text to a checked value: RON in, faults with their place out.

use std::fs::File;
use std::io::Read;
use std::path::Path as FilePath;

use ron::error::{Error as RonError, Position, SpannedError};
use ron::extensions::Extensions;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::diagnostic::{Diagnostic, Finding, ScenarioError, known_names};
use super::locate::{self, Path, next_token, token_end};
use super::text::ScenarioText;

/// Largest file that is read, bytes. A scenario with its catalogues has some 100 kB.
const LARGEST: u64 = 16 << 20;

/// How every file of ours is read and written.
fn options() -> ron::Options {
    ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME)
}

/// Reads a file as text; the name of the file goes into the faults.
pub(super) fn text_of(path: &FilePath) -> Result<String, ScenarioError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let failed = |source| ScenarioError::Read { path: path.to_owned(), source, help: None };
    let bytes: Vec<u8> = read().map_err(failed)?;
    let file = path.display().to_string();
    if bytes.len() as u64 > LARGEST {
        let head = String::from_utf8_lossy(&bytes[..80]);
        let message = format!("the file is larger than {} MB", LARGEST >> 20);
        let head = ScenarioText::plain(head, &file);
        return Err(head.fault_at(0..1, message, "a scenario has some 100 kB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        // Up to the first bad byte the two texts are the same.
        let message = format!("the file is not UTF-8 text: byte {valid} cannot be read");
        let text = ScenarioText::plain(text, &file);
        text.fault_at(valid..valid + 1, message, "save it as UTF-8")
    })
}

/// Reads any of our types from RON, with the place of the first fault if it cannot be read.
pub(super) fn parse<T: DeserializeOwned>(whole: &ScenarioText) -> Result<T, ScenarioError> {
    let wrong = |error: SpannedError, path: Path| ScenarioError::one(explain(whole, &error, &path));
    let mut from = ron::Deserializer::from_str_with_options(whole.text(), &options())
        .map_err(|error| wrong(error, Path::default()))?;
    let read = serde_path_to_error::deserialize(&mut from);
    let value = read.map_err(|error| {
        let path = Path::of_error(error.path());
        wrong(from.span_error(error.into_inner()), path)
    })?;
    from.end().map_err(|error| wrong(from.span_error(error), Path::default()))?;
    Ok(value)
}

/// Writes any of our types as RON: one form only, whatever the platform.
pub(super) fn print<T: Serialize>(value: &T) -> String {
    let form = ron::ser::PrettyConfig::new().new_line("\n").indentor("  ");
    let text = options().to_string_pretty(value, form);
    text.expect("structs, maps with plain keys, lists and strings can always be written") + "\n"
}

/// Entries that a map holds twice: the reader would keep the last one without a word.
pub(super) fn repeated_keys(text: &str) -> Vec<Finding> {
    let fault = |(key, path): (String, Path)| {
        Finding::new(path, format!("`{key}` is given twice")).help("keep one of them")
    };
    locate::repeated_keys(text).into_iter().map(fault).collect()
}

/// How sure the place is that ron names.
enum Trust {
    /// It is the faulty token.
    Exact,
    /// It is the blank before the value: the path is better.
    Path,
    /// Something is missing before the next token.
    Next,
}

/// Turns an error of ron into a fault with its place and a way to put it right.
fn explain(whole: &ScenarioText, error: &SpannedError, path: &Path) -> Diagnostic {
    let text = whole.text();
    let (mut message, mut help, mut trust) = words(&error.code);
    let named = byte_at(text, error.span.start)..byte_at(text, error.span.end);
    // Where a whole number is read, a point after it looks like the end of the value.
    let before = text[..named.start].bytes().next_back();
    let point = text[named.start..].starts_with('.');
    if point && before.is_some_and(|byte| byte.is_ascii_digit()) {
        message = "a whole number is expected here".to_owned();
        help = Some("write it without a point".to_owned());
        trust = Trust::Path;
    }
    let span = match trust {
        Trust::Exact => named,
        Trust::Next => {
            let at = next_token(text, named.start);
            at..token_end(text, at)
        }
        Trust::Path => match locate::locate(text, path) {
            (span, true) => span,
            _ => {
                let at = next_token(text, named.start);
                at..token_end(text, at)
            }
        },
    };
    Diagnostic { path: path.to_string(), message, help, place: whole.place(span) }
}

/// What an error of ron means, what to do about it, and how far to trust its place.
fn words(code: &RonError) -> (String, Option<String>, Trust) {
    let help = |text: &str| Some(text.to_owned());
    match code {
        RonError::NoSuchStructField { expected, found, .. } => {
            let known = known_names(found, expected.iter().copied());
            (format!("unknown field `{found}`"), Some(known), Trust::Exact)
        }
        RonError::NoSuchEnumVariant { expected, found, .. } => {
            let known = known_names(found, expected.iter().copied());
            (format!("unknown kind `{found}`"), Some(known), Trust::Exact)
        }
        RonError::MissingStructField { field, .. } => {
            (format!("the field `{field}` is missing"), help("add it before this"), Trust::Exact)
        }
        RonError::DuplicateStructField { field, .. } => {
            (format!("the field `{field}` is given twice"), help("keep one"), Trust::Exact)
        }
        RonError::ExpectedComma
        | RonError::ExpectedArrayEnd
        | RonError::ExpectedMapEnd
        | RonError::ExpectedStructLikeEnd => {
            let message = "a comma or a closing bracket is missing before this".to_owned();
            (message, help("a comma ends every entry"), Trust::Next)
        }
        RonError::Eof => ("the text ends too early".to_owned(), help("close it"), Trust::Next),
        RonError::TrailingCharacters => {
            ("text after the end".to_owned(), help("remove it"), Trust::Next)
        }
        RonError::ExceededRecursionLimit => {
            ("brackets are nested too deeply".to_owned(), None, Trust::Next)
        }
        RonError::Message(text) => (text.clone(), None, Trust::Path),
        RonError::ExpectedIdentifier => {
            let message = "expected one of several kinds, by its name".to_owned();
            let help = help("what does not change over the years is constant(\"...\")");
            (message, help, Trust::Path)
        }
        RonError::IntegerOutOfBounds => {
            let message = "the number is out of range".to_owned();
            (message, help("a whole number, 0 or more"), Trust::Path)
        }
        RonError::ExpectedDifferentStructName { .. }
        | RonError::ExpectedNamedStructLike(_)
        | RonError::ExpectedStructLike => {
            let message = "expected a group of fields in brackets".to_owned();
            (message, help("write (field: value, field: value)"), Trust::Path)
        }
        RonError::ExpectedString => {
            let quotes = help("write it in double quotes");
            ("expected a text in quotes".to_owned(), quotes, Trust::Path)
        }
        other => (lower_first(&other.to_string()), None, Trust::Path),
    }
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_lowercase().chain(chars).collect())
}

/// The byte of a line and a column that count characters from 1.
fn byte_at(text: &str, at: Position) -> usize {
    let mut line_start = 0;
    for _ in 1..at.line {
        match text[line_start..].find('\n') {
            Some(length) => line_start += length + 1,
            None => return text.len(),
        }
    }
    let mut rest = text[line_start..].char_indices();
    rest.nth(at.col.saturating_sub(1)).map_or(text.len(), |(offset, _)| line_start + offset)
}
