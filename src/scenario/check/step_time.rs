//! Checks of step times that were measured: no coefficient is negative, together they make steps
//! that take some time and not absurdly much, and the replica holds the calls that it is to serve.

use super::{Faults, Path};
use crate::demand::Workload;
use crate::engine::{BLOCK, CallShape, Deployment, LONGEST_STEP, Layout, Scheduler};
use crate::hardware::{Accelerator, COEFFICIENT_NAMES, Llm, MeasuredStepTime, kv_capacity};

/// Longest step that a full replica may take, seconds: what the engine's clock holds, with room for
/// years in which software is slower than it was measured.
const LONGEST: f64 = LONGEST_STEP.0 / 10.0;
/// Context tokens of a replica.
const MEMORY: std::ops::RangeInclusive<u64> = 64..=1_000_000_000;
/// Calendar years of a measurement.
const YEARS: std::ops::RangeInclusive<i64> = 2000..=2100;

/// Context tokens that a replica holds: those of its measured step time, else what the weights
/// leave of the memory; `None` where they leave none.
pub(super) fn held_tokens(
    layout: &Layout,
    accelerator: &Accelerator,
    model: Option<&Llm>,
) -> Option<f64> {
    let stated = layout.step_time.as_ref().and_then(|measured| measured.kv_tokens);
    let left = || {
        let model = model?.scaled(model?.size.central());
        kv_capacity(accelerator, &model, layout.width(&model), layout.precision)
    };
    stated.map(|tokens| tokens as f64).or_else(left)
}

/// What is wrong with the step time of a layout, if it was measured; `held` are the context tokens
/// of its replica, where they can be said.
pub(super) fn step_time(
    faults: &mut Faults,
    path: &Path,
    (layout, deployment): (&Layout, &Deployment),
    held: Option<f64>,
) {
    let Some(measured) = &layout.step_time else { return };
    let ranks = layout.attention_ranks.unwrap_or(1);
    let message = format!("a measured step time with {ranks} attention ranks");
    let help = "leave `attention_ranks` out: what was measured is the step of the whole replica";
    faults.require(ranks <= 1, path.key("attention_ranks"), &message, help);
    let path = path.key("step_time");
    let mut sound = true;
    for (name, seconds) in COEFFICIENT_NAMES.into_iter().zip(measured.coefficients()) {
        let legal = seconds.is_finite() && seconds >= 0.0;
        sound &= legal;
        let message = format!("`{name}` must not be negative");
        faults.require(legal, path.key(name), &message, "use 0 where it adds nothing");
    }
    if let Some(tokens) = measured.kv_tokens {
        let message = format!("a replica cannot hold {tokens} context tokens");
        let help = format!("{} to {}, or leave it out", MEMORY.start(), MEMORY.end());
        faults.require(MEMORY.contains(&tokens), path.key("kv_tokens"), &message, &help);
    }
    let year = measured.as_of.date().0;
    let message = format!("nothing was measured in {year}");
    let help = format!("a date in {} to {}", YEARS.start(), YEARS.end());
    faults.require(YEARS.contains(&year), path.key("as_of"), &message, &help);
    if sound {
        length(faults, path, (measured, held.unwrap_or(0.0)), &deployment.scheduler);
    }
}

/// A step takes some time, and a full one no more than the engine can count.
fn length(
    faults: &mut Faults,
    path: Path,
    (measured, kv): (&MeasuredStepTime, f64),
    limits: &Scheduler,
) {
    let roofline = measured.roofline(1.0);
    let least = roofline.seconds(1.0, 0.0, 0.0, 0.0, 0.0);
    let message = "a step of this step time takes no time at all";
    faults.require(least > 0.0, path.clone(), message, "give `base` or `floor` its time");
    let (sequences, budget) = (f64::from(limits.max_sequences), f64::from(limits.token_budget));
    let most = roofline.seconds(sequences, kv, budget, 0.0, 0.0);
    let message = format!(
        "a step with {sequences} sequences, {budget} prompt tokens and {kv:.0} context tokens \
         takes {most:.0} s"
    );
    let help = format!("at most {LONGEST} s: check the units, or lower the scheduler's limits");
    faults.require(most <= LONGEST, path, &message, &help);
}

/// The replica of a measured step time holds a mean call of its workload, and one with a prompt at
/// the 99th percentile, at these decimal years: else it serves none, or misses what it promises.
/// Calls of a scenario that other checks refuse may give no number.
pub(super) fn holds_calls(
    faults: &mut Faults,
    path: &Path,
    (layout, held): (&Layout, Option<f64>),
    (name, workload): (&str, &Workload),
    years: [f64; 2],
) {
    let (Some(measured), Some(held)) = (&layout.step_time, held) else { return };
    if measured.kv_tokens.is_some_and(|tokens| !MEMORY.contains(&tokens)) {
        return;
    }
    let needed = years.into_iter().filter_map(|year| {
        let calls = CallShape::central(workload, year)?;
        let means = calls.means();
        // Half a block of every sequence is empty on average.
        let mean = means.context() + BLOCK as f64 / 2.0;
        Some((year, mean, calls.prompt.at(0.99) + means.output))
    });
    let most = needed.max_by(|(_, a, b), (_, c, d)| a.max(*b).total_cmp(&c.max(*d)));
    let Some((year, mean, long)) = most.filter(|(_, mean, long)| mean.max(*long) > held) else {
        return;
    };
    let message = format!(
        "a replica of {held:.0} context tokens does not hold the calls of `{name}` in {year:.0}: \
         a mean one takes {mean:.0}, one with a prompt at the 99th percentile {long:.0}",
        year = year.floor(),
    );
    let help = format!(
        "`kv_tokens` of {:.0} or more, as the engine says at its start, or leave the layout out",
        mean.max(long).ceil()
    );
    faults.add(path.key("step_time").key("kv_tokens"), message, help);
}
