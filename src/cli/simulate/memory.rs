//! What a model takes that does not fit on the GPUs it was given.

use crate::engine::Layout;
use crate::hardware::{Accelerator, Llm, Precision, kv_capacity};
use crate::scenario::splits_heads;

/// Most GPUs that are thought of where those in reach are too few.
const MOST: u32 = 256;

/// What to type where the weights leave no room for context on a layout that is sound otherwise:
/// how many GPUs it takes, in its format and in narrower ones. `None` where that is not the fault.
pub(super) fn too_small(layout: &Layout, accelerator: &Accelerator, llm: &Llm) -> Option<String> {
    let reach = accelerator.scale_up_domain.min(accelerator.unit.serving);
    let on = |gpus: u32, precision: Precision| Layout {
        gpus,
        precision,
        attention_ranks: None,
        step_time: None,
    };
    let holds = |gpus: u32, precision: Precision| {
        let width = on(gpus, precision).width(llm);
        let even = width.gpus.is_multiple_of(width.ranks) && splits_heads(width, llm);
        even && kv_capacity(accelerator, llm, width, precision).is_some_and(|held| held >= 1.0)
    };
    let stated = layout.attention_ranks.is_some() || layout.step_time.is_some();
    let sound = layout.gpus <= reach && splits_heads(layout.width(llm), llm);
    if stated || !sound || holds(layout.gpus, layout.precision) {
        return None;
    }
    let name = |precision: Precision| format!("{precision:?}").to_lowercase();
    let fewest = |precision: Precision| {
        let gpus = (layout.gpus..=reach).find(|gpus| holds(*gpus, precision))?;
        Some(format!("--gpus {gpus} with --precision {}", name(precision)))
    };
    if let Some(gpus) = (layout.gpus..=reach).find(|gpus| holds(*gpus, layout.precision)) {
        return Some(format!("it takes --gpus {gpus}, or another --accelerator"));
    }
    let own = name(layout.precision);
    let needed = (reach..=MOST).find(|gpus| holds(*gpus, layout.precision));
    let needed = needed
        .map_or(format!("in {own} it takes more"), |gpus| format!("in {own} it takes {gpus}"));
    let too_few = format!("{needed}, and {} has {reach} GPUs in reach", accelerator.label);
    let narrower = [Precision::Fp8, Precision::Fp4]
        .into_iter()
        .filter(|narrow| narrow.bytes_per_weight() < layout.precision.bytes_per_weight());
    let fixes: Vec<String> = narrower.filter_map(fewest).collect();
    let fixes = fixes.into_iter().chain(["another --accelerator".to_owned()]);
    Some(format!("{too_few}: give {}", fixes.collect::<Vec<String>>().join(", or ")))
}
