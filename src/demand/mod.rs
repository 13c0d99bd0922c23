//! Who asks for what, when: surfaces, regions, workloads, growth, daily and weekly curves, events,
//! releases and token lengths.
//!
//! Everything here is a description or a closed-form curve; nothing here queues, serves or draws.

mod diurnal;
mod events;
mod growth;
mod lengths;
mod region;
mod release;
mod surface;
mod workload;

pub use diurnal::Profile;
pub use events::{Occurrence, PlannedEvent, Surge};
pub use growth::{BASE_YEAR, Draws, Growth};
pub use lengths::{LengthTable, Shape, TokenLengths, length_tables};
pub use region::Region;
pub use release::Release;
pub use surface::Surface;
pub use workload::{Images, Reach, Service, Volume, Workload};
