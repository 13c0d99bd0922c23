//! `sparkgap adequacy`: loss of load of a reliability test system from its file alone.

use std::collections::BTreeMap;

use super::args::{AdequacyArguments, AdequacyBy};
use super::progress::{bar, say, watch_interrupt, writing};
use super::{Failure, print, use_threads};
use crate::fleet::{ExactSystem, JointStates, MOST_CAPACITIES, MOST_JOINT_STATES, MOST_JOINT_WORK};
use crate::report::{
    self, AdequacyReport, AssessedRisk, adequacy_csv, adequacy_json, adequacy_table,
};
use crate::scenario::{Network, known_names};
use crate::study::{
    CapacityStudy, ExactNetworkRisk, LolpBy, Method, NoCrossing, RiskMeasure, ValuedPart, Watch,
    assess_network, exact_areas, is_exact, is_year,
};

/// Assesses a system, prints its risk and what was asked for, and writes files where asked.
pub(super) fn adequacy(arguments: &AdequacyArguments) -> Result<(), Failure> {
    let mut network = Network::load(&arguments.config)?;
    network.samples = arguments.samples.unwrap_or(network.samples);
    network.seed = arguments.seed.unwrap_or(network.seed);
    let target = arguments.firm_for.as_ref().map(|words| target(words, &network)).transpose()?;
    let parts = parts(&network, arguments)?;
    if let Some(out) = &arguments.out {
        report::check_folder(out)?;
    }
    let stop = watch_interrupt(Failure::Interrupted);
    use_threads(arguments.threads)?;
    let bar = bar(0, "simulating", arguments.json);
    let watch = Watch { begun: &|blocks| bar.set_length(blocks), done: &|| bar.inc(1), stop };
    let method = method(arguments, &network, target.map(|(measure, _)| measure))?;
    let asked = target.is_some() || !parts.is_empty();
    let exact = arguments.exact || (asked && method == Method::Exact);
    let risk = if exact { exact_risk(&network, watch) } else { simulated(&network, watch) };
    bar.finish_and_clear();
    let mut report = AdequacyReport {
        network: &network,
        config: &arguments.config.display().to_string(),
        risk: risk?,
        firm: None,
        values: Vec::new(),
        method,
        area: arguments.area.as_deref(),
        by: arguments.by.map(|by| match by {
            AdequacyBy::Hour => LolpBy::Hour,
            AdequacyBy::Week => LolpBy::Week,
            AdequacyBy::Month => LolpBy::Month,
        }),
    };
    let failed = |why: NoCrossing, what: &str| match why {
        NoCrossing::Stopped => Failure::Interrupted,
        NoCrossing::NeverMet => Failure::Usage(format!(
            "{what}: no firm capacity in one area alone gives that risk; name another one with \
             --area, if there is one from which it can be reached"
        )),
        NoCrossing::TooLarge => too_large(&network),
    };
    if let (Some((measure, value)), Some(words)) = (target, &arguments.firm_for) {
        let study = CapacityStudy::new(&network, method, arguments.area.as_deref(), watch);
        let found = study.firm_for(measure, value);
        let found = found.map_err(|why| failed(why, &format!("--firm-for: {words}")))?;
        report.firm = Some((words, found));
    }
    for (name, part, home) in &parts {
        let area = arguments.area.as_deref().unwrap_or(home);
        let study = CapacityStudy::new(&network, method, Some(area), watch);
        let value = study.value(part).map_err(|why| failed(why, &format!("--elcc: {name}")))?;
        // Its name was looked up before.
        report.values.extend(value.map(|value| (*name, area, value)));
    }
    if let Some(out) = &arguments.out {
        let summary = adequacy_json(&report).into_bytes();
        let files = [("adequacy.csv", adequacy_csv(&report)), ("summary.json", summary)];
        writing(|| report::write_folder(out, &files))?;
        say(arguments.json, &format!("  wrote {}", out.display()));
    }
    let text = if arguments.json { adequacy_json(&report) } else { adequacy_table(&report) };
    print(&text)
}

fn simulated(network: &Network, watch: Watch<'_>) -> Result<AssessedRisk, Failure> {
    let risk = assess_network(network, watch).ok_or(Failure::Interrupted)?;
    Ok(AssessedRisk::Simulated(Box::new(risk)))
}

fn exact_risk(network: &Network, watch: Watch<'_>) -> Result<AssessedRisk, Failure> {
    if let Some(system) = network.single() {
        let system = ExactSystem::new(&system).ok_or_else(|| too_large(network))?.whole();
        return Ok(AssessedRisk::Exact(ExactNetworkRisk { system, areas: BTreeMap::new() }));
    }
    let joint = JointStates::new(network).ok_or_else(|| too_large(network))?;
    let more = vec![0.0; network.areas.len()];
    let risk = exact_areas(&joint, network, &more, watch).ok_or(Failure::Interrupted)?;
    Ok(AssessedRisk::Exact(risk))
}

fn too_large(network: &Network) -> Failure {
    let name = &network.name;
    Failure::Usage(match network.areas.len() {
        1 => format!(
            "{name} has more than {MOST_CAPACITIES} distinct sums of capacities, sixteen times as \
             many in all hours, or too many units to add up: simulate it, or round its capacities \
             to a common step"
        ),
        _ => format!(
            "{name} has more than {MOST_JOINT_STATES} joint states of its areas and links in an \
             hour, or {MOST_JOINT_WORK} in all hours: simulate it, or round its capacities to a \
             common step"
        ),
    })
}

/// How capacities are found: exactly where that is asked for or possible, else from samples.
fn method(
    arguments: &AdequacyArguments,
    network: &Network,
    measure: Option<RiskMeasure>,
) -> Result<Method, Failure> {
    let sampled = arguments.samples.is_some() || arguments.seed.is_some();
    if arguments.monte_carlo || sampled {
        return Ok(Method::MonteCarlo);
    }
    if measure.is_none() && arguments.elcc.is_empty() {
        return Ok(if arguments.exact { Method::Exact } else { Method::MonteCarlo });
    }
    if is_exact(network, measure.unwrap_or(RiskMeasure::LoleHours)) {
        return Ok(Method::Exact);
    }
    let why = if measure == Some(RiskMeasure::Lolev) {
        "LOLEv needs hours in their order"
    } else {
        "there are too many states to ask again and again exactly"
    };
    say(
        arguments.json,
        &format!(
            "  {why}: capacities are found from {} samples on the same streams",
            network.samples
        ),
    );
    Ok(Method::MonteCarlo)
}

/// A risk that is asked for, by its words.
fn target(words: &str, network: &Network) -> Result<(RiskMeasure, f64), Failure> {
    let wrong = |why: &str| {
        let form = "write 'LOLE 2.4 h/yr', 'LOLE 0.1 d/yr', 'LOLEv 0.2 /yr', 'EUE 10 MWh/yr' (in \
                    the system's unit) or 'NEUE 20 ppm'; without /yr it is of the period";
        Failure::Usage(format!("--firm-for '{words}': {why}; {form}"))
    };
    let parts: Vec<&str> = words.split_whitespace().collect();
    let (name, number, unit) = match parts[..] {
        [name, number, unit] => (name, number, unit),
        [name, number] if !name.eq_ignore_ascii_case("lole") => (name, number, ""),
        _ => return Err(wrong("three words are needed")),
    };
    let value = number.parse().ok().filter(|value: &f64| *value >= 0.0 && value.is_finite());
    let value = value.ok_or_else(|| wrong(&format!("`{number}` is no number from 0 on")))?;
    let (of, yearly) = unit.strip_suffix("/yr").map_or((unit, false), |of| (of, true));
    let hours = network.hours();
    if yearly && !is_year(hours) {
        return Err(wrong(&format!("the period has {hours} hours and is no year")));
    }
    let energy = network.capacity_unit.as_ref().map(|capacity| format!("{capacity}h"));
    let energy = energy.as_deref().unwrap_or("capacity-hours");
    let (measure, units): (_, &[&str]) = match name.to_ascii_lowercase().as_str() {
        "lole" if of == "d" => (RiskMeasure::LoleDays, &["d"]),
        "lole" => (RiskMeasure::LoleHours, &["h", "d"]),
        "lolev" => (RiskMeasure::Lolev, &["", "events"]),
        "eue" => (RiskMeasure::Eue, &["", energy]),
        "neue" => (RiskMeasure::NeuePpm, &["", "ppm"]),
        _ => return Err(wrong(&format!("`{name}` is not a risk that can be asked for"))),
    };
    if !units.contains(&of) {
        let known: Vec<&str> = units.iter().copied().filter(|unit| !unit.is_empty()).collect();
        return Err(wrong(&format!("`{unit}` is no unit of {name}: {}", known.join(", "))));
    }
    Ok((measure, value))
}

/// A part that is to be valued: as it was typed, what it is, and the area that it serves.
type Asked<'a> = (&'a str, ValuedPart, String);

/// The parts that are to be valued; checks the names of areas too.
fn parts<'a>(
    network: &Network,
    arguments: &'a AdequacyArguments,
) -> Result<Vec<Asked<'a>>, Failure> {
    if let Some(area) = arguments.area.as_ref().filter(|area| !network.areas.contains_key(*area)) {
        let known = known_names(area, network.areas.keys().map(String::as_str));
        return Err(Failure::Usage(format!("--area: no area is called `{area}`: {known}")));
    }
    if arguments.area.is_some() && arguments.firm_for.is_none() && arguments.elcc.is_empty() {
        let message = "--area says where --firm-for or --elcc add capacity: name one of them";
        return Err(Failure::Usage(message.to_owned()));
    }
    arguments.elcc.iter().map(|name| part(network, name)).collect()
}

fn part<'a>(network: &Network, name: &'a str) -> Result<Asked<'a>, Failure> {
    if let Some(link) = name.strip_prefix("link:") {
        let Some(found) = network.links.get(link) else {
            let known = known_names(link, network.links.keys().map(String::as_str));
            return Err(Failure::Usage(format!("--elcc: no link is called `{link}`: {known}")));
        };
        return Ok((name, ValuedPart::Link(link.to_owned()), found.to.clone()));
    }
    let (group, all) = name.strip_suffix(":all").map_or((name, false), |group| (group, true));
    let several = network.areas.len() > 1;
    let mut found = Vec::new();
    let mut known = Vec::new();
    for (area, facts) in &network.areas {
        for units in facts.units.keys() {
            let whole = if several { format!("{area}/{units}") } else { units.clone() };
            if units == group || whole == group {
                found.push((area.clone(), units.clone()));
            }
            known.push(whole);
        }
    }
    match &found[..] {
        [(area, group)] => {
            let part = ValuedPart::Units { area: area.clone(), group: group.clone(), all };
            Ok((name, part, area.clone()))
        }
        [] => {
            let known = known_names(group, known.iter().map(String::as_str));
            Err(Failure::Usage(format!("--elcc: no units are called `{group}`: {known}")))
        }
        _ => {
            let names = found.iter().map(|(area, group)| format!("{area}/{group}"));
            let names = names.collect::<Vec<_>>().join(", ");
            Err(Failure::Usage(format!("--elcc: `{group}` is in several areas: {names}")))
        }
    }
}
