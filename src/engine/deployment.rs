//! Which model serves a workload, on which accelerators, in which layout, under which scheduler
//! and router.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hardware::Precision;
use crate::units::Seconds;

/// How one replica of a model is laid out on one accelerator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// GPUs of a replica, all within one scale-up domain.
    pub gpus: u32,
    /// Format of the weights.
    pub precision: Precision,
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
    /// Sequences in a batch at most.
    pub max_sequences: u32,
    /// Tokens in a step at most, decode and prefill together.
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
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}
