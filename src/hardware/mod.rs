//! Accelerators, language models and what one step of a model on an accelerator costs.
//!
//! Physical facts and the step-time roofline live here; scheduling, queues and failures over time
//! do not.

mod accelerator;
mod catalogue;
mod llm;
mod step_time;

pub use accelerator::{Accelerator, Efficiency, Failures, Precision, SoftwareCurve, Unit};
pub use catalogue::{accelerators, models};
pub use llm::{Attention, Experts, Llm};
pub use step_time::{
    KV_UNIT, MEMORY_SHARE, Roofline, StepTime, StepWork, TENSOR_WIDTH, TICK_BITS, kv_capacity,
};
