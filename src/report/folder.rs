//! Writing a folder of results so that a reader never finds half a file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ReportError;

/// Writes every file into `dir`, which is made if it is missing.
///
/// All files are first written aside in the same folder, under temporary names, and made
/// durable; only when every one of them is whole are they renamed. A full disk therefore leaves
/// the earlier results of the folder as they were.
///
/// # Errors
///
/// [`ReportError::Name`] for a name that is not a plain file name, else [`ReportError::Write`]
/// with the path and the cause. Temporary files are removed.
pub fn write_folder(dir: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), ReportError> {
    for (name, _) in files {
        let plain = Path::new(name).file_name().is_some_and(|last| last == *name);
        if !plain || name.contains('\\') {
            return Err(ReportError::Name((*name).to_owned()));
        }
    }
    fs::create_dir_all(dir).map_err(|cause| failed("create the folder", dir, cause))?;
    let staged: Vec<PathBuf> = files
        .iter()
        .map(|(name, _)| dir.join(format!(".{name}.{}.partial", std::process::id())))
        .collect();
    let outcome = stage_and_rename(dir, files, &staged);
    if outcome.is_err() {
        for path in &staged {
            // What was renamed or never made is not there; nothing more can be done about a
            // file that cannot be removed, and the first cause matters more.
            let _ = fs::remove_file(path);
        }
    }
    outcome
}

/// Makes sure, before a long run, that results can be written to `dir`: makes the folder and
/// writes and removes a small file in it.
///
/// # Errors
///
/// [`ReportError::Write`] with the path and the cause.
pub fn check_folder(dir: &Path) -> Result<(), ReportError> {
    fs::create_dir_all(dir).map_err(|cause| failed("create the folder", dir, cause))?;
    let probe = dir.join(format!(".probe.{}.partial", std::process::id()));
    let written = File::create(&probe).and_then(|file| fill(file, b"sparkgap"));
    // A probe that could not be made is not there; one that was is removed whatever happened.
    let _ = fs::remove_file(&probe);
    written.map_err(|cause| failed("write in the folder", dir, cause))
}

fn stage_and_rename(
    dir: &Path,
    files: &[(&str, Vec<u8>)],
    staged: &[PathBuf],
) -> Result<(), ReportError> {
    for ((name, bytes), path) in files.iter().zip(staged) {
        File::create(path)
            .and_then(|file| fill(file, bytes))
            .map_err(|cause| failed("write", &dir.join(name), cause))?;
    }
    for ((name, _), path) in files.iter().zip(staged) {
        let target = dir.join(name);
        fs::rename(path, &target).map_err(|cause| failed("put in place", &target, cause))?;
    }
    Ok(())
}

/// Writes all bytes and waits for the disk: some file systems report a full disk only then.
fn fill(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

fn failed(action: &'static str, path: &Path, cause: io::Error) -> ReportError {
    ReportError::Write { action, path: path.to_path_buf(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The device that is always full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let full = File::options().write(true).open("/dev/full").expect("Linux has this device");
        let cause = fill(full, b"results").expect_err("nothing fits");
        assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
        let said = failed("write", Path::new("out/years.csv"), cause).to_string();
        assert!(said.contains("out/years.csv") && said.contains("No space"), "{said}");
    }
}
