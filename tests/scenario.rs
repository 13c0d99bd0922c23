//! Reading scenarios: the default one, and broken ones.

use sparkgap::scenario::Scenario;

#[test]
fn the_default_round_trips() {
    let scenario = Scenario::from_ron(Scenario::embedded_text(), "configs/muse_spark.ron")
        .map_err(|error| error.render(false));
    let scenario = match scenario {
        Ok(scenario) => scenario,
        Err(text) => panic!("{text}"),
    };
    let text = scenario.to_ron();
    let again = Scenario::from_ron(&text, "again.ron").unwrap();
    assert!(again == scenario);
    assert_eq!(again.to_ron(), text);
    assert_eq!(again.hash(), scenario.hash());
    assert_eq!(scenario.hash().len(), 64);
}
