//! Attention ranks that step together, every one of them simulated sequence by sequence, against
//! the one rank that stands for all. The reference shares with the program the coefficients of the
//! roofline and the requests, and nothing else: a step takes as long as its busiest rank.

use std::collections::VecDeque;

use sparkgap::demand::Shape;
use sparkgap::engine::{
    CallShape, Deployment, Draws, FirstToken, Layout, Load, Prefill, ReplicaModel, Request, Router,
    Scheduler, fluid_capacity, scaled_table, simulate_cluster,
};
use sparkgap::hardware::{Precision, Roofline, accelerators, models};
use sparkgap::rng::{StreamKey, uniform};
use sparkgap::units::Seconds;

struct Sequence {
    output: f64,
    context: f64,
    made: f64,
    first_token: f64,
}

#[derive(Default)]
struct Rank {
    waiting: VecDeque<Request>,
    /// Prompt tokens of the first in line that are there.
    computed: f64,
    running: Vec<Sequence>,
    /// Work of the step: prompt tokens, context before them, pairs, and the prompts they end.
    prompt: f64,
    before: f64,
    pairs: f64,
    ready: Vec<Request>,
}

impl Rank {
    fn load(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    fn context(&self) -> f64 {
        self.running.iter().map(|sequence| sequence.context).sum()
    }

    fn plan(&mut self, scheduler: &Scheduler) {
        (self.prompt, self.before, self.pairs) = (0.0, 0.0, 0.0);
        let mut room = f64::from(scheduler.token_budget) - self.running.len() as f64;
        while let Some(head) = self.waiting.front() {
            let taken = self.running.len() + self.ready.len();
            if room <= 0.0 || taken >= scheduler.max_sequences as usize {
                break;
            }
            self.computed = self.computed.max(f64::from(head.cached));
            let chunk = room.min(f64::from(head.prompt) - self.computed);
            self.prompt += chunk;
            self.before += self.computed;
            self.pairs += chunk * self.computed + chunk * (chunk + 1.0) / 2.0;
            self.computed += chunk;
            room -= chunk;
            if self.computed >= f64::from(head.prompt) {
                self.ready.extend(self.waiting.pop_front());
                self.computed = 0.0;
            }
        }
    }
}

/// The price of a step: experts for the tokens of all ranks, everything else by the busiest.
fn price(roofline: &Roofline, ranks: &[Rank]) -> f64 {
    let count = ranks.len() as f64;
    let decode = ranks.iter().map(|rank| rank.running.len() as f64).sum::<f64>() / count;
    let prompt = ranks.iter().map(|rank| rank.prompt).sum::<f64>() / count;
    let sent = decode * roofline.width + prompt;
    let weights = roofline.weights_read(sent);
    let busiest = ranks.iter().map(|rank| {
        let own = rank.running.len() as f64;
        let kv = rank.context();
        let compute = sent * roofline.expert_compute
            + own * (roofline.decode_compute - roofline.width * roofline.expert_compute)
            + rank.prompt * (roofline.prefill_compute - roofline.expert_compute)
            + kv * roofline.kv_compute
            + rank.pairs * roofline.prefill_attention;
        let memory = weights + (kv + rank.before) * roofline.kv_read;
        let network = own * roofline.decode_network + rank.prompt * roofline.prefill_network;
        compute.max(memory) + network
    });
    roofline.overhead + busiest.fold(0.0, f64::max)
}

/// Mean time per output token, and calls done per second while the ranks are busy.
#[derive(Debug, Clone, Copy)]
struct Found {
    tpot: f64,
    throughput: f64,
}

/// Which rank takes the next request.
type Deal<'a> = &'a mut dyn FnMut(&[Rank]) -> usize;

fn all_ranks(model: &ReplicaModel, count: usize, requests: Vec<Request>, deal: Deal<'_>) -> Found {
    let mut ranks: Vec<Rank> = (0..count).map(|_| Rank::default()).collect();
    let total = requests.len();
    let mut coming: VecDeque<Request> = requests.into();
    let (mut now, mut done, mut marks) = (0.0, 0, [0.0; 2]);
    let (mut sum, mut counted) = (0.0, 0.0);
    while done < total {
        while let Some(request) = coming.pop_front_if(|next| next.arrival.seconds() <= now) {
            let target = deal(&ranks);
            ranks[target].waiting.push_back(request);
        }
        if ranks.iter().all(|rank| rank.load() == 0) {
            now = coming.front().unwrap().arrival.seconds();
            continue;
        }
        for rank in &mut ranks {
            rank.plan(&model.scheduler);
        }
        now += price(&model.roofline, &ranks);
        for rank in &mut ranks {
            for sequence in &mut rank.running {
                sequence.made += model.roofline.tokens_per_step;
                sequence.context += model.roofline.tokens_per_step;
            }
            for request in rank.ready.drain(..) {
                rank.running.push(Sequence {
                    output: f64::from(request.output),
                    context: f64::from(request.prompt),
                    made: 1.0,
                    first_token: now,
                });
            }
            rank.running.retain(|sequence| {
                if sequence.made < sequence.output {
                    return true;
                }
                done += 1;
                for (mark, at) in marks.iter_mut().zip([0.35, 0.85]) {
                    if done == (total as f64 * at) as usize {
                        *mark = now;
                    }
                }
                if sequence.output > 1.0 && done > total / 3 && done < total - total / 10 {
                    sum += (now - sequence.first_token) / (sequence.output - 1.0);
                    counted += 1.0;
                }
                false
            });
        }
    }
    Found { tpot: sum / counted, throughput: 0.5 * total as f64 / (marks[1] - marks[0]) }
}

/// DeepSeek-R1 on 32 GPUs; each rank has at most 128 sequences and 4,096 tokens in a step.
fn deployment(router: Router, ranks: u32) -> Deployment {
    let layout = Layout {
        gpus: 32,
        precision: Precision::Fp4,
        attention_ranks: Some(ranks),
        step_time: None,
    };
    Deployment {
        model: "deepseek_r1".to_owned(),
        layouts: [("gb300".to_owned(), layout)].into(),
        scheduler: Scheduler {
            max_sequences: 128 * ranks,
            token_budget: 4_096 * ranks,
            prefill: Prefill::Chunked,
        },
        router,
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    }
}

fn calls(prompt: f64, cached: f64, output: f64) -> CallShape {
    let table = |sigma, mean| scaled_table(&Shape::Lognormal(sigma), mean).unwrap();
    CallShape {
        prompt: table(1.0, prompt),
        cached,
        output: table(0.8, output),
        ..CallShape::fixed(1, 0.0, 1)
    }
}

/// One rank in the place of all at shares of the fluid capacity, 100 of which saturate: its time
/// per output token over that of the reference, and the fluid capacity over its throughput.
fn compare(router: &Router, ranks: u32, calls: &CallShape, shares: &[f64]) -> Vec<(f64, f64)> {
    let deployment = deployment(router.clone(), ranks);
    let (hardware, llm) = (&accelerators()["gb300"], &models()["deepseek_r1"]);
    let place = (&deployment.layouts["gb300"], &deployment);
    let model = ReplicaModel::new(hardware, llm, place, &calls.means(), 1.0).unwrap();
    assert_eq!((model.gpus, model.scheduler.max_sequences), (32 / ranks, 128));
    let fluid = fluid_capacity(&model, &calls.means(), None).unwrap();
    let full = fluid.calls_per_second * f64::from(ranks);
    let count = 1_000 * ranks.max(6);
    let key = StreamKey::world(3, 0);
    let draws = Draws::new(calls, count, (0, 0), key);
    let mut at = Vec::new();
    for share in shares {
        let (mut choice, mut turn) = (key.stream("dealt"), 0);
        let mut random = |ranks: &[Rank]| (uniform(&mut choice) * ranks.len() as f64) as usize;
        let mut least = |ranks: &[Rank]| {
            turn += 1;
            let from = |offset: usize| (turn + offset) % ranks.len();
            let best = (0..ranks.len()).min_by_key(|offset| ranks[from(*offset)].load());
            from(best.unwrap())
        };
        let deal: Deal<'_> = if *router == Router::Random { &mut random } else { &mut least };
        let requests = draws.at_rate(full * share).collect();
        let all = all_ranks(&model, ranks as usize, requests, deal);
        let load = Load { calls_per_second: full * share, calls: calls.clone() };
        let one = simulate_cluster(&model, ranks, &load, count, key);
        let ratio = one.latencies.tpot.mean() * 1e-12 / all.tpot;
        println!("{router:?} {ranks} at {share}: {ratio:.3}, {:.3}", full / all.throughput);
        at.push((ratio, full / all.throughput));
    }
    at
}

#[test]
fn one_rank_stands_for_all_of_them() {
    let least = Router::LeastLoaded(Seconds(0.0));
    let cases = [
        (Router::Random, 4, calls(1_000.0, 0.0, 400.0)),
        (least.clone(), 4, calls(1_000.0, 0.0, 400.0)),
        (least.clone(), 8, calls(500.0, 0.0, 150.0)),
        // Only the context is uneven: as good as no prompt tokens are computed.
        (least, 32, calls(4_000.0, 0.999, 400.0)),
    ];
    for (router, ranks, calls) in cases {
        for (ratio, _) in compare(&router, ranks, &calls, &[0.3, 0.6, 0.9]) {
            assert!((ratio - 1.0).abs() < 0.07, "{router:?} {ranks}: {ratio}");
        }
        let (_, full) = compare(&router, ranks, &calls, &[100.0])[0];
        assert!((full - 1.0).abs() < 0.06, "{router:?} {ranks}: {full}");
    }
}

/// Long prompts among many ranks gather in the same steps more than one rank can know: it is the
/// slower one, within a bound.
#[test]
fn among_many_long_prompts_one_rank_errs_on_the_slow_side() {
    let calls = calls(4_000.0, 0.5, 400.0);
    for (ratio, _) in compare(&Router::Random, 8, &calls, &[0.3, 0.6, 0.9]) {
        assert!((0.97..1.25).contains(&ratio), "{ratio}");
    }
}
