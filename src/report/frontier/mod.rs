//! What a frontier says: the finding, the table, CSV and JSON. The chart is drawn in `chart`.

mod csv;
mod json;
mod table;

pub use self::csv::frontier_csv;
pub use json::frontier_json;
pub use table::frontier_table;

use super::rounding::Scale;
use crate::engine::CallMeans;
use crate::hardware::{Precision, Provenance};
use crate::study::{Frontier, FrontierCurve, FrontierMeasurement, FrontierPoint, GpuCost};
use crate::time::FleetTime;

/// Speed per user at which accelerators are compared in one sentence, or the nearest one listed.
const COMPARED_AT: f64 = 50.0;
/// Computed over measured throughput from which down a frontier lies below a measurement, beyond
/// what is lost in writing the numbers.
const BELOW: f64 = 0.995;

/// What output tokens are counted per.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Tokens per second of a GPU.
    Gpu,
    /// Tokens per second of a megawatt of IT power.
    Megawatt,
    /// Tokens for a dollar of rent.
    Dollar,
}

impl Measure {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Gpu, Self::Megawatt, Self::Dollar];

    /// The value for output tokens per second and GPU.
    #[must_use]
    pub fn of(self, cost: &GpuCost, rate: f64) -> f64 {
        match self {
            Self::Gpu => rate,
            Self::Megawatt => cost.per_megawatt(rate),
            Self::Dollar => cost.per_dollar(rate),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Gpu => "GPU",
            Self::Megawatt => "MW",
            Self::Dollar => "USD",
        }
    }

    /// What an axis says.
    pub(super) fn axis(self) -> &'static str {
        match self {
            Self::Gpu => "Output tokens/s per GPU",
            Self::Megawatt => "Output tokens/s per MW of IT power",
            Self::Dollar => "Output tokens per USD of rent",
        }
    }
}

/// Frontiers and what they were asked for, to be printed and drawn.
#[derive(Debug, Clone, Copy)]
pub struct FrontierReport<'a> {
    /// Curves and measured points.
    pub frontier: &'a Frontier,
    /// Means of the calls.
    pub calls: CallMeans,
    /// Date of the software.
    pub time: FleetTime,
}

/// How a precision is written.
pub(super) fn format_word(precision: Precision) -> String {
    format!("{precision:?}").to_lowercase()
}

impl FrontierReport<'_> {
    /// Models, in the order of the curves: name and label.
    #[must_use]
    pub fn models(&self) -> Vec<(&str, &str)> {
        let mut models: Vec<(&str, &str)> = Vec::new();
        for curve in &self.frontier.curves {
            if !models.iter().any(|(name, _)| *name == curve.model) {
                models.push((&curve.model, &curve.model_label));
            }
        }
        models
    }

    /// Curves of one model.
    pub(super) fn curves<'b>(&'b self, model: &'b str) -> impl Iterator<Item = &'b FrontierCurve> {
        self.frontier.curves.iter().filter(move |curve| curve.model == model)
    }

    /// Content hash of all numbers.
    pub(super) fn hash(&self) -> String {
        blake3::hash(&frontier_csv(self)).to_hex().to_string()
    }

    /// Curves of hardware that is delivered by the date of the software; of all where none is.
    fn delivered<'b>(&'b self, model: &'b str) -> impl Iterator<Item = &'b FrontierCurve> {
        let none = self.curves(model).all(|curve| curve.available.is_some());
        self.curves(model).filter(move |curve| none || curve.available.is_none())
    }

    /// `2026-12`.
    pub(super) fn month(&self) -> String {
        let (year, month, _) = self.time.date();
        format!("{year}-{month:02}")
    }

    /// `8,192 prompt tokens (none cached) and 1,024 output tokens`.
    pub(super) fn call(&self) -> String {
        let whole = Scale { places: 0, ..Scale::ONE };
        let count = |tokens: f64| {
            // Lengths are asked for to the token.
            let text = format!("{tokens:.0}");
            match text.len() {
                4.. => format!("{},{}", &text[..text.len() - 3], &text[text.len() - 3..]),
                _ => text,
            }
        };
        let cached = match self.calls.cached {
            0.0 => String::new(),
            cached => format!(" ({} % cached)", whole.value(100.0 * cached / self.calls.prompt)),
        };
        format!(
            "{} prompt tokens{cached} and {} output tokens",
            count(self.calls.prompt),
            count(self.calls.output)
        )
    }

    /// The listed speed at which accelerators are compared: the one nearest to 50 that anything
    /// reaches.
    fn compared_at(&self, model: &str) -> Option<f64> {
        let reached = self.delivered(model).flat_map(|curve| &curve.points);
        let listed = reached.filter(|point| point.listed && point.point.is_some());
        let far = |speed: f64| libm::log(speed / COMPARED_AT).abs();
        listed.map(|point| point.speed).min_by(|a, b| far(*a).total_cmp(&far(*b)))
    }

    /// The best accelerator by each measure of those that are delivered by the date of the
    /// software, in one sentence without its full stop; where a bound is among them, the best of
    /// those that are fitted too.
    #[must_use]
    pub fn finding(&self, model: &str) -> String {
        let Some(speed) = self.compared_at(model) else {
            return "No accelerator serves this model at these speeds".to_owned();
        };
        let all = self.winners(model, speed, Provenance::Bound);
        let told = |winners: &[Winner], verb: &str| {
            let of = |winner: &Winner| {
                let each = winner.measures.iter().map(|measure| format!("per {}", measure.word()));
                let each: Vec<String> = each.collect();
                match (verb.is_empty(), each.len()) {
                    (true, 3) => winner.name.clone(),
                    _ => format!("{}{verb} {}", winner.name, listed(&each)),
                }
            };
            let parts: Vec<String> = winners.iter().map(of).collect();
            parts.join(", ")
        };
        let whole = told(&all, " gives most output");
        let fitted = self.winners(model, speed, Provenance::Fitted);
        let rest = if all == fitted || fitted.is_empty() {
            String::new()
        } else {
            format!("; of fitted hardware, {}", told(&fitted, ""))
        };
        format!("At {speed} tokens/s per user {whole}{rest}")
    }

    /// Curves that lie below what has been measured, one sentence each.
    #[must_use]
    pub fn warnings(&self, model: &str) -> Vec<String> {
        let of = |curve: &FrontierCurve| {
            let own = self.frontier.measured.iter().filter(|own| {
                own.point.accelerator == curve.accelerator && own.point.model == model
            });
            let ratios: Vec<f64> = own.filter_map(FrontierMeasurement::ratio).collect();
            let below = ratios.iter().filter(|ratio| **ratio < BELOW).count();
            let beyond = ratios.iter().filter(|ratio| **ratio == 0.0).count();
            let least = ratios.iter().copied().filter(|ratio| *ratio > 0.0);
            let least = least.fold(f64::INFINITY, f64::min);
            let mut how = Vec::new();
            if least < BELOW {
                how.push(format!("down to {} of what was measured", Scale::ONE.value(least)));
            }
            if beyond > 0 {
                how.push(format!("{beyond} at a speed that it does not reach"));
            }
            let reading = match curve.provenance {
                Provenance::Bound => "a bound below a measurement is none",
                _ if beyond == 0 && least >= curve.doubt.0 => "within the error of its step times",
                _ => "there the program is too slow",
            };
            (below > 0).then(|| {
                format!(
                    "Warning: the frontier of {} lies below {below} of {} measured points of {} \
                     ({}): {reading}.",
                    curve.label,
                    ratios.len(),
                    curve.model_label,
                    how.join(", "),
                )
            })
        };
        self.curves(model).filter_map(of).collect()
    }

    /// The best at a speed by each measure, of curves with at least this provenance.
    fn winners(&self, model: &str, speed: f64, least: Provenance) -> Vec<Winner> {
        let at = |curve: &FrontierCurve| {
            let same = |point: &&FrontierPoint| point.speed == speed;
            let point = curve.points.iter().find(same)?.point.as_ref()?;
            Some(point.output_tokens_per_second_per_gpu)
        };
        let mut winners: Vec<Winner> = Vec::new();
        for measure in Measure::ALL {
            let curves = self.delivered(model).filter(|curve| curve.provenance >= least);
            let values =
                curves.filter_map(|curve| Some((curve, measure.of(&curve.cost, at(curve)?))));
            let Some((best, _)) = values.max_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
            let name = match best.provenance {
                weak @ (Provenance::Bound | Provenance::Stated) => {
                    match best.label.strip_suffix(')') {
                        Some(open) => format!("{open}, {})", weak.word()),
                        None => format!("{} ({})", best.label, weak.word()),
                    }
                }
                _ => best.label.clone(),
            };
            match winners.iter_mut().find(|winner| winner.name == name) {
                Some(winner) => winner.measures.push(measure),
                None => winners.push(Winner { name, measures: vec![measure] }),
            }
        }
        winners
    }
}

/// Who is best, and by what.
#[derive(PartialEq)]
struct Winner {
    name: String,
    measures: Vec<Measure>,
}

/// `a`, `a and b`, `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
