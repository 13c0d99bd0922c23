//! What a source is worth: against the plan of the scenario that never had it, and against what
//! the trace says.

mod support;

use sparkgap::demand::Growth;
use sparkgap::fleet::{Draw, draw_world};
use sparkgap::plan::{Worth, sources, worth};
use sparkgap::report::worth_table;
use sparkgap::scenario::Scenario;
use sparkgap::study::Watch;
use sparkgap::units::{Share, Uncertain};
use support::{plan, rate};

/// The default scenario until 2027 with so little of our own that contracts matter.
fn scarce() -> Scenario {
    let mut scenario = Scenario::embedded();
    scenario.horizon.last_year = 2027;
    scenario.sampling.worlds = 2;
    scenario.sampling.inner_years = 1;
    for site in scenario.sites.values_mut() {
        site.assistant_share = Growth::Constant(Uncertain::fixed(Share(0.01)));
    }
    scenario
}

fn of(scenario: &Scenario, source: &str) -> Worth {
    worth(scenario, &|inputs| rate(scenario, inputs), source, Watch::nobody()).expect("it is there")
}

#[test]
fn efc_is_what_the_gap_grows_by_without_the_contract() {
    let with = scarce();
    let mut without = with.clone();
    without.contracts.remove("coreweave_1").expect("it ships");
    let worth = of(&with, "coreweave_1");
    assert!(worth.pools.iter().all(|pool| pool.starts_with("coreweave_1/")), "{:?}", worth.pools);
    let (with, without) = (plan(&with), plan(&without));
    for (index, year) in worth.years.iter().enumerate() {
        let gaps = |answer: &sparkgap::plan::Answer| {
            let rows = answer.worlds.iter().filter(|row| row.year == year.year);
            rows.map(|row| row.gap_gpus).collect::<Vec<f64>>()
        };
        let grown: Vec<f64> = gaps(&without).iter().zip(gaps(&with)).map(|(a, b)| a - b).collect();
        let mean = grown.iter().sum::<f64>() / grown.len() as f64;
        assert!((year.efc_mean.mean - mean).abs() < 1e-6 * mean.abs().max(1.0), "{year:?} {mean}");
        assert_eq!(year.lole_with.mean, with.years[index].lole_with_contracts.mean);
        assert_eq!(year.lole_without.mean, without.years[index].lole_with_contracts.mean);
        assert!((0.0..=1.5).contains(&year.efc_credit.mean), "{year:?}");
    }
    // In 2027 all of it stands: its firm GPUs are worth most of what is delivered.
    assert!(worth.years[1].efc_credit.mean > 0.5, "{:?}", worth.years[1]);
    assert!(worth_table(&worth).contains("capacity credit by EFC"));
}

#[test]
fn the_trace_holds_the_bracket() {
    let mut scenario = scarce();
    scenario.sampling.worlds = 1;
    let worth = of(&scenario, "nebius_1");
    let allowed = scenario.criterion.interactive_lole.0.floor();
    for year in &worth.years {
        for (with_source, [low, high]) in [(true, year.carried_with), (false, year.carried_without)]
        {
            let tried: Vec<_> = worth
                .trace
                .iter()
                .filter(|t| {
                    t.year == year.year && t.with_source == with_source && t.block_gpus == 0.0
                })
                .collect();
            let holds = tried.iter().filter(|t| t.lole <= allowed).map(|t| t.demand);
            let fails = tried.iter().filter(|t| t.lole > allowed).map(|t| t.demand);
            assert_eq!(holds.fold(0.0, f64::max), low);
            assert_eq!(fails.fold(f64::INFINITY, f64::min), high);
            assert!(high - low <= 3e-4 * high, "{low} {high}");
        }
        assert!(year.carried_with[1] >= year.carried_without[0], "{year:?}");
        // The gap is the block at which the criterion holds, on either side; a GPU less is too
        // little. EFC is the distance of the two.
        let sides = [true, false].map(|side| {
            let mut of_side = worth
                .trace
                .iter()
                .filter(|t| t.year == year.year && t.with_source == side && t.block_gpus != 0.0);
            let (less, gap) = (of_side.next().expect("less"), of_side.next().expect("the gap"));
            assert!(of_side.next().is_none() && less.block_gpus == gap.block_gpus - 1.0);
            assert!(gap.lole <= allowed && less.lole > allowed, "{less:?} {gap:?}");
            gap.block_gpus
        });
        assert!((year.efc_mean.mean - (sides[1] - sides[0])).abs() < 1e-6, "{year:?}");
    }
}

#[test]
fn every_site_contract_and_pool_can_be_asked_for() {
    let scenario = Scenario::embedded();
    let world = draw_world(&scenario, Draw::central(), &|_| 1.0).world;
    let names = sources(&world);
    for name in scenario.sites.keys().chain(scenario.contracts.keys()) {
        assert!(names.contains(name), "{name}");
    }
    assert!(world.pools.iter().all(|pool| names.contains(&pool.name)));
}
