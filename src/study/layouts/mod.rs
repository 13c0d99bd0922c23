//! The layouts in which a model can be served on an accelerator, and what each of them does by the
//! closed forms of the engine: a steady batch of mean calls, no queues, nothing simulated. The
//! promises of percentiles, and the share of this that they leave, are not here.

mod pools;
mod search;

use serde::{Deserialize, Serialize};

pub(super) use pools::{DecodePool, PrefillPool};
pub use search::{LayoutSearch, operating_point};

use crate::engine::{CallMeans, FluidLimit, Layout};
use crate::hardware::{Accelerator, Llm, Precision, kv_capacity};
use crate::units::Seconds;

/// GPUs of an attention rank at most. Attention is split by heads: the models here have 4 to 8
/// heads of keys and values (latent attention has one), and the latency of a collective over more
/// GPUs is in no coefficient of the roofline.
pub const WIDEST_RANK: u32 = 8;

/// Sequences of a GPU at most. Memory or the time per token bind before it nearly always; where a
/// small model would hold more, nothing is known of what such batches do: the largest of 2,327
/// published runs held 683 on a GPU, prefill GPUs included (InferenceX, GB300, 2026-02), the
/// largest of MLPerf Inference v6.1 633, and engines ship with limits of 256 to 1,024.
pub const SEQUENCES_PER_GPU: u32 = 1_024;

/// Tokens in a step of a rank at most where prompts are computed: what serving engines ship with on
/// this class of hardware (vLLM and SGLang, chunks of 8,192). A larger budget would gain little: a
/// step of so many tokens is bound by compute on every accelerator here.
const TOKEN_BUDGET: u32 = 8_192;

/// A model on an accelerator under calls of one kind.
#[derive(Debug, Clone, Copy)]
pub struct ServedModel<'a> {
    /// Where it runs.
    pub accelerator: &'a Accelerator,
    /// What runs, already scaled to its size.
    pub llm: &'a Llm,
    /// Means and spreads of its calls.
    pub calls: CallMeans,
    /// What all step times are divided by: software since the fit times `realised`.
    pub speed: f64,
}

/// Whether prefill and decode share their GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServingMode {
    /// Prompts are computed in chunks beside the decoding batch.
    Aggregated,
    /// Prompts are computed on replicas of their own, which hand the context on.
    Disaggregated,
}

/// What an operating point must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OperatingLimits {
    /// Mean time per output token at most.
    pub tpot: Option<Seconds>,
    /// Time to first token without a queue ([`OperatingPoint::ttft`]) at most.
    pub ttft: Option<Seconds>,
}

/// What keeps the batch of an operating point from growing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PointLimit {
    /// The time per output token.
    Tpot,
    /// The time to first token.
    Ttft,
    /// The context memory.
    Memory,
    /// The batch that was asked for, or the most sequences of a GPU.
    Batch,
    /// The tokens of a step: prompts could not keep up.
    TokenBudget,
}

impl PointLimit {
    /// The name as tables and files print it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tpot => "tpot",
            Self::Ttft => "ttft",
            Self::Memory => "memory",
            Self::Batch => "batch",
            Self::TokenBudget => "prompts",
        }
    }
}

impl From<FluidLimit> for PointLimit {
    fn from(limit: FluidLimit) -> Self {
        match limit {
            FluidLimit::Tpot => Self::Tpot,
            FluidLimit::Memory => Self::Memory,
            FluidLimit::Sequences => Self::Batch,
            FluidLimit::TokenBudget => Self::TokenBudget,
        }
    }
}

/// The prefill side of a disaggregated point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrefillPart {
    /// One prefill replica.
    pub layout: Layout,
    /// Prefill replicas for each decode replica: both are busy all the time. Not a whole number.
    pub replicas_per_decode: f64,
    /// Share of all GPUs that prefill.
    pub share_of_gpus: f64,
}

/// What a layout does at one steady batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OperatingPoint {
    /// The replica that decodes (and, aggregated, prefills).
    pub layout: Layout,
    /// Prefill replicas beside it; none where it is aggregated.
    pub prefill: Option<PrefillPart>,
    /// Sequences of a replica that decodes, over all its ranks.
    pub batch: f64,
    /// Mean time per output token.
    pub tpot: Seconds,
    /// Time to first token without a queue: the steps of a mean prompt, beside the decoding batch
    /// where it is aggregated, in full prefill steps and with the hand-over of the context over
    /// the scale-up link of one GPU where it is not. Queues come on top.
    pub ttft: Seconds,
    /// Calls per second over all GPUs, those that prefill included.
    pub calls_per_second_per_gpu: f64,
    /// Output tokens per second, over the same GPUs.
    pub output_tokens_per_second_per_gpu: f64,
    /// Prompt and output tokens per second, cached ones included, over the same GPUs.
    pub total_tokens_per_second_per_gpu: f64,
    /// What binds.
    pub limit: PointLimit,
}

impl OperatingPoint {
    /// Output tokens per second that one user sees: the inverse of the time per output token.
    #[must_use]
    pub fn tokens_per_second_per_user(&self) -> f64 {
        1.0 / self.tpot.0
    }

    /// Whether prefill has GPUs of its own.
    #[must_use]
    pub fn mode(&self) -> ServingMode {
        match self.prefill {
            Some(_) => ServingMode::Disaggregated,
            None => ServingMode::Aggregated,
        }
    }
}

/// The format in which a model is served fastest on an accelerator: 4 bits where it computes
/// them, else 8. Whether quality allows it is not looked at.
#[must_use]
pub fn best_precision(accelerator: &Accelerator) -> Precision {
    if accelerator.fp4.is_some() { Precision::Fp4 } else { Precision::Fp8 }
}

/// Layouts of one replica whose weights fit: 1, 2, 4, ... GPUs up to what a unit serves within one
/// scale-up domain (and that number itself), for models with experts in 1, 2, 4, ... attention
/// ranks of at most 8 GPUs. In the precisions given, or in the fastest one.
#[must_use]
pub fn layouts(
    accelerator: &Accelerator,
    llm: &Llm,
    precisions: Option<&[Precision]>,
) -> Vec<Layout> {
    let most = accelerator.scale_up_domain.min(accelerator.unit.serving);
    let doubled = |count: &u32| count.checked_mul(2);
    let powers = || std::iter::successors(Some(1_u32), doubled).take_while(|gpus| *gpus <= most);
    let own = Some(most).filter(|most| *most > 0 && !most.is_power_of_two());
    let fastest = [best_precision(accelerator)];
    let mut found = Vec::new();
    for &precision in precisions.unwrap_or(&fastest) {
        for gpus in powers().chain(own) {
            let fitting = |ranks: &u32| gpus.is_multiple_of(*ranks) && gpus / ranks <= WIDEST_RANK;
            let ranks =
                powers().filter(fitting).filter(|ranks| *ranks == 1 || llm.experts.is_some());
            found.extend(ranks.map(|ranks| Layout {
                gpus,
                precision,
                attention_ranks: llm.experts.is_some().then_some(ranks),
                step_time: None,
            }));
        }
    }
    found.retain(|layout| {
        kv_capacity(accelerator, llm, layout.width(llm), layout.precision).is_some()
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{accelerators, models};

    #[test]
    fn layouts_are_those_whose_weights_fit() {
        let list = |accelerator: &str, model: &str, precisions: Option<&[Precision]>| {
            let found = layouts(&accelerators()[accelerator], &models()[model], precisions);
            let pairs = found.iter().map(|layout| (layout.gpus, layout.attention_ranks));
            pairs.collect::<Vec<_>>()
        };
        // 405 GB on H100: 4 x 72 GB are too few. A dense model has one rank.
        assert_eq!(list("h100", "llama_405b", None), [(8, None)]);
        // 671B at 8 bits do not fit into 8 x 80 GB.
        assert_eq!(list("h100", "deepseek_r1", None), []);
        // 377 GB at 4 bits: 2 x 162 GB are too few. 8 ranks hold 8 copies of 9.6 GB beside them.
        let fits = [(4, Some(1)), (4, Some(2)), (4, Some(4))];
        let b200 = list("b200", "deepseek_r1", None);
        assert_eq!(b200[..3], fits);
        assert_eq!(b200[3..], [(8, Some(1)), (8, Some(2)), (8, Some(4)), (8, Some(8))]);
        // 64 of 72 GPUs serve; ranks have at most 8 GPUs.
        let rack = list("gb300", "deepseek_r1", None);
        assert_eq!(rack.last(), Some(&(64, Some(64))));
        assert!(rack.contains(&(64, Some(8))) && !rack.contains(&(64, Some(4))));
        // Both precisions, one after the other.
        let both = [Precision::Fp4, Precision::Fp8];
        assert_eq!(
            list("b200", "llama_405b", Some(&both)),
            [(2, None), (4, None), (8, None), (4, None), (8, None)]
        );
    }
}
