//! Deliveries to sites: phases that slip, come in batches as their racks and their power do, are
//! burnt in, retire, and are refilled.

use super::SourceName;
use super::supply::{Given, Stand, Supply, unit_changes};
use crate::demand::Growth;
use crate::fleet::units::counted_law;
use crate::fleet::world::{Pool, PoolKind, Young};
use crate::hardware::Accelerator;
use crate::supply::{Amount, Phase, Ramp, Site, UnitLaw};
use crate::time::{DAY, FleetTime};
use crate::units::{Share, correlate};

impl Supply {
    /// Adds the pools of a site: the share of it that is ours, or that may be borrowed.
    pub fn add_site(
        &mut self,
        given: &Given<'_>,
        (index, name, site): (usize, &str, &Site),
        whose: PoolKind,
        law: &Growth<Share>,
    ) {
        let Given { scenario, draw, calendar, rates } = *given;
        let region = scenario.regions.keys().position(|known| *known == site.region).unwrap_or(0);
        let refills = site.phases.iter().filter_map(|phase| phase.refill.as_ref());
        let mut kinds: Vec<&String> =
            site.phases.iter().map(|phase| &phase.accelerator).chain(refills).collect();
        kinds.sort();
        kinds.dedup();
        let by_span: Vec<f64> = if site.is_seasonal() {
            let mean = 1.0 - site.maintenance.0;
            (0..calendar.spans.len()).map(|span| site.usable(span % 12) / mean).collect()
        } else {
            Vec::new()
        };
        for kind in kinds {
            let accelerator = &scenario.hardware[kind];
            let stands = site_stands(given, name, site, kind);
            let (share_name, pool_name) = match whose {
                PoolKind::Borrowed => ("training", format!("{name}/{kind}/training")),
                _ => ("share", format!("{name}/{kind}")),
            };
            let share = |time: FleetTime| {
                draw.growth(&format!("sites/{name}/{share_name}"), law, time.decimal_year()).0
            };
            let pool = self.pools.len();
            let (changes, most) = unit_changes(calendar, pool, &stands, &share);
            self.changes.extend(changes);
            let epoch = calendar.epoch_s as f64;
            let law = counted_law(UnitLaw::new(&accelerator.failures), most, epoch);
            self.pools.push(Pool {
                name: pool_name,
                kind: whose,
                site: Some(index),
                region,
                accelerator: rates.accelerator(kind),
                source: self.source(&SourceName::Own(kind.clone())),
                young: young(given, kind, &law),
                law,
                gpus_per_unit: f64::from(accelerator.unit.serving) * (1.0 - site.maintenance.0),
                gpus_by_epoch: Vec::new(),
                most,
                by_span: by_span.clone(),
            });
        }
    }
}

/// How a kind of unit fails in its first months, in the form of the law of its later life; none
/// where those are over as the horizon begins.
fn young(given: &Given<'_>, kind: &str, later: &UnitLaw) -> Option<Young> {
    let accelerator = &given.scenario.hardware[kind];
    let infancy = accelerator.infancy.as_ref()?;
    let born = accelerator.available.0 + given.delay(kind);
    let until = given.calendar.seconds(FleetTime(born + infancy.lasts.0 as i64));
    if until == 0 {
        return None;
    }
    let factor = given.draw.value(&format!("hardware/{kind}/infancy"), &infancy.factor).0;
    let law = UnitLaw::new(&accelerator.failures.more_often(factor));
    let stepped = matches!(later, UnitLaw::Stepped(_));
    let law = if stepped { law.stepped(given.calendar.epoch_s as f64) } else { law };
    Some(Young { until, law })
}

/// Deliveries of one accelerator to a site, slipped and retired; and what refills the halls of
/// retired ones, with the facility power that they leave.
fn site_stands(given: &Given<'_>, name: &str, site: &Site, kind: &str) -> Vec<Stand> {
    let Given { scenario, draw, calendar, .. } = *given;
    let horizon = calendar.start.0 + (calendar.epochs as u64 * calendar.epoch_s) as i64;
    let mut stands = Vec::new();
    for (number, phase) in site.phases.iter().enumerate() {
        if phase.accelerator != kind && phase.refill.as_deref() != Some(kind) {
            continue;
        }
        let first = &scenario.hardware[&phase.accelerator];
        let amount = format!("sites/{name}/amount/{number}");
        let watts = |gpus: f64, of: &Accelerator| gpus * site.pue.0 * of.power.0;
        let power = match &phase.amount {
            Amount::Gpus(gpus) => watts(draw.value(&amount, gpus).0, first),
            Amount::FacilityPower(power) => draw.value(&amount, power).0,
        };
        let mut stand = |from: i64, of: &Accelerator, share: f64, stood: bool| {
            let units = power / watts(f64::from(of.unit.gpus), of) * share;
            let to = from + of.life.0 as i64;
            match site.burn_in.as_ref().filter(|_| !stood) {
                None => stands.push(Stand { from, to, units }),
                Some(burn_in) => {
                    let whole = (from + burn_in.lasts.0 as i64).min(to);
                    let early = units * burn_in.usable.0;
                    stands.push(Stand { from, to: whole, units: early });
                    stands.push(Stand { from: whole, to, units });
                }
            }
        };
        let slip = slip(given, name, site, number);
        let late = if phase.delivered { 0 } else { slip + given.delay(&phase.accelerator) };
        for (from, share) in usable_parts(phase, late, power_slip(given, name, site, number)) {
            if phase.accelerator == kind {
                stand(from, first, share, phase.delivered);
            }
            if phase.refill.as_deref() == Some(kind) {
                // Clearing and filling a hall again is as late as building it was.
                let late = slip + given.delay(kind);
                let refill = &scenario.hardware[kind];
                let mut refilled = from + first.life.0 as i64 + late;
                // The halls stay: what refills them is replaced in its turn.
                while refilled < horizon {
                    stand(refilled, refill, share, false);
                    refilled += (refill.life.0 as i64 + late).max(DAY);
                }
            }
        }
    }
    stands
}

/// Seconds by which a phase comes late: its own draw and that of its site.
fn slip(given: &Given<'_>, name: &str, site: &Site, number: usize) -> i64 {
    let common = given.draw.uniform(&format!("sites/{name}/slip"));
    let own = given.draw.uniform(&format!("sites/{name}/slip/{number}"));
    site.slip.at(correlate(common, own, site.slip_correlation.0)).0 as i64
}

/// The same for the power of a phase, where it has a date of its own.
fn power_slip(given: &Given<'_>, name: &str, site: &Site, number: usize) -> i64 {
    site.phases[number].power.as_ref().map_or(0, |power| {
        let common = given.draw.uniform(&format!("sites/{name}/slip"));
        let own = given.draw.uniform(&format!("sites/{name}/power/{number}"));
        power.slip.at(correlate(common, own, site.slip_correlation.0)).0 as i64
    })
}

/// When which share of a phase can serve. Racks and power come in batches of their own; the n-th
/// part of the phase serves from the later of the n-th part of its racks and of its power on.
fn usable_parts(phase: &Phase, racks_late: i64, power_late: i64) -> Vec<(i64, f64)> {
    let racks = batches(phase.on.0 + racks_late, phase.ramp.as_ref());
    let power = phase.power.as_ref().map_or_else(
        || vec![i64::MIN],
        |power| batches(power.on.0 + power_late, power.ramp.as_ref()),
    );
    let whole = racks.len() * power.len();
    let mut parts = Vec::with_capacity(racks.len() + power.len());
    // In units of 1 / whole: batches of racks are as large as there are steps of power.
    let mut done = 0;
    while done < whole {
        let (rack, step) = (done / power.len(), done / racks.len());
        let next = ((rack + 1) * power.len()).min((step + 1) * racks.len());
        let share = if next - done == whole { 1.0 } else { (next - done) as f64 / whole as f64 };
        parts.push((racks[rack].max(power[step]), share));
        done = next;
    }
    parts
}

/// Dates of the batches of what is due at `first`.
fn batches(first: i64, ramp: Option<&Ramp>) -> Vec<i64> {
    let Some(ramp) = ramp.filter(|ramp| ramp.batches > 1) else { return vec![first] };
    let apart = ramp.over.0 / f64::from(ramp.batches - 1);
    (0..ramp.batches).map(|batch| first + (apart * f64::from(batch)) as i64).collect()
}
