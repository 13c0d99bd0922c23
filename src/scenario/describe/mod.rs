//! What every field of a scenario means: one description per field, read off the types.
//!
//! The schema of [`crate::scenario::Scenario`] gives names, doc comments, kinds, units and
//! ranges of quantities; `configs/fields.ron` adds what code cannot tell: who uses a field to
//! what effect, ranges that only the checks know, and whether it is a choice. `sparkgap
//! explain`, `docs/scenario.md` and the audit of sources are made of these descriptions. Finding
//! one by a path is in `find`.

mod find;
mod schema;

pub use find::{Found, UnknownField, find};

use std::fmt;
use std::sync::LazyLock;

/// How a description is reached from the one that it is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A field of a struct, by name.
    Field(String),
    /// A kind among several, by name; it may be left out of a path.
    Variant(String),
    /// Any entry of a map; the word says what its key is.
    Entry(&'static str),
    /// Any element of a list.
    Element,
    /// One place of a tuple, from 0.
    Place(usize),
}

impl Step {
    /// The name of a field or a kind.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Field(name) | Self::Variant(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) | Self::Variant(name) => write!(to, "{name}"),
            Self::Entry(key) => write!(to, "<{key}>"),
            Self::Element => write!(to, "[i]"),
            Self::Place(place) => write!(to, "[{place}]"),
        }
    }
}

/// What is written at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Named fields in round brackets.
    Struct,
    /// One of several kinds.
    OneOf,
    /// Entries by name (or by year) in curly brackets.
    Map,
    /// Elements in square brackets.
    List,
    /// A fixed number of values in round brackets.
    Tuple,
    /// A quantity or a date, in quotes.
    Quantity,
    /// A bare number.
    Number,
    /// A text in quotes.
    Text,
    /// `true` or `false`.
    Flag,
    /// Nothing beyond the name of its kind.
    Nothing,
}

/// One field, kind, entry or element of a scenario, with everything inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDescription {
    /// Pattern of its path: `sites.<name>.phases[i].on`; empty for the scenario itself.
    pub path: String,
    /// The last step of the path.
    pub step: Step,
    /// What it is, in full sentences.
    pub meaning: String,
    /// What is written there.
    pub content: Content,
    /// The same in words, with an example.
    pub form: String,
    /// Unit names of a quantity; empty for anything else.
    pub units: Vec<String>,
    /// Legal values, where there is a limit.
    pub range: Option<String>,
    /// What holds when it is left out; `None` for entries, elements and kinds.
    pub default: Option<String>,
    /// Which part of the model uses it, to what effect on the answer.
    pub used_by: String,
    /// Whether somebody decides it. Everything else that is a number is a fact, known or assumed,
    /// and wants a source.
    pub is_choice: bool,
    /// Name of the type of its value, where that has fields or kinds.
    pub type_name: Option<String>,
    /// `Type.field`: its entry in `configs/fields.ron`; `None` for entries and elements.
    pub key: Option<String>,
    /// What is inside it.
    pub parts: Vec<FieldDescription>,
}

static SCENARIO: LazyLock<FieldDescription> = LazyLock::new(schema::scenario);

impl FieldDescription {
    /// The description of a whole scenario: its parts are the sections.
    #[must_use]
    pub fn scenario() -> &'static Self {
        &SCENARIO
    }

    /// This description and all inside it, each before its parts.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        self.parts.iter().for_each(|part| part.walk(visit));
    }

    /// Whether it is a quantity that may be uncertain.
    #[must_use]
    pub fn may_be_uncertain(&self) -> bool {
        self.content == Content::Quantity && !self.parts.is_empty()
    }

    /// Whether it may name a source of everything inside it.
    #[must_use]
    pub fn has_source(&self) -> bool {
        let source = |part: &Self| part.step == Step::Field("source".to_owned());
        self.parts.iter().any(source)
    }

    /// Whether it is a number or a date without a source of its own, or consists of such.
    #[must_use]
    pub fn holds_bare_numbers(&self) -> bool {
        match self.content {
            Content::Number => true,
            Content::Quantity => self.parts.is_empty(),
            Content::List | Content::Tuple => self.parts.iter().all(Self::holds_bare_numbers),
            _ => false,
        }
    }

    /// Whether it is a law over the years.
    #[must_use]
    pub fn is_growth(&self) -> bool {
        self.type_name.as_deref() == Some("Growth")
    }

    /// What its value says about a part of it, by the step as written; `None` if nothing.
    pub(super) fn value_of<'v>(
        &self,
        part: &Step,
        named: &str,
        value: &'v serde_json::Value,
    ) -> Option<&'v serde_json::Value> {
        match part {
            Step::Field(name) => value.get(name),
            Step::Variant(name) if value.as_str() == Some(name) => Some(value),
            Step::Variant(name) => value.get(name),
            Step::Entry(_) => value.get(named),
            Step::Element => value.get(named.parse::<usize>().ok()?),
            Step::Place(place) => value.get(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_field_is_described_and_no_note_is_unused() {
        let (mut faults, mut keys, mut fields) = (Vec::new(), BTreeSet::new(), 0);
        FieldDescription::scenario().walk(&mut |field| {
            let mut require = |holds: bool, what: &str| {
                if !holds {
                    faults.push(format!("{} ({:?}) has no {what}", field.path, field.key));
                }
            };
            require(!field.meaning.is_empty(), "meaning");
            require(!field.used_by.is_empty() || field.path.is_empty(), "used_by");
            let number = matches!(field.content, Content::Number | Content::Quantity);
            require(!number || field.range.is_some(), "range");
            // Parts of a growth law are used by whoever uses the law.
            if let (Step::Field(_), Some(key)) = (&field.step, &field.key) {
                let law = key.starts_with("Growth.");
                require(law || schema::note_of(key).is_some(), "entry in configs/fields.ron");
            }
            if let Some(key) = &field.key {
                let own = schema::notes().contains_key(key);
                keys.insert(if own { key.clone() } else { schema::any_type(key) });
            }
            fields += 1;
        });
        let unused = schema::notes().keys().filter(|key| !keys.contains(*key));
        faults.extend(unused.map(|key| format!("configs/fields.ron: `{key}` is no field")));
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        assert!(fields > 800, "{fields} descriptions: the walk does not reach everything");
    }
}
