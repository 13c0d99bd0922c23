//! The serving engine: request-level simulation of a continuously batching deployment, and the
//! serving curve it leaves behind. Nothing above this floor sees a request.

mod deployment;

pub use deployment::{Deployment, Layout, Prefill, Router, Scheduler};
