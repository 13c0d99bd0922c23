//! A language model as the hardware sees it: how many weights a token touches, how much context
//! a token keeps, how many layers a step runs through.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Precision;
use crate::units::{Bytes, Factor, Parameters, Uncertain};

/// Kind of attention, which sets the overhead per layer and the work per context token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attention {
    /// Grouped-query (or multi-head) attention.
    Grouped,
    /// Multi-head latent attention.
    Latent,
    /// Compressed sparse attention.
    Sparse,
    /// Linear attention with a layer of grouped attention in between.
    Hybrid,
}

/// The mixture-of-experts part of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experts {
    /// Experts per layer, shared ones not counted.
    pub count: u32,
    /// Experts that each token is routed to.
    pub active: u32,
    /// Layers that have experts.
    pub layers: u32,
    /// Weights of all routed experts together.
    pub params: Parameters,
    /// Format of all other weights, and of the products with them, where the published checkpoint
    /// sets it; without it what goes with the layout's `precision` (8 bits beside `fp4`, 16 beside
    /// `int4`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_weights: Option<Precision>,
    /// Narrowest format of the tokens that the experts are multiplied with, where that is wider
    /// than the weights may be: `fp8` for 4-bit weights that are run with 8-bit tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activations: Option<Precision>,
}

/// One language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Llm {
    /// Name for people.
    pub label: String,
    /// All weights.
    pub params: Parameters,
    /// Weights that one token is multiplied with.
    pub active_params: Parameters,
    /// Layers.
    pub layers: u32,
    /// Width of the residual stream.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// Heads that keys and values have: beyond as many GPUs a rank keeps copies of its context (1
    /// with latent attention, whose compressed context belongs to all heads).
    pub kv_heads: u32,
    /// Width of one head in the score product (latent attention: the compressed width).
    pub head_width: u32,
    /// Kind of attention.
    pub attention: Attention,
    /// Share of layers whose attention reaches over the whole context (the others have a window
    /// that is short beside it).
    pub full_attention: Factor,
    /// Bytes of context memory per token, all layers, as served.
    pub kv_per_token: Bytes,
    /// Mixture of experts; none for a dense model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Experts>,
    /// Expected tokens per decode step and sequence (speculative decoding; 1 without).
    pub tokens_per_step: Factor,
    /// Doubt about the size: weights, active weights and context memory are multiplied by it.
    pub size: Uncertain<Factor>,
    /// Where the architecture comes from.
    pub source: String,
    /// As of when.
    pub as_of: String,
}

impl Llm {
    /// The model with its size multiplied: weights, active weights and context memory.
    #[must_use]
    pub fn scaled(&self, size: Factor) -> Self {
        let mut scaled = self.clone();
        scaled.params = self.params * size.0;
        scaled.active_params = self.active_params * size.0;
        scaled.kv_per_token = self.kv_per_token * size.0;
        if let Some(experts) = &mut scaled.experts {
            experts.params = experts.params * size.0;
        }
        scaled
    }
}
