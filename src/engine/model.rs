//! One replica as the engine needs it: its roofline, its memory, its limits, its router.

use super::{CallShape, Deployment, Layout, Router, Scheduler};
use crate::hardware::{Accelerator, Llm, Roofline, kv_capacity};
use crate::units::Seconds;

/// A replica of a model in a layout on an accelerator.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplicaModel {
    /// What a step costs.
    pub roofline: Roofline,
    /// Context tokens that fit into memory.
    pub kv_tokens: u64,
    /// GPUs of the replica.
    pub gpus: u32,
    /// Batching limits.
    pub scheduler: Scheduler,
    /// How calls are spread over the replicas.
    pub router: Router,
}

/// Most chunks of a prompt that are looked at one by one.
const MOST_CHUNKS: f64 = 65_536.0;

/// What a call takes that shares its replica with nobody: under any load it takes longer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoneCall {
    /// Time to first token of a prompt at the 99th percentile.
    pub ttft: Seconds,
    /// Time per output token behind a mean prompt.
    pub tpot: Seconds,
}

impl ReplicaModel {
    /// A call of these lengths alone on the replica, by its roofline.
    #[must_use]
    pub fn lone_call(&self, calls: &CallShape) -> LoneCall {
        let prompt = calls.prompt.at(0.99).max(1.0);
        let mut computed = (prompt * calls.cached).min(prompt - 1.0);
        // Prompts that no memory holds are not walked through chunk by chunk.
        let budget = f64::from(self.scheduler.token_budget).max(prompt / MOST_CHUNKS);
        let mut ttft = 0.0;
        while computed < prompt {
            let chunk = (prompt - computed).min(budget);
            let pairs = chunk * (computed + (chunk + 1.0) / 2.0);
            ttft += self.roofline.seconds(0.0, 0.0, chunk, computed, pairs);
            computed += chunk;
        }
        let step = self.roofline.seconds(1.0, calls.prompt.mean, 0.0, 0.0, 0.0);
        let tpot = Seconds(step / self.roofline.tokens_per_step);
        LoneCall { ttft: Seconds(ttft), tpot }
    }

    /// The replica of a model (already scaled to its size). `speed` divides all times. `None`
    /// where the weights do not fit.
    #[must_use]
    pub fn new(
        accelerator: &Accelerator,
        llm: &Llm,
        layout: &Layout,
        deployment: &Deployment,
        speed: f64,
    ) -> Option<Self> {
        let (gpus, precision) = (layout.gpus, layout.precision);
        let kv_tokens = kv_capacity(accelerator, llm, gpus, precision)?;
        Some(Self {
            roofline: Roofline::new(accelerator, llm, gpus, precision, speed),
            kv_tokens: kv_tokens as u64,
            gpus,
            scheduler: deployment.scheduler.clone(),
            router: deployment.router.clone(),
        })
    }
}
