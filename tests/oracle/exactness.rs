//! The token clock in jumps, the same step by step and a replica that touches every sequence in
//! every step agree on every picosecond: under any load, memory, limits and mixture of features.

use proptest::prelude::*;
use sparkgap::engine::{FirstToken, Prefill, Request, Scheduler};
use sparkgap::hardware::{Precision, Roofline, accelerators, models};
use sparkgap::rng::{StreamKey, uniform};
use sparkgap::time::EngineTime;
use sparkgap::units::{Factor, Seconds};

use crate::drive::{Case, Pace};
use crate::naive_state::{Fate, Turn};

fn deepseek_on_gb300(tokens_per_step: f64) -> Roofline {
    let llm = &models()["deepseek_r1"];
    let mut roofline = Roofline::new(&accelerators()["gb300"], llm, 8, Precision::Fp4, 1.0);
    roofline.tokens_per_step = tokens_per_step;
    roofline.width = 1.0 + 1.5 * (tokens_per_step - 1.0);
    roofline
}

/// Short contexts are bound by the weights that are read, long ones by the attention computed.
fn kinked(tokens_per_step: f64) -> Roofline {
    Roofline {
        dense_read: 2e-3,
        kv_read: 1e-7,
        kv_compute: 1e-6,
        prefill_attention: 1e-8,
        width: 1.0 + 1.5 * (tokens_per_step - 1.0),
        tokens_per_step,
        ..Roofline::affine(1e-3, 20e-6, 0.0, 3e-6)
    }
}

/// Steps that last whole microseconds, so that arrivals, deadlines and step edges meet.
fn whole_microseconds(tokens_per_step: f64) -> Roofline {
    let mut roofline = Roofline::affine(1e-3, 10e-6, 0.0, 2e-6);
    roofline.tokens_per_step = tokens_per_step;
    roofline
}

/// Raw numbers in (0, 1) that make up a request.
type Draw = [f64; 10];

/// What may occur in a case.
#[derive(Debug, Clone, Copy)]
struct Mixture {
    /// Arrivals as a share of what the replica can do.
    load: f64,
    cached: bool,
    priorities: bool,
    patience: bool,
    handed: bool,
    sessions: bool,
    longest_prompt: u32,
    longest_output: u32,
}

/// A number from `low` to `high` whose logarithm is spread evenly.
fn log_uniform(u: f64, low: f64, high: f64) -> f64 {
    low * libm::pow(high / low, u)
}

impl Mixture {
    /// The request without its arrival; earlier ones are there already.
    fn turn(&self, draw: &Draw, earlier: &[Turn]) -> Turn {
        let [_, prompt, cached, output, patience, kind, priority, handed, keep, back] = *draw;
        let prompt = log_uniform(prompt, 1.0, f64::from(self.longest_prompt)) as u32;
        let output = log_uniform(output, 1.0, f64::from(self.longest_output)) as u32;
        let mut request = Request::new(EngineTime(0), prompt.max(1), output.max(1));
        request.class = (output % 3) as u8;
        request.counted = output.is_multiple_of(2);
        let mut follows = None;
        if self.sessions {
            request.keep = keep < 0.6;
            let distance = log_uniform(back, 1.0, 800.0) as usize;
            follows = earlier.len().checked_sub(distance);
            // Most turns carry what came before; the others show the rest of the context in vain.
            if let Some(before) = follows.filter(|_| keep > 0.2) {
                let Request { prompt, output, .. } = earlier[before].request;
                let grown = prompt + output + request.prompt / 4;
                request.prompt = grown.min(2 * self.longest_prompt).max(1);
            }
        }
        if self.cached {
            request.cached = (f64::from(request.prompt) * (1.4 * cached - 0.4).max(0.0)) as u32;
            request.cached = request.cached.min(request.prompt - 1);
        }
        if self.priorities {
            request.priority = (4.0 * priority) as u8;
        }
        request.handed = self.handed && handed < 0.25;
        if self.patience && kind < 0.5 {
            let microseconds = log_uniform(patience, 200.0, 2e7) as u32;
            request.patience = if kind < 0.03 { 0 } else { microseconds };
        }
        Turn { request, follows }
    }
}

/// Picoseconds per request of a replica that always has work.
fn saturated(case: &Case) -> f64 {
    let mut all = case.clone();
    all.window = u64::MAX / 4;
    for turn in &mut all.turns {
        turn.request.patience = Request::PATIENT;
    }
    let run = all.drive(Pace::Jumps);
    let last = run.fates.iter().filter_map(|fate| fate.finish).max();
    last.map_or(1e9, |last| last as f64 / run.totals.completed as f64)
}

/// The case of some draws. `lattice` is what arrivals are rounded to, picoseconds; one in eight
/// comes with the one before, and, where `edges` is set, one in eight at the end of a step.
fn case(
    (roofline, limits, kv_tokens): (Roofline, Scheduler, u64),
    mixture: Mixture,
    draws: &[Draw],
    (lattice, edges): (u64, bool),
) -> Case {
    let (turns, first_token) = (Vec::new(), FirstToken::NONE);
    let mut case = Case { roofline, limits, kv_tokens, first_token, turns, window: 0 };
    for draw in draws {
        case.turns.push(mixture.turn(draw, &case.turns));
    }
    let gap = saturated(&case) / mixture.load;
    let turns = std::mem::take(&mut case.turns);
    let mut at = 0.0;
    for (mut turn, [u, shape, ..]) in turns.into_iter().zip(draws) {
        let place = (shape * 4096.0) as u64 % 8;
        if place != 0 {
            at += -libm::log(*u) * gap;
        }
        let mut arrival = at as u64 / lattice * lattice;
        if edges && place == 1 {
            let ends = case.drive(Pace::Steps).edges;
            if let Some(end) = ends.iter().find(|end| **end >= arrival) {
                arrival = *end;
                at = arrival as f64;
            }
        }
        let last = case.turns.last().map_or(0, |last| last.request.arrival.0);
        turn.request.arrival = EngineTime(arrival.max(last));
        case.turns.push(turn);
    }
    case
}

fn draws(longest: usize) -> impl Strategy<Value = Vec<Draw>> {
    prop::collection::vec(prop::array::uniform10(1e-6..1.0f64), 1..longest)
}

fn mixtures() -> impl Strategy<Value = Mixture> {
    let features = prop::array::uniform5(prop::bool::weighted(0.6));
    let lengths = (prop::sample::select(vec![8u32, 60, 400]), 1u32..200);
    (0.05..0.98f64, features, lengths).prop_map(|(load, features, lengths)| {
        let [cached, priorities, patience, handed, sessions] = features;
        let (longest_prompt, longest_output) = lengths;
        Mixture {
            load,
            cached,
            priorities,
            patience,
            handed,
            sessions,
            longest_prompt,
            longest_output,
        }
    })
}

fn schedulers() -> impl Strategy<Value = Scheduler> {
    let sequences = prop_oneof![1 => Just(1u32), 1 => Just(100_000), 4 => 2u32..40];
    let budget = prop_oneof![1 => Just(1u32), 1 => Just(1_000_000), 4 => 2u32..600];
    let prefill = prop::sample::select(vec![Prefill::Chunked, Prefill::Blocking]);
    (sequences, budget, prefill).prop_map(|(max_sequences, token_budget, prefill)| Scheduler {
        max_sequences,
        token_budget,
        prefill,
    })
}

/// Tokens of context memory, from a few requests to more than enough.
fn memories() -> impl Strategy<Value = u64> {
    prop_oneof![3 => 800u64..8_000, 1 => Just(1u64 << 30)]
}

/// Tokens per step and hand-over windows in milliseconds.
fn paces() -> impl Strategy<Value = (f64, u64)> {
    let windows = prop_oneof![2 => Just(0u64), 2 => 1u64..400, 1 => 400u64..20_000];
    (prop::sample::select(vec![1.0, 1.7, 2.6]), windows)
}

fn stack(steps: f64, prompt_token: f64) -> FirstToken {
    FirstToken { steps: Factor(steps), prompt_token: Seconds(prompt_token) }
}

fn config(cases: u32, seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1500, 11))]

    #[test]
    fn any_replica_agrees_with_the_slow_reference(
        limits in schedulers(),
        kv_tokens in memories(),
        (tokens_per_step, window) in paces(),
        mixture in mixtures(),
        draws in draws(120),
    ) {
        let roofline = if draws.len().is_multiple_of(2) {
            deepseek_on_gb300(tokens_per_step)
        } else {
            kinked(tokens_per_step)
        };
        let mut case = case((roofline, limits, kv_tokens), mixture, &draws, (1, true));
        case.window = window * 1_000_000_000;
        case.agree();
    }

    #[test]
    fn patience_behind_a_serving_stack_agrees(
        limits in schedulers(),
        kv_tokens in memories(),
        (tokens_per_step, window) in paces(),
        mixture in mixtures(),
        draws in draws(120),
        (steps, prompt_token) in (0.0..40.0f64, 0.0..1e-4f64),
    ) {
        let mixture = Mixture { patience: true, ..mixture };
        let replica = (kinked(tokens_per_step), limits, kv_tokens);
        let mut case = case(replica, mixture, &draws, (1, true));
        case.first_token = stack(steps, prompt_token);
        case.window = window * 1_000_000_000;
        case.agree();
    }

    #[test]
    fn ties_of_arrivals_deadlines_and_step_edges_agree(
        limits in schedulers(),
        kv_tokens in memories(),
        (tokens_per_step, window) in paces(),
        mixture in mixtures(),
        draws in draws(120),
    ) {
        let replica = (whole_microseconds(tokens_per_step), limits, kv_tokens);
        let mut case = case(replica, mixture, &draws, (500_000_000, false));
        for turn in &mut case.turns {
            if turn.request.patience != Request::PATIENT {
                turn.request.patience = turn.request.patience / 500 * 500;
            }
        }
        case.window = window * 1_000_000_000;
        case.agree();
    }
}

/// A long case of everything at once.
fn heavy(
    seed: u64,
    count: u64,
    (tokens_per_step, prefill): (f64, Prefill),
    (kv_tokens, load): (u64, f64),
    (longest_prompt, longest_output): (u32, u32),
) -> Case {
    let mixture = Mixture {
        load,
        cached: true,
        priorities: true,
        patience: true,
        handed: true,
        sessions: true,
        longest_prompt,
        longest_output,
    };
    let mut stream = StreamKey::world(seed, 0).stream("heavy case");
    let draws: Vec<Draw> =
        (0..count).map(|_| std::array::from_fn(|_| uniform(&mut stream))).collect();
    let limits = Scheduler { max_sequences: 200, token_budget: 512, prefill };
    case((deepseek_on_gb300(tokens_per_step), limits, kv_tokens), mixture, &draws, (1, false))
}

#[test]
fn thousands_of_preemptions_agree() {
    for (seed, tokens_per_step, prefill, window) in [
        (1, 1.0, Prefill::Chunked, 0),
        (2, 1.0, Prefill::Blocking, 250),
        (3, 1.7, Prefill::Chunked, 1_000),
        (4, 2.6, Prefill::Blocking, 0),
    ] {
        let way = (tokens_per_step, prefill);
        let mut case = heavy(seed, 6_000, way, (5_000, 1.0), (20, 2_000));
        case.window = window * 1_000_000_000;
        let outcome = case.agree();
        assert!(outcome.totals.preemptions > 1_500, "{:?}", outcome.totals);
        assert!(outcome.totals.abandoned > 1_000, "{:?}", outcome.totals);
        assert!(outcome.totals.found > 0 && outcome.evicted > 10_000, "{:?}", outcome.totals);
    }
}

#[test]
fn users_leave_by_the_first_token_that_they_see() {
    for (seed, tokens_per_step, prefill) in
        [(12, 1.0, Prefill::Chunked), (13, 1.7, Prefill::Blocking), (14, 2.6, Prefill::Chunked)]
    {
        let mut case = heavy(seed, 4_000, (tokens_per_step, prefill), (5_000, 1.0), (20, 2_000));
        let before = case.agree().totals.abandoned;
        case.first_token = stack(22.0, 11e-6);
        case.window = 250_000_000_000;
        let outcome = case.agree();
        assert!(outcome.totals.abandoned > before + 100, "{before}: {:?}", outcome.totals);
        assert!(outcome.totals.preemptions > 100, "{:?}", outcome.totals);
        // The stack alone takes longer than some would wait: nobody of them is served.
        for (turn, fate) in case.turns.iter().zip(&outcome.fates) {
            let prompt = 11e-6 * f64::from(turn.request.prompt);
            let impatient = f64::from(turn.request.patience) * 1e-6 < prompt;
            assert!(!impatient || fate.finish.is_none(), "{turn:?} {fate:?}");
        }
    }
}

#[test]
fn sessions_find_what_memory_has_kept() {
    for (seed, load) in [(5, 0.2), (6, 0.7)] {
        let way = (1.0, Prefill::Chunked);
        let outcome = heavy(seed, 6_000, way, (30_000, load), (500, 400)).agree();
        assert!(outcome.totals.found > 50_000, "{:?}", outcome.totals);
        assert!(outcome.totals.abandoned > 1_000, "{:?}", outcome.totals);
        assert!(outcome.evicted > 30_000, "{}", outcome.evicted);
    }
}

#[test]
fn every_load_agrees() {
    for (seed, load) in [(7, 0.05), (8, 0.25), (9, 0.5), (10, 0.8), (11, 0.98)] {
        for window in [0, 30, 1_000] {
            let mut case = heavy(seed, 400, (1.0, Prefill::Chunked), (1 << 20, load), (500, 2_000));
            case.window = window * 1_000_000_000;
            assert_eq!(case.agree().totals.preemptions, 0);
        }
    }
}

#[test]
fn every_gap_between_tokens_agrees() {
    for (seed, tokens_per_step, prefill) in
        [(12, 1.0, Prefill::Chunked), (13, 1.7, Prefill::Blocking), (14, 1.0, Prefill::Blocking)]
    {
        let way = (tokens_per_step, prefill);
        let mut case = heavy(seed, 1_000, way, (1 << 20, 0.6), (500, 600));
        // Nothing is found in the prefix cache here.
        case.turns.iter_mut().for_each(|turn| turn.follows = None);
        let mut expected = case.agree().gaps;
        expected.sort_unstable();
        let told = case.gaps();
        assert_eq!(told.len(), expected.len());
        // Instants are whole picoseconds, gaps are told without the carried fraction of one.
        for (told, gap) in told.iter().zip(&expected) {
            assert!((told - *gap as f64).abs() <= 1.0, "{told} {gap}");
        }
        assert!(told.last().unwrap() / told[0] > 2.0);
    }
}

/// Integral of the number of requests in the system, from what became of each.
fn occupancy(case: &Case, fates: &[Fate]) -> u128 {
    let mut changes: Vec<(u64, i64)> = Vec::new();
    for (turn, fate) in case.turns.iter().zip(fates) {
        if let Some(end) = fate.finish.or(fate.left) {
            changes.extend([(turn.request.arrival.0, 1), (end, -1)]);
        }
    }
    changes.sort_unstable();
    let (mut inside, mut since, mut integral) = (0i64, 0, 0);
    for (at, change) in changes {
        integral += u128::from(at - since) * inside as u128;
        (inside, since) = (inside + change, at);
    }
    assert_eq!(inside, 0);
    integral
}

#[test]
fn books_balance_with_everything_on() {
    for prefill in [Prefill::Chunked, Prefill::Blocking] {
        let mut case = heavy(15, 3_000, (1.7, prefill), (5_000, 0.95), (60, 1_500));
        // Some that no memory could hold.
        case.turns.iter_mut().step_by(100).for_each(|turn| turn.request.prompt = 6_000);
        // A replica asserts Little's law, tokens and memory when it finishes.
        let run = case.drive(Pace::Jumps);
        let totals = &run.totals;
        assert_eq!(totals.occupancy, occupancy(&case, &run.fates), "Little's law");
        let done = case.turns.iter().zip(&run.fates).filter(|pair| pair.1.finish.is_some());
        let output: u64 = done.map(|pair| u64::from(pair.0.request.output)).sum();
        assert_eq!(totals.output_tokens, output, "tokens out");
        assert_eq!(totals.rejected, 30);
        assert_eq!(totals.arrived, totals.completed + totals.abandoned);
        assert_eq!(totals.arrived + totals.rejected, 3_000);
        assert!(totals.abandoned > 300 && totals.preemptions > 300, "{totals:?}");
        assert!(totals.found > 0 && totals.busy > 0, "{totals:?}");
    }
}
