//! How many GPUs a load needs at its promises: for each accelerator the layout, the replicas and
//! the ratio of prefill to decode with the fewest GPUs, by simulation; and the check of such a size
//! at the whole load.
//!
//! Candidates come from the closed forms of [`super::layouts`], which bound what a replica can do.
//! They are simulated in the order of the GPUs that they need at least, until no other can need
//! fewer than the best one found. What all of it costs is in `cost`. Failures of hardware are not
//! here: these GPUs must be up.

mod best;
mod candidate;
mod cost;
mod fewest;
mod observed;
mod search;
mod trial;
mod verify;

use rayon::prelude::*;

pub use cost::{FACILITY_PUE, SizeCost, installed_units, size_cost};
pub use observed::{Observed, Verdict};
pub use verify::{Verification, verify_size};

use super::{ServingMode, ServingStack, Watch};
use crate::demand::Interarrival;
use crate::engine::{CallClass, ClusterModel, Layout};
use crate::hardware::{Accelerator, Llm, Precision, Provenance};
use crate::study::speed_doubt;
use crate::units::Seconds;

/// An accelerator in question.
#[derive(Debug, Clone)]
pub struct SizedAccelerator<'a> {
    /// Its name in the catalogue.
    pub name: &'a str,
    /// What it is.
    pub accelerator: &'a Accelerator,
    /// What all step times are divided by: software since the fit times `realised`; of a measured
    /// one, what has changed since then.
    pub speed: f64,
    /// Formats of the weights that may be used; at least one.
    pub precisions: Vec<Precision>,
    /// The only layout that is tried, where its step time was measured; else all are, by roofline.
    pub measured: Option<&'a Layout>,
}

impl SizedAccelerator<'_> {
    /// How far its numbers are backed by measurement.
    #[must_use]
    pub fn provenance(&self) -> Provenance {
        self.measured.map_or(self.accelerator.provenance(), |_| Provenance::Measured)
    }

    /// What its clients wait for a first token beyond the engine: a measured step time has its
    /// serving stack in it.
    #[must_use]
    pub fn stack(&self, stack: ServingStack) -> ServingStack {
        if self.measured.is_some() { ServingStack::default() } else { stack }
    }

    /// Factor by which its GPUs may be more or fewer because step times are fitted or inherited:
    /// the inverse of the lower end of the doubt about its speed. `None` where that is taken as
    /// known, and where the step time was measured.
    #[must_use]
    pub fn fit_error_factor(&self) -> Option<f64> {
        let factor = 1.0 / speed_doubt(self.accelerator).0;
        (factor > 1.0 && self.measured.is_none()).then_some(factor)
    }
}

/// What is to be served.
#[derive(Debug, Clone)]
pub struct SizeQuestion<'a> {
    /// Where it may be served.
    pub accelerators: Vec<SizedAccelerator<'a>>,
    /// The model, already scaled to its size.
    pub llm: &'a Llm,
    /// The calls and their promises, both finite, without patience.
    pub class: CallClass,
    /// Calls per second, above zero.
    pub rate: f64,
    /// Law of the gaps between them.
    pub gaps: Interarrival,
    /// What clients wait for a first token beyond the engine; nothing is added where the step time
    /// was measured ([`SizedAccelerator::stack`]).
    pub stack: ServingStack,
    /// Ways of serving that are allowed; at least one.
    pub modes: Vec<ServingMode>,
    /// Seed of every random stream.
    pub seed: u64,
}

/// What keeps a size from being smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SizeLimit {
    /// One replica is the least that can be had.
    WholeReplica,
    /// With fewer replicas the time to first token breaks first.
    Ttft,
    /// With fewer replicas the time per output token breaks first.
    Tpot,
    /// With fewer replicas the contexts would not fit.
    Memory,
    /// Fewer replicas would be saturated.
    Saturation,
}

impl SizeLimit {
    /// As tables and files print it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WholeReplica => "one replica",
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::Memory => "memory",
            Self::Saturation => "saturation",
        }
    }
}

/// The deployment with the fewest GPUs that was found on an accelerator.
#[derive(Debug, Clone, PartialEq)]
pub struct SizedDeployment {
    /// The replica that decodes (and, aggregated, prefills).
    pub layout: Layout,
    /// Its attention ranks.
    pub ranks: u32,
    /// How many there are.
    pub replicas: u64,
    /// The replica that prefills for them; none where it is aggregated.
    pub prefill_layout: Option<Layout>,
    /// Its attention ranks; 0 where there is none.
    pub prefill_ranks: u32,
    /// How many there are; 0 where it is aggregated.
    pub prefill_replicas: u64,
    /// GPUs of all replicas.
    pub gpus: u64,
    /// Sequences in the batch of a replica that decodes at most, over all its ranks.
    pub max_sequences: u64,
    /// Whether that is nine tenths of what fills its memory, so that few are computed again; else
    /// it is the most that is tried of any GPU.
    pub limited_by_memory: bool,
    /// GPUs between which the sample leaves the size open: the smallest size that it does not find
    /// to break by two standard errors, and the smallest one that the samples of other seeds would
    /// find to hold too.
    pub sampled: (u64, u64),
    /// The load as a share of what the closed form says the replicas that decode could do at most
    /// within the promises.
    pub eta: f64,
    /// The same at the next smaller number of replicas that was tried and did not hold; none where
    /// none was: one replica is the least, or fewer would be saturated.
    pub eta_broken: Option<f64>,
    /// The load as a share of what the prefill replicas could do at most; 0 where there are none.
    pub prefill_load: f64,
    /// What keeps the replicas that decode from being fewer.
    pub limit: SizeLimit,
    /// The same of the prefill replicas.
    pub prefill_limit: Option<SizeLimit>,
    /// What its calls experience, in the runs that decided it. More than 256 engine replicas
    /// (attention ranks) are read off 256 or fewer at the same load each.
    pub seen: Observed,
    /// Candidates by closed form, and those of them that were simulated.
    pub candidates: (u32, u32),
    /// The whole of it, as the engine sees it.
    pub model: ClusterModel,
}

impl SizedDeployment {
    /// Whether it is the promise for TTFT that keeps one of its kinds of replica from being fewer.
    #[must_use]
    pub fn waits_bind(&self) -> bool {
        self.limit == SizeLimit::Ttft || self.prefill_limit == Some(SizeLimit::Ttft)
    }
}

/// Why an accelerator cannot serve the load at any size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// The weights do not fit into what one replica can have.
    Weights {
        /// Bytes of the weights, in the smallest format allowed.
        needed: f64,
        /// GPUs of the widest replica.
        gpus: u32,
        /// Bytes of memory of these.
        memory: f64,
    },
    /// No layout holds the context of the calls: a mean one and the 99th percentile of prompts.
    Context {
        /// That prompt, tokens.
        tokens: f64,
    },
    /// A lone call breaks the promise for TTFT on every layout.
    Ttft {
        /// TTFT of a prompt at the 99th percentile on the fastest one.
        lone: Seconds,
        /// The part of it that clients wait beyond the engine, for the serving stack.
        of_stack: Seconds,
    },
    /// A lone call breaks the promise for TPOT on every layout.
    Tpot {
        /// Its time per output token on the fastest one.
        lone: Seconds,
    },
    /// A lone call keeps each promise on some layout, but on none both.
    Either {
        /// TTFT of such a call on the layout that comes nearest to both.
        ttft: Seconds,
        /// Its time per output token there.
        tpot: Seconds,
    },
    /// No number of replicas that was tried keeps the promises, though a lone call is within them.
    NoLoad,
}

/// What is found for an accelerator.
pub type Sizing = Result<SizedDeployment, Refusal>;

/// Sizes every accelerator of the question, in their order, on all cores. The result does not
/// depend on the number of threads. `None` when `watch` stopped it.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
#[must_use]
pub fn size(question: &SizeQuestion<'_>, watch: Watch<'_>) -> Option<Vec<Sizing>> {
    (watch.begun)(question.accelerators.len() as u64);
    let one = |sized: &SizedAccelerator<'_>| {
        let found = (!watch.stopped()).then(|| best::best(question, sized, true));
        (watch.done)();
        found
    };
    question.accelerators.par_iter().map(one).collect()
}

/// A size at a later promise for TTFT.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaterPromise {
    /// The promise, at the 99th percentile.
    pub ttft: Seconds,
    /// GPUs that it needs; none where it cannot be served either.
    pub gpus: Option<u64>,
}

/// Promises that are tried besides the one that was asked for, as multiples of it.
const LATER: [f64; 3] = [1.25, 1.5, 2.0];

/// What the promise for TTFT costs: sizes of the load on the question's accelerator `place` at
/// 1.25, 1.5 and 2 times the promise, by the same search. `None` when `watch` stopped it.
///
/// # Panics
/// When there is no such accelerator, and when the books of a replica do not balance: a defect of
/// the engine.
#[must_use]
pub fn later_promises(
    question: &SizeQuestion<'_>,
    place: usize,
    watch: Watch<'_>,
) -> Option<Vec<LaterPromise>> {
    let one = |times: &f64| {
        let mut question = question.clone();
        question.accelerators = vec![question.accelerators.swap_remove(place)];
        question.class.limits.ttft_p99.0 *= times;
        let ttft = question.class.limits.ttft_p99;
        let found =
            (!watch.stopped()).then(|| best::best(&question, &question.accelerators[0], false))?;
        Some(LaterPromise { ttft, gpus: found.ok().map(|sized| sized.gpus) })
    };
    LATER.par_iter().map(one).collect()
}
