//! The deployments that may serve a load: layouts of the replicas, with what a replica of each pool
//! does at most by closed form; and why none is left where none is.

use super::{Refusal, SizeLimit, SizeQuestion, SizedAccelerator};
use crate::engine::{
    CallShape, ClusterModel, FirstToken, LONGEST_STEP, Layout, LoneCall, PrefillPool as EnginePool,
    ReplicaModel, Transfer, fluid_capacity,
};
use crate::study::capacity::sequences_within_memory;
use crate::study::layouts::{
    DecodePool, OperatingLimits, PointLimit, PrefillPool, ServedModel, ServingMode, layouts,
};
use crate::units::{Factor, Seconds};

/// Fixed time of a hand-over, as in `simulate`.
const LINK_LATENCY: Seconds = Seconds(1e-3);
/// Prefill layouts that join a decode layout.
const PARTNERS: usize = 2;

/// Replicas of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) prefill: u64,
    pub(super) decode: u64,
}

/// One kind of replica.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) layout: Layout,
    /// Attention ranks: what the engine counts as replicas.
    pub(super) ranks: u64,
    /// One rank.
    pub(super) model: ReplicaModel,
    /// Calls per second of a replica at most, by closed form.
    pub(super) calls_per_second: f64,
    /// The same without promises, and the sequences of a rank at that.
    pub(super) unpromised: (f64, f64),
    /// Whether the limit on its sequences is what its memory holds.
    pub(super) filled: bool,
    /// What binds within the promises.
    pub(super) limit: SizeLimit,
    /// Its calls as it meets them.
    pub(super) calls: CallShape,
}

impl Pool {
    /// Replicas that a load needs at least.
    pub(super) fn least(&self, rate: f64) -> u64 {
        (rate / self.calls_per_second).ceil().max(1.0) as u64
    }

    fn gpus(&self, count: u64) -> u64 {
        count.saturating_mul(u64::from(self.layout.gpus))
    }
}

/// One deployment, its numbers of replicas open.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) decode: Pool,
    pub(super) prefill: Option<(Pool, Transfer)>,
}

impl Candidate {
    pub(super) fn least(&self, rate: f64) -> Counts {
        Counts {
            prefill: self.prefill.as_ref().map_or(0, |(pool, _)| pool.least(rate)),
            decode: self.decode.least(rate),
        }
    }

    pub(super) fn gpus(&self, counts: Counts) -> u64 {
        let prefill = self.prefill.as_ref().map_or(0, |(pool, _)| pool.gpus(counts.prefill));
        prefill.saturating_add(self.decode.gpus(counts.decode))
    }

    /// GPUs for a load if replicas could be divided.
    fn divided(&self, rate: f64) -> f64 {
        let of = |pool: &Pool| rate / pool.calls_per_second * f64::from(pool.layout.gpus);
        of(&self.decode) + self.prefill.as_ref().map_or(0.0, |(pool, _)| of(pool))
    }

    /// As the engine sees so many engine replicas (ranks).
    fn cluster(&self, prefill: u64, decode: u64) -> ClusterModel {
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX).max(1);
        let pool = self.prefill.as_ref().map(|(pool, transfer)| EnginePool {
            replica: pool.model.clone(),
            replicas: count(prefill),
            transfer: *transfer,
        });
        ClusterModel { replica: self.decode.model.clone(), replicas: count(decode), prefill: pool }
    }

    fn engine_replicas(&self, counts: Counts) -> (u64, u64) {
        let prefill = self.prefill.as_ref().map_or(0, |(pool, _)| counts.prefill * pool.ranks);
        (prefill, counts.decode * self.decode.ranks)
    }

    /// The whole of it.
    pub(super) fn whole(&self, counts: Counts) -> ClusterModel {
        let (prefill, decode) = self.engine_replicas(counts);
        self.cluster(prefill, decode)
    }

    /// At most `most` engine replicas of a kind in its proportions, and the part of the load that
    /// is theirs. The smaller kind sets the part and the larger one is rounded down, so that no
    /// replica gets less than its share.
    pub(super) fn scaled(&self, counts: Counts, most: f64) -> (ClusterModel, f64) {
        let (prefill, decode) = self.engine_replicas(counts);
        let (few, many) = match prefill {
            0 => (decode, decode),
            _ => (prefill.min(decode), prefill.max(decode)),
        };
        let part = (most / many as f64).min(1.0);
        let kept = (few as f64 * part).floor().max(1.0);
        // Of nearly as many, those by which the larger kind loses least when it is rounded down.
        let lost = |kept: u64| {
            let share = many as f64 * kept as f64 / few as f64;
            share / (share + 1e-9).floor().max(1.0)
        };
        let kept = (((0.6 * kept).ceil() as u64)..=(kept as u64))
            .min_by(|a, b| lost(*a).total_cmp(&lost(*b)).then(b.cmp(a)))
            .map_or(kept, |kept| kept as f64);
        let part = (kept / few as f64).min(1.0);
        let scale = |count: u64| (count as f64 * part + 1e-9).floor() as u64;
        (self.cluster(scale(prefill), scale(decode)), part)
    }
}

/// Whether a lone call keeps its promises on a pool, or how far it is off.
struct Lone {
    call: LoneCall,
    /// Whether the longest prompts fit, and a mean call.
    fits: bool,
}

fn lone(model: &ReplicaModel, calls: &CallShape) -> Lone {
    let means = calls.means();
    let longest = model.longest_step(calls.prompt.at(1.0)).0;
    let memory = model.kv_tokens as f64;
    let fits = calls.prompt.at(0.99).max(means.context()) <= memory && longest <= LONGEST_STEP.0;
    Lone { call: model.lone_call(calls), fits }
}

/// The candidates of an accelerator, those that may need the fewest GPUs first.
pub(super) fn candidates(
    question: &SizeQuestion<'_>,
    sized: &SizedAccelerator<'_>,
) -> Result<Vec<Candidate>, Refusal> {
    let found = match sized.measured {
        Some(layout) => vec![layout.clone()],
        None => layouts(sized.accelerator, question.llm, Some(&sized.precisions)),
    };
    if found.is_empty() {
        return Err(weights(question, sized));
    }
    let limits = question.class.limits;
    let (calls, means) = (&question.class.calls, question.class.calls.means());
    let (accelerator, speed) = (sized.accelerator, sized.speed);
    let served = ServedModel { accelerator, llm: question.llm, calls: means, speed };
    let stack = sized.stack(question.stack);
    let mut nearest = Nearest::default();
    let mut list = Vec::new();
    if question.modes.contains(&ServingMode::Aggregated) {
        let within = OperatingLimits { tpot: Some(limits.tpot_p99), ttft: Some(limits.ttft_p99) };
        for layout in &found {
            let Some(mut pool) = DecodePool::aggregated(&served, layout) else { continue };
            pool.model.first_token = stack.together;
            let lone = lone(&pool.model, calls);
            if lone.fits && nearest.note(&lone.call, stack.together, question) {
                let decode = decode_pool(pool, &within, calls);
                list.extend(decode.map(|decode| Candidate { decode, prefill: None }));
            }
        }
    }
    if question.modes.contains(&ServingMode::Disaggregated) {
        apart(question, (&served, stack.apart), &found, &mut nearest, &mut list);
    }
    if list.is_empty() {
        return Err(nearest.refusal(question));
    }
    let rate = question.rate;
    let key = |candidate: &Candidate| candidate.gpus(candidate.least(rate));
    list.sort_by(|a, b| key(a).cmp(&key(b)).then(a.divided(rate).total_cmp(&b.divided(rate))));
    Ok(list)
}

/// A pool that decodes, within limits, its batch limited so that memory is seldom short.
fn decode_pool(mut pool: DecodePool, limits: &OperatingLimits, calls: &CallShape) -> Option<Pool> {
    let filled = sequences_within_memory(&pool.model, &calls.means());
    if let Some(most) = filled {
        pool.model.scheduler.max_sequences = most;
    }
    let decoding = pool.within(limits)?;
    let free = fluid_capacity(&pool.model, &calls.means(), None)?;
    Some(Pool {
        layout: pool.layout.clone(),
        ranks: pool.ranks as u64,
        model: pool.model.clone(),
        calls_per_second: decoding.fluid.calls_per_second * pool.ranks,
        unpromised: (free.calls_per_second * pool.ranks, free.batch),
        filled: filled.is_some(),
        limit: match decoding.limit {
            PointLimit::Tpot => SizeLimit::Tpot,
            PointLimit::Ttft => SizeLimit::Ttft,
            PointLimit::Memory => SizeLimit::Memory,
            PointLimit::Batch if filled.is_some() => SizeLimit::Memory,
            PointLimit::Batch | PointLimit::TokenBudget => SizeLimit::Saturation,
        },
        calls: calls.clone(),
    })
}

/// How contexts are handed on: over the scale-up link of one GPU.
fn hand_over(served: &ServedModel<'_>) -> Transfer {
    Transfer {
        bytes_per_token: served.llm.kv_per_token,
        bandwidth: served.accelerator.scale_up,
        latency: LINK_LATENCY,
    }
}

/// Prefill and decode apart: every decode layout with the prefill layouts that suit the load best.
fn apart(
    question: &SizeQuestion<'_>,
    (served, stack): (&ServedModel<'_>, FirstToken),
    layouts: &[Layout],
    nearest: &mut Nearest,
    list: &mut Vec<Candidate>,
) {
    let limits = question.class.limits;
    let calls = &question.class.calls;
    let prompts = CallShape { thinking: None, ..calls.clone() };
    let prompts = CallShape { output: CallShape::fixed(1, 0.0, 1).output, ..prompts };
    let handed = CallShape { cached: 1.0, ..calls.clone() };
    let transfer = hand_over(served);
    let sent = |tokens: f64| transfer.bytes_per_token.0 * tokens / transfer.bandwidth.0;
    let computed = (served.calls.prompt - served.calls.cached).max(1.0);
    let mut entries: Vec<Pool> = Vec::new();
    let mut soonest = f64::INFINITY;
    for layout in layouts {
        let Some(mut pool) = PrefillPool::new(served, layout) else { continue };
        // Its clients wait for the pace of the replicas that decode.
        pool.model.first_token = FirstToken { steps: Factor(0.0), ..stack };
        let lone = lone(&pool.model, calls);
        if !lone.fits {
            continue;
        }
        let ttft = lone.call.ttft.0 + sent(calls.prompt.at(0.99)) + transfer.latency.0;
        soonest = soonest.min(ttft);
        if ttft > limits.ttft_p99.0 {
            continue;
        }
        let budget = f64::from(pool.model.scheduler.token_budget);
        // A link sends one context after the other.
        let link = pool.ranks / sent(served.calls.prompt);
        let entry = Pool {
            layout: pool.layout.clone(),
            ranks: pool.ranks as u64,
            model: pool.model.clone(),
            calls_per_second: pool.calls_per_second.min(link),
            unpromised: (pool.calls_per_second, (budget / computed).max(1.0)),
            filled: false,
            limit: SizeLimit::Saturation,
            calls: prompts.clone(),
        };
        entries.push(entry);
    }
    // No replica holds the prompts.
    if soonest.is_infinite() {
        return;
    }
    // The steps that a first token waits for must fit into its promise beside the fastest prefill.
    let room = (limits.ttft_p99.0 - soonest) / stack.steps.0.max(f64::MIN_POSITIVE);
    let tpot = Seconds(limits.tpot_p99.0.min(room));
    let within = OperatingLimits { tpot: Some(tpot), ttft: None };
    for layout in layouts {
        let Some(mut pool) = DecodePool::apart(served, layout) else { continue };
        pool.model.first_token = stack;
        let lone = lone(&pool.model, calls);
        // Prompts are there already: what clients wait is the fastest prefill and the stack.
        let ttft = Seconds(soonest + stack.steps.0 * lone.call.tpot.0);
        let call = LoneCall { ttft, ..lone.call };
        if !lone.fits || !nearest.note(&call, stack, question) {
            continue;
        }
        let Some(decode) = decode_pool(pool, &within, &handed) else { continue };
        list.extend(partners(&decode, &entries, transfer, question.rate));
    }
}

/// A decode pool with the prefill pools that leave the fewest GPUs for a load.
fn partners(decode: &Pool, entries: &[Pool], transfer: Transfer, rate: f64) -> Vec<Candidate> {
    let with = |entry: &Pool| Candidate {
        decode: decode.clone(),
        prefill: Some((entry.clone(), transfer)),
    };
    let mut some: Vec<Candidate> = entries.iter().map(with).collect();
    some.sort_by(|a, b| {
        let key = |candidate: &Candidate| candidate.gpus(candidate.least(rate));
        key(a).cmp(&key(b)).then(a.divided(rate).total_cmp(&b.divided(rate)))
    });
    some.truncate(PARTNERS);
    some
}

fn weights(question: &SizeQuestion<'_>, sized: &SizedAccelerator<'_>) -> Refusal {
    let accelerator = sized.accelerator;
    let gpus = accelerator.scale_up_domain.min(accelerator.unit.serving);
    let smallest = sized.precisions.iter().map(|precision| precision.bytes_per_weight());
    Refusal::Weights {
        needed: question.llm.params.0 * smallest.fold(f64::INFINITY, f64::min),
        gpus,
        memory: accelerator.memory.0 * f64::from(gpus),
    }
}

/// How near to its promises a lone call has come on any layout.
#[derive(Default)]
struct Nearest {
    /// The least TTFT, and the part of it that is the serving stack's.
    ttft: Option<(f64, f64)>,
    /// The least time per output token.
    tpot: Option<f64>,
    /// The layout whose worse promise is broken least: by which factor, and its call.
    both: Option<(f64, LoneCall)>,
}

impl Nearest {
    /// Notes what a lone call takes on layouts that hold it, with a serving stack in it; whether it
    /// keeps its promises there.
    fn note(&mut self, call: &LoneCall, stack: FirstToken, question: &SizeQuestion<'_>) -> bool {
        let limits = question.class.limits;
        let (ttft, tpot) = (call.ttft.0, call.tpot.0);
        if self.ttft.is_none_or(|(least, _)| ttft < least) {
            let of_stack = stack.seconds(question.class.calls.prompt.at(0.99), tpot);
            self.ttft = Some((ttft, of_stack));
        }
        self.tpot = Some(self.tpot.map_or(tpot, |least| least.min(tpot)));
        let broken = (ttft / limits.ttft_p99.0).max(tpot / limits.tpot_p99.0);
        if self.both.is_none_or(|(least, _)| broken < least) {
            self.both = Some((broken, *call));
        }
        ttft <= limits.ttft_p99.0 && tpot <= limits.tpot_p99.0
    }

    fn refusal(&self, question: &SizeQuestion<'_>) -> Refusal {
        let limits = question.class.limits;
        let (Some((ttft, of_stack)), Some(tpot)) = (self.ttft, self.tpot) else {
            return Refusal::Context { tokens: question.class.calls.prompt.at(0.99) };
        };
        if ttft > limits.ttft_p99.0 {
            return Refusal::Ttft { lone: Seconds(ttft), of_stack: Seconds(of_stack) };
        }
        if tpot > limits.tpot_p99.0 {
            return Refusal::Tpot { lone: Seconds(tpot) };
        }
        match self.both {
            Some((broken, call)) if broken > 1.0 => {
                Refusal::Either { ttft: call.ttft, tpot: call.tpot }
            }
            _ => Refusal::NoLoad,
        }
    }
}
