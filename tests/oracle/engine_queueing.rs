//! The serving engine as a textbook queue: servers are places in the batch, services are whole
//! numbers of steps of constant length.
//!
//! A replica serves in steps and admits at their edges. One server that takes one prompt a step is
//! exactly the textbook's, since an idle replica starts a step when a request arrives. With several
//! servers a request waits half a step on average for the edge: there a step is a thousandth of a
//! service, so that what remains is far below the standard error.

use sparkgap::engine::{
    Abandonment, Completion, Observer, Prefill, Replica, Request, Scheduler, Totals,
};
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::rng::{StreamKey, exponential, uniform};
use sparkgap::stats::Estimate;
use sparkgap::time::EngineTime;

/// Times of a request in seconds; infinite for what never happened.
#[derive(Debug, Clone, Copy)]
pub struct Visit {
    pub arrival: f64,
    pub admitted: f64,
    pub first_token: f64,
    pub finish: f64,
    pub left: f64,
}

struct Log(Vec<Visit>);

impl Observer for Log {
    fn admitted(&mut self, id: u32, _request: &Request, at: EngineTime) {
        self.0[id as usize].admitted = at.seconds();
    }
    fn first_token(&mut self, id: u32, at: EngineTime) {
        self.0[id as usize].first_token = at.seconds();
    }
    fn finished(&mut self, done: &Completion) {
        self.0[done.id as usize].finish = done.finish.seconds();
    }
    fn abandoned(&mut self, gone: &Abandonment) {
        self.0[gone.id as usize].left = gone.at.seconds();
    }
}

/// A request: arrival in seconds, output tokens, patience in seconds.
pub type Call = (f64, u32, f64);

/// Serves calls with prompts of one token in `places` places, each handed over as it arrives.
pub fn serve(
    roofline: &Roofline,
    places: u32,
    calls: impl Iterator<Item = Call>,
) -> (Vec<Visit>, Totals) {
    let step_time = StepTime::new(roofline);
    let limits =
        Scheduler { max_sequences: places, token_budget: 1 << 30, prefill: Prefill::Chunked };
    let mut replica = Replica::new(&step_time, &limits, 1 << 40);
    let mut log = Log(Vec::new());
    for (id, (arrival, output, patience)) in calls.enumerate() {
        let never = f64::INFINITY;
        log.0.push(Visit {
            arrival,
            admitted: never,
            first_token: never,
            finish: never,
            left: never,
        });
        let mut request = Request::new(EngineTime::from_seconds(arrival), 1, output);
        if patience.is_finite() {
            request.patience = (patience * 1e6).round() as u32;
        }
        replica.advance(request.arrival, &mut log);
        assert!(replica.enqueue(id as u32, request));
    }
    replica.finish(&mut log);
    (log.0, replica.totals())
}

/// Poisson arrivals, their output lengths drawn from a stream of their own.
pub fn poisson(
    key: StreamKey,
    rate: f64,
    count: usize,
    output: impl Fn(f64) -> u32,
) -> impl Iterator<Item = Call> {
    let (mut gaps, mut lengths) = (key.stream("arrivals"), key.stream("lengths"));
    let mut at = 0.0;
    (0..count).map(move |_| {
        at += exponential(&mut gaps) / rate;
        (at, output(uniform(&mut lengths)), f64::INFINITY)
    })
}

/// An exponential number of mean `mean` steps, rounded up: geometric.
pub fn geometric(u: f64, mean: f64) -> u32 {
    (-libm::log(u) * mean).ceil().max(1.0) as u32
}

/// First and second moment of [`geometric`].
fn geometric_moments(mean: f64) -> (f64, f64) {
    let p = 1.0 - libm::exp(-1.0 / mean);
    (1.0 / p, (2.0 - p) / (p * p))
}

/// Several numbers of each of `count` independent runs.
pub fn replicate<const N: usize>(
    seed: u64,
    count: u64,
    run: impl Fn(StreamKey) -> [f64; N],
) -> [Estimate; N] {
    let samples: Vec<[f64; N]> =
        (0..count).map(|sample| run(StreamKey::inner(seed, 0, sample))).collect();
    std::array::from_fn(|index| {
        let column: Vec<f64> = samples.iter().map(|sample| sample[index]).collect();
        Estimate::of(&column)
    })
}

/// Asserts an estimate within three standard errors, and these small enough to say something.
#[track_caller]
pub fn confirm(what: &str, estimate: Estimate, exact: f64, resolution: f64) {
    let error = (estimate.mean - exact) / estimate.standard_error;
    println!("{what}: {exact:.5} {estimate:?} {error:+.2} s.e.");
    assert!(estimate.within(exact, 3.0), "{what}: {exact} {estimate:?} {error}");
    assert!(estimate.standard_error <= resolution * exact, "{what}: {exact} {estimate:?}");
}

/// Mean over the visits after the first `skip`.
pub fn mean_after(visits: &[Visit], skip: usize, value: impl Fn(&Visit) -> f64) -> f64 {
    let counted = &visits[skip..];
    counted.iter().map(value).sum::<f64>() / counted.len() as f64
}

fn wait(visit: &Visit) -> f64 {
    visit.admitted - visit.arrival
}

/// One server whose services are whole steps of `step` seconds.
fn one_server(seed: u64, rate: f64, step: f64, output: impl Fn(f64) -> u32) -> [Estimate; 2] {
    let roofline = Roofline::affine(step, 0.0, 0.0, 0.0);
    replicate(seed, 40, |key| {
        let (visits, _) = serve(&roofline, 1, poisson(key, rate, 16_000, &output));
        let free = mean_after(&visits, 1_000, |visit| f64::from(u8::from(wait(visit) < 1e-9)));
        [mean_after(&visits, 1_000, wait), free]
    })
}

#[test]
fn prompts_of_one_step_in_one_place_are_m_d_1() {
    let rho = 0.8;
    let [mean, free] = one_server(31, rho, 1.0, |_| 1);
    confirm("wait", mean, rho / (2.0 * (1.0 - rho)), 0.02);
    confirm("no wait", free, 1.0 - rho, 0.02);
}

#[test]
fn outputs_in_one_place_are_m_g_1() {
    let step = 0.1;
    let check = |seed, rho: f64, (first, second): (f64, f64), output: &dyn Fn(f64) -> u32| {
        let rate = rho / (first * step);
        let [mean, free] = one_server(seed, rate, step, output);
        // Pollaczek and Khinchine, with the moments of the whole steps.
        confirm("wait", mean, rate * second * step * step / (2.0 * (1.0 - rho)), 0.03);
        confirm("no wait", free, 1.0 - rho, 0.02);
    };
    check(32, 0.7, geometric_moments(5.0), &|u| geometric(u, 5.0));
    check(33, 0.6, (0.9 + 2.1, 0.9 + 44.1), &|u| if u < 0.9 { 1 } else { 21 });
}

/// Erlang's loss probability.
fn erlang_b(servers: u32, load: f64) -> f64 {
    (1..=servers).fold(1.0, |b, k| load * b / (f64::from(k) + load * b))
}

#[test]
fn full_places_lose_impatient_calls_as_erlang_b_says() {
    // A call that finds a place has its first token less than two steps after its arrival; one
    // that finds none has lost its patience by then.
    let (places, step, rate) = (8, 1e-3, 6.0);
    let roofline = Roofline::affine(step, 0.0, 0.0, 0.0);
    let check = |seed, steps: f64, output: &dyn Fn(f64) -> u32| {
        let [blocked] = replicate(seed, 24, |key| {
            let calls = poisson(key, rate, 8_000, output).map(|(at, k, _)| (at, k, 2.0 * step));
            let (visits, totals) = serve(&roofline, places, calls);
            assert_eq!(totals.completed + totals.abandoned, 8_000);
            [mean_after(&visits, 500, |visit| f64::from(u8::from(visit.left.is_finite())))]
        });
        // Of the calls of one step half the others are there already: half a step less.
        let exact = erlang_b(places, rate * step * (steps - 0.5));
        confirm("blocked", blocked, exact, 0.02);
    };
    check(34, geometric_moments(1_000.0).0, &|u| geometric(u, 1_000.0));
    check(35, 1_000.0, &|u| if u < 0.75 { 250 } else { 3_250 });
}

#[test]
fn geometric_outputs_in_many_places_wait_as_erlang_c_says() {
    let (places, step, rate) = (8, 1e-3, 6.4);
    let roofline = Roofline::affine(step, 0.0, 0.0, 0.0);
    let [delayed, mean] = replicate(36, 40, |key| {
        let calls = poisson(key, rate, 8_000, |u| geometric(u, 1_000.0));
        let (visits, _) = serve(&roofline, places, calls);
        let delayed = |visit: &Visit| f64::from(u8::from(wait(visit) >= step));
        // All wait half a step for the edge.
        [mean_after(&visits, 1_000, delayed), mean_after(&visits, 1_000, wait) - step / 2.0]
    });
    let blocking = erlang_b(places, rate);
    let rho = rate / f64::from(places);
    let delay = blocking / (1.0 - rho * (1.0 - blocking));
    confirm("delayed", delayed, delay, 0.02);
    confirm("wait", mean, delay / (f64::from(places) - rate), 0.05);
}

#[test]
fn impatient_users_leave_as_erlang_a_says() {
    // Service rate 1, patience rate 0.5, as many calls as places can serve.
    let (places, step, rate, theta) = (8u32, 1e-3, 8.0, 0.5);
    let roofline = Roofline::affine(step, 0.0, 0.0, 0.0);
    let [gone, mean] = replicate(37, 32, |key| {
        let mut patience = key.stream("patience");
        let calls = poisson(key, rate, 8_000, |u| geometric(u, 1_000.0));
        // The first token comes two steps at most after a place is free.
        let calls =
            calls.map(|(at, k, _)| (at, k, exponential(&mut patience) / theta + 2.0 * step));
        let (visits, _) = serve(&roofline, places, calls);
        let left = |visit: &Visit| f64::from(u8::from(visit.left.is_finite()));
        let queued = |visit: &Visit| visit.admitted.min(visit.left) - visit.arrival;
        [mean_after(&visits, 500, left), mean_after(&visits, 500, queued) - step / 2.0]
    });
    // Birth and death: n at service, the others leave at rate theta each.
    let (mut weight, mut total, mut queue) = (1.0, 1.0, 0.0);
    for n in 1..400u32 {
        let waiting = f64::from(n.saturating_sub(places));
        weight *= rate / (f64::from(n.min(places)) + waiting * theta);
        total += weight;
        queue += waiting * weight;
    }
    let queue = queue / total;
    confirm("gone", gone, theta * queue / rate, 0.03);
    confirm("queue", mean, queue / rate, 0.03);
}
