//! Which model serves a workload, on which accelerators, in which layout, under which scheduler
//! and router.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FirstToken;
use crate::hardware::{Llm, MeasuredStepTime, Precision, Width};
use crate::time::FleetTime;
use crate::units::Seconds;

/// GPUs of an attention rank at most where nothing is said, unless the model has fewer heads of
/// keys and values.
const USUAL_RANK: u32 = 8;

/// How one replica of a model is laid out on one accelerator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// GPUs of a replica, all within one scale-up domain.
    pub gpus: u32,
    /// Format of the weights.
    pub precision: Precision,
    /// Ranks of data-parallel attention, for models with experts. Each has its part of the GPUs
    /// and of the batching limits, its own sequences with their context, and a copy of all weights
    /// but the experts, which are spread over all GPUs. As many as GPUs: one GPU a rank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention_ranks: Option<u32>,
    /// Step time measured on such a replica: it takes the place of what is computed from model and
    /// accelerator, and holds for the model as it is, whatever size is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_time: Option<MeasuredStepTime>,
}

impl Layout {
    /// GPUs and attention ranks on a model: the ranks as stated; else one for a dense model and for
    /// a measured step time, and with experts the fewest of at most 8 GPUs, and of no more than the
    /// model has heads of keys and values.
    #[must_use]
    pub fn width(&self, llm: &Llm) -> Width {
        // More GPUs than heads of keys and values only keep more copies of the context.
        let most = USUAL_RANK.min(llm.kv_heads.max(1));
        let widest = || (1..=most).rev().find(|gpus| self.gpus.is_multiple_of(*gpus));
        let usual = || match (&llm.experts, widest()) {
            (Some(_), Some(gpus)) if self.step_time.is_none() => (self.gpus / gpus).max(1),
            _ => 1,
        };
        let ranks = self.attention_ranks.unwrap_or_else(usual);
        Width { gpus: self.gpus, ranks }
    }

    /// The layout on twice the GPUs: stated ranks are doubled and stay as wide as they are, a
    /// single one gets wider. `None` where the step time was measured: it says nothing of them.
    #[must_use]
    pub fn doubled(&self) -> Option<Self> {
        let twice = |count: u32| count.saturating_mul(2);
        let ranks = self.attention_ranks.map(|ranks| if ranks > 1 { twice(ranks) } else { ranks });
        let wider = || Self { gpus: twice(self.gpus), attention_ranks: ranks, ..self.clone() };
        self.step_time.is_none().then(wider)
    }

    /// Date on which its step time was measured; `None` where it is computed.
    #[must_use]
    pub fn measured_on(&self) -> Option<FleetTime> {
        self.step_time.as_ref().map(|measured| measured.as_of)
    }
}

/// How prefill shares the replica with decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Prefill {
    /// Prompts are cut into chunks that ride along with decode steps.
    Chunked,
    /// A prompt batch is a step of its own and decode waits.
    Blocking,
}

/// Limits of the continuous batching.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scheduler {
    /// Sequences in the batch of a replica at most; attention ranks share them evenly.
    pub max_sequences: u32,
    /// Tokens in a step of a replica at most, decode and prefill together; attention ranks share
    /// them evenly.
    pub token_budget: u32,
    /// How prefill is scheduled.
    pub prefill: Prefill,
}

/// How requests are spread over the replicas of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Router {
    /// In turn.
    RoundRobin,
    /// Uniformly at random.
    Random,
    /// The less loaded of two random ones, by load reports of this age at most.
    PowerOfTwo(Seconds),
    /// The least loaded one, by load reports of this age at most.
    LeastLoaded(Seconds),
    /// Turns of a session go where the one before was served; first turns and single calls go to
    /// the less loaded of two random ones, by load reports of this age at most.
    SessionAffinity(Seconds),
}

/// How one workload is deployed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Model, by name.
    pub model: String,
    /// Layout by accelerator name; accelerators that are not named do not serve the workload.
    pub layouts: BTreeMap<String, Layout>,
    /// Batching limits.
    pub scheduler: Scheduler,
    /// Spread over replicas.
    pub router: Router,
    /// What clients wait for a first token beyond the engine's steps; nothing if left out.
    #[serde(default, skip_serializing_if = "FirstToken::is_none")]
    pub first_token: FirstToken,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
