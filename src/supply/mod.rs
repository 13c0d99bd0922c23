//! What there is to serve with: sites and their deliveries, failures of units, contracts and the
//! on-demand market. Descriptions and the birth-death chain of unit failures; who is served by
//! what is decided in [`crate::fleet`].

mod contract;
mod failure;
mod site;
mod step_law;

pub use contract::{Backstop, Candidate, Contract, CounterpartyDefault, Market, Prepay, Tranche};
pub use failure::{TrayLaw, UnitLaw};
pub use site::{Amount, BurnIn, Energised, Outages, Phase, Ramp, Site, Training};
pub use step_law::{StepLaw, StepRow};
