//! What a GPU serves in a world: measured eta times the fluid capacity at the world's inputs.

use super::characterise::{MEASURED, ServingTable, Unserved, calls_per_second_per_gpu};
use crate::demand::{Service, Workload};
use crate::engine::{CallMeans, CallShape, Layout};
use crate::fleet::ServingInputs;
use crate::scenario::Scenario;

/// Means of a workload's calls halfway between the years of measurement, whatever the horizon:
/// their spreads hold at any mean.
fn typical(workload: &Workload) -> Option<CallMeans> {
    let [first, last] = MEASURED;
    CallShape::central(workload, f64::midpoint(first, last)).map(|shape| shape.means())
}

/// What must serve every workload, and as what.
fn roles(scenario: &Scenario) -> [(&'static str, &str); 2] {
    [("candidate", &scenario.candidate.accelerator), ("reference", &scenario.reference)]
}

impl ServingTable {
    /// The answer to "how many calls per second does one GPU serve", for the worlds of a scenario.
    pub fn rates<'a>(
        &'a self,
        scenario: &'a Scenario,
    ) -> impl Fn(&ServingInputs<'_>) -> f64 + Sync + 'a {
        let typical: Vec<Option<CallMeans>> = scenario.workloads.values().map(typical).collect();
        move |inputs| self.rate(scenario, &typical, inputs).unwrap_or(0.0)
    }

    fn rate(
        &self,
        scenario: &Scenario,
        typical: &[Option<CallMeans>],
        inputs: &ServingInputs<'_>,
    ) -> Option<f64> {
        let row = self.workload(inputs.workload)?;
        let eta = self.eta(row, self.accelerator(inputs.accelerator)?, inputs.year)?;
        let workload = &scenario.workloads[inputs.workload];
        let deployment = &scenario.deployments[inputs.workload];
        let layout = deployment.layouts.get(inputs.accelerator)?;
        let llm = scenario.models[&deployment.model].scaled(inputs.size);
        let calls = CallMeans {
            prompt: inputs.call.prompt,
            cached: inputs.call.prompt * inputs.call.cached,
            output: inputs.call.output,
            ..typical[row]?
        };
        let tpot = match workload.service {
            Service::Interactive { tpot_p99, .. } => Some(tpot_p99),
            Service::Deferrable { .. } => None,
        };
        let accelerator = &scenario.hardware[inputs.accelerator];
        // A model drawn larger than its replica holds, or too slow on it, is laid out wider: its
        // GPUs are doubled as far as the scale-up links reach, unless its step time was measured.
        let widths = std::iter::successors(Some(layout.clone()), Layout::doubled);
        let reach = |layout: &Layout| layout.gpus <= accelerator.scale_up_domain;
        widths.take_while(reach).find_map(|layout| {
            let replica = (&layout, deployment);
            calls_per_second_per_gpu(eta, accelerator, &llm, replica, &calls, tpot, inputs.speed)
        })
    }

    /// Whether the candidate and the reference can serve every workload in every year: without
    /// that neither a need nor a reference GPU has a meaning.
    ///
    /// # Errors
    /// One sentence with the first workload that cannot be served and what to change.
    pub fn check(&self, scenario: &Scenario) -> Result<(), String> {
        for accelerator in roles(scenario).map(|(_, accelerator)| accelerator) {
            for workload in scenario.workloads.keys() {
                self.check_of(scenario, workload, accelerator)?;
            }
        }
        Ok(())
    }

    /// The same of one workload on one accelerator; what is neither the candidate nor the
    /// reference may serve nothing.
    ///
    /// # Errors
    /// As [`ServingTable::check`].
    pub fn check_of(
        &self,
        scenario: &Scenario,
        workload: &str,
        accelerator: &str,
    ) -> Result<(), String> {
        let role = roles(scenario).into_iter().find(|(_, name)| *name == accelerator);
        let Some((role, _)) = role else { return Ok(()) };
        let years = [scenario.horizon.first_year, scenario.horizon.last_year];
        if years.iter().all(|year| self.served(workload, accelerator, f64::from(*year))) {
            return Ok(());
        }
        let place = format!("deployments.{workload}.layouts.{accelerator}");
        let layouts = scenario.deployments.get(workload).map(|deployment| &deployment.layouts);
        let layout = layouts.and_then(|layouts| layouts.get(accelerator));
        let faster = match layout.and_then(|layout| layout.step_time.as_ref()) {
            Some(measured) => format!(
                "its step time there was measured ({}), and more GPUs do not change it: take \
                 `step_time` out of {place}, or measure a deployment that keeps the promises,",
                measured.source
            ),
            None => format!("give {place} more GPUs,"),
        };
        Err(format!(
            "the {role} `{accelerator}` cannot serve `{workload}` within its promises in every \
             year: {faster} loosen the workload's service, or choose another {role}"
        ))
    }

    /// What is laid out and serves nothing with the calls and the software of a year of
    /// measurement, one sentence each: who counts on it should know why.
    #[must_use]
    pub fn unserved(&self) -> Vec<String> {
        let mut told = Vec::new();
        for (row, workload) in self.workloads.iter().enumerate() {
            for (column, accelerator) in self.accelerators.iter().enumerate() {
                let entry = &self.entries[row * self.accelerators.len() + column];
                let samples = entry.as_ref().map_or(&[][..], |entry| &entry.samples);
                let mut reasons: Vec<(Unserved, Vec<String>)> = Vec::new();
                for sample in samples {
                    let Some(why) = sample.unserved else { continue };
                    let year = format!("{:.0}", sample.year.floor());
                    match reasons.iter_mut().find(|(known, _)| *known == why) {
                        Some((_, years)) => years.push(year),
                        None => reasons.push((why, vec![year])),
                    }
                }
                told.extend(reasons.into_iter().map(|(why, years)| {
                    format!(
                        "`{accelerator}` serves nothing of `{workload}` as of {}, though the \
                         scenario lays it out there: {}.",
                        years.join(" and "),
                        why.words()
                    )
                }));
            }
        }
        told
    }

    fn served(&self, workload: &str, accelerator: &str, year: f64) -> bool {
        self.eta_of(workload, accelerator, year).is_some_and(|eta| eta > 0.0)
    }
}
