//! What is wrong with a sweep: said in words, at its place, with a way to put it right.

use std::fs;

use sparkgap::study::{SweepError, Watch};

use super::{AXES, GRID, command, folder, read, run, said, sweep_text};

/// Each text is faulty, says these words, and marks the line that holds these.
fn all_faulty(cases: &[(String, &str, &str)]) {
    for (text, words, marked) in cases {
        let fault = match read(text) {
            Err(fault) => fault,
            Ok(sweep) => match sweep.points(Watch::nobody()) {
                Err(SweepError::Point { point, fault }) => {
                    assert!(point.starts_with("point 1 of 1 (a = 3)"), "{point}");
                    fault
                }
                other => panic!("{other:?} for {text}"),
            },
        };
        let said = fault.to_string();
        assert!(said.contains(words), "no `{words}` in\n{said}");
        let place = &fault.faults()[0].place;
        assert_eq!(place.file, "tested.ron", "{said}");
        let line = text.lines().nth(place.line - 1).expect("the line");
        assert!(line.contains(marked), "line {} is not that of `{marked}`:\n{said}", place.line);
        assert_eq!(fault.exit_code(), 2);
    }
}

/// What holds for the sweep as a whole.
#[test]
fn faults_of_a_sweep_are_shown_where_they_are() {
    let grid = "combine: grid,";
    let map = |inside: &str| format!("combine: grid,\n    heatmap: ({inside}),");
    let x = "x: \"slip\", y: \"requests\"";
    let two = |a: &str, b: &str| {
        format!(
            "[(name: \"a\", path: \"sampling.seed\", values: {a}), (name: \"b\", path: \
             \"sites.hall.pue\", values: {b})]"
        )
    };
    all_faulty(&[
        (sweep_text("[]", grid), "at least one axis", "axes: []"),
        (
            sweep_text(&two("[1, 2]", "[1.1]"), "combine: zip,"),
            "these have: a 2, b 1",
            "combine: zip",
        ),
        (
            sweep_text(
                AXES,
                &map("x: \"slipp\", y: \"requests\", metric: \"gap_racks_p50\", year: 2030"),
            ),
            "did you mean `slip`?",
            "slipp",
        ),
        (
            sweep_text(AXES, &map(&format!("{x}, metric: \"gap_rack_p50\", year: 2030"))),
            "did you mean `gap_racks_p50`?",
            "gap_rack_p50",
        ),
        (
            sweep_text(AXES, &map(&format!("{x}, metric: \"gap_racks_p50\", year: 2040"))),
            "choose one from 2026 to 2032",
            "2040",
        ),
        (
            sweep_text(AXES, grid).replace("small.ron", "muse_sprak"),
            "did you mean `muse_spark`?",
            "muse_sprak",
        ),
        (sweep_text(AXES, "combine: gird,"), "did you mean `grid`?", "gird"),
        (sweep_text(AXES, "combine: grid, colour: red,"), "unknown field `colour`", "colour"),
    ]);
}

/// What holds for one axis.
#[test]
fn faults_of_an_axis_are_shown_where_they_are() {
    let grid = "combine: grid,";
    let axis = |inside: &str| format!("[(name: \"a\", {inside})]");
    let two = |a: &str, b: &str| {
        format!(
            "[(name: \"a\", path: \"sampling.seed\", values: {a}), (name: \"b\", path: \
             \"sites.hall.pue\", values: {b})]"
        )
    };
    all_faulty(&[
        (
            sweep_text(&axis("path: \"sampling.seed\", values: []"), grid),
            "without a step",
            "values: []",
        ),
        (sweep_text(&two("[1, 2]", "[1.1, 1.1]"), grid), "`1.1` is given twice", "1.1, 1.1"),
        (
            sweep_text(&axis("path: \"sites.halle.slip\", values: [\"1 month\"]"), grid),
            "did you mean `hall`?",
            "sites.halle.slip",
        ),
        (sweep_text(&axis("path: \"sites.*.slip\", values: [3]"), grid), "", "values: [3]"),
        (
            sweep_text(
                &axis("path: \"reload\", range: (from: \"1 min\", to: \"1 h\", count: 3)"),
                grid,
            ),
            "write both in one unit",
            "range:",
        ),
        (
            sweep_text(&axis("path: \"sampling.seed\", values: [1], cases: {}"), grid),
            "exactly one of `values`, `range` and `cases`",
            "name: \"a\"",
        ),
        (sweep_text(&axis("values: [1]"), grid), "has no `path`", "name: \"a\""),
        (
            sweep_text(&axis("path: \"sampling.worlds\", values: [1]"), grid),
            "is changed by `set` too",
            "sampling.worlds",
        ),
        (
            // The second axis would undo the first; the other way round it would refine it.
            sweep_text(
                "[(name: \"a\", path: \"sites.hall.phases[0].on\", values: [\"2028\"]),
                (name: \"b\", path: \"sites.*.phases\", values: [[]])]",
                grid,
            ),
            "what `sites.*.phases` names is changed by `a` too",
            "name: \"b\"",
        ),
        (
            sweep_text(
                &axis("path: \"sampling.seed\", range: (from: 1, to: 200000, count: 200000)"),
                grid,
            ),
            "from 2 to 100000",
            "range:",
        ),
        (
            sweep_text(
                "[(name: \"a\", path: \"sampling.seed\", range: (from: 1, to: 400, count: 400)), \
                 (name: \"b\", path: \"sites.hall.pue\", range: (from: 1, to: 2, count: 400))]",
                grid,
            ),
            "160000 points; at most 100000",
            "axes:",
        ),
    ]);
}

#[test]
fn failures_end_with_their_codes_and_leave_nothing() {
    let broken = sweep_text(
        "[(name: \"pue\", path: \"sites.hall.pue\", values: [1.1, 0.2])]",
        "combine: grid,",
    );
    let wrong = folder(&broken);
    let out = wrong.path().join("out");
    let output = run(&wrong, &out, &[]);
    assert_eq!(output.status.code(), Some(2));
    let said_of = said(&output);
    assert!(said_of.contains("point 2 of 2 (pue = 0.2)"), "{said_of}");
    assert!(said_of.contains("tested.ron:7:"), "{said_of}");
    assert!(!out.exists(), "nothing is computed before all points are sound");

    let folder = folder(&sweep_text(AXES, GRID));
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").expect("room");
    let output = run(&folder, &file, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    // The units cannot be kept: a file stands where their folder should be.
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("room");
    fs::write(out.join("units"), "not a folder").expect("room");
    let output = run(&folder, &out, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("units"), "{}", said(&output));
    let output = command(&folder, &out, &[]).arg("--thread").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    fs::remove_file(folder.path().join("tested.ron")).expect("it is there");
    let output = run(&folder, &out, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("tested.ron"), "{}", said(&output));
}
