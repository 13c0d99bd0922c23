//! What is said of a command line that clap refuses, where its own words point the wrong way.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use super::Arguments;
use crate::scenario::nearest_name;

/// The error as it is shown, with a better fix where there is one. Ends the program.
pub(super) fn refuse(error: &Error, typed: &[String]) -> ! {
    match better(error, typed) {
        Some(text) => {
            super::say_error(&text);
            std::process::exit(2)
        }
        None => error.exit(),
    }
}

fn better(error: &Error, typed: &[String]) -> Option<String> {
    match error.kind() {
        ErrorKind::UnknownArgument => negative(error, typed),
        ErrorKind::ArgumentConflict => misspelt(typed),
        _ => None,
    }
}

/// A value below zero, which looks like an option.
fn negative(error: &Error, typed: &[String]) -> Option<String> {
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    let at = typed.iter().position(|word| word.starts_with(unknown.as_str()))?;
    let value = &typed[at];
    let digits = value.strip_prefix('-')?.chars().next()?;
    let option = typed.get(at.checked_sub(1)?).filter(|word| word.starts_with("--"))?;
    (digits.is_ascii_digit() || digits == '.').then(|| {
        format!(
            "error: invalid value '{value}' for '{option}': it is below zero\n\n  \
             tip: every quantity is zero or more, many are above it; --help says what is meant"
        )
    })
}

/// A command that is not one, before other words: clap takes it for a scenario.
fn misspelt(typed: &[String]) -> Option<String> {
    let word = typed.get(1).filter(|word| !word.starts_with('-') && !word.ends_with(".ron"))?;
    let commands = Arguments::command();
    let names: Vec<&str> = commands.get_subcommands().map(clap::Command::get_name).collect();
    let meant = nearest_name(word, names.iter().copied())?;
    (!names.contains(&word.as_str())).then(|| {
        format!(
            "error: unrecognized subcommand '{word}'\n\n  tip: a similar subcommand exists: \
             '{meant}'\n\nFor more information, try '--help'."
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn said(words: &[&str]) -> Option<String> {
        let typed: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let error = Arguments::try_parse_from(&typed).expect_err("it is refused");
        better(&error, &typed)
    }

    #[test]
    fn a_value_below_zero_is_called_so() {
        let text = said(&["sparkgap", "size", "--ttft", "-1 s"]).expect("a better fix");
        assert!(text.contains("'-1 s' for '--ttft': it is below zero"), "{text}");
        let text = said(&["sparkgap", "run", "--worlds", "-5"]).expect("a better fix");
        assert!(text.contains("'-5' for '--worlds'"), "{text}");
        // An option that there is not.
        assert_eq!(said(&["sparkgap", "run", "--wrlds", "5"]), None);
        assert_eq!(said(&["sparkgap", "run", "-z"]), None);
    }

    #[test]
    fn a_misspelt_command_is_not_a_scenario() {
        let text = said(&["sparkgap", "chek", "mine.ron"]).expect("a better fix");
        assert!(text.contains("'chek'") && text.contains("'check'"), "{text}");
        assert_eq!(said(&["sparkgap", "mine.ron", "check"]), None);
    }
}
