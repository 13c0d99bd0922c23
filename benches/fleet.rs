//! Speed of the fleet loop: an epoch of the default scenario, a whole world of it, and the years
//! of a small reliability test system.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sparkgap::fleet::{
    AreaDraw, AreaHour, Changes, Draw, LinkedAreas, ServingInputs, SingleArea, World, draw_world,
    simulate,
};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Network, Scenario, System};

/// A GPU's speed without a serving engine: what counts here is the loop above it.
fn rate(inputs: &ServingInputs<'_>) -> f64 {
    inputs.speed * 1e4 / (inputs.call.prompt / 20.0 + inputs.call.output)
}

fn epochs(c: &mut Criterion) {
    let scenario = Scenario::embedded();
    let world = draw_world(&scenario, Draw::central(), &rate).world;
    let mut group = c.benchmark_group("fleet");
    group.sample_size(10).throughput(Throughput::Elements(world.epochs as u64));
    let name = format!("{} classes x {} pools, epochs", world.classes.len(), world.pools.len());
    group.bench_function(name, |b| {
        b.iter(|| simulate(black_box(&world), StreamKey::inner(1, 0, 0)));
    });
    group.finish();
}

fn one_world(c: &mut Criterion) {
    let scenario = Scenario::embedded();
    let mut group = c.benchmark_group("world");
    group.sample_size(10);
    group.bench_function("draw", |b| {
        b.iter(|| draw_world(black_box(&scenario), Draw::of_world(1, 3), &rate));
    });
    group.bench_function("draw and 2 inner samples", |b| {
        b.iter(|| {
            let world = draw_world(black_box(&scenario), Draw::of_world(1, 3), &rate).world;
            [0, 1].map(|inner| simulate(&world, StreamKey::inner(1, 3, inner)).backlog)
        });
    });
    group.finish();
}

/// System-years of the path for a single area, and of the general loop beside it.
fn system_years(c: &mut Criterion) {
    let mut group = c.benchmark_group("reliability test system");
    for name in ["rbts", "rts79"] {
        let path = format!("{}/configs/systems/{name}.ron", env!("CARGO_MANIFEST_DIR"));
        let system = System::load(path).expect("it ships with the program");
        let area = SingleArea::new(&system);
        let years = 1_000;
        group.sample_size(20).throughput(Throughput::Elements(years));
        group.bench_function(format!("{name}, system-years"), |b| {
            let mut changes = Changes::default();
            b.iter(|| {
                let mut hours = 0;
                for year in 0..years {
                    let key = StreamKey::inner(1, 0, year);
                    area.shortfalls(key, &mut changes, |_, _| hours += 1);
                }
                hours
            });
        });
        let world = World::of_system(&system);
        let years = 10;
        group.throughput(Throughput::Elements(years));
        group.bench_function(format!("{name}, system-years in the general loop"), |b| {
            b.iter(|| {
                let short = |year| simulate(&world, StreamKey::inner(1, 0, year)).years[0].own;
                (0..years).map(|year| short(year).short_epochs).sum::<u64>()
            });
        });
    }
    group.finish();
}

/// System-years of areas with links.
fn system_years_of_areas(c: &mut Criterion) {
    let mut group = c.benchmark_group("reliability test system");
    let path = format!("{}/configs/systems/three_areas.ron", env!("CARGO_MANIFEST_DIR"));
    let network = Network::load(path).expect("it ships with the program");
    let linked = LinkedAreas::new(&network);
    let years = 1_000;
    group.sample_size(20).throughput(Throughput::Elements(years));
    group.bench_function("three_areas, system-years", |b| {
        let (mut draw, mut scan) = (AreaDraw::default(), linked.scan());
        let unchanged = linked.unchanged();
        b.iter(|| {
            let mut missing = 0.0;
            for year in 0..years {
                linked.draw(StreamKey::inner(1, 0, year), &mut draw);
                let add = |_, areas: &AreaHour| missing += areas.total();
                linked.shortfalls(&draw, &unchanged, &mut scan, add);
            }
            missing
        });
    });
    group.finish();
}

criterion_group!(benches, epochs, one_world, system_years, system_years_of_areas);
criterion_main!(benches);
