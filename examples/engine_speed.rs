//! What does one simulated call cost? One replica at 80 % load, from random numbers to histograms;
//! arguments: calls, calls per second, context tokens, sequences, `blocking` or `chunked`. Run it
//! under callgrind with two numbers of calls: the difference is instructions per call.

use sparkgap::demand::Shape;
use sparkgap::engine::{CallShape, Draws, Latencies, Prefill, Replica, Scheduler, scaled_table};
use sparkgap::hardware::{Roofline, StepTime};
use sparkgap::rng::StreamKey;

fn main() -> Result<(), String> {
    let mut words = std::env::args().skip(1);
    let mut number = |usual: f64| match words.next() {
        Some(word) => word.parse().map_err(|_| format!("`{word}` is not a number")),
        None => Ok(usual),
    };
    let (count, rate) = (number(1e6)? as u32, number(10.8)?);
    let (kv_tokens, max_sequences) = (number(1e6)? as u64, number(256.0)? as u32);
    let blocking = words.next().is_some_and(|word| word == "blocking");
    let prefill = if blocking { Prefill::Blocking } else { Prefill::Chunked };
    let scheduler = Scheduler { max_sequences, token_budget: 2_048, prefill };
    let table = |sigma, mean| scaled_table(&Shape::Lognormal(sigma), mean).ok_or("no table");
    let (prompt, output) = (table(1.0, 1_000.0)?, table(0.8, 400.0)?);
    let calls = CallShape { prompt, output, ..CallShape::fixed(1, 0.0, 1) };
    let step_time = StepTime::new(&Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6));
    let mut replica = Replica::new(&step_time, &scheduler, kv_tokens);
    let mut latencies = Latencies::default();
    let draws = Draws::new(&calls, count, (0, count), StreamKey::world(2, 0));
    for (id, request) in draws.at_rate(rate).enumerate() {
        if id % 64 == 0 {
            replica.advance(request.arrival, &mut latencies);
        }
        replica.enqueue(id as u32, request);
    }
    replica.finish(&mut latencies);
    let ttft = latencies.ttft.quantile(0.99) as f64 * 1e-9;
    println!("{count} calls, batch {:.0}, TTFT P99 {ttft:.0} ms", replica.totals().mean_batch());
    Ok(())
}
