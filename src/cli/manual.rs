//! `sparkgap completions` and `sparkgap man`: the command line described for shells and for `man`.

use std::io::Error;

use clap::CommandFactory;

use super::args::{Arguments, CompletionsArguments, ManArguments};
use super::{Failure, print};
use crate::report::write_folder;

/// Prints the completion script of a shell.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "sparkgap", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Prints the manual page of the program, or writes the pages of it and of every subcommand.
pub(super) fn man(arguments: &ManArguments) -> Result<(), Failure> {
    let command = Arguments::command();
    let Some(folder) = &arguments.out else {
        return print(&String::from_utf8_lossy(&page(command).map_err(Failure::Print)?));
    };
    let mut pages = vec![("sparkgap.1".to_owned(), page(command.clone()).map_err(Failure::Print)?)];
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let name = format!("sparkgap-{}", sub.get_name());
        let sub = sub.clone().display_name(name.clone()).version(env!("CARGO_PKG_VERSION"));
        pages.push((format!("{name}.1"), page(sub).map_err(Failure::Print)?));
    }
    let files: Vec<(&str, Vec<u8>)> =
        pages.iter().map(|(name, page)| (name.as_str(), page.clone())).collect();
    write_folder(folder, &files)?;
    print(&format!("wrote {} pages to {}\n", files.len(), folder.display()))
}

fn page(command: clap::Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
