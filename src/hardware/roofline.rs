//! What one step of a replica costs, in seconds: the physics. Where attention is data-parallel, of
//! one of its ranks.
//!
//! `t = overhead + max(compute, memory) + communication`, where compute is the products with the
//! active weights and the attention, memory the weights really touched and the context read. Cheap
//! to build, which is what closed forms need; [`super::StepTime`] is the same in integers.

use serde::Serialize;

use super::{Accelerator, Attention, Efficiency, Experts, Llm, Peers, Precision};

/// Share of the usable memory that weights and context may fill; the rest is for activations,
/// communication buffers and captured graphs (engines ship with 0.85 to 0.95).
pub const MEMORY_SHARE: f64 = 0.9;

/// The GPUs of a replica and the ranks into which its attention splits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// GPUs of the replica; the routed experts are spread over all of them.
    pub gpus: u32,
    /// Ranks of data-parallel attention, 1 or more. Each has `gpus / ranks` GPUs, its own
    /// sequences, their context, and a copy of all weights that are not routed experts.
    pub ranks: u32,
}

impl Width {
    fn gpus_of_rank(self) -> f64 {
        f64::from(self.gpus) / f64::from(self.ranks)
    }
}

impl From<u32> for Width {
    /// So many GPUs in one rank.
    fn from(gpus: u32) -> Self {
        Self { gpus, ranks: 1 }
    }
}

/// Speculative decoding verifies more tokens than it keeps: 1.5 for each one gained.
const VERIFIED_PER_GAINED: f64 = 1.5;

/// Width of a head when latent attention is expanded for prefill: mean of 192 (score) and 128
/// (value) in the published configurations.
const EXPANDED_WIDTH: f64 = 160.0;

/// Fixed time of one layer and step.
fn layer_seconds(fitted: &Efficiency, llm: &Llm, width: Width) -> f64 {
    let attention = match llm.attention {
        Attention::Grouped => 0.0,
        Attention::Latent => fitted.latent_overhead.0,
        Attention::Sparse => fitted.sparse_overhead.0,
        Attention::Hybrid => fitted.hybrid_overhead.0,
    };
    let experts = if llm.experts.is_some() { fitted.expert_overhead.0 } else { 0.0 };
    let reached = if width.ranks > 1 { f64::from(width.gpus) } else { width.gpus_of_rank() };
    let collectives = fitted.collective_overhead.0 * libm::log2(reached.max(1.0));
    fitted.layer_overhead.0 + attention + experts + collectives
}

/// Coefficients of the step time of one rank in seconds. All are zero or more. The ranks of a
/// replica step together: what is shared (routed experts) is priced as if every rank sent as many
/// tokens as this one, and [`Peers`] say how much longer the busiest rank takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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
    /// Compute time of the routed experts of one token: a part of `prefill_compute`.
    pub expert_compute: f64,
    /// Time to read all routed experts, each GPU its part.
    pub expert_read: f64,
    /// Chance that one token of each rank does not touch a given expert of a layer; 1 for a dense
    /// model.
    pub expert_miss: f64,
    /// Time to read one context token.
    pub kv_read: f64,
    /// Communication and host time of one decoding sequence.
    pub decode_network: f64,
    /// Communication time of one prompt token.
    pub prefill_network: f64,
    /// Tokens verified per decoding sequence and step, 1 without speculation.
    pub width: f64,
    /// Expected tokens gained per decoding sequence and step, 1 without speculation.
    pub tokens_per_step: f64,
    /// The other ranks; none where there is one.
    pub peers: Option<Peers>,
}

impl Roofline {
    /// The roofline of a model (already scaled to its size) on packages of an accelerator, for one
    /// rank of a replica of `width`, its peers left out. `speed` divides every time: software
    /// progress since the fit, doubt about hardware that has not been measured.
    #[must_use]
    pub fn new(
        accelerator: &Accelerator,
        llm: &Llm,
        width: impl Into<Width>,
        precision: Precision,
        speed: f64,
    ) -> Self {
        let replica: Width = width.into();
        let count = replica.gpus_of_rank();
        let ranks = f64::from(replica.ranks);
        let fitted = &accelerator.efficiency;
        let rate = |format| accelerator.realised_rate(format).0 * count * speed;
        let dense = dense_format(llm, precision);
        let attention_rate = rate(dense.of_attention());
        let activations = llm.experts.as_ref().and_then(|experts| experts.activations);
        let expert_rate = rate(precision).min(activations.map_or(f64::INFINITY, rate));
        let bandwidth = accelerator.memory_bandwidth.0 * fitted.memory.0 * count * speed;
        let tokens_per_step = llm.tokens_per_step.0.max(1.0);
        let width = 1.0 + VERIFIED_PER_GAINED * (tokens_per_step - 1.0);
        let routed = 2.0 * llm.active_params.0 * expert_part(llm) / expert_rate;
        let rest = 2.0 * llm.active_params.0 * (1.0 - expert_part(llm)) / rate(dense);
        let pair = 4.0 * f64::from(llm.heads) * f64::from(llm.layers) * llm.full_attention.0;
        let head = f64::from(llm.head_width);
        let expanded = if llm.attention == Attention::Latent { EXPANDED_WIDTH } else { head };
        let network = network_seconds(accelerator, llm, replica) / speed;
        let layers = f64::from(llm.layers);
        Self {
            overhead: layer_seconds(fitted, llm, replica) * layers / speed,
            decode_compute: (rest + routed) * width,
            prefill_compute: rest + routed,
            // All verified tokens of a sequence attend to its whole context.
            kv_compute: pair * head * width / attention_rate,
            prefill_attention: pair * head.min(expanded) / attention_rate,
            dense_read: dense_params(llm) * dense.bytes_per_weight() / bandwidth,
            expert_compute: routed,
            expert_read: expert_params(llm) * precision.bytes_per_weight() / (bandwidth * ranks),
            expert_miss: libm::pow(llm.experts.as_ref().map_or(1.0, miss), ranks),
            kv_read: llm.kv_per_token.0 * copies(llm, count) / bandwidth,
            decode_network: network * width + fitted.sequence_overhead.0 / speed,
            prefill_network: network,
            width,
            tokens_per_step,
            peers: None,
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
            expert_compute: 0.0,
            expert_read: 0.0,
            expert_miss: 1.0,
            kv_read: 0.0,
            decode_network: 0.0,
            prefill_network: 0.0,
            width: 1.0,
            tokens_per_step: 1.0,
            peers: None,
        }
    }

    /// The step of a rank whose peers have nothing to do: no wait, and no other tokens than its own
    /// at the experts.
    #[must_use]
    pub fn alone(&self) -> Self {
        let Some(peers) = self.peers else { return *self };
        let spared = self.expert_compute * (1.0 - 1.0 / peers.ranks);
        Self {
            decode_compute: self.decode_compute - spared * self.width,
            prefill_compute: self.prefill_compute - spared,
            expert_miss: libm::pow(self.expert_miss, 1.0 / peers.ranks),
            peers: None,
            ..*self
        }
    }

    /// Seconds by which a step of `decode` sequences is longer because the busiest rank has more
    /// to do than this one: zero without peers.
    #[must_use]
    pub fn wait(&self, decode: f64) -> f64 {
        self.peers.map_or(0.0, |peers| peers.wait(self, decode))
    }

    /// Seconds of a step with a fluid amount of work: `decode` sequences with `kv` context
    /// tokens, `prefill` prompt tokens behind `prefill_context` tokens and `pairs` of prompt
    /// token and context token. The wait for other ranks comes on top.
    #[must_use]
    pub fn seconds(
        &self,
        decode: f64,
        kv: f64,
        prefill: f64,
        prefill_context: f64,
        pairs: f64,
    ) -> f64 {
        self.seconds_beside(prefill, decode, kv, prefill, prefill_context, pairs)
    }

    /// The same where the ranks have `shared` prompt tokens at the experts each, on average.
    pub(super) fn seconds_beside(
        &self,
        shared: f64,
        decode: f64,
        kv: f64,
        prefill: f64,
        prefill_context: f64,
        pairs: f64,
    ) -> f64 {
        let compute = decode * self.decode_compute
            + prefill * self.prefill_compute
            + (shared - prefill) * self.expert_compute
            + kv * self.kv_compute
            + pairs * self.prefill_attention;
        let memory =
            self.weights_read(decode * self.width + shared) + (kv + prefill_context) * self.kv_read;
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

/// Context tokens that fit beside the weights in one rank of a replica; `None` where the weights
/// alone do not fit.
#[must_use]
pub fn kv_capacity(
    accelerator: &Accelerator,
    llm: &Llm,
    width: impl Into<Width>,
    precision: Precision,
) -> Option<f64> {
    let width: Width = width.into();
    let dense = dense_params(llm) * dense_format(llm, precision).bytes_per_weight();
    let experts = expert_params(llm) / f64::from(width.ranks) * precision.bytes_per_weight();
    let usable = accelerator.memory.0 * width.gpus_of_rank() * MEMORY_SHARE;
    let left = usable - dense - experts;
    // No ranks at all give no number.
    let some = left > 0.0 && left.is_finite() && llm.kv_per_token.0 > 0.0;
    some.then(|| left / (llm.kv_per_token.0 * copies(llm, width.gpus_of_rank())))
}

/// Copies that a rank of so many GPUs keeps of its context: tensor parallelism gives every GPU
/// whole heads, so that more GPUs than heads share the heads but not the memory.
fn copies(llm: &Llm, gpus: f64) -> f64 {
    (gpus / f64::from(llm.kv_heads.max(1))).max(1.0)
}

/// Format of the weights that are not routed experts.
fn dense_format(llm: &Llm, precision: Precision) -> Precision {
    let Some(experts) = &llm.experts else { return precision };
    experts.other_weights.unwrap_or(precision.beside_experts())
}

fn expert_params(llm: &Llm) -> f64 {
    llm.experts.as_ref().map_or(0.0, |experts| experts.params.0)
}

fn dense_params(llm: &Llm) -> f64 {
    (llm.params.0 - expert_params(llm)).max(0.0)
}

/// The part of the weights a token is multiplied with that are routed experts.
fn expert_part(llm: &Llm) -> f64 {
    let active = llm.experts.as_ref().map_or(0.0, |experts| {
        experts.params.0 * f64::from(experts.active) / f64::from(experts.count.max(1))
    });
    (active / llm.active_params.0).min(1.0)
}

fn miss(experts: &Experts) -> f64 {
    1.0 - f64::from(experts.active) / f64::from(experts.count.max(1))
}

/// Seconds of traffic per token of a rank over the links that reach all its peers: ring all-reduces
/// of the 16-bit residual over its GPUs, two per layer; across ranks the second one gives way to
/// one 8-bit dispatch and one 16-bit combine of each token to each of its experts.
fn network_seconds(accelerator: &Accelerator, llm: &Llm, width: Width) -> f64 {
    let within = width.gpus <= accelerator.scale_up_domain;
    let link = if within { accelerator.scale_up } else { accelerator.scale_out };
    let bandwidth = link.0 * accelerator.efficiency.network.0;
    let (count, own) = (f64::from(width.gpus), width.gpus_of_rank());
    let hidden = f64::from(llm.hidden);
    let reduce = 2.0 * (own - 1.0) / own * hidden * 2.0 * f64::from(llm.layers);
    let bytes = match &llm.experts {
        Some(experts) if width.ranks > 1 => {
            // No more copies of a token than GPUs.
            let copies = f64::from(experts.active).min(count) * (count - 1.0) / count;
            reduce + copies * hidden * 3.0 * f64::from(experts.layers) / own
        }
        _ => 2.0 * reduce,
    };
    bytes / bandwidth
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{accelerators, models};

    fn roofline(accelerator: &str, model: &str, gpus: u32) -> Roofline {
        let llm = &models()[model];
        Roofline::new(&accelerators()[accelerator], llm, gpus, Precision::Fp4, 1.0)
    }

    #[test]
    fn decode_of_a_dense_model_by_hand() {
        let mut hardware = accelerators()["h100"].clone();
        hardware.efficiency.compute = crate::units::Share(0.5);
        hardware.efficiency.narrow_compute = crate::units::Share(0.5);
        hardware.efficiency.memory = crate::units::Share(0.8);
        hardware.efficiency.layer_overhead = crate::units::Seconds(50e-6);
        hardware.efficiency.sequence_overhead = crate::units::Seconds(10e-6);
        let llm = &models()["llama_8b"];
        let roofline = Roofline::new(&hardware, llm, 1, Precision::Fp8, 2.0);
        let (sequences, context) = (32.0, 32.0 * 1_000.0);
        // 8.03 GB of weights and 65,536 B a context token at 2.68 TB/s; 32 layers of 50 us; twice
        // as fast.
        let memory = (8.03e9 + context * 65_536.0) / (3.35e12 * 0.8);
        let exact = (32.0 * 50e-6 + memory + sequences * 10e-6) / 2.0;
        let priced = roofline.seconds(sequences, context, 0.0, 0.0, 0.0);
        assert!((priced / exact - 1.0).abs() < 1e-12, "{priced} {exact}");
        // A prompt of 8,192 tokens is compute: weights twice per token, and 4 x heads x width x
        // layers for each pair.
        let pairs = 8_192.0 * 8_193.0 / 2.0;
        let products = 2.0 * 8.03e9 * 8_192.0 + 4.0 * 32.0 * 128.0 * 32.0 * pairs;
        let exact = (32.0 * 50e-6 + products / (1.979e15 * 0.5)) / 2.0;
        let priced = roofline.seconds(0.0, 0.0, 8_192.0, 0.0, pairs);
        assert!((priced / exact - 1.0).abs() < 1e-12, "{priced} {exact}");
    }

    #[test]
    fn experts_are_read_as_far_as_they_are_touched() {
        let roofline = roofline("gb300", "deepseek_r1", 8);
        assert!((roofline.weights_read(0.0) - roofline.dense_read).abs() < 1e-18);
        // One token touches 8 of 256 experts.
        let one = roofline.weights_read(1.0) - roofline.dense_read;
        assert!((one / roofline.expert_read - 8.0 / 256.0).abs() < 1e-12);
        let all = roofline.weights_read(1e6) - roofline.dense_read;
        assert!((all / roofline.expert_read - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_checkpoint_may_set_its_formats() {
        let (rack, node) = (&accelerators()["gb300"], &accelerators()["h200"]);
        let gpt = &models()["gpt_oss_120b"];
        let mut free = gpt.clone();
        let experts = free.experts.as_mut().unwrap();
        (experts.other_weights, experts.activations) = (None, None);
        let of = |accelerator, llm, format| Roofline::new(accelerator, llm, 1, format, 1.0);
        let (set, unset) = (of(rack, gpt, Precision::Fp4), of(rack, &free, Precision::Fp4));
        // 114.7e9 x 4 / 128 weights at 8 bits instead of 4, the rest of 5.1e9 at 16 instead of 8.
        let routed = 114.7e9 * 4.0 / 128.0;
        let rate = |format| rack.realised_rate(format).0;
        let exact =
            2.0 * (routed / rate(Precision::Fp8) + (5.1e9 - routed) / rate(Precision::Bf16));
        assert!((set.prefill_compute / exact - 1.0).abs() < 1e-12);
        assert!(unset.prefill_compute < 0.7 * set.prefill_compute);
        // 2.3e9 weights of 2 bytes each are read at every step; experts are read as they were.
        assert!((set.dense_read / unset.dense_read - 2.0).abs() < 1e-12);
        assert_eq!(set.expert_read, unset.expert_read);
        // Tokens are no narrower than the weights, and no faster than the hardware has units for.
        let eight = |llm| of(rack, llm, Precision::Fp8).expert_compute;
        assert_eq!(eight(gpt), eight(&free));
        let hopper = |llm| of(node, llm, Precision::Fp4).expert_compute;
        assert_eq!(hopper(gpt), hopper(&free));
        let room = |llm| kv_capacity(rack, llm, 1, Precision::Fp4).unwrap();
        assert!((room(&free) - room(gpt) - 2.3e9 / 18_432.0).abs() < 1.0);
    }

    #[test]
    fn weights_that_do_not_fit_leave_no_room() {
        let llm = &models()["llama_405b"];
        let h100 = &accelerators()["h100"];
        assert_eq!(kv_capacity(h100, llm, 4, Precision::Fp8), None);
        let tokens = kv_capacity(h100, llm, 8, Precision::Fp8).unwrap();
        // 8 x 80 GB x 0.9 less 405 GB, 258,048 B a token.
        assert!((tokens - (576e9 - 405e9) / 258_048.0).abs() < 1.0);
    }

    #[test]
    fn every_rank_holds_a_copy_of_the_dense_part() {
        let llm = &models()["deepseek_r1"];
        let rack = &accelerators()["gb300"];
        let ranks = |ranks| Width { gpus: 64, ranks };
        let tokens = kv_capacity(rack, llm, ranks(8), Precision::Fp8).unwrap();
        // Latent attention has one head to share: each of the 8 GPUs of a rank keeps its context.
        let exact = (64.0 * 278e9 * 0.9 - 654e9 - 8.0 * 17e9) / 35_136.0 / 8.0 / 8.0;
        assert!((tokens / exact - 1.0).abs() < 1e-12);
        // A copy on every GPU.
        let tokens = kv_capacity(rack, llm, ranks(64), Precision::Fp8).unwrap();
        let exact = (278e9 * 0.9 - 654e9 / 64.0 - 17e9) / 35_136.0;
        assert!((tokens / exact - 1.0).abs() < 1e-12);
        assert_eq!(kv_capacity(rack, llm, ranks(0), Precision::Fp8), None);
    }
}
