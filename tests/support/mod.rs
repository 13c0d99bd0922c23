//! What several tests plan with: serving rates as a fixed share of the fluid capacity, so that
//! nothing is measured.

use sparkgap::engine::{CallMeans, CallShape};
use sparkgap::fleet::ServingInputs;
use sparkgap::plan::{Answer, required_external};
use sparkgap::scenario::Scenario;
use sparkgap::study::{Watch, calls_per_second_per_gpu};
use sparkgap::units::Seconds;

/// Four fifths of the fluid capacity.
pub fn rate(scenario: &Scenario, inputs: &ServingInputs<'_>) -> f64 {
    let workload = &scenario.workloads[inputs.workload];
    let deployment = &scenario.deployments[inputs.workload];
    let Some(layout) = deployment.layouts.get(inputs.accelerator) else { return 0.0 };
    let calls = CallMeans {
        prompt: inputs.call.prompt,
        cached: inputs.call.prompt * inputs.call.cached,
        output: inputs.call.output,
        ..CallShape::fixed(1_000, 0.0, 100).means()
    };
    let llm = &scenario.models[&deployment.model];
    let accelerator = &scenario.hardware[inputs.accelerator];
    let replica = (layout, deployment);
    let limit = workload.is_interactive().then_some(Seconds(0.1));
    calls_per_second_per_gpu(0.8, accelerator, llm, replica, &calls, limit, inputs.speed)
        .unwrap_or(0.0)
}

/// The plan of a scenario at those rates.
pub fn plan(scenario: &Scenario) -> Answer {
    required_external(scenario, &|inputs| rate(scenario, inputs), Watch::nobody())
        .expect("nobody stops it")
}
