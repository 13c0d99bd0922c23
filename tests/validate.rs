//! Recorded runs: reading, prediction against sums by hand, the shipped fit, and the command.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use sparkgap::hardware::{Provenance, accelerators, models};
use sparkgap::study::{
    EFFICIENCY_COEFFICIENTS, FittedCoefficients, Row, STEP_COEFFICIENTS, errors_of, fit_error,
    predict, read_runs,
};
use sparkgap::units::Seconds;

const HEAD: &str = "system,model,precision,mode,backend,backend_version,measured,isl,osl,\
                    concurrency,gpus,tp,pp,attention_dp,prefill_workers,prefill_tp,prefill_pp,\
                    prefill_attention_dp,decode_workers,decode_tp,decode_pp,decode_attention_dp,\
                    ttft_ms,tpot_ms,output_tok_s_per_gpu";
const LONE: &str = "h100_sxm,meta-llama/Llama-3.1-8B-Instruct,fp8,agg,trtllm,1.0,,1000,101,1,1,1,1,\
                    ,,,,,,,,,50,10,90";

fn folder(name: &str, rows: &[&str]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("validate-{name}"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("runs.csv"), format!("{HEAD}\n{}\n", rows.join("\n"))).unwrap();
    folder
}

#[test]
fn a_lone_call_takes_what_the_roofline_says() {
    let runs = read_runs(&folder("lone", &[LONE]).join("runs.csv")).unwrap();
    let mut h100 = accelerators()["h100"].clone();
    h100.efficiency.layer_overhead = Seconds(50e-6);
    h100.efficiency.sequence_overhead = Seconds(10e-6);
    let llm = &models()["llama_8b"];
    let said = predict(&runs[0], &h100, llm, 1.0).unwrap();
    // One GPU: no collectives. 32 layers of 50 us, a sequence of 10 us, 8.03 GB of weights and the
    // context of 1,000 to 1,099 tokens of 65,536 B.
    let bandwidth = 3.35e12 * h100.efficiency.memory.0;
    let context = 1_000.0 + 99.0 / 2.0;
    let step = 32.0 * 50e-6 + 10e-6 + (8.03e9 + context * 65_536.0) / bandwidth;
    assert!((said.tpot / step - 1.0).abs() < 2e-3, "{} {step}", said.tpot);
    // The prompt is compute: its products and its pairs of tokens.
    let rate = 1.979e15 * h100.efficiency.narrow_compute.0;
    let pairs = 1_000.0 * 1_001.0 / 2.0;
    let products = 2.0 * 8.03e9 * 1_000.0 + 4.0 * 32.0 * 128.0 * 32.0 * pairs;
    let prefill = 32.0 * 50e-6 + products / rate;
    assert!((said.ttft / prefill - 1.0).abs() < 2e-3, "{} {prefill}", said.ttft);
}

#[test]
fn errors_are_predicted_over_measured() {
    let runs = read_runs(&folder("errors", &[LONE]).join("runs.csv")).unwrap();
    let rows: Vec<Row<'_>> = runs.iter().filter_map(Row::of).collect();
    let shipped = FittedCoefficients::shipped().values().unwrap();
    let error = errors_of(&rows, &shipped)[0].expect("the weights fit");
    let h100 = shipped.apply("h100", &accelerators()["h100"]);
    let said = predict(&runs[0], &h100, rows[0].llm, 1.0).unwrap();
    assert!((error.tpot - (said.tpot / 10e-3).ln()).abs() < 1e-12);
    let ttft = said.ttft
        + shipped.get("first_token_steps.undated") * said.tpot
        + shipped.get("prompt_overhead") * 1_000.0;
    assert!((error.ttft - (ttft / 50e-3).ln()).abs() < 1e-12);
    let rate = 101.0 / (ttft + 100.0 * said.tpot);
    assert!((error.throughput - (rate / 90.0).ln()).abs() < 1e-12);
}

#[test]
fn the_shipped_fit_is_what_the_catalogue_has() {
    let fitted = FittedCoefficients::shipped();
    assert_eq!(fitted.coefficients.len(), EFFICIENCY_COEFFICIENTS.len());
    assert!(EFFICIENCY_COEFFICIENTS.len() <= 25 && STEP_COEFFICIENTS < 25);
    let coefficients = fitted.values().expect("every coefficient");
    for (name, accelerator) in accelerators() {
        let own = &accelerator.efficiency;
        let applied = coefficients.apply(name, accelerator).efficiency;
        let pairs = [
            (own.compute.0, applied.compute.0),
            (own.narrow_compute.0, applied.narrow_compute.0),
            (own.memory.0, applied.memory.0),
            (own.network.0, applied.network.0),
            (own.layer_overhead.0, applied.layer_overhead.0),
            (own.expert_overhead.0, applied.expert_overhead.0),
            (own.latent_overhead.0, applied.latent_overhead.0),
            (own.sparse_overhead.0, applied.sparse_overhead.0),
            (own.hybrid_overhead.0, applied.hybrid_overhead.0),
            (own.collective_overhead.0, applied.collective_overhead.0),
            (own.sequence_overhead.0, applied.sequence_overhead.0),
        ];
        for (shipped, fitted) in pairs {
            assert!((shipped / fitted - 1.0).abs() < 5e-3, "{name}: {shipped} {fitted}");
        }
        for share in [own.compute, own.narrow_compute, own.memory, own.network] {
            assert!(share.0 < 1.0, "{name}");
        }
        if accelerator.provenance() == Provenance::Fitted {
            let p90 = accelerator.realised.at(0.9).0 / accelerator.realised.central().0;
            assert!((p90 / fit_error(name).0 - 1.0).abs() < 5e-3, "{name}: {p90}");
        }
    }
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    let told = |name: &str, row: &str| {
        read_runs(&folder(name, &[LONE, row]).join("runs.csv")).unwrap_err().to_string()
    };
    let said = told("mode", &LONE.replace(",agg,", ",both,"));
    assert!(said.ends_with("runs.csv, line 3: `mode` is `both`: agg or disagg"), "{said}");
    let said = told("format", &LONE.replace(",fp8,", ",fp7,"));
    assert!(said.contains("line 3: `precision` is `fp7`: one of fp4, int4"), "{said}");
    let said = told("zero", &LONE.replace(",50,10,90", ",50,0,90"));
    assert!(said.contains("line 3: `tpot_ms` is 0: it must be above zero"), "{said}");
    let said = told("crlf", &format!("{LONE}\r\n{}", LONE.replace(",agg,", ",both,")));
    assert!(said.contains("line 4: `mode`"), "{said}");
    let said = told("long", "h100_sxm,m,fp8");
    assert!(said.contains("3 values where the header has 25 columns"), "{said}");
}

#[test]
fn a_folder_without_a_run_is_said_to_have_none() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "a,b\n"] {
        std::fs::write(folder.path().join("runs.csv"), text).unwrap();
        let output = validate(&[folder.path().to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("there is no run in") && said.contains("docs/validation.md"),
            "{said}"
        );
    }
}

fn validate(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::cargo_bin("sparkgap").unwrap();
    command.arg("validate").args(arguments).output().unwrap()
}

#[test]
fn the_command_prints_errors_and_holds_them_against_a_page() {
    let folder = folder("command", &[LONE, &LONE.replace("Llama-3.1-8B-Instruct", "Unknown-1B")]);
    let page = folder.join("page.md");
    let (at, to) = (folder.to_str().unwrap(), page.to_str().unwrap());
    let done = validate(&[at, "--write", to]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("all runs") && text.contains("h100_sxm Llama-3.1-8B-Instruct fp8 agg"));
    assert!(text.contains("not compared: 1 runs of h100_sxm Unknown-1B"), "{text}");
    // What it states now does not grow; a page that states less is outgrown.
    assert_eq!(validate(&[at, "--against", to]).status.code(), Some(0));
    let stated = fs::read_to_string(&page).unwrap();
    assert!(stated.contains("\n### Weak rows\n") && stated.contains("- C37: gpt_oss_120b on h200"));
    let lower = |line: &str| match line {
        _ if line.starts_with("| all runs |") => {
            "| all runs | 1 | 0.0 | 0.0 | +0.0 | 0 | 0 | 0 | 0 | 0 | 0 |\n".to_owned()
        }
        _ if line.starts_with("| all rows |") => {
            "| all rows | 1 | 1.00 | 9.00 | 1.00 |\n".to_owned()
        }
        _ if line.starts_with("| blackwell |") => "| blackwell | 1 | 9 | 9 | 1.00 |\n".to_owned(),
        _ => format!("{line}\n"),
    };
    fs::write(&page, stated.lines().map(lower).collect::<String>()).unwrap();
    let failed = validate(&[at, "--against", to]);
    assert_eq!(failed.status.code(), Some(3));
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(told.contains("median error of TPOT"), "{told}");
    assert!(told.contains("published throughputs, all rows: median factor 1."), "{told}");
    assert!(told.contains("published throughputs, blackwell: mean factor 1."), "{told}");
    assert!(!told.contains("P90 factor") && !told.contains("hopper"), "{told}");
    let nothing = validate(&["no such folder"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("name a folder"));
}
