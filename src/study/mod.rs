//! Studies: many runs of the engine and of the fleet, on all cores. The only floor that uses
//! rayon; every shard owns its state and results are collected in a fixed order.

mod cache;
mod characterise;

pub use characterise::{
    MODEL_VERSION, ServingEntry, ServingSample, ServingTable, calls_per_second_per_gpu,
    characterise,
};
