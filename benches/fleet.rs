//! Speed of the fleet loop: an epoch of the default scenario, a whole world of it, and the years
//! of a small reliability test system.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sparkgap::demand::Growth;
use sparkgap::fleet::{
    AreaDraw, AreaHour, Changes, Draw, LinkedAreas, ServingInputs, SingleArea, World, draw_world,
    simulate,
};
use sparkgap::rng::StreamKey;
use sparkgap::scenario::{Network, Scenario, System};
use sparkgap::supply::Amount;
use sparkgap::units::{GpuAmount, Share, Uncertain};

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
    let part = trimmed(&world, 20, [30, 4, 6]);
    let name = format!("{} classes x {} pools, epochs", part.classes.len(), part.pools.len());
    group.bench_function(name, |b| {
        b.iter(|| simulate(black_box(&part), StreamKey::inner(1, 0, 0)));
    });
    group.finish();
}

/// A world with the first classes and so many of the own pools, of the borrowed ones and of those
/// of contracts.
fn trimmed(world: &World, classes: usize, counts: [usize; 3]) -> World {
    let starts = [0, world.own_pools, world.own_pools + world.borrowed_pools];
    let kept: Vec<usize> =
        starts.iter().zip(counts).flat_map(|(start, count)| *start..start + count).collect();
    let place = |pool: usize| kept.iter().position(|old| *old == pool);
    let mut part = world.clone();
    part.base =
        world.base.chunks(world.classes.len()).flat_map(|row| &row[..classes]).copied().collect();
    part.classes.truncate(classes);
    part.pools = kept.iter().map(|pool| world.pools[*pool].clone()).collect();
    (part.own_pools, part.borrowed_pools) = (counts[0], counts[1]);
    part.changes = world
        .changes
        .iter()
        .filter_map(|change| {
            Some(sparkgap::fleet::CapacityChange { pool: place(change.pool)?, ..*change })
        })
        .collect();
    for pools in part.merit.iter_mut().flatten().flatten() {
        *pools = pools.iter().filter_map(|pool| Some(place(usize::from(*pool))? as u16)).collect();
    }
    if let Some(market) = &mut part.on_demand {
        market.reach.truncate(classes);
    }
    part
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

/// The loop of the default demand over one site of our own, small and large: a large pool is
/// counted an epoch at a time and costs what a small one does.
fn sizes(c: &mut Criterion) {
    let mut group = c.benchmark_group("size");
    for gpus in [1e4, 1e6, 1e8] {
        let mut scenario = Scenario::embedded();
        scenario.contracts.clear();
        scenario.sites.retain(|name, _| name == "prometheus");
        let site = scenario.sites.get_mut("prometheus").expect("it ships");
        site.assistant_share = Growth::Constant(Uncertain::fixed(Share(1.0)));
        site.training = None;
        site.phases.truncate(1);
        site.phases[0].refill = None;
        site.phases[0].amount = Amount::Gpus(Uncertain::fixed(GpuAmount(gpus)));
        let world = draw_world(&scenario, Draw::central(), &rate).world;
        group.sample_size(10).throughput(Throughput::Elements(world.epochs as u64));
        group.bench_function(format!("{gpus:e} GPUs, epochs"), |b| {
            b.iter(|| simulate(black_box(&world), StreamKey::inner(1, 0, 0)));
        });
    }
    group.finish();
}

criterion_group!(benches, epochs, one_world, sizes, system_years, system_years_of_areas);
criterion_main!(benches);
