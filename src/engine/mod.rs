//! The serving engine: request-level simulation of a continuously batching deployment, and the
//! serving curve it leaves behind. Nothing above this floor sees a request.

mod cluster;
mod curve;
mod deployment;
mod kv_cache;
mod load;
mod model;
mod replica;
mod request;
mod slots;

pub use cluster::{ClusterOutcome, simulate_cluster};
pub use curve::{
    FluidCapacity, FluidLimit, LatencyLimits, ServingPoint, SloLimit, fluid_capacity, measure,
};
pub use deployment::{Deployment, Layout, Prefill, Router, Scheduler};
pub use kv_cache::{BLOCK, BlockGrowth, blocks_of};
pub use load::{CallMeans, CallShape, Draws, ImageTokens, Load, scaled_table};
pub use model::{LoneCall, ReplicaModel};
pub use replica::{Replica, Totals};
pub use request::{Latencies, Observer, Request};
