//! Checks of step times that were measured: no coefficient is negative, together they make steps
//! that take some time and not absurdly much.

use super::{Faults, Path};
use crate::engine::{Deployment, LONGEST_STEP, Layout, Scheduler};
use crate::hardware::{COEFFICIENT_NAMES, MeasuredStepTime};

/// Longest step that a full replica may take, seconds: what the engine's clock holds, with room for
/// years in which software is slower than it was measured.
const LONGEST: f64 = LONGEST_STEP.0 / 10.0;
/// Context tokens of a replica.
const MEMORY: std::ops::RangeInclusive<u64> = 64..=1_000_000_000;
/// Calendar years of a measurement.
const YEARS: std::ops::RangeInclusive<i64> = 2000..=2100;

/// What is wrong with the step time of a layout, if it was measured.
pub(super) fn step_time(
    faults: &mut Faults,
    path: &Path,
    (layout, deployment): (&Layout, &Deployment),
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
        length(faults, path, measured, &deployment.scheduler);
    }
}

/// A step takes some time, and a full one no more than the engine can count.
fn length(faults: &mut Faults, path: Path, measured: &MeasuredStepTime, limits: &Scheduler) {
    let roofline = measured.roofline(1.0);
    let least = roofline.seconds(1.0, 0.0, 0.0, 0.0, 0.0);
    let message = "a step of this step time takes no time at all";
    faults.require(least > 0.0, path.clone(), message, "give `base` or `floor` its time");
    let kv = measured.kv_tokens.unwrap_or(0) as f64;
    let (sequences, budget) = (f64::from(limits.max_sequences), f64::from(limits.token_budget));
    let most = roofline.seconds(sequences, kv, budget, 0.0, 0.0);
    let message = format!(
        "a step with {sequences} sequences, {budget} prompt tokens and {kv} context tokens takes \
         {most:.0} s"
    );
    let help = format!("at most {LONGEST} s: check the units, or lower the scheduler's limits");
    faults.require(most <= LONGEST, path, &message, &help);
}
