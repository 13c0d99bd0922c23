//! The ranges that descriptions name are those that reading and checking enforce: values at their
//! ends are put into the default scenario, one at a time.

#[path = "ranges/supply.rs"]
mod supply;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use sparkgap::scenario::describe::find;
use sparkgap::scenario::{Diagnostic, Scenario};

/// A range of `configs/fields.ron`, and values as JSON that it holds and that it does not, at the
/// ends where it has some; then the fields that have it, by their paths in the default scenario.
type Probe = (&'static str, &'static str, &'static str, &'static [&'static str]);

const PROBES: &[Probe] = &[
    ("1 to 20000", "[1, 20000]", "[0, 20001]", &["sampling.worlds"]),
    ("1 to 1000", "[1, 1000]", "[0, 1001]", &["sampling.inner_years"]),
    ("0 to 18446744073709551615", "[0, 18446744073709551615]", "[-1]", &["sampling.seed"]),
    (
        "1 to 64 letters, digits, `_` and `-`, not starting with `-`",
        r#"["a-_1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]"#,
        r#"["", "-a", "a b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]"#,
        &["name"],
    ),
    ("2000 to 2100", "[2013, 2032]", "[1999, 2101]", &["horizon.first_year"]),
    ("first_year to first_year + 19", "[2026, 2045]", "[2025, 2046]", &["horizon.last_year"]),
    (
        "5 min to 1 h, dividing the hour into whole seconds",
        r#"["5 min", "1 h"]"#,
        r#"["299 s", "61 min", "7 min"]"#,
        &["horizon.epoch"],
    ),
    (
        "0 to 1000 years",
        r#"["0 s", "1000 years"]"#,
        r#"["-1 s", "1002 years"]"#,
        &[
            "workloads.background.reach.within",
            "deployments.instant.router.power_of_two",
            "deployments.instant.router.least_loaded",
            "deployments.instant.router.session_affinity",
            "hardware.gb300.efficiency.layer_overhead",
            "hardware.gb300.efficiency.expert_overhead",
            "hardware.gb300.efficiency.latent_overhead",
            "hardware.gb300.efficiency.sparse_overhead",
            "hardware.gb300.efficiency.hybrid_overhead",
            "hardware.gb300.efficiency.collective_overhead",
            "hardware.gb300.efficiency.sequence_overhead",
            "sites.prometheus.outages.mttr",
        ],
    ),
    (
        "0 to 1000 years; every pair of regions stated",
        r#"[{"asia_pacific": "1 s", "latin_america": "0 s", "rest_of_world": "1000 years"}]"#,
        r#"[{"asia_pacific": "1 s", "latin_america": "-1 s", "rest_of_world": "1 s"}, {}]"#,
        &["regions.europe.round_trip"],
    ),
    (
        "0 to 1000 years in every draw",
        r#"["0 s", "uniform(1, 1000) years"]"#,
        r#"["normal(1, 2) months", "uniform(1, 1002) years"]"#,
        &[
            "sites.prometheus.slip",
            "contracts.coreweave_1.slip",
            "candidate.lead_time",
            "reload",
            "hardware.gb300.delay",
            "hardware.gb300.lead_time",
            "releases.generation_2027.slip",
        ],
    ),
    (
        "above 0, up to 1000 years",
        r#"["1 us", "1000 years"]"#,
        r#"["0 s", "1002 years"]"#,
        &[
            "workloads.instant.service.interactive.ttft_p99",
            "workloads.instant.service.interactive.tpot_p99",
            "workloads.background.service.deferrable.deadline",
            "events.new_years_eve.lasts",
            "hardware.h100.failures.whole.mtbf",
            "hardware.h100.failures.whole.mttr",
            "hardware.gb300.failures.trays.tray_mtbf",
            "hardware.gb300.failures.trays.tray_mttr",
            "hardware.gb300.failures.trays.rack_mtbf",
            "hardware.gb300.failures.trays.rack_mttr",
            "hardware.gb300.software.time_constant",
            "hardware.gb300.life",
            "sites.prometheus.outages.mtbf",
            "criterion.three_part.duration",
        ],
    ),
    ("0 to 5", "[0, 5]", "[-0.1, 5.1]", &["workloads.instant.prompt.shape.lognormal"]),
    (
        "below 100 % in every draw",
        r#"["0%", "uniform(10, 99) %"]"#,
        r#"["100%", "uniform(10, 100) %"]"#,
        &["workloads.instant.retries.share"],
    ),
    (
        "above 0, up to a week",
        r#"["1 s", "7 days"]"#,
        r#"["0 s", "8 days"]"#,
        &["workloads.instant.retries.after"],
    ),
    (
        "above 0 tokens in the middle of every year, centrally",
        r#"[{"constant": "1 tokens"}]"#,
        r#"[{"constant": "0 tokens"}, {"series": {"2026": "9 tokens", "2032": "0 tokens"}}]"#,
        &["workloads.instant.prompt.mean"],
    ),
    (
        "24 factors, above 0 and below 1000000",
        "[[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0.1]]",
        "[[1], [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,0]]",
        &["profiles.consumer.hours", "profiles.consumer.weekend_hours"],
    ),
    (
        "7 factors, above 0 and below 1000000",
        "[[1,1,1,1,1,1,999999]]",
        "[[1], [1,1,1,1,1,1,1000000]]",
        &["profiles.consumer.days"],
    ),
    ("1 or more", "[1, 3]", "[0.99]", &["profiles.consumer.busiest_five_minutes"]),
    ("1 to 12", "[1, 12]", "[0, 13]", &["events.new_years_eve.when.yearly.month"]),
    (
        "1 to the last day of the month, not 29 February",
        "[1, 31]",
        "[0, 32]",
        &["events.new_years_eve.when.yearly.day"],
    ),
    (
        "0 to 23",
        "[0, 23]",
        "[-1, 24]",
        &["events.new_years_eve.when.yearly.hour", "events.world_cup_final.when.dates.hour"],
    ),
    ("1 date or more", r#"[["2027"]]"#, "[[]]", &["events.world_cup_final.when.dates.dates"]),
    ("0 to 10000", "[0, 10]", "[10001]", &["surges.news.per_year"]),
    (
        "above 0; per_year times the longest draw at most a year",
        r#"["1 s", "60 days"]"#,
        r#"["0 s", "61 days"]"#,
        &["surges.news.lasts"],
    ),
    (
        "above 0, up to 1000000",
        r#"["uniform(0.1, 1000000)"]"#,
        r#"["uniform(0, 1)", 1000001]"#,
        &["surges.news.factor"],
    ),
    (
        "above 0 in every draw",
        r#"["lognormal(p10 1, p90 2)", 0.1]"#,
        r#"["normal(1, 0.2)", 0]"#,
        &[
            "events.new_years_eve.factor",
            "hardware.gb300.realised",
            "hardware.gb300.software.ceiling",
            "workloads.instant.images.per_call",
            "models.muse_lite.size",
        ],
    ),
    (
        "above 0 USD/gpu-h in every draw",
        r#"["uniform(1, 2) USD/gpu-h"]"#,
        r#"["uniform(0, 2) USD/gpu-h"]"#,
        &["contracts.coreweave_1.price", "market.price", "candidate.price", "hardware.gb300.rent"],
    ),
    (
        "above 0 USD in every draw",
        r#"["1B USD"]"#,
        r#"["0 USD"]"#,
        &["contracts.nebius_1.value", "contracts.nebius_2.backstop.value"],
    ),
    (
        "above 0, up to 1000",
        "[0.001, 1000]",
        "[0, 1001]",
        &["releases.generation_2027.work", "releases.generation_2027.requests"],
    ),
    (
        "above 0 in every draw; with `per_call` at most 1000000 a call",
        r#"["1 tokens"]"#,
        r#"["0 tokens", "1.1M tokens"]"#,
        &["workloads.instant.images.tokens"],
    ),
    (
        "none or 12 factors above 0 and below 1000000",
        "[[], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 999999]]",
        "[[1], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]]",
        &["profiles.mixed.months"],
    ),
    (
        "above -1, below 1; all of them possible together",
        "[-0.9, 0, 0.9]",
        "[-1, 1, 1.1]",
        &["correlations[0].rank"],
    ),
    (
        "above 0 FLOP/s",
        r#"["1 PFLOP/s"]"#,
        r#"["0 FLOP/s"]"#,
        &["hardware.gb300.fp4", "hardware.gb300.fp8", "hardware.gb300.bf16"],
    ),
    ("above 0 B", r#"["1 TB"]"#, r#"["0 B"]"#, &["hardware.gb300.memory"]),
    ("above 0 B", r#"["1 B"]"#, r#"["0 B"]"#, &["models.muse_lite.kv_per_token"]),
    (
        "above 0 B/s",
        r#"["1 B/s"]"#,
        r#"["0 B/s"]"#,
        &["hardware.gb300.memory_bandwidth", "hardware.gb300.scale_up", "hardware.gb300.scale_out"],
    ),
    ("above 0 W", r#"["1 W"]"#, r#"["0 W"]"#, &["hardware.gb300.power"]),
    ("1 to 16", "[1, 16]", "[0.9, 17]", &["models.muse_lite.tokens_per_step"]),
    ("above 0 params", r#"["115B params"]"#, r#"["0 params"]"#, &["models.muse_lite.params"]),
    (
        "above 0, up to `params`",
        r#"["1 params", "117B params"]"#,
        r#"["0 params", "118B params"]"#,
        &["models.muse_lite.active_params"],
    ),
    (
        "1 to 4294967295",
        "[64, 4294967295]",
        "[0, 4294967296]",
        &[
            "hardware.gb300.scale_up_domain",
            "hardware.gb300.unit.gpus",
            "models.muse_lite.layers",
            "models.muse_lite.hidden",
            "models.muse_lite.kv_heads",
            "models.muse_lite.head_width",
        ],
    ),
    (
        "1 to 4294967295; with grouped attention a multiple of the GPUs of every attention rank",
        "[64, 4294967288]",
        "[0, 3, 4294967296]",
        &["models.muse_lite.heads"],
    ),
    (
        "1 or more, dividing `gpus`, at most `max_sequences`; 1 for a model without experts",
        "[1, 4, 16]",
        "[0, 3, 32]",
        &["deployments.contemplating.layouts.gb300.attention_ranks"],
    ),
    ("0 to 1000", "[0, 1000]", "[-1, 1001]", &["deployments.instant.first_token.steps"]),
    (
        "0 to 1 ms",
        r#"["0 s", "1 ms"]"#,
        r#"["-1 us", "1.1 ms"]"#,
        &["deployments.instant.first_token.prompt_token"],
    ),
    ("1 to 4294967295", "[1]", "[0]", &["deployments.instant.scheduler.max_sequences"]),
    ("1 to `gpus`", "[64, 72]", "[0, 73]", &["hardware.gb300.unit.serving"]),
    ("1 to `count`", "[1, 128]", "[0, 129]", &["models.muse_lite.experts.active"]),
    ("0 to `layers` of the model", "[0, 36]", "[37]", &["models.muse_lite.experts.layers"]),
    (
        "0 to `params` of the model",
        r#"["0 params", "117B params"]"#,
        r#"["118B params"]"#,
        &["models.muse_lite.experts.params"],
    ),
    (
        "above 0 %, up to 100 %",
        r#"["0.1%", "100%"]"#,
        r#"["0%", "101%"]"#,
        &[
            "hardware.gb300.efficiency.compute",
            "hardware.gb300.efficiency.narrow_compute",
            "hardware.gb300.efficiency.memory",
            "hardware.gb300.efficiency.network",
            "contracts.coreweave_1.availability",
            "candidate.availability",
        ],
    ),
    (
        "0 % or more, below 100 %",
        r#"["0%", "99%"]"#,
        r#"["100%"]"#,
        &["sites.prometheus.maintenance"],
    ),
    ("1 to 3", "[1, 3]", "[0.99, 3.01]", &["sites.prometheus.pue"]),
    (
        "0 to 1000 GW",
        r#"["0 W", "1000 GW"]"#,
        r#"["1001 GW"]"#,
        &["sites.prometheus.phases[1].amount.facility_power"],
    ),
    (
        "0 to 1000000000 gpus",
        r#"["0 gpus", "1B gpus"]"#,
        r#"["1.1B gpus"]"#,
        &["sites.prometheus.phases[1].amount.gpus"],
    ),
    (
        "1 to the GPUs in reach (`scale_up_domain`, `unit.serving`), with room for context; those \
         of an attention rank divide the query heads of grouped attention",
        "[1, 64]",
        "[0, 65]",
        &["deployments.instant.layouts.gb300.gpus"],
    ),
    (
        "0 s or more; a full step at most 25 s",
        r#"["0 s", "20 ns"]"#,
        r#"["-1 ns", "1000 s"]"#,
        &[
            "deployments.instant.layouts.gb300.step_time.base",
            "deployments.instant.layouts.gb300.step_time.floor",
            "deployments.instant.layouts.gb300.step_time.per_token",
            "deployments.instant.layouts.gb300.step_time.per_sequence",
            "deployments.instant.layouts.gb300.step_time.per_context_token",
        ],
    ),
    (
        // What only a full memory makes long.
        "0 s or more; a full step at most 25 s",
        "[]",
        r#"["1 s", "1 ms"]"#,
        &["deployments.instant.layouts.gb300.step_time.per_context_token"],
    ),
    (
        "64 to 1000000000; a mean call, and one with a prompt at the 99th percentile",
        "[100000, 1000000000]",
        "[63, 64, 2000, 1000000001]",
        &["deployments.instant.layouts.gb300.step_time.kv_tokens"],
    ),
    (
        "2000 to 2100",
        r#"["2000-01", "2100-12-31"]"#,
        r#"["1999-12-31", "2101-01"]"#,
        &["deployments.instant.layouts.gb300.step_time.as_of"],
    ),
    ("more than `spare_trays`", "[3]", "[2]", &["hardware.gb300.failures.trays.trays"]),
    ("fewer than `trays`", "[0, 17]", "[18]", &["hardware.gb300.failures.trays.spare_trays"]),
    ("max_sequences or more", "[1024]", "[1023]", &["deployments.thinking.scheduler.token_budget"]),
    ("`active` or more", "[4]", "[3]", &["models.muse_lite.experts.count"]),
    ("1 year or more", "[]", "[{}]", &["workloads.agentic.volume.share_of_requests.series"]),
    (
        "not below `start`, centrally",
        r#"["100%"]"#,
        r#"["0.1%"]"#,
        &["surfaces.whatsapp.adoption.logistic.cap"],
    ),
    ("1 entry or more", "[]", "[{}]", &["surfaces", "workloads", "profiles"]),
    ("1 entry or more", "[]", "[{}]", &["deployments.instant.layouts"]),
    ("1 entry or more", "[]", "[[]]", &["sites.prometheus.phases"]),
    ("1 to 32 entries", "[]", "[{}]", &["regions"]),
    ("shares sum to 100 %", "[]", "[[]]", &["contracts.coreweave_1.tranches"]),
    (
        "offsets -14 h to 14 h; parts 0 or more that sum to 1",
        r#"[[["-14 h", 0.4], ["14 h", 0.6]]]"#,
        r#"[[["-15 h", 1]], [["0 h", 0.9]], [["0 h", 1.1], ["1 h", -0.1]], []]"#,
        &["regions.europe.time_zones"],
    ),
    (
        "0% or more each; sum to 100 %",
        r#"[{"europe": "100%"}]"#,
        r#"[{"europe": "99%"}, {"europe": "101%"}, {"europe": "101%", "us_canada": "-1%"}]"#,
        &["surfaces.whatsapp.regions", "contracts.coreweave_1.regions"],
    ),
    (
        "1 to 8 entries, 0% or more each; sum to 100 %; in reach of every interactive workload",
        r#"[{"us_canada": "100%"}]"#,
        r#"[{"europe": "99%"}, {}]"#,
        &["candidate.regions"],
    ),
    (
        "1 name or more, none twice",
        r#"[["instant"]]"#,
        r#"[[], ["instant", "instant"]]"#,
        &["surfaces.whatsapp.workloads"],
    ),
    (
        "together at most 100 % on every surface and year",
        r#"[{"constant": "1%"}]"#,
        r#"[{"constant": "100%"}]"#,
        &["workloads.thinking.volume.share_of_requests"],
    ),
];

/// Context tokens of the measured replica.
const MEMORY: &str = "deployments.instant.layouts.gb300.step_time.kv_tokens";

/// The value at a path with kinds; where another kind stands there, it is exchanged for this one.
fn put(scenario: &mut Value, path: &str, value: Value) {
    let path = path.replace('[', ".").replace(']', "");
    let (above, last) = path.rsplit_once('.').unwrap_or(("", &path));
    let pointer = format!("/{}", above.replace('.', "/"));
    let place = if above.is_empty() { Some(scenario) } else { scenario.pointer_mut(&pointer) };
    let place = place.unwrap_or_else(|| panic!("the default has no {above}"));
    let kinds = ["lognormal", "least_loaded", "session_affinity", "within", "gpus"];
    let other = place.get(last).is_none() && kinds.contains(&last);
    if other {
        *place = Value::Object(serde_json::Map::new());
    }
    place[last] = value;
}

/// The scenario with a step time that was measured and limits on events, which the default has none
/// of.
fn with_measured(scenario: &Scenario) -> Value {
    let mut scenario = serde_json::to_value(scenario).expect("plain data");
    supply::complete(&mut scenario);
    scenario["deployments"]["instant"]["layouts"]["gb300"]["step_time"] = serde_json::json!({
        "base": "1 ms", "floor": "2 ms", "per_token": "1 us", "per_sequence": "2 us",
        "per_context_token": "1 ns", "kv_tokens": 1_000_000, "as_of": "2026-08", "source": "log",
    });
    scenario["criterion"]["three_part"] = serde_json::json!({});
    scenario
}

/// Why the default scenario with one value exchanged is refused, by a type or by a check; `None`
/// where it is accepted. The memory of the measured replica is stated, or what its weights
/// leave.
fn refused(path: &str, value: Value, stated: bool) -> Option<String> {
    let mut scenario = Scenario::embedded();
    // A shorter horizon leaves deliveries behind it.
    scenario.horizon.ignore_later = true;
    let mut scenario = with_measured(&scenario);
    if !stated {
        put(&mut scenario, MEMORY, Value::Null);
    }
    put(&mut scenario, path, value);
    let read: Scenario = match serde_json::from_value(scenario) {
        Ok(read) => read,
        Err(error) => return Some(error.to_string()),
    };
    let error = Scenario::from_ron(&read.to_ron(), "probe.ron").err()?;
    // A slow machine cannot keep its promises: that is no matter of this value's range.
    let slow = |fault: &Diagnostic| fault.message.contains("a lone call takes");
    (!error.faults().iter().all(slow)).then(|| error.to_string())
}

/// Step times are checked with a memory that is stated and with one that the weights leave.
fn memories(path: &str) -> &'static [bool] {
    if path.contains(".step_time.") && path != MEMORY { &[true, false] } else { &[true] }
}

#[test]
fn ranges_are_those_that_are_enforced() {
    #[derive(Deserialize)]
    struct Note {
        range: Option<String>,
    }
    let default = with_measured(&Scenario::embedded());
    let (mut probed, mut faults) = (BTreeSet::new(), Vec::new());
    for (range, legal, illegal, paths) in PROBES.iter().chain(supply::PROBES) {
        for path in *paths {
            let found = find(path, &default).expect("a field");
            let told = found[0].field.range.as_deref();
            if told != Some(*range) {
                faults.push(format!("{path}: {told:?} is not {range:?}"));
            }
            probed.extend(found[0].field.key.clone());
            let values = |text: &str| -> Vec<Value> {
                serde_json::from_str(text).unwrap_or_else(|error| panic!("{path} {text}: {error}"))
            };
            for value in values(legal) {
                for stated in memories(path) {
                    let why = refused(path, value.clone(), *stated);
                    faults.extend(why.map(|why| format!("{path}: {value} is refused: {why}")));
                }
            }
            for value in values(illegal) {
                for stated in memories(path) {
                    let accepted = refused(path, value.clone(), *stated).is_none();
                    faults.extend(accepted.then(|| format!("{path}: {value} is accepted")));
                }
            }
        }
    }
    let options =
        ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    let notes: BTreeMap<String, Note> =
        options.from_str(include_str!("../configs/fields.ron")).expect("notes");
    let bounded = notes.iter().filter(|(_, note)| {
        note.range.as_ref().is_some_and(|range| range.contains(|c: char| c.is_ascii_digit()))
    });
    let unprobed = bounded.filter(|entry| !probed.contains(entry.0));
    faults.extend(unprobed.map(|entry| format!("{}: no probe holds its range", entry.0)));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
