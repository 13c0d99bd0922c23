//! Checks of what is asked for: name, sampling, years, dates, and that every section has entries.

use super::{Faults, Path, Scenario};
use crate::time::FleetTime;

/// The name becomes part of file names.
pub(super) fn name(scenario: &Scenario, faults: &mut Faults) {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let name = &scenario.name;
    let safe =
        !name.is_empty() && name.len() <= 64 && name.chars().all(plain) && !name.starts_with('-');
    let message = "the name must be 1 to 64 letters, digits, `_` and `-`";
    faults.require(safe, Path::of("name"), message, "it becomes part of file names");
}

/// Worlds and inner years.
pub(super) fn sampling(scenario: &Scenario, faults: &mut Faults) {
    let (path, sampling) = (Path::of("sampling"), scenario.sampling);
    let worlds = (1..=20_000).contains(&sampling.worlds);
    faults.require(worlds, path.key("worlds"), "worlds must be 1 to 20000", "100 is usual");
    let inner = (1..=1_000).contains(&sampling.inner_years);
    let message = "inner_years must be 1 to 1000";
    faults.require(inner, path.key("inner_years"), message, "2 is usual");
}

/// Years and epoch.
pub(super) fn horizon(scenario: &Scenario, faults: &mut Faults) {
    let (path, horizon) = (Path::of("horizon"), scenario.horizon);
    let (first, last) = (horizon.first_year, horizon.last_year);
    let sane = (2000..=2100).contains(&first);
    let message = "first_year must lie between 2000 and 2100";
    faults.require(sane, path.key("first_year"), message, "2026 is the base year");
    if last < first {
        let message = format!("last_year {last} lies before first_year {first}");
        faults.add(path.key("last_year"), message, "exchange them");
    } else if last - first >= 20 {
        let message = format!("{} years are too many: 20 at most", last - first + 1);
        faults.add(path.key("last_year"), message, "end earlier");
    }
    let epoch = horizon.epoch.0;
    let divides =
        (300.0..=3600.0).contains(&epoch) && epoch.fract() == 0.0 && 3600.0 % epoch == 0.0;
    let message = "the epoch must be 5 min to 1 h and divide the hour";
    faults.require(divides, path.key("epoch"), message, "\"1 h\", \"15 min\" or \"5 min\"");
}

/// The date of the decision, the duration of a reload and that of an event.
pub(super) fn decision(scenario: &Scenario, faults: &mut Faults) {
    let end = FleetTime::start_of_year(scenario.horizon.last_year.saturating_add(1));
    let message = "the decision lies after the last year";
    let help = "write the date on which a contract could be signed";
    faults.require(scenario.decide_on < end, Path::of("decide_on"), message, help);
    faults.uncertain_duration(Path::of("reload"), &scenario.reload);
    if let Some(limits) = scenario.criterion.three_part {
        let path = Path::of("criterion").key("three_part").key("duration");
        faults.positive_duration(path, limits.duration);
    }
}

/// Sections that must have at least one entry.
pub(super) fn sections(scenario: &Scenario, faults: &mut Faults) {
    let sections = [
        ("regions", scenario.regions.is_empty()),
        ("surfaces", scenario.surfaces.is_empty()),
        ("workloads", scenario.workloads.is_empty()),
        ("profiles", scenario.profiles.is_empty()),
        ("deployments", scenario.deployments.is_empty()),
    ];
    for (section, empty) in sections {
        let message = format!("`{section}` is empty");
        faults.require(!empty, Path::of(section), &message, "name at least one");
    }
}
