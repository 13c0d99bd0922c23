//! From the schema of the types and the notes of `configs/fields.ron` to descriptions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::schema_for;
use serde::Deserialize;
use serde_json::Value;

use super::{Content, FieldDescription, Step};
use crate::scenario::{Scenario, ScenarioText, read};

/// What code cannot tell about a field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Note {
    /// Which part of the model uses it, to what effect.
    used_by: Option<String>,
    /// Legal values, as the checks enforce them; narrows the range of a quantity.
    range: Option<String>,
    /// What holds when it is left out, where that is not plainly nothing.
    default: Option<String>,
    /// Whether somebody decides it: then it needs no source, nor does anything inside it.
    choice: Option<bool>,
}

/// The notes by `Type.field` or `Type.variant.field`.
pub(super) fn notes() -> &'static BTreeMap<String, Note> {
    static NOTES: LazyLock<BTreeMap<String, Note>> = LazyLock::new(|| {
        let text = include_str!("../../../configs/fields.ron");
        read::parse(&ScenarioText::plain(text, "configs/fields.ron"))
            .expect("the notes are well formed: a test reads")
    });
    &NOTES
}

/// The note of a field: its own, or that of all fields of its name.
pub(super) fn note_of(key: &str) -> Option<&'static Note> {
    notes().get(key).or_else(|| notes().get(&any_type(key)))
}

/// The key of the note for all fields of that name: `*.label`.
pub(super) fn any_type(key: &str) -> String {
    format!("*.{}", key.rsplit('.').next().unwrap_or(key))
}

/// The description of a whole scenario.
pub(super) fn scenario() -> FieldDescription {
    let schema = schema_for!(Scenario).to_value();
    let reader = Reader { definitions: &schema["$defs"] };
    let above = Above { path: "", meaning: "", note: Note::default() };
    reader.describe(&schema, Step::Field(String::new()), None, None, &above)
}

/// What the form of a quantity says when it may be uncertain.
const UNCERTAIN: &str = ", may be uncertain";

/// Most fields that the form of a struct names.
const FEW: usize = 4;

/// What a part takes from what it is a part of.
struct Above<'a> {
    path: &'a str,
    meaning: &'a str,
    note: Note,
}

/// A schema with its reference followed.
struct Resolved<'a> {
    node: &'a Value,
    type_name: Option<String>,
    meaning: Option<String>,
}

struct Reader<'a> {
    definitions: &'a Value,
}

impl<'a> Reader<'a> {
    /// Follows `$ref` and looks through the `null` of a field that may be left out.
    fn resolve(&self, schema: &'a Value) -> Resolved<'a> {
        let own = schema["description"].as_str();
        let mut node = schema;
        if let Some(kinds) = schema["anyOf"].as_array() {
            node = kinds.iter().find(|kind| kind["type"] != "null").unwrap_or(node);
        }
        let mut type_name = node["title"].as_str().map(str::to_owned);
        if let Some(reference) = node["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            node = &self.definitions[name];
            // `Growth_Users` is the growth law of users.
            type_name = name.split('_').next().map(str::to_owned);
        }
        let meaning = own.or(node["description"].as_str()).map(in_one_line);
        Resolved { node, type_name, meaning }
    }

    /// The description at a step; `key` is its note's, `required` is known for fields only.
    fn describe(
        &self,
        schema: &'a Value,
        step: Step,
        key: Option<&str>,
        required: Option<bool>,
        above: &Above<'_>,
    ) -> FieldDescription {
        let Resolved { node, type_name, meaning } = self.resolve(schema);
        let path = match (&step, above.path) {
            (Step::Element | Step::Place(_), _) => format!("{}{step}", above.path),
            (_, "") => step.to_string(),
            _ => format!("{}.{step}", above.path),
        };
        let meaning = meaning.unwrap_or_else(|| above.meaning.to_owned());
        let own = key.and_then(note_of).cloned().unwrap_or_default();
        // Elements, entries and the value of an uncertain quantity share the range of what they
        // are in; other fields and kinds do not.
        let inside = key.is_none_or(|key| key == "Uncertain.value");
        let note = Note {
            used_by: own.used_by.or_else(|| above.note.used_by.clone()),
            range: own.range.or_else(|| above.note.range.clone().filter(|_| inside)),
            default: own.default,
            choice: own.choice.or(above.note.choice),
        };
        let content = content(node);
        let owner = type_name.as_deref().or(key).filter(|_| content != Content::Quantity);
        let parts = self.parts(
            node,
            content,
            owner,
            &Above { path: &path, meaning: &meaning, note: note.clone() },
        );
        let quantity = &node["x-quantity"];
        let units = quantity["units"].as_array().into_iter().flatten();
        let range = note.range.or_else(|| {
            let range = quantity["range"].as_str().filter(|_| content == Content::Quantity);
            range.map(str::to_owned)
        });
        FieldDescription {
            form: form(node, content, type_name.as_deref(), &parts),
            units: units.filter_map(Value::as_str).map(str::to_owned).collect(),
            default: required.map(|required| default(required, content, note.default)),
            used_by: note.used_by.unwrap_or_default(),
            is_choice: note.choice.unwrap_or(false),
            key: key.map(str::to_owned),
            path,
            step,
            meaning,
            content,
            range,
            type_name,
            parts,
        }
    }

    /// Everything inside a value; `owner` is the type (and kind) that its fields belong to.
    fn parts(
        &self,
        node: &'a Value,
        content: Content,
        owner: Option<&str>,
        above: &Above<'_>,
    ) -> Vec<FieldDescription> {
        let inner = |schema, step| self.describe(schema, step, None, None, above);
        match content {
            Content::Struct | Content::Quantity => {
                // The parts of an uncertain quantity are the same wherever it stands.
                let owner = owner.unwrap_or("Uncertain");
                let required = node["required"].as_array();
                let fields = node["properties"].as_object().into_iter().flatten();
                let field = |(name, schema): (&'a String, &'a Value)| {
                    let given = required.is_some_and(|r| r.iter().any(|r| r == name.as_str()));
                    let key = format!("{owner}.{name}");
                    self.describe(schema, Step::Field(name.clone()), Some(&key), Some(given), above)
                };
                fields.map(field).collect()
            }
            Content::OneOf => {
                let kinds = node["oneOf"].as_array().into_iter().flatten();
                kinds.map(|kind| self.variant(kind, owner.unwrap_or_default(), above)).collect()
            }
            Content::Map => {
                let years = node["patternProperties"].as_object();
                match years.and_then(|patterns| patterns.values().next()) {
                    Some(schema) => vec![inner(schema, Step::Entry("year"))],
                    None => vec![inner(&node["additionalProperties"], Step::Entry("name"))],
                }
            }
            Content::List => vec![inner(&node["items"], Step::Element)],
            Content::Tuple => {
                let places = node["prefixItems"].as_array().into_iter().flatten().enumerate();
                places.map(|(place, schema)| inner(schema, Step::Place(place))).collect()
            }
            _ => Vec::new(),
        }
    }

    fn variant(&self, kind: &'a Value, owner: &str, above: &Above<'_>) -> FieldDescription {
        let meaning = kind["description"].as_str().map(in_one_line);
        let inside = kind["properties"].as_object().and_then(|inside| inside.iter().next());
        let (name, schema) = match (inside, kind["const"].as_str()) {
            (Some((name, schema)), _) => (name.as_str(), schema),
            (None, name) => (name.unwrap_or_default(), kind),
        };
        let key = format!("{owner}.{name}");
        let mut variant =
            self.describe(schema, Step::Variant(name.to_owned()), Some(&key), None, above);
        // The kind's own words, not those of the type inside it.
        variant.meaning = meaning.unwrap_or(variant.meaning);
        variant
    }
}

fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

fn content(node: &Value) -> Content {
    let is = |key: &str| !node[key].is_null();
    let kind = node["type"].as_str().or_else(|| node["type"][0].as_str());
    match kind {
        _ if is("x-quantity") => Content::Quantity,
        _ if is("oneOf") => Content::OneOf,
        _ if is("const") => Content::Nothing,
        _ if is("properties") => Content::Struct,
        Some("object") => Content::Map,
        _ if is("prefixItems") => Content::Tuple,
        Some("array") => Content::List,
        Some("integer" | "number") => Content::Number,
        Some("boolean") => Content::Flag,
        _ => Content::Text,
    }
}

fn default(required: bool, content: Content, noted: Option<String>) -> String {
    match (required, noted) {
        (true, _) => "must be given".to_owned(),
        (false, Some(noted)) => noted,
        (false, None) if content == Content::Flag => "false".to_owned(),
        (false, None) => "none".to_owned(),
    }
}

/// What is written there, in words with an example.
fn form(node: &Value, content: Content, name: Option<&str>, parts: &[FieldDescription]) -> String {
    let only = || parts.first().map_or("", |part| part.form.as_str());
    match content {
        Content::Quantity => quantity(&node["x-quantity"], !parts.is_empty()),
        Content::OneOf if name == Some("Growth") => {
            format!("growth law, {}", only().trim_end_matches(UNCERTAIN))
        }
        Content::OneOf => {
            let kinds = parts.iter().map(|kind| match kind.content {
                Content::Nothing => format!("`{}`", kind.step),
                _ => format!("`{}(..)`", kind.step),
            });
            format!("one of {}", kinds.collect::<Vec<String>>().join(", "))
        }
        Content::Struct if parts.len() > FEW => "fields in round brackets".to_owned(),
        Content::Struct => {
            let fields = parts.iter().map(|part| format!("{}: ..", part.step));
            format!("`({})`", fields.collect::<Vec<String>>().join(", "))
        }
        Content::Map if parts.iter().any(|part| part.step == Step::Entry("year")) => {
            format!("map `{{2026: ..}}` of {}", only())
        }
        Content::Map => format!("map `{{\"name\": ..}}` of {}", only()),
        Content::List => format!("list `[..]` of {}", only()),
        Content::Tuple => {
            let places: Vec<&str> = parts.iter().map(|part| part.form.as_str()).collect();
            format!("pair of {}", places.join(" and "))
        }
        Content::Number if node["type"] == "integer" => "whole number".to_owned(),
        Content::Number => "number".to_owned(),
        Content::Text => "text in quotes".to_owned(),
        Content::Flag => "`true` or `false`".to_owned(),
        Content::Nothing => "its name only".to_owned(),
    }
}

/// Kind and examples of a quantity or a date.
fn quantity(words: &Value, uncertain: bool) -> String {
    let examples = words["examples"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut examples: Vec<String> = examples.map(|example| format!("`\"{example}\"`")).collect();
    if words["bare"] == true {
        examples.push(examples[0].replace('"', ""));
    }
    let uncertain = if uncertain { UNCERTAIN } else { "" };
    let kind = words["kind"].as_str().unwrap_or_default();
    format!("{kind} {}{uncertain}", examples.join(" or "))
}
