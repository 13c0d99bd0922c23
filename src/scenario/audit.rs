//! Who says so: every number of a scenario with where it comes from, and the widest of those that
//! are uncertain. It walks the serialised scenario beside the descriptions of its fields.
//!
//! One rule decides what wants a source: every number, date or law that is not marked `choice` in
//! `configs/fields.ron` (sampling, horizon, criterion, promises, deployments and the like are
//! decided by somebody; everything else is a fact, known or assumed). A number is covered by its
//! own source, else by that of the nearest struct around it. A list of bare numbers is one value.

use serde_json::Value;

use super::Scenario;
use super::describe::{Content, FieldDescription, Step};
use crate::units::Distribution;

/// Where a number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Somebody else says so.
    Sourced,
    /// We say so, at least in part: its source says "assumption".
    Assumed,
    /// Nobody says so.
    Unsourced,
}

/// One number, date or law, or one list of bare numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditedValue {
    /// Its path, kinds included: `surfaces.whatsapp.daily_users.exponential.start`.
    pub path: String,
    /// As written: `triangular(2.0, 2.1, 2.2) B users`; the number of elements of a list.
    pub text: String,
    /// The source that covers it.
    pub source: Option<String>,
    /// What kind of source that is.
    pub origin: Origin,
    /// 90th over 10th percentile of an uncertain value (infinite where the latter is zero); of a
    /// yearly growth, that of the factors of one year. `None` for a known value.
    pub width: Option<f64>,
}

/// All facts of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// In the order of the sections.
    pub values: Vec<AuditedValue>,
}

impl Audit {
    /// The facts of one origin.
    pub fn of(&self, origin: Origin) -> impl Iterator<Item = &AuditedValue> {
        self.values.iter().filter(move |value| value.origin == origin)
    }

    /// The uncertain facts, the widest first; ties in the order of the sections.
    #[must_use]
    pub fn widest(&self) -> Vec<&AuditedValue> {
        let mut wide: Vec<&AuditedValue> =
            self.values.iter().filter(|value| value.width.is_some()).collect();
        wide.sort_by(|a, b| b.width.unwrap_or(0.0).total_cmp(&a.width.unwrap_or(0.0)));
        wide
    }
}

/// Lists the facts of a scenario with their sources.
#[must_use]
pub fn audit(scenario: &Scenario) -> Audit {
    let value = serde_json::to_value(scenario)
        .expect("plain structs with text keys always serialise into memory");
    let mut audit = Audit { values: Vec::new() };
    let overrides: Vec<&str> = scenario.overrides.iter().map(|one| one.path.as_str()).collect();
    audit.visit(FieldDescription::scenario(), &value, String::new(), None, &overrides);
    audit
}

impl Audit {
    fn visit(
        &mut self,
        field: &FieldDescription,
        value: &Value,
        path: String,
        covered_by: Option<&str>,
        overrides: &[&str],
    ) {
        if field.is_choice || value.is_null() {
            return;
        }
        // What stood around a value before it was overridden does not speak for the new one.
        let covered_by = covered_by.filter(|_| !overrides.contains(&path.as_str()));
        let sourced = value["source"].as_str().filter(|_| field.has_source());
        let covered_by = sourced.filter(|source| !source.trim().is_empty()).or(covered_by);
        let single = match field.content {
            Content::Quantity | Content::Number => true,
            Content::List | Content::Tuple => field.holds_bare_numbers(),
            _ => false,
        };
        if single {
            self.values.push(audited(field, value, path, covered_by));
            return;
        }
        for part in &field.parts {
            for (step, inner) in entries(&part.step, value) {
                let path = match &part.step {
                    Step::Element | Step::Place(_) => format!("{path}[{step}]"),
                    _ if path.is_empty() => step,
                    _ => format!("{path}.{step}"),
                };
                self.visit(part, inner, path, covered_by, overrides);
            }
        }
    }
}

/// What a value has at a step, each with the step as written.
fn entries<'v>(step: &Step, value: &'v Value) -> Vec<(String, &'v Value)> {
    match (step, value) {
        (Step::Entry(_), Value::Object(entries)) => {
            entries.iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        (Step::Element, Value::Array(elements)) => {
            elements.iter().enumerate().map(|(place, value)| (place.to_string(), value)).collect()
        }
        (Step::Place(place), _) => {
            value.get(place).map(|value| (place.to_string(), value)).into_iter().collect()
        }
        (Step::Field(name) | Step::Variant(name), _) => {
            value.get(name).map(|value| (name.clone(), value)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn audited(
    field: &FieldDescription,
    value: &Value,
    path: String,
    source: Option<&str>,
) -> AuditedValue {
    let text = match value.get("value").unwrap_or(value) {
        Value::String(text) => text.clone(),
        Value::Array(elements) => format!("{} values", elements.len()),
        other => other.to_string(),
    };
    let origin = match source {
        // "PUE: Epoch; outages: assumption" covers both: what may be ours counts as ours.
        Some(source) if source.to_lowercase().contains("assumption") => Origin::Assumed,
        Some(_) => Origin::Sourced,
        None => Origin::Unsourced,
    };
    let width = Distribution::as_written(&text).map(|law| width(&law, field, &text));
    AuditedValue { path, text, source: source.map(str::to_owned), origin, width }
}

/// P90 over P10 of a law in numbers as written. Units cancel, but for growth, where what counts is
/// 1 + growth. What no quantity may be, below zero, is held at zero as in a draw.
fn width(law: &Distribution, field: &FieldDescription, text: &str) -> f64 {
    let growth = field.units.iter().any(|unit| unit.ends_with("/yr") && unit.starts_with('%'));
    let percent = if text.ends_with("%/yr") { 0.01 } else { 1.0 };
    let at = |u: f64| {
        let value = law.quantile(u);
        if growth { 1.0 + value * percent } else { value.max(0.0) }
    };
    let (low, high) = (at(0.1), at(0.9));
    if high <= low { 1.0 } else { high / low }
}
