//! How fast does one GPU serve each workload?
//!
//! Calls per second of one GPU in 2028, everything uncertain at its median: the closed-form
//! capacity F times the measured share eta of it at which the latency promises hold.

use std::path::Path;

use sparkgap::fleet::{CallFacts, Draw, ServingInputs};
use sparkgap::scenario::Scenario;
use sparkgap::study::{Watch, characterise};
use sparkgap::time::FleetTime;

fn main() {
    let (scenario, year) = (Scenario::embedded(), 2028);
    let cache = Path::new("out/.serving");
    let table = characterise(&scenario, Some(cache), Watch::nobody()).expect("nobody stops it");
    let rate = table.rates(&scenario);
    println!("{:<14} {:<16} {:>6} {:>14}", "workload", "accelerator", "eta", "calls/s/GPU");
    for (name, workload) in &scenario.workloads {
        for accelerator in ["h100", "gb300", "vera_rubin", "mtia_500"] {
            let hardware = &scenario.hardware[accelerator];
            let ceiling = hardware.software.ceiling.central();
            let software = hardware.software_multiplier(ceiling, FleetTime::start_of_year(year));
            let year = f64::from(year);
            let work = (1.0 + workload.work_per_token.central().0).powf(year - 2026.5);
            let served = rate(&ServingInputs {
                workload: name,
                accelerator,
                year,
                call: CallFacts::at(name, workload, Draw::central(), year),
                size: scenario.models[&scenario.deployments[name].model].size.central(),
                speed: hardware.realised.central().0 * software / work,
            });
            let eta = table.eta_of(name, accelerator, year).unwrap_or(0.0);
            println!("{name:<14} {accelerator:<16} {eta:>6.2} {served:>14.3}");
        }
    }
}
