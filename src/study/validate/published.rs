//! Published throughputs of whole systems against the best whole deployment of the same GPUs under
//! the same calls in flight or, where those are not known, under the same limits.

use std::sync::LazyLock;

use serde::Deserialize;

use super::coefficients::FittedCoefficients;
use super::predict::predict_at_speed;
use super::promised::best_promised;
use super::runs::{MeasuredRun, Workers};
use super::stack::ServingStack;
use super::whole::{Pools, Told, Whole};
use crate::demand::{LengthTable, Shape};
use crate::engine::{CallShape, Layout, scaled_table};
use crate::hardware::{Accelerator, Llm, Precision, accelerators, models};
use crate::study::layouts::{LayoutSearch, OperatingLimits, ServedModel, ServingMode, layouts};
use crate::time::FleetTime;
use crate::units::{Factor, Seconds};

const SHIPPED: &str = include_str!("../../../configs/published_throughput.csv");

static PUBLISHED: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(SHIPPED.as_bytes());
    let rows: Result<Vec<Published>, _> = reader.deserialize().collect();
    rows.expect("the embedded table is well formed: a test reads it")
});

/// Mean length of a call of InferenceX over the nominal one, to which it draws from 0.8 times it.
const DRAWN: f64 = 0.9;
/// Serving stack of all rows: few publications name theirs, and it is the vendor's own.
const STACK: &str = "trtllm";
/// Deployments that are simulated with so many calls in flight: those with most by closed form.
const TRIED: usize = 4;

/// One published throughput.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Published {
    /// Its number in the table of facts.
    pub id: String,
    /// Accelerator, by its name in the catalogue.
    pub accelerator: String,
    /// Model, by its name in the catalogue.
    pub model: String,
    /// Format of the weights.
    pub precision: Precision,
    speculative: String,
    /// `offline`, `server`, `interactive`, `peak`, or `point`.
    pub mode: String,
    isl: u32,
    osl: u32,
    osl_median: Option<f64>,
    osl_most: Option<f64>,
    lengths: String,
    serving: Option<ServingMode>,
    ranks: Option<u32>,
    gpus: Option<u32>,
    concurrency: Option<u32>,
    ttft_ms: Option<f64>,
    tpot_ms: Option<f64>,
    /// Output tokens per second and GPU.
    #[serde(rename = "output_tok_s_per_gpu")]
    pub measured: f64,
    #[serde(rename = "measured")]
    date: String,
    /// Where it was published.
    pub source: String,
}

/// A published throughput and what the model makes of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedOutcome {
    /// What was published.
    pub published: &'static Published,
    /// Output tokens per second and GPU of the best deployment; none where nothing keeps the
    /// limits.
    pub predicted: Option<f64>,
    /// That deployment: replicas times GPUs (attention ranks).
    pub deployment: String,
    /// Whether the weights fit into some layout that is searched.
    pub fits: bool,
}

impl PublishedOutcome {
    /// Predicted over published, where there is a prediction.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.predicted.map(|predicted| predicted / self.published.measured)
    }
}

/// All published throughputs with the efficiencies that ship and the software of their dates.
#[must_use]
pub fn published_throughputs() -> Vec<PublishedOutcome> {
    use rayon::prelude::*;
    let of = |published: &'static Published| {
        let place = accelerators().get(&published.accelerator);
        let place = place.zip(models().get(&published.model));
        let found = place.and_then(|(accelerator, llm)| predict(published, accelerator, llm));
        let any = |(accelerator, llm)| {
            !layouts(accelerator, llm, Some(&[published.precision])).is_empty()
        };
        PublishedOutcome {
            fits: place.is_some_and(any),
            predicted: found.as_ref().map(|(predicted, _)| *predicted),
            deployment: found.map(|(_, deployment)| deployment).unwrap_or_default(),
            published,
        }
    };
    PUBLISHED.par_iter().map(of).collect()
}

/// Computed over published throughput, over all that is published of one model on one accelerator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedRatio {
    /// Publications for which something is computed.
    pub points: usize,
    /// Median of the ratios: above 1, more is computed than was published.
    pub median: f64,
    /// The smallest of them.
    pub low: f64,
    /// The largest.
    pub high: f64,
}

/// What is computed for an accelerator and a model, a scenario's own perhaps, over what has been
/// published under their names, with the software of those dates. None where nothing has.
#[must_use]
pub fn published_ratio(
    (name, accelerator): (&str, &Accelerator),
    (model, llm): (&str, &Llm),
) -> Option<PublishedRatio> {
    let named = |row: &&Published| row.accelerator == name && row.model == model;
    let ratio = |row: &Published| Some(predict(row, accelerator, llm)?.0 / row.measured);
    let mut ratios: Vec<f64> = PUBLISHED.iter().filter(named).filter_map(ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let middle = ratios.len() / 2;
    let below = if ratios.len().is_multiple_of(2) { middle.checked_sub(1)? } else { middle };
    Some(PublishedRatio {
        points: ratios.len(),
        // Of ratios the middle of two is the geometric one.
        median: libm::sqrt(ratios.get(below)? * ratios.get(middle)?),
        low: *ratios.first()?,
        high: *ratios.last()?,
    })
}

impl Published {
    /// Whether the lengths of its calls are known; else they are assumptions of ours.
    #[must_use]
    pub fn lengths_known(&self) -> bool {
        self.lengths == "known"
    }

    /// Whether nobody says on how many GPUs it was.
    #[must_use]
    pub fn gpus_unknown(&self) -> bool {
        self.gpus.is_none()
    }

    /// Lengths of its calls: lognormal outputs where their median is known, up to the longest.
    fn calls(&self) -> CallShape {
        let mut calls = CallShape::fixed(self.isl, 0.0, self.osl);
        let mean = f64::from(self.osl);
        if let Some((median, most)) = self.osl_median.zip(self.osl_most) {
            let sigma = (2.0 * libm::log(mean / median)).sqrt();
            let whole = scaled_table(&Shape::Lognormal(sigma), mean);
            if let Some(table) = whole {
                calls.output = cut(table, mean, most);
            }
        }
        calls
    }
}

/// A table cut at its longest length and stretched to have its mean again.
fn cut(table: LengthTable, mean: f64, most: f64) -> LengthTable {
    const HALVINGS: u32 = 40;
    let at = |factor: f64| {
        let knots = table.quantiles.iter().map(|(p, tokens)| (*p, (tokens * factor).min(most)));
        LengthTable { quantiles: knots.collect(), ..table.clone() }
    };
    let (mut low, mut high) = (1.0, 4.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let calls = CallShape { output: at(middle), ..CallShape::fixed(1, 0.0, 1) };
        if calls.means().output < mean { low = middle } else { high = middle }
    }
    at(low)
}

/// Output tokens per second and GPU of the best deployment within the limits, and which it is.
fn predict(published: &Published, accelerator: &Accelerator, llm: &Llm) -> Option<(f64, String)> {
    let mut llm = llm.clone();
    let coefficients = FittedCoefficients::shipped().values()?;
    if published.speculative == "yes" {
        llm.tokens_per_step = Factor(coefficients.get("speculative_gain"));
    }
    let date = FleetTime::parse(&published.date).ok()?;
    let ceiling = accelerator.software.ceiling.central();
    let speed = accelerator.software_multiplier(ceiling, date) * accelerator.realised.central().0;
    let shape = published.calls();
    let served = ServedModel { accelerator, llm: &llm, calls: shape.means(), speed };
    let found = layouts(accelerator, &llm, Some(&[published.precision]));
    let limit = |milliseconds: Option<f64>| milliseconds.map(|limit| Seconds(limit * 1e-3));
    let limits = OperatingLimits { tpot: limit(published.tpot_ms), ttft: limit(published.ttft_ms) };
    let output = f64::from(published.osl);
    let Some(gpus) = published.gpus else {
        let modes = [ServingMode::Aggregated, ServingMode::Disaggregated];
        let point = LayoutSearch::new(&served, &found, &modes).best_within(&limits)?;
        let prefill = point.prefill.as_ref().map(|part| (&part.layout, None));
        let deployment = named((&point.layout, None), prefill);
        return Some((point.output_tokens_per_second_per_gpu, deployment));
    };
    let told = Told { gpus, serving: published.serving, ranks: published.ranks };
    let pools = Pools::new(&served, &found, &told);
    let wholes = pools.wholes(gpus);
    let (rate, whole) = match published.concurrency {
        Some(concurrency) => in_flight(published, &served, &wholes, (gpus, concurrency))?,
        None => {
            let stack = ServingStack::named(STACK)?;
            let (calls, whole) = best_promised(&served, &wholes, &stack, (&shape, &limits))?;
            (calls * output / f64::from(gpus), whole)
        }
    };
    let (pool, count) = whole.decode;
    let prefill = whole.prefill.map(|(entry, count)| (&entry.layout, Some(count)));
    Some((rate, named((&pool.layout, Some(count)), prefill)))
}

/// Replicas times GPUs and ranks of those that decode and of those that prefill.
fn named(decode: (&Layout, Option<u32>), prefill: Option<(&Layout, Option<u32>)>) -> String {
    let of = |(layout, count): (&Layout, Option<u32>)| {
        let ranks = layout.attention_ranks.unwrap_or(1);
        let width = format!("{}/{ranks}", layout.gpus);
        count.map_or(width.clone(), |count| format!("{count}x{width}"))
    };
    prefill.map_or(of(decode), |prefill| format!("{}+{}", of(prefill), of(decode)))
}

/// Output tokens per second and GPU of the best deployment with so many calls in flight, by the
/// engine in a closed loop, as the recorded runs.
fn in_flight<'a>(
    published: &Published,
    served: &ServedModel<'_>,
    wholes: &[Whole<'a>],
    (gpus, concurrency): (u32, u32),
) -> Option<(f64, Whole<'a>)> {
    let rated = wholes
        .iter()
        .filter_map(|whole| Some((whole.with_in_flight(f64::from(concurrency))?, *whole)));
    let mut rated: Vec<(f64, Whole<'_>)> = rated.collect();
    rated.sort_by(|a, b| b.0.total_cmp(&a.0));
    rated.truncate(TRIED);
    let nominal = |mean: u32| (f64::from(mean) / DRAWN).round() as u32;
    let measured = rated.into_iter().filter_map(|(_, whole)| {
        let workers = |layout: &Layout, count| Workers { count, layout: layout.clone() };
        let run = MeasuredRun {
            line: 0,
            system: published.accelerator.clone(),
            model: published.model.clone(),
            format: String::new(),
            backend: STACK.to_owned(),
            version: String::new(),
            measured: Some(published.date.clone()),
            prompt: nominal(published.isl),
            output: nominal(published.osl),
            concurrency,
            gpus,
            decode: workers(&whole.decode.0.layout, whole.decode.1),
            prefill: whole.prefill.map(|(pool, count)| workers(&pool.layout, count)),
            ttft: Seconds(0.0),
            tpot: Seconds(0.0),
            throughput: published.measured,
        };
        let (llm, gain) = (served.llm, served.llm.tokens_per_step.0);
        let said = predict_at_speed(&run, served.accelerator, llm, gain, served.speed)?;
        let ttft = said.ttft + FittedCoefficients::shipped().values()?.first_token(&run, said.tpot);
        let output = f64::from(published.osl);
        let calls = f64::from(concurrency) / (ttft + said.tpot * (output - 1.0));
        Some((calls * output / f64::from(gpus), whole))
    });
    measured.max_by(|a, b| a.0.total_cmp(&b.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_a_pair_are_those_of_its_rows() {
        let of = |name: &str, model: &str| {
            published_ratio((name, &accelerators()[name]), (model, &models()[model]))
        };
        let all = published_throughputs();
        for (name, model) in [("b200", "gpt_oss_120b"), ("gb200", "deepseek_r1")] {
            let rows = all.iter().filter(|row| {
                (row.published.accelerator.as_str(), row.published.model.as_str()) == (name, model)
            });
            let ratios: Vec<f64> = rows.filter_map(PublishedOutcome::ratio).collect();
            let found = of(name, model).expect("published");
            assert_eq!(found.points, ratios.len());
            assert_eq!(found.low, ratios.iter().copied().fold(f64::INFINITY, f64::min));
            assert_eq!(found.high, ratios.iter().copied().fold(0.0, f64::max));
            let beyond = ratios.iter().filter(|ratio| **ratio > found.median).count();
            assert!(beyond * 2 <= ratios.len() && found.median >= found.low, "{found:?}");
        }
        assert_eq!(of("mtia_450", "gpt_oss_120b"), None);
    }

    #[test]
    fn the_table_is_well_formed() {
        assert_eq!(PUBLISHED.len(), 125);
        for row in PUBLISHED.iter() {
            assert!(accelerators().contains_key(&row.accelerator), "{}", row.id);
            assert!(models().contains_key(&row.model), "{}", row.id);
            assert!(FleetTime::parse(&row.date).is_ok() && !row.source.is_empty(), "{}", row.id);
            assert!(row.measured > 0.0 && row.isl > 0 && row.osl > 0, "{}", row.id);
            assert!(matches!(&*row.lengths, "known" | "unknown"), "{}", row.id);
            let promised = matches!(&*row.mode, "server" | "interactive");
            assert_eq!(promised, row.ttft_ms.is_some() && row.concurrency.is_none(), "{}", row.id);
        }
        // 14,952 tokens per second in all at 8k/1k are a ninth of it in output tokens.
        let row = PUBLISHED.iter().find(|row| row.id == "C90").expect("a row");
        assert!((row.measured - 14_952.0 / 9.0).abs() < 1.0);
    }

    #[test]
    fn long_outputs_are_cut_and_keep_the_mean() {
        let row = PUBLISHED.iter().find(|row| row.id == "C1").expect("a row");
        let calls = row.calls();
        let means = calls.means();
        assert!((means.output / 3_840.0 - 1.0).abs() < 1e-6, "{}", means.output);
        assert!(calls.output.at(1.0) <= 20_000.0 && calls.output.at(0.5) < 2_600.0);
        // Mean square over squared mean: the facts' median and longest output give 2.1 to 2.4.
        assert!((2.0..2.5).contains(&means.output_spread), "{}", means.output_spread);
    }
}
