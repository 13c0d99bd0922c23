//! Probes of how capacity comes, what it is worth month by month and how contracts end, and the
//! values that these stand beside, which the default scenario has none of.

use serde_json::{Value, json};

use super::Probe;

pub const PROBES: &[Probe] = &[
    (
        "0 to 1000 years",
        r#"["0 s", "1000 years"]"#,
        r#"["-1 s", "1002 years"]"#,
        &[
            "hardware.gb300.infancy.lasts",
            "sites.prometheus.phases[2].ramp.over",
            "sites.prometheus.burn_in.lasts",
            "contracts.coreweave_1.long_stop",
            "contracts.coreweave_1.default.after",
        ],
    ),
    (
        "0 to 1000 years in every draw",
        r#"["0 s", "uniform(1, 1000) years"]"#,
        r#"["normal(1, 2) months", "uniform(1, 1002) years"]"#,
        &["sites.prometheus.phases[2].power.slip"],
    ),
    (
        "none or 12 factors of 0 or more, one of them above; every month below 100 % of the units",
        "[[], [0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 999]]",
        "[[1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1]]",
        &["sites.prometheus.maintenance_months"],
    ),
    (
        "none or 12 shares",
        r#"[[], ["0%", "1%", "1%", "1%", "1%", "1%", "1%", "1%", "1%", "1%", "1%", "100%"]]"#,
        r#"[["1%"]]"#,
        &["sites.prometheus.usable_months"],
    ),
    ("1 to 100", "[1, 100]", "[0, 101]", &["sites.prometheus.phases[2].ramp.batches"]),
    (
        "0 to 10 in every draw",
        r#"["uniform(0, 10)", 0]"#,
        r#"["uniform(0, 11)", -1]"#,
        &["contracts.coreweave_1.default.per_year"],
    ),
    (
        "above 0, up to 20 in every draw",
        r#"["uniform(0.1, 20)"]"#,
        r#"["uniform(0, 1)", 21]"#,
        &["hardware.gb300.infancy.factor"],
    ),
];

/// Puts in what the default scenario has none of.
pub fn complete(scenario: &mut Value) {
    let ramp = json!({"batches": 3, "over": "6 months"});
    let phase = &mut scenario["sites"]["prometheus"]["phases"][2];
    phase["ramp"] = ramp.clone();
    phase["power"] = json!({"on": "2027-06", "slip": "1 months", "ramp": ramp});
    scenario["sites"]["prometheus"]["burn_in"] = json!({"lasts": "2 weeks", "usable": "50%"});
    scenario["contracts"]["coreweave_1"]["default"] = json!({
        "per_year": 0.02, "after": "3 months", "source": "test", "as_of": "2026-11",
    });
}
