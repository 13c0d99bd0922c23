//! `adequacy.csv`: one row for each year, level of supply, group of users and measure.

use crate::plan::{Adequacy, Answer, CriterionPart, Lolp, PeakSurvival, ScopeAdequacy};
use crate::plan::{SupplyAdequacy, ThreePart};
use crate::stats::Estimate;

/// Columns before the numbers: what a row is of.
const HEADER: [&str; 12] = [
    "year",
    "supply",
    "scope",
    "region",
    "workload",
    "month",
    "hour_utc",
    "measure",
    "unit",
    "mean",
    "standard_error",
    "scenario_hash",
];

type OfScope = fn(&ScopeAdequacy) -> Estimate;

/// The measures of a scope: name, unit and reading.
const MEASURES: [(&str, &str, OfScope); 12] = [
    ("lole_hours", "h/yr", |scope| scope.lole_hours),
    ("lole_days", "d/yr", |scope| scope.lole_days),
    ("lolev", "events/yr", |scope| scope.lolev),
    ("eue_calls", "calls/yr", |scope| scope.eue.calls),
    ("eue_output_tokens", "output tokens/yr", |scope| scope.eue.output_tokens),
    ("eue_reference_gpu_hours", "reference GPU-h/yr", |scope| scope.eue.reference_gpu_hours),
    ("neue_ppm", "ppm of calls", |scope| scope.neue_ppm),
    ("cvar_95", "reference GPU-h/yr", |scope| scope.cvar_95),
    ("longest", "h", |scope| scope.longest),
    ("longest_of_all", "h", |scope| plain(scope.longest_of_all)),
    ("deepest", "reference GPUs", |scope| scope.deepest),
    ("deepest_of_all", "reference GPUs", |scope| plain(scope.deepest_of_all)),
];

/// A value without an error of its own.
fn plain(value: f64) -> Estimate {
    Estimate { mean: value, standard_error: f64::NAN }
}

/// What a row is of: the cells before the measure.
#[derive(Debug, Clone, Default)]
struct Of<'a> {
    year: &'a str,
    supply: &'a str,
    scope: &'a str,
    region: &'a str,
    workload: &'a str,
    month: String,
    hour: String,
}

struct Rows<'a> {
    writer: csv::Writer<Vec<u8>>,
    hash: &'a str,
}

/// The adequacy of an answer as CSV with a header. A maximum over all inner years has no error:
/// its cell is empty. Of the table of hours and months only cells that are not zero have rows.
#[must_use]
pub fn adequacy_csv(answer: &Answer) -> Vec<u8> {
    let mut rows =
        Rows { writer: csv::Writer::from_writer(Vec::new()), hash: &answer.provenance.hash };
    rows.record(HEADER.map(str::to_owned));
    let Adequacy { years, lolp_own, lolp_with_contracts } = &answer.adequacy;
    for year in years {
        let calendar = year.year.to_string();
        let at = |supply| Of { year: &calendar, supply, ..Of::default() };
        rows.supply(&at("own"), &year.own);
        rows.supply(&at("with_contracts"), &year.with_contracts);
        let of = Of { scope: "all", ..at("with_contracts") };
        rows.survival(&of, "largest_contract", &year.largest_contract);
    }
    for (supply, lolp) in [("own", lolp_own), ("with_contracts", lolp_with_contracts)] {
        let of = Of { year: "all", supply, scope: "all", ..Of::default() };
        rows.lolp(&of, lolp.as_ref());
    }
    rows.writer.into_inner().expect("memory takes every byte")
}

impl Rows<'_> {
    fn record(&mut self, cells: [String; HEADER.len()]) {
        self.writer.write_record(cells).expect("memory takes every record of one length");
    }

    fn row(&mut self, of: &Of<'_>, (measure, unit): (&str, &str), value: Estimate) {
        let error = value.standard_error;
        let error = if error.is_nan() { String::new() } else { error.to_string() };
        let texts = [of.year, of.supply, of.scope, of.region, of.workload].map(str::to_owned);
        let [year, supply, scope, region, workload] = texts;
        let (month, hour) = (of.month.clone(), of.hour.clone());
        let [measure, unit] = [measure, unit].map(str::to_owned);
        let (mean, hash) = (value.mean.to_string(), self.hash.to_owned());
        self.record([
            year, supply, scope, region, workload, month, hour, measure, unit, mean, error, hash,
        ]);
    }

    fn supply(&mut self, of: &Of<'_>, supply: &SupplyAdequacy) {
        let groups = [
            ("all", std::slice::from_ref(&supply.whole)),
            ("region", &supply.regions),
            ("workload", &supply.workloads),
            ("class", &supply.classes),
        ];
        for (scope, group) in groups {
            for one in group {
                let region = one.region.as_deref().unwrap_or_default();
                let workload = one.workload.as_deref().unwrap_or_default();
                let of = Of { scope, region, workload, ..of.clone() };
                for (measure, unit, value) in MEASURES {
                    self.row(&of, (measure, unit), value(one));
                }
            }
        }
        let of = Of { scope: "all", ..of.clone() };
        self.three_part(&of, &supply.three_part);
        self.survival(&of, "largest_site", &supply.largest_site);
        self.lolp(&of, supply.lolp.as_ref());
    }

    fn three_part(&mut self, of: &Of<'_>, found: &ThreePart) {
        let mut part = |name: &str, unit: &str, part: &CriterionPart| {
            self.row(of, (&format!("three_part_{name}"), unit), part.value);
            self.row(of, (&format!("three_part_{name}_limit"), unit), plain(part.limit));
        };
        part("frequency", "events/yr", &found.frequency);
        part("duration", "share of years", &found.duration);
        part("magnitude", "share of years", &found.magnitude);
    }

    fn survival(&mut self, of: &Of<'_>, lost: &str, found: &PeakSurvival) {
        let values = [
            ("survived", "share of weeks", found.survived),
            ("missing", "reference GPUs", found.missing),
            ("missing_of_all", "reference GPUs", plain(found.missing_of_all)),
        ];
        for (name, unit, value) in values {
            self.row(of, (&format!("without_{lost}_{name}"), unit), value);
        }
    }

    fn lolp(&mut self, of: &Of<'_>, found: Option<&Lolp>) {
        let Some(found) = found else { return };
        let of_hour: f64 = found.hours.iter().sum();
        let mut cells = |month: Option<usize>, hour: Option<usize>, value: Estimate| {
            let text = |number: Option<usize>| number.map_or(String::new(), |n| n.to_string());
            let of = Of { month: text(month.map(|m| m + 1)), hour: text(hour), ..of.clone() };
            let hours = match (month, hour) {
                (Some(month), Some(_)) => found.hours[month],
                (Some(month), None) => found.hours[month] * 24.0,
                _ => of_hour,
            };
            self.row(&of, ("lolp", "probability"), value);
            self.row(&of, ("short_hours", "h/yr"), value.times(hours));
        };
        for (hour, value) in found.by_hour.iter().enumerate() {
            cells(None, Some(hour), *value);
        }
        for (month, value) in found.by_month.iter().enumerate() {
            cells(Some(month), None, *value);
        }
        for (month, row) in found.table.iter().enumerate() {
            for (hour, value) in row.iter().enumerate().filter(|(_, value)| value.mean > 0.0) {
                cells(Some(month), Some(hour), *value);
            }
        }
    }
}
