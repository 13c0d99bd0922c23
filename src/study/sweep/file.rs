//! What is written in a sweep file, read and checked at the door.

use std::path::Path as FilePath;

use serde::Deserialize;

use super::axis::{Axis, MOST_POINTS, Patch, Patches, WrittenAxis, patches, unknown};
use crate::scenario::{Finding, Path, Scenario, ScenarioError, ScenarioText, shipped_names};

/// How the axes make points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// Every step of every axis with every other; the last axis is the fastest.
    Grid,
    /// The first steps of all axes, then the second ones, and so on.
    Zip,
}

/// The picture of a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heatmap {
    /// Name of the axis from left to right.
    pub x: String,
    /// Name of the axis from the bottom up.
    pub y: String,
    /// Name of the metric in the cells.
    pub metric: String,
    /// Calendar year that is shown.
    pub year: u16,
}

/// A sweep file as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename = "Sweep", deny_unknown_fields)]
struct Written {
    name: String,
    description: String,
    base: String,
    #[serde(default)]
    set: Patches,
    axes: Vec<WrittenAxis>,
    combine: Combine,
    #[serde(default)]
    heatmap: Option<Heatmap>,
}

/// A sweep: checked, with its base.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// Short name, for people.
    pub name: String,
    /// What it is about, for people.
    pub description: String,
    /// At least one axis.
    pub axes: Vec<Axis>,
    /// How they make points.
    pub combine: Combine,
    /// What is drawn.
    pub heatmap: Option<Heatmap>,
    /// The base scenario with what is set for every point, as it resolves.
    pub base: Scenario,
    /// Its text, before the patches of a point.
    text: ScenarioText,
    /// The sweep file.
    written: ScenarioText,
}

impl Sweep {
    /// Reads and checks a sweep file. A base that ends in `.ron` is looked for beside it.
    /// `metrics` are the names of what the answers hold.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] if it or its base cannot be read, [`ScenarioError::Invalid`] with
    /// what is wrong.
    pub fn load(path: &FilePath, metrics: &[String]) -> Result<Self, ScenarioError> {
        let written = ScenarioText::open(path).map_err(|error| match error {
            ScenarioError::Read { path, source, .. } => {
                let help = Some("a path to a sweep file; configs/sweeps has one".to_owned());
                ScenarioError::Read { path, source, help }
            }
            other => other,
        })?;
        Self::read(written, path.parent().unwrap_or(FilePath::new("")), metrics)
    }

    /// Reads and checks the text of a sweep; a base file is looked for in `folder`.
    ///
    /// # Errors
    /// As [`Sweep::load`].
    pub fn read(
        written: ScenarioText,
        folder: &FilePath,
        metrics: &[String],
    ) -> Result<Self, ScenarioError> {
        let file: Written = written.read()?;
        let mut axes = Vec::new();
        written.require_none(findings(&file, metrics, &mut axes))?;
        let Written { name, description, base, set, combine, heatmap, .. } = file;
        let mut text = if base.ends_with(".ron") {
            ScenarioText::open(folder.join(&base))?
        } else {
            ScenarioText::open(&base)?
        };
        let at = Path::of("set");
        for patch in patches(&set, &at) {
            apply(&mut text, &patch).map_err(|fault| moved(fault, &written, &[&patch]))?;
        }
        // A path that does not exist is found here, before any point is made.
        for patch in
            axes.iter().filter_map(|axis| axis.steps.first()).flat_map(|step| &step.patches)
        {
            apply(&mut text.clone(), patch).map_err(|fault| moved(fault, &written, &[patch]))?;
        }
        let of_set = patches(&set, &at);
        let of_set: Vec<&Patch> = of_set.iter().collect();
        let base = text.scenario().map_err(|fault| moved(fault, &written, &of_set))?;
        written.require_none(year_findings(heatmap.as_ref(), &base))?;
        Ok(Self { name, description, axes, combine, heatmap, base, text, written })
    }

    /// The scenario of a point that takes these steps.
    ///
    /// # Errors
    /// What is wrong with it, shown in the sweep file where that is the cause.
    pub fn scenario(&self, steps: &[usize]) -> Result<Scenario, ScenarioError> {
        let mut text = self.text.clone();
        let steps = self.axes.iter().zip(steps);
        let patches: Vec<&Patch> =
            steps.flat_map(|(axis, step)| &axis.steps[*step].patches).collect();
        let patched = patches.iter().try_for_each(|patch| apply(&mut text, patch));
        let scenario = patched.and_then(|()| text.scenario());
        scenario.map_err(|fault| moved(fault, &self.written, &patches))
    }
}

/// The name of a patch in faults, until they are shown where the sweep file asks for it.
fn origin(patch: &Patch) -> String {
    patch.at.to_string()
}

fn apply(text: &mut ScenarioText, patch: &Patch) -> Result<(), ScenarioError> {
    text.patch(&origin(patch), &patch.path, &patch.value)
}

/// Faults of patches, shown at the place of the sweep file that asked for them.
fn moved(fault: ScenarioError, written: &ScenarioText, patches: &[&Patch]) -> ScenarioError {
    let ScenarioError::Invalid(mut faults) = fault else { return fault };
    for fault in &mut faults {
        let Some(patch) = patches.iter().find(|patch| origin(patch) == fault.place.file) else {
            continue;
        };
        // Such a text is the path, a sign and the value.
        let of_path = fault.place.column <= patch.path.chars().count();
        let at = if of_path { &patch.path_at } else { &patch.at };
        let finding = Finding::new(at.clone(), "");
        if let Err(ScenarioError::Invalid(found)) = written.require_none(vec![finding]) {
            fault.place = found[0].place.clone();
        }
    }
    ScenarioError::Invalid(faults)
}

fn year_findings(map: Option<&Heatmap>, base: &Scenario) -> Vec<Finding> {
    let years = base.horizon.first_year..=base.horizon.last_year;
    let unknown = map.filter(|map| !years.contains(&map.year)).map(|map| {
        let message = format!("the year {} is not simulated", map.year);
        let help = format!("choose one from {} to {}", years.start(), years.end());
        Finding::new(Path::of("heatmap").key("year"), message).help(help)
    });
    unknown.into_iter().collect()
}

/// Everything that does not fit together; fills `axes` on the way.
fn findings(written: &Written, metrics: &[String], axes: &mut Vec<Axis>) -> Vec<Finding> {
    let mut found = Vec::new();
    let known: Vec<&str> = shipped_names().collect();
    if !written.base.ends_with(".ron") && !known.contains(&written.base.as_str()) {
        let fault = unknown(Path::of("base"), "shipped scenario", &written.base, &known);
        let help = fault.help.clone().unwrap_or_default();
        found.push(fault.help(format!("{help}; a path must end in `.ron`")));
    }
    let root = Path::of("axes");
    if written.axes.is_empty() {
        found.push(Finding::new(root.clone(), "a sweep has at least one axis"));
    }
    let mut taken: Vec<(String, String)> = patches(&written.set, &Path::of("set"))
        .into_iter()
        .map(|patch| (patch.path, "set".to_owned()))
        .collect();
    for (index, written) in written.axes.iter().enumerate() {
        let at = root.index(index);
        let axis = written.read(&at, &mut found);
        names(&axis, &at, axes, &mut found);
        let mut own: Vec<&String> =
            axis.steps.iter().flat_map(|step| &step.patches).map(|patch| &patch.path).collect();
        own.sort_unstable();
        own.dedup();
        for path in &own {
            if let Some((_, by)) = taken.iter().find(|(known, _)| covers(path, known)) {
                let message = format!("what `{path}` names is changed by `{by}` too");
                found.push(Finding::new(at.clone(), message).help("change it in one place"));
            }
        }
        taken.extend(own.into_iter().map(|path| (path.clone(), axis.name.clone())));
        axes.push(axis);
    }
    counts(written.combine, axes, &mut found);
    if let Some(map) = &written.heatmap {
        picture(map, written.combine, axes, metrics, &mut found);
    }
    found
}

/// Whether a path replaces all that an earlier one has changed: it is the same, or has a `*` where
/// that has a name, or leads to something around it.
fn covers(later: &str, earlier: &str) -> bool {
    let steps = |path: &str| -> Vec<String> {
        let path = path.replace('[', ".[");
        path.split('.').map(|step| step.trim_matches(['"', ' ']).to_owned()).collect()
    };
    let (later, earlier) = (steps(later), steps(earlier));
    let mut pairs = later.iter().zip(&earlier);
    later.len() <= earlier.len() && pairs.all(|(a, b)| a == b || a == "*" || a == "[*]")
}

/// Names are columns of the tables.
fn names(axis: &Axis, at: &Path, before: &[Axis], found: &mut Vec<Finding>) {
    const COLUMNS: [&str; 8] = ["point", "hash", "year", "metric", "value", "low", "high", "error"];
    let legal = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let name = &axis.name;
    if name.is_empty() || !name.chars().all(legal) {
        let message = format!("`{name}` cannot be the name of a column");
        let help = "letters, digits and `_`; what people read is `label`";
        found.push(Finding::new(at.key("name"), message).help(help));
    }
    if COLUMNS.contains(&name.as_str()) || before.iter().any(|axis| axis.name == *name) {
        let message = format!("the name `{name}` is taken");
        found.push(Finding::new(at.key("name"), message).help("choose another one"));
    }
}

fn counts(combine: Combine, axes: &[Axis], found: &mut Vec<Finding>) {
    let lengths: Vec<usize> = axes.iter().map(|axis| axis.steps.len()).collect();
    if combine == Combine::Zip && lengths.windows(2).any(|pair| pair[0] != pair[1]) {
        let each: Vec<String> =
            axes.iter().map(|axis| format!("{} {}", axis.name, axis.steps.len())).collect();
        let message = format!("zipped axes have one length; these have: {}", each.join(", "));
        found.push(Finding::new(Path::of("combine"), message).help("or use `combine: grid`"));
    }
    let points = point_count(combine, axes);
    if points > MOST_POINTS {
        let message = format!("{points} points; at most {MOST_POINTS} are legal");
        found.push(Finding::new(Path::of("axes"), message).help("use fewer steps"));
    }
}

/// How many points the axes make.
pub(super) fn point_count(combine: Combine, axes: &[Axis]) -> usize {
    let lengths = axes.iter().map(|axis| axis.steps.len());
    match combine {
        Combine::Grid => lengths.fold(1, usize::saturating_mul),
        Combine::Zip => lengths.min().unwrap_or(0),
    }
}

fn picture(
    map: &Heatmap,
    combine: Combine,
    axes: &[Axis],
    metrics: &[String],
    found: &mut Vec<Finding>,
) {
    let at = Path::of("heatmap");
    let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
    for (field, name) in [("x", &map.x), ("y", &map.y)] {
        if !names.contains(&name.as_str()) {
            found.push(unknown(at.key(field), "axis", name, &names));
        }
    }
    if map.x == map.y {
        let help = "choose another axis for one of them";
        found.push(Finding::new(at.key("y"), "x and y are one axis").help(help));
    }
    if combine == Combine::Zip {
        let help = "use `combine: grid`, or remove the heatmap";
        found.push(Finding::new(at.clone(), "zipped axes fill no area").help(help));
    }
    let known: Vec<&str> = metrics.iter().map(String::as_str).collect();
    if !known.contains(&map.metric.as_str()) {
        found.push(unknown(at.key("metric"), "metric", &map.metric, &known));
    }
}
