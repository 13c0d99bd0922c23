//! Scenarios built on others: includes, patches, and the options that override a value.

use std::fs;
use std::path::PathBuf;

use sparkgap::scenario::{Scenario, ScenarioError, ScenarioText};
use tempfile::TempDir;

/// A folder with some files in it.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("the folder can be written to");
    }
    folder
}

fn path(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn fault(folder: &TempDir, name: &str) -> ScenarioError {
    Scenario::load(path(folder, name)).expect_err("the scenario is broken")
}

const LATE: &str = r#"// Everything comes late.
Variant(
    name: "late",
    description: "Own sites two years late",
    include: "muse_spark",
    patches: {
        "sites.*.slip": "24 months",
        "contracts.nebius_2": remove,
        "surfaces.glasses.adoption": constant("50%"),
    },
)
"#;

#[test]
fn a_variant_is_its_base_with_patches() {
    let folder = folder(&[("late.ron", LATE)]);
    let late = Scenario::load(path(&folder, "late.ron")).unwrap_or_else(|error| panic!("{error}"));
    let base = Scenario::embedded();
    assert_eq!((late.name.as_str(), base.name.as_str()), ("late", "muse_spark"));
    assert!(late.sites.values().all(|site| site.slip.text() == "24 months"));
    assert!(!late.contracts.contains_key("nebius_2"));
    assert_eq!(late.contracts["nebius_1"], base.contracts["nebius_1"]);
    // Every site, the contract and the adoption; the name is no override.
    assert_eq!(late.overrides.len(), base.sites.len() + 2);
    let first = &late.overrides[0];
    assert_eq!(first.value, "\"24 months\"");
    assert!(first.from.ends_with("late.ron") && first.path.starts_with("sites."));
    assert!(late.overrides.iter().any(|entry| entry.path == "contracts.nebius_2"
        && entry.value == "remove"
        && entry.was.as_deref().is_some_and(|was| was.contains("Nebius II"))));
}

#[test]
fn the_resolved_scenario_names_its_overrides_and_keeps_its_hash() {
    let folder = folder(&[("late.ron", LATE)]);
    let late = Scenario::load(path(&folder, "late.ron")).unwrap_or_else(|error| panic!("{error}"));
    let text = late.to_ron();
    assert!(text.contains("overrides: [") && text.contains("path: \"contracts.nebius_2\""));
    let again = Scenario::from_ron(&text, "run.ron").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again, late);
    // What a scenario says has one hash, however it was written.
    let mut by_options = ScenarioText::open("muse_spark").unwrap_or_else(|error| panic!("{error}"));
    for option in [
        "name=late",
        "description=Own sites two years late",
        "sites.*.slip=24 months",
        "contracts.nebius_2=remove",
        "surfaces.glasses.adoption=constant(\"50%\")",
    ] {
        by_options.set(option).unwrap_or_else(|error| panic!("{error}"));
    }
    let by_options = by_options.scenario().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(by_options.hash(), late.hash());
    assert_ne!(by_options.overrides, late.overrides);
}

#[test]
fn faults_stand_in_the_file_that_they_were_written_in() {
    let broken = LATE.replace("\"24 months\"", "\"24 moths\"");
    let above = r#"Variant(
        name: "above", description: "", include: "late.ron",
        patches: {"contracts.nebius_1.end": "2020-01-01", "sites.crusoe.pue": 0.5},
    )"#;
    let folder = folder(&[("late.ron", &broken), ("above.ron", above)]);
    let error = fault(&folder, "above.ron");
    let place = &error.faults()[0].place;
    assert!(place.file.ends_with("late.ron") && place.line == 7, "{error}");
    assert!(error.render(false).contains("unknown duration unit `moths`"), "{error}");
    fs::write(path(&folder, "late.ron"), LATE).expect("the folder can be written to");
    let error = fault(&folder, "above.ron");
    assert_eq!(error.faults().len(), 2, "{error}");
    for fault in error.faults() {
        assert!(fault.place.file.ends_with("above.ron") && fault.place.line == 3, "{error}");
    }
    assert!(error.render(false).contains("a PUE lies between 1 and 3"));
}

#[test]
fn a_patch_that_leads_nowhere_names_what_is_there() {
    let nowhere = LATE.replace("contracts.nebius_2", "contracts.nebius_3");
    let folder = folder(&[("late.ron", &nowhere)]);
    let error = fault(&folder, "late.ron");
    let report = error.render(false);
    assert!(report.contains("`contracts.nebius_3` does not exist"), "{report}");
    assert_eq!((error.faults()[0].place.line, error.exit_code()), (8, 2));
    let deeper =
        LATE.replace("\"contracts.nebius_2\": remove", "\"contracts.nebus_2.end\": \"2031\"");
    fs::write(path(&folder, "late.ron"), deeper).expect("the folder can be written to");
    let report = fault(&folder, "late.ron").render(false);
    assert!(report.contains("did you mean `nebius_2`?"), "{report}");
    // A field that no contract has is found when the whole is read.
    let typo =
        LATE.replace("\"contracts.nebius_2\": remove", "\"contracts.nebius_2.prize\": \"1\"");
    fs::write(path(&folder, "late.ron"), typo).expect("the folder can be written to");
    let error = fault(&folder, "late.ron");
    let report = error.render(false);
    assert!(report.contains("unknown field `prize`") && report.contains("`price`"), "{report}");
    assert_eq!(error.faults()[0].place.line, 8, "{report}");
}

#[test]
fn an_include_must_lead_somewhere_and_not_back() {
    let of = |include: &str| {
        format!("(name: \"x\", description: \"\", include: \"{include}\", patches: {{}})")
    };
    let folder = folder(&[
        ("self.ron", &of("self.ron")),
        ("a.ron", &of("./b.ron")),
        ("b.ron", &of("a.ron")),
        ("lost.ron", &of("nowhere.ron")),
        ("typo.ron", &of("muse_sprak")),
        ("folder.ron", &of("../.ron")),
        ("extra.ron", &of("muse_spark").replace("patches", "pathces")),
    ]);
    for name in ["self.ron", "a.ron", "b.ron"] {
        let error = fault(&folder, name);
        assert!(error.render(false).contains("includes itself"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
    let error = fault(&folder, "lost.ron");
    let report = error.render(false);
    assert!(
        report.contains("nowhere.ron") && report.contains("lost.ron:1 includes it"),
        "{report}"
    );
    assert_eq!(error.exit_code(), 1);
    let report = fault(&folder, "typo.ron").render(false);
    assert!(report.contains("no shipped scenario `muse_sprak`"), "{report}");
    assert!(report.contains("did you mean `muse_spark`?"), "{report}");
    assert_eq!(fault(&folder, "folder.ron").exit_code(), 1);
    let report = fault(&folder, "extra.ron").render(false);
    assert!(report.contains("unknown field `pathces`"), "{report}");
}

#[test]
fn an_option_is_faulted_where_it_is_typed() {
    let fault = |option: &str| {
        let mut text = ScenarioText::open("muse_spark").unwrap_or_else(|error| panic!("{error}"));
        let set = text.set(option).and_then(|()| text.scenario().map(drop));
        set.expect_err("the option is broken").render(false)
    };
    let report = fault("sites.hyperion.slip=3 moths");
    assert!(report.contains("--set:1:") && report.contains("unknown duration unit"), "{report}");
    assert!(fault("sites.hyperian.slip=3 months").contains("did you mean `hyperion`?"));
    assert!(fault("sampling.worlds").contains("there is no `=`"));
    assert!(fault("sampling.worlds=").contains("gets no value"));
    assert!(fault("sampling.worlds=lots").contains("--set:1:"));
    assert!(fault("hardware.gb301.life=3 years").contains("did you mean `gb300`?"));
    assert!(fault("sampling.worlds=20.5").contains("a whole number is expected"));
    assert!(fault("sites.hyperion.pue=1,3").contains("numbers have a point"));
    assert!(fault("sites.hyperion.slip=1,5 months").contains("numbers have a point"));
    assert!(fault("sampling.wrlds=3").contains("did you mean `worlds`?"));
}

#[test]
fn a_part_of_a_shipped_catalogue_entry_can_be_patched() {
    let mut text = ScenarioText::open("muse_spark").unwrap_or_else(|error| panic!("{error}"));
    for option in ["hardware.vera_rubin.realised=0.5", "models.muse_base.layers=60"] {
        text.set(option).unwrap_or_else(|error| panic!("{error}"));
    }
    let scenario = text.scenario().unwrap_or_else(|error| panic!("{error}"));
    let base = Scenario::embedded();
    assert_eq!(scenario.hardware["vera_rubin"].realised.text(), "0.5");
    assert_eq!(scenario.hardware["vera_rubin"].power, base.hardware["vera_rubin"].power);
    assert_eq!(scenario.hardware["gb300"], base.hardware["gb300"]);
    assert_eq!(scenario.models["muse_base"].layers, 60);
}
