//! The serving engine: request-level simulation of a continuously batching deployment, and the
//! serving curve it leaves behind. Nothing above this floor sees a request.

mod calls;
mod cluster;
mod curve;
mod deployment;
mod draws;
mod first_token;
mod kv_cache;
mod line;
mod load;
mod model;
mod ordered;
mod prefix_cache;
mod replica;
mod request;
mod router;
mod simulation;
mod tally;
mod totals;
mod traffic;
mod window;

pub use cluster::{ClusterOutcome, simulate_cluster};
pub use curve::{
    FluidCapacity, FluidLimit, LatencyLimits, ServingPoint, SloLimit, fluid_at, fluid_capacity,
    measure,
};
pub use deployment::{Deployment, Layout, Prefill, Router, Scheduler};
pub use draws::{CallLaws, CallStreams, Draws, Lengths};
pub use first_token::FirstToken;
pub use kv_cache::{BLOCK, BlockGrowth, blocks_of};
pub use load::{CallMeans, CallShape, ImageTokens, Load, scaled_table};
pub use model::{LONGEST_STEP, LoneCall, ReplicaModel};
pub use replica::Replica;
pub use request::{Abandonment, Completion, Latencies, Observer, PRIORITIES, Request, Retained};
pub use simulation::{ClusterModel, ClusterRun, PrefillPool, Transfer, replay_trace, run_cluster};
pub use tally::ClassTally;
pub use totals::Totals;
pub use traffic::{CallClass, Patience, Pattern, Sessions, Traffic};
