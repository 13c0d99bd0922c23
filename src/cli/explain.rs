//! `sparkgap explain`: what a field of a scenario means, and what the default scenario says there.

use std::fmt::Write;

use serde_json::Value;

use super::args::ExplainArguments;
use super::{Failure, print};
use crate::scenario::describe::{Content, FieldDescription, Found, Step, find};
use crate::scenario::{Scenario, nearest_name};

/// Columns of the names before what they mean.
const NAMES: usize = 24;
/// Longest value that is shown, characters.
const LONGEST: usize = 200;

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
    let told: Vec<String> = found.iter().map(|found| tell(found, path, &scenario)).collect();
    print(&told.join("\n"))
}

fn tell(found: &Found<'_>, path: &str, scenario: &Value) -> String {
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
    match found.value.filter(|value| !value.is_null()) {
        Some(value) => {
            let written = as_written(field, value);
            if written.chars().count() <= LONGEST {
                line("value", &format!("{written} in the default scenario, at {path}"));
            }
            // Where parts have sources of their own, that of the struct around is not theirs.
            let by = found.sourced_by.filter(|by| *by == value || !has_sources(value));
            let of = |name: &str| by.and_then(|by| by[name].as_str()).unwrap_or_default();
            line("source", of("source"));
            line("as of", of("as_of"));
            line("draw", value["draw"].as_str().unwrap_or_default());
        }
        None if !path.contains(['<', '*']) && !path.contains("[i]") => {
            let near = near(path, scenario);
            line("value", &format!("none: the default scenario has nothing at {path}{near}"));
        }
        None => {}
    }
    text + &list(field)
}

/// The name in the default scenario that a path with an unknown one may have meant, if there is
/// one: names are the user's own, so that an unknown one is no fault.
fn near(path: &str, scenario: &Value) -> String {
    let mut at = scenario;
    for step in path.split('.') {
        let Value::Object(fields) = at else { break };
        match fields.get(step) {
            Some(value) => at = value,
            None => {
                let name = nearest_name(step, fields.keys().map(String::as_str));
                return name.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
            }
        }
    }
    String::new()
}

/// Whether anything in a value names a source.
fn has_sources(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get("source").is_some_and(Value::is_string) || fields.values().any(has_sources)
        }
        Value::Array(elements) => elements.iter().any(has_sources),
        _ => false,
    }
}

/// One line for each field or kind inside a description, those of its entries included.
fn list(field: &FieldDescription) -> String {
    let mut text = String::new();
    list_into(&mut text, field, "");
    text
}

fn list_into(text: &mut String, field: &FieldDescription, before: &str) {
    let parts = field.parts.iter().filter(|_| !field.may_be_uncertain());
    for part in parts {
        let name = match &part.step {
            Step::Element | Step::Place(_) => format!("{before}{}", part.step),
            Step::Variant(name) if part.content != Content::Nothing => {
                format!("{before}{name}(..)")
            }
            step => format!("{before}{step}"),
        };
        let inner = matches!(part.step, Step::Entry(_) | Step::Element);
        if inner {
            // Plain entries are told by the form of the field.
            list_into(text, part, &format!("{name}."));
            continue;
        }
        let meaning = if part.meaning == field.meaning { &part.form } else { &part.meaning };
        // Writing into a text cannot fail.
        let _ = writeln!(text, "    {name:<NAMES$} {meaning}");
    }
}

/// A value of the serialised scenario in the form of a scenario file, without its sources.
fn as_written(field: &FieldDescription, value: &Value) -> String {
    let of = |value: &Value| {
        let part = |part: &FieldDescription| match &part.step {
            Step::Field(name) => {
                value.get(name).map(|value| format!("{name}: {}", as_written(part, value)))
            }
            Step::Place(place) => value.get(place).map(|value| as_written(part, value)),
            _ => None,
        };
        field.parts.iter().filter_map(part).collect::<Vec<String>>().join(", ")
    };
    let inside = |key: &str, value: &Value| match field.parts.first() {
        Some(part) if part.step == Step::Entry("name") => {
            format!("\"{key}\": {}", as_written(part, value))
        }
        Some(part) => format!("{key}: {}", as_written(part, value)),
        None => String::new(),
    };
    match (field.content, value) {
        (Content::Struct | Content::Tuple, _) => format!("({})", of(value)),
        (Content::OneOf, Value::Object(kinds)) => {
            let kind =
                field.parts.iter().find_map(|part| Some((part, kinds.get(part.step.name()?)?)));
            kind.map_or_else(String::new, |(part, value)| {
                let inner = as_written(part, value);
                let bare = inner.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
                format!("{}({})", part.step, bare.unwrap_or(&inner))
            })
        }
        (Content::OneOf | Content::Nothing, Value::String(kind)) => kind.clone(),
        (Content::Map, Value::Object(entries)) => {
            let entries = entries.iter().map(|(key, value)| inside(key, value));
            format!("{{{}}}", entries.collect::<Vec<String>>().join(", "))
        }
        (Content::List, Value::Array(elements)) => {
            let element = |value| field.parts.first().map(|part| as_written(part, value));
            let elements: Vec<String> = elements.iter().filter_map(element).collect();
            format!("[{}]", elements.join(", "))
        }
        _ => value.get("value").unwrap_or(value).to_string(),
    }
}
