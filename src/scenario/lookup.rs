//! Questions that several floors ask a scenario: how far, who may be served where, what is in use.

use std::collections::BTreeSet;

use super::Scenario;
use crate::demand::{BASE_YEAR, Reach, Workload};
use crate::hardware::Accelerator;
use crate::time::FleetTime;
use crate::units::{DollarsPerGpuHour, Seconds, Uncertain};

impl Scenario {
    /// Network round trip between two regions: 0 within one, stated once per pair otherwise; the
    /// largest number where it is not stated (the checks refuse that).
    #[must_use]
    pub fn round_trip(&self, from: &str, to: &str) -> Seconds {
        if from == to {
            return Seconds(0.0);
        }
        let stated = |a: &str, b: &str| self.regions.get(a)?.round_trip.get(b).copied();
        stated(from, to).or_else(|| stated(to, from)).unwrap_or(Seconds(f64::MAX))
    }

    /// Whether a workload's users in one region may be served in another.
    #[must_use]
    pub fn reaches(&self, workload: &Workload, from: &str, to: &str) -> bool {
        match &workload.reach {
            Reach::Local => from == to,
            Reach::Within(budget) => self.round_trip(from, to) <= *budget,
        }
    }

    /// What the releases multiply the work of a workload's token by at an instant, every uncertain
    /// part at its median.
    #[must_use]
    pub fn central_release_work(&self, workload: &str, at: FleetTime) -> f64 {
        self.releases.values().map(|release| release.central_work(workload, at)).product()
    }

    /// What all step times of a workload on an accelerator are divided by at a decimal year:
    /// software and hardware realised over the work of a token, every uncertain part at its median.
    /// Of a step time that was `measured` on a date, what has changed since then: the hardware was
    /// as it is.
    #[must_use]
    pub fn central_speed(
        &self,
        (name, workload): (&str, &Workload),
        accelerator: &Accelerator,
        measured: Option<FleetTime>,
        year: f64,
    ) -> f64 {
        let at = FleetTime::of_decimal_year(year);
        let ceiling = accelerator.software.ceiling.central();
        let growth = libm::log1p(workload.work_per_token.central().0);
        let work = |year: f64, at: FleetTime| {
            libm::exp(growth * (year - BASE_YEAR)) * self.central_release_work(name, at)
        };
        match measured {
            None => {
                let software = accelerator.software_multiplier(ceiling, at);
                accelerator.realised.central().0 * software / work(year, at)
            }
            Some(date) => {
                let software = accelerator.software_since(date, ceiling, at);
                software * work(date.decimal_year(), date) / work(year, at)
            }
        }
    }

    /// Price of the candidate: its own, or the rent of its accelerator.
    #[must_use]
    pub fn candidate_price(&self) -> &Uncertain<DollarsPerGpuHour> {
        let accelerator = &self.hardware[&self.candidate.accelerator];
        self.candidate.price.as_ref().unwrap_or(&accelerator.rent)
    }

    /// From signature to acceptance of the candidate: its own, or the lead time of its accelerator.
    #[must_use]
    pub fn candidate_lead_time(&self) -> &Uncertain<Seconds> {
        let accelerator = &self.hardware[&self.candidate.accelerator];
        self.candidate.lead_time.as_ref().unwrap_or(&accelerator.lead_time)
    }

    /// Accelerators of sites, contracts, the market, the candidate and the reference, by name in
    /// alphabetical order.
    #[must_use]
    pub fn accelerators_supplied(&self) -> Vec<String> {
        let phases = self.sites.values().flat_map(|site| &site.phases);
        let refills = phases.clone().filter_map(|phase| phase.refill.as_ref());
        let tranches = self.contracts.values().flat_map(|contract| &contract.tranches);
        let names: BTreeSet<&String> = phases
            .map(|phase| &phase.accelerator)
            .chain(refills)
            .chain(tranches.map(|tranche| &tranche.accelerator))
            .chain(self.market.iter().map(|market| &market.accelerator))
            .chain([&self.candidate.accelerator, &self.reference])
            .collect();
        names.into_iter().cloned().collect()
    }
}
