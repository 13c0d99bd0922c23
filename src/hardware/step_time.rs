//! What one step of a replica costs: a roofline in seconds, and the same in integer ticks.
//!
//! [`Roofline`] holds the physics as `f64` coefficients; it is cheap to build and is what closed
//! forms use. [`StepTime`] is the same cost in integers, exact to add up in any order, and is what
//! the serving engine steps with. What is in a step is decided by the engine, not here.
//!
//! `t = overhead + max(compute, memory) + communication`, where compute is the products with the
//! active weights and the attention, memory the weights really touched and the context read.

use super::{Accelerator, Attention, Experts, Llm, Precision};

/// Parts of a token in which context memory is counted (speculative decoding grows a context by
/// a fraction of tokens per step).
pub const KV_UNIT: u64 = 256;

/// Bits of a tick below a picosecond: a tick is 2^-16 ps.
pub const TICK_BITS: u32 = 16;

/// Share of the usable memory that weights and context may fill; the rest is for activations,
/// communication buffers and captured graphs (engines ship with 0.85 to 0.95).
pub const MEMORY_SHARE: f64 = 0.9;

/// GPUs that share one copy of the weights that are not routed experts. Wider replicas run
/// attention data-parallel: one copy for each group of this many GPUs.
pub const TENSOR_WIDTH: u32 = 8;

/// Speculative decoding verifies more tokens than it keeps: 1.5 for each one gained.
const VERIFIED_PER_GAINED: f64 = 1.5;

/// Width of a head when latent attention is expanded for prefill: mean of 192 (score) and 128
/// (value) in the published configurations.
const EXPANDED_WIDTH: f64 = 160.0;

/// Overhead of a layer relative to a dense one with grouped attention. The trial fit on the
/// calibration set gave about 60 us, 20 more with experts, 40 more for latent and 70 more for
/// sparse attention.
fn overhead_factor(llm: &Llm) -> f64 {
    let attention = match llm.attention {
        Attention::Grouped => 1.0,
        Attention::Latent => 1.67,
        Attention::Sparse => 2.17,
    };
    attention + if llm.experts.is_some() { 0.33 } else { 0.0 }
}

/// The work of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StepWork {
    /// Sequences that decode.
    pub decode: u64,
    /// Context of the decoding sequences together, in [`KV_UNIT`] parts of a token.
    pub kv: u64,
    /// Prompt tokens computed.
    pub prefill: u64,
    /// Context that lies before the computed prompt tokens and is read for them, tokens.
    pub prefill_context: u64,
    /// Sum over the computed prompt tokens of the context each attends to, itself included.
    pub prefill_attention: u64,
}

impl StepWork {
    /// Adds a chunk of `tokens` prompt tokens behind `context` tokens that are there already.
    pub fn add_chunk(&mut self, tokens: u64, context: u64) {
        self.prefill += tokens;
        self.prefill_context += context;
        self.prefill_attention += tokens * context + tokens * (tokens + 1) / 2;
    }
}

/// Coefficients of the step time in seconds. All are zero or more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Roofline {
    /// Fixed time of a step: all layers' launches and synchronisation.
    pub overhead: f64,
    /// Compute time of one decoding sequence without its attention.
    pub decode_compute: f64,
    /// Compute time of one prompt token without its attention.
    pub prefill_compute: f64,
    /// Compute time of decode attention per context token.
    pub kv_compute: f64,
    /// Compute time of prefill attention per pair of tokens.
    pub prefill_attention: f64,
    /// Time to read the weights that every step reads.
    pub dense_read: f64,
    /// Time to read all routed experts.
    pub expert_read: f64,
    /// Chance that one token does not touch a given expert of a layer; 1 for a dense model.
    pub expert_miss: f64,
    /// Time to read one context token.
    pub kv_read: f64,
    /// Communication time of one decoding sequence.
    pub decode_network: f64,
    /// Communication time of one prompt token.
    pub prefill_network: f64,
    /// Tokens verified per decoding sequence and step, 1 without speculation.
    pub width: f64,
    /// Expected tokens gained per decoding sequence and step, 1 without speculation.
    pub tokens_per_step: f64,
}

impl Roofline {
    /// The roofline of a model (already scaled to its size) on `gpus` packages of an
    /// accelerator. `speed` divides every time: software progress since the fit, doubt about
    /// hardware that has not been measured.
    #[must_use]
    pub fn new(
        accelerator: &Accelerator,
        llm: &Llm,
        gpus: u32,
        precision: Precision,
        speed: f64,
    ) -> Self {
        let count = f64::from(gpus);
        let fitted = &accelerator.efficiency;
        let rate = accelerator.peak(precision).0 * fitted.compute.0 * count * speed;
        // Attention products never run at 4 bits.
        let attention_format = precision_of_attention(precision);
        let attention_rate = accelerator.peak(attention_format).0 * fitted.compute.0 * count;
        let attention_rate = attention_rate * speed;
        let bandwidth = accelerator.memory_bandwidth.0 * fitted.memory.0 * count * speed;
        let tokens_per_step = llm.tokens_per_step.0.max(1.0);
        let width = 1.0 + VERIFIED_PER_GAINED * (tokens_per_step - 1.0);
        let token_compute = 2.0 * llm.active_params.0 / rate;
        let pair = 4.0 * f64::from(llm.heads) * f64::from(llm.layers) * llm.full_attention.0;
        let head = f64::from(llm.head_width);
        let expanded = if llm.attention == Attention::Latent { EXPANDED_WIDTH } else { head };
        let bytes = precision.bytes_per_weight();
        let network = network_seconds(accelerator, llm, gpus) / speed;
        let layers = f64::from(llm.layers);
        Self {
            overhead: fitted.layer_overhead.0 * layers * overhead_factor(llm) / speed,
            decode_compute: token_compute * width,
            prefill_compute: token_compute,
            // All verified tokens of a sequence attend to its whole context.
            kv_compute: pair * head * width / attention_rate,
            prefill_attention: pair * head.min(expanded) / attention_rate,
            dense_read: dense_params(llm) * bytes * copies(gpus) / bandwidth,
            expert_read: expert_params(llm) * bytes / bandwidth,
            expert_miss: llm.experts.as_ref().map_or(1.0, miss),
            kv_read: llm.kv_per_token.0 / bandwidth,
            decode_network: network * width,
            prefill_network: network,
            width,
            tokens_per_step,
        }
    }

    /// A step time measured as an affine law: `base + per_sequence D + per_kv_token S +
    /// per_prompt_token P`, all in seconds.
    #[must_use]
    pub fn affine(base: f64, per_sequence: f64, per_kv_token: f64, per_prompt_token: f64) -> Self {
        Self {
            overhead: base,
            decode_compute: per_sequence,
            prefill_compute: per_prompt_token,
            kv_compute: per_kv_token,
            prefill_attention: 0.0,
            dense_read: 0.0,
            expert_read: 0.0,
            expert_miss: 1.0,
            kv_read: 0.0,
            decode_network: 0.0,
            prefill_network: 0.0,
            width: 1.0,
            tokens_per_step: 1.0,
        }
    }

    /// The coefficients in the order of the fields, for a content key.
    #[must_use]
    pub fn coefficients(&self) -> [f64; 13] {
        let Self {
            overhead,
            decode_compute,
            prefill_compute,
            kv_compute,
            prefill_attention,
            dense_read,
            expert_read,
            expert_miss,
            kv_read,
            decode_network,
            prefill_network,
            width,
            tokens_per_step,
        } = *self;
        [
            overhead,
            decode_compute,
            prefill_compute,
            kv_compute,
            prefill_attention,
            dense_read,
            expert_read,
            expert_miss,
            kv_read,
            decode_network,
            prefill_network,
            width,
            tokens_per_step,
        ]
    }

    /// Seconds of a step with a fluid amount of work: `decode` sequences with `kv` context
    /// tokens, `prefill` prompt tokens behind `prefill_context` tokens and `pairs` of prompt
    /// token and context token.
    #[must_use]
    pub fn seconds(
        &self,
        decode: f64,
        kv: f64,
        prefill: f64,
        prefill_context: f64,
        pairs: f64,
    ) -> f64 {
        let compute = decode * self.decode_compute
            + prefill * self.prefill_compute
            + kv * self.kv_compute
            + pairs * self.prefill_attention;
        let memory = self.weights_read(decode * self.width + prefill)
            + (kv + prefill_context) * self.kv_read;
        let network = decode * self.decode_network + prefill * self.prefill_network;
        self.overhead + compute.max(memory) + network
    }

    /// Seconds to read the weights that `tokens` tokens touch.
    #[must_use]
    pub fn weights_read(&self, tokens: f64) -> f64 {
        if self.expert_read == 0.0 {
            return self.dense_read;
        }
        self.dense_read + self.expert_read * (1.0 - libm::pow(self.expert_miss, tokens))
    }
}

/// Context tokens that fit beside the weights on `gpus` packages; `None` where the weights alone
/// do not fit.
#[must_use]
pub fn kv_capacity(
    accelerator: &Accelerator,
    llm: &Llm,
    gpus: u32,
    precision: Precision,
) -> Option<f64> {
    let weights = dense_params(llm) * copies(gpus) + expert_params(llm);
    let usable = accelerator.memory.0 * f64::from(gpus) * MEMORY_SHARE;
    let left = usable - weights * precision.bytes_per_weight();
    (left > 0.0 && llm.kv_per_token.0 > 0.0).then(|| left / llm.kv_per_token.0)
}

fn precision_of_attention(precision: Precision) -> Precision {
    match precision {
        Precision::Fp4 | Precision::Fp8 => Precision::Fp8,
        Precision::Bf16 => Precision::Bf16,
    }
}

fn expert_params(llm: &Llm) -> f64 {
    llm.experts.as_ref().map_or(0.0, |experts| experts.params.0)
}

fn dense_params(llm: &Llm) -> f64 {
    (llm.params.0 - expert_params(llm)).max(0.0)
}

fn copies(gpus: u32) -> f64 {
    f64::from(gpus.div_ceil(TENSOR_WIDTH).max(1))
}

fn miss(experts: &Experts) -> f64 {
    1.0 - f64::from(experts.active) / f64::from(experts.count.max(1))
}

/// Seconds of scale-up traffic per token. Within a tensor-parallel group two ring all-reduces of
/// the 16-bit residual per layer; across groups, for experts, one 8-bit dispatch and one 16-bit
/// combine of each token to each of its experts.
fn network_seconds(accelerator: &Accelerator, llm: &Llm, gpus: u32) -> f64 {
    if gpus <= 1 {
        return 0.0;
    }
    let bandwidth = accelerator.scale_up.0 * accelerator.efficiency.network.0;
    let hidden = f64::from(llm.hidden);
    let count = f64::from(gpus);
    match &llm.experts {
        Some(experts) if gpus > TENSOR_WIDTH => {
            let bytes = f64::from(experts.active) * hidden * 3.0 * f64::from(experts.layers);
            bytes * (count - 1.0) / count / count / bandwidth
        }
        _ => {
            let group = f64::from(gpus.min(TENSOR_WIDTH));
            let bytes = 2.0 * 2.0 * (group - 1.0) / group * hidden * 2.0 * f64::from(llm.layers);
            bytes / copies(gpus) / bandwidth
        }
    }
}

/// Largest table of touched weights; longer steps touch every expert.
const TABLE: usize = 1 << 13;

/// The step time in integer ticks: equal work costs equal ticks, and sums have no rounding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTime {
    overhead: u64,
    decode_compute: u64,
    prefill_compute: u64,
    kv_compute: u64,
    prefill_attention: u64,
    kv_read: u64,
    decode_network: u64,
    prefill_network: u64,
    width: u64,
    growth: u64,
    weights: Vec<u64>,
}

fn ticks_of(seconds: f64) -> u64 {
    (seconds * 1e12 * f64::from(1u32 << TICK_BITS)).round() as u64
}

impl StepTime {
    /// Rounds the coefficients of a roofline to ticks.
    #[must_use]
    pub fn new(roofline: &Roofline) -> Self {
        let full = ticks_of(roofline.dense_read + roofline.expert_read);
        let mut weights = Vec::new();
        while weights.len() < TABLE {
            let here = ticks_of(roofline.weights_read(weights.len() as f64));
            weights.push(here);
            // Within a millionth of everything: the rest of the table is flat.
            if full - here.min(full) <= full / 1_000_000 {
                break;
            }
        }
        let unit = KV_UNIT as f64;
        Self {
            overhead: ticks_of(roofline.overhead),
            decode_compute: ticks_of(roofline.decode_compute),
            prefill_compute: ticks_of(roofline.prefill_compute),
            kv_compute: ticks_of(roofline.kv_compute / unit),
            prefill_attention: ticks_of(roofline.prefill_attention),
            kv_read: ticks_of(roofline.kv_read / unit),
            decode_network: ticks_of(roofline.decode_network),
            prefill_network: ticks_of(roofline.prefill_network),
            width: (roofline.width * unit).round() as u64,
            growth: (roofline.tokens_per_step * unit).round() as u64,
            weights,
        }
    }

    /// Ticks (2^-16 ps) of a step. Affine in `kv` with at most one kink while the rest is fixed.
    #[inline]
    #[must_use]
    pub fn ticks(&self, work: &StepWork) -> u64 {
        let compute = work.decode * self.decode_compute
            + work.prefill * self.prefill_compute
            + work.kv * self.kv_compute
            + work.prefill_attention * self.prefill_attention;
        let touched = (work.decode * self.width / KV_UNIT + work.prefill) as usize;
        let memory = self.weights[touched.min(self.weights.len() - 1)]
            + (work.kv + work.prefill_context * KV_UNIT) * self.kv_read;
        let network = work.decode * self.decode_network + work.prefill * self.prefill_network;
        self.overhead + compute.max(memory) + network
    }

    /// Parts of a token ([`KV_UNIT`]) by which the context of a sequence grows in a decode step.
    #[inline]
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.growth
    }

    /// Decode steps that make `tokens` tokens.
    #[inline]
    #[must_use]
    pub fn steps_for(&self, tokens: u64) -> u64 {
        (tokens * KV_UNIT).div_ceil(self.growth)
    }
}
