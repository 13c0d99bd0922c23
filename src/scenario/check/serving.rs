//! Checks of deployments: every workload has one, its layouts fit, its limits make sense.

use super::heads::{heads, splits_heads};
use super::step_time::{held_tokens, holds_calls, step_time};
use super::{Faults, Finding, Path, Scenario};
use crate::demand::Service;
use crate::engine::{CallShape, Deployment, Layout, LoneCall, ReplicaModel, Router};
use crate::hardware::{Accelerator, Llm, kv_capacity};
use crate::units::Seconds;

/// Last year for which anything is computed here.
const LAST_YEAR: u16 = 2200;

/// Decode steps that a first token may wait for at most.
const MOST_STEPS: f64 = 1_000.0;
/// Time that it may wait for each token of the prompt at most.
const MOST_PER_TOKEN: Seconds = Seconds(1e-3);

fn at(workload: &str) -> Path {
    Path::of("deployments").key(workload)
}

/// One deployment for each workload, and sensible limits.
pub(super) fn deployments(scenario: &Scenario, faults: &mut Faults) {
    for workload in scenario.workloads.keys() {
        let deployed = scenario.deployments.contains_key(workload);
        let message = format!("workload `{workload}` has no deployment");
        let help = format!("add \"{workload}\": (model: ..., layouts: ...)");
        faults.require(deployed, Path::of("deployments"), &message, &help);
    }
    for (workload, deployment) in &scenario.deployments {
        faults.known(at(workload), "workload", workload, &scenario.workloads);
        faults.known(at(workload).key("model"), "model", &deployment.model, &scenario.models);
        limits(faults, &at(workload), deployment);
    }
}

fn limits(faults: &mut Faults, path: &Path, deployment: &Deployment) {
    let scheduler = &deployment.scheduler;
    let place = path.key("scheduler");
    let some = scheduler.max_sequences > 0;
    let message = "max_sequences must be above zero";
    faults.require(some, place.key("max_sequences"), message, "512 is usual");
    let roomy = scheduler.token_budget >= scheduler.max_sequences && scheduler.token_budget > 0;
    let message = "token_budget must not be smaller than max_sequences";
    let help = "each decoding sequence takes a token of every step";
    faults.require(roomy, place.key("token_budget"), message, help);
    if let Router::PowerOfTwo(age) | Router::LeastLoaded(age) | Router::SessionAffinity(age) =
        deployment.router
    {
        faults.duration(path.key("router"), age);
    }
    let (stack, place) = (&deployment.first_token, path.key("first_token"));
    let message = format!("first_token.steps {} is outside 0 to {MOST_STEPS}", stack.steps.0);
    let help = "recorded serving stacks take 6 to 41 decode steps";
    faults.require(stack.steps.0 <= MOST_STEPS, place.key("steps"), &message, help);
    let legal = (0.0..=MOST_PER_TOKEN.0).contains(&stack.prompt_token.0);
    let message =
        format!("first_token.prompt_token {} s is outside 0 to 1 ms", stack.prompt_token.0);
    faults.require(legal, place.key("prompt_token"), &message, "11 us is usual");
}

/// Every layout fits its accelerator.
pub(super) fn layouts(scenario: &Scenario, faults: &mut Faults) {
    for (workload, deployment) in &scenario.deployments {
        let path = at(workload).key("layouts");
        let some = !deployment.layouts.is_empty();
        let help = "add an accelerator: \"gb300\": (gpus: 8, precision: fp4)";
        faults.require(some, path.clone(), "a deployment needs layouts", help);
        for (name, layout) in &deployment.layouts {
            let path = path.key(name);
            faults.known(path.clone(), "accelerator", name, &scenario.hardware);
            if let Some(accelerator) = scenario.hardware.get(name) {
                let model = scenario.models.get(&deployment.model);
                layout_of(faults, &path, (layout, deployment), accelerator, model);
                let served = scenario.workloads.get(workload).filter(|_| countable(scenario));
                if let Some(served) = served {
                    let held = held_tokens(layout, accelerator, model);
                    let ends = ends(scenario);
                    holds_calls(faults, &path, (layout, held), (workload, served), ends);
                }
            }
        }
    }
}

/// What is wrong with one layout, if anything.
#[must_use]
pub fn layout_faults(
    layout: &Layout,
    deployment: &Deployment,
    accelerator: &Accelerator,
    model: &Llm,
) -> Vec<Finding> {
    let mut faults = Faults(Vec::new());
    layout_of(&mut faults, &Path::of(""), (layout, deployment), accelerator, Some(model));
    faults.0
}

fn layout_of(
    faults: &mut Faults,
    path: &Path,
    (layout, deployment): (&Layout, &Deployment),
    accelerator: &Accelerator,
    model: Option<&Llm>,
) {
    let fits = fits(layout, accelerator);
    let held = held_tokens(layout, accelerator, model.filter(|_| fits));
    step_time(faults, path, (layout, deployment), held);
    let sized = size(faults, &path.key("gpus"), layout, accelerator);
    if let Some(model) = model.filter(|_| sized) {
        let place = path.key("attention_ranks");
        let stated = layout.step_time.as_ref().is_some_and(|step| step.kv_tokens.is_some());
        if !ranks(faults, &place, (layout, deployment), model) {
            return;
        }
        heads(faults, &path.key("gpus"), layout, accelerator, model);
        if !stated {
            memory(faults, &path.key("gpus"), layout, accelerator, model);
        }
    }
}

/// A replica stays inside a scale-up domain and inside the serving GPUs of a unit.
fn size(faults: &mut Faults, path: &Path, layout: &Layout, accelerator: &Accelerator) -> bool {
    let most = accelerator.scale_up_domain.min(accelerator.unit.serving);
    let message = format!(
        "a replica of {} GPUs does not fit: {} has {most} in reach",
        layout.gpus, accelerator.label
    );
    let fits = fits(layout, accelerator);
    faults.require(fits, path.clone(), &message, &format!("1 to {most}"));
    fits
}

fn fits(layout: &Layout, accelerator: &Accelerator) -> bool {
    let most = accelerator.scale_up_domain.min(accelerator.unit.serving);
    (1..=most).contains(&layout.gpus)
}

/// Whether the years of the horizon are such that growth laws have a meaning there: another check
/// refuses those that are not.
fn countable(scenario: &Scenario) -> bool {
    let horizon = scenario.horizon;
    horizon.first_year.max(horizon.last_year) <= LAST_YEAR
}

/// Begin and end of the horizon, decimal years.
fn ends(scenario: &Scenario) -> [f64; 2] {
    let horizon = scenario.horizon;
    [f64::from(horizon.first_year), f64::from(horizon.last_year) + 1.0]
}

/// Attention ranks split the GPUs evenly, each has a sequence at least, and the model has experts
/// to spread over them.
fn ranks(
    faults: &mut Faults,
    path: &Path,
    (layout, deployment): (&Layout, &Deployment),
    model: &Llm,
) -> bool {
    let Some(ranks) = layout.attention_ranks else { return true };
    let (gpus, most) = (layout.gpus, deployment.scheduler.max_sequences);
    let even = ranks > 0 && gpus.is_multiple_of(ranks);
    let message = format!("{ranks} attention ranks do not split {gpus} GPUs evenly");
    let fitting: Vec<String> =
        (1..=gpus).filter(|r| gpus.is_multiple_of(*r)).map(|r| r.to_string()).collect();
    let help = format!("one of {}", fitting.join(", "));
    faults.require(even, path.clone(), &message, &help);
    let spread = ranks <= 1 || model.experts.is_some();
    let message = format!("{} has no experts to spread over {ranks} attention ranks", model.label);
    let help = "leave `attention_ranks` out: copies of a dense model are replicas of their own";
    faults.require(spread, path.clone(), &message, help);
    let filled = ranks <= most;
    let message = format!("{ranks} attention ranks share {most} sequences: some have none");
    faults.require(filled, path.clone(), &message, "fewer ranks, or more `max_sequences`");
    even && spread && filled
}

/// The weights leave room for context at the model's central size. In a world that draws a larger
/// model, its replicas are laid out wider.
fn memory(
    faults: &mut Faults,
    path: &Path,
    layout: &Layout,
    accelerator: &Accelerator,
    model: &Llm,
) {
    let model = model.scaled(model.size.central());
    let holds = |layout: &Layout| {
        let width = layout.width(&model);
        let tokens = kv_capacity(accelerator, &model, width, layout.precision);
        let even = width.gpus.is_multiple_of(width.ranks) && splits_heads(width, &model);
        even && tokens.is_some_and(|tokens| tokens >= 1.0)
    };
    // Heads that are not split evenly are a fault of their own.
    let width = layout.width(&model);
    if holds(layout) || !splits_heads(width, &model) {
        return;
    }
    let ranks = layout.width(&model).ranks;
    let copies = match ranks {
        1 => String::new(),
        _ => format!(" and a copy of all but the experts on each of {ranks} attention ranks"),
    };
    let message = format!(
        "{} has {:.0} GB of weights{copies}; {} x {} with {:.0} GB leave no room for context",
        model.label,
        model.params.0 * layout.precision.bytes_per_weight() / 1e9,
        layout.gpus,
        accelerator.label,
        accelerator.memory.0 * f64::from(layout.gpus) / 1e9
    );
    let with = |gpus| Layout { gpus, ..layout.clone() };
    let fewer = |ranks| Layout { attention_ranks: Some(ranks), ..layout.clone() };
    let help = if let Some(ranks) = (1..ranks).rev().find(|ranks| holds(&fewer(*ranks))) {
        format!("use {ranks} attention ranks, fewer bits, or leave the layout out")
    } else {
        match (layout.gpus..=accelerator.scale_up_domain).find(|gpus| holds(&with(*gpus))) {
            Some(gpus) => format!("use at least {gpus} GPUs, fewer bits, or leave the layout out"),
            None => "use fewer bits or leave the layout out: the scale-up links reach no further"
                .to_owned(),
        }
    };
    faults.add(path.clone(), message, help);
}

/// A promise is not below what a call takes alone on the reference or the candidate, with the best
/// software of the horizon: no load at all would keep it.
pub(super) fn promises(scenario: &Scenario, faults: &mut Faults) {
    if !countable(scenario) {
        return;
    }
    let roles = [&scenario.reference, &scenario.candidate.accelerator];
    for (name, workload) in &scenario.workloads {
        let Service::Interactive { ttft_p99, tpot_p99 } = workload.service else { continue };
        for (role, lone) in
            roles.iter().filter_map(|role| Some((role, lone(scenario, name, role)?)))
        {
            let label = &scenario.hardware[*role].label;
            let path = Path::of("workloads").key(name).key("service");
            let promises = [
                ("ttft_p99", ttft_p99.0, lone.ttft.0, "to the first token of a long prompt"),
                ("tpot_p99", tpot_p99.0, lone.tpot.0, "for an output token"),
            ];
            for (field, promised, takes, what) in promises {
                let message = format!(
                    "a lone call takes {:.3} ms {what} on {label}: {:.3} ms more than is promised",
                    takes * 1e3,
                    (takes - promised) * 1e3
                );
                let layout = format!("deployments.{name}.layouts.{role}");
                let faster = match scenario.deployments[name].layouts[*role].step_time {
                    Some(_) => format!("or take `step_time` out of {layout}"),
                    None => format!("give {layout} more GPUs, or choose a smaller model"),
                };
                let help = format!("promise more than \"{:.3} ms\", {faster}", takes * 1e3);
                // Numbers that other checks refuse may give none here.
                let kept = takes.is_nan() || takes <= promised;
                faults.require(kept, path.key(field), &message, &help);
            }
        }
    }
}

/// What a call of a workload takes alone on an accelerator, the better of the first and the last
/// year for each of its times; `None` where other checks have found that it cannot be said.
fn lone(scenario: &Scenario, name: &str, accelerator: &str) -> Option<LoneCall> {
    let workload = scenario.workloads.get(name)?;
    let deployment = scenario.deployments.get(name)?;
    let (layout, hardware) =
        (deployment.layouts.get(accelerator)?, scenario.hardware.get(accelerator)?);
    let model = scenario.models.get(&deployment.model)?;
    let model = model.scaled(model.size.central());
    ends(scenario)
        .into_iter()
        .filter_map(|year| {
            let measured = layout.measured_on();
            let speed = scenario.central_speed((name, workload), hardware, measured, year);
            let calls = CallShape::central(workload, year)?;
            let place = (layout, deployment);
            let replica = ReplicaModel::new(hardware, &model, place, &calls.means(), speed)?;
            Some(replica.lone_call(&calls))
        })
        .reduce(|a, b| {
            let less = |a: Seconds, b: Seconds| Seconds(a.0.min(b.0));
            LoneCall { ttft: less(a.ttft, b.ttft), tpot: less(a.tpot, b.tpot) }
        })
}

/// The reference and the candidate serve every workload; what is supplied serves at least one.
pub(super) fn coverage(scenario: &Scenario, faults: &mut Faults) {
    let demanded = [
        (Path::of("reference"), &scenario.reference),
        (Path::of("candidate").key("accelerator"), &scenario.candidate.accelerator),
    ];
    faults.known(Path::of("reference"), "accelerator", &scenario.reference, &scenario.hardware);
    for (path, name) in demanded {
        let missing = |entry: &(&String, &Deployment)| !entry.1.layouts.contains_key(name);
        let missing: Vec<&str> =
            scenario.deployments.iter().filter(missing).map(|entry| entry.0.as_str()).collect();
        if !missing.is_empty() && scenario.hardware.contains_key(name) {
            let message = format!("no layout on `{name}` for: {}", missing.join(", "));
            faults.add(path, message, "every workload must be able to run on it");
        }
    }
    let served = |name: &String| {
        scenario.deployments.values().any(|deployment| deployment.layouts.contains_key(name))
    };
    let mut used = |path: Path, name: &String| {
        let known = scenario.hardware.contains_key(name);
        let message = format!("no workload has a layout on `{name}`");
        faults.require(!known || served(name), path, &message, "add one to `deployments`");
    };
    for (site, entry) in &scenario.sites {
        for (index, phase) in entry.phases.iter().enumerate() {
            let path = Path::of("sites").key(site).key("phases").index(index).key("accelerator");
            used(path, &phase.accelerator);
        }
    }
    for (contract, entry) in &scenario.contracts {
        for (index, tranche) in entry.tranches.iter().enumerate() {
            let path = Path::of("contracts").key(contract).key("tranches").index(index);
            used(path.key("accelerator"), &tranche.accelerator);
        }
    }
    if let Some(market) = &scenario.market {
        used(Path::of("market").key("accelerator"), &market.accelerator);
    }
}
