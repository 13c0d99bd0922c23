//! A scenario that stands alone: the catalogue entries that it uses are part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use super::{Scenario, ScenarioError, check, read};
use crate::hardware;

/// The default scenario, as it ships.
const DEFAULT: &str = include_str!("../../configs/muse_spark.ron");

impl Scenario {
    /// Reads and checks a scenario. `file` names the text in the faults.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`]: the first place that cannot be read, or everything that does
    /// not fit together.
    pub fn from_ron(text: &str, file: &str) -> Result<Self, ScenarioError> {
        let mut scenario: Self = read::parse(text, file)?;
        lay_under(&mut scenario.hardware, hardware::accelerators());
        lay_under(&mut scenario.models, hardware::models());
        let mut findings = read::repeated_keys(text);
        findings.extend(check::findings(&scenario));
        if !findings.is_empty() {
            return Err(ScenarioError::of_findings(text, file, findings));
        }
        scenario.keep_what_is_used();
        Ok(scenario)
    }

    /// Reads and checks a scenario file.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] if the file cannot be read, otherwise as [`Scenario::from_ron`].
    pub fn load(path: impl AsRef<FilePath>) -> Result<Self, ScenarioError> {
        let path = path.as_ref();
        Self::from_ron(&read::text_of(path)?, &path.display().to_string())
    }

    /// The default scenario: Muse Spark, 2026 to 2032.
    #[must_use]
    pub fn embedded() -> Self {
        Self::from_ron(DEFAULT, "configs/muse_spark.ron")
            .expect("the embedded scenario is sound: a test reads it")
    }

    /// The text of the default scenario, with its comments.
    #[must_use]
    pub fn embedded_text() -> &'static str {
        DEFAULT
    }

    /// The resolved scenario in its one canonical form: it stands alone, with the catalogue
    /// entries that it uses, and reads back to an equal scenario.
    #[must_use]
    pub fn to_ron(&self) -> String {
        read::print(self)
    }

    /// Content hash of [`Scenario::to_ron`]: 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(self.to_ron().as_bytes()).to_hex().to_string()
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
