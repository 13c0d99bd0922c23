//! A kind of work: how much of it there is, how long its calls are, and what it is promised.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Growth, TokenLengths};
use crate::units::{AnnualGrowth, Factor, RequestsPerDay, Seconds, Share, Tokens, Uncertain};

/// Where the engine calls of a workload come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Volume {
    /// A share of the user requests of the surfaces that offer it.
    ShareOfRequests(Growth<Share>),
    /// The user requests that no other workload of the surface takes; at most one workload.
    Remainder,
    /// Calls that come with each user request, whatever its workload (safety, routing, memory).
    PerUserRequest(Growth<Factor>),
    /// Calls per day and daily user of the surface, whether or not they use the assistant.
    PerDailyUser(Growth<RequestsPerDay>),
}

/// What a workload is promised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Service {
    /// Someone waits: latency limits on the 99th percentile of calls.
    Interactive {
        /// Time to first token, queueing and prefill included, network excluded.
        ttft_p99: Seconds,
        /// Mean time per output token of a call.
        tpot_p99: Seconds,
    },
    /// Nobody waits: done by a deadline after it arrives, from spare capacity only.
    Deferrable {
        /// From arrival to completion.
        deadline: Seconds,
    },
}

/// Where a workload may be served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reach {
    /// Wherever the network round trip from the user's region stays within a budget.
    Within(Seconds),
    /// In the user's own region only (residency).
    Local,
}

/// Images that come with a call: prompt tokens beside its text, in no prefix cache.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// Share of the calls that have images.
    pub share: Growth<Share>,
    /// Images of such a call, mean.
    pub per_call: Uncertain<Factor>,
    /// Prompt tokens of one image, mean.
    pub tokens: Uncertain<Tokens>,
}

/// A smaller model that answers when capacity is short: such answers count as degraded, not as
/// unserved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Degraded {
    /// GPU time of its answer, as a share of an answer in full.
    pub work: Uncertain<Share>,
    /// Largest share of the calls of an epoch that it may answer.
    pub most: Uncertain<Share>,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// Refused calls that are asked again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retries {
    /// Share of the refused calls that come back, each time that they are refused.
    pub share: Uncertain<Share>,
    /// After how long, rounded up to whole epochs.
    pub after: Seconds,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

/// One workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Name for people.
    pub label: String,
    /// How much of it there is.
    pub volume: Volume,
    /// Engine calls per request: agent steps, parallel agents.
    pub calls: Growth<Factor>,
    /// Prompt tokens of a call, cached ones included, images not.
    pub prompt: TokenLengths,
    /// Share of these tokens found in the prefix cache.
    pub cached: Uncertain<Share>,
    /// Images in the calls; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub images: Option<Images>,
    /// Visible output tokens of a call.
    pub output: TokenLengths,
    /// Thinking tokens of a call, decoded like output; none for workloads that do not think.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<TokenLengths>,
    /// Yearly change of the work per token at the quality that users then get, better models
    /// and larger ones set against each other; negative is cheaper.
    pub work_per_token: Uncertain<AnnualGrowth>,
    /// What it is promised.
    pub service: Service,
    /// Smaller model that answers when capacity is short; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degraded>,
    /// Refused calls that come back; none if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Retries>,
    /// Where it may be served.
    pub reach: Reach,
    /// Daily and weekly curve, by name.
    pub profile: String,
    /// Where its plain numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// As of when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
}

impl Workload {
    /// Whether someone waits for it.
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        matches!(self.service, Service::Interactive { .. })
    }
}
