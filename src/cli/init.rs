//! `sparkgap init`: a commented scenario to start from.

use std::path::{Path, PathBuf};

use super::args::InitArguments;
use super::{Failure, print};
use crate::report::write_folder;
use crate::scenario::{known_names, shipped_names, shipped_text};

/// A small scenario that stands alone.
const STARTER: &str = include_str!("../../configs/starter.ron");
/// The default scenario with some values changed.
const STARTER_VARIANT: &str = include_str!("../../configs/starter_variant.ron");

/// Writes a scenario to start from; never over a file that is there.
pub(super) fn init(arguments: &InitArguments) -> Result<(), Failure> {
    let text = match &arguments.from {
        None if arguments.variant => STARTER_VARIANT,
        None => STARTER,
        Some(name) => shipped_text(name).ok_or_else(|| {
            let known = known_names(name, shipped_names());
            Failure::Usage(format!("there is no shipped scenario `{name}`: {known}"))
        })?,
    };
    let path = &arguments.file;
    if path.symlink_metadata().is_ok() {
        let message = format!("`{}` is there already: name another file", path.display());
        return Err(Failure::Usage(message));
    }
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Failure::Usage(format!("`{}` is not a file name", path.display())));
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    write_folder(&folder, &[(name, text.as_bytes().to_vec())])?;
    let shown = path.display();
    print(&format!(
        "wrote {shown}; next: `sparkgap check {shown}`, `sparkgap run {shown}`, and \
         `sparkgap explain PATH` for what a field means\n"
    ))
}
