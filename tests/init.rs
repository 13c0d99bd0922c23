//! Scenarios to start from, completions and manual pages.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn sparkgap(folder: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(assert_cmd::cargo::cargo_bin!("sparkgap"));
    program.current_dir(folder).args(arguments).output().expect("the program starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn what_init_writes_is_sound_and_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (file, options) in [("scenario.ron", &[][..]), ("variant.ron", &["--variant"])] {
        let output = sparkgap(folder.path(), &[&["init", file], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let text = fs::read_to_string(folder.path().join(file)).expect("it was written");
        assert!(text.starts_with("// ") && text.contains("How to write it"));
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{file}");
        let output = sparkgap(folder.path(), &["check", file]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        let run = ["run", file, "--worlds", "2", "--inner", "1", "--quiet", "--no-charts"];
        let output = sparkgap(folder.path(), &run);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
}

#[test]
fn init_writes_over_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mine.ron");
    fs::write(&path, "mine").expect("a temporary file");
    let output = sparkgap(folder.path(), &["init", "mine.ron"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("`mine.ron` is there already"));
    assert_eq!(fs::read_to_string(&path).ok().as_deref(), Some("mine"));
    let output = sparkgap(folder.path(), &["init", "copy.ron", "--from", "muse_sprak"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("did you mean `muse_spark`?"));
    assert!(!folder.path().join("copy.ron").exists());
    let output = sparkgap(folder.path(), &["init", "copy.ron", "--from", "muse_spark"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let copy = fs::read_to_string(folder.path().join("copy.ron")).expect("it was written");
    assert_eq!(copy, sparkgap::scenario::Scenario::embedded_text());
}

#[test]
fn the_command_line_describes_itself() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = sparkgap(folder.path(), &["completions", shell]);
        let script = said(&output);
        assert_eq!(output.status.code(), Some(0));
        assert!(script.contains("sparkgap") && script.contains("adequacy"), "{shell}");
    }
    let output = sparkgap(folder.path(), &["man"]);
    assert!(said(&output).contains(".TH sparkgap 1"));
    let output = sparkgap(folder.path(), &["man", "--out", "pages"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let page = fs::read_to_string(folder.path().join("pages/sparkgap-run.1")).expect("a page");
    assert!(page.contains("\\-\\-worlds") && page.contains(".TH sparkgap-run 1"), "{page}");
}
