//! One replica as the engine needs it: its roofline, its memory, its limits, its router.

use super::{Deployment, Layout, Router, Scheduler};
use crate::hardware::{Accelerator, Llm, Roofline, kv_capacity};

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

impl ReplicaModel {
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
