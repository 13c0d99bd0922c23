//! What is wrong with a scenario, said so that it can be put right: where, what, and how to fix
//! it. Rendering as text is here; finding the faults is not.

use std::ops::Range;
use std::path::PathBuf;

use ariadne::{CharSet, Color, Config, IndexType, Label, Report, ReportKind, Source};

use super::locate::Path;

/// Faults that are shown in full; more than these are only counted.
const SHOWN: usize = 50;
/// Characters of a source line that are shown.
const EXCERPT: usize = 160;
/// Characters that are shown before the fault in a line that is longer than that.
const BEFORE: usize = 60;

/// A place in a file, with enough of the text to show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the file, as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line, or the part of it around the place.
    excerpt: String,
    /// Characters of the excerpt that are meant.
    marked: Range<usize>,
}

impl Place {
    /// The place of a span of bytes in `text`; a span that leaves its first line is cut there.
    #[must_use]
    pub fn of(text: &str, file: &str, span: Range<usize>) -> Self {
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end.clamp(start, line_end));
        let column = text[line_start..start].chars().count();
        let marked = text[start..end].chars().count().max(1);
        let skipped = if column + marked > EXCERPT { column.saturating_sub(BEFORE) } else { 0 };
        // Control characters could move the terminal's cursor; a line break must not come in.
        let printable = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
        let line = text[line_start..line_end].trim_end_matches('\r');
        let mut excerpt: String = line.chars().skip(skipped).take(EXCERPT).map(printable).collect();
        let from = column - skipped;
        let length = excerpt.chars().count();
        // A fault at the end of the line needs a blank to be marked.
        excerpt.extend(std::iter::repeat_n(' ', (from + 1).saturating_sub(length)));
        let to = (from + marked).min(length.max(from + 1));
        let line = text[..start].matches('\n').count() + 1;
        Self { file: file.to_owned(), line, column: column + 1, excerpt, marked: from..to }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// One fault in a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which value: `sites.prometheus.phases[0].accelerator`; empty where the text is not RON.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
    /// Where it stands.
    pub place: Place,
}

impl Diagnostic {
    /// The fault as a report with its source line, several lines of text.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let place = &self.place;
        let config = Config::default()
            .with_color(colour)
            .with_index_type(IndexType::Char)
            .with_char_set(CharSet::Unicode);
        // Blank lines before the excerpt give it its number in the margin.
        let above = place.line - 1;
        let marked = above + place.marked.start..above + place.marked.end;
        let span = (place.file.clone(), marked);
        let shown = if self.path.is_empty() { "here" } else { &self.path };
        let label = Label::new(span.clone()).with_message(shown).with_color(Color::Red);
        let mut report = Report::build(ReportKind::Error, span.clone())
            .with_config(config)
            .with_message(&self.message)
            .with_label(label);
        if let Some(help) = &self.help {
            report.set_help(help);
        }
        let source = Source::from("\n".repeat(above) + &place.excerpt);
        let mut out = Vec::new();
        match report.finish().write((span.0, source), &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(_) => format!("Error: {}\n", self.message),
        }
    }
}

/// A fault found by a check, before it is found again in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which value.
    pub path: Path,
    /// What is wrong.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
}

impl Finding {
    /// A fault at a path.
    #[must_use]
    pub fn new(path: Path, message: impl Into<String>) -> Self {
        Self { path, message: message.into(), help: None }
    }

    /// The same with a way to put it right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Why there is no scenario.
#[derive(Debug)]
pub enum ScenarioError {
    /// The file could not be read (exit code 1).
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
        /// What may help.
        help: Option<String>,
    },
    /// The file was read, and what it says cannot be simulated (exit code 2): the faults in the
    /// order of the checks; the last of very many only counts the rest.
    Invalid(Vec<Diagnostic>),
}

impl ScenarioError {
    /// One fault in a text.
    pub(super) fn one(fault: Diagnostic) -> Self {
        Self::Invalid(vec![fault])
    }

    /// The faults that checks found, each found again in the text.
    pub(super) fn of_findings(
        mut findings: Vec<Finding>,
        place_of: impl Fn(&Path) -> Place,
    ) -> Self {
        let more = findings.len().saturating_sub(SHOWN);
        findings.truncate(SHOWN);
        if more > 0 {
            let last = findings[SHOWN - 1].path.clone();
            findings.push(Finding::new(last, format!("and {more} more faults of this kind")));
        }
        let place = |finding: Finding| Diagnostic {
            path: finding.path.to_string(),
            place: place_of(&finding.path),
            message: finding.message,
            help: finding.help,
        };
        Self::Invalid(findings.into_iter().map(place).collect())
    }

    /// The exit code that a program ends with: 1 for the system's faults, 2 for the scenario's.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Read { .. } => 1,
            Self::Invalid(_) => 2,
        }
    }

    /// The faults in a scenario; none where the file could not be read.
    #[must_use]
    pub fn faults(&self) -> &[Diagnostic] {
        match self {
            Self::Read { .. } => &[],
            Self::Invalid(faults) => faults,
        }
    }

    /// Everything that is wrong, as text for people, with colours if wanted.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        match self {
            Self::Read { path, source, help } => {
                let help = help.as_ref().map_or(String::new(), |help| format!("  help: {help}\n"));
                format!("Error: cannot read `{}`: {source}\n{help}", path.display())
            }
            Self::Invalid(faults) => faults.iter().map(|fault| fault.render(colour)).collect(),
        }
    }
}

impl std::fmt::Display for ScenarioError {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for ScenarioError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } => Some(source),
            Self::Invalid(_) => None,
        }
    }
}

/// The known name that somebody who wrote `found` may have meant.
#[must_use]
pub fn nearest_name<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let far = |name: &str| strsim::osa_distance(&found.to_lowercase(), &name.to_lowercase());
    let (distance, name) = known.into_iter().map(|name| (far(name), name)).min()?;
    (distance <= 1 + name.chars().count().max(3) / 3).then_some(name)
}

/// The help for a name that is not known: the nearest known one, and all of them.
#[must_use]
pub fn known_names<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    if known.is_empty() {
        return "there is none to choose from".to_owned();
    }
    let list = known.join(", ");
    match nearest_name(found, known) {
        Some(name) => format!("did you mean `{name}`? known: {list}"),
        None => format!("known: {list}"),
    }
}
