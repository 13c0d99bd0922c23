//! `sparkgap size`: from a load and its promises to GPUs, layouts and cost on every accelerator.

mod args;

pub use args::SizeArguments;

use std::collections::BTreeMap;
use std::time::Instant;

use super::progress::{bar, watch_interrupt, writing};
use super::simulate::deployment::{Base, calls_of, find, stack_of};
use super::{Failure, Source, print, use_threads};
use crate::demand::Interarrival;
use crate::engine::{CallClass, LatencyLimits, Layout};
use crate::hardware::{Accelerator, Llm, accelerators, models};
use crate::report::{SizeReport, check_folder, size_csv, size_json, size_table, write_folder};
use crate::scenario::Scenario;
use crate::study::{
    PublishedRatio, ServingMode, SizeQuestion, SizedAccelerator, SizedDeployment, Sizing,
    Verification, Watch, best_precision, later_promises, published_ratio, size, verify_size,
};
use crate::time::FleetTime;

/// Date of the software where none is given: that of the default scenario's decision.
const TODAY: f64 = 2026.0 + 11.0 / 12.0;
/// Added to the seed where a size is verified: far from those of its search.
const FRESH: u64 = 1_000_003;

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}

/// Sizes a load on every accelerator asked for and prints the table.
pub(super) fn size_load(arguments: &SizeArguments) -> Result<(), Failure> {
    if arguments.replications.is_some() && !arguments.verify {
        return Err(usage(
            "--replications means nothing without --verify: add it, or leave it out",
        ));
    }
    let base = base(arguments)?;
    let scenario = base.as_ref().map(|base| &base.scenario);
    let name = match &arguments.model {
        Some(name) => name.as_str(),
        None => base.as_ref().map_or("", |base| base.first().2.model.as_str()),
    };
    let llm = find(scenario.map(|scenario| &scenario.models), models(), "model", name)?;
    let llm = llm.scaled(llm.size.central());
    let year = base.as_ref().map_or(arguments.year.unwrap_or(TODAY), |base| base.year);
    let question = question(arguments, base.as_ref(), &llm, year)?;
    if let Some(out) = &arguments.out {
        check_folder(out)?;
    }
    let stop = watch_interrupt(Failure::Interrupted);
    use_threads(arguments.threads)?;
    let begun = Instant::now();
    let progress = bar(0, "sizing", arguments.json);
    let watch =
        Watch { begun: &|count| progress.set_length(count), done: &|| progress.inc(1), stop };
    let sizings = size(&question, watch);
    progress.finish_and_clear();
    let sizings = sizings.ok_or(Failure::Interrupted)?;
    let checks = checks(arguments, &question, &sizings, watch)?;
    let published = published(&question, &sizings, name);
    let mut report = SizeReport {
        question: &question,
        sizings: &sizings,
        checks: &checks,
        published: &published,
        stack: stack_of(arguments.stack.as_deref(), base.as_ref()).0,
        named: &arguments.accelerator,
        later: &[],
        software: FleetTime::of_decimal_year(year),
        seconds: 0.0,
    };
    // A later first token saves nothing where it is not what binds.
    let bound = |place: &usize| sizings[*place].as_ref().is_ok_and(SizedDeployment::waits_bind);
    let place = report.cheapest().filter(bound);
    let later = place.map(|place| later_promises(&question, place, watch));
    let later = later.unwrap_or(Some(Vec::new())).ok_or(Failure::Interrupted)?;
    (report.later, report.seconds) = (&later, begun.elapsed().as_secs_f64());
    if let Some(out) = &arguments.out {
        let files =
            [("sizes.csv", size_csv(&report)), ("size.json", size_json(&report).into_bytes())];
        writing(|| write_folder(out, &files))?;
    }
    print(&if arguments.json { size_json(&report) } else { size_table(&report) })?;
    if !report.served() {
        return Err(Failure::NotServed);
    }
    let failed: Vec<&str> = report.not_verified();
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::NotVerified(format!(
        "the SLO does not hold at the whole load on {}",
        failed.join(", ")
    )))
}

/// What is computed over what has been published, where the load can be served.
fn published(
    question: &SizeQuestion<'_>,
    sizings: &[Sizing],
    model: &str,
) -> Vec<Option<PublishedRatio>> {
    let of = |(on, sizing): (&SizedAccelerator<'_>, &Sizing)| {
        sizing.as_ref().ok()?;
        // The ratio is that of the roofline, which a measured step time takes the place of.
        if on.measured.is_some() {
            return None;
        }
        published_ratio((on.name, on.accelerator), (model, question.llm))
    };
    question.accelerators.iter().zip(sizings).map(of).collect()
}

fn checks(
    arguments: &SizeArguments,
    question: &SizeQuestion<'_>,
    sizings: &[Sizing],
    watch: Watch<'_>,
) -> Result<Vec<Option<Verification>>, Failure> {
    if !arguments.verify {
        return Ok(vec![None; sizings.len()]);
    }
    let progress = bar(sizings.len() as u64, "verifying", arguments.json);
    let seed = arguments.seed.wrapping_add(FRESH);
    let mut checks = Vec::new();
    for sizing in sizings {
        if watch.stopped() {
            return Err(Failure::Interrupted);
        }
        let sized = sizing.as_ref().ok();
        checks.push(sized.map(|sized| verify_size(question, sized, arguments.replications, seed)));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(checks)
}

/// What a scenario gives to begin with.
fn base(arguments: &SizeArguments) -> Result<Option<Base>, Failure> {
    let Some(config) = &arguments.scenario else { return Ok(None) };
    let source = Source { config: Some(config.clone()), set: arguments.set.clone() };
    let workloads: Vec<String> = arguments.workload.iter().cloned().collect();
    Base::of(&source, &workloads, arguments.year).map(Some)
}

fn question<'a>(
    arguments: &SizeArguments,
    base: Option<&'a Base>,
    llm: &'a Llm,
    year: f64,
) -> Result<SizeQuestion<'a>, Failure> {
    let workload = arguments.workload.clone().unwrap_or_else(|| "calls".to_owned());
    let (calls, own) = calls_of(base, &workload);
    let calls = arguments.lengths.in_place_of(calls);
    let limits = LatencyLimits {
        ttft_p99: arguments.ttft.unwrap_or(own.ttft_p99),
        tpot_p99: arguments.tpot.unwrap_or(own.tpot_p99),
    };
    if !limits.ttft_p99.0.is_finite() || !limits.tpot_p99.0.is_finite() {
        return Err(usage(format!(
            "`{workload}` has no promise for its latency, as nobody waits for it: say what it is \
             to be served within, with --ttft and --tpot"
        )));
    }
    let output = calls.means().output;
    let rate = match (arguments.rate, arguments.tokens_per_s) {
        (Some(rate), _) => rate,
        (None, tokens) => tokens.unwrap_or(1.0) / output,
    };
    if !(1e-3..=1e7).contains(&rate) {
        return Err(usage(format!(
            "--tokens-per-s makes {rate} requests of {output:.0} output tokens per second: \
             allowed are 0.001 to 1e7"
        )));
    }
    let class =
        CallClass { name: workload, share: 1.0, calls, priority: 0, limits, patience: None };
    let both = vec![ServingMode::Aggregated, ServingMode::Disaggregated];
    Ok(SizeQuestion {
        accelerators: named(arguments, base, year)?,
        llm,
        class,
        rate,
        gaps: arguments.arrivals.unwrap_or(Interarrival::Poisson),
        stack: stack_of(arguments.stack.as_deref(), base).1,
        modes: if arguments.mode.is_empty() { both } else { arguments.mode.clone() },
        seed: arguments.seed,
    })
}

/// The accelerators asked for: each once, in the order of their names where all are.
fn named<'a>(
    arguments: &SizeArguments,
    base: Option<&'a Base>,
    year: f64,
) -> Result<Vec<SizedAccelerator<'a>>, Failure> {
    let own: Option<&'a BTreeMap<String, Accelerator>> =
        base.map(|base: &'a Base| -> &'a Scenario { &base.scenario }).map(|all| &all.hardware);
    let mut list: Vec<(&'a str, &'a Accelerator)> = Vec::new();
    for name in &arguments.accelerator {
        if name == "all" {
            let mut all: BTreeMap<&str, &Accelerator> =
                accelerators().iter().map(|(name, one)| (name.as_str(), one)).collect();
            all.extend(own.into_iter().flatten().map(|(name, one)| (name.as_str(), one)));
            list.extend(all);
            continue;
        }
        let accelerator = find(own, accelerators(), "accelerator", name)?;
        let key = own.and_then(|own| own.get_key_value(name));
        let key = key.or_else(|| accelerators().get_key_value(name));
        list.extend(key.map(|(name, _)| (name.as_str(), accelerator)));
    }
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|(name, _)| seen.insert(*name));
    let at = FleetTime::of_decimal_year(year);
    let one = |(name, accelerator): (&'a str, &'a Accelerator)| {
        let ceiling = accelerator.software.ceiling.central();
        let plain =
            || accelerator.realised.central().0 * accelerator.software_multiplier(ceiling, at);
        let stated = base.and_then(|base| base.first().2.layouts.get(name));
        // What was measured holds for the scenario's own model and format.
        let own = arguments.model.is_none() && arguments.precision.is_empty();
        let measured = stated.filter(|layout| own && layout.step_time.is_some());
        let speed = base.map_or_else(plain, |base| {
            let (workload, what, _) = base.first();
            let date = measured.and_then(Layout::measured_on);
            base.scenario.central_speed((workload, what), accelerator, date, base.year)
        });
        let usual = stated.map_or(best_precision(accelerator), |layout| layout.precision);
        let mut precisions = arguments.precision.clone();
        if precisions.is_empty() {
            precisions.push(usual);
        }
        precisions.dedup();
        SizedAccelerator { name, accelerator, speed, precisions, measured }
    };
    Ok(list.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_is_that_of_december_2026_unless_said_otherwise() {
        let date = FleetTime::of_decimal_year(TODAY).date();
        assert_eq!((date.0, date.1), (2026, 12));
    }
}
