//! Published throughputs against the closed-form capacity: a coarse check that the catalogue is
//! of the right size, not a fit.

use sparkgap::engine::{
    CallMeans, Deployment, FirstToken, Layout, Prefill, ReplicaModel, Router, Scheduler,
    fluid_capacity,
};
use sparkgap::hardware::{Precision, accelerators, models};
use sparkgap::units::Seconds;

/// Output tokens per second and GPU of the fluid capacity.
fn output_rate(
    (accelerator, model, gpus): (&str, &str, u32),
    precision: Precision,
    (prompt, output): (f64, f64),
    max_sequences: u32,
    tpot: Option<f64>,
) -> f64 {
    let layout = Layout { gpus, precision, attention_ranks: None, step_time: None };
    let deployment = Deployment {
        model: model.to_owned(),
        layouts: [(accelerator.to_owned(), layout.clone())].into(),
        scheduler: Scheduler { max_sequences, token_budget: 128_000, prefill: Prefill::Chunked },
        router: Router::RoundRobin,
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    };
    let hardware = &accelerators()[accelerator];
    let speed = hardware.realised.central().0;
    let llm = &models()[model];
    let means = CallMeans {
        prompt,
        cached: 0.0,
        output,
        prompt_spread: 1.0,
        cached_spread: 1.0,
        output_spread: 1.0,
    };
    let place = (&layout, &deployment);
    let replica = ReplicaModel::new(hardware, llm, place, &means, speed).unwrap();
    let fluid = fluid_capacity(&replica, &means, tpot.map(Seconds)).unwrap();
    fluid.calls_per_second_per_gpu * output
}

#[test]
fn published_throughputs_are_met_within_a_factor() {
    use Precision::{Fp4, Fp8};
    // MLPerf Inference offline (closed, output tokens/s/GPU, mean lengths) and InferenceX
    // (total = 2 x output at 1k/1k, fixed concurrency over the GPUs of the replica).
    let cells = [
        ("MLPerf v6.1", ("gb300", "deepseek_r1", 8), Fp4, (800.0, 3_850.0), 16_000, 9_441.0),
        ("MLPerf v6.1", ("gb300", "deepseek_r1", 64), Fp4, (800.0, 3_850.0), 64_000, 9_441.0),
        ("MLPerf v6.1", ("gb200", "deepseek_r1", 8), Fp4, (800.0, 3_850.0), 16_000, 7_275.0),
        ("MLPerf v6.1", ("vera_rubin", "deepseek_r1", 8), Fp4, (800.0, 3_850.0), 16_000, 16_435.0),
        ("MLPerf v6.0", ("gb200", "llama_405b", 4), Fp4, (9_400.0, 700.0), 2_048, 214.7),
        ("MLPerf v5.1", ("h200", "llama_405b", 8), Fp8, (9_400.0, 700.0), 2_048, 69.1),
        ("InferenceX", ("h200", "deepseek_r1", 8), Fp8, (1_024.0, 1_024.0), 1_024, 1_158.0),
        ("InferenceX", ("h200", "gpt_oss_120b", 1), Fp4, (1_024.0, 1_024.0), 64, 3_032.0),
        ("InferenceX", ("b200", "gpt_oss_120b", 1), Fp4, (1_024.0, 1_024.0), 256, 14_006.0),
        ("InferenceX", ("b200", "llama_70b", 1), Fp4, (1_024.0, 1_024.0), 128, 5_484.0),
        ("InferenceX", ("h100", "llama_70b", 2), Fp8, (1_024.0, 1_024.0), 64, 1_061.0),
        ("InferenceX", ("b200", "deepseek_r1", 8), Fp4, (1_024.0, 1_024.0), 4_096, 6_533.0),
    ];
    let mut logs = Vec::new();
    for (source, place, precision, lengths, sequences, published) in cells {
        let model = output_rate(place, precision, lengths, sequences, None);
        let ratio = model / published;
        println!("{source} {place:?} {model:.0} / {published:.0} = {ratio:.2}");
        assert!((0.45..2.2).contains(&ratio), "{source} {place:?} {model:.0} {published:.0}");
        logs.push(ratio.ln().abs());
    }
    logs.sort_by(f64::total_cmp);
    let typical = logs[logs.len() / 2].exp();
    println!("median factor {typical:.2}");
    assert!(typical < 1.5, "{typical}");
}
