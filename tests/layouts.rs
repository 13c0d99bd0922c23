//! The search over layouts against points worked by hand, physical roofs and orders that must hold.

#[path = "support/hand_worked.rs"]
mod hand_worked;

use hand_worked::hand_worked;
use sparkgap::engine::{CallMeans, CallShape, Layout};
use sparkgap::hardware::{Accelerator, Llm, Precision, accelerators, models};
use sparkgap::study::{
    LayoutSearch, OperatingLimits, PointLimit, ServedModel, ServingMode, layouts, operating_point,
};
use sparkgap::units::Seconds;

const BOTH: [ServingMode; 2] = [ServingMode::Aggregated, ServingMode::Disaggregated];
const SPEEDS: [f64; 9] = [5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 200.0, 300.0];

fn calls(prompt: u32, output: u32) -> CallMeans {
    CallShape::fixed(prompt, 0.0, output).means()
}

fn one_gpu() -> Layout {
    Layout { gpus: 1, precision: Precision::Fp8, attention_ranks: None, step_time: None }
}

fn near(value: f64, exact: f64) {
    assert!((value / exact - 1.0).abs() < 1e-9, "{value} {exact}");
}

/// 8.03 GB of weights, 32 layers of 32 heads of 128, 65,536 B a context token.
const WEIGHTS: f64 = 8.03e9;
const OVERHEAD: f64 = 32.0 * 50e-6;
const RATE: f64 = 0.5 * 1.979e15;
const BANDWIDTH: f64 = 0.8 * 3.35e12;
const PAIR: f64 = 4.0 * 32.0 * 32.0 * 128.0;

#[test]
fn an_aggregated_point_by_hand() {
    let (h100, llm) = (hand_worked(), &models()["llama_8b"]);
    let served = ServedModel { accelerator: &h100, llm, calls: calls(1_000, 101), speed: 1.0 };
    let point = operating_point(&served, &one_gpu(), None, 101.0).unwrap();
    // A call takes 100 decode steps and one with its prompt, so of 101 sequences 100 decode and
    // one prefills in every step: 1,100 tokens, bound by compute.
    let kv = 100.0 * (1_000.0 + 101.0 / 2.0);
    let step = |pairs: f64| OVERHEAD + (2.0 * WEIGHTS * 1_100.0 + PAIR * (kv + pairs)) / RATE;
    near(point.tpot.0, step(1_000.0 * 1_000.0 / 2.0));
    near(point.ttft.0, step(1_000.0 * 1_001.0 / 2.0));
    near(point.calls_per_second_per_gpu, 1.0 / point.tpot.0);
    near(point.output_tokens_per_second_per_gpu, 101.0 / point.tpot.0);
    near(point.total_tokens_per_second_per_gpu, 1_101.0 / point.tpot.0);
    near(point.tokens_per_second_per_user(), 1.0 / point.tpot.0);
    assert_eq!((point.limit, point.mode()), (PointLimit::Batch, ServingMode::Aggregated));
    // Of more sequences the prompts exceed the budget of 8,192 tokens a step.
    assert_eq!(operating_point(&served, &one_gpu(), None, 800.0), None);
}

#[test]
fn a_disaggregated_point_by_hand() {
    let (h100, llm) = (hand_worked(), &models()["llama_8b"]);
    let served = ServedModel { accelerator: &h100, llm, calls: calls(1_000, 101), speed: 1.0 };
    let point = operating_point(&served, &one_gpu(), Some(&one_gpu()), 101.0).unwrap();
    // Decode: memory binds. A context that has been handed over is read once more.
    let kv = 100.0 * (1_000.0 + 101.0 / 2.0);
    let step = OVERHEAD + (WEIGHTS + 65_536.0 * (kv + 1_000.0)) / BANDWIDTH;
    near(point.tpot.0, step);
    let decode = 1.0 / step;
    // Prefill: 8,192 tokens a step, bound by compute.
    let prompts = 8_192.0 / 1_000.0;
    let products = 2.0 * WEIGHTS * 8_192.0 + PAIR * prompts * 1e6 / 2.0;
    let prefill_step = OVERHEAD + products / RATE;
    let prefill = prompts / prefill_step;
    let part = point.prefill.clone().unwrap();
    near(part.replicas_per_decode, decode / prefill);
    near(part.share_of_gpus, decode / (decode + prefill));
    near(point.calls_per_second_per_gpu, decode * prefill / (decode + prefill));
    // 1,000 tokens of 65,536 B over 450 GB/s.
    near(point.ttft.0, prefill_step + 65.536e6 / 450e9);
    // 72 GB less the weights hold so many contexts, and half a block each.
    let full = operating_point(&served, &one_gpu(), Some(&one_gpu()), 1e6).unwrap();
    assert_eq!(full.limit, PointLimit::Memory);
    let tokens = ((72e9 - WEIGHTS) / 65_536.0).floor();
    near(full.batch, tokens / (1_000.0 + 101.0 / 2.0 + 8.0));
    // Two GPUs that decode need twice the prefill of one.
    let two = Layout { gpus: 2, ..one_gpu() };
    let wide = operating_point(&served, &two, Some(&one_gpu()), 101.0).unwrap();
    let ratio = wide.prefill.unwrap().replicas_per_decode;
    near(ratio, 1.0 / wide.tpot.0 / prefill);
}

fn search(accelerator: &Accelerator, llm: &Llm, calls: CallMeans) -> LayoutSearch {
    let speed = accelerator.realised.central().0;
    let served = ServedModel { accelerator, llm, calls, speed };
    LayoutSearch::new(&served, &layouts(accelerator, llm, None), &BOTH)
}

#[test]
fn limits_are_kept_and_used_up() {
    let llm = &models()["deepseek_r1"];
    let search = search(&accelerators()["gb300"], llm, calls(8_192, 1_024));
    let (tpot, ttft) = (Seconds(0.04), Seconds(0.25));
    let limits = OperatingLimits { tpot: Some(tpot), ttft: Some(ttft) };
    let points = search.all_within(&limits);
    let bound = |limit| points.iter().filter(|point| point.limit == limit).count();
    assert!(bound(PointLimit::Tpot) > 0 && bound(PointLimit::Ttft) > 0);
    for point in &points {
        assert!(point.tpot.0 <= tpot.0 * (1.0 + 1e-9) && point.ttft.0 <= ttft.0, "{point:?}");
        match point.limit {
            PointLimit::Tpot => assert!(point.tpot.0 > tpot.0 * 0.999, "{point:?}"),
            PointLimit::Ttft => assert!(point.ttft.0 > ttft.0 * 0.9, "{point:?}"),
            _ => {}
        }
    }
    let best = search.best_within(&limits).unwrap();
    let free = search.peak().unwrap();
    let rate = |point: &sparkgap::study::OperatingPoint| point.output_tokens_per_second_per_gpu;
    assert!(points.iter().all(|point| rate(point) <= rate(&best)) && rate(&best) <= rate(&free));
}

#[test]
fn an_envelope_never_falls_where_users_may_wait_longer() {
    for (name, accelerator) in accelerators() {
        for model in ["llama_8b", "gpt_oss_120b", "deepseek_r1", "muse_next"] {
            let search = search(accelerator, &models()[model], calls(1_024, 1_024));
            let envelope = search.envelope(&SPEEDS, None);
            for (pair, speeds) in envelope.windows(2).zip(SPEEDS.windows(2)) {
                if let Some(fast) = &pair[1] {
                    let slow = pair[0].as_ref().expect("what is fast enough is so for less");
                    let more = slow.output_tokens_per_second_per_gpu
                        >= fast.output_tokens_per_second_per_gpu;
                    assert!(more, "{name} {model}: {slow:?} {fast:?}");
                    assert!(fast.tokens_per_second_per_user() >= speeds[1] * (1.0 - 1e-6));
                }
            }
        }
    }
}

/// What no software can exceed, from the data sheet alone: products with the active weights for
/// every token at the dense peak, and the context of every output token read at full bandwidth.
#[test]
fn no_point_lies_above_the_roofs() {
    for (name, accelerator) in accelerators() {
        for (model, llm) in models() {
            for (prompt, output) in [(8_192, 1_024), (1_024, 1_024)] {
                let search = search(accelerator, llm, calls(prompt, output));
                let peak = accelerator.fp4.unwrap_or(accelerator.fp8).0;
                let compute = peak / (2.0 * llm.active_params.0);
                let context = f64::from(prompt) + f64::from(output) / 2.0;
                let bytes = llm.kv_per_token.0 * context / llm.tokens_per_step.0;
                let bandwidth = accelerator.memory_bandwidth.0 / bytes;
                for point in search.envelope(&[1.0, 20.0, 50.0, 200.0], None).iter().flatten() {
                    let total = point.total_tokens_per_second_per_gpu;
                    assert!(total < compute, "{name} {model}: {total} {compute}");
                    let output = point.output_tokens_per_second_per_gpu;
                    assert!(output < bandwidth, "{name} {model}: {output} {bandwidth}");
                }
            }
        }
    }
}

/// The 1.6T model is 900 GB at 4 bits, and contexts of 100,000 tokens are 350 MB each. Half as much
/// memory again on otherwise equal GPUs holds more of them, above all on few GPUs.
#[test]
fn memory_is_what_gb300_has_before_gb200_on_the_largest_model() {
    let mut rack = accelerators()["gb200"].clone();
    let llm = &models()["muse_next"];
    let calls = CallShape::fixed(100_000, 0.95, 1_024).means();
    let peaks = |rack: &Accelerator| {
        let served = ServedModel { accelerator: rack, llm, calls, speed: 1.0 };
        [4, 8, 16, 64].map(|gpus| {
            let mut list = layouts(rack, llm, None);
            list.retain(|layout| layout.gpus == gpus);
            LayoutSearch::new(&served, &list, &BOTH[..1]).peak()
        })
    };
    let small = peaks(&rack);
    rack.memory = accelerators()["gb300"].memory;
    let large = peaks(&rack);
    // 4 x 167 GB hold no 900 GB, 4 x 250 GB do.
    assert!(small[0].is_none() && large[0].is_some());
    let gains = small.iter().zip(&large).filter_map(|(small, large)| {
        let (small, large) = (small.as_ref()?, large.as_ref()?);
        Some(large.output_tokens_per_second_per_gpu / small.output_tokens_per_second_per_gpu)
    });
    let gains: Vec<f64> = gains.collect();
    assert!(gains[0] > 1.1 && gains.iter().all(|gain| *gain >= 1.0), "{gains:?}");
    // Replicas of more GPUs have more room to begin with.
    assert!(gains.last() < gains.first(), "{gains:?}");
}
