//! `sparkgap sweep`: one base scenario along axes, every point answered once and kept.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::SweepArguments;
use super::progress::{bar, say, watch_interrupt, writing};
use super::{Failure, print, use_threads};
use crate::plan::{Unanswered, required_external};
use crate::report::{self, Cell, Heat, SweepTable};
use crate::scenario::Scenario;
use crate::study::{
    Sweep, SweepError, SweepFailure, SweepPoint, SweepRow, Watch, characterise, read_unit,
    run_sweep, sweep_hash,
};

/// Runs what is not there yet and writes the tables and the map.
pub(super) fn sweep(arguments: &SweepArguments) -> Result<(), Failure> {
    let sweep = Sweep::load(&arguments.config, &report::metric_names())?;
    let stop = watch_interrupt(Failure::SweepInterrupted);
    use_threads(arguments.threads)?;
    let (quiet, out) = (arguments.quiet, arguments.out.as_path());
    let resolving = bar(0, "checking points", quiet);
    let watch =
        Watch { begun: &|count| resolving.set_length(count), done: &|| resolving.inc(1), stop };
    let points = sweep.points(watch);
    resolving.finish_and_clear();
    let points = points.map_err(|error| match error {
        SweepError::Stopped => Failure::SweepInterrupted,
        SweepError::Point { point, fault } => Failure::Point { point, fault },
    })?;
    report::check_folder(out)?;
    say(
        quiet,
        &format!(
            "sparkgap {}  sweep {} of {}  {} points  {} worlds x {} inner years",
            env!("CARGO_PKG_VERSION"),
            sweep.name,
            sweep.base.name,
            points.len(),
            sweep.base.sampling.worlds,
            sweep.base.sampling.inner_years,
        ),
    );
    let units = out.join("units");
    run(&sweep, &points, (out, &units), Watch { stop, ..Watch::nobody() }, quiet)?;
    let text = write(&sweep, &points, (out, &units), stop, arguments.no_charts)?;
    print(&text)?;
    say(quiet, &format!("  wrote {}", out.display()));
    Ok(())
}

/// Answers the points that are not there yet.
fn run(
    sweep: &Sweep,
    points: &[SweepPoint],
    (out, units): (&Path, &Path),
    watch: Watch<'_>,
    quiet: bool,
) -> Result<(), Failure> {
    let bar = bar(0, "simulating points", quiet);
    let stop = watch.stop;
    let begun = |count| {
        bar.set_length(count);
        if (count as usize) < points.len() {
            say(quiet, &format!("  {count} of {} points left to simulate", points.len()));
        }
    };
    let watch = Watch { begun: &begun, done: &|| bar.inc(1), stop };
    let serving = out.join(".serving");
    let answer =
        |scenario: &Scenario| answer(scenario, &serving, Watch { stop, ..Watch::nobody() });
    let done = run_sweep(sweep, points, units, watch, answer);
    bar.finish_and_clear();
    done.map_err(|failure| match failure {
        SweepFailure::Stopped | SweepFailure::Answer { cause: Failure::Interrupted, .. } => {
            Failure::SweepInterrupted
        }
        SweepFailure::Write { path, cause } => Failure::Unit { path, cause },
        SweepFailure::Answer { point, cause } => Failure::Unplannable(format!(
            "point {} of {} ({}): {cause}",
            point + 1,
            points.len(),
            sweep.in_words(&points[point].steps)
        )),
    })
}

/// The rows of one point.
fn answer(scenario: &Scenario, serving: &Path, watch: Watch<'_>) -> Result<Vec<SweepRow>, Failure> {
    let table = characterise(scenario, Some(serving), watch).ok_or(Failure::Interrupted)?;
    table.check(scenario).map_err(Failure::Unplannable)?;
    let answer = required_external(scenario, &table.rates(scenario), watch);
    match answer {
        Ok(answer) => Ok(report::sweep_rows(&answer)),
        Err(Unanswered::Stopped) => Err(Failure::Interrupted),
        Err(why) => Err(Failure::Unplannable(why.to_string())),
    }
}

/// Writes the tables and the map from what is kept of the points; returns the finding.
fn write(
    sweep: &Sweep,
    points: &[SweepPoint],
    (out, units): (&Path, &Path),
    stop: &AtomicBool,
    no_charts: bool,
) -> Result<String, Failure> {
    let mut table = SweepTable::begin(out, sweep, &sweep_hash(points))?;
    let mut cells = Vec::with_capacity(points.len());
    for point in points {
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::SweepInterrupted);
        }
        let unit = read_unit(units, &point.hash).ok_or_else(|| Failure::Unit {
            path: units.join(format!("{}.json", point.hash)),
            cause: std::io::Error::other("it was there and is gone or changed; run again"),
        })?;
        table.add(point, &unit.rows)?;
        cells.push(sweep.heatmap.as_ref().and_then(|map| Cell::of(&unit.rows, map)));
    }
    let heat = Heat::of(sweep, points, &cells);
    writing(|| {
        let mut more = Vec::new();
        if let Some(heat) = heat.as_ref().filter(|_| !no_charts) {
            more.push(("heatmap.svg", report::heatmap_svg(heat)?.into_bytes()));
            more.push(("heatmap.png", report::heatmap_png(heat)?));
        }
        table.finish(&more)
    })?;
    Ok(heat.map_or_else(
        || format!("{} points are in sweep.csv.\n", points.len()),
        |heat| format!("{}. {}\n", heat.title, heat.extremes),
    ))
}
