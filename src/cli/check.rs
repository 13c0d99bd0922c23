//! `sparkgap check`: reads a scenario and says what is wrong with it; if nothing is, where its
//! numbers come from.

use super::args::CheckArguments;
use super::{Failure, print};
use crate::hardware::Accelerator;
use crate::scenario::{AuditedValue, Origin, Scenario, audit};

/// Values without a source that are listed unless all are asked for.
const LISTED: usize = 20;
/// Uncertain values that are listed unless all are asked for.
const WIDEST: usize = 10;

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
    print(&(text + &by_hand(&scenario) + &sources(&scenario, arguments.all)))
}

/// Accelerators whose efficiency somebody has changed: no longer what was fitted or inherited.
fn by_hand(scenario: &Scenario) -> String {
    let stated = |(name, own): (&String, &Accelerator)| {
        let before = own.efficiency.provenance;
        (own.provenance() != before).then(|| {
            format!(
                "  warning: hardware.{name} is tagged `{}`, not `{}`: its step times were changed \
                 by hand (efficiencies, peaks, memory, links or software curve); where they are \
                 a fit of your own, give it its `efficiency.source` and its date, \
                 `efficiency.fitted`\n",
                own.provenance().word(),
                before.word()
            )
        })
    };
    scenario.hardware.iter().filter_map(stated).collect()
}

/// Where the numbers come from: how many of which origin, those of none, the widest.
fn sources(scenario: &Scenario, all: bool) -> String {
    let audit = audit(scenario);
    let count = |origin| audit.of(origin).count();
    let mut text = format!(
        "  {} facts: {} with a source, {} assumptions, {} without a source\n",
        audit.values.len(),
        count(Origin::Sourced),
        count(Origin::Assumed),
        count(Origin::Unsourced),
    );
    let unsourced: Vec<&AuditedValue> = audit.of(Origin::Unsourced).collect();
    let line = |value: &&AuditedValue| format!("    {}: {}\n", value.path, value.text);
    text += &listed("without a source", &unsourced, if all { usize::MAX } else { LISTED }, line);
    let line = |value: &&AuditedValue| {
        let width = value.width.unwrap_or(1.0);
        let source = value.source.as_deref().unwrap_or("no source");
        format!("    {width:>5.1}x  {}: {}\n            {source}\n", value.path, value.text)
    };
    let most = if all { usize::MAX } else { WIDEST };
    text + &listed("widest, by P90 over P10", &audit.widest(), most, line)
}

/// A titled list of the first `most` values, and how many more there are.
fn listed<'a>(
    title: &str,
    values: &[&'a AuditedValue],
    most: usize,
    line: impl Fn(&&'a AuditedValue) -> String,
) -> String {
    if values.is_empty() {
        return String::new();
    }
    let mut text = format!("\n  {title}:\n");
    text.extend(values.iter().take(most).map(line));
    if values.len() > most {
        text += &format!("    and {} more: --all lists them\n", values.len() - most);
    }
    text
}
