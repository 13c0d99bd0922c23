//! Attention ranks that step together, every one of them simulated sequence by sequence, against
//! the one rank that stands for all. The reference shares with the program the coefficients of the
//! roofline and the requests, and nothing else: a step takes as long as its busiest rank.

use std::collections::VecDeque;

use sparkgap::demand::Shape;
use sparkgap::engine::{
    CallShape, Deployment, Draws, Layout, Load, Prefill, ReplicaModel, Request, Router, Scheduler,
    fluid_capacity, scaled_table, simulate_cluster,
};
use sparkgap::hardware::{Precision, Roofline, accelerators, models};
use sparkgap::rng::{StreamKey, uniform};
use sparkgap::units::Seconds;

static STAT: std::sync::Mutex<[f64; 10]> = std::sync::Mutex::new([0.0; 10]);
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
        let step = price(&model.roofline, &ranks);
        now += step;
        if done > total / 3 && done < total - total / 10 {
            let k = ranks.len() as f64;
            let own: f64 = ranks.iter().map(|r| { let d = r.running.len() as f64; model.roofline.seconds(d, r.context(), r.prompt, r.before, r.pairs) }).sum::<f64>() / k;
            let d = ranks.iter().map(|r| r.running.len() as f64).sum::<f64>() / k;
            let w = ranks.iter().map(|r| model.roofline.wait(r.running.len() as f64)).sum::<f64>() / k;
            let kv = ranks.iter().map(|r| r.context()).sum::<f64>() / k;
            let kvm = ranks.iter().map(|r| r.context()).fold(0.0, f64::max);
            let pm = ranks.iter().map(|r| r.prompt).fold(0.0, f64::max);
            let p = ranks.iter().map(|r| r.prompt).sum::<f64>() / k;
            let any = ranks.iter().filter(|r| r.prompt > 0.0).count() as f64 / k;
            for (a, b) in STAT.lock().unwrap().iter_mut().zip([1.0, step, own, d, w, kv, kvm, p, pm, any]) { *a += b; }
        }
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

fn deployment(router: Router, ranks: u32) -> Deployment {
    let layout =
        Layout { gpus: 32, precision: Precision::Fp4, attention_ranks: Some(ranks) };
    Deployment {
        model: "deepseek_r1".to_owned(),
        layouts: [("gb300".to_owned(), layout)].into(),
        scheduler: Scheduler {
            max_sequences: 128 * ranks,
            token_budget: 4_096 * ranks,
            prefill: Prefill::Chunked,
        },
        router,
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

#[test]
fn probe() {
    for (p, c, o) in [(1000.0, 0.0, 400.0), (4000.0, 0.5, 400.0), (500.0, 0.0, 150.0), (8000.0, 0.0, 1000.0)] {
    for ranks in [4u32, 8, 32] {
    for router in [Router::Random, Router::LeastLoaded(Seconds(0.0))] {
        let d = deployment(router.clone(), ranks);
        let calls = calls(p, c, o);
        let hw = &accelerators()["gb300"]; let llm = &models()["deepseek_r1"];
        let model = ReplicaModel::new(hw, llm, (&d.layouts["gb300"], &d), &calls.means(), 1.0).unwrap();
        let full = fluid_capacity(&model, &calls.means(), None).unwrap();
        let mut single = model.clone(); single.roofline.peers = None;
        for load in [0.3, 0.6, 0.9, 100.0] {
            let key = StreamKey::world(3, 0);
            let n = 6_000u32.max(ranks*800);
            let rate = full.calls_per_second * load * f64::from(ranks);
            let reqs: Vec<Request> = Draws::new(&calls, n, (0, 0), key).at_rate(rate).collect();
            let mut choice = key.stream("dealt");
            let mut next = 0;
            let mut random = |r: &[Rank]| (uniform(&mut choice) * r.len() as f64) as usize;
            let mut least = |r: &[Rank]| { next += 1; let k = r.len(); (0..k).min_by_key(|i| r[(i + next) % k].load()).map(|i| (i + next) % k).unwrap() };
            let deal: Deal<'_> = if router == Router::Random { &mut random } else { &mut least };
            *STAT.lock().unwrap() = [0.0; 10];
            let all = all_ranks(&model, ranks as usize, reqs, deal);
            let st = STAT.lock().unwrap().map(|v| v); let q = |i: usize| st[i] / st[0];
            let pe = model.roofline.peers.unwrap();
            println!("   step {:.3} own {:.3} true wait {:.3} formula {:.3} at mean {:.3} | D {:.1} kv {:.0} formula {:.0} kvmax {:.0} formula {:.0} | p {:.0} pmax {:.0} busy {:.2}", q(1)*1e3, q(2)*1e3, (q(1)-q(2))*1e3, q(4)*1e3, model.roofline.wait(q(3))*1e3, q(3), q(5), q(3)*pe.context, q(6), q(3)*pe.context + pe.excess*q(3).sqrt(), q(7), q(8), q(9));
            let l = Load { calls_per_second: rate, calls: calls.clone() };
            let one = simulate_cluster(&model, ranks, &l, n, key);
            let bare = simulate_cluster(&single, ranks, &l, n, key);
            let t = |o: &sparkgap::engine::ClusterOutcome| o.latencies.tpot.mean() * 1e-12;
            println!("{p} {c} {o} r{ranks} {router:?} {load}: batch {:.0} all {:.3}ms one {:.3} ({:+.1}%) bare ({:+.1}%) | thr {:.2} F {:.2} limit {:?} one-span {:.2}", full.batch, all.tpot*1e3, t(&one)*1e3, (t(&one)/all.tpot-1.0)*100.0, (t(&bare)/all.tpot-1.0)*100.0, all.throughput, full.calls_per_second*f64::from(ranks), full.limit, f64::from(n)/one.span.seconds());
        }
    }}}
}
