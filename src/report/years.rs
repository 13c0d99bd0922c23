//! `years.csv`: one row for each calendar year, every column named with its unit.

use super::columns::{COLUMNS, QUANTILES, Reading, quantiles};
use crate::plan::{Answer, YearResult};

/// The years as CSV with a header: `_p10`, `_p50`, `_p90` are quantiles over worlds, `_mean` and
/// `_se` a mean with its standard error. The last columns say which run it was.
#[must_use]
pub fn years_csv(answer: &Answer) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |record: Vec<String>| {
        writer.write_record(record).expect("memory takes every record, and all have one length");
    };
    write(header());
    for year in &answer.years {
        write(record(answer, year));
    }
    writer.into_inner().expect("memory takes every byte")
}

fn header() -> Vec<String> {
    let mut names = vec!["year".to_owned()];
    for (name, reading) in &COLUMNS {
        match reading {
            Reading::Quantiles(_) => names.extend(QUANTILES.map(|part| format!("{name}_{part}"))),
            Reading::Mean(_) => names.extend(["mean", "se"].map(|part| format!("{name}_{part}"))),
            Reading::Interval(_) => {
                names.extend(["", "_low", "_high"].map(|end| format!("{name}{end}")))
            }
            Reading::Plain(_) => names.push((*name).to_owned()),
        }
    }
    let rest = ["need_all_worlds_resolved", "sign_by", "can_be_signed"];
    names.extend(rest.map(Into::into));
    names.extend(["scenario", "scenario_hash", "seed"].map(Into::into));
    names
}

fn record(answer: &Answer, year: &YearResult) -> Vec<String> {
    let mut cells = vec![year.year.to_string()];
    for (_, reading) in &COLUMNS {
        match reading {
            Reading::Quantiles(of) => {
                cells.extend(quantiles(of(year)).map(|quantile| quantile.value.to_string()));
            }
            Reading::Mean(of) => {
                let estimate = of(year);
                let parts = [estimate.mean, estimate.standard_error];
                cells.extend(parts.map(|value| value.to_string()));
            }
            Reading::Interval(of) => {
                let read = of(year);
                cells.extend([read.value, read.low, read.high].map(|value| value.to_string()));
            }
            Reading::Plain(of) => cells.push(of(year).to_string()),
        }
    }
    cells.push(year.need_all_worlds.resolved.to_string());
    cells.extend([year.sign_by.clone(), year.can_be_signed.to_string()]);
    let from = &answer.provenance;
    cells.extend([from.scenario.clone(), from.hash.clone(), from.seed.to_string()]);
    cells
}
