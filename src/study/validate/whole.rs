//! Whole deployments that a number of GPUs makes: a whole number of replicas that decode and,
//! where prefill is apart, of replicas that prefill. GPUs that are left over stay idle and count.

use crate::engine::Layout;
use crate::study::layouts::{DecodePool, OperatingLimits, PrefillPool, ServedModel, ServingMode};

/// Prefill layouts that join a decode layout.
const PARTNERS: usize = 3;

/// What a publication says of how it served, as far as it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// GPUs of the whole deployment.
    pub(super) gpus: u32,
    /// Whether prefill had GPUs of its own.
    pub(super) serving: Option<ServingMode>,
    /// Attention ranks of the one replica that there was.
    pub(super) ranks: Option<u32>,
}

/// One deployment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    pub(super) decode: (&'a DecodePool, u32),
    pub(super) prefill: Option<(&'a PrefillPool, u32)>,
}

/// The replicas of which deployments are made.
pub(super) struct Pools {
    aggregated: Vec<DecodePool>,
    apart: Vec<DecodePool>,
    /// The fastest per GPU first.
    prefill: Vec<PrefillPool>,
}

impl Pools {
    pub(super) fn new(served: &ServedModel<'_>, layouts: &[Layout], told: &Told) -> Self {
        let stated = |layout: &&Layout| {
            let ranks = layout.width(served.llm).ranks;
            let whole = |told_ranks| layout.gpus == told.gpus && ranks == told_ranks;
            layout.gpus <= told.gpus && told.ranks.is_none_or(whole)
        };
        let some: Vec<&Layout> = layouts.iter().filter(stated).collect();
        let in_mode = |mode| told.serving.is_none_or(|serving| serving == mode);
        let pools = |mode, make: fn(&ServedModel<'_>, &Layout) -> Option<DecodePool>| {
            let asked = some.iter().filter(|_| in_mode(mode));
            asked.filter_map(|layout| make(served, layout)).collect()
        };
        let apart: Vec<DecodePool> = pools(ServingMode::Disaggregated, DecodePool::apart);
        let entries = some.iter().filter(|_| !apart.is_empty());
        let mut prefill: Vec<PrefillPool> =
            entries.filter_map(|layout| PrefillPool::new(served, layout)).collect();
        let rate = |pool: &PrefillPool| pool.calls_per_second / f64::from(pool.layout.gpus);
        prefill.sort_by(|a, b| rate(b).total_cmp(&rate(a)));
        Self { aggregated: pools(ServingMode::Aggregated, DecodePool::aggregated), apart, prefill }
    }

    /// All deployments of at most so many GPUs that no further replica would fit into.
    pub(super) fn wholes(&self, gpus: u32) -> Vec<Whole<'_>> {
        let mut found = Vec::new();
        for pool in &self.aggregated {
            found.push(Whole { decode: (pool, gpus / pool.layout.gpus), prefill: None });
        }
        for pool in &self.apart {
            for replicas in 1..=gpus / pool.layout.gpus {
                let left = gpus - replicas * pool.layout.gpus;
                let fits = self.prefill.iter().filter(|entry| entry.layout.gpus <= left);
                for entry in fits.take(PARTNERS) {
                    let prefill = Some((entry, left / entry.layout.gpus));
                    found.push(Whole { decode: (pool, replicas), prefill });
                }
            }
        }
        found
    }
}

impl Whole<'_> {
    /// Calls per second that its prefill replicas compute; as many as there are where they are the
    /// same that decode.
    pub(super) fn prefilled(&self) -> f64 {
        self.prefill.map_or(f64::INFINITY, |(pool, count)| pool.calls_per_second * f64::from(count))
    }

    /// Calls per second within the limits by closed form.
    pub(super) fn within(&self, limits: &OperatingLimits) -> Option<f64> {
        let (pool, count) = self.decode;
        let apart = OperatingLimits { ttft: None, ..*limits };
        let decoding = pool.within(if self.prefill.is_some() { &apart } else { limits })?;
        let rate = decoding.fluid.calls_per_second * pool.ranks * f64::from(count);
        Some(rate.min(self.prefilled()))
    }

    /// Calls per second with so many in flight by closed form, to rank deployments by: the time of
    /// a prompt without a queue, and the decode steps of an even share.
    pub(super) fn with_in_flight(&self, concurrency: f64) -> Option<f64> {
        let (pool, count) = self.decode;
        let replicas = f64::from(count);
        let batch = concurrency / replicas;
        // With fewer calls than ranks some ranks have none.
        let busy = (batch / pool.ranks).min(1.0);
        let decoding = pool.at_batch(batch.max(pool.ranks))?;
        let rate = decoding.fluid.calls_per_second * pool.ranks * replicas * busy;
        let prompt = self.prefill.map_or(0.0, |(pool, _)| pool.ranks / pool.calls_per_second);
        Some((concurrency / (concurrency / rate + prompt)).min(self.prefilled()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::CallShape;
    use crate::hardware::{Precision, accelerators, models};
    use crate::study::layouts::layouts;

    fn pools(told: &Told) -> Pools {
        let (accelerator, llm) = (&accelerators()["gb200"], &models()["deepseek_r1"]);
        let calls = CallShape::fixed(1_000, 0.0, 1_000).means();
        let found = layouts(accelerator, llm, Some(&[Precision::Fp4]));
        Pools::new(&ServedModel { accelerator, llm, calls, speed: 1.0 }, &found, told)
    }

    #[test]
    fn calls_on_some_of_the_ranks_make_their_part() {
        let serving = Some(ServingMode::Aggregated);
        let pools = pools(&Told { gpus: 16, serving, ranks: Some(16) });
        let wholes = pools.wholes(16);
        assert_eq!(wholes.len(), 1);
        let rate = |calls: f64| wholes[0].with_in_flight(calls).unwrap();
        // One call on 16 ranks is a sixteenth of one on each of them, and not all of it.
        assert!((16.0 * rate(1.0) / rate(16.0) - 1.0).abs() < 1e-9);
        assert!((4.0 * rate(4.0) / rate(16.0) - 1.0).abs() < 1e-9);
        // Twice the calls in a step that is longer.
        assert!(rate(32.0) > rate(16.0) && rate(32.0) < 2.0 * rate(16.0));
    }

    #[test]
    fn replicas_are_whole_and_prefill_has_its_own_gpus() {
        let serving = Some(ServingMode::Disaggregated);
        let pools = pools(&Told { gpus: 36, serving, ranks: None });
        let wholes = pools.wholes(36);
        let mut four_of_eight = false;
        for whole in &wholes {
            let (decode, replicas) = whole.decode;
            let (prefill, entries) = whole.prefill.expect("prefill is apart");
            let used = replicas * decode.layout.gpus + entries * prefill.layout.gpus;
            assert!(entries >= 1 && used <= 36 && 36 - used < prefill.layout.gpus, "{whole:?}");
            // A published deployment: one prefill worker of 4 and four of 8 that decode.
            four_of_eight |= (replicas, decode.layout.gpus, entries) == (4, 8, 1);
        }
        assert!(four_of_eight);
        // No GPU is left to prefill where the smallest replica takes all.
        assert!(pools.wholes(4).is_empty());
    }
}
