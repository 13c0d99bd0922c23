//! The event queue and the random streams against textbook queues.

use std::collections::VecDeque;

use sparkgap::event_queue::{Event, EventQueue};
use sparkgap::rng::{StreamKey, exponential};
use sparkgap::stats::Estimate;

const ARRIVAL: u8 = 1;
const DEPARTURE: u8 = 0;
const TICKS: f64 = 1e9;

/// Mean time in system of a first-come-first-served queue with Poisson arrivals of rate 1, one
/// sample for each batch of customers after a warm-up.
fn simulate(servers: u32, seed: u64, service: impl Fn(f64) -> f64) -> Estimate {
    let key = StreamKey::world(seed, 0);
    let (mut gaps, mut works) = (key.stream("arrivals"), key.stream("services"));
    let ticks = |mean: f64| (mean * TICKS).round() as u64;
    let mut queue = EventQueue::default();
    let mut waiting: VecDeque<u64> = VecDeque::new();
    let mut started = vec![0u64; servers as usize];
    let mut idle: Vec<u32> = (0..servers).collect();
    let (warm, batch, batches) = (20_000u64, 20_000u64, 40u64);
    let (mut done, mut sums) = (0u64, vec![0u64; batches as usize]);
    queue.push(Event { time: ticks(exponential(&mut gaps)), kind: ARRIVAL, id: 0 });
    while done < warm + batch * batches {
        let event = queue.pop().unwrap();
        if event.kind == ARRIVAL {
            waiting.push_back(event.time);
            let next = event.time + ticks(exponential(&mut gaps));
            queue.push(Event { time: next, kind: ARRIVAL, id: 0 });
        } else {
            if done >= warm {
                let sojourn = event.time - started[event.id as usize];
                sums[((done - warm) / batch) as usize] += sojourn;
            }
            done += 1;
            idle.push(event.id);
        }
        while !waiting.is_empty() {
            let Some(server) = idle.pop() else { break };
            started[server as usize] = waiting.pop_front().unwrap();
            let time = event.time + ticks(service(exponential(&mut works)));
            queue.push(Event { time, kind: DEPARTURE, id: server });
        }
    }
    let means: Vec<f64> = sums.iter().map(|sum| *sum as f64 / TICKS / batch as f64).collect();
    Estimate::of(&means)
}

/// Mean time in system of M/M/c at arrival rate 1 (Erlang C).
fn erlang_c(servers: u32, mean_service: f64) -> f64 {
    let load = mean_service;
    let mut blocking = 1.0;
    for k in 1..=servers {
        blocking = load * blocking / (f64::from(k) + load * blocking);
    }
    let rho = load / f64::from(servers);
    let delay = blocking / (1.0 - rho * (1.0 - blocking));
    delay / (f64::from(servers) / mean_service - 1.0) + mean_service
}

#[test]
fn one_exponential_server() {
    assert!((erlang_c(1, 0.8) - 4.0).abs() < 1e-12);
    let estimate = simulate(1, 21, |unit| 0.8 * unit);
    assert!(estimate.within(4.0, 3.0), "{estimate:?}");
    assert!(estimate.standard_error < 0.1);
}

#[test]
fn sixteen_exponential_servers() {
    let exact = erlang_c(16, 12.8);
    assert!((exact - 14.0195).abs() < 5e-5, "{exact}");
    let estimate = simulate(16, 22, |unit| 12.8 * unit);
    assert!(estimate.within(exact, 3.0), "{estimate:?}");
    assert!(estimate.standard_error < 0.1);
}

#[test]
fn one_deterministic_server() {
    // rho D / (2 (1 - rho)) + D with D = 0.8.
    let estimate = simulate(1, 23, |_| 0.8);
    assert!(estimate.within(0.8 * 0.8 / 0.4 + 0.8, 3.0), "{estimate:?}");
    assert!(estimate.standard_error < 0.05);
}
