//! The search over layouts: the best point under limits, the peak, and the envelope.

use super::pools::{DecodePool, Decoding, PrefillPool};
use super::{OperatingLimits, OperatingPoint, PrefillPart, ServedModel, ServingMode};
use crate::engine::{CallMeans, Layout};
use crate::units::Seconds;

/// The layouts of a model on an accelerator, ready to be asked for points.
#[derive(Debug, Clone)]
pub struct LayoutSearch {
    calls: CallMeans,
    /// Replicas that prefill and decode.
    aggregated: Vec<DecodePool>,
    /// Replicas that decode for others that prefill.
    apart: Vec<DecodePool>,
    /// Replicas that prefill, the fastest per GPU first.
    prefill: Vec<PrefillPool>,
}

impl LayoutSearch {
    /// Prices these layouts in these modes; in a disaggregated one every layout may decode and
    /// every layout may prefill. Layouts that do not hold the model are left out.
    #[must_use]
    pub fn new(served: &ServedModel<'_>, layouts: &[Layout], modes: &[ServingMode]) -> Self {
        let pools = |mode, make: fn(&ServedModel<'_>, &Layout) -> Option<DecodePool>| {
            let asked = modes.contains(&mode);
            let some = layouts.iter().filter(|_| asked);
            some.filter_map(|layout| make(served, layout)).collect()
        };
        let apart: Vec<DecodePool> = pools(ServingMode::Disaggregated, DecodePool::apart);
        let some = layouts.iter().filter(|_| !apart.is_empty());
        let mut prefill: Vec<PrefillPool> =
            some.filter_map(|layout| PrefillPool::new(served, layout)).collect();
        let rate = PrefillPool::calls_per_second_per_gpu;
        prefill.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
        Self {
            calls: served.calls,
            aggregated: pools(ServingMode::Aggregated, DecodePool::aggregated),
            apart,
            prefill,
        }
    }

    /// Every layout at the largest batch that keeps the limits, in the order of the layouts, the
    /// aggregated ones first. Decode replicas are joined by the prefill replica that does most per
    /// GPU within the limits.
    #[must_use]
    pub fn all_within(&self, limits: &OperatingLimits) -> Vec<OperatingPoint> {
        let aggregated = self.aggregated.iter().filter_map(|pool| {
            let decoding = pool.within(limits)?;
            Some(point(&self.calls, pool, &decoding, None))
        });
        let in_time = |pool: &&PrefillPool| limits.ttft.is_none_or(|most| pool.ttft <= most.0);
        let prefill = self.prefill.iter().find(in_time);
        let apart = prefill.into_iter().flat_map(|prefill| {
            self.apart.iter().filter_map(|pool| {
                let decoding = pool.within(&OperatingLimits { ttft: None, ..*limits })?;
                Some(point(&self.calls, pool, &decoding, Some(prefill)))
            })
        });
        aggregated.chain(apart).collect()
    }

    /// The point with most output tokens per GPU within the limits; of equal ones the first, which
    /// is the one on fewest GPUs. `None` where not one call keeps them in any layout.
    #[must_use]
    pub fn best_within(&self, limits: &OperatingLimits) -> Option<OperatingPoint> {
        better(self.all_within(limits))
    }

    /// The point with most output tokens per GPU, however slow.
    #[must_use]
    pub fn peak(&self) -> Option<OperatingPoint> {
        self.best_within(&OperatingLimits::default())
    }

    /// The same of disaggregated serving alone.
    #[must_use]
    pub fn peak_apart(&self) -> Option<OperatingPoint> {
        better(
            self.all_within(&OperatingLimits::default())
                .into_iter()
                .filter(|point| point.prefill.is_some()),
        )
    }

    /// The envelope: for each speed in output tokens per second and user, in any order, the best
    /// point at that speed or a higher one, in the order asked for.
    #[must_use]
    pub fn envelope(&self, speeds: &[f64], ttft: Option<Seconds>) -> Vec<Option<OperatingPoint>> {
        let mut order: Vec<usize> = (0..speeds.len()).collect();
        order.sort_by(|a, b| speeds[*b].total_cmp(&speeds[*a]));
        let mut found = vec![None; speeds.len()];
        let mut best: Option<OperatingPoint> = None;
        for index in order {
            let limits = OperatingLimits { tpot: Some(Seconds(1.0 / speeds[index])), ttft };
            // What is fast enough for a higher speed is so for a lower one.
            best = better(best.into_iter().chain(self.best_within(&limits)));
            found[index].clone_from(&best);
        }
        found
    }
}

fn better(points: impl IntoIterator<Item = OperatingPoint>) -> Option<OperatingPoint> {
    points.into_iter().reduce(|best, next| {
        let more = next.output_tokens_per_second_per_gpu > best.output_tokens_per_second_per_gpu;
        if more { next } else { best }
    })
}

/// One layout at a batch of sequences over all its ranks; with a prefill layout, as the decode
/// side. `None` where it does not hold the model and one call, or prompts could not keep up.
#[must_use]
pub fn operating_point(
    served: &ServedModel<'_>,
    layout: &Layout,
    prefill: Option<&Layout>,
    batch: f64,
) -> Option<OperatingPoint> {
    let Some(prefill) = prefill else {
        let pool = DecodePool::aggregated(served, layout)?;
        return Some(point(&served.calls, &pool, &pool.at_batch(batch)?, None));
    };
    let pool = DecodePool::apart(served, layout)?;
    let prefill = PrefillPool::new(served, prefill)?;
    Some(point(&served.calls, &pool, &pool.at_batch(batch)?, Some(&prefill)))
}

fn point(
    calls: &CallMeans,
    pool: &DecodePool,
    decoding: &Decoding,
    prefill: Option<&PrefillPool>,
) -> OperatingPoint {
    let fluid = &decoding.fluid;
    let decode = fluid.calls_per_second_per_gpu;
    // GPUs for a call per second add up.
    let gpus = 1.0 / decode + prefill.map_or(0.0, |pool| 1.0 / pool.calls_per_second_per_gpu());
    let rate = 1.0 / gpus;
    let part = prefill.map(|prefill| PrefillPart {
        layout: prefill.layout.clone(),
        replicas_per_decode: fluid.calls_per_second * pool.ranks / prefill.calls_per_second,
        share_of_gpus: rate / prefill.calls_per_second_per_gpu(),
    });
    OperatingPoint {
        layout: pool.layout.clone(),
        prefill: part,
        batch: fluid.batch * pool.ranks,
        tpot: fluid.tpot,
        ttft: Seconds(prefill.map_or(decoding.ttft, |pool| pool.ttft)),
        calls_per_second_per_gpu: rate,
        output_tokens_per_second_per_gpu: rate * calls.output,
        total_tokens_per_second_per_gpu: rate * (calls.prompt + calls.output),
        limit: decoding.limit,
    }
}
