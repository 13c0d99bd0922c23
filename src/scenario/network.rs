//! A reliability test system of several areas that help one another over links of limited
//! capacity: the file of every test system, in either of its two forms, and its checks.
//!
//! A file has `units`, `firm` and `load` (one area), or `areas` and `links`. What one area holds,
//! and the checks of that, are in [`super::system`].

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use serde::{Deserialize, Serialize};

use super::diagnostic::{Finding, ScenarioError, known_names};
use super::include::shipped_system;
use super::locate::Path;
use super::read;
use super::system::{Level, Load, System, UnitFailures, Units, area_findings, failures, level};
use super::text::ScenarioText;

/// Most areas of a system: subsets and routes are looked at one by one.
const MOST_AREAS: usize = 64;
/// Most hours of a period times areas: they are counted one by one.
const MOST_CELLS: usize = 2_000_000;
/// Most links of a system.
const MOST_LINKS: usize = 1_024;

/// Capacity that never fails, where a file names none.
const NONE: Level = Level::Constant(0.0);

/// One area: what stands in it and what is asked for there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Units by name; none where left out.
    #[serde(default)]
    pub units: BTreeMap<String, Units>,
    /// Capacity that never fails; 0 where left out.
    #[serde(default = "no_capacity")]
    pub firm: Level,
    /// What is asked for.
    pub load: Load,
}

fn no_capacity() -> Level {
    NONE
}

/// A way for capacity from one area to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// An area.
    pub from: String,
    /// Another area.
    pub to: String,
    /// Most that flows from `from` to `to`, in the system's unit of capacity.
    pub forward: Level,
    /// Most that flows from `to` to `from`.
    pub backward: Level,
    /// How the link as a whole goes down and comes back; never where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<UnitFailures>,
}

/// A system of one or several areas. Its horizon is the length of its loads, which is one for all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Network {
    /// Short name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Independent samples of the horizon.
    pub samples: u32,
    /// The unit that capacities are in, for print: `MW`, `racks`.
    pub capacity_unit: Option<String>,
    /// Areas by name; the system of one area has one that is called like the system.
    pub areas: BTreeMap<String, Area>,
    /// Links by name.
    pub links: BTreeMap<String, Link>,
}

/// A file as it is written.
#[derive(Deserialize)]
#[serde(rename = "System", deny_unknown_fields)]
struct SystemFile {
    name: String,
    description: String,
    seed: u64,
    samples: u32,
    #[serde(default)]
    capacity_unit: Option<String>,
    #[serde(default)]
    units: Option<BTreeMap<String, Units>>,
    #[serde(default)]
    firm: Option<Level>,
    #[serde(default)]
    load: Option<Load>,
    #[serde(default)]
    areas: Option<BTreeMap<String, Area>>,
    #[serde(default)]
    links: Option<BTreeMap<String, Link>>,
}

impl Network {
    /// Reads and checks a system of either form. `file` names the text in the faults.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] with everything that is wrong.
    pub fn from_ron(text: &str, file: &str) -> Result<Self, ScenarioError> {
        Self::read(text, file, false)
    }

    /// Reads and checks a system file, or a shipped system by its name.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] if the file cannot be read, otherwise as [`Network::from_ron`].
    pub fn load(path: impl AsRef<FilePath>) -> Result<Self, ScenarioError> {
        let (text, file) = text_of(path.as_ref())?;
        Self::read(&text, &file, false)
    }

    /// Reads and checks; `single` refuses several areas.
    pub(super) fn read(text: &str, file: &str, single: bool) -> Result<Self, ScenarioError> {
        let whole = ScenarioText::plain(text, file);
        let written: SystemFile = whole.read()?;
        let mut found = Vec::new();
        if written.samples == 0 {
            found.push(Finding::new(Path::of("samples"), "samples must be above zero"));
        }
        let several = written.areas.is_some();
        let network = written.normal(&mut found);
        if single && network.areas.len() > 1 {
            let message = "this is a system of several areas; one area is needed here";
            found.push(Finding::new(Path::of("areas"), message));
        }
        // What is missing or given twice would only be told again, area by area.
        if found.is_empty() {
            network.findings(several, &mut found);
        }
        whole.require_none(found)?;
        Ok(network)
    }

    /// The system of its only area; `None` where there are several.
    #[must_use]
    pub fn single(&self) -> Option<System> {
        let (_, area) = self.areas.first_key_value().filter(|_| self.areas.len() == 1)?;
        Some(System {
            name: self.name.clone(),
            description: self.description.clone(),
            seed: self.seed,
            samples: self.samples,
            units: area.units.clone(),
            firm: area.firm.clone(),
            load: area.load.clone(),
        })
    }

    /// Hours of the period.
    #[must_use]
    pub fn hours(&self) -> usize {
        self.areas.values().next().map_or(0, |area| area.load.hours().len())
    }

    /// Everything that does not fit together.
    fn findings(&self, several: bool, found: &mut Vec<Finding>) {
        if !(1..=MOST_AREAS).contains(&self.areas.len()) {
            let count = self.areas.len();
            let message = format!("{count} areas; 1 to {MOST_AREAS} are legal");
            found.push(Finding::new(Path::of("areas"), message));
        }
        let mut first: Option<(&str, usize)> = None;
        for (name, area) in &self.areas {
            let path = if several { Path::of("areas").key(name) } else { Path::default() };
            let hours = area_findings(area, &path, found);
            let (of, expected) = *first.get_or_insert((name, hours));
            if hours != expected {
                let message = format!("the load has {hours} hours, that of `{of}` {expected}");
                let help = "one number for each hour of the period, the same period everywhere";
                found.push(Finding::new(path.key("load"), message).help(help));
            }
        }
        let cells = self.areas.len() * first.map_or(0, |(_, hours)| hours);
        if cells > MOST_CELLS {
            let message = format!("{cells} hours in all areas; at most {MOST_CELLS} are legal");
            found.push(Finding::new(Path::of("areas"), message).help("take a shorter period"));
        }
        if self.links.len() > MOST_LINKS {
            let message = format!("{} links; at most {MOST_LINKS} are legal", self.links.len());
            found.push(Finding::new(Path::of("links"), message));
        }
        let hours = first.map_or(0, |(_, hours)| hours);
        for (name, link) in &self.links {
            self.link_findings(link, &Path::of("links").key(name), hours, found);
        }
    }

    fn link_findings(&self, link: &Link, path: &Path, hours: usize, found: &mut Vec<Finding>) {
        for (field, area) in [("from", &link.from), ("to", &link.to)] {
            if !self.areas.contains_key(area) {
                let known = known_names(area, self.areas.keys().map(String::as_str));
                let message = format!("no area is called `{area}`");
                found.push(Finding::new(path.key(field), message).help(known));
            }
        }
        if link.from == link.to {
            let message = format!("the link leads from `{}` to itself", link.from);
            found.push(Finding::new(path.key("to"), message).help("name two different areas"));
        }
        level(&link.forward, &path.key("forward"), hours, found);
        level(&link.backward, &path.key("backward"), hours, found);
        if let Some(law) = &link.failures {
            failures(law, &path.key("failures"), found);
        }
    }
}

impl SystemFile {
    /// The one form that both are turned into, with what is given twice or not at all.
    fn normal(self, found: &mut Vec<Finding>) -> Network {
        let top = [
            ("units", self.units.is_some()),
            ("firm", self.firm.is_some()),
            ("load", self.load.is_some()),
        ];
        let help = "write `units`, `firm` and `load` for one area, or `areas` and `links`";
        let mut fault = |field: &str, message: &str| {
            found.push(Finding::new(Path::of(field), message).help(help));
        };
        let areas = match (self.areas, self.load) {
            (Some(areas), _) => {
                for (field, _) in top.iter().filter(|(_, given)| *given) {
                    fault(field, &format!("`{field}` beside `areas`: it belongs into an area"));
                }
                areas
            }
            (None, Some(load)) => {
                if self.links.is_some() {
                    fault("links", "`links` need `areas` that they lead between");
                }
                let units = self.units.unwrap_or_default();
                let area = Area { units, firm: self.firm.unwrap_or(NONE), load };
                BTreeMap::from([(self.name.clone(), area)])
            }
            (None, None) => {
                fault("load", "there is neither a `load` nor `areas`");
                BTreeMap::new()
            }
        };
        Network {
            name: self.name,
            description: self.description,
            seed: self.seed,
            samples: self.samples,
            capacity_unit: self.capacity_unit,
            areas,
            links: self.links.unwrap_or_default(),
        }
    }
}

/// The text of a system file or of a shipped system, and what it is called in faults.
pub(super) fn text_of(path: &FilePath) -> Result<(String, String), ScenarioError> {
    if let Some((name, text)) = path.to_str().and_then(|name| Some((name, shipped_system(name)?))) {
        return Ok((text.to_owned(), format!("configs/systems/{name}.ron")));
    }
    Ok((read::text_of(path)?, path.display().to_string()))
}
