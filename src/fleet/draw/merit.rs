//! Who may serve whom, and in which order: classes of demand and their merit lists.

use super::rates::Rates;
use super::supply::Supply;
use super::{Calendar, Draw};
use crate::demand::{Reach, Service, Workload};
use crate::fleet::world::{Class, OnDemand, Policy, PoolKind};
use crate::scenario::Scenario;

/// How early a workload is served: those that may go nowhere else first, then the tightest
/// time to first token.
fn urgency(workload: &Workload) -> (bool, f64) {
    let ttft = match &workload.service {
        Service::Interactive { ttft_p99, .. } => ttft_p99.0,
        Service::Deferrable { .. } => f64::MAX,
    };
    (workload.reach != Reach::Local, ttft)
}

/// Interactive classes in the order in which they are served, and deferrable classes.
pub(super) fn classes(scenario: &Scenario, calendar: &Calendar) -> (Vec<Class>, Vec<Class>) {
    let mut order: Vec<(usize, &String, &Workload)> =
        scenario.workloads.iter().enumerate().map(|(index, (n, w))| (index, n, w)).collect();
    order.sort_by(|a, b| {
        let (left, right) = (urgency(a.2), urgency(b.2));
        left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)).then(a.1.cmp(b.1))
    });
    debug_assert!(calendar.epochs > 0);
    let (mut interactive, mut deferrable) = (Vec::new(), Vec::new());
    for (index, _, workload) in order {
        for (region, place) in scenario.regions.keys().enumerate() {
            let live = workload.is_interactive();
            let curve = Calendar::curve_index(scenario, region, &workload.profile, live);
            let candidate = scenario.candidate.regions.iter().enumerate();
            let candidate_reach = candidate
                .filter(|(_, (to, share))| share.0 > 0.0 && scenario.reaches(workload, place, to))
                .map(|(bit, _)| 1 << bit)
                .sum();
            let class = Class { region, workload: index, curve, candidate_reach };
            if live { interactive.push(class) } else { deferrable.push(class) }
        }
    }
    (interactive, deferrable)
}

/// Deadlines of deferrable work in epochs, and which of them each class has.
pub(super) fn deadlines(
    scenario: &Scenario,
    calendar: &Calendar,
    classes: &[Class],
) -> (Vec<usize>, Vec<usize>) {
    let workloads: Vec<&Workload> = scenario.workloads.values().collect();
    let of = |class: &Class| match workloads[class.workload].service {
        Service::Deferrable { deadline } => calendar.whole_epochs(deadline),
        Service::Interactive { .. } => 1,
    };
    let by_class: Vec<usize> = classes.iter().map(of).collect();
    let mut deadlines = by_class.clone();
    deadlines.sort_unstable();
    deadlines.dedup();
    let place = |epochs: &usize| deadlines.iter().position(|known| known == epochs).unwrap_or(0);
    let places = by_class.iter().map(place).collect();
    (deadlines, places)
}

/// What becomes of the calls of each workload that find no GPU.
pub(super) fn policies(scenario: &Scenario, draw: Draw<'_>, calendar: &Calendar) -> Vec<Policy> {
    let policy = |(name, workload): (&String, &Workload)| {
        let mut policy = Policy::default();
        if let Some(degraded) = &workload.degraded {
            let at = |part: &str| format!("workloads/{name}/degraded/{part}");
            policy.degraded_work = draw.value(&at("work"), &degraded.work).0;
            policy.most_degraded = draw.value(&at("most"), &degraded.most).0;
        }
        if let Some(retries) = &workload.retries {
            let share = format!("workloads/{name}/retries/share");
            let share = draw.value(&share, &retries.share).0;
            let epochs = retries.after.0 / calendar.epoch_s as f64;
            policy.returning = crossing(share, epochs);
            policy.returns_after = calendar.epochs_until(retries.after);
        }
        policy
    };
    scenario.workloads.iter().map(policy).collect()
}

/// Share of the calls refused in an epoch that come back in a later one, when a `share` of those
/// refused asks again after `epochs` epochs. In less than one most of them ask, and are refused
/// again, in the same epoch: after `k` refusals `share^k` are left, and what is refused in the last
/// part of the epoch crosses its end.
fn crossing(share: f64, epochs: f64) -> f64 {
    if epochs >= 1.0 {
        return share;
    }
    share * epochs * (1.0 - libm::pow(share, 1.0 / epochs)) / (1.0 - share)
}

/// The on-demand market of a world.
pub(super) fn on_demand(
    scenario: &Scenario,
    draw: Draw<'_>,
    rates: &Rates,
    classes: &[Class],
) -> Option<OnDemand> {
    let market = scenario.market.as_ref()?;
    let names: Vec<&String> = scenario.regions.keys().collect();
    let workloads: Vec<&Workload> = scenario.workloads.values().collect();
    let reached = |class: &Class| {
        scenario.reaches(workloads[class.workload], names[class.region], &market.region)
    };
    Some(OnDemand {
        accelerator: rates.accelerator(&market.accelerator),
        reach: classes.iter().map(reached).collect(),
        limit: draw.value("market/limit", &market.limit).0,
    })
}

/// Merit lists by year: own local, own remote, borrowed, contracts. Within a list, nearer regions
/// come first, then the accelerators that are relatively best at the workload: what a GPU does of
/// it, over what it does of the whole mix (comparative advantage).
pub(super) fn merit(
    scenario: &Scenario,
    calendar: &Calendar,
    rates: &Rates,
    supply: &Supply,
    classes: &[Class],
) -> Vec<[Vec<Vec<u16>>; 4]> {
    let names: Vec<&String> = scenario.regions.keys().collect();
    let workloads: Vec<&Workload> = scenario.workloads.values().collect();
    let mut lists = Vec::with_capacity(calendar.years.len());
    for year in 0..calendar.years.len() {
        let middle = year * 12 + 6;
        let mut merit = [const { Vec::new() }; 4];
        for class in classes {
            let workload = workloads[class.workload];
            let mut ranked: [Vec<(f64, f64, u16)>; 4] = [const { Vec::new() }; 4];
            for (index, pool) in supply.pools.iter().enumerate() {
                let cell = middle * rates.accelerators + pool.accelerator;
                let rate = rates.rates[cell * rates.workloads + class.workload];
                let (from, to) = (names[class.region], names[pool.region]);
                if rate <= 0.0 || !scenario.reaches(workload, from, to) {
                    continue;
                }
                let list = match (pool.kind, class.region == pool.region) {
                    (PoolKind::Own, true) => 0,
                    (PoolKind::Own, false) => 1,
                    (PoolKind::Borrowed, _) => 2,
                    (PoolKind::Contract(_), _) => 3,
                };
                let advantage = rate / rates.reference_worth[cell].max(f64::MIN_POSITIVE);
                let distance = scenario.round_trip(from, to).0;
                ranked[list].push((distance, -advantage, index as u16));
            }
            for (list, mut pools) in ranked.into_iter().enumerate() {
                pools.sort_by(|a, b| {
                    a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2))
                });
                merit[list].push(pools.into_iter().map(|pool| pool.2).collect());
            }
        }
        lists.push(merit);
    }
    lists
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_come_back_soon_cross_the_end_of_their_epoch_once() {
        // Six tenths come back after a third of an epoch. Of 9 refused, 3 in each third: those of
        // the last third are 3 new ones, 1.8 of the second and 1.08 of the first. Of them six
        // tenths cross.
        let by_hand = 0.6 * (3.0 + 1.8 + 1.08) / 9.0;
        assert!((crossing(0.6, 1.0 / 3.0) - by_hand).abs() < 1e-12);
        assert_eq!((crossing(0.6, 1.0), crossing(0.6, 4.0), crossing(0.0, 0.1)), (0.6, 0.6, 0.0));
    }
}
