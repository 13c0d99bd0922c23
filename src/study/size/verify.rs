//! A sized deployment at its whole load, on random streams that its search has not seen; and
//! whether one replica fewer would do.

use super::observed::{MARGIN, Observed, Verdict};
use super::trial::{Effort, Sample, clusters, traffic};
use super::{SizeQuestion, SizedDeployment};
use crate::engine::{ClusterModel, PrefillPool};

/// Calls of a run at most; of a larger deployment some clusters stand for all.
const MOST: f64 = 2e7;
/// Repetitions at least, and calls of all of them at least.
const LEAST: (u32, f64) = (5, 5e5);
/// Calls after which a verdict that the sample leaves open is called so: of the size, and of one
/// replica fewer.
const BUDGET: [f64; 2] = [4e6, 6e5];

/// A sized deployment, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// What its calls experience at the whole load.
    pub seen: Observed,
    /// Whether the promises hold, as far as this sample can tell.
    pub verdict: Verdict,
    /// The same with one replica fewer of those that decode, and of those that prefill; `None`
    /// where there is but one or none.
    pub fewer: [Option<Verdict>; 2],
    /// Clusters with a router each, and those of them that were simulated.
    pub clusters: (u32, u32),
    /// Independent repetitions.
    pub replications: u32,
}

/// Simulates a size at its whole load `replications` times, or as often as it takes to tell
/// whether it holds where that is `None`; and with one replica fewer.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
#[must_use]
pub fn verify_size(
    question: &SizeQuestion<'_>,
    sized: &SizedDeployment,
    replications: Option<u32>,
    seed: u64,
) -> Verification {
    let whole = &sized.model;
    let run = |deployment: ClusterModel, budget: f64| {
        let clusters = clusters(&deployment);
        let traffic = traffic(question, question.rate, f64::INFINITY);
        let part = (MOST / traffic.requests as f64).min(1.0);
        let simulated = ((f64::from(clusters) * part).ceil() as u32).clamp(1, clusters);
        let mut sample = Sample::new(deployment, traffic, (clusters, simulated), seed);
        let least = (LEAST.1 / sample.calls_of_a_run()).ceil() as u32;
        let effort = match replications {
            Some(runs) => Effort { runs, calls: 0.0, margin: MARGIN },
            None => Effort { runs: LEAST.0.max(least), calls: budget, margin: MARGIN },
        };
        let verdict = sample.settle(effort, Observed::within);
        let seen = sample.observed();
        (verdict, seen, (clusters, simulated))
    };
    let (verdict, seen, clusters) = run(whole.clone(), BUDGET[0]);
    let decode = (sized.replicas > 1).then(|| {
        let replicas = whole.replicas - sized.ranks;
        run(ClusterModel { replicas, ..whole.clone() }, BUDGET[1]).0
    });
    let prefill = whole.prefill.as_ref().filter(|_| sized.prefill_replicas > 1).map(|pool| {
        let replicas = pool.replicas - sized.prefill_ranks;
        let pool = PrefillPool { replicas, ..pool.clone() };
        run(ClusterModel { prefill: Some(pool), ..whole.clone() }, BUDGET[1]).0
    });
    let replications = seen.runs / clusters.1.max(1);
    Verification { seen, verdict, fewer: [decode, prefill], clusters, replications }
}
