//! `adequacy.csv` and JSON: every measure of the system and of its areas.

use serde_json::{Value, json};

use super::{AdequacyReport, AssessedRisk, kind, kind_of_hour};
use crate::stats::Estimate;
use crate::study::{CapacityValue, LolpBy, Method};

/// Numbers the shape of the JSON; raised when a field changes its meaning or goes.
const SCHEMA: u32 = 1;
/// What rows of the whole system are called in the place of an area.
const SYSTEM: &str = "(system)";

/// One row for each area and measure, with the standard error where there is one. Rows of the whole
/// system are called `(system)`, those of a link `link:NAME`.
#[must_use]
pub fn system_adequacy_csv(report: &AdequacyReport<'_>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: [&str; 5]| {
        writer.write_record(record).expect("memory takes every record, and all have one length");
    };
    write(["area", "measure", "unit", "mean", "standard_error"]);
    let exact = matches!(report.risk, AssessedRisk::Exact(_));
    let mut row = |area: &str, measure: &str, unit: &str, value: Estimate| {
        let error = if exact { String::new() } else { value.standard_error.to_string() };
        write([area, measure, unit, &value.mean.to_string(), &error]);
    };
    let areas = report.areas();
    for area in [None].into_iter().chain(areas.into_iter().map(Some)) {
        let name = area.unwrap_or(SYSTEM);
        for measure in report.measures(area) {
            row(name, measure.name, &measure.unit, measure.value);
            if let Some(most) = measure.most {
                let label = format!("{} of all samples", measure.name);
                row(name, &label, &measure.unit, Estimate { mean: most, standard_error: 0.0 });
            }
        }
        for by in [LolpBy::Hour, LolpBy::Month, LolpBy::Week] {
            for (index, lolp) in report.lolp_by(area, by).into_iter().enumerate() {
                let label = format!("LOLP {} {}", kind(by), kind_of_hour(by, index));
                row(name, &label, "probability", lolp);
            }
        }
    }
    for (name, link) in report.links().into_iter().flatten() {
        let name = format!("link:{name}");
        row(&name, "flow", report.capacity(), link.flow);
        row(&name, "utilisation", "share", link.utilisation);
        row(&name, "used", &report.per_period("h"), link.hours_used);
        row(&name, "full", &report.per_period("h"), link.hours_full);
    }
    writer.into_inner().expect("memory takes every byte")
}

/// Everything as one indented JSON object with a newline at the end.
#[must_use]
pub fn system_adequacy_json(report: &AdequacyReport<'_>) -> String {
    let (network, exact) = (report.network, matches!(report.risk, AssessedRisk::Exact(_)));
    let method = |exact: bool| if exact { Method::Exact } else { Method::MonteCarlo };
    let risk = match &report.risk {
        AssessedRisk::Simulated(risk) => json!(risk),
        AssessedRisk::Exact(risk) => json!(risk),
    };
    let mut whole = json!({
        "schema_version": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "name": network.name,
        "description": network.description,
        "capacity_unit": network.capacity_unit,
        "hours": network.hours(),
        "method": method(exact),
        "risk": risk,
    });
    if !exact || report.method == Method::MonteCarlo {
        whole["seed"] = json!(network.seed);
        whole["samples"] = json!(network.samples);
    }
    if let Some((asked, firm)) = &report.firm {
        whole["firm"] = json!({
            "asked": asked, "method": report.method, "area": report.area, "capacity": firm,
        });
    }
    if !report.values.is_empty() {
        let value = |(name, area, value): &(&str, &str, CapacityValue)| {
            let method = report.method;
            json!({ "part": name, "method": method, "area": area, "value": value })
        };
        whole["values"] = Value::Array(report.values.iter().map(value).collect());
    }
    // Plain numbers and text keys: serialising them cannot fail.
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}
