//! Sizes made visible: the finding in sentences, a table, JSON and CSV.

mod fields;
mod table;

pub use fields::{size_csv, size_json};
pub use table::size_table;

use crate::hardware::Provenance;
use crate::report::rounding::{Scale, given};
use crate::report::stack::StackSource;
use crate::study::{
    LaterPromise, PublishedRatio, Refusal, SizeCost, SizeQuestion, SizedAccelerator,
    SizedDeployment, Sizing, Verdict, Verification, size_cost,
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
    /// Names of accelerators that were asked for one by one: whether they are delivered or not.
    pub named: &'a [String],
    /// Of the accelerator of [`SizeReport::cheapest`], its sizes at later promises for TTFT.
    pub later: &'a [LaterPromise],
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
    /// Not yet delivered at the date of the software.
    undelivered: bool,
    /// Whether the finding may name it: delivered, asked for by name, or none is.
    offered: bool,
}

impl Row<'_> {
    /// Its size and what a token costs.
    fn words(&self) -> String {
        format!(
            "{} of {}, {} USD per million output tokens ({})",
            counted(self.sized.gpus, "GPU"),
            self.on.accelerator.label,
            short(self.cost.dollars_per_million_output),
            self.provenance().word()
        )
    }

    /// GPUs that the sample and the error of the step times leave possible; 1 at least.
    fn between(&self) -> (f64, f64) {
        let factor = self.on.fit_error_factor().unwrap_or(1.0);
        let (low, high) = self.sized.sampled;
        ((low as f64 / factor).max(1.0), high as f64 * factor)
    }
}

/// What a verification says, in words.
fn verified(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "verified",
        Verdict::Open => "within noise",
        Verdict::Breaks => "not verified",
    }
}

/// The same of one replica fewer.
fn kept(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Open => "within noise",
        Verdict::Breaks => "breaks",
    }
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
            let undelivered = on.accelerator.available > self.software;
            let offered = !undelivered || self.named.iter().any(|name| name == on.name);
            let (check, published) = (check.as_ref(), *published);
            Some(Row { on, sized, cost, check, published, undelivered, offered })
        };
        let mut rows: Vec<Row<'_>> = parts.filter_map(row).collect();
        let none = !rows.iter().any(|row| row.offered);
        rows.iter_mut().for_each(|row| row.offered |= none);
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
        let failed =
            |row: &Row<'_>| row.check.is_some_and(|check| check.verdict == Verdict::Breaks);
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

    /// Place in the question of the accelerator on which the load is cheapest; none where no
    /// accelerator can serve it.
    #[must_use]
    pub fn cheapest(&self) -> Option<usize> {
        let rows = self.rows();
        let name = rows.iter().find(|row| row.offered)?.on.name;
        self.question.accelerators.iter().position(|on| on.name == name)
    }

    /// The finding: which accelerator is cheapest, by the GPU and by whole units, which needs the
    /// fewest GPUs, and which of them are left out as nobody has them yet.
    #[must_use]
    pub fn finding(&self) -> String {
        let rows = self.rows();
        let load = format!(
            "{} requests/s ({} output tokens/s)",
            given(self.question.rate),
            given(self.question.rate * self.question.class.calls.means().output)
        );
        let offers: Vec<&Row<'_>> = rows.iter().filter(|row| row.offered).collect();
        let Some(first) = offers.first() else {
            return format!("No accelerator can serve {load} within the SLO.");
        };
        let mut text = format!("{load} within the SLO is cheapest on {}.", first.words());
        let in_units = |row: &Row<'_>| row.cost.dollars_per_hour_of_units;
        let whole = offers.iter().min_by(|a, b| in_units(a).total_cmp(&in_units(b)));
        if let Some(row) = whole.filter(|row| in_units(row) < in_units(first)) {
            text += &format!(
                " Where whole units are rented for this load alone it is {} of {} at {} USD per \
                 hour; on {} they cost {}.",
                counted(row.cost.units, "unit"),
                row.on.accelerator.label,
                short(in_units(row)),
                first.on.accelerator.label,
                short(in_units(first))
            );
        }
        let fewest = offers.iter().min_by_key(|row| row.sized.gpus);
        if let Some(row) = fewest.filter(|row| row.sized.gpus < first.sized.gpus) {
            text += &format!(" The fewest GPUs: {}.", row.words());
        }
        let measured = |row: &Row<'_>| row.provenance() >= Provenance::Fitted;
        let backed = offers.iter().find(|row| measured(row));
        if let Some(row) = backed.filter(|_| !measured(first)) {
            text += &format!(" The cheapest that rests on measurements: {}.", row.words());
        }
        let left: Vec<&str> =
            rows.iter().filter(|row| !row.offered).map(|row| row.on.name).collect();
        if !left.is_empty() {
            text += &format!(" Left out as not yet delivered: {}.", left.join(", "));
        } else if first.undelivered {
            text += " It is not yet delivered at that date.";
        }
        text
    }

    /// What the promise for TTFT costs, in a sentence, where a later one takes more than a quarter
    /// of the GPUs away.
    #[must_use]
    pub fn price_of_promise(&self) -> Option<String> {
        let on = &self.question.accelerators[self.cheapest()?];
        let now = self.rows().iter().find(|row| row.on.name == on.name)?.sized.gpus;
        let found = self.later.iter().filter_map(|later| Some((later.ttft.0, later.gpus?)));
        let found: Vec<(f64, u64)> = found.collect();
        let least = found.iter().map(|(_, gpus)| *gpus).min()?;
        let sizes: Vec<String> =
            found.iter().map(|(ttft, gpus)| format!("{gpus} at {}", asked(*ttft))).collect();
        (4 * least < 3 * now).then(|| {
            format!(
                "What the SLO costs on {}: {} at a TTFT of {}; {}.",
                on.accelerator.label,
                counted(now, "GPU"),
                asked(self.question.class.limits.ttft_p99.0),
                sizes.join(", ")
            )
        })
    }
}

/// So many of something.
fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
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
