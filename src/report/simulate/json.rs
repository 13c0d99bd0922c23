//! The same as JSON; its fields are described in `docs/simulate.md`.

use serde_json::{Map, Value, json};

use super::SimulationReport;
use crate::engine::CallClass;
use crate::stats::Estimate;
use crate::study::{LATENCIES, LatencyEstimate, RATES, SHARES, WorkloadOutcome};

/// Version of the names and meanings of the fields.
const SCHEMA: u32 = 1;

/// Everything as indented JSON with a newline at the end.
#[must_use]
pub fn simulation_json(report: &SimulationReport<'_>) -> String {
    let mut whole = json!({
        "schema_version": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "finding": report.finding(),
        "overloaded": report.overloaded(),
        "deployment": deployment(report),
        "traffic": traffic(report),
    });
    let errors = Errors { known: report.outcome.shards > 1 };
    let parts = report.classes.iter().zip(&report.outcome.workloads);
    let workloads: Vec<Value> =
        parts.map(|(class, workload)| errors.workload(class, workload)).collect();
    whole["workloads"] = Value::Array(workloads);
    whole["replicas"] = errors.replicas(report);
    whole["sample"] = sample(report);
    whole["speed"] = speed(report);
    // Plain numbers and text keys: serialising them cannot fail.
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

fn deployment(report: &SimulationReport<'_>) -> Value {
    let (model, ranks) = (report.deployment, report.words.ranks);
    let scheduler = &model.replica.scheduler;
    let doubt = report.words.doubt;
    json!({
        "model": report.words.model,
        "accelerator": report.words.accelerator,
        "provenance": report.words.provenance,
        "measured_source": report.words.measured,
        "speed_factor_low": doubt.map(|(low, _)| low),
        "speed_factor_high": doubt.map(|(_, high)| high),
        "software_progress_since_measured": report.words.progress,
        "gpus": model.gpus(),
        "gpus_per_replica": model.replica.gpus * ranks,
        "attention_ranks_per_replica": ranks,
        "replicas": model.replicas / ranks,
        "prefill_replicas": model.prefill.as_ref().map_or(0, |pool| pool.replicas / ranks),
        "clusters": report.outcome.clusters,
        "kv_tokens_per_rank": model.replica.kv_tokens,
        "max_sequences_per_rank": scheduler.max_sequences,
        "token_budget_per_rank": scheduler.token_budget,
        "serving_stack": report.words.stack.key(),
        "first_token_steps": model.replica.first_token.steps.0,
        "first_token_us_per_prompt_token": model.replica.first_token.prompt_token.0 * 1e6,
    })
}

fn traffic(report: &SimulationReport<'_>) -> Value {
    json!({
        "offered_requests_per_s": report.rate,
        "capacity_requests_per_s": report.capacity.map(|capacity| capacity.calls_per_second),
        "capacity_limit": report.capacity.map(|capacity| capacity.limit),
        "capacity_measured": report.capacity.map(|capacity| capacity.measured),
        "load_share": report.load(),
        "concurrency": report.concurrency,
        "trace": report.trace.map(|(file, _)| file),
        "trace_rows_skipped": report.trace.map(|(_, skipped)| skipped),
    })
}

fn sample(report: &SimulationReport<'_>) -> Value {
    let outcome = report.outcome;
    json!({
        "requests": outcome.requests,
        "replications": report.replications,
        "independent_runs": outcome.shards,
        "run_s": outcome.run_seconds.0,
        "measured_s": outcome.run_seconds.1,
        "seed": report.seed,
    })
}

/// How fast it was: the only part that differs between two runs.
fn speed(report: &SimulationReport<'_>) -> Value {
    let (per_cpu, times) = report.pace();
    json!({
        "wall_s": report.seconds.0,
        "requests_per_cpu_s": per_cpu,
        "times_real_time": times,
    })
}

/// Writes estimates; their standard errors are null where there is a single run.
struct Errors {
    known: bool,
}

impl Errors {
    fn estimate(&self, estimate: Estimate, factor: f64) -> Value {
        let error = self.known.then_some(estimate.standard_error * factor);
        json!({ "value": estimate.mean * factor, "standard_error": error })
    }

    fn latency(&self, into: &mut Map<String, Value>, name: &str, latency: &LatencyEstimate) {
        for (point, estimate) in ["mean", "p50", "p90", "p99"].iter().zip(latency.points) {
            into.insert(format!("{name}_{point}_ms"), self.estimate(estimate, 1e3));
        }
    }

    fn workload(&self, class: &CallClass, workload: &WorkloadOutcome) -> Value {
        let mut fields = Map::new();
        fields.insert("name".to_owned(), json!(class.name));
        fields.insert("priority".to_owned(), json!(class.priority));
        fields.insert("slo_ttft_ms".to_owned(), json!(class.limits.ttft_p99.0 * 1e3));
        fields.insert("slo_tpot_ms".to_owned(), json!(class.limits.tpot_p99.0 * 1e3));
        fields.insert("counted_requests".to_owned(), json!(workload.counted));
        for (name, latency) in LATENCIES.iter().zip(&workload.latencies) {
            self.latency(&mut fields, name, latency);
        }
        let rates = RATES.iter().zip(workload.rates);
        for (name, estimate) in rates.chain(SHARES.iter().zip(workload.shares)) {
            fields.insert((*name).to_owned(), self.estimate(estimate, 1.0));
        }
        Value::Object(fields)
    }

    fn replicas(&self, report: &SimulationReport<'_>) -> Value {
        let outcome = report.outcome;
        let mut fields = Map::new();
        self.latency(&mut fields, "itl", &outcome.itl);
        let rest = [
            ("queue_growth_requests_per_s", outcome.growth),
            ("busy_share", outcome.busy),
            ("prefill_busy_share", outcome.prefill_busy),
            ("mean_batch", outcome.batch),
            ("context_read_tokens_per_step", outcome.context_read),
            ("preemptions_per_1000_requests", outcome.preemptions),
            ("found_prompt_share", outcome.found),
        ];
        for (name, estimate) in rest {
            fields.insert(name.to_owned(), self.estimate(estimate, 1.0));
        }
        fields.insert("peak_kv_share".to_owned(), json!(outcome.peak_memory));
        Value::Object(fields)
    }
}
