//! Adequacy of test systems made visible: a table, `adequacy.csv` and JSON.

mod files;
mod table;

pub use files::{system_adequacy_csv, system_adequacy_json};
pub use table::system_adequacy_table;

use std::collections::BTreeMap;

use crate::fleet::ExactRisk;
use crate::scenario::Network;
use crate::stats::Estimate;
use crate::study::{
    CapacityValue, Crossing, ExactNetworkRisk, LinkUse, LolpBy, Method, NetworkAdequacy,
    SystemAdequacy, exact_lolp_by, is_year,
};

/// Everything that is told about the adequacy of a system.
#[derive(Debug)]
pub struct AdequacyReport<'a> {
    /// The system.
    pub network: &'a Network,
    /// Where it was read from.
    pub config: &'a str,
    /// Its risk.
    pub risk: AssessedRisk,
    /// What was asked for, and the firm capacity for it.
    pub firm: Option<(&'a str, Crossing)>,
    /// What parts are worth, in the order asked: as it was asked, and where load and capacity were
    /// added.
    pub values: Vec<(&'a str, &'a str, CapacityValue)>,
    /// How capacities were found.
    pub method: Method,
    /// Where the firm capacity was added; everywhere in proportion where none is named.
    pub area: Option<&'a str>,
    /// By what the probability of loss of load is printed.
    pub by: Option<LolpBy>,
}

/// The risk of a system.
#[derive(Debug)]
pub enum AssessedRisk {
    /// From samples.
    Simulated(Box<NetworkAdequacy>),
    /// Exactly.
    Exact(ExactNetworkRisk),
}

/// A measure of risk.
struct Measure {
    name: &'static str,
    /// Its unit, the period included.
    unit: String,
    value: Estimate,
    /// The largest of all samples, where that is told.
    most: Option<f64>,
}

impl AdequacyReport<'_> {
    fn hours(&self) -> usize {
        self.network.hours()
    }

    /// A unit per period: `h/yr`, or `h per 6 h` where the period is no year.
    fn per_period(&self, unit: &str) -> String {
        if is_year(self.hours()) {
            format!("{unit}/yr")
        } else {
            format!("{unit} per {} h", self.hours())
        }
    }

    /// Capacity in print.
    fn capacity(&self) -> &str {
        self.network.capacity_unit.as_deref().unwrap_or("capacity")
    }

    /// Capacity times hours in print.
    fn energy(&self) -> String {
        self.network
            .capacity_unit
            .as_ref()
            .map_or_else(|| "capacity-hours".to_owned(), |unit| format!("{unit}h"))
    }

    /// The measures of the system, or of an area.
    fn measures(&self, area: Option<&str>) -> Vec<Measure> {
        match (&self.risk, area) {
            (AssessedRisk::Simulated(risk), None) => self.simulated(&risk.system),
            (AssessedRisk::Simulated(risk), Some(area)) => self.simulated(&risk.areas[area]),
            (AssessedRisk::Exact(risk), None) => self.exact(&risk.system),
            (AssessedRisk::Exact(risk), Some(area)) => self.exact(&risk.areas[area]),
        }
    }

    fn simulated(&self, risk: &SystemAdequacy) -> Vec<Measure> {
        let plain = |name, value, unit| Measure { name, unit, value, most: None };
        let worst = |name, value, unit, most| Measure { name, unit, value, most: Some(most) };
        vec![
            plain("LOLE", risk.lole_hours, self.per_period("h")),
            plain("LOLE", risk.lole_days, self.per_period("d")),
            plain("LOLEv", risk.lolev, self.per_period("events")),
            plain("EUE", risk.eue, self.per_period(&self.energy())),
            plain("NEUE", risk.neue_ppm, "ppm".to_owned()),
            plain("CVaR", risk.cvar_95, self.per_period(&self.energy())),
            worst("longest", risk.longest, "h".to_owned(), risk.longest_of_all),
            worst("deepest", risk.deepest, self.capacity().to_owned(), risk.deepest_of_all),
        ]
    }

    fn exact(&self, risk: &ExactRisk) -> Vec<Measure> {
        let plain = |name, mean, unit| Measure {
            name,
            unit,
            value: Estimate { mean, standard_error: 0.0 },
            most: None,
        };
        vec![
            plain("LOLE", risk.lole_hours, self.per_period("h")),
            plain("LOLE", risk.lole_days, self.per_period("d")),
            plain("EUE", risk.eue, self.per_period(&self.energy())),
            plain("NEUE", risk.neue_ppm, "ppm".to_owned()),
        ]
    }

    /// Names of the areas; none where there is but one.
    fn areas(&self) -> Vec<&str> {
        match &self.risk {
            AssessedRisk::Simulated(risk) => risk.areas.keys().map(String::as_str).collect(),
            AssessedRisk::Exact(risk) => risk.areas.keys().map(String::as_str).collect(),
        }
    }

    /// The links of a simulated system.
    fn links(&self) -> Option<&BTreeMap<String, LinkUse>> {
        match &self.risk {
            AssessedRisk::Simulated(risk) => Some(&risk.links).filter(|links| !links.is_empty()),
            AssessedRisk::Exact(_) => None,
        }
    }

    /// Probability of loss of load by kind of hour.
    fn lolp_by(&self, area: Option<&str>, by: LolpBy) -> Vec<Estimate> {
        match (&self.risk, area) {
            (AssessedRisk::Simulated(risk), None) => risk.system.lolp_by(by).to_vec(),
            (AssessedRisk::Simulated(risk), Some(area)) => risk.areas[area].lolp_by(by).to_vec(),
            (AssessedRisk::Exact(risk), None) => exact_lolp_by(&risk.system.lolp, by),
            (AssessedRisk::Exact(risk), Some(area)) => exact_lolp_by(&risk.areas[area].lolp, by),
        }
    }
}

/// What the hours of a kind are called: `00` to `23`, `1` to `53`, `January` to `December`.
fn kind_of_hour(by: LolpBy, index: usize) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    match by {
        LolpBy::Hour => format!("{index:02}"),
        LolpBy::Week => (index + 1).to_string(),
        LolpBy::Month => MONTHS.get(index).copied().unwrap_or("").to_owned(),
    }
}

/// What the kind is called.
fn kind(by: LolpBy) -> &'static str {
    match by {
        LolpBy::Hour => "hour",
        LolpBy::Week => "week",
        LolpBy::Month => "month",
    }
}
