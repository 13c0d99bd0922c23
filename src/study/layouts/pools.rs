//! Replicas that decode and replicas that prefill, priced by the closed forms of the engine.

use std::collections::BTreeMap;

use super::{OperatingLimits, PointLimit, SEQUENCES_PER_GPU, ServedModel, TOKEN_BUDGET};
use crate::engine::{
    CallMeans, Deployment, FirstToken, FluidCapacity, Layout, Prefill, ReplicaModel, Router,
    Scheduler, fluid_at, fluid_capacity,
};
use crate::study::capacity::prefill_only;
use crate::units::Seconds;

/// Halvings of a batch that a time to first token limits.
const HALVINGS: u32 = 40;

/// One rank of a replica with limits that leave it to memory or latency to bind. Where prefill is
/// apart its steps hold all its sequences, and a token of each that is handed over.
fn rank(
    served: &ServedModel<'_>,
    layout: &Layout,
    calls: &CallMeans,
    prefills: bool,
) -> Option<ReplicaModel> {
    let ranks = layout.width(served.llm).ranks;
    let max_sequences = SEQUENCES_PER_GPU.saturating_mul(layout.gpus);
    let token_budget =
        if prefills { TOKEN_BUDGET.saturating_mul(ranks) } else { max_sequences.saturating_mul(2) };
    let deployment = Deployment {
        model: String::new(),
        layouts: BTreeMap::new(),
        scheduler: Scheduler { max_sequences, token_budget, prefill: Prefill::Chunked },
        router: Router::PowerOfTwo(Seconds(1.0)),
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    };
    ReplicaModel::new(served.accelerator, served.llm, (layout, &deployment), calls, served.speed)
}

/// One rank of a replica that decodes.
#[derive(Debug, Clone)]
pub(in crate::study) struct DecodePool {
    pub(in crate::study) layout: Layout,
    pub(in crate::study) ranks: f64,
    pub(in crate::study) model: ReplicaModel,
    /// Calls as it meets them: where prefill is apart their prompts are there already.
    calls: CallMeans,
    aggregated: bool,
}

/// Such a rank at a batch.
#[derive(Debug, Clone, Copy)]
pub(in crate::study) struct Decoding {
    pub(in crate::study) fluid: FluidCapacity,
    /// Of its own prompts; zero where prefill is apart.
    pub(in crate::study) ttft: f64,
    pub(in crate::study) limit: PointLimit,
}

impl DecodePool {
    pub(in crate::study) fn aggregated(served: &ServedModel<'_>, layout: &Layout) -> Option<Self> {
        Self::new(served, layout, served.calls, true)
    }

    /// The decode side of disaggregated serving.
    pub(in crate::study) fn apart(served: &ServedModel<'_>, layout: &Layout) -> Option<Self> {
        let calls = &served.calls;
        let handed =
            CallMeans { cached: calls.prompt, cached_spread: calls.prompt_spread, ..*calls };
        Self::new(served, layout, handed, false)
    }

    fn new(
        served: &ServedModel<'_>,
        layout: &Layout,
        calls: CallMeans,
        aggregated: bool,
    ) -> Option<Self> {
        let model = rank(served, layout, &calls, aggregated)?;
        let ranks = f64::from(layout.width(served.llm).ranks);
        Some(Self { layout: layout.clone(), ranks, model, calls, aggregated })
    }

    /// At a batch of the whole replica.
    pub(in crate::study) fn at_batch(&self, batch: f64) -> Option<Decoding> {
        let fluid = fluid_at(&self.model, &self.calls, batch / self.ranks)?;
        Some(self.with(fluid, fluid.limit.into()))
    }

    /// At the largest batch that keeps the limits.
    pub(in crate::study) fn within(&self, limits: &OperatingLimits) -> Option<Decoding> {
        let fluid = fluid_capacity(&self.model, &self.calls, limits.tpot)?;
        let most = self.with(fluid, fluid.limit.into());
        let late = |decoding: &Decoding| limits.ttft.is_some_and(|most| decoding.ttft > most.0);
        if !late(&most) {
            return Some(most);
        }
        let at = |batch| {
            let fluid = fluid_at(&self.model, &self.calls, batch)?;
            Some(self.with(fluid, PointLimit::Ttft))
        };
        let mut held = at(1.0).filter(|decoding| !late(decoding))?;
        let (mut low, mut high) = (1.0, fluid.batch);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            match at(middle).filter(|decoding| !late(decoding)) {
                Some(decoding) => (low, held) = (middle, decoding),
                None => high = middle,
            }
        }
        Some(held)
    }

    fn with(&self, fluid: FluidCapacity, limit: PointLimit) -> Decoding {
        let beyond = self.model.first_token.seconds(self.calls.prompt, fluid.tpot.0);
        let ttft = if self.aggregated { self.ttft(fluid.batch) + beyond } else { 0.0 };
        Decoding { fluid, ttft, limit }
    }

    /// The steps of a mean prompt beside the batch.
    fn ttft(&self, batch: f64) -> f64 {
        let roofline = &self.model.roofline;
        let steps = (self.calls.output - 1.0).max(0.0) / roofline.tokens_per_step + 1.0;
        let decode = batch * (steps - 1.0) / steps;
        let kv = decode * self.calls.context();
        // The closed form has found room for the prompts that the batch needs.
        let room = (f64::from(self.model.scheduler.token_budget) - decode).max(1.0);
        let wait = roofline.wait(decode);
        let step = |chunk: f64, before: f64, pairs: f64| {
            roofline.seconds(decode, kv, chunk, before, pairs) + wait
        };
        prompt_steps(&self.calls, room, step)
    }
}

/// Seconds of the steps in which a mean prompt is computed, `room` tokens in each; a step is priced
/// by its chunk, the context before it and their pairs.
fn prompt_steps(calls: &CallMeans, room: f64, step: impl Fn(f64, f64, f64) -> f64) -> f64 {
    let mut done = calls.cached.min((calls.prompt - 1.0).max(0.0));
    let mut seconds = 0.0;
    // Prompts that no memory holds are not walked through chunk by chunk.
    let room = room.max(calls.prompt / 4_096.0);
    while done < calls.prompt {
        let chunk = (calls.prompt - done).min(room);
        seconds += step(chunk, done, chunk * (done + (chunk + 1.0) / 2.0));
        done += chunk;
    }
    seconds
}

/// One rank of a replica that does nothing but prefill.
#[derive(Debug, Clone)]
pub(in crate::study) struct PrefillPool {
    pub(in crate::study) layout: Layout,
    pub(in crate::study) ranks: f64,
    pub(in crate::study) model: ReplicaModel,
    /// Of the whole replica.
    pub(in crate::study) calls_per_second: f64,
    /// A mean prompt in steps that are full, and its hand-over.
    pub(super) ttft: f64,
}

impl PrefillPool {
    pub(in crate::study) fn new(served: &ServedModel<'_>, layout: &Layout) -> Option<Self> {
        let model = rank(served, layout, &served.calls, true)?;
        let ranks = f64::from(layout.width(served.llm).ranks);
        let calls = &served.calls;
        let (rate, prompts) = prefill_only(&model, calls)?;
        let room = f64::from(model.scheduler.token_budget);
        let step = |chunk: f64, before: f64, pairs: f64| {
            model.roofline.seconds(0.0, 0.0, chunk, before, pairs)
        };
        let alone = prompt_steps(calls, room, step);
        // Of several prompts in a step each takes the whole of it.
        let steps = if prompts > 1.0 { prompts / rate } else { alone };
        let handed = served.llm.kv_per_token.0 * calls.prompt / served.accelerator.scale_up.0;
        let ttft = steps + handed;
        Some(Self { layout: layout.clone(), ranks, model, calls_per_second: rate * ranks, ttft })
    }

    pub(super) fn calls_per_second_per_gpu(&self) -> f64 {
        self.calls_per_second / f64::from(self.layout.gpus)
    }
}
