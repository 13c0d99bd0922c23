//! Check of a layout: the GPUs of an attention rank share the heads of the model evenly.

use super::{Faults, Path};
use crate::engine::Layout;
use crate::hardware::{Accelerator, Attention, Llm, Width};

/// Whether the GPUs of an attention rank have as many query heads each. Serving engines refuse
/// grouped attention on others (vLLM: the heads must be divisible by `tensor_parallel_size`); other
/// kinds of attention are split in their own ways.
#[must_use]
pub fn splits_heads(width: Width, model: &Llm) -> bool {
    let gpus = width.gpus / width.ranks.max(1);
    model.attention != Attention::Grouped || (gpus > 0 && model.heads.is_multiple_of(gpus))
}

/// The query heads are split evenly; a measured step time is of an engine that has run.
pub(super) fn heads(
    faults: &mut Faults,
    path: &Path,
    layout: &Layout,
    accelerator: &Accelerator,
    model: &Llm,
) {
    let width = layout.width(model);
    if layout.step_time.is_some() || splits_heads(width, model) {
        return;
    }
    let ranks = layout.attention_ranks.unwrap_or(1).max(1);
    let most = accelerator.scale_up_domain.min(accelerator.unit.serving);
    let fitting = (1..=most).filter(|gpus| {
        let other = Layout { gpus: *gpus, ..layout.clone() };
        gpus.is_multiple_of(ranks) && splits_heads(other.width(model), model)
    });
    let fitting: Vec<String> = fitting.map(|gpus| gpus.to_string()).collect();
    let message = format!(
        "{} GPUs of an attention rank cannot share the {} query heads of {} evenly: serving \
         engines refuse it",
        width.gpus / width.ranks.max(1),
        model.heads,
        model.label
    );
    faults.add(path.clone(), message, format!("GPUs of a replica: one of {}", fitting.join(", ")));
}
