//! Published throughputs of whole systems against the best layout that the closed forms find under
//! the same calls in flight or, where those are not known, under the same limits.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::engine::{CallShape, Layout};
use crate::hardware::{Accelerator, Llm, Precision, accelerators, models};
use crate::study::layouts::{
    LayoutSearch, OperatingLimits, ServedModel, ServingMode, layouts, operating_point,
};
use crate::time::FleetTime;
use crate::units::{Factor, Seconds};

const SHIPPED: &str = include_str!("../../../configs/published_throughput.csv");

static PUBLISHED: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(SHIPPED.as_bytes());
    let rows: Result<Vec<Published>, _> = reader.deserialize().collect();
    rows.expect("the embedded table is well formed: a test reads it")
});

/// Tokens gained per step by speculative decoding where a publication used it.
const SPECULATIVE_GAIN: f64 = 1.77;

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
    osl_spread: f64,
    gpus: Option<f64>,
    concurrency: Option<f64>,
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
    /// Output tokens per second and GPU of the best layout; none where nothing keeps the limits.
    pub predicted: Option<f64>,
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
    let of = |published: &'static Published| PublishedOutcome {
        predicted: accelerators()
            .get(&published.accelerator)
            .zip(models().get(&published.model))
            .and_then(|(accelerator, llm)| predict(published, accelerator, llm)),
        published,
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
    let ratio = |row: &Published| Some(predict(row, accelerator, llm)? / row.measured);
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

/// Output tokens per second and GPU of the best layout within the limits.
fn predict(published: &Published, accelerator: &Accelerator, llm: &Llm) -> Option<f64> {
    let mut llm = llm.clone();
    let gain = if published.speculative == "yes" { SPECULATIVE_GAIN } else { 1.0 };
    llm.tokens_per_step = Factor(gain);
    let date = FleetTime::parse(&published.date).ok()?;
    let ceiling = accelerator.software.ceiling.central();
    let speed = accelerator.software_multiplier(ceiling, date) * accelerator.realised.central().0;
    let mut calls = CallShape::fixed(published.isl, 0.0, published.osl).means();
    calls.output_spread = published.osl_spread;
    let served = ServedModel { accelerator, llm: &llm, calls, speed };
    let found = layouts(accelerator, &llm, Some(&[published.precision]));
    let limit = |milliseconds: Option<f64>| milliseconds.map(|limit| Seconds(limit * 1e-3));
    let limits = OperatingLimits { tpot: limit(published.tpot_ms), ttft: limit(published.ttft_ms) };
    let modes = [ServingMode::Aggregated, ServingMode::Disaggregated];
    let search = LayoutSearch::new(&served, &found, &modes);
    match published.gpus.zip(published.concurrency) {
        Some(loaded) => at_concurrency(&served, &found, &search, loaded),
        None => search.best_within(&limits).map(|point| point.output_tokens_per_second_per_gpu),
    }
}

/// Output tokens per second and GPU of the best layout of so many GPUs under so many calls in
/// flight.
fn at_concurrency(
    served: &ServedModel<'_>,
    found: &[Layout],
    search: &LayoutSearch,
    (gpus, concurrency): (f64, f64),
) -> Option<f64> {
    // GPUs that prefill are not there to decode; their share depends on the batch and settles.
    const ROUNDS: u32 = 4;
    let apart = search.peak_apart().and_then(|point| point.prefill);
    let of = |layout: &Layout, prefill: Option<&Layout>| {
        let mut share = 0.0;
        let mut point = None;
        for _ in 0..if prefill.is_some() { ROUNDS } else { 1 } {
            let batch = concurrency * f64::from(layout.gpus) / (gpus * (1.0 - share));
            let next = operating_point(served, layout, prefill, batch.max(1.0))?;
            share = next.prefill.as_ref().map_or(0.0, |part| part.share_of_gpus);
            // With fewer calls in flight than replicas some of those have none.
            point = Some(next.output_tokens_per_second_per_gpu * batch.min(1.0));
        }
        point
    };
    let small = found.iter().filter(|layout| f64::from(layout.gpus) <= gpus);
    let points = small.flat_map(|layout| {
        [of(layout, None), apart.as_ref().and_then(|part| of(layout, Some(&part.layout)))]
    });
    points.flatten().max_by(f64::total_cmp)
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
        }
        // 14,952 tokens per second in all at 8k/1k are a ninth of it in output tokens.
        let row = PUBLISHED.iter().find(|row| row.id == "C90").expect("a row");
        assert!((row.measured - 14_952.0 / 9.0).abs() < 1.0);
    }
}
