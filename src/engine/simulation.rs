//! One run of one cluster under its traffic, from nothing to the last call.

use super::cluster::Cluster;
use super::first_token::FirstToken;
use super::model::ReplicaModel;
use super::ordered::Ordered;
use super::tally::{ClassTally, Measured, Tally};
use super::totals::Totals;
use super::traffic::{CallClass, Pattern, Source, Traffic};
use crate::demand::TraceRow;
use crate::hardware::StepTime;
use crate::rng::StreamKey;
use crate::stats::Histogram;
use crate::time::EngineTime;
use crate::units::{Bytes, BytesPerSecond, Seconds};

/// The way of a context from a prefill replica to a decode replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transfer {
    /// Context memory of a token.
    pub bytes_per_token: Bytes,
    /// Bandwidth of the outgoing link of a prefill replica; one context after the other.
    pub bandwidth: BytesPerSecond,
    /// What each context takes besides.
    pub latency: Seconds,
}

impl Transfer {
    /// Time that a context of so many tokens occupies the link.
    pub(super) fn occupies(&self, tokens: u32) -> Seconds {
        Seconds(self.bytes_per_token.0 * f64::from(tokens) / self.bandwidth.0)
    }
}

/// Replicas that only prefill, in front of those that only decode.
#[derive(Debug, Clone, PartialEq)]
pub struct PrefillPool {
    /// One of them.
    pub replica: ReplicaModel,
    /// How many there are, 1 to 256.
    pub replicas: u32,
    /// How contexts reach the decode replicas.
    pub transfer: Transfer,
}

/// A cluster of equal replicas behind a router, with prefill replicas in front or not.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterModel {
    /// One of the replicas that give tokens to users.
    pub replica: ReplicaModel,
    /// How many there are, 1 to 256.
    pub replicas: u32,
    /// Replicas that prefill for them; each prefills for itself if left out.
    pub prefill: Option<PrefillPool>,
}

impl ClusterModel {
    /// GPUs of the cluster.
    #[must_use]
    pub fn gpus(&self) -> u32 {
        let prefill = self.prefill.as_ref();
        self.replica.gpus * self.replicas
            + prefill.map_or(0, |prefill| prefill.replica.gpus * prefill.replicas)
    }
}

/// What a run of a cluster leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRun {
    /// What the calls of each workload experienced.
    pub classes: Vec<ClassTally>,
    /// Gaps between the tokens of a sequence (ITL), picoseconds, over the whole run; across a
    /// preemption they are not in it.
    pub gaps: Histogram,
    /// Sums of the replicas that decode, or do both.
    pub decode: Totals,
    /// Sums of the prefill replicas; zero where there are none.
    pub prefill: Totals,
    /// Begin and end of the time in which completions make up the throughput.
    pub measured: (EngineTime, EngineTime),
    /// End of the last call.
    pub span: EngineTime,
}

/// Runs a cluster under its traffic. Sequences and tokens of its schedulers must be at least 1.
///
/// # Panics
/// Without a replica or a workload, and when the books of a replica do not balance: a defect of
/// the engine.
#[must_use]
pub fn run_cluster(model: &ClusterModel, traffic: &Traffic, key: StreamKey) -> ClusterRun {
    let mut source = Source::new(traffic, key);
    let retries = |class: &CallClass| class.patience.is_some_and(|patience| patience.retry > 0.0);
    let open = matches!(&traffic.pattern, Pattern::Open { sessions: None, .. });
    let feedback = !open || traffic.classes.iter().any(retries);
    let measured = match source.counted_times() {
        Some((from, to)) => Measured::Times(from, to),
        None => {
            let place = |share: f64| (share * traffic.requests as f64) as u64;
            let (first, last) = traffic.not_counted;
            Measured::Calls(place(first), place(1.0 - last))
        }
    };
    let tally = Tally::new(&traffic.classes, model.replica.first_token, measured);
    run(model, &mut source, tally, feedback, key)
}

/// Runs a cluster under a recorded trace, whose calls all belong to one workload and are all
/// counted.
///
/// # Panics
/// When the books of a replica do not balance: a defect of the engine.
pub fn replay_trace(
    model: &ClusterModel,
    class: &CallClass,
    rows: &mut dyn Iterator<Item = TraceRow>,
    key: StreamKey,
) -> ClusterRun {
    let mut source = Source::of_trace(class, rows, key);
    let tally = {
        let all = Measured::Times(0, u64::MAX);
        Tally::new(std::slice::from_ref(class), model.replica.first_token, all)
    };
    let feedback = class.patience.is_some_and(|patience| patience.retry > 0.0);
    run(model, &mut source, tally, feedback, key)
}

fn run(
    model: &ClusterModel,
    source: &mut Source<'_>,
    mut tally: Tally,
    feedback: bool,
    key: StreamKey,
) -> ClusterRun {
    let step_time = StepTime::new(&model.replica.roofline);
    let decode = Cluster { step_time: &step_time, model: &model.replica, replicas: model.replicas };
    let (prefill, sums, span) = if let Some(pool) = &model.prefill {
        let step_time = StepTime::new(&pool.replica.roofline);
        // Users see what the decode replicas give them.
        let replica = ReplicaModel { first_token: FirstToken::NONE, ..pool.replica.clone() };
        let entry = Cluster { step_time: &step_time, model: &replica, replicas: pool.replicas };
        let second = Some((&decode, pool.transfer));
        Ordered::new(&entry, second, feedback, (source, &mut tally), key).run()
    } else if feedback {
        let (sums, none, span) = Ordered::new(&decode, None, true, (source, &mut tally), key).run();
        (none, sums, span)
    } else {
        let (sums, span) = decode.run(source, key, &mut tally);
        (Totals::default(), sums, span)
    };
    let (from, to) = tally.window;
    let to = to.min(span.0);
    ClusterRun {
        classes: tally.classes,
        gaps: tally.gaps,
        decode: sums,
        prefill,
        measured: (EngineTime(from.min(to)), EngineTime(to)),
        span,
    }
}
