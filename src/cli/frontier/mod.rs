//! `sparkgap frontier`: what a GPU, a megawatt and a dollar give at each speed that a user sees.

mod args;

pub use args::{FrontierArguments, Per};

use std::collections::BTreeMap;

use super::progress::{say, watch_interrupt, writing};
use super::{Failure, Source, print, say_error, use_threads};
use crate::engine::CallShape;
use crate::hardware::{
    Accelerator, Llm, MeasuredPoint, accelerators, measured_points, models, read_measured,
};
use crate::report::{self, FrontierReport};
use crate::scenario::{known_names, nearest_name};
use crate::study::{Frontier, FrontierAsk, ServingMode, frontier};
use crate::time::FleetTime;
use crate::units::Factor;

/// Accelerators and models by name.
type Catalogue = (BTreeMap<String, Accelerator>, BTreeMap<String, Llm>);

/// Accelerators that say `all`.
const ALL: &str = "all";

/// Computes the frontiers, prints them and writes their files.
pub(super) fn run(arguments: &FrontierArguments) -> Result<(), Failure> {
    let (hardware, llms) = catalogue(arguments)?;
    let own = own_points(arguments, (&hardware, &llms))?;
    let points = [measured_points(), &own].concat();
    let ask = ask(arguments, (&hardware, &llms), &points)?;
    let _ = watch_interrupt(Failure::Interrupted);
    use_threads(arguments.threads)?;
    report::check_folder(&arguments.out)?;
    let found = frontier(&ask);
    let report = FrontierReport { frontier: &found, calls: ask.calls, time: ask.time };
    if found.curves.is_empty() {
        return Err(Failure::Unplannable(
            "none of these accelerators serves any of these models at these speeds: ask for lower \
             --speed, a narrower --precision, more accelerators or a smaller model"
                .to_owned(),
        ));
    }
    tell_left_out(arguments, &own, &found);
    write(arguments, &report)?;
    if arguments.json {
        print(&report::frontier_json(&report))?;
    } else if arguments.quiet {
        for (name, label) in report.models() {
            print(&format!("{label}: {}.\n", report.finding(name)))?;
        }
    } else {
        print(&report::frontier_table(&report))?;
    }
    say(arguments.quiet, &format!("  wrote {}", arguments.out.display()));
    Ok(())
}

/// Accelerators and models of the catalogue, those of the scenario in their place, and the
/// speculation that was asked for.
fn catalogue(arguments: &FrontierArguments) -> Result<Catalogue, Failure> {
    let (mut hardware, mut llms) = (accelerators().clone(), models().clone());
    if let Some(config) = &arguments.scenario {
        let source = Source { config: Some(config.clone()), set: arguments.set.clone() };
        let scenario = source.text()?.scenario()?;
        hardware.extend(scenario.hardware);
        llms.extend(scenario.models);
    }
    if let Some(tokens) = arguments.tokens_per_step {
        llms.values_mut().for_each(|llm| llm.tokens_per_step = Factor(tokens));
    }
    Ok((hardware, llms))
}

/// The user's own points of accelerators and models that are known.
fn own_points(
    arguments: &FrontierArguments,
    (hardware, llms): (&BTreeMap<String, Accelerator>, &BTreeMap<String, Llm>),
) -> Result<Vec<MeasuredPoint>, Failure> {
    let Some(path) = &arguments.measured else { return Ok(Vec::new()) };
    let mut points = read_measured(path)?;
    let rows = points.len();
    let mut unknown: BTreeMap<String, u32> = BTreeMap::new();
    points.retain(|point| {
        let accelerator = strange("accelerator", &point.accelerator, hardware);
        let model = strange("model", &point.model, llms);
        let words = [accelerator, model].into_iter().flatten().collect::<Vec<_>>().join(" and ");
        if !words.is_empty() {
            *unknown.entry(words.clone()).or_default() += 1;
        }
        words.is_empty()
    });
    if unknown.is_empty() {
        return Ok(points);
    }
    let list = unknown.iter().map(|(words, count)| format!("{count} of the {words}"));
    let list = list.collect::<Vec<_>>().join(", ");
    let file = path.display();
    if points.is_empty() {
        return Err(Failure::Usage(format!(
            "{file}: none of its {rows} rows can be shown: {list}. Use names of the catalogue, or \
             add yours to a scenario and name it with --scenario"
        )));
    }
    let left = rows - points.len();
    say_error(&format!("warning: {file}: {left} of {rows} rows are left out: {list}"));
    Ok(points)
}

/// A name that is not known, with the one that may have been meant.
fn strange<T>(what: &str, name: &str, known: &BTreeMap<String, T>) -> Option<String> {
    if known.contains_key(name) {
        return None;
    }
    let near = nearest_name(name, known.keys().map(String::as_str));
    let near = near.map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
    Some(format!("unknown {what} `{name}`{near}"))
}

/// Says how many of the user's own points are of other things than were asked for.
fn tell_left_out(arguments: &FrontierArguments, own: &[MeasuredPoint], found: &Frontier) {
    let shown = |point: &&MeasuredPoint| found.measured.iter().any(|own| own.point == **point);
    let left = own.len() - own.iter().filter(shown).count();
    let Some(path) = arguments.measured.as_ref().filter(|_| left > 0) else { return };
    say_error(&format!(
        "warning: {}: {left} of {} known rows are not shown: their accelerator or model was not \
         asked for, or their prompt or output is not within 25 % of --prompt and --output",
        path.display(),
        own.len()
    ));
}

fn ask<'a>(
    arguments: &FrontierArguments,
    (hardware, llms): (&'a BTreeMap<String, Accelerator>, &'a BTreeMap<String, Llm>),
    measured: &'a [MeasuredPoint],
) -> Result<FrontierAsk<'a>, Failure> {
    let all = arguments.accelerator.iter().any(|name| name == ALL);
    let accelerators = if all {
        hardware.iter().map(|(name, accelerator)| (name.as_str(), accelerator)).collect()
    } else {
        named(hardware, "accelerator", &arguments.accelerator)?
    };
    let calls = CallShape {
        prompt: arguments.prompt.clone(),
        output: arguments.output.clone(),
        ..CallShape::fixed(1, arguments.cached, 1)
    };
    let mut speeds = arguments.speed.clone();
    speeds.sort_by(f64::total_cmp);
    speeds.dedup();
    let both = || vec![ServingMode::Aggregated, ServingMode::Disaggregated];
    let middle = |year: u16| FleetTime::of_decimal_year(f64::from(year) + 0.5);
    Ok(FrontierAsk {
        accelerators,
        models: named(llms, "model", &arguments.model)?,
        calls: calls.means(),
        time: arguments.year.map_or(arguments.month, middle),
        precision: arguments.precision,
        modes: arguments.mode.map_or_else(both, |mode| vec![mode]),
        ttft: arguments.ttft,
        speeds,
        measured,
    })
}

/// Things by their names, each once, in the order given.
fn named<'a, T>(
    known: &'a BTreeMap<String, T>,
    what: &str,
    names: &[String],
) -> Result<Vec<(&'a str, &'a T)>, Failure> {
    let mut found: Vec<(&str, &T)> = Vec::new();
    for name in names {
        let Some((name, one)) = known.get_key_value(name.trim()) else {
            let list = known_names(name, known.keys().map(String::as_str));
            return Err(Failure::Usage(format!("there is no {what} `{name}`: {list}")));
        };
        if !found.iter().any(|(known, _)| known == name) {
            found.push((name, one));
        }
    }
    Ok(found)
}

fn write(arguments: &FrontierArguments, report: &FrontierReport<'_>) -> Result<(), Failure> {
    let per = arguments.per.map(Into::into);
    let mut files = vec![("frontier.csv".to_owned(), report::frontier_csv(report))];
    for (name, _) in report.models().into_iter().filter(|_| !arguments.no_charts) {
        let svg = report::frontier_svg(report, name, per)?.into_bytes();
        files.push((format!("frontier_{name}.svg"), svg));
        files.push((format!("frontier_{name}.png"), report::frontier_png(report, name, per)?));
    }
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    writing(|| report::write_folder(&arguments.out, &files))?;
    Ok(())
}
