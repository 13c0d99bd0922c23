//! The table.

use sparkgap::report::table;

use crate::answers;

/// The cells of the row whose label starts so.
fn cells(text: &str, label: &str) -> Vec<String> {
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with(label))
        .unwrap_or_else(|| panic!("no row {label} in\n{text}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    words[words.len() - 7..].iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_finding_comes_first_and_the_sources_last() {
    let answer = answers::short();
    let text = table(&answer, Some(120));
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.starts_with(&answer.finding), "{text}");
    for part in [
        "LOLE <= 2.4 h/yr",
        "misses <= 0.1 %",
        "100 worlds x 2 inner years",
        "epoch 1 h",
        "seed 42",
        "hash 4f1c9a2e,",
        "sparkgap 0.1.0",
        "racks of 72 GPUs (62.7 of them firm)",
        "one GB300 package",
        "n.r.: not resolved",
        "Prices are list prices of mid 2026 and do not fall.",
    ] {
        assert!(flat.contains(part), "{part} is missing in\n{text}");
    }
}

#[test]
fn rows_have_one_scale_and_the_digits_their_error_supports() {
    let text = table(&answers::short(), Some(120));
    assert_eq!(cells(&text, "assistant users a day, M people")[0], "900");
    assert!(text.contains("tokens in, T per day"), "{text}");
    // A standard error of 8.3 % shows two digits of itself.
    assert_eq!(cells(&text, "LOLE, own only, h/yr")[1], "210±17");
    let gap = cells(&text, "gap P50, k GPUs");
    assert!(gap[0].starts_with('-') && gap[6].starts_with('+'), "{gap:?}");
    assert_eq!(cells(&text, "need, all worlds at once")[6], "n.r.");
}

#[test]
fn the_table_is_compact_and_lines_up() {
    for answer in [answers::short(), answers::surplus(), answers::far_short(), answers::zero()] {
        for width in [None, Some(40), Some(120), Some(500)] {
            let text = table(&answer, width);
            let widest = text.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(120), "{widest:?}\n{text}");
            let years = text.lines().find(|line| line.trim_start().starts_with("2026"));
            let years = years.expect("a line of years").chars().count();
            let rows = text.lines().filter(|line| line.contains("P50, "));
            for row in rows {
                assert_eq!(row.chars().count(), years, "{row}\n{text}");
            }
        }
    }
}

#[test]
fn nothing_prints_as_zero() {
    let text = table(&answers::zero(), None);
    for label in ["EUE own only, calls/yr", "gap P90, GPUs", "LOLE, own only", "total, USD"] {
        assert_eq!(cells(&text, label), ["0"; 7], "{text}");
    }
    assert!(!text.contains("NaN") && !text.contains("-0"), "{text}");
    assert!(!text.contains("What these numbers are not"), "{text}");
}

#[test]
fn what_training_lends_is_a_row_where_a_site_lends() {
    let mut answer = answers::short();
    assert!(!table(&answer, None).contains("lent by training"));
    answer.lends_training = true;
    for year in &mut answer.years {
        year.borrowed_gpu_hours.mean = 25.0;
    }
    let text = table(&answer, None);
    let row = text.lines().find(|line| line.contains("lent by training")).expect("the row");
    assert_eq!(row.matches("25").count(), answer.years.len(), "{row}");
}

#[test]
fn adequacy_has_rows_where_something_is_short() {
    let text = table(&answers::short(), Some(120));
    assert_eq!(cells(&text, "LOLE with contracts, d/yr")[..2], ["0", "4.25±0.43"]);
    assert_eq!(cells(&text, "longest event own only, h")[0], "0");
    let verdicts = cells(&text, "three-part criterion with contracts");
    assert_eq!(verdicts[..2], ["holds", "fails"]);
    assert_eq!(cells(&text, "weekly peaks without largest site, %")[0], "100.0±1.0");
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Most of the EUE with contracts: 2027 east 100 %, chat 30 %; 2028",
        "at most 0.1 events/yr; in at most 0.25 % of years an event of 12 h or more",
        "Largest site in most weeks: prometheus (from 2026); most missing at a peak: 9.18 k ref. \
         GPUs without prometheus in 2032.",
    ] {
        assert!(flat.contains(part), "{part} is missing in\n{text}");
    }
    // Where nothing is short and there is no site, nothing is said of it.
    let text = table(&answers::zero(), Some(120));
    for part in ["d/yr", "LOLEv", "three-part", "weekly peaks", "Largest site", "Most of the EUE"] {
        assert!(!text.contains(part), "{part} in\n{text}");
    }
}
