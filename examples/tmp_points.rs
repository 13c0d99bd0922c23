use sparkgap::demand::Service;
use sparkgap::engine::{CallShape, ReplicaModel, fluid_capacity};
use sparkgap::scenario::Scenario;
use sparkgap::study::{Watch, characterise};
fn main() {
    let s = Scenario::embedded();
    let t = characterise(
        &s,
        Some(std::path::Path::new(&std::env::args().nth(1).unwrap())),
        Watch::nobody(),
    )
    .unwrap();
    for (w, wl) in &s.workloads {
        let d = &s.deployments[w];
        for (a, l) in &d.layouts {
            if l.gpus <= 8 {
                continue;
            }
            for y in [2026.5f64, 2032.5] {
                let Some(eta) = t.eta_of(w, a, y) else {
                    println!("{w} {a} {y} none");
                    continue;
                };
                let acc = &s.hardware[a];
                let llm = &s.models[&d.model];
                let llm = llm.scaled(llm.size.central());
                let sp = s.central_speed((w, wl), acc, y);
                let calls = CallShape::central(wl, y).unwrap().means();
                let m = ReplicaModel::new(acc, &llm, (l, d), &calls, sp).unwrap();
                let tp = match wl.service {
                    Service::Interactive { tpot_p99, .. } => Some(tpot_p99),
                    _ => None,
                };
                let f = fluid_capacity(&m, &calls, tp).unwrap();
                println!(
                    "{w} {a} {y} eta {eta:.4} F/gpu {:.5} etaF {:.5} batch {:.1} {:?} tpot {:.4}",
                    f.calls_per_second_per_gpu,
                    eta * f.calls_per_second_per_gpu,
                    f.batch,
                    f.limit,
                    f.tpot.0
                );
            }
        }
    }
}
