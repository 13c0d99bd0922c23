//! The serving engine as a shared processor, as infinitely many servers with a rate that changes,
//! and beyond what it can serve.

use sparkgap::hardware::Roofline;
use sparkgap::rng::{StreamKey, exponential, uniform};
use sparkgap::stats::Estimate;

use crate::engine_queueing::{
    Call, Visit, confirm, geometric, mean_after, poisson, replicate, serve,
};

/// Share of the time from `from` on in which `n` intervals are open, for n below N.
fn shares<const N: usize>(open: impl Iterator<Item = (f64, f64)>, from: f64) -> [f64; N] {
    let mut changes: Vec<(f64, i32)> =
        open.flat_map(|(start, end)| [(start, 1), (end, -1)]).collect();
    changes.sort_by(|left, right| left.0.total_cmp(&right.0));
    // Until the arrivals end, half-way through the list of changes at the latest.
    let (mut inside, mut since, mut times, mut total) = (0i32, from, [0.0; N], 0.0);
    for (at, change) in changes {
        if at > since {
            if let Some(time) = times.get_mut(inside as usize) {
                *time += at - since;
            }
            total += at - since;
            since = at;
        }
        inside += change;
    }
    times.map(|time| time / total)
}

#[test]
fn steps_as_long_as_their_batch_are_m_g_1_processor_sharing() {
    // A millisecond a sequence and step; 200 or 1,000 decode steps, 400 on average.
    let (rho, step) = (0.7, 1e-3);
    let roofline = Roofline::affine(0.0, step, 0.0, 0.0);
    let rate = rho / (400.0 * step);
    let output = |u: f64| if u < 0.75 { 201 } else { 1_001 };
    let decode = |visit: &Visit| visit.finish - visit.first_token;
    let [short, long, mean, n0, n1, n2, n3] = replicate(41, 40, |key| {
        let outputs: Vec<u32> = poisson(key, rate, 4_000, output).map(|call| call.1).collect();
        let (visits, totals) = serve(&roofline, 1 << 20, poisson(key, rate, 4_000, output));
        let time_of = |tokens: u32| {
            let chosen = visits.iter().zip(&outputs).skip(300).filter(|pair| *pair.1 == tokens);
            let times: Vec<f64> = chosen.map(|pair| decode(pair.0)).collect();
            times.iter().sum::<f64>() / times.len() as f64
        };
        // Little's law over the whole run.
        let end = visits.iter().map(|visit| visit.finish).fold(0.0, f64::max);
        let number = totals.occupancy as f64 * 1e-12 / end;
        let open = visits.iter().map(|visit| (visit.first_token, visit.finish));
        let [n0, n1, n2, n3] = shares(open, visits[300].arrival);
        [time_of(201), time_of(1_001), number, n0, n1, n2, n3]
    });
    confirm("short", short, 0.2 / (1.0 - rho), 0.03);
    confirm("long", long, 1.0 / (1.0 - rho), 0.03);
    confirm("in system", mean, rho / (1.0 - rho), 0.03);
    for (n, share) in [n0, n1, n2, n3].into_iter().enumerate() {
        confirm("share of time", share, (1.0 - rho) * rho.powi(n as i32), 0.03);
    }
}

#[test]
fn a_capped_batch_is_state_dependent_processor_sharing() {
    let (a, b, cap, steps) = (10e-3, 0.5e-3, 16u32, 1_000.0);
    let rate_of = |n: u32| f64::from(n.min(cap)) / (a + b * f64::from(n.min(cap))) / steps;
    let rate = 0.85 * rate_of(cap);
    let (mut weight, mut total, mut number, mut queue) = (1.0, 1.0, 0.0, 0.0);
    for n in 1..4_000u32 {
        weight *= rate / rate_of(n);
        total += weight;
        number += f64::from(n) * weight;
        queue += f64::from(n.saturating_sub(cap)) * weight;
    }
    let roofline = Roofline::affine(a, b, 0.0, 0.0);
    let [inside, waiting] = replicate(42, 48, |key| {
        let calls = poisson(key, rate, 3_000, |u| geometric(u, steps));
        let (visits, _) = serve(&roofline, cap, calls);
        let time = mean_after(&visits, 600, |visit| visit.finish - visit.arrival);
        let wait = mean_after(&visits, 600, |visit| visit.admitted - visit.arrival);
        [rate * time, rate * wait]
    });
    confirm("in system", inside, number / total, 0.05);
    confirm("in the line", waiting, queue / total, 0.15);
}

/// Arrivals at the rate `mean + swing sin(2 pi t / period)`, thinned from the highest rate.
fn sinusoidal(
    key: StreamKey,
    (mean, swing, period): (f64, f64, f64),
    end: f64,
    output: impl Fn(f64) -> u32,
) -> impl Iterator<Item = Call> {
    let (mut gaps, mut kept) = (key.stream("arrivals"), key.stream("thinning"));
    let mut lengths = key.stream("lengths");
    let mut at = 0.0;
    let every = std::iter::from_fn(move || {
        at += exponential(&mut gaps) / (mean + swing);
        (at < end).then_some(at)
    });
    let turn = std::f64::consts::TAU / period;
    every
        .filter(move |at| uniform(&mut kept) * (mean + swing) < mean + swing * libm::sin(turn * at))
        .map(move |at| (at, output(uniform(&mut lengths)), f64::INFINITY))
}

#[test]
fn a_wide_replica_follows_a_daily_wave_as_mt_g_infinity() {
    let (mean, swing, period, step) = (20.0, 15.0, 20.0, 10e-3);
    let turn = std::f64::consts::TAU / period;
    let service = 4.0;
    let roofline = Roofline::affine(step, 0.0, 0.0, 0.0);
    let exponential_law = |t: f64| {
        let mu = 1.0 / service;
        let wave = mu * libm::sin(turn * t) - turn * libm::cos(turn * t);
        mean / mu + swing * wave / (mu * mu + turn * turn)
    };
    let constant_law = |t: f64| {
        mean * service + swing / turn * (libm::cos(turn * (t - service)) - libm::cos(turn * t))
    };
    let check = |seed, output: &dyn Fn(f64) -> u32, law: &dyn Fn(f64) -> f64| {
        let periods = 400;
        let calls = sinusoidal(
            StreamKey::world(seed, 0),
            (mean, swing, period),
            period * f64::from(periods),
            output,
        );
        let (visits, _) = serve(&roofline, 1 << 20, calls);
        for phase in [0.0, 0.25, 0.5, 0.75] {
            // Periods are as good as independent: five services long.
            let count_at = |t: f64| {
                let near = visits.partition_point(|visit| visit.arrival < t - 60.0 * service);
                let past = visits.partition_point(|visit| visit.arrival <= t);
                let inside = |visit: &&Visit| visit.admitted <= t && t < visit.finish;
                visits[near..past].iter().filter(inside).count() as f64
            };
            let times = (3..periods).map(|number| period * (f64::from(number) + phase));
            let counts: Vec<f64> = times.map(count_at).collect();
            let estimate = Estimate::of(&counts);
            // Places are taken at step edges, half a step late.
            let exact = law(period * phase - step / 2.0);
            confirm("in service", estimate, exact, 0.01);
            // Poisson: as much variance as mean.
            let n = counts.len() as f64;
            let dispersion = estimate.standard_error.powi(2) * n / exact;
            assert!((dispersion - 1.0).abs() < 3.0 * (2.0 / n).sqrt(), "{dispersion}");
        }
    };
    let steps = service / step;
    check(43, &|u| (-libm::log(u) * steps).round().max(1.0) as u32, &exponential_law);
    check(44, &|_| steps as u32, &constant_law);
}

#[test]
fn overload_grows_the_line_without_end() {
    let (places, step, steps, rho) = (16u32, 10e-3, 50.0, 1.5);
    let roofline = Roofline::affine(step, 0.0, 0.0, 0.0);
    // Mean of the geometric number of steps.
    let whole = 1.0 / (1.0 - libm::exp(-1.0 / steps));
    let rate = rho * f64::from(places) / (whole * step);
    let ttft_of_the_last = |visits: &[Visit]| {
        mean_after(visits, visits.len() * 9 / 10, |visit| visit.first_token - visit.arrival)
    };
    let [slope, ttft, doubled, ratio] = replicate(45, 40, |key| {
        let calls = |count| poisson(key, rate, count, |u| geometric(u, steps));
        let (visits, _) = serve(&roofline, places, calls(4_000));
        let (longer, _) = serve(&roofline, places, calls(8_000));
        let line_at = |t: f64| {
            visits.iter().filter(|visit| visit.arrival <= t && visit.admitted > t).count() as f64
        };
        let end = 4_000.0 / rate * 0.9;
        let slope = (line_at(end) - line_at(end / 2.0)) / (end / 2.0);
        let (first, second) = (ttft_of_the_last(&visits), ttft_of_the_last(&longer));
        [slope, first, second, second - 2.0 * first]
    });
    confirm("slope", slope, (1.0 - 1.0 / rho) * rate, 0.03);
    // A request that comes at t waits until those ahead of it are served: (rho - 1) t.
    let late = 0.95 * 4_000.0 / rate;
    confirm("last", ttft, (rho - 1.0) * late, 0.03);
    confirm("last of twice as many", doubled, (rho - 1.0) * 2.0 * late, 0.03);
    assert!(ratio.within(0.0, 3.0), "{ratio:?}");
}
