//! `sparkgap adequacy`: loss of load of a reliability test system from its file alone.

use std::path::Path;

use super::args::AdequacyArguments;
use super::progress::{bar, watch_interrupt};
use super::{Failure, print, use_threads};
use crate::fleet::{MOST_CAPACITIES, exact_risk};
use crate::scenario::System;
use crate::stats::Estimate;
use crate::study::{SystemAdequacy, Watch, assess_system};

/// Assesses a system and prints its risk with standard errors.
pub(super) fn adequacy(arguments: &AdequacyArguments) -> Result<(), Failure> {
    let mut system = System::load(&arguments.config)?;
    system.samples = arguments.samples.unwrap_or(system.samples);
    system.seed = arguments.seed.unwrap_or(system.seed);
    if arguments.exact {
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

/// Prints the exact risk of a system.
fn exact(system: &System, arguments: &AdequacyArguments) -> Result<(), Failure> {
    let Some(risk) = exact_risk(system) else {
        return Err(Failure::Usage(format!(
            "{} has more than {MOST_CAPACITIES} distinct sums of capacities: leave --exact out, or \
             round its capacities to a common step",
            system.name
        )));
    };
    if arguments.json {
        let text = serde_json::to_string_pretty(&risk).unwrap_or_default();
        return print(&(text + "\n"));
    }
    let row = |name: &str, value: f64, unit: &str| format!("  {name:<7}{value:>15.8} {unit}\n");
    print(&format!(
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
    ))
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
