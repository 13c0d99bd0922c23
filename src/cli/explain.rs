//! `sparkgap explain`: what a field of a scenario means, and what the default scenario says there.

use std::fmt::Write;

use serde_json::Value;

use super::args::ExplainArguments;
use super::{Failure, print};
use crate::scenario::Scenario;
use crate::scenario::describe::{FieldDescription, Found, Step, find};

/// Columns of the names before what they mean.
const NAMES: usize = 24;

/// Explains a field, or lists the sections.
pub(super) fn explain(arguments: &ExplainArguments) -> Result<(), Failure> {
    let Some(path) = &arguments.path else {
        let sections = list(FieldDescription::scenario());
        let more = "\nsparkgap explain PATH says more: `sites`, `sites.*.pue`, \
                    `surfaces.whatsapp.daily_users`; docs/scenario.md has everything.\n";
        return print(&format!("Sections of a scenario:\n{sections}{more}"));
    };
    // A value that the program has made itself: serialising it cannot fail.
    let scenario = serde_json::to_value(Scenario::embedded()).unwrap_or_default();
    let found = find(path, &scenario)?;
    let told: Vec<String> = found.iter().map(|found| tell(found, path)).collect();
    print(&told.join("\n"))
}

fn tell(found: &Found<'_>, path: &str) -> String {
    let field = found.field;
    let mut text = format!("{}\n", if field.path.is_empty() { "scenario" } else { &field.path });
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            // Writing into a text cannot fail.
            let _ = writeln!(text, "  {name:<9} {value}");
        }
    };
    line("meaning", &field.meaning);
    line("form", &field.form);
    line("units", &field.units.join(", "));
    line("range", field.range.as_deref().unwrap_or_default());
    line("default", field.default.as_deref().unwrap_or_default());
    line("used by", &field.used_by);
    if let Some(value) = found.value.filter(|_| field.parts.is_empty() || shown(field)) {
        line("value", &format!("{} in the default scenario, at {path}", as_written(value)));
        let of = |name: &str| found.sourced_by.and_then(|by| by[name].as_str()).unwrap_or_default();
        line("source", of("source"));
        line("as of", of("as_of"));
        line("draw", value["draw"].as_str().unwrap_or_default());
    }
    if !field.parts.is_empty() && !field.may_be_uncertain() {
        text += &list(field);
    }
    text
}

/// Whether a value fits into a line: anything but structs and maps of them.
fn shown(field: &FieldDescription) -> bool {
    field.may_be_uncertain() || field.is_growth() || field.holds_bare_numbers()
}

/// One line for each part of a description.
fn list(field: &FieldDescription) -> String {
    let mut text = String::new();
    for part in &field.parts {
        let name = match &part.step {
            Step::Variant(name) if !part.parts.is_empty() => format!("{name}(..)"),
            step => step.to_string(),
        };
        let meaning = if part.meaning == field.meaning { &part.form } else { &part.meaning };
        let _ = writeln!(text, "    {name:<NAMES$} {meaning}");
    }
    text
}

/// A value of the serialised scenario in the form of a scenario file.
fn as_written(value: &Value) -> String {
    match value.get("value").unwrap_or(value) {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| match value {
                Value::Object(inner) if inner.get("value").is_none() => {
                    format!("{name}{}", as_written(value))
                }
                _ => format!("{name}: {}", as_written(value)),
            });
            format!("({})", fields.collect::<Vec<String>>().join(", "))
        }
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(as_written).collect();
            format!("[{}]", elements.join(", "))
        }
        other => other.to_string(),
    }
}
