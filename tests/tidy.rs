//! The house rules, read off the sources themselves: floors, sizes, words that must not appear.
//! Each rule also has a sample that breaks it, so that no rule can go blind unnoticed.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and their floors; a module imports from lower floors only.
const FLOORS: [(&str, u8); 17] = [
    ("units", 0),
    ("time", 0),
    ("event_queue", 0),
    ("rng", 0),
    ("stats", 0),
    ("demand", 1),
    ("hardware", 1),
    ("supply", 2),
    ("engine", 2),
    ("scenario", 3),
    ("fleet", 4),
    ("study", 5),
    ("plan", 6),
    ("report", 7),
    ("cli", 8),
    ("lib", 9),
    ("main", 9),
];

/// Words that no source may hold.
const FORBIDDEN: [&str; 5] = ["todo!", "dbg!", "unimplemented!", "unsafe", "HashMap"];
const LONGEST_FUNCTION: usize = 70;
const LONGEST_FILE: usize = 500;
const LONGEST_LINE: usize = 100;
/// Lines of code in `src`: comments, blank lines and inline tests are not what grows stale.
const LONGEST_SOURCE: usize = 36_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files under a folder, in order of name, with their paths relative to the repository.
fn files(folder: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(path) = open.pop() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let skipped = ["target", "out", ".git", "shared"];
        if name.is_some_and(|name| skipped.contains(&name.as_str())) {
            continue;
        }
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of the repository");
            open.extend(entries.map(|entry| entry.expect("a readable entry").path()));
        } else if let Ok(relative) = path.strip_prefix(root()) {
            found.push((relative.to_string_lossy().into_owned(), path));
        }
    }
    found.sort();
    found
}

fn rust_files(folder: &str) -> Vec<(String, String)> {
    let files = files(folder).into_iter().filter(|(name, _)| name.ends_with(".rs"));
    files.map(|(name, path)| (name, fs::read_to_string(path).expect("sources are text"))).collect()
}

fn all_rust_files() -> Vec<(String, String)> {
    ["src", "tests", "benches", "examples"].iter().flat_map(|folder| rust_files(folder)).collect()
}

/// The source with comments, texts and characters blanked out; lines stay lines.
fn code_of(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => end_of_line(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => after(source, at + 2, "*/"),
            b'r' if raw_text(source, at).is_some() => raw_text(source, at).unwrap_or(at + 1),
            b'"' => end_of_text(bytes, at + 1, b'"'),
            b'\'' => end_of_character(source, at),
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.min(bytes.len());
        code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8_lossy(&code).into_owned()
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn after(source: &str, at: usize, end: &str) -> usize {
    source[at..].find(end).map_or(source.len(), |length| at + length + end.len())
}

/// Where the raw text that begins at `at` ends, if one begins there.
fn raw_text(source: &str, at: usize) -> Option<usize> {
    let rest = &source[at + 1..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let word = at > 0 && {
        let before = source.as_bytes()[at - 1];
        before.is_ascii_alphanumeric() || before == b'_'
    };
    let opens = rest[hashes..].starts_with('"') && !word;
    opens.then(|| after(source, at + hashes + 2, &format!("\"{}", "#".repeat(hashes))))
}

fn end_of_text(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// A character ends at its quote; a lifetime has none and ends at once.
fn end_of_character(source: &str, at: usize) -> usize {
    let mut rest = source[at + 1..].chars();
    match (rest.next(), rest.next()) {
        (Some('\\'), _) => end_of_text(source.as_bytes(), at + 1, b'\''),
        (Some(first), Some('\'')) => at + 1 + first.len_utf8() + 1,
        _ => at + 1,
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Places of a word in code, not as a part of a longer word.
fn places(code: &str, word: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let whole = |at: &usize| {
        let end = at + word.len();
        let free = |byte: Option<&u8>| byte.is_none_or(|byte| !is_word(*byte));
        let open = !word.ends_with(|last: char| last.is_alphanumeric()) || free(bytes.get(end));
        open && (*at == 0 || free(bytes.get(at - 1)))
    };
    code.match_indices(word).map(|(at, _)| at).filter(whole).collect()
}

/// The module of the crate's root that a file belongs to: `src/demand/growth.rs` to `demand`.
fn module_of(file: &str) -> &str {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    inside.split('/').next().map_or(inside, |name| name.trim_end_matches(".rs"))
}

fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Modules of the crate's root that a piece of code names: `crate::a`, `crate::{a, b::c}`, and
/// `super::a` in a file that is itself a module of the root.
fn imports(file: &str, code: &str) -> Vec<String> {
    let top = file.matches('/').count() == 1 || file.ends_with("/mod.rs");
    let mut found = Vec::new();
    for prefix in ["crate::", "super::"] {
        for at in places(code, prefix) {
            let rest = &code[at + prefix.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split('}').next().unwrap_or("").split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let name = name.trim_start().split(|c: char| !is_word(c as u8)).next();
                let name = name.unwrap_or("").to_owned();
                if prefix == "crate::" || (top && floor_of(&name).is_some()) {
                    found.push(name);
                }
            }
        }
    }
    found
}

fn floor_faults(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(floor) = floor_of(module) else {
        return vec![format!("{file}: the module `{module}` stands on no floor")];
    };
    let allowed =
        |other: &str| other == module || floor_of(other).is_some_and(|other| other < floor);
    imports(file, &code_of(source))
        .into_iter()
        .filter(|name| !allowed(name))
        .map(|name| format!("{file}: `{module}` must not import `{name}`"))
        .collect()
}

/// Threads belong to the study; the command line only sets up how many there are.
fn thread_faults(file: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let allowed = |at: &usize| match module_of(file) {
        "study" => true,
        "cli" => code[*at..].starts_with("rayon::ThreadPool"),
        _ => false,
    };
    let places = places(&code, "rayon");
    places.iter().filter(|at| !allowed(at)).map(|_| format!("{file}: rayon")).collect()
}

fn print_faults(file: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let words = ["println!", "eprintln!", "print!", "eprint!"];
    let printing = words.iter().filter(|word| !places(&code, word).is_empty());
    let printing = printing.filter(|_| module_of(file) != "cli");
    printing.map(|word| format!("{file}: {word} outside the command line")).collect()
}

fn word_faults(file: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let found = FORBIDDEN.iter().filter(|word| !places(&code, word).is_empty());
    found.map(|word| format!("{file}: `{word}`")).collect()
}

fn header_faults(file: &str, source: &str, header: &str) -> Vec<String> {
    let missing = !source.starts_with(header);
    missing.then(|| format!("{file}: does not start with `{header}`")).into_iter().collect()
}

fn length_faults(file: &str, source: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let count = source.lines().count();
    if count > LONGEST_FILE {
        faults.push(format!("{file}: {count} lines"));
    }
    for (index, line) in source.lines().enumerate() {
        let columns = line.chars().count();
        if columns > LONGEST_LINE {
            faults.push(format!("{file}:{}: {columns} columns", index + 1));
        }
    }
    faults
}

/// Lines that hold code, those of the inline tests at the end of a file left out.
fn lines_of_code(source: &str) -> usize {
    let product = source.split("\n#[cfg(test)]\nmod ").next().unwrap_or(source);
    let code = code_of(product);
    // A line inside a text is code: only what is blank in the source too, or a comment, is not.
    let counts = |(code, line): &(&str, &str)| {
        !code.trim().is_empty() || !(line.trim().is_empty() || line.trim().starts_with("//"))
    };
    code.lines().zip(product.lines()).filter(counts).count()
}

fn function_faults(file: &str, source: &str) -> Vec<String> {
    let code = code_of(source);
    let mut faults = Vec::new();
    for at in places(&code, "fn ") {
        let (mut braces, mut brackets) = (0, 0);
        let mut end = at;
        for (offset, byte) in code[at..].bytes().enumerate() {
            match byte {
                b'(' | b'[' => brackets += 1,
                b')' | b']' => brackets -= 1,
                b'{' => braces += 1,
                b'}' => braces -= 1,
                _ => continue,
            }
            // The body has closed, or a type `fn(..)` or a bodiless function has ended.
            if byte == b'}' && braces <= 0 || brackets < 0 {
                end = at + offset;
                break;
            }
        }
        let lines = code[at..end].matches('\n').count() + 1;
        let bodiless = code[at..end].find(';').is_some_and(|semicolon| {
            let head = &code[at..at + semicolon];
            !head.contains('{') && head.matches('[').count() == head.matches(']').count()
        });
        if lines > LONGEST_FUNCTION && !bodiless {
            let line = code[..at].matches('\n').count() + 1;
            faults.push(format!("{file}:{line}: a function of {lines} lines"));
        }
    }
    faults
}

/// Paths of one machine: put together here, so that this file does not hold them itself.
fn path_faults(file: &str, text: &str) -> Vec<String> {
    let machine = ["work", "tmp", "home", "root"].map(|folder| format!("/{folder}/"));
    let begins = |path: &str| {
        text.match_indices(path).any(|(at, _)| {
            at == 0 || {
                let before = text.as_bytes()[at - 1];
                !is_word(before) && !matches!(before, b'.' | b'}' | b'>' | b')')
            }
        })
    };
    let found = machine.iter().filter(|path| begins(path));
    found.map(|path| format!("{file}: the machine's path {path}")).collect()
}

fn assert_none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn over(files: &[(String, String)], rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    assert!(!files.is_empty());
    files.iter().flat_map(|(file, source)| rule(file, source)).collect()
}

#[test]
fn modules_import_from_lower_floors_only() {
    assert_none(over(&rust_files("src"), floor_faults));
    let breaks = |file, source| assert_eq!(floor_faults(file, source).len(), 1, "{source}");
    breaks("src/demand/growth.rs", "use crate::hardware::Llm;");
    breaks("src/engine/mod.rs", "use crate::supply::Site;");
    breaks("src/fleet/world.rs", "let x = crate::plan::Answer::new();");
    breaks("src/rng.rs", "use crate::{rng::A, time::FleetTime};");
    breaks("src/stats.rs", "use super::units::Share;");
    breaks("src/helpers/mod.rs", "");
    let holds = "use crate::units::A;\n/// See [`crate::plan`].\nuse crate::engine::B;";
    assert_none(floor_faults("src/engine/curve.rs", holds));
}

#[test]
fn only_the_study_uses_threads() {
    assert_none(over(&rust_files("src"), thread_faults));
    assert_eq!(thread_faults("src/fleet/world.rs", "use rayon::prelude::*;").len(), 1);
    assert_eq!(thread_faults("src/cli/run.rs", "rayon::spawn(f);").len(), 1);
    assert_none(thread_faults("src/study/mod.rs", "use rayon::prelude::*;"));
}

#[test]
fn only_the_command_line_prints() {
    assert_none(over(&rust_files("src"), print_faults));
    assert_eq!(print_faults("src/plan/need.rs", "println!(\"{need}\");").len(), 1);
    assert_eq!(print_faults("src/plan/need.rs", "eprint!(\"{need}\");").len(), 1);
    assert_none(print_faults("src/plan/need.rs", "// println!\nlet text = \"println!\";"));
}

#[test]
fn forbidden_words_are_absent() {
    assert_none(over(&all_rust_files(), word_faults));
    for word in FORBIDDEN {
        assert_eq!(word_faults("a.rs", &format!("let a = '\"'; {word} {{}}")).len(), 1, "{word}");
        let hidden =
            format!("// {word}\n/* {word} */ \"\\\" {word}\" r#\"\" {word}\"# unsafe_code");
        assert_none(word_faults("a.rs", &hidden));
    }
}

#[test]
fn every_file_says_what_it_is() {
    assert_none(over(&all_rust_files(), |file, text| header_faults(file, text, "//! ")));
    let configs: Vec<(String, String)> = files("configs")
        .into_iter()
        .filter(|(name, _)| name.ends_with(".ron"))
        .map(|(name, path)| (name, fs::read_to_string(path).expect("configurations are text")))
        .collect();
    assert_none(over(&configs, |file, text| header_faults(file, text, "// ")));
    assert_eq!(header_faults("a.rs", "use std::fs;\n//! late", "//! ").len(), 1);
    assert_eq!(header_faults("a.ron", "Scenario()", "// ").len(), 1);
}

#[test]
fn files_and_lines_are_short() {
    assert_none(over(&all_rust_files(), length_faults));
    assert_eq!(length_faults("a.rs", &"\n".repeat(LONGEST_FILE + 1)).len(), 1);
    assert_eq!(length_faults("a.rs", &"\u{e9}".repeat(LONGEST_LINE + 1)).len(), 1);
    assert_none(length_faults("a.rs", &"\u{e9}".repeat(LONGEST_LINE)));
    let total: usize = rust_files("src").iter().map(|(_, text)| lines_of_code(text)).sum();
    assert!(total < LONGEST_SOURCE, "src has {total} lines of code");
    let sample = "//! a\n\nlet a = \"\";\n\n#[cfg(test)]\nmod tests {\n    b();\n}\n";
    assert_eq!(lines_of_code(sample), 1);
}

#[test]
fn functions_are_short() {
    assert_none(over(&all_rust_files(), function_faults));
    let body = |lines: usize| format!("fn a(b: [u8; 2]) {{{}}}", "\n".repeat(lines - 1));
    assert_none(function_faults("a.rs", &body(LONGEST_FUNCTION)));
    assert_eq!(function_faults("a.rs", &body(LONGEST_FUNCTION + 1)).len(), 1);
    let nested = format!("impl A {{ pub fn b() {{ let x = '{{'; \n{} }} }}", "{ }\n".repeat(70));
    assert_eq!(function_faults("a.rs", &nested).len(), 1);
    let bodiless = format!("trait A {{ fn b(&self); {} }}", "\n".repeat(100));
    assert_none(function_faults("a.rs", &bodiless));
}

#[test]
fn no_text_knows_one_machine() {
    let mut faults = Vec::new();
    for (name, path) in files("") {
        // Pictures and tables in binary form are no text.
        if let Ok(text) = fs::read_to_string(path) {
            faults.extend(path_faults(&name, &text));
        }
    }
    assert_none(faults);
    assert_eq!(path_faults("a.md", &["see /", "work/main"].concat()).len(), 1);
    assert_eq!(path_faults("a.md", &["\"/", "tmp/x\""].concat()).len(), 1);
    assert_none(path_faults("a.md", &["tokens/", "work/step"].concat()));
}

/// Tests that a document names in backticks: words with two underscores or more.
fn named_tests(document: &str) -> Vec<&str> {
    let words = document.split('`').skip(1).step_by(2);
    let test = |word: &&str| {
        let plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || is_word(byte));
        plain && word.matches('_').count() >= 3
    };
    words.filter(test).collect()
}

#[test]
fn tests_that_the_model_names_exist() {
    let model = fs::read_to_string(root().join("docs/model.md")).expect("the model");
    let sources: String = all_rust_files().into_iter().map(|(_, text)| text).collect();
    let named = named_tests(&model);
    assert!(named.len() > 60, "{} names", named.len());
    let missing = named.iter().filter(|name| places(&sources, &format!("fn {name}")).is_empty());
    assert_none(missing.map(|name| format!("no test `{name}`")).collect());
    assert_eq!(named_tests("see `a_b_c_d`, `ttft_p99` and `fn x`"), ["a_b_c_d"]);
}
