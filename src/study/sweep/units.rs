//! What is kept of each point: one file for each distinct scenario, named by its hash. A point
//! whose file is sound is not computed again, so that nothing but the running point can be lost.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::Sweep;
use super::points::SweepPoint;
use crate::scenario::Scenario;
use crate::study::{MODEL_VERSION, Watch};

/// Version of the files.
const SCHEMA: u32 = 1;

/// One number of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepRow {
    /// Calendar year.
    pub year: u16,
    /// Its name, which ends in the unit and the part of the law.
    pub metric: String,
    /// The number; none where it is not finite.
    pub value: Option<f64>,
    /// Lower end of its uncertainty, if it has one.
    pub low: Option<f64>,
    /// Upper end of it.
    pub high: Option<f64>,
    /// What the two ends are; empty where there are none.
    pub error: String,
}

/// What is kept of one point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepOutcome {
    /// Version of this form.
    pub schema: u32,
    /// Version of the program and of its serving model.
    pub version: String,
    /// Content hash of the resolved scenario.
    pub hash: String,
    /// Years and their metrics, in order.
    pub rows: Vec<SweepRow>,
    /// Content hash of the rows: a file that was changed is not sound.
    pub check: String,
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
pub enum SweepFailure<E> {
    /// The watch stopped it; every finished point is kept.
    #[error("stopped")]
    Stopped,
    /// A file could not be written.
    #[error("cannot write {}: {cause}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        cause: io::Error,
    },
    /// There is no answer for a point.
    #[error("point {}", point + 1)]
    Answer {
        /// Its number, from 0.
        point: usize,
        /// Why.
        cause: E,
    },
}

fn version() -> String {
    format!("{} (serving model {MODEL_VERSION})", env!("CARGO_PKG_VERSION"))
}

fn check_of(rows: &[SweepRow]) -> String {
    let text = serde_json::to_string(rows).expect("plain rows always serialise into memory");
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

fn path_of(folder: &Path, hash: &str) -> PathBuf {
    folder.join(format!("{hash}.json"))
}

/// What is kept of a scenario in a folder of units; `None` when there is no sound file of this
/// program for it.
#[must_use]
pub fn read_unit(folder: &Path, hash: &str) -> Option<SweepOutcome> {
    let text = fs::read_to_string(path_of(folder, hash)).ok()?;
    let unit: SweepOutcome = serde_json::from_str(&text).ok()?;
    let ours = unit.schema == SCHEMA && unit.version == version() && unit.hash == hash;
    (ours && unit.check == check_of(&unit.rows)).then_some(unit)
}

/// Written aside, made durable and renamed, so that no reader sees a part of it.
fn write_unit(folder: &Path, unit: &SweepOutcome) -> Result<(), (PathBuf, io::Error)> {
    let text = serde_json::to_string(unit).expect("plain rows always serialise into memory");
    let path = path_of(folder, &unit.hash);
    let aside = folder.join(format!(".{}.{}.partial", unit.hash, std::process::id()));
    let stored = File::create(&aside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, &path));
    stored.map_err(|cause| {
        // A file that was never made is not there, and the first cause matters more.
        let _ = fs::remove_file(&aside);
        (path, cause)
    })
}

/// Answers every distinct scenario of the points that `folder` does not hold yet, one after the
/// other in the order of the points; `watch` counts these. `answer` may use all cores.
///
/// # Errors
/// [`SweepFailure`]; what was finished before is kept.
pub fn run_sweep<E>(
    sweep: &Sweep,
    points: &[SweepPoint],
    folder: &Path,
    watch: Watch<'_>,
    answer: impl Fn(&Scenario) -> Result<Vec<SweepRow>, E>,
) -> Result<(), SweepFailure<E>> {
    let failed = |path: &Path, cause| SweepFailure::Write { path: path.to_owned(), cause };
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    let mut seen = BTreeSet::new();
    let missing: Vec<usize> = (0..points.len())
        .filter(|point| seen.insert(&points[*point].hash))
        .filter(|point| read_unit(folder, &points[*point].hash).is_none())
        .collect();
    (watch.begun)(missing.len() as u64);
    for point in missing {
        if watch.stopped() {
            return Err(SweepFailure::Stopped);
        }
        let SweepPoint { steps, hash } = &points[point];
        let scenario = sweep.scenario(steps).expect("every point was resolved and checked before");
        let rows = answer(&scenario).map_err(|cause| SweepFailure::Answer { point, cause })?;
        let (check, hash) = (check_of(&rows), hash.clone());
        let unit = SweepOutcome { schema: SCHEMA, version: version(), hash, rows, check };
        write_unit(folder, &unit).map_err(|(path, cause)| failed(&path, cause))?;
        (watch.done)();
    }
    Ok(())
}
