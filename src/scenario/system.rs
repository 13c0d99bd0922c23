//! Reliability test systems: two-state units, firm capacity and an hourly load, from a file
//! alone. They are what the adequacy loop is checked with; a plan does not need them.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde::{Deserialize, Serialize};

use super::diagnostic::{Finding, ScenarioError};
use super::locate::Path;
use super::network::{Area, Network, text_of};
use crate::units::Seconds;

/// Most failures and repairs of a group in a second: times between them are whole seconds, 4 %
/// short in the mean at this rate.
const MOST_CHANGES: f64 = 0.1;
/// Repairs below this many seconds leave no memory from hour to hour.
const FORGOTTEN: f64 = 256.0;
/// Most hours of a load: a century.
const LONGEST: usize = 880_000;
/// Largest number of a level.
const LARGEST: f64 = 1e15;
/// Most units of a group.
const MOST_UNITS: u32 = 1_000_000;
/// Most groups of units of an area.
const MOST_GROUPS: usize = 50_000;

/// A number for each hour, in the system's unit of capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Level {
    /// The same in every hour.
    Constant(f64),
    /// One number for each hour of the load.
    Hourly(Vec<f64>),
}

impl Level {
    /// The level in an hour, from 0.
    #[must_use]
    pub fn at(&self, hour: usize) -> f64 {
        match self {
            Self::Constant(level) => *level,
            Self::Hourly(levels) => levels[hour],
        }
    }

    fn values(&self) -> &[f64] {
        match self {
            Self::Constant(level) => std::slice::from_ref(level),
            Self::Hourly(levels) => levels,
        }
    }
}

/// How a unit goes down and comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UnitFailures {
    /// Exponential times in continuous time.
    Times {
        /// Mean time to failure of a unit that is up.
        mtbf: Seconds,
        /// Mean time to repair.
        mttr: Seconds,
    },
    /// Probabilities of a change from one hour to the next.
    PerHour {
        /// That a unit that is up is down in the next hour.
        failure: f64,
        /// That a unit that is down is up in the next hour.
        repair: f64,
    },
}

impl UnitFailures {
    /// Failures and repairs of one unit in a second of the long run; none where its state is drawn
    /// hour by hour.
    fn changes_per_second(&self) -> f64 {
        match self {
            Self::Times { mtbf, mttr } if mtbf.0 > 0.0 && mttr.0 > FORGOTTEN => {
                2.0 / (mtbf.0 + mttr.0)
            }
            Self::Times { .. } => 0.0,
            Self::PerHour { failure, repair } => {
                2.0 * failure * repair / (failure + repair).max(f64::MIN_POSITIVE) / 3_600.0
            }
        }
    }

    /// Share of time for which a unit is down (the forced-outage rate).
    #[must_use]
    pub fn unavailability(&self) -> f64 {
        match self {
            Self::Times { mtbf, mttr } => mttr.0 / (mtbf.0 + mttr.0),
            Self::PerHour { failure, repair } => failure / (failure + repair),
        }
    }
}

/// Some equal units that are up or down independently.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Units {
    /// What one unit gives while it is up.
    pub capacity: Level,
    /// How many.
    pub count: u32,
    /// How each goes down and comes back.
    pub failures: UnitFailures,
}

/// The days of some weeks, in percent of the day's peak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Season {
    /// First and last week of each part of the season, from 1, both included.
    pub weeks: Vec<(usize, usize)>,
    /// The 24 hours of Monday to Friday.
    pub weekday: Vec<f64>,
    /// The 24 hours of Saturday and Sunday.
    pub weekend: Vec<f64>,
}

/// A load of one year as peak x week x day x hour, each in percent of the next larger one's peak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chronological {
    /// Largest load of the year.
    pub peak: f64,
    /// Percent of each week, 168 hours from Monday.
    pub weeks: Vec<f64>,
    /// Percent of Monday to Sunday.
    pub days: Vec<f64>,
    /// Percent of the hours, by season.
    pub seasons: Vec<Season>,
}

impl Chronological {
    fn season(&self, week: usize) -> Option<&Season> {
        let inside = |part: &(usize, usize)| (part.0..=part.1).contains(&week);
        self.seasons.iter().find(|season| season.weeks.iter().any(inside))
    }

    fn hours(&self) -> Vec<f64> {
        let mut hours = Vec::with_capacity(self.weeks.len() * 168);
        for (week, of_year) in self.weeks.iter().enumerate() {
            let Some(season) = self.season(week + 1) else { continue };
            for (day, of_week) in self.days.iter().enumerate() {
                let shape = if day < 5 { &season.weekday } else { &season.weekend };
                let at = |of_day: &f64| self.peak * (of_year * of_week * of_day / 1e6);
                hours.extend(shape.iter().map(at));
            }
        }
        hours
    }
}

/// What is asked for in each hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Load {
    /// One number for each hour.
    Hourly(Vec<f64>),
    /// From yearly, weekly and daily curves.
    Chronological(Chronological),
}

impl Load {
    /// The load of every hour.
    #[must_use]
    pub fn hours(&self) -> Vec<f64> {
        match self {
            Self::Hourly(hours) => hours.clone(),
            Self::Chronological(curve) => curve.hours(),
        }
    }
}

/// One system of one area. Its horizon is the length of its load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Short name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Independent samples of the horizon.
    pub samples: u32,
    /// Units by name.
    pub units: BTreeMap<String, Units>,
    /// Capacity that never fails.
    pub firm: Level,
    /// What is asked for.
    pub load: Load,
}

impl System {
    /// Reads and checks a system of one area. `file` names the text in the faults.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with everything that is wrong, several areas among it: those are
    /// for [`Network::from_ron`].
    pub fn from_ron(text: &str, file: &str) -> Result<Self, ScenarioError> {
        let network = Network::read(text, file, true)?;
        Ok(network.single().expect("one area is what was asked for"))
    }

    /// Reads and checks a system file, or a shipped system by its name.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] if the file cannot be read, otherwise as [`System::from_ron`].
    pub fn load(path: impl AsRef<FilePath>) -> Result<Self, ScenarioError> {
        let (text, file) = text_of(path.as_ref())?;
        Self::from_ron(&text, &file)
    }

    /// The load of every hour.
    #[must_use]
    pub fn hourly_load(&self) -> Vec<f64> {
        self.load.hours()
    }
}

/// Everything in an area that does not fit together; returns the hours of its load.
pub(super) fn area_findings(area: &Area, at: &Path, found: &mut Vec<Finding>) -> usize {
    let path = at.key("load");
    if let Load::Chronological(curve) = &area.load {
        curve_findings(curve, &path, found);
    }
    let load = area.load.hours();
    if !(1..=LONGEST).contains(&load.len()) {
        let message = format!("the load has {} hours; 1 to {LONGEST} are legal", load.len());
        found.push(Finding::new(path.clone(), message));
    }
    numbers(&load, &path, "the load", found);
    level(&area.firm, &at.key("firm"), load.len(), found);
    if area.units.len() > MOST_GROUPS {
        let message = format!("{} groups of units; at most {MOST_GROUPS}", area.units.len());
        found.push(Finding::new(at.key("units"), message).help("join equal units to one group"));
    }
    for (name, units) in &area.units {
        let path = at.key("units").key(name);
        level(&units.capacity, &path.key("capacity"), load.len(), found);
        if !(1..=MOST_UNITS).contains(&units.count) {
            let message = format!("count must lie between 1 and {MOST_UNITS}");
            found.push(Finding::new(path.key("count"), message));
        }
        failures(&units.failures, &path.key("failures"), found);
        let often = f64::from(units.count) * units.failures.changes_per_second();
        if often > MOST_CHANGES {
            let message = "the units of this group change too often for its clock of seconds";
            let parts = (often / MOST_CHANGES).ceil();
            let help = format!("split it into {parts} groups: units fail on their own anyhow");
            found.push(Finding::new(path.key("count"), message).help(help));
        }
    }
    load.len()
}

/// Numbers of 0 or more, so small that sums of them lose nothing.
fn numbers(values: &[f64], path: &Path, what: &str, found: &mut Vec<Finding>) {
    let wrong = |value: &f64| !(0.0..=LARGEST).contains(value);
    if let Some(index) = values.iter().position(wrong) {
        let (value, place) = (values[index], index + 1);
        let message =
            format!("{what} must be numbers of 0 or more, up to {LARGEST:e}; {place}: {value}");
        found.push(Finding::new(path.clone(), message));
    }
}

pub(super) fn level(level: &Level, path: &Path, hours: usize, found: &mut Vec<Finding>) {
    numbers(level.values(), path, "capacities", found);
    if let Level::Hourly(values) = level
        && values.len() != hours
    {
        let message = format!("{} hours here, {hours} in the load", values.len());
        found
            .push(Finding::new(path.clone(), message).help("one number for each hour of the load"));
    }
}

pub(super) fn failures(failures: &UnitFailures, path: &Path, found: &mut Vec<Finding>) {
    match failures {
        UnitFailures::Times { mtbf, mttr } => {
            for (field, time) in [("mtbf", mtbf), ("mttr", mttr)] {
                if time.0 <= 0.0 {
                    found
                        .push(Finding::new(path.key(field), format!("{field} must be above zero")));
                }
            }
        }
        UnitFailures::PerHour { failure, repair } => {
            for (field, value) in [("failure", failure), ("repair", repair)] {
                if !(0.0..=1.0).contains(value) {
                    let message = format!("{field} is a probability: 0 to 1");
                    found.push(Finding::new(path.key(field), message));
                }
            }
            if failure + repair <= 0.0 {
                let message = "a unit that neither fails nor is repaired has no steady state";
                found.push(Finding::new(path.clone(), message).help("put it into `firm`"));
            }
        }
    }
}

fn curve_findings(curve: &Chronological, path: &Path, found: &mut Vec<Finding>) {
    let mut list = |path: Path, values: &[f64], count: Option<usize>| {
        numbers(values, &path, "percentages", found);
        if let Some(count) = count.filter(|count| *count != values.len()) {
            let message = format!("{} values, not {count}", values.len());
            found.push(Finding::new(path, message));
        }
    };
    list(path.key("peak"), &[curve.peak], None);
    list(path.key("weeks"), &curve.weeks, None);
    list(path.key("days"), &curve.days, Some(7));
    for (index, season) in curve.seasons.iter().enumerate() {
        let path = path.key("seasons").index(index);
        list(path.key("weekday"), &season.weekday, Some(24));
        list(path.key("weekend"), &season.weekend, Some(24));
    }
    for week in 1..=curve.weeks.len() {
        let inside = |part: &&(usize, usize)| (part.0..=part.1).contains(&week);
        let parts = curve.seasons.iter().flat_map(|season| &season.weeks).filter(inside).count();
        if parts != 1 {
            let message = format!("week {week} is in {parts} seasons, not in one");
            found.push(Finding::new(path.key("seasons"), message));
        }
    }
}
