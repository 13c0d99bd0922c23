//! sparkgap
pub mod demand;
pub mod engine;
pub mod event_queue;
pub mod hardware;
pub mod plan;
pub mod rng;
pub mod scenario;
pub mod stats;
pub mod study;
pub mod supply;
pub mod time;
pub mod units;
