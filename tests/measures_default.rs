//! Shortfalls of the default fleet with too little of its own: parts add up to the whole, and the
//! answer says what a plain account of the simulated worlds says.

mod support;

use sparkgap::demand::Growth;
use sparkgap::fleet::{
    Draw, Measures, Outcome, PeakLoss, ServingInputs, Shortfall, Shortfalls, WEEKS, draw_world,
    simulate,
};
use sparkgap::plan::{PeakSurvival, ScopeAdequacy, SupplyAdequacy};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::Scenario;
use sparkgap::stats::Estimate;
use sparkgap::study::{Watch, replicate};
use sparkgap::units::{Share, Uncertain};
use support::{plan, rate};

/// The default scenario with little of its own, so that somebody is short in most years.
fn scarce() -> Scenario {
    let mut scenario = Scenario::embedded();
    scenario.sampling.inner_years = 2;
    for site in scenario.sites.values_mut() {
        site.assistant_share = Growth::Constant(Uncertain::fixed(Share(0.006)));
    }
    scenario
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn parts_add_up_to_the_whole_on_the_default_fleet() {
    let scenario = scarce();
    let draw = Draw::of_world(42, 3);
    let world = draw_world(&scenario, draw, &|inputs| rate(&scenario, inputs)).world;
    let outcome = simulate(&world, StreamKey::inner(42, 3, 0));
    let Measures { scopes, own, with_contracts, offered } = &outcome.measures;
    assert!(world.policies.iter().any(|policy| policy.returning > 0.0), "nobody asks again");
    let mut short_years = 0;
    for (year, tally) in outcome.years.iter().enumerate() {
        // Surges and planned events included.
        let calls = &offered[year * scopes.count()..(year + 1) * scopes.count()];
        assert!(near(calls[0], tally.offered_calls), "{} {}", calls[0], tally.offered_calls);
        for (found, tally) in [(own, tally.own), (with_contracts, tally.with_contracts)] {
            let rows = found.year(year);
            let all = rows[0];
            // The whole is what the loop has always counted, bit for bit.
            assert_eq!(all.short_epochs, tally.short_epochs);
            assert_eq!(all.calls, tally.calls);
            assert_eq!(all.output_tokens, tally.output_tokens);
            assert_eq!(all.reference_gpu_hours, tally.reference_gpu_hours);
            let cells = &found.cells[year * 288..(year + 1) * 288];
            assert_eq!(cells.iter().map(|count| u64::from(*count)).sum::<u64>(), all.short_epochs);
            short_years += u64::from(all.short_epochs > 0);
            for (first, count) in [
                (scopes.region(0), scopes.regions),
                (scopes.workload(0), scopes.workloads),
                (scopes.class(0), scopes.classes),
            ] {
                let group = &rows[first..first + count];
                let sum = |of: fn(&Shortfall) -> f64| group.iter().map(of).sum::<f64>();
                assert!(near(sum(|row| row.calls), all.calls));
                assert!(near(sum(|row| row.output_tokens), all.output_tokens));
                assert!(near(sum(|row| row.reference_gpu_hours), all.reference_gpu_hours));
                assert!(near(calls[first..first + count].iter().sum(), calls[0]));
                let epochs = group.iter().map(|row| row.short_epochs);
                assert!(epochs.clone().max() <= Some(all.short_epochs));
                assert!(epochs.sum::<u64>() >= all.short_epochs);
                assert!(group.iter().all(|row| row.deepest <= all.deepest));
                assert!(sum(|row| row.deepest) >= all.deepest * (1.0 - 1e-9));
            }
            for (row, offered) in rows.iter().zip(calls) {
                // Calls that come back are lost once at most, those of a year before among them.
                assert!(row.calls <= offered * (1.0 + 1e-9));
                assert!(row.events <= row.short_epochs && row.short_days <= row.short_epochs);
                assert!(row.short_days * 24 >= row.short_epochs);
            }
        }
    }
    assert!(short_years >= 4, "nothing was scarce");
}

#[test]
fn a_world_alone_is_the_world_among_eight() {
    let mut scenario = scarce();
    scenario.sampling.worlds = 8;
    scenario.horizon.last_year = 2027;
    let rates = |inputs: &sparkgap::fleet::ServingInputs<'_>| rate(&scenario, inputs);
    let among = replicate(&scenario, &rates, Watch::nobody(), |run| run.outcomes.clone())
        .expect("nobody stops it");
    let seed = scenario.sampling.seed;
    let world = draw_world(&scenario, Draw::of_world(seed, 3), &rates).world;
    for (inner, outcome) in among[3].iter().enumerate() {
        let alone = simulate(&world, StreamKey::inner(seed, 3, inner as u64));
        assert!(alone == *outcome, "inner sample {inner}");
    }
    assert!(among[3][0].measures != among[4][0].measures);
}

/// Mean over worlds and inner years, and the spread of the means of the worlds over the square
/// root of their number.
fn account(worlds: &[Vec<Outcome>], of: impl Fn(&Outcome) -> f64) -> Estimate {
    let means: Vec<f64> = worlds
        .iter()
        .map(|samples| samples.iter().map(&of).sum::<f64>() / samples.len() as f64)
        .collect();
    let count = means.len() as f64;
    let mean = means.iter().sum::<f64>() / count;
    let squares: f64 = means.iter().map(|value| (value - mean).powi(2)).sum();
    Estimate { mean, standard_error: (squares / (count - 1.0) / count).sqrt() }
}

fn same(found: Estimate, wanted: Estimate) {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (1.0 + wanted.mean.abs());
    assert!(close(found.mean, wanted.mean), "{found:?} {wanted:?}");
    assert!(close(found.standard_error, wanted.standard_error), "{found:?} {wanted:?}");
}

type OfShortfall = fn(&Shortfall) -> f64;

/// Every measure of a scope, once more from the outcomes.
fn check_scope(
    found: &ScopeAdequacy,
    worlds: &[Vec<Outcome>],
    of: &dyn Fn(&Outcome) -> Shortfall,
    offered: &dyn Fn(&Outcome) -> f64,
) {
    let measures: [(Estimate, OfShortfall); 8] = [
        (found.lole_hours, |row| row.short_epochs as f64),
        (found.lole_days, |row| row.short_days as f64),
        (found.lolev, |row| row.events as f64),
        (found.eue.calls, |row| row.calls),
        (found.eue.output_tokens, |row| row.output_tokens),
        (found.eue.reference_gpu_hours, |row| row.reference_gpu_hours),
        (found.longest, |row| row.longest_epochs as f64),
        (found.deepest, |row| row.deepest),
    ];
    for (estimate, value) in measures {
        same(estimate, account(worlds, |outcome| value(&of(outcome))));
    }
    let largest = |value: OfShortfall| {
        worlds.iter().flatten().map(|outcome| value(&of(outcome))).fold(0.0, f64::max)
    };
    assert_eq!(found.longest_of_all, largest(|row| row.longest_epochs as f64));
    assert_eq!(found.deepest_of_all, largest(|row| row.deepest));
    // The worst twentieth of twelve years is the worst one.
    assert_eq!(found.cvar_95.mean, largest(|row| row.reference_gpu_hours));
    let calls = account(worlds, |outcome| of(outcome).calls).mean;
    let asked = account(worlds, offered).mean;
    assert!(near(found.neue_ppm.mean, 1e6 * calls / asked));
}

fn check_survival(
    found: &PeakSurvival,
    worlds: &[Vec<Outcome>],
    of: &dyn Fn(&Outcome) -> PeakLoss,
) {
    same(found.survived, account(worlds, |o| f64::from(of(o).survived) / WEEKS as f64));
    same(found.missing, account(worlds, |o| of(o).missing));
    let worst = worlds.iter().flatten().map(|o| of(o).missing).fold(0.0, f64::max);
    assert_eq!(found.missing_of_all, worst);
    assert_eq!(found.worst.is_some(), worst > 0.0);
    assert!((0.0..=1.0).contains(&found.lost_share));
}

#[test]
fn the_answer_is_a_plain_account_of_its_worlds() {
    let mut scenario = scarce();
    scenario.sampling.worlds = 6;
    scenario.horizon.last_year = 2027;
    scenario.horizon.ignore_later = true;
    let answer = plan(&scenario);
    let rates = |inputs: &ServingInputs<'_>| rate(&scenario, inputs);
    let worlds = replicate(&scenario, &rates, Watch::nobody(), |run| run.outcomes.clone())
        .expect("nobody stops it");
    let mut short = 0;
    for (year, row) in answer.years.iter().enumerate() {
        let found = &answer.adequacy.years[year];
        assert_eq!(found.year, row.year);
        // What the answer has always said, in other words.
        same(found.own.whole.lole_hours, row.lole_own);
        same(found.with_contracts.whole.lole_hours, row.lole_with_contracts);
        same(found.own.whole.eue.output_tokens, row.eue_own.output_tokens);
        type OfLevel = fn(&Measures) -> &Shortfalls;
        let levels: [(&SupplyAdequacy, OfLevel); 2] =
            [(&found.own, |m| &m.own), (&found.with_contracts, |m| &m.with_contracts)];
        for (found, level) in levels {
            let scopes = worlds[0][0].measures.scopes;
            let shortfall =
                |scope: usize| move |outcome: &Outcome| level(&outcome.measures).year(year)[scope];
            let offered =
                |scope: usize| move |o: &Outcome| o.measures.offered[year * scopes.count() + scope];
            let mut check = |found: &ScopeAdequacy, scope: usize| {
                check_scope(found, &worlds, &shortfall(scope), &offered(scope));
                short += u32::from(found.is_short());
            };
            check(&found.whole, 0);
            for (index, region) in found.regions.iter().enumerate() {
                check(region, scopes.region(index));
            }
            for (index, class) in found.classes.iter().enumerate() {
                check(class, scopes.class(index));
                assert!(class.region.is_some() && class.workload.is_some());
            }
            let names: Vec<&String> = scenario.workloads.keys().collect();
            for workload in &found.workloads {
                let name = workload.workload.as_ref().expect("a name");
                let index = names.iter().position(|known| *known == name).expect("its place");
                check(workload, scopes.workload(index));
            }
            assert_eq!(found.three_part.frequency.value, found.whole.lolev);
        }
        type OfLoss = fn(&Outcome) -> &Vec<PeakLoss>;
        let peaks: [(&PeakSurvival, OfLoss); 3] = [
            (&found.own.largest_site, |o| &o.peak_losses.own_site),
            (&found.with_contracts.largest_site, |o| &o.peak_losses.site),
            (&found.largest_contract, |o| &o.peak_losses.contract),
        ];
        for (found, of) in peaks {
            check_survival(found, &worlds, &|outcome| of(outcome)[year].clone());
        }
    }
    assert!(short > 20, "nothing was scarce");
}

#[test]
fn probabilities_by_hour_and_month_add_up_to_the_short_hours() {
    let mut scenario = scarce();
    scenario.sampling.worlds = 4;
    scenario.horizon.last_year = 2028;
    scenario.horizon.ignore_later = true;
    let answer = plan(&scenario);
    let days = [31.0, 28.0, 31.0, 30.0, 31.0, 30.0, 31.0, 31.0, 30.0, 31.0, 30.0, 31.0];
    let mut years = 0.0;
    for year in &answer.adequacy.years {
        let leap = f64::from(u8::from(year.year == 2028));
        let days = |month: usize| days[month] + if month == 1 { leap } else { 0.0 };
        let Some(lolp) = &year.own.lolp else { continue };
        let hours = year.own.whole.lole_hours.mean;
        years += hours;
        let by_month: f64 =
            lolp.by_month.iter().enumerate().map(|(m, p)| p.mean * days(m) * 24.0).sum();
        let by_hour: f64 = lolp.by_hour.iter().map(|p| p.mean * (365.0 + leap)).sum();
        let cells = lolp.table.iter().enumerate();
        let table: f64 =
            cells.map(|(m, row)| row.iter().map(|p| p.mean * days(m)).sum::<f64>()).sum();
        for sum in [by_month, by_hour, table] {
            assert!(near(sum, hours), "{} {sum} {hours}", year.year);
        }
        let stated: Vec<f64> = (0..12).map(days).collect();
        assert_eq!(lolp.hours.to_vec(), stated);
        for estimate in lolp.table.iter().flatten().chain(&lolp.by_hour).chain(&lolp.by_month) {
            assert!((0.0..=1.0).contains(&estimate.mean) && estimate.standard_error >= 0.0);
        }
    }
    assert!(years > 0.0, "nothing was scarce");
    let whole = answer.adequacy.lolp_own.as_ref().expect("somebody was short");
    let all: f64 = whole.by_hour.iter().map(|p| p.mean * (365.0 * 3.0 + 1.0)).sum();
    assert!(near(all, years), "{all} {years}");
}
