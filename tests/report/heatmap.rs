//! The heatmap of a sweep, drawn from cells that nobody simulated.

use std::path::Path;

use sparkgap::report::{Cell, Heat, heatmap_png, heatmap_svg, metric_names, write_folder};
use sparkgap::scenario::ScenarioText;
use sparkgap::study::{Heatmap, Sweep, SweepPoint, SweepRow};

/// A sweep over axes that patch numbers of the small scenario; names and steps are free.
fn sweep(axes: &[(&str, &[&str])], metric: &str) -> Sweep {
    let paths = ["sampling.worlds", "sampling.seed", "reload", "sites.hall.pue"];
    let axis = |(index, (label, steps)): (usize, &(&str, &[&str]))| {
        let case = |step: &&str| format!("\"{step}\": {{\"{}\": \"1\"}}", paths[index]);
        let cases: Vec<String> = steps.iter().map(case).collect();
        format!("(name: \"axis_{index}\", label: \"{label}\", cases: {{{}}})", cases.join(", "))
    };
    let axes: Vec<String> = axes.iter().enumerate().map(axis).collect();
    let text = format!(
        "Sweep(name: \"drawn\", description: \"\", base: \"small.ron\", axes: [{}], combine: grid,
         heatmap: (x: \"axis_0\", y: \"axis_1\", metric: \"{metric}\", year: 2030))",
        axes.join(", ")
    );
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"));
    Sweep::read(ScenarioText::plain(text, "drawn.ron"), folder, &metric_names())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn heat(axes: &[(&str, &[&str])], metric: &str, value: impl Fn(&[usize]) -> Option<f64>) -> Heat {
    let sweep = sweep(axes, metric);
    let points: Vec<SweepPoint> = (0..sweep.count())
        .map(|index| SweepPoint { steps: sweep.steps(index), hash: format!("{index:064x}") })
        .collect();
    let cell = |point: &SweepPoint| {
        let value = value(&point.steps)?;
        Some(Cell { value, low: value - 9e3, high: value + 11e3 })
    };
    let cells: Vec<Option<Cell>> = points.iter().map(cell).collect();
    Heat::of(&sweep, &points, &cells).expect("the sweep asks for a map")
}

const GAP: &str = "gap_candidate_gpus_p50";
const CALLS: (&str, &[&str]) = ("Calls of an agentic run in 2026", &["10", "20", "40"]);
const SLIP: (&str, &[&str]) =
    ("Slip of own sites", &["0 months", "3 months", "6 months", "9 months", "12 months"]);

fn slope(steps: &[usize]) -> Option<f64> {
    let third = steps.get(2).copied().unwrap_or(0) as f64;
    Some(-430e3 + 95e3 * steps[0] as f64 + 63e3 * steps[1] as f64 + 45e3 * third)
}

fn cases() -> Vec<(&'static str, Heat)> {
    let twelve: Vec<String> = (1..=12).map(|step| format!("{} % a year", 5 * step)).collect();
    let twelve: Vec<&str> = twelve.iter().map(String::as_str).collect();
    let eight =
        ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4", "2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4"];
    let rubin: (&str, &[&str]) = (
        "Realised speed of Rubin",
        &["low (0.70, Ultra 0.40)", "middle (0.83, Ultra 0.75)", "high"],
    );
    let price: (&str, &[&str]) = ("Price", &["as planned", "a third more"]);
    let long: (&str, &[&str]) = (
        "A label that goes on and on until no reader remembers how it began, and then some more",
        &["a step whose name is a whole sentence of its own", "another such step, no shorter"],
    );
    vec![
        (
            "two_by_two",
            heat(&[("Calls", &["10", "40"]), ("Slip", &["none", "a year"])], GAP, |s| {
                Some(if s == [1, 1] { 12e3 } else { -430e3 + 100e3 * s[0] as f64 })
            }),
        ),
        ("three_by_five", heat(&[CALLS, SLIP], GAP, slope)),
        (
            "twelve_by_eight",
            heat(&[("Growth of requests", &twelve), ("Start", &eight)], GAP, |s| {
                (s != [3, 3]).then(|| slope(s).unwrap_or(0.0) * 0.7)
            }),
        ),
        ("one_row", heat(&[SLIP, ("Price", &["as planned"])], GAP, slope)),
        ("all_equal", heat(&[CALLS, SLIP], GAP, |_| Some(-52_300.0))),
        ("zero", heat(&[CALLS, SLIP], GAP, |_| Some(0.0))),
        ("six_panels", heat(&[CALLS, SLIP, rubin, price], GAP, slope)),
        ("five_panels", heat(&[CALLS, SLIP, ("Steps", &["1", "2", "3", "4", "5"])], GAP, slope)),
        (
            "middle",
            heat(&[CALLS, SLIP, ("Steps", &["1", "2", "3", "4", "5", "6", "7"])], GAP, slope),
        ),
        (
            "need",
            heat(&[CALLS, SLIP], "need_it_mw_p90", |s| slope(s).map(|gap| gap.max(0.0) * 3.3e-3)),
        ),
        ("long_labels", heat(&[long, long, rubin], GAP, slope)),
        ("all_short", heat(&[CALLS, SLIP], GAP, |s| slope(s).map(|gap| gap + 600e3))),
    ]
}

fn texts(svg: &str) -> Vec<String> {
    let inner = |part: &str| {
        let (_, rest) = part.split_once('>')?;
        Some(rest.split_once("</text>")?.0.trim().to_owned())
    };
    svg.split("<text ").skip(1).filter_map(inner).collect()
}

#[test]
fn every_case_draws_each_value() {
    for (name, heat) in cases() {
        let svg = heatmap_svg(&heat).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(svg.starts_with("<svg width=\"1200\"") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{name}");
        let texts = texts(&svg);
        assert!(texts.iter().all(|text| !text.contains('?')), "{name}: a glyph is missing");
        let title = texts.concat().replace(' ', "");
        assert!(title.starts_with(&heat.title.replace(' ', "")), "{name}: {texts:?}");
        for cell in heat.panels.iter().flat_map(|panel| &panel.cells).flatten() {
            let figure = heat.figure(cell);
            assert!(texts.contains(&figure), "{name}: {figure} is not shown");
        }
        assert_eq!(svg, heatmap_svg(&heat).expect("drawn"), "{name}: not the same twice");
    }
}

#[test]
fn the_title_is_read_off_the_cells() {
    let title = |name: &str| {
        let all = cases().into_iter().find(|(known, _)| *known == name);
        all.map(|(_, heat)| heat.title).expect("a case of that name")
    };
    assert_eq!(
        title("two_by_two"),
        "Gap in 2030 at the median: from -430k (surplus) to +12.0k candidate GPUs; short in 1 of \
         4 cells"
    );
    assert_eq!(
        title("all_equal"),
        "Gap in 2030 at the median: -52.3k (surplus) candidate GPUs everywhere; short in none of \
         15 cells"
    );
    assert!(title("all_short").ends_with("short in all 15 cells"));
    assert_eq!(title("need"), "Need in 2030 at P90: from 0 to 40 MW IT over 15 cells");
}

#[test]
fn panels_hold_their_own_cells() {
    let find = |name: &str| {
        let all = cases().into_iter().find(|(known, _)| *known == name);
        all.map(|(_, heat)| heat).expect("a case of that name")
    };
    let six = find("six_panels");
    assert_eq!(six.panels.len(), 6);
    assert_eq!(six.panels[5].title, "Realised speed of Rubin: high; Price: a third more");
    // Row 1 from below, column 2: calls step 2, slip step 1, Rubin step 2.
    let cell = six.panels[5].cells[3 + 2].expect("a value");
    assert_eq!(cell.value, -430e3 + 2.0 * 95e3 + 63e3 + 2.0 * 45e3);
    let middle = find("middle");
    assert_eq!(middle.panels.len(), 1);
    assert_eq!(middle.panels[0].title, "Steps: 4");
    assert!(middle.source.contains("middle step"), "{}", middle.source);
    assert_eq!((six.y.label.as_str(), six.y.steps[1].as_str()), ("Slip of own sites, months", "3"));
}

#[test]
fn cells_carry_their_doubt() {
    let map = Heatmap { x: "a".into(), y: "b".into(), metric: "m".into(), year: 2030 };
    let row = |year, error: &str| SweepRow {
        year,
        metric: "m".into(),
        value: Some(10.0),
        low: Some(8.0),
        high: Some(12.0),
        error: error.into(),
    };
    assert_eq!(Cell::of(&[row(2029, "")], &map), None);
    let rank = Cell::of(&[row(2029, ""), row(2030, "90 % rank interval")], &map);
    assert_eq!(rank, Some(Cell { value: 10.0, low: 8.0, high: 12.0 }));
    // 1.645 standard errors on either side hold 90 % of a normal law.
    let mean = Cell::of(&[row(2030, "one standard error")], &map).expect("a value");
    assert!((mean.low - 6.71).abs() < 1e-12 && (mean.high - 13.29).abs() < 1e-12);
    assert!(Cell { value: 1.0, low: -1.0, high: 3.0 }.unsettled());
    assert!(!rank.expect("a value").unsettled());
}

/// Maps of every case, to be looked at after a change of the drawing.
#[test]
#[ignore = "writes samples to target/tmp/heatmap-samples for people to look at"]
fn samples() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("heatmap-samples");
    for (name, heat) in cases() {
        let name = format!("{name}.png");
        write_folder(&folder, &[(&name, heatmap_png(&heat).expect("drawn"))]).expect("room");
    }
}
