//! `docs/scenario.md` is made of the descriptions of a scenario's fields.
//!
//! `SPARKGAP_WRITE_DOCS=1 cargo test --test describe` writes the document.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use sparkgap::scenario::describe::{Content, FieldDescription, Step};

const HEAD: &str = include_str!("data/scenario_head.md");

const SOURCES: &str = r#"
A quantity may carry where it comes from:

    (value: "triangular(1.1, 1.4, 2.0) B users", source: "..", as_of: "2026-06")
"#;
const GROWTH: &str = r#"
## Growth laws

A field that moves over the years takes one of these laws. Each value in them is a quantity in any
of the forms above. For example: `constant("4 requests/day")`,
`exponential(start: "2 B users", growth: "3 %/yr")`, `series({2026: "10%", 2030: "25%"})`.
"#;
const SECTIONS: &str = r#"
# The sections, field by field

A path such as `sites.<name>.phases[i].on` is what `sparkgap explain` takes and what messages show;
in the tables it begins below the section. A field with nothing under "when left out" must be given;
a dash there marks one of several kinds (`yearly(..)` or `dates(..)`). Kinds may be left out of a
path.
"#;

/// `docs/scenario.md`, made of the descriptions.
struct Document {
    text: String,
    /// Where a type has been told in full, by its name.
    told: BTreeMap<String, String>,
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

impl Document {
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn row(&mut self, cells: &[&str]) {
        let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn head(&mut self, cells: &[&str]) {
        self.line("");
        self.row(cells);
        self.row(&vec!["---"; cells.len()]);
    }

    /// Every kind of quantity once: example and units.
    fn quantities(&mut self) {
        self.head(&["kind and example", "units"]);
        let mut kinds = BTreeSet::new();
        FieldDescription::scenario().walk(&mut |field| {
            let kind = field.form.trim_end_matches(", may be uncertain").to_owned();
            if field.content == Content::Quantity && !field.units.is_empty() {
                kinds.insert((kind, field.units.join(", ")));
            }
        });
        for (kind, units) in &kinds {
            self.row(&[kind, units]);
        }
    }

    /// The parts of an uncertain quantity and the growth laws, once.
    fn growth(&mut self) {
        let (mut law, mut quantity) = (None, None);
        FieldDescription::scenario().walk(&mut |field| {
            law = law.or(Some(field).filter(|field| field.is_growth()));
            quantity = quantity.or(Some(field).filter(|field| field.may_be_uncertain()));
        });
        self.head(&["part", "meaning", "when left out", "used by"]);
        for part in &quantity.expect("some quantity may be uncertain").parts {
            let default = part.default.as_deref().unwrap_or_default();
            self.row(&[&format!("`{}`", part.step), &part.meaning, default, &part.used_by]);
        }
        self.text += GROWTH;
        self.head(&["law", "meaning", "form", "range"]);
        for kind in &law.expect("some field grows").parts {
            let range = kind.range.as_deref().filter(|_| kind.content == Content::Map);
            let name = format!("`{}(..)`", kind.step);
            self.row(&[&name, &kind.meaning, "", range.unwrap_or_default()]);
            for part in kind.parts.iter().filter(|_| kind.content == Content::Struct) {
                let optional =
                    if part.default.as_deref() == Some("none") { ", optional" } else { "" };
                let rate = part.form.starts_with("yearly growth");
                let form = if rate { &part.form } else { "as the field" };
                let noted = rate || part.step.name() == Some("cap") && optional.is_empty();
                let range = part.range.as_deref().filter(|_| noted).unwrap_or_default();
                let name = format!("`{}(.. {}: ..)`", kind.step, part.step);
                self.row(&[&name, &part.meaning, &format!("{form}{optional}"), range]);
            }
        }
    }

    fn section(&mut self, section: &FieldDescription) {
        self.line(&format!("\n## `{}`\n", section.path));
        self.line(&section.meaning);
        self.line(&format!("\n- Form: {}", section.form));
        if let Some(range) = &section.range {
            self.line(&format!("- Range: {range}"));
        }
        self.line(&format!("- When left out: {}", section.default.as_deref().unwrap_or_default()));
        self.line(&format!("- Used by: {}", section.used_by));
        let rows = self.rows(section, section);
        if !rows.is_empty() {
            self.head(&["field", "meaning", "form", "range", "when left out", "used by"]);
            self.text += &rows;
        }
    }

    /// A row for every field and kind inside, but for what has been told before.
    fn rows(&mut self, field: &FieldDescription, section: &FieldDescription) -> String {
        let mut rows = String::new();
        if field.is_growth() || field.may_be_uncertain() {
            return rows;
        }
        for part in &field.parts {
            let name = part.path[section.path.len()..].trim_start_matches('.');
            let mut form = part.form.clone();
            let mut inside = true;
            if let Some(told) = part.type_name.as_ref().and_then(|name| self.told.get(name)) {
                form += &format!(", as in `{told}`");
                inside = false;
            } else if let Some(type_name) = part.type_name.as_ref().filter(|_| !part.is_growth()) {
                self.told.insert(type_name.clone(), part.path.clone());
            }
            if !matches!(part.step, Step::Entry(_) | Step::Element | Step::Place(_)) {
                let kind = matches!(part.step, Step::Variant(_));
                let default = match part.default.as_deref() {
                    Some("must be given") => "",
                    default => default.unwrap_or("-"),
                };
                // Kinds without a note of their own are used as their field is.
                let used = if kind && part.used_by == field.used_by { "" } else { &part.used_by };
                let range = part.range.as_deref().unwrap_or_default();
                let name = format!("`{name}`");
                let cells = [&name, &part.meaning, &form, range, default, used].map(cell);
                rows += &format!("| {} |\n", cells.join(" | "));
            }
            if inside {
                rows += &self.rows(part, section);
            }
        }
        rows
    }
}

fn document() -> String {
    let mut document = Document { text: HEAD.to_owned(), told: BTreeMap::new() };
    document.quantities();
    document.text += SOURCES;
    document.growth();
    document.text += SECTIONS;
    for section in &FieldDescription::scenario().parts {
        document.section(section);
    }
    document.text
}

#[test]
fn the_document_is_made_of_the_descriptions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/scenario.md");
    let made = document();
    if std::env::var_os("SPARKGAP_WRITE_DOCS").is_some() {
        fs::write(&path, &made).expect("docs can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let place = made.lines().zip(written.lines()).position(|(made, written)| made != written);
    assert!(
        made == written,
        "docs/scenario.md is not what the descriptions say, from line {:?}; run \
         `SPARKGAP_WRITE_DOCS=1 cargo test --test describe`",
        place.map(|place| place + 1)
    );
}
