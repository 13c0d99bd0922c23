//! How much external GPU capacity does an assistant need, year by year, and how sure is that?
//!
//! `sparkgap` is a discrete-event simulator for capacity planners. The program is described in
//! `README.md`, every formula in `docs/model.md`, the words in `docs/glossary.md`. This page is a
//! short tutorial of the library: three steps from one uncertain number to a plan.
//!
//! # 1. What is not known: a quantity with a unit and a law
//!
//! Quantities are typed and are read from text with their unit. An uncertain one is drawn by
//! inversion from one uniform number: 0.5 gives the median.
//!
//! ```
//! use sparkgap::units::{Seconds, Uncertain};
//!
//! let late: Uncertain<Seconds> = Uncertain::parse("uniform(1, 9) months")?;
//! assert_eq!(late.central(), Uncertain::parse("5 months")?.central());
//! assert!(Uncertain::<Seconds>::parse("5").is_err()); // no unit
//! # Ok::<(), sparkgap::units::QuantityError>(())
//! ```
//!
//! # 2. What is random: racks that fail against a load
//!
//! A hundred racks, each up for 97 % of the time, must carry 97 racks of work. The binomial
//! distribution says that they fall short with probability 0.352751; the simulation agrees within
//! its own standard error.
//!
//! ```
//! use sparkgap::scenario::System;
//! use sparkgap::study::{Watch, assess_system};
//!
//! let racks = System::from_ron(
//!     r#"(
//!         name: "racks", description: "redundancy", seed: 1, samples: 4000,
//!         units: {"rack": (
//!             capacity: constant(1), count: 100,
//!             failures: times(mtbf: "970 h", mttr: "30 h"),
//!         )},
//!         firm: constant(0),
//!         load: hourly([97]),
//!     )"#,
//!     "racks.ron",
//! )?;
//! let found = assess_system(&racks, Watch::nobody()).expect("nobody stops it");
//! assert!(found.lole_hours.within(0.352751, 3.0));
//! # Ok::<(), sparkgap::scenario::ScenarioError>(())
//! ```
//!
//! # 3. A plan: the fleet of a scenario
//!
//! A [`scenario::Scenario`] is plain data: read and checked once, then edited at will. Here the
//! default one, cut to ten worlds.
//!
//! ```
//! use sparkgap::scenario::Scenario;
//!
//! let mut scenario = Scenario::embedded();
//! scenario.sampling.worlds = 10;
//! assert_eq!(scenario.horizon.first_year, 2026);
//! // What a run is made of has one hash, sampling included.
//! assert_ne!(scenario.hash(), Scenario::embedded().hash());
//! ```
//!
//! [`study::characterise`] measures how much of each workload one GPU serves;
//! [`plan::required_external`] simulates the worlds and reads need and gap from them;
//! [`study::assess`] stops at how adequate the fleet is.
//!
//! ```no_run
//! use sparkgap::plan::required_external;
//! use sparkgap::scenario::Scenario;
//! use sparkgap::study::{Watch, characterise};
//!
//! let scenario = Scenario::embedded();
//! let table = characterise(&scenario, None, Watch::nobody()).expect("nobody stops it");
//! let rate = table.rates(&scenario);
//! let answer = required_external(&scenario, &rate, Watch::nobody()).expect("nobody stops it");
//! for year in &answer.years {
//!     println!("{}: {:+.0} GPUs", year.year, year.gap_gpus.p50.value);
//! }
//! ```
//!
//! The programs in `examples/` go on from here.
//!
//! # Floors
//!
//! A module imports only from lower floors, and modules of one floor do not import one another.
//!
//! | floor | modules | what is there |
//! |---|---|---|
//! | 8 | [`cli`] | the command line |
//! | 7 | [`report`] | table, files, chart |
//! | 6 | [`plan`] | need, gap, cost |
//! | 5 | [`study`] | many simulations at once; the only threads |
//! | 4 | [`fleet`] | one inner sample of one world |
//! | 3 | [`scenario`] | the checked whole of what is asked |
//! | 2 | [`supply`], [`engine`] | sites, contracts, failures; the serving engine |
//! | 1 | [`demand`], [`hardware`] | who asks for what; what a step costs |
//! | 0 | [`units`], [`time`], [`event_queue`], [`rng`], [`stats`] | numbers, clocks, chance |

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
