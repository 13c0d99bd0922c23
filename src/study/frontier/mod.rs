//! The frontier of serving: the most that a GPU, a megawatt and a dollar give at each speed that a
//! user sees, by accelerator and model, beside what has been measured. Closed forms only; charts
//! and tables are made elsewhere.

use rayon::prelude::*;
use serde::Serialize;

use super::layouts::{
    LayoutSearch, OperatingPoint, ServedModel, ServingMode, best_precision, layouts,
};
use crate::engine::CallMeans;
use crate::hardware::{Accelerator, Llm, MeasuredPoint, Precision, Provenance};
use crate::study::speed_doubt;
use crate::time::FleetTime;
use crate::units::{DollarsPerGpuHour, Factor, Seconds, Watts};

/// Points of a curve beside those asked for, equally spaced by ratio.
const STEPS: u32 = 48;
/// How far a curve reaches beyond the speeds asked for, as a ratio to either side.
const BEYOND: f64 = 2.0;
/// Lengths of measured calls may differ from those asked for by so much of them, up or down: public
/// runs draw from 0.8 times the stated length to it.
const ALIKE: f64 = 0.25;

/// What a frontier is asked for.
#[derive(Debug, Clone)]
pub struct FrontierAsk<'a> {
    /// Accelerators by name.
    pub accelerators: Vec<(&'a str, &'a Accelerator)>,
    /// Models by name; each is scaled to its central size.
    pub models: Vec<(&'a str, &'a Llm)>,
    /// Means and spreads of the calls.
    pub calls: CallMeans,
    /// Date of the software.
    pub time: FleetTime,
    /// Format of the weights; the fastest of each accelerator where none is given.
    pub precision: Option<Precision>,
    /// Prefill beside decode, apart, or the better of both.
    pub modes: Vec<ServingMode>,
    /// Time to first token without a queue at most.
    pub ttft: Option<Seconds>,
    /// Output tokens per second and user that are listed, ascending.
    pub speeds: Vec<f64>,
    /// Measured points of any accelerator, model and call; those that match are kept.
    pub measured: &'a [MeasuredPoint],
}

/// What a GPU draws and costs: turns tokens per GPU into tokens per megawatt and per dollar.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GpuCost {
    /// All-in IT power of a package; PUE is extra.
    pub power: Watts,
    /// Rent under a three-year commitment, central.
    pub rent: DollarsPerGpuHour,
}

impl GpuCost {
    fn of(accelerator: &Accelerator) -> Self {
        Self { power: accelerator.power, rent: accelerator.rent.central() }
    }

    /// Tokens per second and megawatt of IT power, of tokens per second and GPU.
    #[must_use]
    pub fn per_megawatt(&self, rate: f64) -> f64 {
        rate / self.power.0 * 1e6
    }

    /// Tokens for a dollar of rent, of tokens per second and GPU.
    #[must_use]
    pub fn per_dollar(&self, rate: f64) -> f64 {
        rate * 3_600.0 / self.rent.0
    }

    /// Dollars of rent for a million tokens, of tokens per second and GPU.
    #[must_use]
    pub fn dollars_per_million(&self, rate: f64) -> f64 {
        1e6 / self.per_dollar(rate)
    }
}

/// The best layout at one speed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontierPoint {
    /// Output tokens per second and user asked for.
    pub speed: f64,
    /// Whether it was asked for, or lies between for the chart.
    pub listed: bool,
    /// What serves at that speed or above; none where nothing does.
    pub point: Option<OperatingPoint>,
    /// Output tokens per second and GPU where every step took as much longer as the doubt has it;
    /// 0 where the speed would be out of reach.
    pub low: f64,
    /// The same where it took as much less.
    pub high: f64,
}

/// The frontier of one model on one accelerator.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontierCurve {
    /// Accelerator by name.
    pub accelerator: String,
    /// Accelerator as people call it.
    pub label: String,
    /// Model by name.
    pub model: String,
    /// Model as people call it.
    pub model_label: String,
    /// Format of the weights.
    pub precision: Precision,
    /// Fitted, or a bound.
    pub provenance: Provenance,
    /// Factors on the speed of all steps: the lower and the upper edge of what is believed.
    pub doubt: (f64, f64),
    /// First volume deliveries, where they come after the date of the software.
    pub available: Option<String>,
    /// What a GPU draws and costs.
    pub cost: GpuCost,
    /// Points by ascending speed.
    pub points: Vec<FrontierPoint>,
}

/// A measured point beside its frontier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontierMeasurement {
    /// What was measured.
    pub point: MeasuredPoint,
    /// Accelerator as people call it.
    pub label: String,
    /// What a GPU draws and costs.
    pub cost: GpuCost,
    /// Output tokens per second and GPU that the frontier has at the measured speed with the
    /// software of its date; none where it does not reach that speed, no layout holds the model in
    /// that format, or decoding was speculative in another way than the model's.
    pub computed: Option<f64>,
    /// Whether the measured speed lies beyond the end of the frontier.
    pub beyond: bool,
}

impl FrontierMeasurement {
    /// Of which date the software of `computed` is: that of the measurement, or, where it has
    /// none, that of the frontier.
    #[must_use]
    pub fn software(&self) -> &str {
        if self.point.measured.is_empty() { "software of today" } else { &self.point.measured }
    }

    /// Computed over measured throughput: 0 beyond the end of the frontier, none where there is
    /// nothing to compare.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        if self.beyond {
            return Some(0.0);
        }
        Some(self.computed? / self.point.output_tokens_per_second_per_gpu)
    }
}

/// Frontiers and measurements.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Frontier {
    /// By model, then accelerator, as asked for; pairs that no layout holds are left out.
    pub curves: Vec<FrontierCurve>,
    /// Pairs that no layout holds: labels of accelerator and model.
    pub unheld: Vec<(String, String)>,
    /// Measured points of these accelerators, models and calls, in the order given.
    pub measured: Vec<FrontierMeasurement>,
}

/// The frontiers of every model on every accelerator asked for.
#[must_use]
pub fn frontier(ask: &FrontierAsk<'_>) -> Frontier {
    let pairs: Vec<(usize, usize)> = (0..ask.models.len())
        .flat_map(|model| (0..ask.accelerators.len()).map(move |place| (model, place)))
        .collect();
    let curves: Vec<Option<FrontierCurve>> =
        pairs.par_iter().map(|(model, place)| curve(ask, *model, *place)).collect();
    let labels = |(model, place): &(usize, usize)| {
        (ask.accelerators[*place].1.label.clone(), ask.models[*model].1.label.clone())
    };
    let unheld = pairs.iter().zip(&curves).filter(|(_, curve)| curve.is_none());
    let measured = ask.measured.par_iter().filter_map(|point| measurement(ask, point)).collect();
    Frontier {
        unheld: unheld.map(|(pair, _)| labels(pair)).collect(),
        curves: curves.into_iter().flatten().collect(),
        measured,
    }
}

/// Speeds of a curve, ascending, and whether each was asked for.
fn speeds(listed: &[f64]) -> Vec<(f64, bool)> {
    let low = listed.iter().copied().fold(f64::INFINITY, f64::min) / BEYOND;
    let high = listed.iter().copied().fold(0.0, f64::max) * BEYOND;
    let ratio = libm::log(high / low);
    let between = (0..=STEPS)
        .map(|step| low * libm::exp(ratio * f64::from(step) / f64::from(STEPS)))
        .map(|speed| (speed, false));
    let mut all: Vec<(f64, bool)> =
        listed.iter().map(|speed| (*speed, true)).chain(between).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    // A step that happens to meet a listed speed is that one.
    all.dedup_by(|next, kept| {
        let same = (next.0 / kept.0 - 1.0).abs() < 1e-9;
        if same {
            kept.1 |= next.1;
        }
        same
    });
    all
}

/// What all step times are divided by at a date.
fn speed_at(accelerator: &Accelerator, time: FleetTime) -> f64 {
    let ceiling: Factor = accelerator.software.ceiling.central();
    accelerator.realised.central().0 * accelerator.software_multiplier(ceiling, time)
}

fn curve(ask: &FrontierAsk<'_>, model: usize, place: usize) -> Option<FrontierCurve> {
    let (model, llm) = ask.models[model];
    let (name, accelerator) = ask.accelerators[place];
    let llm = &llm.scaled(llm.size.central());
    let precision = ask.precision.unwrap_or_else(|| best_precision(accelerator));
    let list = layouts(accelerator, llm, Some(&[precision]));
    let speeds = speeds(&ask.speeds);
    let asked: Vec<f64> = speeds.iter().map(|(speed, _)| *speed).collect();
    let central = speed_at(accelerator, ask.time);
    let envelope = |factor: f64| {
        let speed = central * factor;
        let served = ServedModel { accelerator, llm, calls: ask.calls, speed };
        LayoutSearch::new(&served, &list, &ask.modes).envelope(&asked, ask.ttft)
    };
    let believed = speed_doubt(accelerator);
    let points = envelope(1.0);
    if points.iter().all(Option::is_none) {
        return None;
    }
    let rate = |point: Option<OperatingPoint>| {
        point.map_or(0.0, |point| point.output_tokens_per_second_per_gpu)
    };
    let (low, high) = (envelope(believed.0), envelope(believed.1));
    let points = points.into_iter().zip(low).zip(high).zip(speeds);
    Some(FrontierCurve {
        accelerator: name.to_owned(),
        label: accelerator.label.clone(),
        model: model.to_owned(),
        model_label: llm.label.clone(),
        precision,
        provenance: accelerator.provenance(),
        doubt: believed,
        available: (accelerator.available > ask.time).then(|| {
            let (year, month, _) = accelerator.available.date();
            format!("{year}-{month:02}")
        }),
        cost: GpuCost::of(accelerator),
        points: points
            .map(|(((point, low), high), (speed, listed))| FrontierPoint {
                speed,
                listed,
                point,
                low: rate(low),
                high: rate(high),
            })
            .collect(),
    })
}

/// A measured point of an accelerator, a model and calls that were asked for.
fn measurement(ask: &FrontierAsk<'_>, point: &MeasuredPoint) -> Option<FrontierMeasurement> {
    let (_, accelerator) = ask.accelerators.iter().find(|(name, _)| *name == point.accelerator)?;
    let (_, llm) = ask.models.iter().find(|(name, _)| *name == point.model)?;
    let alike = |own: f64, asked: f64| (own / asked - 1.0).abs() <= ALIKE;
    let same = alike(point.prompt, ask.calls.prompt) && alike(point.output, ask.calls.output);
    same.then(|| {
        let found = computed(ask, accelerator, llm, point);
        FrontierMeasurement {
            point: point.clone(),
            label: accelerator.label.clone(),
            cost: GpuCost::of(accelerator),
            computed: found.flatten(),
            beyond: found == Some(None),
        }
    })
}

/// What the frontier has at the measured speed, or that it does not reach it; none where there is
/// no frontier to compare with.
fn computed(
    ask: &FrontierAsk<'_>,
    accelerator: &Accelerator,
    llm: &Llm,
    point: &MeasuredPoint,
) -> Option<Option<f64>> {
    let mut llm = llm.scaled(llm.size.central());
    let speculates = llm.tokens_per_step.0 > 1.0;
    match point.speculative {
        Some(true) if !speculates => return None,
        Some(false) => llm.tokens_per_step = Factor(1.0),
        _ => {}
    }
    let precision = point.precision?;
    let time = point.date().unwrap_or(ask.time);
    let speed = speed_at(accelerator, time);
    let served = ServedModel { accelerator, llm: &llm, calls: ask.calls, speed };
    let list = layouts(accelerator, &llm, Some(&[precision]));
    if list.is_empty() {
        return None;
    }
    let search = LayoutSearch::new(&served, &list, &ask.modes);
    let found = search.envelope(&[point.tokens_per_second_per_user], None).pop().flatten();
    Some(found.map(|found| found.output_tokens_per_second_per_gpu))
}
