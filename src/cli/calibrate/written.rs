//! The file that is written: a scenario that has the step time, or the step time alone.

use std::path::{Path, PathBuf};

use super::args::{CalibrateArguments, VariantArguments};
use super::{Calibration, table, usage};
use crate::cli::Failure;
use crate::cli::simulate::deployment::find;
use crate::engine::Layout;
use crate::hardware::{MeasuredStepTime, Precision, accelerators, models};
use crate::report::write_folder;
use crate::scenario::{DEFAULT, ScenarioText, layout_faults, shipped_names};
use crate::study::EngineLimits;
use crate::time::FleetTime;
use crate::units::Seconds;

/// What is to be written, checked before the fit.
#[derive(Debug)]
pub(super) struct Written {
    out: PathBuf,
    as_of: FleetTime,
    variant: Option<Variant>,
}

/// A scenario that has the step time, as a patch of another one.
#[derive(Debug)]
struct Variant {
    /// The base as the file names it.
    include: String,
    workload: String,
    accelerator: String,
    gpus: u32,
    precision: Precision,
}

impl Written {
    /// What the options ask for; `None` without `--out`.
    pub(super) fn of(
        arguments: &CalibrateArguments,
        gpus: Option<u32>,
        first: Option<FleetTime>,
        engine: EngineLimits,
    ) -> Result<Option<Self>, Failure> {
        let Some(out) = arguments.out.clone() else { return Ok(None) };
        let as_of = arguments.variant.as_of.or(first).ok_or_else(|| {
            usage(format!(
                "{}: its arrivals are not in Unix time, so that the date of the log is not known: \
                 give --as-of DATE",
                arguments.log.display()
            ))
        })?;
        let named = arguments.variant.workload.as_ref().zip(arguments.variant.accelerator.as_ref());
        let variant = named
            .map(|names| Variant::of(&arguments.variant, names, &out, (gpus, as_of, engine)))
            .transpose()?;
        Ok(Some(Self { out, as_of, variant }))
    }

    /// Writes it.
    pub(super) fn write(&self, found: &Calibration) -> Result<(), Failure> {
        let out = &self.out;
        let name = out.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| usage(format!("--out {}: name a file", out.display())))?;
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
        let text = self.text(found);
        write_folder(folder.unwrap_or(Path::new(".")), &[(name, text.into_bytes())])?;
        Ok(())
    }

    /// Whether the written scenario is sound: the fit may break what it promises, say.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.variant.is_some() {
            ScenarioText::open(&self.out)?.scenario()?;
        }
        Ok(())
    }

    fn text(&self, found: &Calibration) -> String {
        let mut text = String::from(
            "// Written by `sparkgap calibrate`: a step time as it was measured.\n//\n",
        );
        let log = quoted(&found.source);
        let mut say = |line: &str| text += &(format!("// {line}").trim_end().to_owned() + "\n");
        say(&format!("Log: {log}, {} requests.", found.requests));
        table::figures(found).iter().for_each(|line| say(line));
        say("");
        let Some(variant) = &self.variant else {
            say("It belongs into a layout of a scenario, as `step_time`:");
            say("    sparkgap check SCENARIO \\");
            say("        --set \"deployments.WORKLOAD.layouts.ACCELERATOR.step_time=$(cat FILE)\"");
            say("With --workload and --accelerator calibrate writes a scenario that has it.");
            return text + &self.step_time(found, &log, "") + "\n";
        };
        let workload = &variant.workload;
        say("The scheduler of the scenario is that of all layouts of the workload and stays as it");
        say("is. Where the limits of the log are right for all of them, these patches set them:");
        for (field, value) in
            [("max_sequences", found.max_sequences), ("token_budget", found.token_budget)]
        {
            say(&format!("    \"deployments.{workload}.scheduler.{field}\": {value},"));
        }
        let Variant { accelerator, gpus, .. } = variant;
        let description =
            format!("Step time of {workload} on {accelerator} as measured on {}", self.as_of);
        let layout = [
            format!("\"deployments.{workload}.layouts.{accelerator}\": ("),
            format!("    gpus: {gpus},"),
            format!("    precision: {},", word(variant.precision)),
            format!("    step_time: {},", self.step_time(found, &log, "            ")),
            "),".to_owned(),
        ];
        text + &format!(
            "Variant(\n    name: {},\n    description: {},\n    include: {},\n    patches: \
             {{\n        {}\n    }},\n)\n",
            quoted(&self.name()),
            quoted(&description),
            quoted(&variant.include),
            layout.join("\n        "),
        )
    }

    /// The value of `step_time`, its later lines indented.
    fn step_time(&self, found: &Calibration, log: &str, indent: &str) -> String {
        let mut text = String::from("(\n");
        let mut line = |name: &str, value: &str| {
            text += &format!("{indent}    {name}: {value},\n");
        };
        for coefficient in &found.coefficients {
            line(coefficient.name, &quoted(&coefficient.value));
        }
        if found.kv_tokens.is_some() {
            line("kv_tokens", &found.replayed_kv_tokens.to_string());
        }
        line("as_of", &quoted(&self.as_of.to_string()));
        let log = log.trim_matches('"');
        line("source", &format!("\"sparkgap calibrate {log}, {} requests\"", found.requests));
        text + indent + ")"
    }

    /// A name of a scenario: that of the file where it can be one.
    fn name(&self) -> String {
        let stem = self.out.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let legal = |stem: &String| {
            (1..=64).contains(&stem.len()) && stem.chars().all(plain) && !stem.starts_with('-')
        };
        stem.filter(legal).unwrap_or_else(|| "calibrated".to_owned())
    }
}

impl Variant {
    fn of(
        asked: &VariantArguments,
        (workload, accelerator): (&String, &String),
        out: &Path,
        (gpus, as_of, engine): (Option<u32>, FleetTime, EngineLimits),
    ) -> Result<Self, Failure> {
        let base = asked.scenario.clone().unwrap_or_else(|| PathBuf::from(DEFAULT));
        let scenario = ScenarioText::open(&base)?.scenario()?;
        let include = included(&base, out)?;
        find(Some(&scenario.workloads), &Default::default(), "workload", workload)?;
        let hardware = find(Some(&scenario.hardware), accelerators(), "accelerator", accelerator)?;
        let plain = |name: &str| {
            name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
                && !name.starts_with('*')
        };
        if let Some(name) = [workload, accelerator].into_iter().find(|name| !plain(name)) {
            return Err(usage(format!(
                "`{name}` cannot be named in a patch: rename it in the scenario, with letters, \
                 digits, `_` and `-`"
            )));
        }
        let deployment = &scenario.deployments[workload];
        let own = deployment.layouts.get(accelerator);
        let gpus = asked.gpus.or(gpus).ok_or_else(|| {
            usage(
                "how many GPUs the replica has is not known: give --gpus N, or --meta FILE with \
                   `engine_kwargs.tensor_parallel_size`",
            )
        })?;
        let precision = asked.precision.or(own.map(|own| own.precision)).ok_or_else(|| {
            usage(format!(
                "the scenario has no layout of `{workload}` on `{accelerator}`: say with \
                 --precision in which format the weights are"
            ))
        })?;
        let layout = Layout {
            gpus,
            precision,
            attention_ranks: None,
            step_time: Some(unknown(as_of, engine.kv_tokens)),
        };
        let model = find(Some(&scenario.models), models(), "model", &deployment.model)?;
        if let Some(fault) = layout_faults(&layout, deployment, hardware, model).first() {
            let help = fault.help.as_deref().unwrap_or_default();
            return Err(usage(format!("{}: {help}", fault.message)));
        }
        let (workload, accelerator) = (workload.clone(), accelerator.clone());
        Ok(Self { include, workload, accelerator, gpus, precision })
    }
}

/// A step time before the fit: only what it needs to be checked with a layout.
fn unknown(as_of: FleetTime, kv_tokens: Option<u64>) -> MeasuredStepTime {
    let nothing = Seconds(0.0);
    MeasuredStepTime {
        base: Seconds(1e-3),
        floor: nothing,
        per_token: nothing,
        per_sequence: nothing,
        per_context_token: nothing,
        kv_tokens,
        as_of,
        source: String::new(),
    }
}

/// The base as a file in the folder of `out` names it.
fn included(base: &Path, out: &Path) -> Result<String, Failure> {
    let name = base.to_string_lossy().into_owned();
    if shipped_names().any(|known| known == name) || !base.is_file() {
        return Ok(name);
    }
    if !name.ends_with(".ron") {
        return Err(usage(format!(
            "--scenario {name}: a file that is included must end in `.ron`"
        )));
    }
    let failed = |cause: std::io::Error| usage(format!("{name}: {cause}: name another --scenario"));
    let whole = base.canonicalize().map_err(failed)?;
    if out.canonicalize().is_ok_and(|out| out == whole) {
        return Err(usage(format!("--out {name} is the scenario itself: name another file")));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize();
    let beside = folder.ok().and_then(|folder| Some(whole.strip_prefix(folder).ok()?.to_owned()));
    Ok(beside.unwrap_or(whole).to_string_lossy().into_owned())
}

/// A precision as a scenario names it.
fn word(precision: Precision) -> String {
    format!("{precision:?}").to_lowercase()
}

/// A text as RON has it.
fn quoted(text: &str) -> String {
    format!("{text:?}")
}
