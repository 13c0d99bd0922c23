//! Published throughputs of whole systems against the best layout that the closed forms find under
//! the same calls in flight or, where those are not known, under the same limits.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::engine::{CallShape, Layout};
use crate::hardware::{Precision, accelerators, models};
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
        predicted: predict(published),
        published,
    };
    PUBLISHED.par_iter().map(of).collect()
}

/// Output tokens per second and GPU of the best layout within the limits.
fn predict(published: &Published) -> Option<f64> {
    let accelerator = accelerators().get(&published.accelerator)?;
    let mut llm = models().get(&published.model)?.clone();
    if published.speculative == "yes" {
        llm.tokens_per_step = Factor(SPECULATIVE_GAIN);
    }
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
