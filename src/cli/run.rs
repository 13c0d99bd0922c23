//! `sparkgap run`: a scenario in, the answer out.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::args::RunArguments;
use super::progress::{bar, say, watch_interrupt, writing};
use super::{Failure, print, say_error, use_threads};
use crate::plan::{Answer, Unanswered, few_worlds, required_external};
use crate::report;
use crate::scenario::Scenario;
use crate::study::{ServingTable, Watch, characterise};

/// Runs a scenario and writes its folder of results.
pub(super) fn run(arguments: &RunArguments) -> Result<(), Failure> {
    let scenario = load(arguments)?;
    let stop = watch_interrupt(Failure::Interrupted);
    use_threads(arguments.threads)?;
    let folder = results_folder(&arguments.out, &scenario);
    report::check_folder(&arguments.out)?;
    let started = Instant::now();
    greet(arguments, &scenario);
    let table = serving(arguments, &scenario, stop)?;
    let mut answer = simulate(arguments, &scenario, &table, stop)?;
    // The table has them among its caveats, which whoever prints less does not see.
    for sentence in table.unserved().into_iter().rev() {
        if arguments.quiet || arguments.json {
            say_error(&format!("warning: {sentence}"));
        }
        answer.caveats.insert(0, sentence);
    }
    write(arguments, &scenario, &answer, &folder)?;
    let seconds = started.elapsed().as_secs_f64();
    let quiet = arguments.quiet;
    if arguments.json {
        print(&report::summary_json(&answer))?;
    } else if quiet {
        let few = few_worlds(scenario.sampling.worlds);
        let few = few.map_or(String::new(), |caveat| format!(" {caveat}"));
        print(&format!("{}{few}\n", answer.finding))?;
    } else {
        print(&report::table(&answer, None))?;
    }
    say(quiet, &format!("  done in {seconds:.1} s; wrote {}", folder.display()));
    Ok(())
}

/// The scenario with what the command line overrides.
pub(super) fn load(arguments: &RunArguments) -> Result<Scenario, Failure> {
    let mut text = arguments.source.text()?;
    let sampling = [
        ("worlds", arguments.worlds.map(u64::from)),
        ("inner_years", arguments.inner.map(u64::from)),
        ("seed", arguments.seed),
    ];
    for (field, value) in sampling {
        if let Some(value) = value {
            let option = if field == "inner_years" { "inner" } else { field };
            text.patch(&format!("--{option}"), &format!("sampling.{field}"), &value.to_string())?;
        }
    }
    Ok(text.scenario()?)
}

fn results_folder(out: &Path, scenario: &Scenario) -> PathBuf {
    out.join(format!("{}-{}", scenario.name, &scenario.hash()[..8]))
}

fn greet(arguments: &RunArguments, scenario: &Scenario) {
    let source = arguments.source.name();
    let sampling = scenario.sampling;
    say(
        arguments.quiet,
        &format!(
            "sparkgap {}  scenario {} ({source})  hash {}  seed {}  {} worlds x {} inner years",
            env!("CARGO_PKG_VERSION"),
            scenario.name,
            &scenario.hash()[..8],
            sampling.seed,
            sampling.worlds,
            sampling.inner_years,
        ),
    );
}

fn stopped(stop: &AtomicBool) -> Result<(), Failure> {
    if stop.load(Ordering::Relaxed) { Err(Failure::Interrupted) } else { Ok(()) }
}

/// Serving curves, from the cache where it has them.
pub(super) fn serving(
    arguments: &RunArguments,
    scenario: &Scenario,
    stop: &AtomicBool,
) -> Result<ServingTable, Failure> {
    let cache = (!arguments.no_cache).then(|| arguments.out.join(".serving"));
    let bar = bar(0, "measuring serving", arguments.quiet);
    let watch = Watch { begun: &|points| bar.set_length(points), done: &|| bar.inc(1), stop };
    let table = characterise(scenario, cache.as_deref(), watch);
    bar.finish_and_clear();
    stopped(stop)?;
    let table = table.ok_or(Failure::Interrupted)?;
    table.check(scenario).map_err(Failure::Unplannable)?;
    Ok(table)
}

fn simulate(
    arguments: &RunArguments,
    scenario: &Scenario,
    table: &ServingTable,
    stop: &AtomicBool,
) -> Result<Answer, Failure> {
    let bar = bar(0, "simulating worlds", arguments.quiet);
    let watch = Watch { begun: &|worlds| bar.set_length(worlds), done: &|| bar.inc(1), stop };
    let rate = table.rates(scenario);
    let answer = required_external(scenario, &rate, watch);
    bar.finish_and_clear();
    stopped(stop)?;
    answer.map_err(|why| match why {
        Unanswered::Stopped => Failure::Interrupted,
        Unanswered::Unservable { .. } => Failure::Unplannable(why.to_string()),
    })
}

fn write(
    arguments: &RunArguments,
    scenario: &Scenario,
    answer: &Answer,
    folder: &Path,
) -> Result<(), Failure> {
    let mut files = vec![
        ("run.ron", scenario.to_ron().into_bytes()),
        ("summary.json", report::summary_json(answer).into_bytes()),
        ("years.csv", report::years_csv(answer)),
        ("adequacy.csv", report::adequacy_csv(answer)),
    ];
    #[cfg(feature = "parquet")]
    files.push(("worlds.parquet", report::worlds_parquet(answer)));
    if !arguments.no_charts {
        files.push(("gap.svg", report::gap_svg(answer)?.into_bytes()));
        files.push(("gap.png", report::gap_png(answer)?));
    }
    writing(|| report::write_folder(folder, &files))?;
    Ok(())
}
