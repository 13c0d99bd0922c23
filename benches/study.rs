//! Speed of whole runs: the default scenario with few worlds and serving measured before, and the
//! files that are made of the answer.

use criterion::{Criterion, criterion_group, criterion_main};
use sparkgap::plan::{Unanswered, required_external};
use sparkgap::report::{gap_png, summary_json};
use sparkgap::scenario::{Scenario, System};
use sparkgap::study::{Watch, assess_system, characterise};

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
    group.sample_size(10).throughput(criterion::Throughput::Elements(1_000));
    group.bench_function("RBTS, system-years on all cores", |b| {
        b.iter(|| assess_system(&system, Watch::nobody()));
    });
    group.finish();
}

criterion_group!(benches, whole_run, adequacy);
criterion_main!(benches);
