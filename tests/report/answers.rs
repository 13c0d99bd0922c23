//! Synthetic answers with realistic magnitudes; nothing here was simulated.

use sparkgap::hardware::Provenance as Basis;
use sparkgap::plan::{
    AllWorlds, Answer, CandidateFacts, Cost, Eue, Provenance, QuarterResult, ServingBasis, Source,
    SupplyKind, WorldYear, YearResult,
};
use sparkgap::scenario::Criterion;
use sparkgap::stats::{Estimate, RankedQuantile, Spread};
use sparkgap::units::{HoursPerYear, Share};

use crate::adequacies;

/// First calendar year of every sample.
pub const FIRST_YEAR: u16 = 2026;
/// Calendar years of every sample.
pub const YEARS: u16 = 7;

/// Supply falls short of demand from 2030 on.
pub fn short() -> Answer {
    let mut answer = answer(
        "P50 demand outruns usable capacity from 2030 Q2 and P90 from 2029 Q1: by 2032 the plan \
         is short 131k GB300 GPUs (P10 62k, P90 214k), to be signed by March 2028.",
        &seven_sources(),
        |time| 15e3 * (250.0_f64 / 15.0).powf(time / 6.875),
        |time| (38e3 + 122e3 * (time / 6.875)).min(98e3 + 6e3 * time),
    );
    gaps_from(&mut answer);
    answer
}

/// Supply is about ten times the demand.
pub fn surplus() -> Answer {
    let mut answer = answer(
        "No external capacity is needed in any year: contracts in hand leave a surplus of 470k \
         reference GPUs by 2032.",
        &seven_sources(),
        |time| 4e3 + 6.5e3 * time,
        |time| 40e3 + 68e3 * time,
    );
    gaps_from(&mut answer);
    answer
}

/// Twelve sources, supply near demand, a gap in the middle that closes again.
pub fn twelve_sources() -> Answer {
    let own = ["H100", "GB200 NVL72", "GB300 NVL72", "B300", "MI450", "Vera Rubin NVL72", "MTIA"];
    let contracts = ["CoreWeave I", "CoreWeave II", "Nebius", "Oracle", "Google Cloud"];
    let own = own.iter().map(|label| (*label, SupplyKind::Own));
    let contracts = contracts.iter().map(|label| (*label, SupplyKind::Contract));
    let mut answer = answer(
        "Capacity is short from 2028 Q3 to 2030 Q1 and ample afterwards: bridge 28k GPUs.",
        &own.chain(contracts).collect::<Vec<_>>(),
        |time| 15e3 + 300e3 / (1.0 + (-(time - 2.2) * 1.9).exp()),
        |time| 40e3 + 65e3 * time,
    );
    gaps_from(&mut answer);
    answer
}

/// One source that meets a demand hundreds of times as large.
pub fn far_short() -> Answer {
    let mut answer = answer(
        "Demand is beyond anything that is planned.",
        &[("GB300 NVL72", SupplyKind::Own)],
        |time| 2e6 * (1.0 + time),
        |_| 9e3,
    );
    gaps_from(&mut answer);
    answer
}

/// Neither demand nor supply, no errors, no contracts.
pub fn zero() -> Answer {
    let mut answer = answer("Nothing is needed.", &[], |_| 0.0, |_| 0.0);
    answer.caveats.clear();
    answer.adequacy = adequacies::none();
    for year in &mut answer.years {
        *year = YearResult { year: year.year, ..nothing(year.year) };
    }
    answer.worlds.clear();
    answer
}

fn seven_sources() -> Vec<(&'static str, SupplyKind)> {
    vec![
        ("H100", SupplyKind::Own),
        ("GB200 NVL72", SupplyKind::Own),
        ("GB300 NVL72", SupplyKind::Own),
        ("Vera Rubin NVL72", SupplyKind::Own),
        ("MTIA", SupplyKind::Own),
        ("CoreWeave I", SupplyKind::Contract),
        ("CoreWeave II", SupplyKind::Contract),
    ]
}

/// A spread around a median, as a hundred worlds would give it.
fn around(median: f64) -> Spread {
    let at = |factor: f64| {
        let value = median * factor;
        let (low, high) = (value * 0.95, value * 1.06);
        RankedQuantile { value, low: low.min(high), high: high.max(low) }
    };
    if median < 0.0 {
        Spread { p10: at(1.3), p50: at(1.0), p90: at(0.7) }
    } else {
        Spread { p10: at(0.74), p50: at(1.0), p90: at(1.35) }
    }
}

fn estimate(mean: f64) -> Estimate {
    Estimate { mean, standard_error: mean.abs() * 0.083 }
}

fn answer(
    finding: &str,
    sources: &[(&str, SupplyKind)],
    demand: impl Fn(f64) -> f64,
    supply: impl Fn(f64) -> f64,
) -> Answer {
    let quarters = (0..YEARS * 4)
        .map(|index| {
            let time = f64::from(index) / 4.0;
            let total = supply(time);
            QuarterResult {
                year: FIRST_YEAR + index / 4,
                quarter: (index % 4) as u8 + 1,
                supply: shares(sources.len(), time).map(|share| share * total).collect(),
                demand: around(demand(time)),
                capacity: around(total),
                own: around(total * 0.7),
            }
        })
        .collect();
    let years = (0..YEARS).map(|index| year(index, demand(f64::from(index) + 0.75))).collect();
    Answer {
        schema: 1,
        provenance: Provenance {
            scenario: "default".into(),
            hash: "4f1c9a2e".repeat(8),
            version: "0.1.0".into(),
            seed: 42,
            worlds: 100,
            inner_years: 2,
            epoch_hours: 1.0,
        },
        criterion: Criterion {
            interactive_lole: HoursPerYear(2.4),
            deferrable_misses: Share(0.001),
            three_part: None,
        },
        candidate: CandidateFacts {
            accelerator: "GB300 NVL72".into(),
            gpus_per_rack: 72,
            firm_gpus_per_rack: 62.7,
            kilowatts_per_gpu: 2.12,
            dollars_per_gpu_hour: 4.55,
        },
        serving: [("gb300", Basis::Fitted), ("rubin_ultra", Basis::Bound)]
            .map(|(name, basis)| ServingBasis {
                accelerator: name.to_owned(),
                basis,
                measured: Vec::new(),
            })
            .into(),
        reference: "GB300".into(),
        finding: finding.into(),
        caveats: vec![
            "Shares of own sites for the assistant are assumptions, not published figures.".into(),
            "Prices are list prices of mid 2026 and do not fall.".into(),
        ],
        lends_training: false,
        years,
        adequacy: adequacies::growing(),
        sources: sources
            .iter()
            .map(|(label, kind)| Source { label: (*label).into(), kind: *kind })
            .collect(),
        quarters,
        worlds: worlds(),
    }
}

/// Shares of the sources at a time, summing to 1: generations come and go one after another.
fn shares(count: usize, time: f64) -> impl Iterator<Item = f64> {
    let weight = move |index: usize| {
        let peak = 7.0 * index as f64 / count.max(1) as f64;
        let bump = (-((time - peak) / 2.2).powi(2)).exp();
        if bump < 0.02 && count > 1 { 0.0 } else { bump }
    };
    let total: f64 = (0..count).map(weight).sum();
    (0..count).map(move |index| weight(index) / total)
}

fn nothing(year: u16) -> YearResult {
    YearResult {
        year,
        daily_users: Spread::default(),
        user_requests_per_day: Spread::default(),
        engine_calls_per_day: Spread::default(),
        tokens_in_per_day: Spread::default(),
        tokens_cached_per_day: Spread::default(),
        tokens_out_per_day: Spread::default(),
        peak_demand: Spread::default(),
        own_capacity: Spread::default(),
        need_reference: Spread::default(),
        need_gpus: Spread::default(),
        need_racks: Spread::default(),
        need_megawatts: Spread::default(),
        gap_gpus: Spread::default(),
        gap_racks: Spread::default(),
        gap_megawatts: Spread::default(),
        short_worlds: 0.0,
        sign_by: "2026-01-15".to_owned(),
        can_be_signed: true,
        need_all_worlds: AllWorlds { resolved: true, ..AllWorlds::default() },
        contracted_gpus: Spread::default(),
        contracted_for_assistant_gpus: Spread::default(),
        firm_contribution_gpus: Spread::default(),
        reference_per_candidate: Spread::default(),
        cost: Cost::default(),
        lole_own: Estimate::default(),
        lole_with_contracts: Estimate::default(),
        eue_own: Eue::default(),
        eue_with_contracts: Eue::default(),
        deferrable_misses: Estimate::default(),
        borrowed_gpu_hours: Estimate::default(),
        degraded_calls: Estimate::default(),
        returned_calls: Estimate::default(),
    }
}

fn year(index: u16, peak: f64) -> YearResult {
    let time = f64::from(index);
    let growth = 1.35_f64.powf(time);
    let eue = |hours: f64| Eue {
        calls: estimate(hours * 3.1e7),
        output_tokens: estimate(hours * 9.7e9),
        reference_gpu_hours: estimate(hours * 840.0),
    };
    YearResult {
        daily_users: around(0.9e9 * (1.0 + 0.3 * time)),
        user_requests_per_day: around(3.4e9 * growth),
        engine_calls_per_day: around(11.2e9 * growth),
        tokens_in_per_day: around(29e12 * growth),
        tokens_cached_per_day: around(17e12 * growth),
        tokens_out_per_day: around(3.6e12 * growth),
        peak_demand: around(peak),
        own_capacity: around(38e3 + 11e3 * time),
        contracted_gpus: around(12e3 * time),
        firm_contribution_gpus: around(4.4e3 * time),
        need_all_worlds: AllWorlds {
            gpus: 21e3 * time,
            low: 15e3 * time,
            high: 31e3 * time,
            largest_world_share: 0.11 * time,
            resolved: index < 3,
        },
        cost: Cost {
            contracts: around(0.46e9 * time),
            on_demand: around(0.02e9),
            ..Cost::default()
        },
        lole_own: estimate(210.0 * time),
        lole_with_contracts: estimate(17.0 * time),
        eue_own: eue(210.0 * time),
        eue_with_contracts: eue(17.0 * time),
        deferrable_misses: estimate(0.0004 * time),
        ..nothing(FIRST_YEAR + index)
    }
}

/// Fills need, gap and their cost from the curves of the last quarter of each year.
fn gaps_from(answer: &mut Answer) {
    for (index, year) in answer.years.iter_mut().enumerate() {
        let quarter = &answer.quarters[index * 4 + 3];
        let gap = quarter.demand.p50.value - quarter.supply.iter().sum::<f64>();
        let need = quarter.demand.p50.value - quarter.own.p50.value;
        let racks = |gpus: f64| (gpus / 62.7).ceil();
        year.gap_gpus = around(gap);
        year.gap_racks = around(racks(gap));
        year.gap_megawatts = around(racks(gap) * 72.0 * 2.12e-3);
        year.need_gpus = around(need.max(0.0));
        year.need_reference = around(need.max(0.0));
        year.need_racks = around(racks(need.max(0.0)));
        year.need_megawatts = around(racks(need.max(0.0)) * 72.0 * 2.12e-3);
        year.short_worlds = if gap > 0.0 { 0.83 } else { 0.12 };
        let cost = racks(gap.max(0.0)) * 72.0 * 4.55 * 8760.0;
        year.cost.gap = around(cost);
        year.cost.total = around(cost + year.cost.contracts.p50.value + 0.02e9);
    }
}

fn worlds() -> Vec<WorldYear> {
    let row = |world: u32, year: u16| {
        let base = f64::from(world * 100 + u32::from(year - FIRST_YEAR));
        let mut next = 0.0;
        let mut value = || {
            next += 1.0;
            base * 1e3 + next
        };
        WorldYear {
            world,
            year,
            daily_users: value(),
            user_requests_per_day: value(),
            engine_calls_per_day: value(),
            tokens_in_per_day: value(),
            tokens_cached_per_day: value(),
            tokens_out_per_day: value(),
            peak_demand: value(),
            own_capacity: value(),
            need_gpus: value(),
            need_reference: value(),
            gap_gpus: -value(),
            contracted_gpus: value(),
            contracted_for_assistant_gpus: value(),
            reference_per_candidate: value(),
            cost_contracts: value(),
            cost_on_demand: value(),
            cost_gap: value(),
            lole_own: value(),
            lole_with_contracts: value(),
            unserved_calls_own: value(),
            unserved_output_tokens_own: value(),
            unserved_gpu_hours_own: value(),
            unserved_calls: value(),
            unserved_output_tokens: value(),
            unserved_gpu_hours: value(),
            deferrable_misses: value(),
            borrowed_gpu_hours: value(),
            degraded_calls: value(),
            returned_calls: value(),
        }
    };
    (0..100)
        .flat_map(|world| (FIRST_YEAR..FIRST_YEAR + YEARS).map(move |year| row(world, year)))
        .collect()
}
