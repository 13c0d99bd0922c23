//! `sparkgap calibrate`: from a request log of vLLM to the step time of the deployment, and to a
//! scenario that has it.

mod args;
mod limits;
mod recorded;
mod table;
mod written;

pub use args::{CalibrateArguments, LimitArguments, VariantArguments};

use std::path::Path;

use serde::Serialize;

use self::limits::{Limits, limits};
use self::recorded::Recorded;
use self::written::Written;
use super::{Failure, print, say_error};
use crate::demand::{PrefixHits, Trace, TraceFormat};
use crate::study::{
    COEFFICIENT_NAMES, COEFFICIENTS, COMPARED, CalibrationFault, Fitted, HoldOut, ServedCall,
    fit_all, hold_out, served_calls,
};
use crate::time::{DAY, FleetTime};

/// Columns of the statistics of a latency.
const POINTS: [&str; 4] = ["mean", "p50", "p90", "p99"];

/// Everything that was found: what is printed with `--json`.
#[derive(Debug, Serialize)]
struct Calibration {
    /// The log.
    source: String,
    /// What the file of limits says was measured.
    recorded: Recorded,
    /// Where the log is plainly not of what its step time is written for.
    warnings: Vec<String>,
    requests: usize,
    max_sequences: u32,
    token_budget: u32,
    kv_tokens: Option<u64>,
    /// Where the limits come from.
    limits_from: String,
    /// Context tokens that the replay holds.
    replayed_kv_tokens: u64,
    /// Fitted on all requests.
    coefficients: Vec<Coefficient>,
    /// Fitted on the first half alone.
    first_half: Vec<Coefficient>,
    first_half_requests: usize,
    /// Coefficients on which the two fits do not agree.
    not_determined: Vec<&'static str>,
    /// Simulated over recorded, less 1, in the second half, of a fit on the first.
    hold_out: Vec<Compared>,
}

#[derive(Debug, Serialize)]
struct Coefficient {
    name: &'static str,
    value: String,
    standard_error: String,
    seconds: f64,
    standard_error_seconds: f64,
}

#[derive(Debug, Serialize)]
struct Compared {
    latency: &'static str,
    statistic: &'static str,
    recorded_seconds: f64,
    error: f64,
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}

/// Fits, checks on the second half, prints and writes.
pub(super) fn calibrate(arguments: &CalibrateArguments) -> Result<(), Failure> {
    let (calls, first) = calls_of(&arguments.log)?;
    let Limits { engine, from, recorded } = limits(&arguments.log, &arguments.limits)?;
    // Whatever is wrong with the scenario is said before the fit, which takes a while.
    let written = Written::of(arguments, &recorded, first, engine)?;
    let warnings = written.as_ref().and_then(Written::differs).map(not_measured_here);
    let warnings: Vec<String> = warnings.into_iter().collect();
    warnings.iter().for_each(|warning| say_error(&format!("warning: {warning}")));
    let file = arguments.log.display().to_string();
    let wrong = |fault: CalibrationFault| usage(format!("{file}: {fault}"));
    let held = hold_out(&calls, &engine).map_err(wrong)?;
    let all = fit_all(&calls, &engine).map_err(wrong)?;
    let calibration = Calibration {
        source: file,
        recorded,
        warnings,
        requests: calls.len(),
        max_sequences: engine.max_sequences,
        token_budget: engine.token_budget,
        kv_tokens: engine.kv_tokens,
        limits_from: from,
        replayed_kv_tokens: all.coefficients.kv_tokens,
        coefficients: coefficients(&all),
        first_half: coefficients(&held.fitted),
        first_half_requests: held.fitted_rows,
        not_determined: not_determined(&all, &held.fitted),
        hold_out: compared(&held),
    };
    if let Some(written) = &written {
        written.write(&calibration)?;
    }
    if arguments.json {
        // Plain numbers and text keys: serialising them cannot fail.
        print(&(serde_json::to_string_pretty(&calibration).unwrap_or_default() + "\n"))?;
    } else {
        print(&table::table(&calibration, arguments.out.as_deref()))?;
    }
    written.map_or(Ok(()), |written| written.check())
}

/// How well the first half of a log foretells the second, with the limits of the `meta.json` that
/// lies beside it.
pub(super) fn held_out(log: &Path) -> Result<HoldOut, Failure> {
    let limits = limits(log, &LimitArguments::default())?;
    let wrong = |fault: CalibrationFault| usage(format!("{}: {fault}", log.display()));
    hold_out(&calls_of(log)?.0, &limits.engine).map_err(wrong)
}

/// The requests of a log, and the day of the first one where its clock is that of the calendar.
fn calls_of(log: &Path) -> Result<(Vec<ServedCall>, Option<FleetTime>), Failure> {
    let mut trace = Trace::open(log, Some(TraceFormat::Vllm), PrefixHits::None)?;
    let mut rows = Vec::new();
    while let Some(row) = trace.next() {
        rows.push((row?, trace.served()));
    }
    let day = trace.first_time().map(|first| FleetTime(first as i64 / DAY * DAY));
    // Clocks that began with the computer say a day of 1970.
    let day = day.filter(|day| (2000..=2100).contains(&day.date().0));
    let calls = served_calls(&rows);
    Ok((calls.map_err(|fault| usage(format!("{}: {fault}", log.display())))?, day))
}

/// A duration and its standard error in the unit in which the larger one is easily read. The last
/// digit is a tenth to a hundredth of the error, and there are five digits at most.
fn duration(seconds: f64, error: f64) -> (String, String) {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")];
    let large = seconds.max(error);
    let (unit, name) = units.into_iter().find(|(unit, _)| large >= *unit).unwrap_or(units[3]);
    let place = |value: f64| libm::floor(libm::log10(value / unit));
    // Either may be nothing at all.
    let wanted = if error > 0.0 { 1.0 - place(error) } else { 9.0 };
    let most = if large > 0.0 { 4.0 - place(large) } else { 0.0 };
    let after = wanted.min(most).clamp(0.0, 12.0) as usize;
    let shown = |value: f64| format!("{:.after$} {name}", value / unit);
    (shown(seconds), shown(error))
}

fn coefficients(fitted: &Fitted) -> Vec<Coefficient> {
    let one = |index: usize| {
        let (seconds, error) = (fitted.coefficients.seconds[index], fitted.errors[index]);
        let (value, standard_error) = duration(seconds, error);
        Coefficient {
            name: COEFFICIENT_NAMES[index],
            value,
            standard_error,
            seconds,
            standard_error_seconds: error,
        }
    };
    (0..COEFFICIENTS).map(one).collect()
}

/// A warning: the log is of something else than its step time is written for.
fn not_measured_here(differs: &str) -> String {
    format!(
        "this log is not of what its step time is written for: {differs}. Whatever the scenario \
         gives there is called measured and was measured elsewhere: name the --accelerator, \
         --workload and --precision that the log is of"
    )
}

/// Joint standard errors by which the fits of all of a log and of its first half differ where the
/// log does not determine a coefficient.
const APART: f64 = 4.0;
/// Share of the larger one that they differ by at least, and seconds: what is below it is nothing
/// in a step of a hundred thousand tokens.
const NOTICED: f64 = 0.1;
const NEGLIGIBLE: f64 = 1e-11;

/// Names of the coefficients that the log does not determine.
fn not_determined(all: &Fitted, half: &Fitted) -> Vec<&'static str> {
    let apart = |index: &usize| {
        let of = |fitted: &Fitted| (fitted.coefficients.seconds[*index], fitted.errors[*index]);
        let ((a, a_error), (b, b_error)) = (of(all), of(half));
        (a - b).abs() > (APART * a_error.hypot(b_error)).max(NOTICED * a.max(b)).max(NEGLIGIBLE)
    };
    (0..COEFFICIENTS).filter(apart).map(|index| COEFFICIENT_NAMES[index]).collect()
}

fn compared(held: &HoldOut) -> Vec<Compared> {
    let mut rows = Vec::new();
    for (latency, (errors, recorded)) in
        COMPARED.into_iter().zip(held.errors.iter().zip(&held.recorded))
    {
        for (statistic, (error, recorded)) in POINTS.into_iter().zip(errors.iter().zip(recorded)) {
            rows.push(Compared { latency, statistic, recorded_seconds: *recorded, error: *error });
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::StepCoefficients;

    #[test]
    fn coefficients_on_which_two_fits_differ_are_named() {
        let fitted = |seconds, errors| Fitted {
            coefficients: StepCoefficients { seconds, kv_tokens: 40_000 },
            errors,
            loss: 0.04,
        };
        // A recorded run under heavy preemption: all requests, and the first half.
        let all = fitted(
            [900e-6, 15.25e-3, 96.2e-6, 3.9e-6, 200.5e-9],
            [208e-6, 0.28e-3, 3.2e-6, 2e-6, 8.7e-9],
        );
        let half = fitted(
            [664e-6, 23.97e-3, 100.23e-6, 9e-13, 7e-14],
            [569e-6, 0.54e-3, 0.79e-6, 8.6e-12, 2.6e-13],
        );
        assert_eq!(not_determined(&all, &half), ["floor", "per_context_token"]);
        assert_eq!(not_determined(&all, &all), [""; 0]);
        // Neither nothing against less than nothing nor a hundredth beyond its error counts.
        let near = [909e-6, 15.4e-3, 97e-6, 3.9e-6, 200.6e-9];
        let sure = fitted(near, [0.0; COEFFICIENTS]);
        assert_eq!(not_determined(&fitted(all.coefficients.seconds, [0.0; 5]), &sure), [""; 0]);
    }

    #[test]
    fn digits_follow_the_error() {
        let shown = |seconds: f64, error: f64| {
            let (value, error) = duration(seconds, error);
            format!("{value} {error}")
        };
        assert_eq!(shown(4.213_456e-3, 0.3e-3), "4.21 ms 0.30 ms");
        assert_eq!(shown(4.213_456e-3, 4e-6), "4.2135 ms 0.0040 ms");
        assert_eq!(shown(0.064_321e-9, 1e-12), "0.0643 ns 0.0010 ns");
        assert_eq!(shown(813.7e-6, 0.0), "813.70 us 0.00 us");
        // What the error swallows is no digit of anything.
        assert_eq!(shown(1e-20, 1e-9), "0.0 ns 1.0 ns");
        assert_eq!(shown(0.0, 0.0), "0 ns 0 ns");
    }
}
