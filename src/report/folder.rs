//! Writing a folder of results so that a reader never finds half a file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ReportError;

/// Writes every file into `dir`, which is made if it is missing, as [`Staged`] says.
///
/// # Errors
///
/// [`ReportError::Name`] for a name that is not a plain file name, else [`ReportError::Write`]
/// with the path and the cause.
pub fn write_folder(dir: &Path, files: &[(&str, Vec<u8>)]) -> Result<(), ReportError> {
    let mut staged = Staged::within(dir)?;
    for (name, bytes) in files {
        staged.write(name, bytes)?;
    }
    staged.finish()
}

/// Files on their way into a folder.
///
/// All are first written aside in the same folder, under temporary names, and made durable; only
/// when every one of them is whole are they renamed. A full disk therefore leaves the earlier
/// results of the folder as they were. Files that were not put in place are removed.
pub struct Staged {
    dir: PathBuf,
    /// Whether the folder was made for them.
    made: bool,
    /// Names, and where each is aside.
    files: Vec<(String, PathBuf)>,
}

impl Staged {
    /// Nothing yet, in a folder that is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] if it cannot be made.
    pub fn within(dir: &Path) -> Result<Self, ReportError> {
        let made = !dir.exists();
        fs::create_dir_all(dir).map_err(|cause| failed("create the folder", dir, cause))?;
        Ok(Self { dir: dir.to_path_buf(), made, files: Vec::new() })
    }

    /// A new file, empty and aside, to be filled before [`Staged::finish`].
    ///
    /// # Errors
    ///
    /// As [`write_folder`].
    pub fn file(&mut self, name: &str) -> Result<File, ReportError> {
        let plain = Path::new(name).file_name().is_some_and(|last| last == name);
        if !plain || name.contains('\\') {
            return Err(ReportError::Name(name.to_owned()));
        }
        let aside = self.dir.join(format!(".{name}.{}.partial", std::process::id()));
        let file = File::create(&aside);
        self.files.push((name.to_owned(), aside));
        file.map_err(|cause| self.failed(name, cause))
    }

    /// A whole file.
    ///
    /// # Errors
    ///
    /// As [`write_folder`].
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        let file = self.file(name)?;
        fill(file, bytes).map_err(|cause| self.failed(name, cause))
    }

    /// That a file of the folder cannot be written.
    #[must_use]
    pub fn failed(&self, name: &str, cause: io::Error) -> ReportError {
        failed("write", &self.dir.join(name), cause)
    }

    /// Makes all files durable and puts them in place.
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] with the path and the cause.
    pub fn finish(self) -> Result<(), ReportError> {
        for (name, aside) in &self.files {
            let synced = File::options().append(true).open(aside).and_then(|file| file.sync_all());
            synced.map_err(|cause| self.failed(name, cause))?;
        }
        for (name, aside) in &self.files {
            let target = self.dir.join(name);
            fs::rename(aside, &target).map_err(|cause| failed("put in place", &target, cause))?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (_, aside) in &self.files {
            // What was renamed or never made is not there; nothing more can be done about a
            // file that cannot be removed, and the first cause matters more.
            let _ = fs::remove_file(aside);
        }
        if self.made {
            // A folder with results in it stays: only an empty one can be removed.
            let _ = fs::remove_dir(&self.dir);
        }
    }
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
