//! Sizes made visible: the finding in sentences, a table, JSON and CSV.

mod fields;
mod table;

pub use fields::{size_csv, size_json};
pub use table::size_table;

use crate::hardware::Provenance;
use crate::report::rounding::{Scale, given};
use crate::report::stack::StackSource;
use crate::study::{
    PublishedRatio, Refusal, SizeCost, SizeQuestion, SizedAccelerator, SizedDeployment, Sizing,
    Verification, size_cost,
};
use crate::time::FleetTime;

/// Everything that is told about the sizes of a load.
#[derive(Debug, Clone)]
pub struct SizeReport<'a> {
    /// What was asked.
    pub question: &'a SizeQuestion<'a>,
    /// What was found, in the order of the question's accelerators.
    pub sizings: &'a [Sizing],
    /// Where sizes were verified, what that showed, in the same order.
    pub checks: &'a [Option<Verification>],
    /// Computed over published throughput of the model, in the same order.
    pub published: &'a [Option<PublishedRatio>],
    /// Whose serving stack is on top of the engine's first tokens.
    pub stack: StackSource,
    /// Date of the software.
    pub software: FleetTime,
    /// Seconds from begin to end: they differ from run to run.
    pub seconds: f64,
}

/// An accelerator that can serve the load.
struct Row<'a> {
    on: &'a SizedAccelerator<'a>,
    sized: &'a SizedDeployment,
    cost: SizeCost,
    check: Option<&'a Verification>,
    published: Option<PublishedRatio>,
}

/// Median of computed over published throughput from which on a size is warned about: beyond what
/// the fit and the choice of published configurations explain.
const OVERSTATED: f64 = 1.5;

impl Row<'_> {
    /// How far its figures are backed. A measured step time is that of an engine that prefills and
    /// decodes: of one that does only one of them it is a statement.
    fn provenance(&self) -> Provenance {
        match (self.on.measured, &self.sized.prefill_layout) {
            (Some(_), Some(_)) => Provenance::Stated,
            _ => self.on.provenance(),
        }
    }
}

impl SizeReport<'_> {
    /// Those that can serve it, the cheapest first; of equal ones, in the order of the question.
    fn rows(&self) -> Vec<Row<'_>> {
        let means = self.question.class.calls.means();
        let found = self.sizings.iter().zip(self.checks).zip(self.published);
        let parts = self.question.accelerators.iter().zip(found);
        let row = |(on, ((sizing, check), published))| {
            let (on, sizing): (&SizedAccelerator<'_>, &Sizing) = (on, sizing);
            let sized = sizing.as_ref().ok()?;
            let cost = size_cost(on.accelerator, sized, &means, self.question.rate);
            let check: &Option<Verification> = check;
            let published: &Option<PublishedRatio> = published;
            Some(Row { on, sized, cost, check: check.as_ref(), published: *published })
        };
        let mut rows: Vec<Row<'_>> = parts.filter_map(row).collect();
        rows.sort_by(|a, b| a.cost.dollars_per_hour.total_cmp(&b.cost.dollars_per_hour));
        rows
    }

    /// Those that cannot, and why.
    fn refused(&self) -> Vec<(&SizedAccelerator<'_>, String)> {
        let parts = self.question.accelerators.iter().zip(self.sizings);
        let limits = &self.question.class.limits;
        parts
            .filter_map(|(on, sizing)| {
                let reason = why(sizing.as_ref().err()?, limits.ttft_p99.0, limits.tpot_p99.0);
                Some((on, reason))
            })
            .collect()
    }

    /// Whether any accelerator can serve the load.
    #[must_use]
    pub fn served(&self) -> bool {
        self.sizings.iter().any(Result::is_ok)
    }

    /// Sizes that published throughputs speak against, one sentence each, in the order of the
    /// rows.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of = |row: &Row<'_>| {
            let ratio = row.published.filter(|ratio| ratio.median > OVERSTATED)?;
            let what = match ratio.points {
                1 => "the one published throughput".to_owned(),
                points => format!(
                    "the median of {points} published throughputs ({} to {} times)",
                    short(ratio.low),
                    short(ratio.high)
                ),
            };
            let times = short(ratio.median);
            Some(format!(
                "Warning: for {} on {} the program computes {times} times {what}: this load may \
                 need {times} times the GPUs.",
                self.question.llm.label, row.on.name
            ))
        };
        self.rows().iter().filter_map(of).collect()
    }

    /// Names of the accelerators whose size did not hold when it was verified.
    #[must_use]
    pub fn not_verified(&self) -> Vec<&str> {
        let failed = |row: &Row<'_>| row.check.is_some_and(|check| !check.verified());
        let named = self.rows();
        let names = named.iter().filter(|row| failed(row)).map(|row| row.on.name);
        let names: Vec<&str> = names.collect();
        self.question
            .accelerators
            .iter()
            .map(|on| on.name)
            .filter(|name| names.contains(name))
            .collect()
    }

    /// The finding: which accelerator is cheapest and which needs the fewest GPUs.
    #[must_use]
    pub fn finding(&self) -> String {
        let rows = self.rows();
        let load = format!(
            "{} requests/s ({} output tokens/s)",
            given(self.question.rate),
            given(self.question.rate * self.question.class.calls.means().output)
        );
        let Some(first) = rows.first() else {
            return format!("No accelerator can serve {load} within the SLO.");
        };
        let say = |row: &Row<'_>| {
            let gpus = match row.sized.gpus {
                1 => "1 GPU".to_owned(),
                gpus => format!("{gpus} GPUs"),
            };
            let label = &row.on.accelerator.label;
            format!(
                "{gpus} of {label}, {} USD per million output tokens ({})",
                short(row.cost.dollars_per_million_output),
                row.provenance().word()
            )
        };
        let mut text = format!("{load} within the SLO is cheapest on {}.", say(first));
        let fewest = rows.iter().min_by_key(|row| row.sized.gpus);
        if let Some(row) = fewest.filter(|row| row.sized.gpus < first.sized.gpus) {
            text += &format!(" The fewest GPUs: {}.", say(row));
        }
        let measured = |row: &Row<'_>| row.provenance() >= Provenance::Fitted;
        let backed = rows.iter().find(|row| measured(row));
        if let Some(row) = backed.filter(|_| !measured(first)) {
            text += &format!(" The cheapest that rests on measurements: {}.", say(row));
        }
        text
    }
}

/// A refusal in words.
fn why(refusal: &Refusal, ttft: f64, tpot: f64) -> String {
    let gigabytes = |bytes: f64| short(bytes * 1e-9);
    match *refusal {
        Refusal::Weights { needed, gpus, memory } => format!(
            "the weights do not fit: {} GB; of the {} GB of a replica of at most {gpus} GPUs nine \
             tenths are for weights and contexts (--precision with fewer bits?)",
            gigabytes(needed),
            gigabytes(memory)
        ),
        Refusal::Context { tokens } => format!(
            "no layout has memory for the contexts of these calls (prompts of {} tokens at the \
             99th percentile) beside the weights",
            short(tokens)
        ),
        Refusal::Ttft { lone, of_stack } => {
            let engine = lone.0 - of_stack.0;
            let stack = match of_stack.0 > 0.0 {
                true if engine <= ttft => format!(
                    ", of which {} are the serving stack's (--stack): without it {}",
                    time(of_stack.0),
                    time(engine)
                ),
                true => format!(", {} of them the serving stack's", time(of_stack.0)),
                false => String::new(),
            };
            let (lone, promised) = (time(lone.0), asked(ttft));
            format!("a lone call already breaks the SLO: TTFT {lone} > {promised}{stack}")
        }
        Refusal::Tpot { lone } => {
            format!("a lone call already breaks the SLO: TPOT {} > {}", time(lone.0), asked(tpot))
        }
        Refusal::Either { ttft: first, tpot: each } => format!(
            "a lone call keeps TTFT on some layouts and TPOT on others, but both on none: the \
             nearest has TTFT {} for {} and TPOT {} for {}",
            time(first.0),
            asked(ttft),
            time(each.0),
            asked(tpot)
        ),
        Refusal::NoLoad => "a lone call keeps the SLO, but with other calls beside it no number \
                            of replicas that was tried does"
            .to_owned(),
    }
}

/// Three digits, without zeros at the end.
fn short(value: f64) -> String {
    let text = Scale::ONE.value(value);
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A time in the unit that people would use.
fn time(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{} ms", short(s * 1e3)),
        s => format!("{} s", short(s)),
    }
}

/// The same of one that was asked for: as it was given.
fn asked(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => format!("{} ms", given(s * 1e3)),
        s => format!("{} s", given(s)),
    }
}
