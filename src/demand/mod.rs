//! Who asks for what, when: surfaces, regions, workloads, growth, daily and weekly curves, events,
//! releases, token lengths, times of arrival and recorded traces.
//!
//! Everything here is a description, a closed-form curve or a stream of what arrives; nothing here
//! queues or serves.

mod arrivals;
mod diurnal;
mod events;
mod growth;
mod lengths;
mod rate_profile;
mod region;
mod release;
mod surface;
mod trace;
mod workload;

pub use arrivals::{ArrivalTimes, Gaps, Interarrival, InterarrivalError};
pub use diurnal::Profile;
pub use events::{Occurrence, PlannedEvent, Surge};
pub use growth::{BASE_YEAR, Draws, Growth};
pub use lengths::{LengthTable, Shape, TokenLengths, length_tables};
pub use rate_profile::{RateProfile, RateProfileError};
pub use region::Region;
pub use release::Release;
pub use surface::Surface;
pub use trace::{
    PrefixHits, ServedTimes, Trace, TraceCounts, TraceError, TraceFault, TraceFormat, TraceRow,
};
pub use workload::{Degraded, Images, Reach, Retries, Service, Volume, Workload};
