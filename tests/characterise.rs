//! Serving curves for a scenario: what is measured, and that neither cache nor threads matter.

use std::collections::BTreeMap;
use std::path::Path;

use sparkgap::demand::{Growth, Reach, Service, Shape, TokenLengths, Volume, Workload};
use sparkgap::engine::{Deployment, FirstToken, Layout, Prefill, Router, Scheduler};
use sparkgap::hardware::Precision;
use sparkgap::scenario::{Criterion, Horizon, Sampling, Scenario};
use sparkgap::study::{ServingTable, Watch, characterise};
use sparkgap::supply::Candidate;
use sparkgap::time::FleetTime;
use sparkgap::units::{
    AnnualGrowth, DollarsPerGpuHour, Factor, HoursPerYear, Seconds, Share, Tokens, Uncertain,
};

fn measured(scenario: &Scenario, cache: Option<&Path>) -> ServingTable {
    characterise(scenario, cache, Watch::nobody()).expect("nobody stops it")
}

fn workload(service: Service) -> Workload {
    let lengths = |mean| TokenLengths {
        shape: Shape::Lognormal(0.8),
        mean: Growth::Constant(Uncertain::fixed(Tokens(mean))),
    };
    Workload {
        label: String::new(),
        volume: Volume::Remainder,
        calls: Growth::Constant(Uncertain::fixed(Factor(1.0))),
        prompt: lengths(600.0),
        cached: Uncertain::fixed(Share(0.3)),
        images: None,
        degraded: None,
        retries: None,
        output: lengths(40.0),
        thinking: None,
        work_per_token: Uncertain::fixed(AnnualGrowth(0.0)),
        service,
        reach: Reach::Local,
        profile: String::new(),
        source: None,
        as_of: None,
    }
}

fn deployment(model: &str, gpus: u32) -> Deployment {
    let layout = Layout { gpus, precision: Precision::Fp4, attention_ranks: None, step_time: None };
    let names = ["gb300", "h100", "vera_rubin", "mi355x"];
    Deployment {
        model: model.to_owned(),
        layouts: names.map(|name| (name.to_owned(), layout.clone())).into(),
        scheduler: Scheduler { max_sequences: 64, token_budget: 8_192, prefill: Prefill::Chunked },
        router: Router::PowerOfTwo(Seconds(1.0)),
        first_token: FirstToken::NONE,
        source: None,
        as_of: None,
    }
}

/// Two interactive workloads, of which one does not fit on an H100, and a deferrable one.
fn scenario() -> Scenario {
    let interactive =
        |ttft| Service::Interactive { ttft_p99: Seconds(ttft), tpot_p99: Seconds(0.05) };
    let regions = BTreeMap::from([("here".to_owned(), Share(1.0))]);
    Scenario {
        name: "test".to_owned(),
        description: String::new(),
        sampling: Sampling { worlds: 1, inner_years: 1, seed: 7 },
        horizon: Horizon {
            first_year: 2026,
            last_year: 2029,
            epoch: Seconds(3_600.0),
            ignore_later: false,
        },
        decide_on: FleetTime::start_of_year(2027),
        regions: BTreeMap::new(),
        overrides: Vec::new(),
        surfaces: BTreeMap::new(),
        workloads: BTreeMap::from([
            ("batch".to_owned(), workload(Service::Deferrable { deadline: Seconds(1e5) })),
            ("chat".to_owned(), workload(interactive(2.0))),
            ("hasty".to_owned(), workload(interactive(1e-4))),
        ]),
        profiles: BTreeMap::new(),
        events: BTreeMap::new(),
        surges: BTreeMap::new(),
        releases: BTreeMap::new(),
        correlations: Vec::new(),
        hardware: BTreeMap::new(),
        models: BTreeMap::new(),
        deployments: BTreeMap::from([
            ("batch".to_owned(), deployment("muse_small", 1)),
            ("chat".to_owned(), deployment("llama_70b", 1)),
            ("hasty".to_owned(), deployment("muse_small", 1)),
        ]),
        reload: Uncertain::fixed(Seconds(0.0)),
        sites: BTreeMap::new(),
        contracts: BTreeMap::new(),
        market: Some(sparkgap::supply::Market {
            accelerator: "h100".to_owned(),
            region: "here".to_owned(),
            price: Uncertain::fixed(DollarsPerGpuHour(2.0)),
            limit: Uncertain::fixed(sparkgap::units::GpuAmount(0.0)),
            source: None,
            as_of: None,
        }),
        candidate: Candidate {
            accelerator: "vera_rubin".to_owned(),
            regions,
            price: Some(Uncertain::fixed(DollarsPerGpuHour(8.5))),
            lead_time: Some(Uncertain::fixed(Seconds(0.0))),
            availability: Share(0.99),
            source: None,
            as_of: None,
        },
        reference: "gb300".to_owned(),
        criterion: Criterion {
            interactive_lole: HoursPerYear(2.4),
            deferrable_misses: Share(0.001),
            three_part: None,
        },
    }
}

#[test]
fn the_table_holds_what_the_scenario_can_use() {
    let mut scenario = scenario();
    // H100 holds 40 GB of 4-bit weights in 72 GB; at 16 bits they do not fit.
    let chat = scenario.deployments.get_mut("chat").unwrap();
    chat.layouts.get_mut("h100").unwrap().precision = Precision::Bf16;
    let table = measured(&scenario, None);
    assert_eq!(table.accelerators, ["gb300", "h100", "vera_rubin"]);
    assert_eq!(table.eta_of("batch", "gb300", 2027.0), Some(1.0));
    assert_eq!(table.eta_of("chat", "h100", 2027.0), None);
    assert_eq!(table.eta_of("hasty", "gb300", 2027.0), None);
    assert_eq!(table.eta_of("chat", "mi355x", 2027.0), None);
    // What is laid out and serves nothing is named, with the reason.
    let told = table.unserved();
    let found = |parts: [&str; 3]| {
        told.iter().filter(|text| parts.iter().all(|part| text.contains(part))).count()
    };
    assert_eq!(
        found(["`h100` serves nothing of `chat`", "2026 and 2032", "memory"]),
        1,
        "{told:?}"
    );
    for name in ["gb300", "h100", "vera_rubin"] {
        let pair = format!("`{name}` serves nothing of `hasty`");
        assert_eq!(found([&pair, "2032", "lone call"]), 1, "{told:?}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
    let early = table.eta_of("chat", "gb300", 2020.0).unwrap();
    let late = table.eta_of("chat", "gb300", 2040.0).unwrap();
    let middle = table.eta_of("chat", "gb300", 2029.5).unwrap();
    assert!(early > 0.3 && late > 0.3 && early < 1.3 && late < 1.3, "{early} {late}");
    assert!((middle - f64::midpoint(early, late)).abs() < 1e-12);
}

#[test]
fn cached_and_fresh_results_are_the_same() {
    let scenario = scenario();
    let folder = tempfile::tempdir().unwrap();
    let fresh = measured(&scenario, None);
    assert_eq!(measured(&scenario, Some(folder.path())), fresh);
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    // Two interactive workloads on three accelerators in two years, each a file of its own.
    assert_eq!(files, 12);
    assert_eq!(measured(&scenario, Some(folder.path())), fresh);
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(alone.install(|| measured(&scenario, None)), fresh);
}
