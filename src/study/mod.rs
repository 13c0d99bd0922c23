//! Many simulations at once: characterisation of serving, worlds, test systems. The only floor
//! that uses threads; every shard owns its state and results are collected in order, so that no
//! number depends on how many threads there are.

mod cache;
mod calibrate;
mod capacity;
mod capacity_value;
mod characterise;
mod crossing;
mod exact_areas;
mod frontier;
mod layouts;
mod loss;
mod replicate;
mod serving;
mod simulate;
mod size;
mod sweep;
mod system;
mod validate;
mod watch;

pub use calibrate::{
    COEFFICIENT_NAMES, COEFFICIENTS, COMPARED, CalibrationFault, EngineLimits, Fitted, HoldOut,
    LEAST_ROWS, ReplayedCall, ServedCall, StepCoefficients, fit_all, hold_out, served_calls,
};
pub use capacity::{
    Capacity, LengthSums, deployment_capacity, measured_capacity, mixed_means, past_found,
    session_means,
};
pub use capacity_value::{CapacityStudy, CapacityValue, Method, RiskMeasure, ValuedPart, is_exact};
pub use characterise::{
    MODEL_VERSION, ServingEntry, ServingSample, ServingTable, Unserved, calls_per_second_per_gpu,
    characterise,
};
pub use crossing::{Crossing, NoCrossing, Tried};
pub use exact_areas::{ExactNetworkRisk, exact_areas};
pub use frontier::{
    Frontier, FrontierAsk, FrontierCurve, FrontierMeasurement, FrontierPoint, GpuCost, frontier,
};
pub use layouts::{
    LayoutSearch, OperatingLimits, OperatingPoint, PointLimit, PrefillPart, ServedModel,
    ServingMode, best_precision, layouts, operating_point,
};
pub use loss::{LolpBy, SystemAdequacy, exact_lolp_by, is_year};
pub use replicate::{WorldRun, YearAdequacy, assess, replicate};
pub use simulate::{
    CLUSTER, LATENCIES, LatencyEstimate, RATES, SHARES, Simulation, SimulationOutcome,
    WorkloadOutcome, clusters_of, replay_deployment, simulate_deployment,
};
pub use size::{
    FACILITY_PUE, LaterPromise, Observed, Refusal, SizeCost, SizeLimit, SizeQuestion,
    SizedAccelerator, SizedDeployment, Sizing, Verdict, Verification, installed_units,
    later_promises, size, size_cost, verify_size,
};
pub use sweep::{
    Axis, Combine, Heatmap, Patch, Step, Sweep, SweepError, SweepFailure, SweepOutcome, SweepPoint,
    SweepRow, read_unit, run_sweep, sweep_hash,
};
pub use system::{LinkUse, NetworkAdequacy, assess_network, assess_system};
pub use validate::{
    Coefficients, EFFICIENCY_COEFFICIENTS, EfficiencyFit, ErrorGroup, FittedCoefficient,
    FittedCoefficients, Latencies, LogErrors, MeasuredRun, Published, PublishedOutcome,
    PublishedRatio, Row, RunsError, STEP_COEFFICIENTS, ServingStack, Spread, Workers, calls_of,
    cell_error, error_groups, errors_of, fit, fit_error, generation, measured_scatter, predict,
    published_ratio, published_throughputs, read_runs, speed_doubt,
};
pub use watch::Watch;
