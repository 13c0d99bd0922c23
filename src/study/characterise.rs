//! Measuring the serving curve of every workload on every accelerator that may serve it.
//!
//! For each pair the share eta of the fluid capacity at which the latency promises hold is
//! measured by the engine at the central case in two years; a world then uses eta times its own
//! fluid capacity ([`calls_per_second_per_gpu`]).

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::{Watch, cache};
use crate::demand::{BASE_YEAR, Service, Workload};
use crate::engine::{
    CallMeans, CallShape, Deployment, FirstToken, LONGEST_STEP, LatencyLimits, Layout,
    ReplicaModel, Router, Scheduler, fluid_capacity, measure,
};
use crate::hardware::{Accelerator, Llm, Roofline, accelerators, models};
use crate::rng::StreamKey;
use crate::scenario::Scenario;
use crate::units::Seconds;

/// Version of everything between the inputs and a serving point: cached points of another version
/// are never read.
pub const MODEL_VERSION: u32 = 7;

/// Seed of the measurement, the same in every scenario, so that equal deployments share points.
const SEED: u64 = 1;

/// Why an accelerator serves nothing of a workload that the scenario lays out on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unserved {
    /// The weights, or the context of a mean call or of one in a hundred, do not fit.
    Memory,
    /// A full step would take longer than the engine's clock holds.
    LongestStep,
    /// Not even calls that never meet keep the promises.
    Promises,
}

impl Unserved {
    /// In words, for a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Memory => {
                "its memory does not hold the weights and a mean call, or one with a prompt at \
                 the 99th percentile"
            }
            Self::LongestStep => {
                "a full step would take longer than the 250 s that the engine can count"
            }
            Self::Promises => "not even a lone call keeps ttft_p99 and tpot_p99",
        }
    }
}

/// Eta at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServingSample {
    /// Decimal year of the central case measured.
    pub year: f64,
    /// Share of the fluid capacity at which the promises hold; `None` where the model does not
    /// fit or the promises hold for no call.
    pub eta: Option<f64>,
    /// Why there is none.
    pub unserved: Option<Unserved>,
}

/// Eta of one workload on one accelerator, early and late in the horizon.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServingEntry {
    /// Samples in order of time, one or two.
    pub samples: Vec<ServingSample>,
}

impl ServingEntry {
    /// Eta at a decimal year: straight between the samples, flat beyond them. Where one of them
    /// has none, the nearer one holds.
    #[must_use]
    pub fn eta(&self, year: f64) -> Option<f64> {
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        if last.year <= first.year {
            return last.eta;
        }
        let part = ((year - first.year) / (last.year - first.year)).clamp(0.0, 1.0);
        match (first.eta, last.eta) {
            (Some(early), Some(late)) => Some(early + (late - early) * part),
            (early, late) => {
                if part < 0.5 {
                    early
                } else {
                    late
                }
            }
        }
    }
}

/// Eta by workload and accelerator. Dense indices follow the order of names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServingTable {
    /// Workload names, in order.
    pub workloads: Vec<String>,
    /// Names of the accelerators in use, in order.
    pub accelerators: Vec<String>,
    /// By workload, then accelerator; `None` where the deployment has no layout.
    pub entries: Vec<Option<ServingEntry>>,
}

impl ServingTable {
    /// Index of a workload.
    #[must_use]
    pub fn workload(&self, name: &str) -> Option<usize> {
        self.workloads.binary_search_by(|known| known.as_str().cmp(name)).ok()
    }

    /// Index of an accelerator.
    #[must_use]
    pub fn accelerator(&self, name: &str) -> Option<usize> {
        self.accelerators.binary_search_by(|known| known.as_str().cmp(name)).ok()
    }

    /// Eta at a decimal year by dense indices; `None` where the workload is not deployed there,
    /// the model does not fit, or the promises hold for no call.
    #[must_use]
    pub fn eta(&self, workload: usize, accelerator: usize, year: f64) -> Option<f64> {
        let index = workload * self.accelerators.len() + accelerator;
        self.entries.get(index)?.as_ref()?.eta(year)
    }

    /// Eta at a decimal year by names.
    #[must_use]
    pub fn eta_of(&self, workload: &str, accelerator: &str, year: f64) -> Option<f64> {
        self.eta(self.workload(workload)?, self.accelerator(accelerator)?, year)
    }
}

/// Calls per second and GPU of a replica for drawn inputs: `eta` times the fluid capacity. `llm`
/// is scaled to its drawn size, `speed` is the product of the drawn software multiplier and the
/// realised share. `None` where the model does not fit or not one call keeps `tpot`.
#[must_use]
pub fn calls_per_second_per_gpu(
    eta: f64,
    accelerator: &Accelerator,
    llm: &Llm,
    (layout, deployment): (&Layout, &Deployment),
    calls: &CallMeans,
    tpot: Option<Seconds>,
    speed: f64,
) -> Option<f64> {
    let model = ReplicaModel::new(accelerator, llm, (layout, deployment), calls, speed)?;
    fluid_capacity(&model, calls, tpot).map(|fluid| eta * fluid.calls_per_second_per_gpu)
}

/// One point to be measured.
struct Task<'a> {
    workload: &'a Workload,
    deployment: &'a Deployment,
    layout: &'a Layout,
    accelerator: &'a Accelerator,
    llm: &'a Llm,
    year: f64,
    /// What all step times are divided by.
    speed: f64,
}

/// Everything that a point depends on, for its key.
#[derive(Serialize)]
struct Inputs<'a> {
    program: &'a str,
    version: u32,
    roofline: Roofline,
    kv_tokens: u64,
    layout: &'a Layout,
    scheduler: &'a Scheduler,
    router: &'a Router,
    first_token: FirstToken,
    calls: &'a CallShape,
    limits: LatencyLimits,
    seed: u64,
}

/// Measures every (workload, accelerator) that the scenario can use, on all cores, with `cache` as
/// a folder of earlier points. The result does not depend on the number of threads nor on what is
/// in the cache. `None` when `watch` stopped it.
pub fn characterise(
    scenario: &Scenario,
    cache: Option<&Path>,
    watch: Watch<'_>,
) -> Option<ServingTable> {
    let names = scenario.accelerators_supplied();
    let mut tasks = Vec::new();
    let mut owners = Vec::new();
    for (row, (name, workload)) in scenario.workloads.iter().enumerate() {
        for (column, accelerator) in names.iter().enumerate() {
            let years = years_of(scenario, accelerator);
            for year in years {
                if let Some(task) = task(scenario, name, workload, accelerator, year) {
                    owners.push(row * names.len() + column);
                    tasks.push(task);
                }
            }
        }
    }
    (watch.begun)(tasks.len() as u64);
    let measure = |task: &Task<'_>| {
        let eta = (!watch.stopped()).then(|| eta_of(task, cache));
        (watch.done)();
        eta
    };
    let etas: Option<Vec<Result<f64, Unserved>>> = tasks.par_iter().map(measure).collect();
    let mut entries: Vec<Option<ServingEntry>> = vec![None; scenario.workloads.len() * names.len()];
    for ((owner, task), eta) in owners.into_iter().zip(&tasks).zip(etas?) {
        let entry = entries[owner].get_or_insert_with(|| ServingEntry { samples: Vec::new() });
        let (year, unserved) = (task.year, eta.err());
        entry.samples.push(ServingSample { year, eta: eta.ok(), unserved });
    }
    Some(ServingTable {
        workloads: scenario.workloads.keys().cloned().collect(),
        accelerators: names,
        entries,
    })
}

fn accelerator_named<'a>(scenario: &'a Scenario, name: &str) -> Option<&'a Accelerator> {
    scenario.hardware.get(name).or_else(|| accelerators().get(name))
}

/// Decimal years at which eta is measured, whatever the horizon: a year's numbers must not depend
/// on which other years are asked for.
pub(super) const MEASURED: [f64; 2] = [BASE_YEAR, BASE_YEAR + 6.0];

/// The first year of measurement (or that in which the accelerator comes) and the last.
fn years_of(scenario: &Scenario, accelerator: &str) -> Vec<f64> {
    let [first, last] = MEASURED;
    let available = accelerator_named(scenario, accelerator)
        .map_or(first, |accelerator| accelerator.available.date().0 as f64 + 0.5);
    let first = first.max(available).min(last);
    if first < last { vec![first, last] } else { vec![last] }
}

fn task<'a>(
    scenario: &'a Scenario,
    name: &str,
    workload: &'a Workload,
    accelerator: &str,
    year: f64,
) -> Option<Task<'a>> {
    let deployment = scenario.deployments.get(name)?;
    let layout = deployment.layouts.get(accelerator)?;
    let accelerator = accelerator_named(scenario, accelerator)?;
    let llm = scenario.models.get(&deployment.model);
    let llm = llm.or_else(|| models().get(&deployment.model))?;
    let measured = layout.measured_on();
    let speed = scenario.central_speed((name, workload), accelerator, measured, year);
    Some(Task { workload, deployment, layout, accelerator, llm, year, speed })
}

/// Eta of one point. Deferrable work has no latency limit, so nothing is lost: eta is 1.
fn eta_of(task: &Task<'_>, folder: Option<&Path>) -> Result<f64, Unserved> {
    let llm = task.llm.scaled(task.llm.size.central());
    let place = (task.layout, task.deployment);
    // The lengths of a checked scenario are there.
    let calls = CallShape::central(task.workload, task.year).ok_or(Unserved::Memory)?;
    let means = calls.means();
    let model = ReplicaModel::new(task.accelerator, &llm, place, &means, task.speed);
    let model = model.ok_or(Unserved::Memory)?;
    let Service::Interactive { ttft_p99, tpot_p99 } = task.workload.service else {
        return fluid_capacity(&model, &means, None).map(|_| 1.0).ok_or(Unserved::Memory);
    };
    // Only a measured step time can be so absurd: the engine could not count it.
    if model.longest_step(calls.prompt.at(1.0)) > LONGEST_STEP {
        return Err(Unserved::LongestStep);
    }
    let limits = LatencyLimits { ttft_p99, tpot_p99 };
    let inputs = Inputs {
        program: env!("CARGO_PKG_VERSION"),
        version: MODEL_VERSION,
        roofline: model.roofline,
        kv_tokens: model.kv_tokens,
        layout: task.layout,
        scheduler: &model.scheduler,
        router: &model.router,
        first_token: model.first_token,
        calls: &calls,
        limits,
        seed: SEED,
    };
    let key = folder.map(|folder| (folder, cache::content_key(&inputs)));
    let known = key.as_ref().and_then(|(folder, key)| cache::read::<1>(folder, key));
    let eta = known.map(|[eta]| eta).unwrap_or_else(|| {
        let point = measure(&model, &calls, limits, StreamKey::world(SEED, 0));
        let eta = point.map_or(0.0, |point| point.eta);
        if let Some((folder, key)) = &key {
            cache::write(folder, key, &[eta]);
        }
        eta
    });
    let held = model.kv_tokens as f64;
    let fits = calls.prompt.at(0.99) + means.output <= held
        && fluid_capacity(&model, &means, None).is_some();
    let why = if fits { Unserved::Promises } else { Unserved::Memory };
    if eta > 0.0 { Ok(eta) } else { Err(why) }
}
