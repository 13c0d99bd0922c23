//! Checks of accelerators and models, the catalogue's and the scenario's own.

use super::{Faults, Path, Scenario};
use crate::hardware::{Accelerator, Failures};

/// Numbers of an accelerator that must be above zero, and how its units fail.
pub(super) fn accelerators(scenario: &Scenario, faults: &mut Faults) {
    for (name, entry) in &scenario.hardware {
        let path = Path::of("hardware").key(name);
        let numbers = [
            ("fp4", entry.fp4.map_or(1.0, |peak| peak.0)),
            ("fp8", entry.fp8.0),
            ("bf16", entry.bf16.0),
            ("memory", entry.memory.0),
            ("memory_bandwidth", entry.memory_bandwidth.0),
            ("scale_up", entry.scale_up.0),
            ("scale_out", entry.scale_out.0),
            ("scale_up_domain", f64::from(entry.scale_up_domain)),
            ("power", entry.power.0),
        ];
        for (field, value) in numbers {
            above_zero(faults, &path, field, value);
        }
        let efficiency = [
            ("compute", entry.efficiency.compute.0),
            ("narrow_compute", entry.efficiency.narrow_compute.0),
            ("memory", entry.efficiency.memory.0),
            ("network", entry.efficiency.network.0),
        ];
        for (field, value) in efficiency {
            above_zero(faults, &path.key("efficiency"), field, value);
        }
        let overheads = [
            ("layer_overhead", entry.efficiency.layer_overhead),
            ("expert_overhead", entry.efficiency.expert_overhead),
            ("latent_overhead", entry.efficiency.latent_overhead),
            ("sparse_overhead", entry.efficiency.sparse_overhead),
            ("hybrid_overhead", entry.efficiency.hybrid_overhead),
            ("collective_overhead", entry.efficiency.collective_overhead),
            ("sequence_overhead", entry.efficiency.sequence_overhead),
        ];
        for (field, overhead) in overheads {
            faults.duration(path.key("efficiency").key(field), overhead);
        }
        let constant = path.key("software").key("time_constant");
        faults.positive_duration(constant, entry.software.time_constant);
        faults.positive(path.key("software").key("ceiling"), &entry.software.ceiling);
        faults.positive(path.key("realised"), &entry.realised);
        faults.positive(path.key("rent"), &entry.rent);
        faults.uncertain_duration(path.key("lead_time"), &entry.lead_time);
        if let Some(delay) = &entry.delay {
            faults.uncertain_duration(path.key("delay"), delay);
        }
        faults.positive_duration(path.key("life"), entry.life);
        unit(faults, &path, entry);
    }
}

fn above_zero(faults: &mut Faults, path: &Path, field: &str, value: f64) {
    let message = format!("`{field}` must be above zero");
    faults.require(value > 0.0, path.key(field), &message, "correct it");
}

fn unit(faults: &mut Faults, path: &Path, entry: &Accelerator) {
    let unit = entry.unit;
    let serving = (1..=unit.gpus).contains(&unit.serving);
    let message = "`serving` must be 1 up to the GPUs of the unit";
    faults.require(serving, path.key("unit").key("serving"), message, "64 of 72 in an NVL72");
    let path = path.key("failures");
    match &entry.failures {
        Failures::Whole { mtbf, mttr } => {
            faults.positive_duration(path.key("mtbf"), *mtbf);
            faults.positive_duration(path.key("mttr"), *mttr);
        }
        Failures::Trays { trays, spare_trays, tray_mtbf, tray_mttr, rack_mtbf, rack_mttr } => {
            let spare = spare_trays < trays;
            let message = "there must be fewer spare trays than trays";
            faults.require(spare, path.key("spare_trays"), message, "2 of 18 in an NVL72");
            faults.positive_duration(path.key("tray_mtbf"), *tray_mtbf);
            faults.positive_duration(path.key("tray_mttr"), *tray_mttr);
            faults.positive_duration(path.key("rack_mtbf"), *rack_mtbf);
            faults.positive_duration(path.key("rack_mttr"), *rack_mttr);
        }
    }
}

/// Numbers of a model that must be above zero or in order.
pub(super) fn models(scenario: &Scenario, faults: &mut Faults) {
    for (name, model) in &scenario.models {
        let path = Path::of("models").key(name);
        let numbers = [
            ("params", model.params.0),
            ("active_params", model.active_params.0),
            ("layers", f64::from(model.layers)),
            ("hidden", f64::from(model.hidden)),
            ("heads", f64::from(model.heads)),
            ("kv_heads", f64::from(model.kv_heads)),
            ("head_width", f64::from(model.head_width)),
            ("kv_per_token", model.kv_per_token.0),
        ];
        for (field, value) in numbers {
            above_zero(faults, &path, field, value);
        }
        let some = (1.0..=16.0).contains(&model.tokens_per_step.0);
        let message = "a step makes 1 to 16 tokens of a sequence";
        let help = "1 without speculative decoding, 1.5 to 3 with it are usual";
        faults.require(some, path.key("tokens_per_step"), message, help);
        faults.positive(path.key("size"), &model.size);
        let whole = model.active_params.0 <= model.params.0;
        let message = "a token cannot touch more weights than there are";
        faults.require(whole, path.key("active_params"), message, "at most `params`");
        if let Some(experts) = &model.experts {
            let some = (1..=experts.count).contains(&experts.active);
            let message = "`active` experts must be 1 up to `count`";
            faults.require(some, path.key("experts").key("active"), message, "8 of 256, say");
            let inside = experts.params.0 <= model.params.0 && experts.layers <= model.layers;
            let message = "the experts cannot exceed the model";
            faults.require(inside, path.key("experts"), message, "at most its weights and layers");
        }
    }
}
