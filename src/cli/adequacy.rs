//! `sparkgap adequacy`: loss of load of a reliability test system from its file alone.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::args::AdequacyArguments;
use super::progress::{bar, watch_interrupt};
use super::{Failure, print, use_threads};
use crate::fleet::{
    Bracket, CapacityValue, ExactRisk, ExactSystem, LossMeasure, MOST_CAPACITIES, capacity_value,
};
use crate::scenario::{System, known_names};
use crate::stats::Estimate;
use crate::study::{SystemAdequacy, Watch, assess_system};

/// Assesses a system and prints its risk with standard errors.
pub(super) fn adequacy(arguments: &AdequacyArguments) -> Result<(), Failure> {
    let mut system = System::load(&arguments.config)?;
    system.samples = arguments.samples.unwrap_or(system.samples);
    system.seed = arguments.seed.unwrap_or(system.seed);
    if arguments.exact || arguments.firm_for.is_some() || !arguments.elcc.is_empty() {
        return exact(&system, arguments);
    }
    let stop = watch_interrupt(Failure::Interrupted);
    use_threads(arguments.threads)?;
    let bar = bar(0, "simulating", arguments.json);
    let watch = Watch { begun: &|blocks| bar.set_length(blocks), done: &|| bar.inc(1), stop };
    let assessed = assess_system(&system, watch);
    bar.finish_and_clear();
    let assessed = assessed.ok_or(Failure::Interrupted)?;
    if arguments.json {
        // Plain numbers and text keys: serialising them cannot fail.
        let text = serde_json::to_string_pretty(&assessed).unwrap_or_default();
        return print(&(text + "\n"));
    }
    print(&table(&system, &assessed, &arguments.config))
}

/// A risk that is asked for, by its words.
fn target(words: &str, hours: usize) -> Result<(LossMeasure, f64), Failure> {
    let wrong = |why: &str| {
        let form = "write 'LOLE 2.4 h' or 'LOLE 0.1 d' of the period";
        Failure::Usage(format!("--firm-for '{words}': {why}; {form}"))
    };
    let parts: Vec<&str> = words.split_whitespace().collect();
    let [name, number, unit] = parts[..] else { return Err(wrong("three words are needed")) };
    if !name.eq_ignore_ascii_case("lole") {
        return Err(wrong(&format!("`{name}` is not a risk that can be asked for")));
    }
    let value = number.parse().ok().filter(|value: &f64| *value >= 0.0 && value.is_finite());
    let value = value.ok_or_else(|| wrong(&format!("`{number}` is no number from 0 on")))?;
    let year = (8_736..=8_784).contains(&hours);
    match unit {
        "h" => Ok((LossMeasure::Hours, value)),
        "d" => Ok((LossMeasure::Days, value)),
        "h/yr" if year => Ok((LossMeasure::Hours, value)),
        "d/yr" if year => Ok((LossMeasure::Days, value)),
        "h/yr" | "d/yr" => Err(wrong(&format!("the period has {hours} hours and is no year"))),
        _ => Err(wrong(&format!("`{unit}` is none of h, d, h/yr, d/yr"))),
    }
}

/// What is worked out exactly.
#[derive(Serialize)]
struct Answer {
    risk: ExactRisk,
    #[serde(skip_serializing_if = "Option::is_none")]
    firm: Option<Bracket>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, CapacityValue>,
}

/// Prints the exact risk of a system, and what was asked of it.
fn exact(system: &System, arguments: &AdequacyArguments) -> Result<(), Failure> {
    let too_large = || {
        Failure::Usage(format!(
            "{} has more than {MOST_CAPACITIES} distinct sums of capacities: simulate it, or round \
             its capacities to a common step",
            system.name
        ))
    };
    for name in &arguments.elcc {
        if !system.units.contains_key(name) {
            let known = known_names(name, system.units.keys().map(String::as_str));
            return Err(Failure::Usage(format!("--elcc: no units are called `{name}`: {known}")));
        }
    }
    let worked = ExactSystem::new(system).ok_or_else(too_large)?;
    let firm = match &arguments.firm_for {
        Some(words) => {
            let (measure, risk) = target(words, worked.hours())?;
            let found = worked.firm_for(measure, risk);
            Some(found.ok_or_else(|| Failure::Usage(format!("--firm-for: {words} is never met")))?)
        }
        None => None,
    };
    let mut values = BTreeMap::new();
    for name in &arguments.elcc {
        values.insert(name.clone(), capacity_value(system, name).ok_or_else(too_large)?);
    }
    let answer = Answer { risk: worked.whole(), firm, values };
    if arguments.json {
        let text = serde_json::to_string_pretty(&answer).unwrap_or_default();
        return print(&(text + "\n"));
    }
    print(&exact_table(system, arguments, &answer))
}

fn exact_table(system: &System, arguments: &AdequacyArguments, answer: &Answer) -> String {
    let row = |name: &str, value: f64, unit: &str| format!("  {name:<7}{value:>15.8} {unit}\n");
    let risk = &answer.risk;
    let mut text = format!(
        "{} ({}): {}\n{}{}{}{}  {} hours, exactly: convolution of independent units; an hour is \
         lost when available < load\n",
        system.name,
        arguments.config.display(),
        system.description,
        row("LOLE", risk.lole_hours, "h per period"),
        row("LOLE", risk.lole_days, "d per period (hours of the daily peak)"),
        row("EUE", risk.eue, "capacity-hours per period"),
        row("NEUE", risk.neue_ppm, "ppm of the load"),
        risk.hours,
    );
    if let (Some(words), Some(firm)) = (&arguments.firm_for, &answer.firm) {
        let sense = if firm.high < 0.0 { "may be taken away" } else { "must be added" };
        let wide = firm.high - firm.low;
        text += &format!(
            "  {words}: {:.6} of firm capacity {sense} (bracket {wide:.1e} wide, {} tried)\n",
            firm.high.abs(),
            firm.tried
        );
    }
    for (name, value) in &answer.values {
        let credit = |bracket: &Bracket| 100.0 * bracket.low / value.nameplate;
        text += &format!(
            "  one of {name}, {} of capacity: ELCC {:.6} ({:.2} %), EFC {:.6} ({:.2} %)\n    \
             without it LOLE is {:.6} h\n",
            value.nameplate,
            value.elcc.low,
            credit(&value.elcc),
            value.efc.low,
            credit(&value.efc),
            value.lole_without
        );
    }
    text
}

fn table(system: &System, assessed: &SystemAdequacy, path: &Path) -> String {
    let row = |name: &str, estimate: Estimate, unit: &str| {
        let error = estimate.standard_error;
        // Two figures of the error; that many decimals of the mean.
        let digits = if error > 0.0 { (1.0 - error.log10().floor()).clamp(0.0, 9.0) } else { 3.0 };
        let digits = digits as usize;
        format!("  {name:<7}{:>13.digits$} +- {error:.digits$} {unit}\n", estimate.mean)
    };
    let most = |name: &str, estimate: Estimate, most: f64, unit: &str| {
        let digits = if most < 100.0 && most.fract() > 0.0 { 1 } else { 0 };
        row(name, estimate, &format!("{unit} in the mean of periods, {most:.digits$} in the worst"))
    };
    format!(
        "{} ({}): {}\n{}{}{}{}{}{}{}{}  {} samples of {} hours, seed {}; +- is one standard error; \
         an hour is lost when available < load\n",
        system.name,
        path.display(),
        system.description,
        row("LOLE", assessed.lole_hours, "h per period"),
        row("LOLE", assessed.lole_days, "d per period (hours of the daily peak)"),
        row("LOLEv", assessed.lolev, "events per period (hours in a row are one)"),
        row("EUE", assessed.eue, "capacity-hours per period"),
        row("NEUE", assessed.neue_ppm, "ppm of the load"),
        row("CVaR", assessed.cvar_95, "capacity-hours in the worst twentieth of the periods"),
        most("longest", assessed.longest, assessed.longest_of_all, "h"),
        most("deepest", assessed.deepest, assessed.deepest_of_all, "of capacity"),
        assessed.samples,
        assessed.hours,
        system.seed,
    )
}
