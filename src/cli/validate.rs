//! `sparkgap validate`: the model against recorded runs and published throughputs, and the fit of
//! its efficiencies.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Threads;
use super::calibrate::held_out;
use super::progress::watch_interrupt;
use super::{Failure, print, say_error, use_threads};
use crate::report::{StatedErrors, Validation, stated_errors, write_folder};
use crate::study::{
    Coefficients, FittedCoefficients, HoldOut, MeasuredRun, Row, errors_of, fit,
    published_throughputs, read_runs,
};

/// Options of `validate`.
#[derive(Debug, Clone, Args)]
pub struct ValidateArguments {
    /// Folder with recorded runs: every *.csv or *.csv.gz in it with the columns of
    /// docs/validation.md
    pub folder: PathBuf,
    /// Fit the efficiencies anew and show the errors on cells that the fit has not seen (minutes)
    #[arg(long)]
    pub fit: bool,
    /// Write the page with every table, as docs/validation.md
    #[arg(long, value_name = "FILE")]
    pub write: Option<PathBuf>,
    /// Write the fitted coefficients, as configs/efficiencies.ron
    #[arg(long, value_name = "FILE", requires = "fit")]
    pub write_fit: Option<PathBuf>,
    /// Exit with 3 where an error over all runs is larger than this page states
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// How many threads work
    #[command(flatten)]
    pub threads: Threads,
}

/// Files of recorded runs in a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |cause| {
        Failure::Usage(format!(
            "cannot read the folder {}: {cause}\n  help: name a folder with recorded runs (*.csv, \
             *.csv.gz)",
            folder.display()
        ))
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".csv") || name.ends_with(".csv.gz") {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(Failure::Usage(format!(
            "there is no *.csv or *.csv.gz in {}\n  help: the columns are described in \
             docs/validation.md",
            folder.display()
        )));
    }
    Ok(found)
}

/// Request logs of vLLM in the folders `vllm/*` of a folder, by name, and how well the first half
/// of each foretells the second.
fn logs(folder: &Path) -> Result<Vec<(String, HoldOut)>, Failure> {
    let Ok(entries) = fs::read_dir(folder.join("vllm")) else { return Ok(Vec::new()) };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path().join("requests.jsonl")))
        .filter(|log| log.is_file())
        .collect();
    found.sort();
    let of = |log: PathBuf| {
        let name = log.parent().and_then(Path::file_name).unwrap_or_default();
        Ok((name.to_string_lossy().into_owned(), held_out(&log)?))
    };
    found.into_iter().map(of).collect()
}

/// Runs that the catalogue does not know, counted by system and model.
fn skipped(runs: &[MeasuredRun]) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for run in runs.iter().filter(|run| Row::of(run).is_none()) {
        *counts.entry(format!("{} {}", run.system, run.short_model())).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// Compares, prints one table, and writes what was asked for.
pub(super) fn validate(arguments: &ValidateArguments) -> Result<(), Failure> {
    let stated = arguments.against.as_deref().map(stated_by).transpose()?;
    if arguments.write.is_some() && arguments.write == arguments.against {
        let message = "--write and --against name one page: it would be held against itself";
        return Err(Failure::Usage(message.to_owned()));
    }
    let mut runs = Vec::new();
    for file in files(&arguments.folder)? {
        runs.extend(read_runs(&file).map_err(|error| Failure::Usage(error.to_string()))?);
    }
    if runs.is_empty() {
        return Err(Failure::Usage(format!(
            "there is no run in {}: its files have no row below the header\n  help: the columns \
             are described in docs/validation.md",
            arguments.folder.display()
        )));
    }
    use_threads(arguments.threads)?;
    let stop = watch_interrupt(Failure::Interrupted);
    let rows: Vec<Row<'_>> = runs.iter().filter_map(Row::of).collect();
    if rows.is_empty() {
        let message = "no run is of a system and model that the catalogue knows".to_owned();
        return Err(Failure::Usage(message));
    }
    let shipped = FittedCoefficients::shipped().values();
    let start = shipped.ok_or_else(|| Failure::Usage("a coefficient is missing".to_owned()))?;
    let fitted = if arguments.fit { Some(refit(&rows, start, stop)?) } else { None };
    let errors = errors_of(&rows, &start);
    let validation = Validation {
        folder: arguments.folder.display().to_string(),
        rows: &rows,
        shipped: &errors,
        fitted: fitted.as_ref(),
        published: published_throughputs(),
        skipped: skipped(&runs),
        logs: logs(&arguments.folder)?,
    };
    if let (Some(path), Some(text)) = (&arguments.write_fit, validation.coefficients_ron()) {
        write(path, text)?;
    }
    if let Some(path) = &arguments.write {
        write(path, validation.page())?;
    }
    print(&validation.table())?;
    let Some(stated) = stated else { return Ok(()) };
    let grown = validation.grown_past(&stated);
    if grown.is_empty() { Ok(()) } else { Err(Failure::Gate(grown.join("\n"))) }
}

/// What a page states of all runs.
fn stated_by(page: &Path) -> Result<StatedErrors, Failure> {
    let text = fs::read_to_string(page)
        .map_err(|cause| Failure::Usage(format!("cannot read {}: {cause}", page.display())))?;
    let none = || Failure::Usage(format!("{} has no row `| all runs |`", page.display()));
    stated_errors(&text).ok_or_else(none)
}

fn refit(
    rows: &[Row<'_>],
    start: Coefficients,
    stop: &std::sync::atomic::AtomicBool,
) -> Result<crate::study::EfficiencyFit, Failure> {
    let told = |round, loss| say_error(&format!("fit, round {round}: loss {loss:.4}"));
    fit(rows, start, stop, &told).ok_or(Failure::Interrupted)
}

fn write(path: &Path, text: String) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    write_folder(folder.unwrap_or(Path::new(".")), &[(&*name, text.into_bytes())])?;
    Ok(())
}
