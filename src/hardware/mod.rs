//! Accelerators, language models and what one step of a model on an accelerator costs.
//!
//! Physical facts and the step-time roofline live here; scheduling, queues and failures over time
//! do not.

mod accelerator;
mod catalogue;
mod llm;
mod measured;
mod measured_step;
mod peers;
mod provenance;
mod roofline;
mod step_time;

pub use accelerator::{Accelerator, Efficiency, Failures, Infancy, Precision, SoftwareCurve, Unit};
pub use catalogue::{accelerators, catalogue_text, models};
pub use llm::{Attention, Experts, Llm};
pub use measured::{
    MeasuredError, MeasuredFault, MeasuredPoint, accelerator_known_as, measured_points,
    model_known_as, read_measured,
};
pub use measured_step::{COEFFICIENT_NAMES, COEFFICIENTS, MeasuredStepTime};
pub use peers::{CHUNK_SIZES, Chunk, Peers};
pub use provenance::Provenance;
pub use roofline::{MEMORY_SHARE, Roofline, Width, kv_capacity};
pub use step_time::{DecodeRun, KV_UNIT, StepTime, StepWork, TICK_BITS};
