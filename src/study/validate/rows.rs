//! Recorded runs and what the catalogue knows of them: accelerator, model, whether they decoded
//! speculatively, whether they are possible at all.

use super::runs::MeasuredRun;
use crate::hardware::{Accelerator, Llm, accelerators, models};

/// A run with what it needs to be predicted.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// The run.
    pub run: &'a MeasuredRun,
    /// Its accelerator, by its name in the catalogue.
    pub accelerator: (&'static str, &'static Accelerator),
    /// Its model.
    pub llm: &'static Llm,
    /// Whether it decoded speculatively.
    pub speculative: bool,
    /// Its cell: system, model, format, mode. A fit is judged on cells that it has not seen.
    pub cell: String,
}

/// Names of systems in dumps, where the catalogue has another.
const SYSTEMS: [(&str, &str); 5] = [
    ("h100_sxm", "h100"),
    ("h200_sxm", "h200"),
    ("b200_sxm", "b200"),
    ("b300_sxm", "b300"),
    ("vr200", "vera_rubin"),
];

/// How the names of models begin in dumps, without their publishers, and what the catalogue calls
/// them. DeepSeek-V3 and R1 are one architecture; so are Llama 3.1 and 3.3 of one size.
const MODELS: [(&str, &str); 22] = [
    ("deepseek-v3.2", "deepseek_v32"),
    ("deepseek-v3", "deepseek_r1"),
    ("deepseek-r1", "deepseek_r1"),
    ("deepseek-v4-pro", "deepseek_v4_pro"),
    ("kimi-k2", "kimi_k2"),
    ("minimax-m2", "minimax_m2"),
    ("glm-5", "glm_5"),
    ("glm-4.6", "glm_46"),
    ("gpt-oss-120b", "gpt_oss_120b"),
    ("gpt-oss-20b", "gpt_oss_20b"),
    ("qwen3-235b", "qwen3_235b"),
    ("qwen3-32b", "qwen3_32b"),
    ("qwen3-30b", "qwen3_30b"),
    ("qwen3-8b", "qwen3_8b"),
    ("qwen3-coder-480b", "qwen3_480b"),
    ("qwen3.5-397b", "qwen35_397b"),
    ("llama-2-70b", "llama2_70b"),
    ("llama-3.1-70b", "llama_70b"),
    ("llama-3.3-70b", "llama_70b"),
    ("llama-3.1-8b", "llama_8b"),
    ("llama-3.1-405b", "llama_405b"),
    ("llama-4-maverick", "llama4_maverick"),
];

impl<'a> Row<'a> {
    /// The run, if the catalogue knows its accelerator and model.
    #[must_use]
    pub fn of(run: &'a MeasuredRun) -> Option<Self> {
        let system = SYSTEMS.iter().find(|(name, _)| *name == run.system);
        let system = system.map_or(run.system.as_str(), |(_, known)| known);
        let (name, accelerator) = accelerators().get_key_value(system)?;
        let short = run.short_model().to_ascii_lowercase();
        // Distilled models have the shape of another one.
        if short.contains("distill") {
            return None;
        }
        let (_, model) = MODELS.iter().find(|(name, _)| short.starts_with(name))?;
        let llm = models().get(*model)?;
        let cell = format!("{} {} {} {}", run.system, run.short_model(), run.format, run.mode());
        let speculative = speculative(run, &short);
        Some(Self { run, accelerator: (name, accelerator), llm, speculative, cell })
    }

    /// Whether the run would have needed more compute for its prompts than large matrix products
    /// are known to reach (70 % of the dense peak): it has found them in a cache, and says nothing
    /// about the hardware.
    #[must_use]
    pub fn beyond_roof(&self) -> bool {
        const BEST: f64 = 0.7;
        let run = self.run;
        let calls = run.throughput / f64::from(run.output);
        let needed = 2.0 * self.llm.active_params.0 * f64::from(run.prompt) * calls;
        needed > BEST * self.accelerator.1.peak(run.decode.layout.precision).0
    }
}

/// Whether a run used multi-token prediction, which the public dump does not say. DeepSeek-R1 on
/// TensorRT-LLM falls into two groups by version and date whose times per token differ by 1.6 to
/// 1.8 at the same concurrency: version 1.2.0rc6.post3, and 1.1.0rc2.post2 from 2026 on, are fast.
fn speculative(run: &MeasuredRun, model: &str) -> bool {
    let date = run.measured.as_deref().unwrap_or("");
    let fast = match run.version.as_str() {
        "1.2.0rc6.post3" => true,
        "1.1.0rc2.post2" => date >= "2026",
        _ => false,
    };
    fast && run.backend == "trtllm" && run.prefill.is_none() && model == "deepseek-r1"
}
