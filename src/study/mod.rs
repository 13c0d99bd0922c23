//! Many simulations at once: characterisation of serving, worlds, test systems. The only floor
//! that uses threads; every shard owns its state and results are collected in order, so that no
//! number depends on how many threads there are.

mod cache;
mod capacity;
mod characterise;
mod replicate;
mod serving;
mod simulate;
mod sweep;
mod system;
mod watch;

pub use capacity::{
    Capacity, LengthSums, deployment_capacity, measured_capacity, mixed_means, past_found,
    session_means,
};
pub use characterise::{
    MODEL_VERSION, ServingEntry, ServingSample, ServingTable, calls_per_second_per_gpu,
    characterise,
};
pub use replicate::{WorldRun, YearAdequacy, assess, replicate};
pub use simulate::{
    CLUSTER, LATENCIES, LatencyEstimate, RATES, SHARES, Simulation, SimulationOutcome,
    WorkloadOutcome, clusters_of, replay_deployment, simulate_deployment,
};
pub use sweep::{
    Axis, Combine, Heatmap, Patch, Step, Sweep, SweepError, SweepFailure, SweepOutcome, SweepPoint,
    SweepRow, read_unit, run_sweep, sweep_hash,
};
pub use system::{SystemAdequacy, assess_system};
pub use watch::Watch;
