//! What a GPU of each kind serves of each workload, month by month, and what it is worth in
//! reference and candidate GPUs.

use super::{Calendar, CallFacts, Draw, Releases, ServingRate, Volumes};
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
    /// What all step times are divided by: software, hardware realised, work per token; where the
    /// step time was measured, software and work per token since then.
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
    /// From `rows`, the rates of every span (see [`span_rates`]).
    pub fn new(
        scenario: &Scenario,
        calendar: &Calendar,
        volumes: &Volumes,
        rows: Vec<f64>,
    ) -> Self {
        let names = scenario.accelerators_supplied();
        let index = |name: &String| names.iter().position(|known| known == name).unwrap_or(0);
        let (candidate, reference) =
            (index(&scenario.candidate.accelerator), index(&scenario.reference));
        let (accelerators, workloads) = (names.len(), scenario.workloads.len());
        let width = accelerators * workloads;
        let mut rates = Self {
            names,
            accelerators,
            workloads,
            candidate,
            rates: Vec::new(),
            reference_cost: Vec::new(),
            candidate_cost: Vec::new(),
            reference_worth: Vec::new(),
            candidate_worth: Vec::new(),
            deferrable_worth: Vec::new(),
            output_tokens: Vec::new(),
        };
        let interactive: Vec<bool> =
            scenario.workloads.values().map(|workload| workload.is_interactive()).collect();
        for (span, row) in rows.chunks(width).take(calendar.spans.len()).enumerate() {
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
            rates.reference_cost.extend(reference_cost);
            rates.candidate_cost.extend(candidate_cost);
            rates.output_tokens.extend((0..workloads).map(|w| volumes.call(span, w).output));
        }
        rates.rates = rows;
        rates
    }

    /// Index of an accelerator by name.
    pub fn accelerator(&self, name: &str) -> usize {
        self.names.iter().position(|known| known == name).unwrap_or(0)
    }
}

/// Spans x accelerators x workloads: calls per second of one GPU. Serving is asked at the start of
/// each calendar year and interpolated to months; where a release makes a step inside a year, the
/// months on either side go between the ends of the year as they would be with its work and
/// without, so that the step stays one.
pub(super) fn span_rates(
    scenario: &Scenario,
    draw: Draw<'_>,
    calendar: &Calendar,
    releases: &Releases,
    rate: &ServingRate<'_>,
) -> Vec<f64> {
    let names = scenario.accelerators_supplied();
    let workloads = scenario.workloads.len();
    let first = calendar.years[0].year;
    let years = first..=first + calendar.years.len() as u16;
    let hardware: Vec<DrawnHardware<'_>> =
        names.iter().map(|name| DrawnHardware::new(name, &scenario.hardware[name], draw)).collect();
    let speeds: Vec<Vec<f64>> = years
        .map(|year| {
            let time = FleetTime::start_of_year(year);
            hardware.iter().map(|hardware| hardware.speed(time)).collect()
        })
        .collect();
    let mut rows = vec![0.0; calendar.spans.len() * names.len() * workloads];
    for (index, (workload_name, workload)) in scenario.workloads.iter().enumerate() {
        let model_name = &scenario.deployments[workload_name].model;
        let size =
            draw.value(&format!("models/{model_name}/size"), &scenario.models[model_name].size);
        let growth = format!("workloads/{workload_name}/work_per_token");
        let growth = libm::log1p(draw.value(&growth, &workload.work_per_token).0);
        // Work of a token, and on which date the step time of each accelerator was measured.
        let work = |at: f64, released: f64| libm::exp(growth * (at - BASE_YEAR)) * released;
        let layouts = &scenario.deployments[workload_name].layouts;
        let measured: Vec<Option<FleetTime>> =
            names.iter().map(|name| layouts.get(name)?.measured_on()).collect();
        // Rates by accelerator at the start of a year, counted from the first, at a release's work.
        let node = |year: usize, released: f64| -> Vec<f64> {
            let at = f64::from(first) + year as f64;
            let call = CallFacts::at(workload_name, workload, draw, at);
            let ask = |(kind, accelerator): (usize, &String)| {
                let speed = match measured[kind] {
                    None => speeds[year][kind] / work(at, released),
                    Some(date) => {
                        let software = hardware[kind].since(date, FleetTime::of_decimal_year(at));
                        let then = work(date.decimal_year(), releases.work_on(date, index));
                        software * then / work(at, released)
                    }
                };
                let workload = workload_name;
                rate(&ServingInputs { workload, accelerator, year: at, call, size, speed })
            };
            names.iter().enumerate().map(ask).collect()
        };
        let mut ends: Option<(usize, f64, [Vec<f64>; 2])> = None;
        for (span, middle) in calendar.middles.iter().enumerate() {
            let (year, released) = (calendar.spans[span].year, releases.work(span, index));
            let held = match ends.take() {
                Some(held) if (held.0, held.1) == (year, released) => held,
                Some((before, work, [_, end])) if (before + 1, work) == (year, released) => {
                    (year, released, [end, node(year + 1, released)])
                }
                _ => (year, released, [node(year, released), node(year + 1, released)]),
            };
            let part = (middle - f64::from(first) - year as f64).clamp(0.0, 1.0);
            for (column, (from, to)) in held.2[0].iter().zip(&held.2[1]).enumerate() {
                rows[(span * names.len() + column) * workloads + index] = between(*from, *to, part);
            }
            ends = Some(held);
        }
    }
    rows
}

/// An accelerator as it was drawn.
struct DrawnHardware<'a> {
    accelerator: &'a Accelerator,
    ceiling: Factor,
    realised: Factor,
}

impl<'a> DrawnHardware<'a> {
    fn new(name: &str, accelerator: &'a Accelerator, draw: Draw<'_>) -> Self {
        let value = |part: &str, law| draw.value(&format!("hardware/{name}/{part}"), law);
        let ceiling = value("software", &accelerator.software.ceiling);
        let realised = value("realised", &accelerator.realised);
        Self { accelerator, ceiling, realised }
    }

    /// What step times by its efficiencies are divided by.
    fn speed(&self, time: FleetTime) -> f64 {
        self.realised.0 * self.accelerator.software_multiplier(self.ceiling, time)
    }

    /// The same of a step time that was measured on a date.
    fn since(&self, date: FleetTime, time: FleetTime) -> f64 {
        self.accelerator.software_since(date, self.ceiling, time)
    }
}

/// Geometric interpolation; 0 next to a 0.
fn between(from: f64, to: f64, part: f64) -> f64 {
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
