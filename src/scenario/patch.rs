//! Patches: a path and a piece of RON that takes the place of what stands there. A path may name
//! all entries with `*`; a new name adds an entry; `remove` takes one out.

use std::ops::Range;

use super::cursor::{Cursor, Parts};
use super::diagnostic::{ScenarioError, known_names};
use super::locate::{Path, Step};
use super::text::{Override, Part, ScenarioText};
use crate::hardware;

/// Longest old value that is remembered, characters.
const REMEMBERED: usize = 200;
/// What takes an entry out in place of a value.
const REMOVE: &str = "remove";
/// Names of the laws that uncertain quantities may have.
const LAWS: [&str; 5] = ["triangular", "uniform", "normal", "lognormal", "choice"];

/// Names of the growth laws.
const GROWTH: [&str; 5] = ["constant", "linear", "exponential", "logistic", "series"];

/// A patch and where it was written.
pub(super) struct Patch<'a> {
    /// Path as written.
    pub path: &'a str,
    /// Index of the origin.
    pub origin: usize,
    /// Bytes of the path there.
    pub path_at: Range<usize>,
    /// The new value, RON.
    pub value: &'a str,
    /// First byte of the value there.
    pub value_at: usize,
}

/// A step as a path of a patch names it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    One(Step),
    /// `*`: each of them.
    All,
}

/// Reads `sites.hyperion.phases[0].on`, `sites.*.slip`, `sites."a.b".slip`.
fn parse(path: &str) -> Result<Vec<Wanted>, String> {
    let mut steps = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        let wrong = || format!("`{path}` is not a path");
        if let Some(inside) = rest.strip_prefix('[').filter(|_| !steps.is_empty()) {
            let (index, after) = inside.split_once(']').ok_or_else(wrong)?;
            steps.push(match index.trim() {
                "*" => Wanted::All,
                index => Wanted::One(Step::Index(index.parse().map_err(|_| wrong())?)),
            });
            rest = after;
            continue;
        }
        if !steps.is_empty() {
            rest = rest.strip_prefix('.').ok_or_else(wrong)?;
        }
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').ok_or_else(wrong)?,
            None => rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len())),
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*');
        let sound =
            if rest.starts_with('"') { !name.contains('\\') } else { name.chars().all(plain) };
        if name.is_empty() || !sound {
            return Err(wrong());
        }
        let all = name == "*" && !rest.starts_with('"');
        steps.push(if all { Wanted::All } else { Wanted::One(Step::Key(name.to_owned())) });
        rest = after;
    }
    if steps.is_empty() { Err("a path is missing".to_owned()) } else { Ok(steps) }
}

/// What a path leads to.
enum Target {
    /// Where the entry starts, with its key, and its value.
    There { entry: usize, value: Range<usize> },
    /// The value that should hold the entry exists, the entry does not.
    New(Parts),
}

/// Why a path leads nowhere.
struct Lost {
    message: String,
    help: String,
}

fn target(text: &str, path: &Path) -> Result<Target, Lost> {
    let mut cursor = Cursor::outermost(text);
    let mut entry = cursor.at;
    for (depth, step) in path.0.iter().enumerate() {
        if let Some((start, value)) = cursor.enter(step) {
            entry = start;
            cursor.at = value;
            continue;
        }
        let parent = Path(path.0[..depth].to_vec());
        let here = Path(path.0[..=depth].to_vec());
        let Some(parts) = cursor.parts() else {
            let message = format!("`{here}` does not exist");
            let help = format!("`{parent}` is a plain value and has no parts");
            return Err(Lost { message, help });
        };
        let fits = match step {
            Step::Index(index) => parts.keys.is_empty() && *index == parts.count,
            Step::Key(name) if parts.bracket == b'(' => {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                    && (!parts.keys.is_empty() || parts.count == 0)
            }
            _ => parts.bracket == b'{',
        };
        if depth + 1 == path.0.len() && fits {
            return Ok(Target::New(parts));
        }
        let keys: Vec<&str> = parts.keys.iter().map(|key| &text[key.clone()]).collect();
        let help = match step {
            Step::Key(name) if !keys.is_empty() => known_names(name, keys),
            _ => format!("`{parent}` has {} entries, counted from [0]", parts.count),
        };
        return Err(Lost { message: format!("`{here}` does not exist"), help });
    }
    // A kind with one value, `constant("8%")`, named by its name: the value is what is inside.
    let kind = matches!(path.0.last(), Some(Step::Key(_))) && entry == cursor.at;
    if kind && cursor.peek() == Some(b'(') {
        let mut inside = cursor.clone();
        inside.at += 1;
        inside.skip_blank();
        let keyed = inside.clone().skip_key().is_some();
        if !keyed {
            let start = inside.at;
            return Ok(Target::There { entry: start, value: start..inside.skip_value() });
        }
    }
    let start = cursor.at;
    Ok(Target::There { entry, value: start..cursor.skip_value() })
}

/// The paths that a path with `*` stands for.
fn expand(text: &str, wanted: &[Wanted]) -> Vec<Path> {
    let mut paths = vec![Path::default()];
    for step in wanted {
        let mut longer = Vec::new();
        for path in paths {
            match step {
                Wanted::One(step) => longer.push(path.then(step.clone())),
                Wanted::All => longer.extend(children(text, &path)),
            }
        }
        paths = longer;
    }
    paths
}

fn children(text: &str, path: &Path) -> Vec<Path> {
    let mut cursor = Cursor::outermost(text);
    for step in &path.0 {
        match cursor.enter(step) {
            Some((_, value)) => cursor.at = value,
            None => return Vec::new(),
        }
    }
    let Some(parts) = cursor.parts() else { return Vec::new() };
    let key = |key: &Range<usize>| path.then(Step::Key(text[key.clone()].to_owned()));
    match parts.keys.as_slice() {
        [] => (0..parts.count).map(|index| path.then(Step::Index(index))).collect(),
        keys => keys.iter().map(key).collect(),
    }
}

impl ScenarioText {
    /// Puts the RON text `value` in place of what stands at `path`, or adds it there. `from` is who
    /// says so: it names the patch in faults and in the list of overrides.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] where the path leads nowhere. A value that is wrong is found when
    /// the scenario is read.
    pub fn patch(&mut self, from: &str, path: &str, value: &str) -> Result<(), ScenarioError> {
        let origin = self.add_origin(from, &format!("{path}={value}"));
        let value_at = path.len() + 1;
        self.apply(&Patch { path, origin, path_at: 0..path.len(), value, value_at }, true)
    }

    /// Applies `path=value` as the command line writes it: a value that takes the place of a text
    /// needs no quotes.
    ///
    /// # Errors
    /// [`ScenarioError::Invalid`] where there is no `=` or the path leads nowhere.
    pub fn set(&mut self, option: &str) -> Result<(), ScenarioError> {
        let Some((path, value)) = option.split_once('=') else {
            let written = Self::plain(option, "--set");
            let help = "write --set PATH=VALUE, for example --set sampling.worlds=20";
            return Err(written.fault_at(0..option.len(), "there is no `=`", help));
        };
        let origin = self.add_origin("--set", option);
        let first = parse(path).ok().and_then(|wanted| {
            self.lay_catalogue_entries(&wanted).ok()?;
            expand(self.text(), &wanted).into_iter().next()
        });
        let old = first.and_then(|path| match target(self.text(), &path) {
            Ok(Target::There { value, .. }) => Some(self.text()[value].to_owned()),
            _ => None,
        });
        let written = as_ron(value.trim(), old.as_deref());
        let value_at = path.len() + 1 + (value.len() - value.trim_start().len());
        let path_at = 0..path.len();
        self.apply(&Patch { path: path.trim(), origin, path_at, value: &written, value_at }, true)
    }

    /// Applies a patch; `noted` says whether it goes into the list of overrides.
    pub(super) fn apply(&mut self, patch: &Patch<'_>, noted: bool) -> Result<(), ScenarioError> {
        let lost = |whole: &Self, message: String, help: String| {
            let (name, text) = whole.origin(patch.origin);
            Self::plain(text, name).fault_at(patch.path_at.clone(), message, help)
        };
        let wanted = parse(patch.path).map_err(|message| {
            lost(self, message, "names with dots between: sites.hyperion.phases[0].on".to_owned())
        })?;
        if patch.value.trim().is_empty() {
            let help = "write the new value, or `remove`".to_owned();
            return Err(lost(self, format!("`{}` gets no value", patch.path), help));
        }
        let laid = self.lay_catalogue_entries(&wanted);
        laid.map_err(|Lost { message, help }| lost(self, message, help))?;
        let mut paths = expand(self.text(), &wanted);
        if patch.value.trim() == REMOVE {
            // From the back: what is taken out moves the places of what comes after it.
            paths.reverse();
        }
        if paths.is_empty() {
            let message = format!("`{}` names nothing", patch.path);
            return Err(lost(self, message, "`*` stands for entries that exist".to_owned()));
        }
        for path in paths {
            let was = self
                .apply_one(patch, &path)
                .map_err(|Lost { message, help }| lost(self, message, help))?;
            if noted {
                let (path, value) = (path.to_string(), patch.value.to_owned());
                let from = self.origin(patch.origin).0.to_owned();
                self.remember(Override { path, value, was, from });
            }
        }
        Ok(())
    }

    /// Applies a patch at one path; returns what stood there.
    fn apply_one(&mut self, patch: &Patch<'_>, path: &Path) -> Result<Option<String>, Lost> {
        let (origin, removes) = (patch.origin, patch.value.trim() == REMOVE);
        let value = Part { text: patch.value, origin, at: patch.value_at, stands_for: None };
        let whole = patch.path_at.clone();
        let glue = |text| {
            let stands_for = Some(whole.end - whole.start);
            Part { text, origin, at: whole.start, stands_for }
        };
        let comment_end = if patch.value.contains("//") { "\n" } else { "" };
        match target(self.text(), path)? {
            Target::There { entry, value: old } => {
                if removes && matches!(path.0.last(), Some(Step::Key(_))) && entry >= old.start {
                    let message = format!("`{path}` is the kind of a value and has no entry");
                    return Err(Lost { message, help: "put another kind in its place".to_owned() });
                }
                let was = shortened(&self.text()[old.clone()]);
                if removes {
                    let mut cursor = Cursor::at(self.text(), old.end);
                    cursor.skip_blank();
                    let comma = cursor.peek() == Some(b',');
                    let end = if comma { cursor.at + 1 } else { old.end };
                    self.splice(entry..end, &[]);
                } else {
                    // A comment in the value must not swallow what comes after it.
                    self.splice(old, &[value, glue(comment_end)]);
                }
                Ok(Some(was))
            }
            Target::New(_) if removes => {
                let message = format!("`{path}` does not exist");
                Err(Lost { message, help: "only what is there can be removed".to_owned() })
            }
            Target::New(parts) => {
                let key = match path.0.last() {
                    Some(Step::Key(name)) if parts.bracket == b'{' && !is_number(name) => {
                        format!("\"{name}\": ")
                    }
                    Some(Step::Key(name)) => format!("{name}: "),
                    _ => String::new(),
                };
                let (at, before, after) = if key.is_empty() && parts.count > 0 {
                    (parts.end, ", ", "")
                } else {
                    (parts.inside, "", ", ")
                };
                let (before, after) = (format!("{before}{key}"), format!("{comment_end}{after}"));
                self.splice(at..at, &[glue(&before), value, glue(&after)]);
                Ok(None)
            }
        }
    }

    /// Copies entries of the shipped catalogues that a path leads into and the text does not hold,
    /// so that a part of one can be patched.
    fn lay_catalogue_entries(&mut self, wanted: &[Wanted]) -> Result<(), Lost> {
        let [Wanted::One(Step::Key(section)), entry, _, ..] = wanted else { return Ok(()) };
        let Some((file, catalogue)) = hardware::catalogue_text(section) else { return Ok(()) };
        let all = children(catalogue, &Path::default());
        let names: Vec<Step> = match entry {
            Wanted::One(step) => vec![step.clone()],
            Wanted::All => all.iter().filter_map(|path| path.0.last().cloned()).collect(),
        };
        let origin = self.add_origin(file, catalogue);
        let top = Path::of(section);
        for name in names {
            let path = top.then(name.clone());
            let (Err(_) | Ok(Target::New(_)), Step::Key(key)) = (target(self.text(), &path), &name)
            else {
                continue;
            };
            let Ok(Target::There { value, .. }) = target(catalogue, &Path(vec![name.clone()]))
            else {
                let known: Vec<String> = all.iter().map(ToString::to_string).collect();
                let help = known_names(key, known.iter().map(String::as_str));
                return Err(Lost { message: format!("`{path}` does not exist"), help });
            };
            let glue = |text| Part { text, origin, at: value.start, stands_for: Some(0) };
            let (opening, closing, inside) = match target(self.text(), &top)? {
                Target::There { value, .. } => {
                    let inside = Cursor::at(self.text(), value.start).parts();
                    let inside = inside.map_or(value.start, |parts| parts.inside);
                    (format!("\"{key}\": "), ", ", inside)
                }
                Target::New(parts) => (format!("{section}: {{\"{key}\": "), "}, ", parts.inside),
            };
            let (text, at) = (&catalogue[value.clone()], value.start);
            let entry = Part { text, origin, at, stands_for: None };
            self.splice(inside..inside, &[glue(&opening), entry, glue(closing)]);
        }
        Ok(())
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// One line of at most [`REMEMBERED`] characters.
fn shortened(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = line.join(" ");
    if line.chars().count() <= REMEMBERED {
        return line;
    }
    line.chars().take(REMEMBERED).chain(" ...".chars()).collect()
}

/// A value of the command line as RON: put into quotes where a text is meant, and under `constant`
/// where a growth law stands and a plain value is given.
fn as_ron(value: &str, old: Option<&str>) -> String {
    let kind = |text: &str| text.split('(').next().unwrap_or_default().trim().to_owned();
    let grows = old.is_some_and(|old| GROWTH.contains(&kind(old).as_str()));
    if grows && value != REMOVE && !value.is_empty() && !GROWTH.contains(&kind(value).as_str()) {
        return format!("constant({})", as_ron(value, Some("\"\"")));
    }
    let quoted = || format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let word = value.split('(').next().unwrap_or_default().trim();
    let law = LAWS.contains(&word) && value.contains('(');
    let name = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let plain_name = name && word == value && !is_number(&word[..1]);
    let whole = ron::from_str::<ron::Value>(value).is_ok();
    match old.and_then(|old| old.bytes().next()) {
        _ if value == REMOVE || value.is_empty() => value.to_owned(),
        _ if law || !whole => quoted(),
        // A name in place of a text is a text; elsewhere it is a kind, such as `remainder`.
        Some(b'"') if plain_name => quoted(),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"Scenario(
    name: "base", // a comment
    sites: {"north": (slip: "1 months", list: [1, 2]), "south": (slip: "2 months")},
    law: logistic(start: (value: "5 users", source: "x"), cap: "9 users"),
    reference: "gb300",
)"#;

    fn patched(patches: &[(&str, &str)]) -> String {
        let mut text = ScenarioText::plain(BASE, "base.ron");
        for (path, value) in patches {
            text.patch("patch", path, value).unwrap_or_else(|error| panic!("{error}"));
        }
        text.text().to_owned()
    }

    #[test]
    fn a_patch_replaces_adds_and_removes() {
        let text = patched(&[("sites.*.slip", "\"7 d\""), ("law.start.value", "\"6 users\"")]);
        assert!(
            text.contains(r#""north": (slip: "7 d", list"#) && text.contains(r#"(slip: "7 d")}"#)
        );
        assert!(text.contains(r#"(value: "6 users", source"#));
        let text = patched(&[("sites.east", "(slip: \"0 d\")"), ("sites.north", "remove")]);
        assert!(text.contains(r#"sites: {"east": (slip: "0 d"),  "south""#), "{text}");
        let text = patched(&[("sites.north.list[2]", "3"), ("sites.north.list[0]", "remove")]);
        assert!(text.contains("list: [ 2, 3])"), "{text}");
        let text = patched(&[("sites.north.list[*]", "remove"), ("sites.*.slip", "remove")]);
        assert!(text.contains(r#"{"north": ( list: [ ]), "south": ()}"#), "{text}");
        let text = patched(&[("sites.north.slip", "1 // a"), ("sites.east", "2 // b")]);
        assert!(text.contains("slip: 1 // a\n, list") && text.contains("2 // b\n, "), "{text}");
        let text = patched(&[("law", "constant(\"3 users\")"), ("events", "{}")]);
        assert!(
            text.contains("law: constant(\"3 users\"),") && text.contains("Scenario(events: {}, ")
        );
        let text = patched(&[("hardware.gb300.life", "\"4 years\"")]);
        assert!(text.contains("hardware: {\"gb300\": (") && text.contains("life: \"4 years\""));
    }

    #[test]
    fn a_path_that_leads_nowhere_is_a_fault_in_the_patch() {
        let fault = |path: &str| {
            let mut text = ScenarioText::plain(BASE, "base.ron");
            let error = text.patch("plan.ron", path, "1").expect_err("nowhere");
            assert!(error.render(false).contains("plan.ron:1:1"), "{error}");
            error.render(false)
        };
        assert!(fault("sites.nroth.slip").contains("did you mean `north`?"));
        assert!(fault("name.first").contains("`name` is a plain value"));
        assert!(fault("sites.north.list[7]").contains("has 2 entries"));
        assert!(fault("name.*").contains("names nothing"));
        for path in ["", "a..b", "a[", "a[x]", "\"a", ".a", "a]", "a b", "sites.north.\"x y\""] {
            assert!(!fault(path).is_empty());
        }
    }

    #[test]
    fn values_of_the_command_line_need_no_quotes() {
        let text = |option: &str| {
            let mut text = ScenarioText::plain(BASE, "base.ron");
            text.set(option).unwrap_or_else(|error| panic!("{error}"));
            text.text().to_owned()
        };
        assert!(text("sites.north.slip=3 months").contains("slip: \"3 months\""));
        assert!(text("sites.north.slip=uniform(1, 3) months").contains("\"uniform(1, 3) months\""));
        assert!(text("sites.north.slip=\"3 d\"").contains("slip: \"3 d\""));
        assert!(text("reference = b200").contains("reference: \"b200\""));
        assert!(text("law=constant(\"1 users\")").contains("law: constant(\"1 users\")"));
        assert!(text("sites.north.list=[4]").contains("list: [4]"));
        assert!(text("law.start=8%").contains("start: \"8%\""));
        // A plain value where a growth law stands, and the inside of a kind by its name.
        assert!(text("law=5 users").contains("law: constant(\"5 users\")"));
        assert!(text("law=uniform(1, 5) users").contains("law: constant(\"uniform(1, 5) users\")"));
        let mut kind =
            ScenarioText::plain("(a: constant(\"8%\"), b: gpus((value: \"3 gpus\")))", "k");
        for option in ["a.constant=9%", "b.gpus=4 gpus"] {
            kind.set(option).unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(kind.text(), "(a: constant(\"9%\"), b: gpus(\"4 gpus\"))");
        assert!(kind.set("a.constant=remove").is_err());
    }
}
