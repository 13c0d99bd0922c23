//! Exact risk of a system of areas, hour by hour on all threads; the hours are enumerated in
//! [`crate::fleet::JointStates`].

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::Watch;
use super::loss::Period;
use crate::fleet::{ExactRisk, HourRisk, JointStates};
use crate::scenario::Network;

/// Exact risk of a system of areas over its period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExactNetworkRisk {
    /// The system: short where any area is; unserved is the sum; its days are those of the largest
    /// sum of loads.
    #[serde(flatten)]
    pub system: ExactRisk,
    /// Its areas by name; none where there is but one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub areas: BTreeMap<String, ExactRisk>,
}

/// Exact risk of a system of areas with so much more firm capacity in each (load where it is
/// negative), areas in the order of their names. `None` when `watch` stopped it.
pub fn exact_areas(
    joint: &JointStates,
    network: &Network,
    more: &[f64],
    watch: Watch<'_>,
) -> Option<ExactNetworkRisk> {
    let hours: Vec<usize> = joint.distinct().collect();
    (watch.begun)(hours.len() as u64);
    let looked = |scan: &mut _, hour: usize| {
        if watch.stopped() {
            return None;
        }
        let risks = joint.hour(hour, more, scan).to_vec();
        (watch.done)();
        Some((hour, risks))
    };
    let looked: Option<Vec<(usize, Vec<HourRisk>)>> =
        hours.par_iter().map_init(|| joint.scan(), |scan, hour| looked(scan, *hour)).collect();
    let looked: BTreeMap<usize, Vec<HourRisk>> = looked?.into_iter().collect();
    let areas = joint.areas();
    let risk = |area: usize, load: &[f64]| {
        let hours: Vec<HourRisk> = joint.same_as().iter().map(|same| looked[same][area]).collect();
        exact(&hours, &Period::of(load))
    };
    let total = |hour| (0..areas).map(|area| joint.load(area)[hour]).sum();
    let total: Vec<f64> = (0..joint.same_as().len()).map(total).collect();
    let names = network.areas.keys().enumerate();
    Some(ExactNetworkRisk {
        system: risk(areas, &total),
        areas: names.map(|(area, name)| (name.clone(), risk(area, joint.load(area)))).collect(),
    })
}

fn exact(hours: &[HourRisk], period: &Period) -> ExactRisk {
    let eue: f64 = hours.iter().map(|(_, missing)| missing).sum();
    ExactRisk {
        hours: hours.len(),
        lole_hours: hours.iter().map(|(probability, _)| probability).sum(),
        lole_days: period.peaks().iter().map(|hour| hours[*hour].0).sum(),
        eue,
        neue_ppm: if period.load() > 0.0 { 1e6 * eue / period.load() } else { 0.0 },
        lolp: hours.iter().map(|(probability, _)| *probability).collect(),
    }
}
