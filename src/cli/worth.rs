//! `sparkgap worth`: what a site, a contract or a pool of a scenario is worth to its plan.

use clap::Args;

use super::args::RunArguments;
use super::progress::{bar, watch_interrupt};
use super::run::{load, serving};
use super::{Failure, print, use_threads};
use crate::fleet::{Draw, draw_world};
use crate::plan::{NoWorth, sources, worth};
use crate::report;
use crate::scenario::known_names;
use crate::study::Watch;

/// Worlds where the command line names none: each is simulated some eighty times.
const WORLDS: u32 = 20;

/// Options of `worth`.
#[derive(Debug, Clone, Args)]
pub struct WorthArguments {
    /// Site, contract or pool ('site/accelerator', 'contract/accelerator/region')
    #[arg(long = "of", value_name = "SOURCE")]
    pub of: String,
    /// Scenario, sampling and serving as in `run`; 20 worlds when left out
    #[command(flatten)]
    pub run: RunArguments,
}

/// Values a source and prints the table or JSON, which has the trace of the search as well.
pub(super) fn value(arguments: &WorthArguments) -> Result<(), Failure> {
    let mut run = arguments.run.clone();
    run.worlds = run.worlds.or(Some(WORLDS));
    run.quiet |= run.json;
    let scenario = load(&run)?;
    let central = draw_world(&scenario, Draw::central(), &|_| 1.0);
    let known = sources(&central.world);
    if !known.contains(&arguments.of) {
        let message = format!("--of: there is no source of supply `{}`", arguments.of);
        let help = known_names(&arguments.of, known.iter().map(String::as_str));
        return Err(Failure::Usage(format!("{message}; {help}")));
    }
    if scenario.sites.contains_key(&arguments.of) && scenario.contracts.contains_key(&arguments.of)
    {
        let message = "is the name of a site and of a contract; name one of its pools";
        return Err(Failure::Usage(format!("--of: `{}` {message}", arguments.of)));
    }
    let stop = watch_interrupt(Failure::Interrupted);
    use_threads(run.threads)?;
    let table = serving(&run, &scenario, stop)?;
    let bar = bar(0, "simulating worlds", run.quiet);
    let watch = Watch { begun: &|worlds| bar.set_length(worlds), done: &|| bar.inc(1), stop };
    let rate = table.rates(&scenario);
    let valued = worth(&scenario, &rate, &arguments.of, watch);
    bar.finish_and_clear();
    let valued = valued.map_err(|why| match why {
        NoWorth::Stopped => Failure::Interrupted,
        NoWorth::NoEquivalent { .. } => Failure::Unplannable(why.to_string()),
    })?;
    if run.json {
        print(&report::worth_json(&valued))
    } else {
        print(&report::worth_table(&valued))
    }
}
