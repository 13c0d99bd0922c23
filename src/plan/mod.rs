//! The answer: need, gap, contracts and cost by year, read from the residuals that the fleet
//! simulation leaves. No output format here; nothing is simulated but the trials of [`worth()`].

mod adequacy;
mod all_worlds;
mod answer;
mod finding;
mod measures;
mod need;
mod result;
mod three_part;
mod world_year;
mod worth;

pub use adequacy::{
    Adequacy, AdequacyYear, CriterionPart, Holds, Lolp, PeakSurvival, ScopeAdequacy,
    SupplyAdequacy, ThreePart,
};
pub use answer::{Unanswered, required_external};
pub use finding::few_worlds;
pub use need::{Before, allowed_epochs, order_statistic, required_block, short_epochs};
pub use result::{
    AllWorlds, Answer, CandidateFacts, Cost, Eue, Provenance, QuarterResult, ServingBasis, Source,
    SupplyKind, WorldYear, YearResult,
};
pub use worth::{NoWorth, Trial, Worth, YearWorth, sources, worth};
