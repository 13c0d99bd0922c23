//! The answer: need, gap, contracts and cost by year, read from the residuals that the fleet
//! simulation leaves. No simulation here and no output format.

mod result;

pub use result::{
    AllWorlds, Answer, CandidateFacts, Cost, Eue, Provenance, QuarterResult, Source, SupplyKind,
    WorldYear, YearResult,
};
