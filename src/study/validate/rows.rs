//! Recorded runs and what the catalogue knows of them: accelerator, model, whether they decoded
//! speculatively, whether they are possible at all.

use super::runs::MeasuredRun;
use crate::hardware::{
    Accelerator, Llm, accelerator_known_as, accelerators, model_known_as, models,
};

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

impl<'a> Row<'a> {
    /// The run, if the catalogue knows its accelerator and model.
    #[must_use]
    pub fn of(run: &'a MeasuredRun) -> Option<Self> {
        let (name, accelerator) =
            accelerators().get_key_value(accelerator_known_as(&run.system))?;
        let llm = models().get(model_known_as(&run.model)?)?;
        let short = run.short_model().to_ascii_lowercase();
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
