//! What follows a call, and where it goes, by hand.

use super::super::traffic::{Pattern, Sessions, Traffic};
use super::super::{CallClass, CallShape, FirstToken, LatencyLimits, Prefill, Router, Scheduler};
use super::super::{model::ReplicaModel, tally::Measured};
use super::*;
use crate::demand::Interarrival;
use crate::hardware::{Roofline, StepTime};
use crate::units::{Factor, Seconds};

fn model(first_token: FirstToken) -> ReplicaModel {
    ReplicaModel {
        roofline: Roofline::affine(1e-2, 0.0, 0.0, 0.0),
        kv_tokens: 10_000,
        gpus: 1,
        scheduler: Scheduler { max_sequences: 8, token_budget: 64, prefill: Prefill::Chunked },
        router: Router::RoundRobin,
        first_token,
    }
}

fn traffic(pattern: Pattern, requests: u64) -> Traffic {
    let limits = LatencyLimits { ttft_p99: Seconds(1.0), tpot_p99: Seconds(1.0) };
    let (name, calls) = ("chat".to_owned(), CallShape::fixed(100, 0.0, 10));
    let (share, priority, patience) = (1.0, 0, None);
    let classes = vec![CallClass { name, share, calls, priority, limits, patience }];
    Traffic { classes, pattern, requests, not_counted: (0.0, 0.0) }
}

#[test]
fn what_follows_a_call_comes_when_its_end_has_been_seen() {
    let added = CallShape::fixed(7, 0.0, 1).prompt;
    let sessions = Some(Sessions { turns: 3.0, think: Seconds(0.0), added });
    let (gaps, profile) = (Interarrival::Poisson, None);
    let open = Pattern::Open { calls_per_second: 1.0, gaps, profile, sessions };
    let first_token = FirstToken { steps: Factor(5.0), prompt_token: Seconds(1e-4) };
    for stack in [FirstToken::NONE, first_token] {
        // The next turn of a session, and the next call of a user.
        for (pattern, turns) in [(open.clone(), 1), (Pattern::Closed { concurrency: 1 }, 0)] {
            let (model, traffic) = (model(stack), traffic(pattern, 9));
            let key = StreamKey::world(1, 0);
            let mut source = Source::new(&traffic, key);
            let mut tally = Tally::new(&traffic.classes, stack, Measured::Times(0, u64::MAX));
            let step_time = StepTime::new(&model.roofline);
            let cluster = Cluster { step_time: &step_time, model: &model, replicas: 1 };
            let both = (&mut source, &mut tally);
            let mut ordered = Ordered::new(&cluster, None, true, both, key);
            let request = Request::new(EngineTime(0), 100, 10);
            let id = ordered.add(Journey { request, turns, replica: 0, tries: 0 });
            let done = Completion {
                id,
                class: 0,
                counted: true,
                arrival: EngineTime(0),
                first_token: EngineTime::from_seconds(0.02),
                finish: EngineTime::from_seconds(0.11),
                prompt: 100,
                output: 10,
                retained: Retained::NONE,
            };
            ordered.settle(&done, 0, true);
            let at = ordered.coming.peek().map(|Reverse((at, ..))| *at);
            // Five steps of 10 ms and 100 prompt tokens of 0.1 ms.
            let later = if stack.is_none() { 0.11 } else { 0.11 + 0.05 + 0.01 };
            assert_eq!(at, Some(EngineTime::from_seconds(later).0), "{turns} {stack:?}");
        }
    }
}

#[test]
fn a_ticket_is_lost_with_its_replica() {
    let model = model(FirstToken::NONE);
    let traffic = traffic(Pattern::Closed { concurrency: 1 }, 1);
    let key = StreamKey::world(1, 0);
    let mut source = Source::new(&traffic, key);
    let mut tally = Tally::new(&traffic.classes, FirstToken::NONE, Measured::Times(0, u64::MAX));
    let step_time = StepTime::new(&model.roofline);
    let cluster = Cluster { step_time: &step_time, model: &model, replicas: 2 };
    let both = (&mut source, &mut tally);
    let mut ordered = Ordered::new(&cluster, None, true, both, key);
    let retained = Retained { entry: 3, stamp: 5 };
    // Of two turns that had their last ones at replica 1, the first is sent to replica 0.
    for expected in [(0, Retained::NONE), (1, retained)] {
        let request = Request { retained, ..Request::new(EngineTime(0), 100, 10) };
        let index = ordered.add(Journey { request, turns: 0, replica: 1, tries: 0 });
        ordered.arrive(index);
        let kept = ordered.journeys[index as usize];
        assert_eq!((kept.replica, kept.request.retained), expected);
    }
}
