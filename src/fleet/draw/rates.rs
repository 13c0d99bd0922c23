//! What a GPU of each kind serves of each workload, month by month, and what it is worth in
//! reference and candidate GPUs.

use super::{Calendar, CallFacts, Draw, ServingRate, Volumes};
use crate::demand::BASE_YEAR;
use crate::hardware::Accelerator;
use crate::scenario::Scenario;
use crate::time::FleetTime;
use crate::units::Factor;

/// What a serving curve is asked with.
#[derive(Debug, Clone, Copy)]
pub struct ServingInputs<'a> {
    /// Workload, by name.
    pub workload: &'a str,
    /// Accelerator, by name.
    pub accelerator: &'a str,
    /// Time as a decimal year.
    pub year: f64,
    /// Mean lengths of a call.
    pub call: CallFacts,
    /// Size of the model relative to its proxy.
    pub size: Factor,
    /// What all step times are divided by: software, hardware realised, work per token.
    pub speed: f64,
}

/// Rates and worths, row by row of spans (see the fields of [`crate::fleet::World`]).
#[derive(Debug, Clone)]
pub(super) struct Rates {
    names: Vec<String>,
    pub accelerators: usize,
    pub workloads: usize,
    pub candidate: usize,
    pub rates: Vec<f64>,
    pub reference_cost: Vec<f64>,
    pub candidate_cost: Vec<f64>,
    pub reference_worth: Vec<f64>,
    pub candidate_worth: Vec<f64>,
    pub deferrable_worth: Vec<f64>,
    pub output_tokens: Vec<f64>,
}

impl Rates {
    pub fn new(
        scenario: &Scenario,
        draw: Draw,
        calendar: &Calendar,
        volumes: &Volumes,
        rate: &ServingRate<'_>,
    ) -> Self {
        let names = scenario.accelerators_supplied();
        let index = |name: &String| names.iter().position(|known| known == name).unwrap_or(0);
        let (candidate, reference) =
            (index(&scenario.candidate.accelerator), index(&scenario.reference));
        let (accelerators, workloads) = (names.len(), scenario.workloads.len());
        let width = accelerators * workloads;
        let nodes = node_rates(scenario, draw, calendar, &names, rate);
        let first = f64::from(calendar.years[0].year);
        let mut rates = Self {
            names,
            accelerators,
            workloads,
            candidate,
            rates: Vec::with_capacity(calendar.spans.len() * width),
            reference_cost: Vec::new(),
            candidate_cost: Vec::new(),
            reference_worth: Vec::new(),
            candidate_worth: Vec::new(),
            deferrable_worth: Vec::new(),
            output_tokens: Vec::new(),
        };
        let interactive: Vec<bool> =
            scenario.workloads.values().map(|workload| workload.is_interactive()).collect();
        for (span, middle) in calendar.middles.iter().enumerate() {
            let row: Vec<f64> =
                (0..width).map(|column| between(&nodes, width, middle - first, column)).collect();
            let cost = |rate: f64| if rate > 0.0 { 1.0 / rate } else { f64::INFINITY };
            let costs = |kind: usize| -> Vec<f64> {
                row[kind * workloads..(kind + 1) * workloads].iter().map(|r| cost(*r)).collect()
            };
            let (reference_cost, candidate_cost) = (costs(reference), costs(candidate));
            let mix = |kind: bool| -> Vec<f64> {
                let calls = |w: usize| -> f64 {
                    let regions = 0..volumes.regions;
                    regions.map(|region| volumes.calls_per_day(span, region, w)).sum()
                };
                (0..workloads)
                    .map(|w| if interactive[w] == kind { calls(w) } else { 0.0 })
                    .collect()
            };
            let (live, deferrable) = (mix(true), mix(false));
            for kind in 0..accelerators {
                let own = &row[kind * workloads..(kind + 1) * workloads];
                rates.reference_worth.push(worth(&live, own, &reference_cost));
                rates.candidate_worth.push(worth(&live, own, &candidate_cost));
                rates.deferrable_worth.push(worth(&deferrable, own, &candidate_cost));
            }
            rates.rates.extend(row);
            rates.reference_cost.extend(reference_cost);
            rates.candidate_cost.extend(candidate_cost);
            rates.output_tokens.extend((0..workloads).map(|w| volumes.call(span, w).output));
        }
        rates
    }

    /// Index of an accelerator by name.
    pub fn accelerator(&self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or(0)
    }
}

/// Rates at the start of each calendar year, the end of the last one included.
fn node_rates(
    scenario: &Scenario,
    draw: Draw,
    calendar: &Calendar,
    names: &[String],
    rate: &ServingRate<'_>,
) -> Vec<f64> {
    let first = calendar.years[0].year;
    let mut nodes = Vec::new();
    for year in first..=first + calendar.years.len() as u16 {
        let time = FleetTime::start_of_year(year);
        for name in names {
            let accelerator = &scenario.hardware[name];
            let hardware_speed = hardware_speed(name, accelerator, draw, time);
            for (workload_name, workload) in &scenario.workloads {
                let deployment = &scenario.deployments[workload_name];
                let model = &scenario.models[&deployment.model];
                let work = format!("workloads/{workload_name}/work_per_token");
                let growth = draw.value(&work, &workload.work_per_token).0;
                let work = libm::exp(libm::log1p(growth) * (f64::from(year) - BASE_YEAR));
                let size = draw.value(&format!("models/{}/size", deployment.model), &model.size);
                nodes.push(rate(&ServingInputs {
                    workload: workload_name,
                    accelerator: name,
                    year: f64::from(year),
                    call: CallFacts::at(workload_name, workload, draw, f64::from(year)),
                    size,
                    speed: hardware_speed / work,
                }));
            }
        }
    }
    nodes
}

fn hardware_speed(name: &str, accelerator: &Accelerator, draw: Draw, time: FleetTime) -> f64 {
    let ceiling = draw.value(&format!("hardware/{name}/software"), &accelerator.software.ceiling);
    let realised = draw.value(&format!("hardware/{name}/realised"), &accelerator.realised);
    realised.0 * accelerator.software_multiplier(ceiling, time)
}

/// Geometric interpolation between the nodes around `position` years; 0 next to a 0.
fn between(nodes: &[f64], width: usize, position: f64, column: usize) -> f64 {
    let last = nodes.len() / width - 1;
    let lower = (position.floor().max(0.0) as usize).min(last.saturating_sub(1));
    let part = (position - lower as f64).clamp(0.0, 1.0);
    let (from, to) = (nodes[lower * width + column], nodes[(lower + 1).min(last) * width + column]);
    if from <= 0.0 || to <= 0.0 {
        return 0.0;
    }
    libm::exp(libm::log(from) * (1.0 - part) + libm::log(to) * part)
}

/// GPUs in another currency that one GPU is worth on a mix of calls: the GPUs that the mix needs
/// there over those it needs here, workloads that either cannot serve left out.
fn worth(mix: &[f64], rates: &[f64], cost_there: &[f64]) -> f64 {
    let of = |weight: &dyn Fn(usize) -> f64| {
        let (mut here, mut there) = (0.0, 0.0);
        for (index, (rate, cost)) in rates.iter().zip(cost_there).enumerate() {
            if *rate > 0.0 && cost.is_finite() {
                here += weight(index) / rate;
                there += weight(index) * cost;
            }
        }
        (here > 0.0).then(|| there / here)
    };
    // Where nothing is asked, every workload counts the same work: idle GPUs have a worth too.
    of(&|index| mix[index]).or_else(|| of(&|index| 1.0 / cost_there[index])).unwrap_or(0.0)
}
