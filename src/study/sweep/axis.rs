//! The axes of a sweep: values, ranges and named cases become steps, each a label with patches.

use std::fmt;

use ron::value::RawValue;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::scenario::{Finding, Path, known_names};
use crate::units::parse_number;

/// Most points of a sweep, and most steps of a range.
pub(super) const MOST_POINTS: usize = 100_000;

/// One value of a scenario that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Which value: `workloads.agentic.calls.start`, `sites.*.slip`.
    pub path: String,
    /// RON that takes its place.
    pub value: String,
    /// Where the sweep file gives the value.
    pub at: Path,
    /// Where it gives the path.
    pub path_at: Path,
}

/// One step along an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The value as it was written, without quotes, or the name of the case.
    pub label: String,
    /// What it changes.
    pub patches: Vec<Patch>,
}

/// One axis of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Short name: a column of the tables.
    pub name: String,
    /// What it is, for people.
    pub label: String,
    /// At least one step, in the order of the file.
    pub steps: Vec<Step>,
}

/// A piece of RON, as it was written.
#[derive(Debug, Clone)]
pub(super) struct Snippet(String);

impl<'de> Deserialize<'de> for Snippet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(Box::<RawValue>::deserialize(from)?.trim().get_ron().to_owned()))
    }
}

impl Snippet {
    /// The value without quotes.
    fn label(&self) -> String {
        let inner = self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let text = inner.unwrap_or(&self.0);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The number at the start of the value, and what comes after it with the quotes.
    fn number(&self) -> Option<(f64, &str)> {
        let inner = self.0.trim_start_matches('"');
        parse_number(inner)
    }
}

/// Entries of a map in the order in which they were written.
#[derive(Debug, Clone)]
pub(super) struct InOrder<T>(pub Vec<(String, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = InOrder<T>;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a map in braces: {\"name\": value}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(InOrder(entries))
            }
        }
        from.deserialize_map(Entries(std::marker::PhantomData))
    }
}

/// Paths and their values.
pub(super) type Patches = InOrder<Snippet>;

/// The patches that a map at a place of the file holds.
pub(super) fn patches(of: &Patches, at: &Path) -> Vec<Patch> {
    let patch = |(path, value): &(String, Snippet)| Patch {
        path: path.clone(),
        value: value.0.clone(),
        at: at.key(path),
        path_at: at.key(path),
    };
    of.0.iter().map(patch).collect()
}

/// Values at equal distances, or at equal ratios.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    from: Snippet,
    to: Snippet,
    count: usize,
    #[serde(default)]
    log: bool,
}

/// An axis as it is written.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenAxis {
    pub name: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    values: Option<Vec<Snippet>>,
    #[serde(default)]
    range: Option<Range>,
    #[serde(default)]
    cases: Option<InOrder<Patches>>,
}

impl WrittenAxis {
    /// The axis with its steps; what is wrong with it goes to `found`.
    pub fn read(&self, at: &Path, found: &mut Vec<Finding>) -> Axis {
        let label = self.label.clone().unwrap_or_else(|| self.name.clone());
        let mut axis = Axis { name: self.name.clone(), label, steps: Vec::new() };
        let given = [self.values.is_some(), self.range.is_some(), self.cases.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            let message = "an axis has exactly one of `values`, `range` and `cases`";
            found.push(Finding::new(at.clone(), message).help("keep one of them"));
            return axis;
        }
        let field = if let Some(cases) = &self.cases {
            if self.path.is_some() {
                let help = "remove it, or use `values`";
                found.push(Finding::new(at.key("path"), "cases name their own paths").help(help));
            }
            let at = at.key("cases");
            let step = |(name, of): &(String, Patches)| Step {
                label: name.clone(),
                patches: patches(of, &at.key(name)),
            };
            axis.steps = cases.0.iter().map(step).collect();
            "cases"
        } else if let Some(path) = &self.path {
            let (field, labels) = match (&self.values, &self.range) {
                (Some(values), _) => {
                    let value = |value: &Snippet| (value.label(), value.0.clone());
                    ("values", Ok(values.iter().map(value).collect()))
                }
                (_, range) => ("range", range.as_ref().map_or(Ok(Vec::new()), Range::values)),
            };
            let labels = labels.unwrap_or_else(|(message, help)| {
                found.push(Finding::new(at.key(field), message).help(help));
                vec![("wrong".to_owned(), String::new())]
            });
            let step = |(index, (label, value)): (usize, (String, String))| {
                let at_field = at.key(field);
                let value_at = if field == "values" { at_field.index(index) } else { at_field };
                let (path, path_at) = (path.clone(), at.key("path"));
                Step { label, patches: vec![Patch { path, value, at: value_at, path_at }] }
            };
            axis.steps = labels.into_iter().enumerate().map(step).collect();
            field
        } else {
            let help = "add `path: \"sites.*.slip\"` or the like";
            found.push(Finding::new(at.clone(), "the axis has no `path`").help(help));
            return axis;
        };
        if axis.steps.is_empty() {
            let help = "give at least one, or remove the axis";
            found.push(Finding::new(at.key(field), "an axis without a step").help(help));
        }
        let mut labels: Vec<&str> = axis.steps.iter().map(|step| step.label.as_str()).collect();
        labels.sort_unstable();
        if let Some(twice) = labels.windows(2).find(|pair| pair[0] == pair[1]) {
            let message = format!("`{}` is given twice", twice[0]);
            found.push(Finding::new(at.key(field), message).help("keep one of them"));
        }
        axis
    }
}

impl Range {
    /// Labels and values, or a fault and its fix.
    fn values(&self) -> Result<Vec<(String, String)>, (String, String)> {
        let wrong = |message: &str, help: &str| Err((message.to_owned(), help.to_owned()));
        let (Some((from, unit)), Some((to, other))) = (self.from.number(), self.to.number()) else {
            return wrong(
                "a range goes from a number to a number",
                "write both with their unit, `from: \"0 months\"`, or use `values`",
            );
        };
        if unit != other {
            return wrong("`from` and `to` have different units", "write both in one unit");
        }
        if !(2..=MOST_POINTS).contains(&self.count) {
            let message = format!("`count` is from 2 to {MOST_POINTS}");
            return Err((message, "use `values` for a single value".to_owned()));
        }
        if self.log && (from <= 0.0 || to <= 0.0) {
            return wrong("a logarithmic range is above zero", "start above zero, or drop `log`");
        }
        let quote = if self.from.0.starts_with('"') { "\"" } else { "" };
        let unit = unit.trim_end_matches('"');
        let space = if unit.is_empty() || unit == "%" { "" } else { " " };
        let steps = (0..self.count).map(|index| {
            let part = index as f64 / (self.count - 1) as f64;
            let value = if self.log {
                libm::exp(libm::log(from) + part * (libm::log(to) - libm::log(from)))
            } else {
                from + part * (to - from)
            };
            let label = format!("{}{space}{unit}", rounded(value));
            let value = format!("{quote}{label}{quote}");
            (label, value)
        });
        Ok(steps.collect())
    }
}

/// The shortest number that agrees to twelve digits: 0.3, not 0.30000000000000004.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// The help for a metric, an axis or another name that is not there.
pub(super) fn unknown(at: Path, what: &str, name: &str, known: &[&str]) -> Finding {
    let message = format!("there is no {what} `{name}`");
    Finding::new(at, message).help(known_names(name, known.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str, count: usize, log: bool) -> Range {
        Range { from: Snippet(from.to_owned()), to: Snippet(to.to_owned()), count, log }
    }

    #[test]
    fn ranges_keep_their_unit() {
        let values = |range: Range| -> Vec<String> {
            let values = range.values().expect("sound");
            values.into_iter().map(|(_, value)| value).collect()
        };
        assert_eq!(
            values(range("\"0 months\"", "\"12 months\"", 3, false)),
            ["\"0 months\"", "\"6 months\"", "\"12 months\""]
        );
        assert_eq!(values(range("0.1", "0.5", 5, false)), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(values(range("\"5%\"", "\"20%\"", 2, false)), ["\"5%\"", "\"20%\""]);
        assert_eq!(values(range("1", "100", 3, true)), ["1", "10", "100"]);
        assert!(range("\"1 h\"", "\"2 days\"", 3, false).values().is_err());
        assert!(range("\"1 h\"", "2", 3, false).values().is_err());
        assert!(range("0", "2", 3, true).values().is_err());
        assert!(range("\"uniform(1, 2) h\"", "\"2 h\"", 3, false).values().is_err());
    }
}
