//! From simulated worlds to the answer: `required_external`.

use super::all_worlds::all_worlds;
use super::finding::{caveats, finding};
use super::measures::adequacy;
use super::need::allowed_epochs;
use super::result::{
    Answer, CandidateFacts, Cost, Eue, Provenance, QuarterResult, ServingBasis, Source, SupplyKind,
    WorldYear, YearResult,
};
use super::world_year::{WorldResult, estimate, reduce};
use crate::fleet::{Draw, ServingRate, SourceName, draw_world};
use crate::hardware;
use crate::rng::StreamKey;
use crate::scenario::Scenario;
use crate::stats::{Estimate, Spread};
use crate::study::{Watch, replicate};
use crate::time::FleetTime;

/// Version of the schema of [`Answer`].
const SCHEMA: u32 = 1;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
    /// In some worlds the candidate or the reference cannot serve a workload within its promises
    /// in any layout, so that neither a need nor a reference GPU has a meaning there.
    #[error(
        "in {unservable} of {worlds} worlds the candidate or the reference cannot serve every \
         workload within its promises: narrow the ranges of model size and work per token, or \
         loosen the services"
    )]
    Unservable {
        /// Such worlds.
        unservable: usize,
        /// All worlds.
        worlds: usize,
    },
}

/// How much external capacity a scenario needs, year by year. `rate` answers what one GPU serves
/// (see [`crate::study`]).
///
/// # Errors
/// [`Unanswered`]: it was stopped, or some world has no answer.
pub fn required_external(
    scenario: &Scenario,
    rate: &ServingRate<'_>,
    watch: Watch<'_>,
) -> Result<Answer, Unanswered> {
    let central = draw_world(scenario, Draw::central(), rate);
    let own = |source: &&SourceName| matches!(source, SourceName::Own(_));
    let own_sources = central.sources.iter().filter(own).count();
    let candidate = candidate_facts(scenario);
    let worlds =
        replicate(scenario, rate, watch, |run| reduce(scenario, &candidate, own_sources, run))
            .ok_or(Unanswered::Stopped)?;
    let unservable = worlds.iter().filter(|world| !world.servable).count();
    if unservable > 0 {
        return Err(Unanswered::Unservable { unservable, worlds: worlds.len() });
    }
    let hours = central.world.epoch_hours();
    let years: Vec<YearResult> = (0..central.world.years.len())
        .map(|year| year_result(scenario, &candidate, &worlds, year, hours))
        .collect();
    let quarters = (0..years.len() * 4)
        .map(|quarter| quarter_result(scenario, &worlds, quarter, own_sources))
        .collect();
    let sources = central.sources.iter().map(|source| source_label(scenario, source)).collect();
    Ok(Answer {
        schema: SCHEMA,
        provenance: Provenance::of(scenario, hours),
        criterion: scenario.criterion,
        finding: finding(scenario, &candidate, &years),
        caveats: caveats(scenario, &candidate),
        reference: scenario.hardware[&scenario.reference].label.clone(),
        serving: serving_basis(scenario),
        candidate,
        lends_training: scenario.sites.values().any(|site| site.training.is_some()),
        years,
        adequacy: adequacy(scenario, &central.world, &worlds),
        sources,
        quarters,
        worlds: worlds.into_iter().flat_map(|world| world.years).collect(),
    })
}

/// What the serving figures of the accelerators supplied rest on.
fn serving_basis(scenario: &Scenario) -> Vec<ServingBasis> {
    let basis = |name: String| {
        let layouts = scenario.deployments.iter().filter_map(|(workload, deployment)| {
            Some((workload, deployment.layouts.get(&name)?.step_time.is_some()))
        });
        let (measured, computed): (Vec<_>, Vec<_>) = layouts.partition(|(_, measured)| *measured);
        let inherited = scenario.hardware[&name].provenance();
        let whole = computed.is_empty() && !measured.is_empty();
        let basis = if whole { hardware::Provenance::Measured } else { inherited };
        let measured = measured.into_iter().map(|(workload, _)| workload.clone()).collect();
        ServingBasis { accelerator: name, basis, measured }
    };
    scenario.accelerators_supplied().into_iter().map(basis).collect()
}

fn candidate_facts(scenario: &Scenario) -> CandidateFacts {
    let candidate = &scenario.candidate;
    let accelerator = &scenario.hardware[&candidate.accelerator];
    CandidateFacts {
        accelerator: accelerator.label.clone(),
        gpus_per_rack: accelerator.unit.gpus,
        firm_gpus_per_rack: f64::from(accelerator.unit.serving) * candidate.availability.0,
        kilowatts_per_gpu: accelerator.power.0 / 1e3,
        dollars_per_gpu_hour: scenario.candidate_price().central().0,
    }
}

fn source_label(scenario: &Scenario, source: &SourceName) -> Source {
    match source {
        SourceName::Own(name) => {
            Source { label: scenario.hardware[name].label.clone(), kind: SupplyKind::Own }
        }
        SourceName::Contract(name) => {
            let label = scenario.contracts[name].label.clone();
            Source { label, kind: SupplyKind::Contract }
        }
    }
}

/// Whole racks of a block: rounded up when short; a surplus counts only the whole racks in it.
fn racks(gpus: f64, candidate: &CandidateFacts) -> f64 {
    // Adding zero turns a negative zero into a plain one.
    (gpus / candidate.firm_gpus_per_rack).ceil() + 0.0
}

/// Last day to sign for a candidate that stands on 1 January. Delay is bought with time, not with
/// size: the block is ordered earlier, not larger.
fn sign_by(scenario: &Scenario, year: u16) -> FleetTime {
    let delay = scenario.hardware[&scenario.candidate.accelerator].delay.as_ref();
    let ahead =
        scenario.candidate_lead_time().at(0.9).0 + delay.map_or(0.0, |delay| delay.at(0.9).0);
    FleetTime(FleetTime::start_of_year(year).0 - ahead as i64)
}

fn year_result(
    scenario: &Scenario,
    candidate: &CandidateFacts,
    worlds: &[WorldResult],
    year: usize,
    epoch_hours: f64,
) -> YearResult {
    let rows: Vec<&WorldYear> = worlds.iter().map(|world| &world.years[year]).collect();
    let spread = |value: &dyn Fn(&WorldYear) -> f64| spread_of(&rows, value);
    let megawatts = f64::from(candidate.gpus_per_rack) * candidate.kilowatts_per_gpu / 1e3;
    let contribution: Vec<f64> =
        worlds.iter().map(|world| world.signed_need[year] - world.years[year].gap_gpus).collect();
    let samples = scenario.sampling.worlds as usize * scenario.sampling.inner_years as usize;
    let tails: Vec<&Vec<f64>> = worlds.iter().map(|world| &world.tails[year]).collect();
    let calendar = rows[0].year;
    let key = StreamKey::world(scenario.sampling.seed, u64::from(calendar));
    let short = rows.iter().filter(|row| row.gap_gpus > 0.0).count();
    let sign_by = sign_by(scenario, calendar);
    YearResult {
        year: calendar,
        daily_users: spread(&|row| row.daily_users),
        user_requests_per_day: spread(&|row| row.user_requests_per_day),
        engine_calls_per_day: spread(&|row| row.engine_calls_per_day),
        tokens_in_per_day: spread(&|row| row.tokens_in_per_day),
        tokens_cached_per_day: spread(&|row| row.tokens_cached_per_day),
        tokens_out_per_day: spread(&|row| row.tokens_out_per_day),
        peak_demand: spread(&|row| row.peak_demand),
        own_capacity: spread(&|row| row.own_capacity),
        need_reference: spread(&|row| row.need_reference),
        need_gpus: spread(&|row| row.need_gpus),
        need_racks: spread(&|row| racks(row.need_gpus, candidate)),
        need_megawatts: spread(&|row| racks(row.need_gpus, candidate) * megawatts),
        gap_gpus: spread(&|row| row.gap_gpus),
        gap_racks: spread(&|row| racks(row.gap_gpus, candidate)),
        gap_megawatts: spread(&|row| racks(row.gap_gpus, candidate) * megawatts),
        short_worlds: short as f64 / rows.len() as f64,
        sign_by: sign_by.to_string(),
        can_be_signed: sign_by >= scenario.decide_on,
        need_all_worlds: all_worlds(
            &tails,
            allowed_epochs(&scenario.criterion, samples, epoch_hours),
            key,
        ),
        contracted_gpus: spread(&|row| row.contracted_gpus),
        contracted_for_assistant_gpus: spread(&|row| row.contracted_for_assistant_gpus),
        firm_contribution_gpus: Spread::of(&contribution),
        reference_per_candidate: spread(&|row| row.reference_per_candidate),
        cost: cost(&rows),
        lole_own: estimate(&rows, |row| row.lole_own),
        lole_with_contracts: estimate(&rows, |row| row.lole_with_contracts),
        eue_own: Eue {
            calls: estimate(&rows, |row| row.unserved_calls_own),
            output_tokens: estimate(&rows, |row| row.unserved_output_tokens_own),
            reference_gpu_hours: estimate(&rows, |row| row.unserved_gpu_hours_own),
        },
        eue_with_contracts: Eue {
            calls: estimate(&rows, |row| row.unserved_calls),
            output_tokens: estimate(&rows, |row| row.unserved_output_tokens),
            reference_gpu_hours: estimate(&rows, |row| row.unserved_gpu_hours),
        },
        deferrable_misses: estimate(&rows, |row| row.deferrable_misses),
        borrowed_gpu_hours: estimate(&rows, |row| row.borrowed_gpu_hours),
        degraded_calls: estimate(&rows, |row| row.degraded_calls),
        returned_calls: estimate(&rows, |row| row.returned_calls),
    }
}

fn spread_of(rows: &[&WorldYear], value: &dyn Fn(&WorldYear) -> f64) -> Spread {
    let samples: Vec<f64> = rows.iter().map(|row| value(row)).collect();
    Spread::of(&samples)
}

/// Cost of external capacity. A block that closes the gap leaves nothing to buy by the hour, and
/// the other way round: the total counts one of them.
fn cost(rows: &[&WorldYear]) -> Cost {
    Cost {
        contracts: spread_of(rows, &|row| row.cost_contracts),
        on_demand: spread_of(rows, &|row| row.cost_on_demand),
        gap: spread_of(rows, &|row| row.cost_gap),
        total: spread_of(rows, &|row| {
            let more = if row.cost_gap > 0.0 { row.cost_gap } else { row.cost_on_demand };
            row.cost_contracts + more
        }),
    }
}

fn quarter_result(
    scenario: &Scenario,
    worlds: &[WorldResult],
    quarter: usize,
    own_sources: usize,
) -> QuarterResult {
    let rows = worlds.iter().map(|world| &world.quarters[quarter]);
    let spread = |value: &dyn Fn(&super::world_year::WorldQuarter) -> f64| {
        let samples: Vec<f64> = rows.clone().map(value).collect();
        Spread::of(&samples)
    };
    let sources = worlds[0].quarters[quarter].supply.len();
    let mean = |source: usize| {
        let samples: Vec<f64> = rows.clone().map(|row| row.supply[source]).collect();
        Estimate::of(&samples).mean
    };
    QuarterResult {
        year: scenario.horizon.first_year + (quarter / 4) as u16,
        quarter: (quarter % 4) as u8 + 1,
        supply: (0..sources).map(mean).collect(),
        demand: spread(&|row| row.demand),
        capacity: spread(&|row| row.supply.iter().sum()),
        own: spread(&|row| row.supply[..own_sources].iter().sum()),
    }
}
