//! JSON, CSV, Parquet and the folder they go into.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sparkgap::report::{ReportError, adequacy_csv, summary_json, write_folder, years_csv};

use crate::answers;

#[test]
fn summary_has_seven_years_and_its_schema() {
    let text = summary_json(&answers::short());
    assert!(text.ends_with("}\n"));
    let value: Value = serde_json::from_str(&text).expect("valid JSON");
    assert_eq!(value["schema"], 1);
    assert_eq!(value["years"].as_array().map(Vec::len), Some(7));
    assert_eq!(value["quarters"].as_array().map(Vec::len), Some(28));
    assert_eq!(value["criterion"]["interactive_lole"], "2.4 h/yr");
    assert!(value.get("worlds").is_none(), "worlds belong to worlds.parquet");
    assert_eq!(text, summary_json(&answers::short()));
}

fn keys(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields {
                out.push(key.clone());
                keys(inner, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, out)),
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/summary.md"))
        .expect("docs/summary.md is part of the repository");
    let value: Value = serde_json::from_str(&summary_json(&answers::short())).expect("valid JSON");
    let mut names = Vec::new();
    keys(&value, &mut names);
    names.sort();
    names.dedup();
    assert!(names.len() > 60, "{names:?}");
    // A field is described in a row of a table whose first cell is its name.
    let described =
        |name: &str| text.lines().any(|line| line.starts_with(&format!("| `{name}` |")));
    let missing: Vec<_> = names.iter().filter(|name| !described(name)).collect();
    assert!(missing.is_empty(), "docs/summary.md does not describe {missing:?}");
}

#[test]
fn csv_has_a_row_for_each_year() {
    let answer = answers::short();
    let bytes = years_csv(&answer);
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().expect("a header").clone();
    let column = |name: &str| {
        header.iter().position(|known| known == name).unwrap_or_else(|| panic!("no {name}"))
    };
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    assert_eq!(rows.len(), 7);
    for (row, year) in rows.iter().zip(&answer.years) {
        assert_eq!(row[column("year")], year.year.to_string());
        let number = |name: &str| row[column(name)].parse::<f64>().expect("a number");
        assert_eq!(number("gap_candidate_gpus_p90"), year.gap_gpus.p90.value);
        assert_eq!(number("cost_total_usd_p50"), year.cost.total.p50.value);
        assert_eq!(number("lole_own_h_per_yr_se"), year.lole_own.standard_error);
        assert_eq!(row[column("scenario_hash")], answer.provenance.hash);
    }
    let mut unique: Vec<&str> = header.iter().collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), header.len());
}

#[test]
fn adequacy_has_a_row_for_each_group_and_measure() {
    let answer = answers::short();
    let bytes = adequacy_csv(&answer);
    assert_eq!(bytes, adequacy_csv(&answer));
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().expect("a header").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("a row")).collect();
    let column = |name: &str| header.iter().position(|known| known == name).expect("a column");
    // The one row of these cells, of year, supply, scope, region, workload, month, hour, measure.
    let row = |wanted: [&str; 8]| {
        let mut found = rows.iter().filter(|row| row.iter().zip(wanted).all(|(a, b)| a == b));
        let row = found.next().unwrap_or_else(|| panic!("no {wanted:?}"));
        assert!(found.next().is_none(), "{wanted:?} twice");
        let number = |name: &str| row[column(name)].parse::<f64>().ok();
        (number("mean").expect("a mean"), number("standard_error"), row[column("unit")].to_owned())
    };
    let year = &answer.adequacy.years[2];
    let (mean, error, unit) = row(["2028", "own", "class", "east", "chat", "", "", "lole_days"]);
    let wanted = year.own.classes[0].lole_days;
    assert_eq!((mean, error, unit.as_str()), (wanted.mean, Some(wanted.standard_error), "d/yr"));
    // A group that is never short has its rows, a largest value has no error.
    let west = row(["2028", "with_contracts", "region", "west", "", "", "", "deepest_of_all"]);
    assert_eq!((west.0, west.1), (0.0, None));
    let tail = row(["2028", "with_contracts", "all", "", "", "", "", "cvar_95"]);
    assert_eq!(tail.0, year.with_contracts.whole.cvar_95.mean);
    let part = row(["2028", "own", "all", "", "", "", "", "three_part_frequency"]);
    assert_eq!(part.0, year.own.three_part.frequency.value.mean);
    let survived = ["2028", "own", "all", "", "", "", "", "without_largest_site_survived"];
    assert_eq!(row(survived).0, year.own.largest_site.survived.mean);
    // Probabilities times the hours of a cell, of a month and of an hour of the day.
    let lolp = year.own.lolp.as_ref().expect("it is short");
    for (month, hour, probability, hours) in [
        ("7", "19", lolp.table[6][19], 30.0),
        ("7", "", lolp.by_month[6], 30.0 * 24.0),
        ("", "19", lolp.by_hour[19], 30.0 * 12.0),
    ] {
        let short = row(["2028", "own", "all", "", "", month, hour, "short_hours"]).0;
        assert!((short / (probability.mean * hours) - 1.0).abs() < 1e-12, "{month} {hour}");
    }
    let horizon = row(["all", "with_contracts", "all", "", "", "12", "23", "lolp"]);
    let table = answer.adequacy.lolp_with_contracts.as_ref().map(|lolp| lolp.table[11][23].mean);
    assert_eq!(Some(horizon.0), table);
    let hashed = rows.iter().all(|row| row[column("scenario_hash")] == answer.provenance.hash);
    assert!(hashed);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_reads_back() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    let answer = answers::short();
    let bytes = sparkgap::report::worlds_parquet(&answer);
    assert_eq!(bytes, sparkgap::report::worlds_parquet(&answer));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("worlds.parquet");
    fs::write(&path, &bytes).expect("written");
    let reader = SerializedFileReader::new(fs::File::open(&path).expect("opened"));
    let reader = reader.expect("a Parquet file");
    let metadata = reader.metadata().file_metadata();
    assert_eq!(metadata.num_rows(), answer.worlds.len() as i64);
    let pairs = metadata.key_value_metadata().expect("metadata");
    let of = |key: &str| pairs.iter().find(|pair| pair.key == key).and_then(|p| p.value.clone());
    assert_eq!(of("sparkgap.hash"), Some(answer.provenance.hash.clone()));
    assert_eq!(of("sparkgap.seed").as_deref(), Some("42"));
    assert_eq!(of("sparkgap.schema").as_deref(), Some("1"));
    assert_eq!(of("sparkgap.version").as_deref(), Some("0.1.0"));
    let rows: Vec<_> = reader.get_row_iter(None).expect("rows").collect();
    for (row, world) in rows.iter().zip(&answer.worlds) {
        let row = row.as_ref().expect("a row");
        assert_eq!(row.get_int(0).expect("world"), world.world as i32);
        assert_eq!(row.get_int(1).expect("year"), i32::from(world.year));
        assert_eq!(row.get_double(2).expect("users"), world.daily_users);
        assert_eq!(row.get_double(12).expect("gap"), world.gap_gpus);
        assert_eq!(row.get_double(27).expect("misses"), world.deferrable_misses);
        assert_eq!(row.get_double(28).expect("borrowed"), world.borrowed_gpu_hours);
        assert_eq!(row.get_double(29).expect("degraded"), world.degraded_calls);
        assert_eq!(row.get_double(30).expect("returned"), world.returned_calls);
    }
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_of_no_worlds_is_a_file_without_rows() {
    use parquet::file::reader::FileReader;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("worlds.parquet");
    fs::write(&path, sparkgap::report::worlds_parquet(&answers::zero())).expect("written");
    let file = fs::File::open(&path).expect("opened");
    let reader = parquet::file::reader::SerializedFileReader::new(file).expect("a Parquet file");
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_made_and_overwritten_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let inner = folder.path().join("out").join("run");
    write_folder(&inner, &[("a.txt", b"one".to_vec()), ("b.txt", b"two".to_vec())]).expect("room");
    write_folder(&inner, &[("a.txt", b"three".to_vec())]).expect("room");
    assert_eq!(names(&inner), ["a.txt", "b.txt"]);
    assert_eq!(fs::read(inner.join("a.txt")).expect("there"), b"three");
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A folder stands where the second file should go.
    fs::create_dir(folder.path().join("b.txt")).expect("room");
    let files = [("b.txt", b"two".to_vec()), ("a.txt", b"one".to_vec())];
    let error = write_folder(folder.path(), &files).expect_err("b.txt is a folder");
    assert!(matches!(error, ReportError::Write { .. }));
    assert!(error.to_string().contains("b.txt"), "{error}");
    assert_eq!(names(folder.path()), ["b.txt"]);
    // A file stands where the folder should be.
    let file = folder.path().join("file");
    fs::write(&file, b"").expect("room");
    let error = write_folder(&file.join("out"), &files).expect_err("not a folder");
    assert!(error.to_string().contains("create the folder"), "{error}");
}

#[test]
fn a_name_cannot_leave_the_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["../a.txt", "a/b.txt", "", "..", "/etc/a.txt", "a\\b.txt", "a/"] {
        let error = write_folder(folder.path(), &[(name, Vec::new())]).expect_err(name);
        assert!(matches!(error, ReportError::Name(_)), "{name}: {error}");
    }
    assert!(names(folder.path()).is_empty());
}
