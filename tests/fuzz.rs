//! Texts that nobody would write, thrown at the reader: every one gives a scenario or a report, and
//! none a panic. `docs/decisions.md` names the command for a million of them.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use sparkgap::scenario::{Network, Scenario, ScenarioText, System};
use sparkgap::units::{AnnualGrowth, Seconds, Share, Uncertain, Watts};

const SMALL: &str = include_str!("data/small.ron");
const AREAS: &str = include_str!("../configs/systems/three_areas.ron");

/// Pieces that the grammar is made of, and some that it is not.
const PIECES: [&str; 40] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"",
    "\\",
    "//",
    "/*",
    "*/",
    "#![enable(x)]",
    "r#\"",
    "\n",
    "-",
    "1e999",
    "NaN",
    "inf",
    "0x1f",
    "'a'",
    "é",
    "\u{0}",
    "\u{202e}",
    "Scenario",
    "include",
    "patches",
    "\"*\"",
    "remove",
    "constant",
    "triangular(1, 2, 3)",
    "\"8%\"",
    "\"2 GW\"",
    "\"-1 d\"",
    "\"lognormal(p10 3, p90 1) h\"",
    "18446744073709551616",
    "\"2029-Q3\"",
    "true",
    "Some",
];

/// The reader's verdict on a text; only a panic is wrong.
fn read(text: &str) {
    if let Err(error) = Scenario::from_ron(text, "fuzz.ron") {
        assert!(!error.render(false).is_empty() && !error.render(true).is_empty());
    }
}

/// Bytes on a character's edge.
fn place(text: &str, at: Index) -> usize {
    let mut at = at.index(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

proptest! {
    #[test]
    fn any_text(text in ".{0,200}") {
        read(&text);
        drop(System::from_ron(&text, "fuzz.ron"));
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(select(PIECES.as_slice()), 0..60)) {
        read(&pieces.concat());
        read(&format!("(include: \"muse_spark\", patches: {{{}}})", pieces.concat()));
    }

    #[test]
    fn a_scenario_with_pieces_in_it(
        cuts in prop::collection::vec(
            (any::<Index>(), 0_usize..40, select(PIECES.as_slice())),
            1..4,
        ),
    ) {
        let mut text = SMALL.to_owned();
        for (at, length, piece) in cuts {
            let from = place(&text, at);
            let mut to = (from + length).min(text.len());
            while !text.is_char_boundary(to) {
                to -= 1;
            }
            text.replace_range(from..to.max(from), piece);
        }
        read(&text);
    }

    #[test]
    fn a_system_with_pieces_in_it(
        cuts in prop::collection::vec(
            (any::<Index>(), 0_usize..40, select(PIECES.as_slice())),
            1..4,
        ),
    ) {
        let mut text = AREAS.to_owned();
        for (at, length, piece) in cuts {
            let from = place(&text, at);
            let mut to = (from + length).min(text.len());
            while !text.is_char_boundary(to) {
                to -= 1;
            }
            text.replace_range(from..to.max(from), piece);
        }
        let network = Network::from_ron(&text, "fuzz.ron").err();
        for error in [network, System::from_ron(&text, "fuzz.ron").err()] {
            assert!(error.is_none_or(|error| !error.render(false).is_empty()));
        }
    }

    #[test]
    fn a_scenario_with_a_value_exchanged(from in any::<Index>(), to in any::<Index>()) {
        // Whole lines change places: mostly well-formed, seldom sound.
        let mut lines: Vec<&str> = SMALL.lines().collect();
        let (from, to) = (from.index(lines.len()), to.index(lines.len()));
        lines.swap(from, to);
        read(&lines.join("\n"));
        lines.remove(from);
        read(&lines.join("\n"));
    }

    #[test]
    fn any_option(
        path in "(sites|\\*|workloads|hardware|\"a\")([.\\[][a-z0-9*\\]]{0,9}){0,4}",
        value in ".{0,30}",
    ) {
        let mut text = ScenarioText::plain(SMALL, "small.ron");
        let set = text.set(&format!("{path}={value}")).and_then(|()| text.scenario().map(drop));
        if let Err(error) = set {
            assert!(!error.render(false).is_empty());
        }
    }

    #[test]
    fn any_quantity(text in "[a-z0-9(), .%/+-]{0,40}|.{0,20}") {
        let shown = [
            Uncertain::<Seconds>::parse(&text).map(|value| value.at(0.3).0),
            Uncertain::<Watts>::parse(&text).map(|value| value.at(0.3).0),
            Uncertain::<Share>::parse(&text).map(|value| value.at(0.3).0),
            Uncertain::<AnnualGrowth>::parse(&text).map(|value| value.at(0.3).0),
        ];
        for value in shown {
            match value {
                Ok(value) => prop_assert!(!value.is_nan()),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
