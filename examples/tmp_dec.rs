use sparkgap::engine::{CallShape, ReplicaModel, fluid_capacity};
use sparkgap::scenario::Scenario;
fn main() {
    let s = Scenario::embedded();
    let w = "contemplating";
    let a = "gb300";
    let d = &s.deployments[w];
    let acc = &s.hardware[a];
    let llm = &s.models[&d.model];
    let llm = llm.scaled(llm.size.central());
    for y in [2026.5f64, 2032.5] {
        let wl = &s.workloads[w];
        let sp = s.central_speed((w, wl), acc, y);
        let calls = CallShape::central(wl, y).unwrap().means();
        println!("{calls:?}");
        for ranks in [1u32, 2, 4, 16] {
            let mut l = d.layouts[a].clone();
            l.attention_ranks = Some(ranks);
            let m = ReplicaModel::new(acc, &llm, (&l, d), &calls, sp).unwrap();
            let r = m.roofline;
            let b = m.scheduler.max_sequences as f64;
            let ctx = calls.context();
            println!(
                "ranks {ranks} plain {:.5} wait {:.5} net {:.5} dense {:.5} exp {:.5} kv {:.5} comp {:.5} over {:.5} {:?} {:?}",
                r.seconds(b, b * ctx, 0., 0., 0.),
                r.wait(b),
                b * r.decode_network,
                r.dense_read,
                r.weights_read(b * r.width) - r.dense_read,
                b * ctx * r.kv_read,
                b * r.decode_compute + b * ctx * r.kv_compute,
                r.overhead,
                m.scheduler,
                r.peers
            );
            println!("{:?}", fluid_capacity(&m, &calls, None));
            for f in [0.1, 0.3, 0.6, 1.0] {
                let b = b * f;
                println!(
                    "   D {b} plain {:.5} wait {:.5} one prompt {:.5}",
                    r.seconds(b, b * ctx, 0., 0., 0.),
                    r.wait(b),
                    r.seconds(
                        b,
                        b * ctx,
                        calls.prompt - calls.cached,
                        calls.cached,
                        calls.prefill_pairs()
                    )
                );
            }
        }
    }
}
