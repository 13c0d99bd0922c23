//! A scenario that stands alone: the catalogue entries that it uses are part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use super::include::shipped_text;
use super::{Scenario, ScenarioError, ScenarioText, check, read};
use crate::hardware;

/// Name of the default scenario.
pub const DEFAULT: &str = "muse_spark";

impl ScenarioText {
    /// Reads and checks the scenario; what was overridden is noted in it.
    ///
    /// # Errors
    /// As [`Scenario::from_ron`].
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut scenario: Scenario = self.read()?;
        lay_under(&mut scenario.hardware, hardware::accelerators());
        lay_under(&mut scenario.models, hardware::models());
        self.require_none(check::findings(&scenario))?;
        scenario.keep_what_is_used();
        scenario.overrides.extend_from_slice(self.overrides());
        Ok(scenario)
    }
}

impl Scenario {
    /// Reads and checks a scenario, or a variant of one (see [`ScenarioText`]). `file` names the
    /// text in the faults.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`]: the first place that cannot be read, or everything that does
    /// not fit together.
    pub fn from_ron(text: &str, file: &str) -> Result<Self, ScenarioError> {
        ScenarioText::of(text, file)?.scenario()
    }

    /// Reads and checks a scenario file, or a shipped scenario by its name.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] if a file cannot be read, otherwise as [`Scenario::from_ron`].
    pub fn load(source: impl AsRef<FilePath>) -> Result<Self, ScenarioError> {
        ScenarioText::open(source)?.scenario()
    }

    /// The default scenario: Muse Spark, 2026 to 2032.
    #[must_use]
    pub fn embedded() -> Self {
        Self::load(DEFAULT).expect("the embedded scenario is sound: a test reads it")
    }

    /// The text of the default scenario, with its comments.
    #[must_use]
    pub fn embedded_text() -> &'static str {
        shipped_text(DEFAULT).unwrap_or_default()
    }

    /// The resolved scenario in its one canonical form: it stands alone, with the catalogue
    /// entries that it uses, and reads back to an equal scenario.
    #[must_use]
    pub fn to_ron(&self) -> String {
        read::print(self)
    }

    /// Content hash of [`Scenario::to_ron`] without its list of overrides: what a scenario says
    /// has one hash, however it was written. 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        let content = Self { overrides: Vec::new(), ..self.clone() };
        blake3::hash(content.to_ron().as_bytes()).to_hex().to_string()
    }

    /// Leaves the hardware and the models that something in the scenario refers to.
    fn keep_what_is_used(&mut self) {
        let accelerators = self.accelerators_used();
        self.hardware.retain(|name, _| accelerators.contains(name));
        let models: BTreeSet<String> =
            self.deployments.values().map(|deployment| deployment.model.clone()).collect();
        self.models.retain(|name, _| models.contains(name));
    }

    /// Names of the accelerators that anything in the scenario refers to.
    fn accelerators_used(&self) -> BTreeSet<String> {
        let layouts = self.deployments.values().flat_map(|deployment| deployment.layouts.keys());
        self.accelerators_supplied().into_iter().chain(layouts.cloned()).collect()
    }
}

/// Adds the shipped entries that the file does not replace.
fn lay_under<T: Clone>(own: &mut BTreeMap<String, T>, shipped: &BTreeMap<String, T>) {
    for (name, entry) in shipped {
        own.entry(name.clone()).or_insert_with(|| entry.clone());
    }
}
