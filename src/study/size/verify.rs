//! A sized deployment at its whole load, on seeds that its search has not seen; and whether one
//! replica fewer would do.

use super::trial::{Observed, clusters, observe, traffic};
use super::{SizeQuestion, SizedDeployment};
use crate::engine::{ClusterModel, PrefillPool};
use crate::study::simulate::Simulation;

/// Calls of all replications together at most; of a larger deployment some clusters stand for all.
const MOST: f64 = 1e8;

/// A sized deployment, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// What its calls experience at the whole load.
    pub seen: Observed,
    /// The same with one replica fewer of those that decode, and of those that prefill; `None`
    /// where there is but one or none.
    pub fewer: [Option<Observed>; 2],
    /// Clusters with a router each, and those of them that were simulated.
    pub clusters: (u32, u32),
    /// Independent repetitions.
    pub replications: u32,
}

impl Verification {
    /// Whether the size holds: at most 1 % of the calls miss either promise.
    #[must_use]
    pub fn verified(&self) -> bool {
        self.seen.holds()
    }
}

/// Simulates a size at its whole load `replications` times, and with one replica fewer.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
#[must_use]
pub fn verify_size(
    question: &SizeQuestion<'_>,
    sized: &SizedDeployment,
    replications: u32,
    seed: u64,
) -> Verification {
    let whole = &sized.model;
    let run = |deployment: ClusterModel| {
        let clusters = clusters(&deployment);
        let traffic = traffic(question, question.rate, f64::INFINITY);
        let calls = traffic.requests as f64 * f64::from(replications);
        let part = (MOST / calls).min(1.0);
        let simulated = ((f64::from(clusters) * part).ceil() as u32).clamp(1, clusters);
        let traffic = crate::engine::Traffic {
            requests: traffic.requests * u64::from(replications),
            ..traffic
        };
        let simulation = Simulation { deployment, traffic, replications, seed };
        (observe(&simulation, clusters, simulated), (clusters, simulated))
    };
    let (seen, clusters) = run(whole.clone());
    let decode = (sized.replicas > 1).then(|| {
        let replicas = whole.replicas - sized.ranks;
        run(ClusterModel { replicas, ..whole.clone() }).0
    });
    let prefill = whole.prefill.as_ref().filter(|_| sized.prefill_replicas > 1).map(|pool| {
        let replicas = pool.replicas - sized.prefill_ranks;
        let pool = PrefillPool { replicas, ..pool.clone() };
        run(ClusterModel { prefill: Some(pool), ..whole.clone() }).0
    });
    Verification { seen, fewer: [decode, prefill], clusters, replications }
}
