//! The file that is written: a scenario that has the step time, or the step time alone.

use std::path::{Path, PathBuf};

use super::args::{CalibrateArguments, VariantArguments};
use super::recorded::{Recorded, Target};
use super::{Calibration, table, usage};
use crate::cli::simulate::deployment::find;
use crate::cli::{Failure, say_error};
use crate::engine::Layout;
use crate::hardware::{MeasuredStepTime, Precision, accelerators, models};
use crate::report::write_folder;
use crate::scenario::{DEFAULT, ScenarioText, layout_faults, shipped_names};
use crate::study::{EngineLimits, Watch, characterise};
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
    /// Where the log is plainly of something else: both sides.
    differs: Option<String>,
}

impl Written {
    /// What the options ask for; `None` without `--out`.
    pub(super) fn of(
        arguments: &CalibrateArguments,
        recorded: &Recorded,
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
            .map(|names| Variant::of(&arguments.variant, names, &out, (recorded, as_of, engine)))
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

    /// Where the log is plainly not of what the scenario has it for: both sides.
    pub(super) fn differs(&self) -> Option<&str> {
        self.variant.as_ref()?.differs.as_deref()
    }

    /// Whether the written scenario is sound, and whether what it lays out serves anything at all
    /// within its promises.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let Some(variant) = &self.variant else { return Ok(()) };
        let mut scenario = ScenarioText::open(&self.out)?.scenario()?;
        let (workload, accelerator) = (&variant.workload, &variant.accelerator);
        // Only the written layout is measured: what is wrong with others is no matter of the log.
        scenario.workloads.retain(|name, _| name == workload);
        scenario.deployments.retain(|name, _| name == workload);
        for deployment in scenario.deployments.values_mut() {
            deployment.layouts.retain(|name, _| name == accelerator);
        }
        let table = characterise(&scenario, None, Watch::nobody()).ok_or(Failure::Interrupted)?;
        table.check_of(&scenario, workload, accelerator).map_err(Failure::Unplannable)?;
        for sentence in table.unserved() {
            say_error(&format!("warning: {sentence}"));
        }
        Ok(())
    }

    fn text(&self, found: &Calibration) -> String {
        let mut text = String::from(
            "// Written by `sparkgap calibrate`: a step time as it was measured.\n//\n",
        );
        let log = quoted(&found.source);
        let mut say = |line: &str| text += &(format!("// {line}").trim_end().to_owned() + "\n");
        say(&format!("Log: {log}, {} requests{}.", found.requests, found.recorded.words()));
        table::warnings(found).iter().for_each(|line| say(line));
        table::figures(found).iter().for_each(|line| say(line));
        say("");
        let Some(variant) = &self.variant else {
            say("It belongs into a layout of a scenario, as `step_time`:");
            say("    sparkgap check SCENARIO \\");
            say("        --set \"deployments.WORKLOAD.layouts.ACCELERATOR.step_time=$(cat FILE)\"");
            say("With --workload and --accelerator calibrate writes a scenario that has it.");
            return text + &self.step_time(found, "") + "\n";
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
            format!("    step_time: {},", self.step_time(found, "            ")),
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

    /// What was measured, for those who read the scenario later.
    fn source(&self, found: &Calibration) -> String {
        let of = found.recorded.words();
        let plain = format!("sparkgap calibrate {}, {} requests{of}", found.source, found.requests);
        match self.differs() {
            Some(differs) => format!("{plain}: NOT MEASURED HERE, {differs}"),
            None => plain,
        }
    }

    /// The value of `step_time`, its later lines indented.
    fn step_time(&self, found: &Calibration, indent: &str) -> String {
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
        line("source", &quoted(&self.source(found)));
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
        (recorded, as_of, engine): (&Recorded, FleetTime, EngineLimits),
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
        let gpus = gpus(asked.gpus, recorded.gpus)?;
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
        let differs = recorded.against(&Target {
            name: accelerator,
            accelerator: hardware,
            model_name: &deployment.model,
            model,
            precision,
            gpus,
        });
        let (workload, accelerator) = (workload.clone(), accelerator.clone());
        Ok(Self { include, workload, accelerator, gpus, precision, differs })
    }
}

/// GPUs of the replica: those asked for, which the GPUs of the log must divide, or those.
fn gpus(asked: Option<u32>, recorded: Option<u32>) -> Result<u32, Failure> {
    if let (Some(asked), Some(recorded)) = (asked, recorded.filter(|gpus| *gpus > 0))
        && !asked.is_multiple_of(recorded)
    {
        return Err(usage(format!(
            "--gpus {asked}: the log is of a replica of {recorded} GPUs (`engine_kwargs` of the \
             meta file: tensor_parallel_size times pipeline_parallel_size): give {recorded} or a \
             multiple of it, or leave --gpus out"
        )));
    }
    asked.or(recorded).ok_or_else(|| {
        usage(
            "how many GPUs the replica has is not known: give --gpus N, or --meta FILE with \
             `engine_kwargs.tensor_parallel_size`",
        )
    })
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
