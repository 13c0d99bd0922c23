//! Speed of whole runs: the default scenario with few worlds and serving measured before, the files
//! that are made of the answer, a test system, a region of many replicas.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sparkgap::demand::{Interarrival, Shape};
use sparkgap::engine::{
    CallClass, CallShape, ClusterModel, FirstToken, LatencyLimits, Pattern, Prefill, ReplicaModel,
    Router, Scheduler, Traffic, scaled_table,
};
use sparkgap::hardware::Roofline;
use sparkgap::plan::{Unanswered, required_external};
use sparkgap::report::{gap_png, summary_json};
use sparkgap::scenario::{Scenario, System};
use sparkgap::study::{Simulation, Watch, assess_system, characterise, simulate_deployment};
use sparkgap::units::Seconds;

fn whole_run(c: &mut Criterion) {
    let mut scenario = Scenario::embedded();
    scenario.sampling.worlds = 4;
    let cache = tempfile::tempdir().expect("a temporary folder");
    let run = || {
        let table = characterise(&scenario, Some(cache.path()), Watch::nobody())
            .ok_or(Unanswered::Stopped)?;
        required_external(&scenario, &table.rates(&scenario), Watch::nobody())
    };
    // Fills the cache.
    let Ok(answer) = run() else { return };
    let mut group = c.benchmark_group("default scenario");
    group.sample_size(10);
    group.bench_function("4 worlds, warm cache", |b| b.iter(run));
    group.bench_function("summary.json", |b| b.iter(|| summary_json(&answer)));
    group.bench_function("gap.png", |b| b.iter(|| gap_png(&answer)));
    group.finish();
}

fn adequacy(c: &mut Criterion) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/systems/rbts.ron");
    let mut system = System::load(path).expect("it ships with the program");
    system.samples = 1_000;
    let mut group = c.benchmark_group("adequacy");
    group.sample_size(10).throughput(Throughput::Elements(1_000));
    group.bench_function("RBTS, system-years on all cores", |b| {
        b.iter(|| assess_system(&system, Watch::nobody()));
    });
    group.finish();
}

/// A region of 1,024 replicas in four clusters, all metrics on, on one thread and on all cores.
fn region(c: &mut Criterion) {
    let table = |sigma, mean| scaled_table(&Shape::Lognormal(sigma), mean).expect("no file");
    let replica = ReplicaModel {
        roofline: Roofline::affine(10e-3, 30e-6, 17.4e-9, 35e-6),
        kv_tokens: 1_000_000,
        gpus: 8,
        scheduler: Scheduler { max_sequences: 256, token_budget: 2_048, prefill: Prefill::Chunked },
        router: Router::PowerOfTwo(Seconds(1.0)),
        first_token: FirstToken::NONE,
    };
    let (prompt, output) = (table(1.0, 1_000.0), table(0.8, 400.0));
    let class = CallClass {
        name: "calls".to_owned(),
        share: 1.0,
        calls: CallShape { prompt, output, ..CallShape::fixed(1, 0.0, 1) },
        priority: 0,
        limits: LatencyLimits { ttft_p99: Seconds(1.0), tpot_p99: Seconds(0.05) },
        patience: None,
    };
    let pattern = Pattern::Open {
        calls_per_second: 1_024.0 * 10.8,
        gaps: Interarrival::Poisson,
        profile: None,
        sessions: None,
    };
    let requests = 1_600_000;
    let simulation = Simulation {
        deployment: ClusterModel { replica, replicas: 1_024, prefill: None },
        traffic: Traffic { classes: vec![class], pattern, requests, not_counted: (0.2, 0.1) },
        replications: 1,
        seed: 1,
    };
    let mut group = c.benchmark_group("region");
    group.sample_size(10).throughput(Throughput::Elements(requests));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, cores] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let Ok(pool) = pool else { return };
        group.bench_function(format!("4 clusters of 256 replicas, {threads} threads"), |b| {
            b.iter(|| pool.install(|| simulate_deployment(&simulation, Watch::nobody())));
        });
    }
    group.finish();
}

criterion_group!(benches, whole_run, adequacy, region);
criterion_main!(benches);
