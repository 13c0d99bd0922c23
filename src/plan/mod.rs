//! The answer: need, gap, contracts and cost by year, read from the residuals that the fleet
//! simulation leaves. No simulation here and no output format.

mod all_worlds;
mod answer;
mod finding;
mod need;
mod result;
mod world_year;

pub use answer::{Unanswered, required_external};
pub use finding::few_worlds;
pub use need::{Before, allowed_epochs, order_statistic, required_block, short_epochs};
pub use result::{
    AllWorlds, Answer, CandidateFacts, Cost, Eue, Provenance, QuarterResult, ServingBasis, Source,
    SupplyKind, WorldYear, YearResult,
};
