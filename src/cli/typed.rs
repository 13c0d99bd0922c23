//! What is said of a command line that clap refuses, where its own words point the wrong way.

use std::error::Error as _;
use std::num::ParseIntError;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error, Parser};

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
        ErrorKind::ValueValidation => not_whole(error, typed),
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

/// A text where a whole number belongs: what is allowed. Its bounds are those that clap names when
/// it refuses a number that is too large.
fn not_whole(error: &Error, typed: &[String]) -> Option<String> {
    error.source()?.downcast_ref::<ParseIntError>()?;
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    let (option, value) = (text(ContextKind::InvalidArg)?, text(ContextKind::InvalidValue)?);
    let name = option.split(' ').next().unwrap_or_default();
    let (joined, large) = (format!("{name}={value}"), i64::MAX.to_string());
    let with = |(index, word): (usize, &String)| {
        let after = index.checked_sub(1).and_then(|before| typed.get(before));
        match word {
            word if *word == joined => format!("{name}={large}"),
            word if *word == value && after.is_some_and(|before| before == name) => large.clone(),
            word => word.clone(),
        }
    };
    let refused = Arguments::try_parse_from(typed.iter().enumerate().map(with)).err();
    let said = refused.and_then(|error| error.source().map(ToString::to_string));
    let bounds =
        said.as_deref().and_then(|said| said.split_once(" is not in ")?.1.split_once("..="));
    let allowed = bounds.map_or(String::new(), |(low, high)| format!(" from {low} to {high}"));
    Some(format!(
        "error: invalid value '{value}' for '{option}': a whole number{allowed} is needed\n\n\
         For more information, try '--help'."
    ))
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
    fn a_text_for_a_number_is_told_what_is_allowed() {
        for words in
            [&["--worlds", "abc"][..], &["--worlds=abc"], &["--seed", "1", "--worlds", "abc"]]
        {
            let text = said(&[&["sparkgap", "run"], words].concat()).expect("a better fix");
            assert!(text.contains("'abc' for '--worlds <N>'"), "{text}");
            assert!(text.contains("a whole number from 1 to 20000 is needed"), "{text}");
        }
        let text = said(&["sparkgap", "run", "--seed", "x"]).expect("a better fix");
        assert!(text.contains("a whole number is needed"), "{text}");
        // clap's own words say it already.
        assert_eq!(said(&["sparkgap", "run", "--worlds", "0"]), None);
    }

    #[test]
    fn a_misspelt_command_is_not_a_scenario() {
        let text = said(&["sparkgap", "chek", "mine.ron"]).expect("a better fix");
        assert!(text.contains("'chek'") && text.contains("'check'"), "{text}");
        assert_eq!(said(&["sparkgap", "mine.ron", "check"]), None);
    }
}
