//! Many simulations at once: worlds, characterisation. The only floor that uses threads; every
//! result is collected in order, so that no number depends on how many there are.

mod replicate;
mod system;

pub use replicate::{Watch, WorldRun, YearAdequacy, assess, replicate};
pub use system::{SystemAdequacy, assess_system};
