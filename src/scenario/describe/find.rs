//! Finding descriptions by a path as people write it: concrete (`sites.prometheus.phases[0].on`),
//! with any name (`sites.*.pue`), or the pattern itself; kinds may be left out of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{FieldDescription, Step};
use crate::scenario::diagnostic::known_names;

/// A description that a path leads to, with what a scenario says there.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'a> {
    /// The description.
    pub field: &'static FieldDescription,
    /// What the scenario says there; `None` where the path is a pattern or leads to nothing.
    pub value: Option<&'a Value>,
    /// The quantity or struct around the value that names a source.
    pub sourced_by: Option<&'a Value>,
}

/// No field has that path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no field `{path}`: `{step}` is unknown{}", after.as_ref().map_or(
    String::new(), |after| format!(" in `{after}`")))]
pub struct UnknownField {
    /// What was asked for.
    pub path: String,
    /// The first step that leads nowhere.
    pub step: String,
    /// The pattern up to there; `None` at the outermost level.
    pub after: Option<String>,
    /// The nearest known name, and all of them.
    pub help: String,
}

/// Descriptions at a path, with the values of a serialised scenario. Several where kinds are left
/// out of the path and the scenario does not say which is meant.
///
/// # Errors
/// [`UnknownField`] where no field has the path.
pub fn find<'a>(path: &str, scenario: &'a Value) -> Result<Vec<Found<'a>>, UnknownField> {
    let spaced = path.replace('[', ".[");
    let steps: Vec<&str> = spaced
        .split('.')
        .map(|step| step.trim_matches(|c: char| c.is_whitespace() || "[]\"".contains(c)))
        .filter(|step| !step.is_empty())
        .collect();
    let root = FieldDescription::scenario();
    let mut search = Search { found: Vec::new(), left: steps.len(), level: Vec::new() };
    let start = Found { field: root, value: Some(scenario), sourced_by: None };
    search.descend(start, &steps);
    let Search { mut found, left, level } = search;
    if found.is_empty() {
        let step = steps.get(steps.len() - left).copied().unwrap_or_default().to_owned();
        let mut names: Vec<String> = Vec::new();
        for part in level.iter().flat_map(|field| &field.parts) {
            let name = part.step.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let after = level.first().map(|field| field.path.clone()).filter(|path| !path.is_empty());
        let help = known_names(&step, names.iter().map(String::as_str));
        return Err(UnknownField { path: path.to_owned(), step, after, help });
    }
    if found.iter().any(|found| found.value.is_some()) {
        found.retain(|found| found.value.is_some());
    }
    // Parts that are the same in several kinds are told once.
    let mut told = BTreeSet::new();
    found.retain(|found| found.field.key.as_ref().is_none_or(|key| told.insert(key)));
    Ok(found)
}

struct Search<'a> {
    found: Vec<Found<'a>>,
    /// Fewest steps that were left where a path ended nowhere.
    left: usize,
    /// The descriptions at which it ended.
    level: Vec<&'static FieldDescription>,
}

impl<'a> Search<'a> {
    fn descend(&mut self, mut at: Found<'a>, steps: &[&str]) {
        let field = at.field;
        if field.has_source() {
            at.sourced_by = at.value.filter(|value| value["source"].is_string()).or(at.sourced_by);
        }
        let Some((step, rest)) = steps.split_first() else {
            self.found.push(at);
            return;
        };
        let go = |part: &'static FieldDescription| Found {
            field: part,
            value: at.value.and_then(|value| field.value_of(&part.step, step, value)),
            sourced_by: at.sourced_by,
        };
        let mut named = field.parts.iter().filter(|part| matches(&part.step, step)).peekable();
        if named.peek().is_some() {
            named.for_each(|part| self.descend(go(part), rest));
            return;
        }
        match steps.len().cmp(&self.left) {
            std::cmp::Ordering::Less => {
                self.left = steps.len();
                self.level = vec![field];
            }
            std::cmp::Ordering::Equal => self.level.push(field),
            std::cmp::Ordering::Greater => {}
        }
        let kinds = field.parts.iter().filter(|part| matches!(part.step, Step::Variant(_)));
        kinds.for_each(|kind| self.descend(go(kind), steps));
    }
}

/// Whether a written step is one that leads to a part.
fn matches(step: &Step, written: &str) -> bool {
    match step {
        Step::Field(name) | Step::Variant(name) => name == written,
        Step::Entry(_) => true,
        Step::Element => {
            written == "*" || written == "i" || written.bytes().all(|byte| byte.is_ascii_digit())
        }
        Step::Place(place) => written.parse() == Ok(*place),
    }
}
