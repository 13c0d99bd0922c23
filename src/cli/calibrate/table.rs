//! What was found, as people read it: on the terminal, and in the header of the written file.

use std::path::Path;

use super::{Calibration, Coefficient, POINTS};

/// Error of a mean from which on a fit is called no description.
const POOR: f64 = 0.2;
/// Columns of a warning.
const WIDTH: usize = 96;

/// The whole table.
pub(super) fn table(found: &Calibration, out: Option<&Path>) -> String {
    let mut text = format!("Step time from {} requests of {}\n\n", found.requests, found.source);
    for warning in warnings(found) {
        text += &format!("  {warning}\n");
    }
    text += if found.warnings.is_empty() { "" } else { "\n" };
    for line in figures(found) {
        text += format!("  {line}").trim_end();
        text.push('\n');
    }
    let written = |out: &Path| format!("\n  Written to {}.\n", out.display());
    text + &out.map_or(String::new(), written)
}

/// The warnings, line by line.
pub(super) fn warnings(found: &Calibration) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for warning in &found.warnings {
        let mut line = "Warning:".to_owned();
        for word in warning.split(' ') {
            if line.chars().count() + word.chars().count() >= WIDTH {
                lines.push(std::mem::replace(&mut line, " ".to_owned()));
            }
            line += &format!(" {word}");
        }
        lines.push(line + ".");
    }
    lines
}

/// Everything but the title, line by line.
pub(super) fn figures(found: &Calibration) -> Vec<String> {
    let mut lines = vec![
        "t = base + max(floor, per_token x (sequences + prompt tokens))".to_owned(),
        "    + per_sequence x sequences + per_context_token x context tokens".to_owned(),
        String::new(),
        format!(
            "{:<18}{:>25}{:>25}",
            "fitted on",
            format!("all {}", found.requests),
            format!("the first {}", found.first_half_requests)
        ),
    ];
    let cell = |of: &Coefficient| {
        let unit = of.standard_error.split(' ').next_back().unwrap_or_default();
        let number = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        format!("{} +- {} {unit}", number(&of.value), number(&of.standard_error))
    };
    for (all, half) in found.coefficients.iter().zip(&found.first_half) {
        lines.push(format!("{:<18}{:>25}{:>25}", all.name, cell(all), cell(half)));
    }
    lines.push(String::new());
    lines.push(format!(
        "Foretold by the fit on the first {} by arrival: all replayed, error over the others",
        found.first_half_requests
    ));
    lines.push(format!("{:<5}{:>9}{:>9}{:>9}{:>9}", "", "mean", "P50", "P90", "P99"));
    for rows in found.hold_out.chunks(POINTS.len()) {
        let cells = rows.iter().map(|row| format!("{:>+7.2} %", 100.0 * row.error));
        lines.push(format!("{:<5}{}", rows[0].latency.to_uppercase(), cells.collect::<String>()));
    }
    if !found.not_determined.is_empty() {
        let names = found.not_determined.join(", ");
        lines.push(String::new());
        lines.push(format!("Not determined by this log: {names}."));
        lines.push(
            "The two fits differ there by more than 4 of their joint standard errors: take none of"
                .to_owned(),
        );
        lines.push(
            "them for itself. More requests, at loads that differ, tell them apart.".to_owned(),
        );
    }
    let means = found.hold_out.iter().filter(|row| row.statistic == POINTS[0]);
    if means.clone().any(|row| row.error.abs() > POOR) {
        lines.push(String::new());
        lines.push(
            "This does not describe the deployment: a mean is off by more than a fifth.".to_owned(),
        );
        lines.push(
            "Are --max-sequences, --token-budget and --kv-tokens those of the engine?".to_owned(),
        );
    }
    lines.push(String::new());
    lines.push("+- is one standard error (jackknife over blocks of consecutive requests).".into());
    lines.push(format!(
        "{} sequences, {} tokens of a step, {} context tokens replayed:",
        found.max_sequences, found.token_budget, found.replayed_kv_tokens
    ));
    lines.extend(found.limits_from.split(", ").map(|part| format!("  {part}")));
    lines
}
