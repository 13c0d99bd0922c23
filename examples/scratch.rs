use sparkgap::demand::Shape;
use sparkgap::engine::*;
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::rng::StreamKey;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let count: u32 = args[1].parse().unwrap();
    let rate: f64 = args[2].parse().unwrap();
    let kv: u64 = args[3].parse().unwrap();
    let cap: u32 = args[4].parse().unwrap();
    let prefill = if args[5] == "c" { Prefill::Chunked } else { Prefill::Blocking };
    let b: f64 = args.get(6).map_or(30e-6, |x| x.parse().unwrap());
    let kvc: f64 = args.get(7).map_or(17.4e-9, |x| x.parse().unwrap());
    let pc: f64 = args.get(8).map_or(35e-6, |x| x.parse().unwrap());
    let table = |s, m| scaled_table(&Shape::Lognormal(s), m).unwrap();
    let calls = CallShape {
        prompt: table(1.0, 1000.0),
        output: table(0.8, 400.0),
        ..CallShape::fixed(1, 0.0, 1)
    };
    let st = StepTime::new(&Roofline::affine(10e-3, b, kvc, pc));
    let limits = Scheduler { max_sequences: cap, token_budget: 2048, prefill };
    let draws = Draws::new(&calls, count, (0, count), StreamKey::world(2, 0));
    for _ in 0..(if count < 200_000 { 1 } else { 5 }) {
        let t = std::time::Instant::now();
        let mut r = Replica::new(&st, &limits, kv);
        let mut lat = Latencies::default();
        for (id, q) in draws.at_rate(rate).enumerate() {
            if id % 64 == 0 {
                r.advance(q.arrival, &mut lat);
            }
            r.enqueue(id as u32, q);
        }
        r.finish(&mut lat);
        let e = t.elapsed().as_secs_f64();
        let tt = r.totals();
        println!(
            "{:.1} ns/request; batch {:.1} preempt {} steps/req {:.2} bytes {} ttft {:.1} p99 {:.1} util {:.3}",
            e * 1e9 / count as f64,
            tt.mean_batch(),
            tt.preemptions,
            tt.steps as f64 / count as f64,
            r.bytes(),
            lat.ttft.mean() * 1e-9,
            lat.ttft.quantile(0.99) as f64 * 1e-9,
            tt.busy as f64 * 1e-12 / r.now().seconds()
        );
    }
}
