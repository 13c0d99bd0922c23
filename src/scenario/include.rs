//! Where scenarios come from: files, scenarios that ship with the program, and variants of either,
//! which include a base and patch it.

use std::path::{Path as FilePath, PathBuf};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::cursor::Cursor;
use super::diagnostic::{ScenarioError, known_names};
use super::locate::{Path, locate};
use super::patch::Patch;
use super::read;
use super::text::ScenarioText;

/// Shipped files by their names in a folder.
macro_rules! shipped {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../", $folder, $name, ".ron")))),+]
    };
}

/// The scenarios that ship with the program, by name.
const SHIPPED: [(&str, &str); 9] = shipped!["configs/":
    "muse_spark",
    "no_external",
    "coreweave_35b",
    "hyperion_late",
    "agents_boom",
    "rubin_slips",
    "mtia_succeeds",
    "surplus",
    "region_loss",
];

/// The reliability test systems that ship with the program, by name.
const SYSTEMS: [(&str, &str); 6] = shipped![
    "configs/systems/": "hourly_a", "hourly_b", "rack_test", "rbts", "rts79", "three_areas"
];

/// Most files that include one another.
const DEEPEST: usize = 16;

/// A scenario given as another one with patches.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "description")]
    _description: String,
    /// A shipped name, or a path that ends in `.ron`, from the folder of this file.
    include: String,
    #[serde(default)]
    patches: Paths,
}

/// The keys of a map in the order of the file; its values are read where they are put.
#[derive(Debug, Default)]
struct Paths(Vec<String>);

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Paths;
            fn expecting(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                to.write_str("a map from paths to values: {\"sites.hyperion.slip\": \"3 months\"}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Paths, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Paths(keys))
            }
        }
        from.deserialize_map(Keys)
    }
}

/// Where a text is, so that it can be found again.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    Shipped(&'static str),
    File(PathBuf),
}

impl Location {
    /// Where a name leads: to a file if it ends in `.ron`, else to a shipped scenario.
    fn of(name: &str, folder: Option<&FilePath>) -> Option<Self> {
        if name.ends_with(".ron") {
            let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
            return Some(Self::File(path));
        }
        SHIPPED.iter().find(|(known, _)| *known == name).map(|(known, _)| Self::Shipped(known))
    }

    fn read(&self) -> Result<(String, String), ScenarioError> {
        match self {
            Self::Shipped(name) => {
                let text = shipped_text(name).unwrap_or_default();
                Ok((text.to_owned(), format!("configs/{name}.ron")))
            }
            Self::File(path) => Ok((read::text_of(path)?, path.display().to_string())),
        }
    }

    /// The same for two ways to write one path.
    fn canonical(&self) -> Self {
        match self {
            Self::File(path) => Self::File(path.canonicalize().unwrap_or_else(|_| path.clone())),
            shipped => shipped.clone(),
        }
    }
}

/// The text of a shipped scenario, with its comments.
#[must_use]
pub fn shipped_text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The text of a shipped test system, with its comments.
pub(super) fn shipped_system(name: &str) -> Option<&'static str> {
    SYSTEMS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Names of the scenarios that ship with the program.
pub fn shipped_names() -> impl Iterator<Item = &'static str> {
    SHIPPED.iter().map(|(name, _)| *name)
}

impl ScenarioText {
    /// A scenario file by its path, or a shipped scenario by its name.
    ///
    /// # Errors
    /// [`ScenarioError::Read`] where a file cannot be read, [`ScenarioError::Invalid`] where what
    /// is included does not exist or a patch leads nowhere.
    pub fn open(source: impl AsRef<FilePath>) -> Result<Self, ScenarioError> {
        let source = source.as_ref();
        let named = source.to_str().and_then(|name| Location::of(name, None));
        let location = named.unwrap_or_else(|| Location::File(source.to_owned()));
        let opened = Self::gather(&location, &mut Vec::new());
        match (opened, &location) {
            (
                Err(ScenarioError::Read { path, source: cause, help: None }),
                Location::File(asked),
            ) if path == *asked => {
                let known = known_names(&source.to_string_lossy(), shipped_names());
                let help = Some(format!("a path to a file, or a shipped scenario: {known}"));
                Err(ScenarioError::Read { path, source: cause, help })
            }
            (opened, _) => opened,
        }
    }

    /// A scenario given as text. `file` names it in faults; what it includes is looked for beside
    /// that file.
    ///
    /// # Errors
    /// As [`ScenarioText::open`].
    pub fn of(text: &str, file: &str) -> Result<Self, ScenarioError> {
        let location = Location::File(PathBuf::from(file));
        Self::resolve(text.to_owned(), file, &location, &mut Vec::new())
    }

    fn gather(location: &Location, open: &mut Vec<Location>) -> Result<Self, ScenarioError> {
        let (text, name) = location.read()?;
        Self::resolve(text, &name, location, open)
    }

    /// Applies the patches of a variant to what it includes; any other text stands as it is.
    fn resolve(
        text: String,
        name: &str,
        location: &Location,
        open: &mut Vec<Location>,
    ) -> Result<Self, ScenarioError> {
        let own = Self::plain(text, name);
        if Cursor::outermost(own.text()).enter(&Path::of("include").0[0]).is_none() {
            return Ok(own);
        }
        let variant: Variant = own.read()?;
        let included = locate(own.text(), &Path::of("include")).0;
        let folder = match location {
            Location::File(path) => path.parent(),
            Location::Shipped(_) => None,
        };
        open.push(location.canonical());
        let Some(base) = Location::of(&variant.include, folder) else {
            let message = format!("there is no shipped scenario `{}`", variant.include);
            let known = known_names(&variant.include, shipped_names());
            let help = format!("{known}; a path must end in `.ron`");
            return Err(own.fault_at(included, message, help));
        };
        if open.contains(&base.canonical()) {
            let message = format!("`{}` includes itself, by way of others or not", variant.include);
            let help = "a base must not include what is built on it";
            return Err(own.fault_at(included, message, help));
        }
        if open.len() >= DEEPEST {
            let message = format!("more than {DEEPEST} files include one another");
            let help = "put the patches of some into one";
            return Err(own.fault_at(included, message, help));
        }
        let mut whole = Self::gather(&base, open).map_err(|error| match error {
            ScenarioError::Read { path, source, help: None } => {
                let place = own.place(included);
                let help = Some(format!("{}:{} includes it", place.file, place.line));
                ScenarioError::Read { path, source, help }
            }
            other => other,
        })?;
        let origin = whole.add_origin(name, own.text());
        let top = ["name", "description"].map(|field| (Path::of(field), field, false));
        let patches = Path::of("patches");
        let below = variant.patches.0.iter().map(|path| (patches.key(path), path.as_str(), true));
        for (at, path, noted) in top.into_iter().chain(below) {
            let Some((entry, value)) = own.entry(&at) else {
                let help = "write it without escapes";
                let span = locate(own.text(), &patches).0;
                return Err(own.fault_at(span, format!("`{path}` cannot be found again"), help));
            };
            let path_at = entry.start..entry.start + own.text()[entry.clone()].trim_end().len();
            let text = &own.text()[value.clone()];
            let patch = Patch { path, origin, path_at, value: text, value_at: value.start };
            whole.apply(&patch, noted)?;
        }
        Ok(whole)
    }

    /// The bytes of the key at a path, and of its whole value.
    fn entry(&self, path: &Path) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
        let mut cursor = Cursor::outermost(self.text());
        let mut start = cursor.at;
        for step in &path.0 {
            (start, cursor.at) = cursor.enter(step)?;
        }
        let value = cursor.at;
        let key = self.text()[start..value].rfind(':').map_or(value, |colon| start + colon);
        let end = cursor.skip_value();
        Some((start..key, value..end))
    }
}
