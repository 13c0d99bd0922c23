//! The fleet over years: one inner sample of one world, on one thread.
//!
//! A [`World`] is everything that is drawn once (demand levels, deliveries with their slips,
//! prices, serving rates) laid out for the loop; [`simulate`] runs failures, surges and dispatch
//! through every epoch of it and leaves an [`Outcome`]. Reading scenarios, threads, need and
//! cost live on other floors.

mod backlog;
mod block;
mod changes;
mod convolution;
mod dispatch;
mod draw;
mod joint_states;
mod linked_areas;
mod measures;
mod mutual_help;
mod outcome;
mod peak_loss;
mod refused;
mod simulate;
mod single_area;
mod state;
mod stepped;
mod system;
mod units;
mod world;

pub use backlog::{Backlog, BacklogStep};
pub use changes::Changes;
pub use convolution::{ExactRisk, ExactSystem, LossMeasure, MOST_CAPACITIES};
pub use draw::{
    CallFacts, Draw, DrawnWorld, ServingInputs, ServingRate, SourceName, YearFacts, draw_world,
};
pub use joint_states::{HourRisk, JointScan, JointStates, MOST_JOINT_STATES, MOST_JOINT_WORK};
pub use linked_areas::{AreaDraw, AreaPart, AreaScan, AreaVariant, LinkedAreas};
pub use measures::{CELLS, Measures, Scopes, Shortfall, Shortfalls};
pub use mutual_help::AreaHour;
pub use outcome::{Outcome, QuarterTally, Residuals, Unserved, YearTally};
pub use peak_loss::{PeakLoss, PeakLosses, WEEKS};
pub use simulate::simulate;
pub use single_area::SingleArea;
pub use units::{Consequence, EXACT_RACKS, STEPPED_TRANSITIONS, UnitCounts, counted_law};
pub use world::{
    CapacityChange, Class, DemandEvent, OnDemand, Policy, Pool, PoolKind, SiteLaw, Span, SurgeLaw,
    World, YearSpan, Young,
};
