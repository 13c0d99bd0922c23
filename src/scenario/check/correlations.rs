//! Checks of the rank correlations between draws.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Faults, Path, Scenario};

/// Known draws, two by two and once each, by ranks that can hold together.
pub(super) fn correlations(scenario: &Scenario, faults: &mut Faults) {
    if scenario.correlations.is_empty() {
        return;
    }
    let known = draws(scenario);
    let mut sound = true;
    for (index, entry) in scenario.correlations.iter().enumerate() {
        let path = Path::of("correlations").index(index);
        let (one, other) = &entry.between;
        for (place, name) in [one, other].into_iter().enumerate() {
            faults.known(path.key("between").index(place), "draw", name, &known);
        }
        let inside = entry.rank > -1.0 && entry.rank < 1.0;
        let message = "a rank correlation lies above -1 and below 1";
        let help = "give quantities that always move together one `draw`";
        faults.require(inside, path.key("rank"), message, help);
        let pair = |(a, b): &(String, String)| (a.min(b).clone(), a.max(b).clone());
        let mut before = scenario.correlations[..index].iter();
        let again = before.any(|earlier| pair(&earlier.between) == pair(&entry.between));
        let message = format!("`{one}` and `{other}` are correlated twice");
        faults.require(!again, path.key("between"), &message, "keep one");
        let message = format!("`{one}` is wholly correlated with itself");
        faults.require(one != other, path.key("between"), &message, "name two draws");
        sound &= inside && !again && one != other;
    }
    if sound && scenario.correlated_draws().is_none() {
        let names =
            scenario.correlations.iter().flat_map(|entry| [&entry.between.0, &entry.between.1]);
        let names: std::collections::BTreeSet<&String> = names.collect();
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        let message = format!("these correlations cannot hold together: {}", names.join(", "));
        let help = "bring the ranks nearer to 0, or state the pairs that are left out";
        faults.add(Path::of("correlations"), message, help);
    }
}

/// Names of all draws of the scenario: every text called `draw` in it.
fn draws(scenario: &Scenario) -> BTreeMap<String, ()> {
    fn collect(value: &Value, found: &mut BTreeMap<String, ()>) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(name)) = fields.get("draw") {
                    found.insert(name.clone(), ());
                }
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeMap::new();
    if let Ok(value) = serde_json::to_value(scenario) {
        collect(&value, &mut found);
    }
    found
}
