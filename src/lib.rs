//! sparkgap
pub mod cli;
pub mod demand;
pub mod engine;
pub mod event_queue;
pub mod fleet;
pub mod hardware;
pub mod plan;
pub mod report;
pub mod rng;
pub mod scenario;
pub mod stats;
pub mod study;
pub mod supply;
pub mod time;
pub mod units;
