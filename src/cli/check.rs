//! `sparkgap check`: reads a scenario and says what is wrong with it.

use super::args::CheckArguments;
use super::{Failure, print};

/// Checks a scenario; every fault is an error that [`super::main`] prints.
pub(super) fn check(arguments: &CheckArguments) -> Result<(), Failure> {
    let (scenario, from) = (arguments.source.text()?.scenario()?, arguments.source.name());
    let horizon = scenario.horizon;
    let mut text = format!(
        "ok: {} ({from}), hash {}\n  {} to {}, {} worlds x {} inner years, seed {}\n",
        scenario.name,
        &scenario.hash()[..8],
        horizon.first_year,
        horizon.last_year,
        scenario.sampling.worlds,
        scenario.sampling.inner_years,
        scenario.sampling.seed,
    );
    text += &format!(
        "  {} surfaces, {} workloads, {} regions; {} sites, {} contracts; \
         {} accelerators, {} models\n",
        scenario.surfaces.len(),
        scenario.workloads.len(),
        scenario.regions.len(),
        scenario.sites.len(),
        scenario.contracts.len(),
        scenario.hardware.len(),
        scenario.models.len(),
    );
    print(&text)
}
