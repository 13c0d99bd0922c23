//! Published throughputs against predictions: the table by group, the rows that are missed most and
//! why, and what must not grow past a page.

use std::fmt::Write;

use crate::study::{PublishedOutcome, Spread};

/// Rows missed by more than this factor, up or down, are called weak.
const WEAK: f64 = 1.5;
/// By how much a factor may exceed what the page states: rounding of the page.
const TOLERANCE: f64 = 0.01;
/// The groups that may not grow, by median and 90th percentile; generations may not by their mean.
const WHOLE: [&str; 2] = ["all rows", "rows of known lengths"];
const GENERATIONS: [(&str, &[&str]); 4] = [
    ("hopper", &["h100", "h200"]),
    ("blackwell", &["b200", "b300", "gb200", "gb300"]),
    ("rubin", &["vera_rubin"]),
    ("cdna", &["mi355x"]),
];
/// What begins the table on a page.
const HEAD: &str = "| published | rows | median | P90 | mean |";

/// Ratios of predicted to published throughput of a group of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedFactors {
    /// All rows, those of known lengths, a generation, or an accelerator.
    pub group: String,
    /// Rows with a prediction.
    pub rows: usize,
    /// Median of the factor by which rows are missed, up or down: 1 or more.
    pub median: f64,
    /// Its 90th percentile.
    pub p90: f64,
    /// Geometric mean of predicted over published.
    pub mean: f64,
}

impl PublishedFactors {
    fn of(group: &str, outcomes: &[&PublishedOutcome]) -> Option<Self> {
        let logs: Vec<f64> = outcomes.iter().filter_map(|o| o.ratio()).map(libm::log).collect();
        if logs.is_empty() {
            return None;
        }
        let spread = Spread::of(&logs);
        let mean = libm::exp(logs.iter().sum::<f64>() / logs.len() as f64);
        let (median, p90) = (1.0 + spread.median, 1.0 + spread.p90);
        Some(Self { group: group.to_owned(), rows: logs.len(), median, p90, mean })
    }
}

/// Ratios of all rows, of those of known lengths, and by generation and accelerator.
pub(super) fn factors(outcomes: &[PublishedOutcome]) -> Vec<PublishedFactors> {
    let of = |name: &str, keep: &dyn Fn(&PublishedOutcome) -> bool| {
        let kept: Vec<&PublishedOutcome> = outcomes.iter().filter(|o| keep(o)).collect();
        PublishedFactors::of(name, &kept)
    };
    let mut found =
        vec![of(WHOLE[0], &|_| true), of(WHOLE[1], &|outcome| outcome.published.lengths_known())];
    for (name, members) in GENERATIONS {
        found.push(of(name, &|outcome| members.contains(&&*outcome.published.accelerator)));
    }
    let mut names: Vec<&str> = outcomes.iter().map(|o| &*o.published.accelerator).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        found.push(of(name, &|outcome| outcome.published.accelerator == name));
    }
    found.into_iter().flatten().collect()
}

/// The table for a terminal.
pub(super) fn table(outcomes: &[PublishedOutcome]) -> String {
    let mut text = format!(
        "\nPublished throughputs, best whole deployment for their calls in flight or limits:\n\
         {:<22} {:>5} {:>8} {:>8} {:>8}\n",
        "factor", "rows", "median", "P90", "mean"
    );
    for PublishedFactors { group, rows, median, p90, mean } in factors(outcomes) {
        let _ = writeln!(text, "{group:<22} {rows:>5} {median:>8.2} {p90:>8.2} {mean:>8.2}");
    }
    text
}

const INTRODUCTION: &str = "
## Published throughputs of whole systems

`configs/published_throughput.csv` (MLPerf Inference v5.1 to v6.1, InferenceX), output tokens per
second and GPU, with the software of its date. Predicted is the best deployment of whole replicas
that the published number of GPUs makes (idle ones count): with known calls in flight by the engine
in a closed loop, as the recorded runs; offline by the engine at saturation; server and interactive
by the engine at the highest Poisson load at which the 99th percentiles hold. Times to first token
have what clients of TensorRT-LLM wait beyond the engine: few publications name their stack. GPUs of
six rows of InferenceX (named in the file) are not published but follow from calls in flight, speed
and rate. Rows without GPUs and calls in flight take the closed form within their time per token,
if they have one. model.md, section 5, has the rules.

Median and 90th percentile of the factor by which rows are missed up or down; mean factor, predicted
over published. `.ci/run` fails when the median or the 90th percentile of the first two lines, or
the mean of a generation, moves further from 1, and when a row loses its prediction.

";

/// The section of the page.
pub(super) fn markdown(outcomes: &[PublishedOutcome]) -> String {
    let mut text = INTRODUCTION.to_owned();
    let _ = writeln!(text, "{HEAD}\n|---|--:|--:|--:|--:|");
    for PublishedFactors { group, rows, median, p90, mean } in factors(outcomes) {
        let _ = writeln!(text, "| {group} | {rows} | {median:.2} | {p90:.2} | {mean:.2} |");
    }
    let mut weak: Vec<(f64, &PublishedOutcome)> = outcomes
        .iter()
        .filter_map(|outcome| Some((libm::log(outcome.ratio()?).abs(), outcome)))
        .filter(|(error, _)| *error > libm::log(WEAK))
        .collect();
    weak.sort_by(|a, b| b.0.total_cmp(&a.0));
    let _ = writeln!(
        text,
        "\n### Weak rows\n\nMissed by more than a factor of {WEAK}, the worst first. \
         `2x4/4+8x8/8`: 2 prefill replicas of 4 GPUs in 4 attention ranks, and 8 of 8 in 8 that \
         decode.\n"
    );
    for (_, outcome) in weak {
        let row = outcome.published;
        let _ = writeln!(
            text,
            "- {}: {} on {}, {}, {}: {:.2} times the published {:.0} ({}). {}",
            row.id,
            row.model,
            row.accelerator,
            row.mode,
            row.source,
            outcome.ratio().unwrap_or(f64::NAN),
            row.measured,
            outcome.deployment,
            reason(outcome)
        );
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.predicted.is_none()) {
        let row = outcome.published;
        let _ = writeln!(
            text,
            "- {}: {} on {}, {}, {}: no prediction. {}",
            row.id,
            row.model,
            row.accelerator,
            row.mode,
            row.source,
            if outcome.fits {
                "No deployment keeps its limits"
            } else {
                "Its weights fit into no layout of one node; replicas over two nodes are not \
                 searched"
            }
        );
    }
    text + LEFT_OUT + &larger_memory(outcomes).unwrap_or_default()
}

/// What is known of why a row is missed.
fn reason(outcome: &PublishedOutcome) -> &'static str {
    let row = outcome.published;
    let above = outcome.ratio().is_some_and(|ratio| ratio > 1.0);
    match (&*row.model, &*row.accelerator, &*row.mode) {
        _ if !row.lengths_known() => "Lengths unknown (below)",
        ("deepseek_r1", _, "server" | "offline") if row.source.ends_with("v5.1") && above => {
            "The first round with this model: MLPerf itself gained 1.5 to 1.8 times offline and \
             1.9 to 2.8 times under limits to v6.0. Recorded runs since 2025-10 gained 1.1 times \
             (1.3 within one engine, speculation included), and the software curve 1.1"
        }
        ("deepseek_r1", _, "server") if above => {
            "It loses more between offline and server than queues explain: another of the same \
             round on the same hardware (C9, C10) loses less than half of that"
        }
        ("deepseek_r1", _, "interactive") => {
            "Expert parallelism over 64 GPUs: the wait for the slowest rank is likely too long"
        }
        (_, "mi355x", _) => "Not fitted: inherits Blackwell's shares and overheads",
        ("deepseek_r1", _, "peak") if row.gpus_unknown() => {
            "Neither its GPUs nor its calls in flight are published: taken as the best at its \
             speed, or at any where that is not published either"
        }
        ("llama_405b", _, "server") => {
            "Prompts of 9,400 tokens on many GPUs: likely the fitted share of the links, held down \
             by small messages of decode steps, which makes their all-reduces too slow"
        }
        ("deepseek_v4_pro", ..) => {
            "vLLM a month after the model: another stack gained 5 times in two months there; \
             its context memory and layers are assumptions"
        }
        ("glm_5", ..) => "A first image for Hopper: time to first token of 42 s at this load",
        _ => "Not explained",
    }
}

const LEFT_OUT: &str = "
Lengths unknown: gpt-oss in MLPerf has a performance set of its own (6,396 samples), whose lengths
are in none of the sources; 700 and 1,200 tokens are assumed. One B200 makes 14,006 tokens/s at
1k/1k and 6,846 at 8k/1k with 256 calls in flight (C105, C101), so that prompts of some thousand
tokens would explain most of what is missed on Blackwell. Beyond 256 calls a GPU nothing is measured
for this model, and the best on paper has 1,024.

What the model leaves out here: the drain at the end of a run of ten minutes with outputs of up to
20,000 tokens, dispatchers of a whole rack, how a submitter tuned, and layouts that a stack could
not run.
";

/// How far memory shows: GB300 over GB200 on the largest model, under the same calls in flight.
fn larger_memory(outcomes: &[PublishedOutcome]) -> Option<String> {
    let of = |id: &str| outcomes.iter().find(|outcome| outcome.published.id == id);
    let (small, large) = (of("C123")?, of("C129")?);
    let published = large.published.measured / small.published.measured;
    Some(format!(
        "\nMemory: at about 27 tokens/s/user the 1.6T model had 13 calls in flight a GPU on GB200 \
         and 51 on GB300\n(C123, C129), and {published:.1} times the throughput a GPU; with these \
         calls {:.1} times is predicted.\n`frontier` gives GB200 its own best layout at that \
         speed, over more GPUs than those runs had, and says less.\n",
        large.predicted? / small.predicted?
    ))
}

/// What a page states of its groups; none where it has no such table.
#[must_use]
pub fn stated_factors(page: &str) -> Vec<PublishedFactors> {
    let table = page.lines().skip_while(|line| *line != HEAD).skip(2);
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some(PublishedFactors {
            group: cells.next()?.to_owned(),
            rows: cells.next()?.parse().ok()?,
            median: cells.next()?.parse().ok()?,
            p90: cells.next()?.parse().ok()?,
            mean: cells.next()?.parse().ok()?,
        })
    };
    table.map_while(row).collect()
}

/// What has grown past what a page states, a line each. A page that states nothing of a group that
/// is held is outgrown too, and so is one with rows that have no prediction any more: the hardest
/// rows would leave the table first.
#[must_use]
pub fn grown_factors(now: &[PublishedFactors], stated: &[PublishedFactors]) -> Vec<String> {
    let mut grown = lost(now, stated);
    let mut hold = |group: &str, which: &str, now: f64, stated: Option<f64>| {
        let off = |value: f64| libm::log(value).abs();
        let kept = stated.is_some_and(|stated| off(now) <= off(stated) + TOLERANCE);
        if !kept {
            let said = stated.map_or("nothing".to_owned(), |stated| format!("{stated:.2}"));
            grown.push(format!("published throughputs, {group}: {which} {now:.2}, stated {said}"));
        }
    };
    for factors in now {
        let group = &*factors.group;
        let said = stated.iter().find(|stated| stated.group == group);
        if WHOLE.contains(&group) {
            hold(group, "median factor", factors.median, said.map(|said| said.median));
            hold(group, "P90 factor", factors.p90, said.map(|said| said.p90));
        } else if GENERATIONS.iter().any(|(name, _)| *name == group) {
            hold(group, "mean factor", factors.mean, said.map(|said| said.mean));
        }
    }
    grown
}

/// Groups with fewer rows than a page states.
fn lost(now: &[PublishedFactors], stated: &[PublishedFactors]) -> Vec<String> {
    let rows = |said: &PublishedFactors| {
        now.iter().find(|factors| factors.group == said.group).map_or(0, |factors| factors.rows)
    };
    let fewer = stated.iter().filter(|said| rows(said) < said.rows);
    let line = |said: &PublishedFactors| {
        let (group, now, rows) = (&said.group, rows(said), said.rows);
        format!("published throughputs, {group}: {now} rows are predicted, stated {rows}")
    };
    fewer.map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "text\n| published | rows | median | P90 | mean |\n|---|--:|--:|--:|--:|\n\
                        | all rows | 123 | 1.20 | 2.00 | 1.10 |\n\
                        | hopper | 20 | 1.30 | 2.50 | 0.80 |\n\
                        | b200 | 26 | 1.17 | 1.49 | 0.97 |\n\n| other | 1 | 1 | 1 | 1 |\n";

    fn factors(group: &str, median: f64, p90: f64, mean: f64) -> PublishedFactors {
        PublishedFactors { group: group.to_owned(), rows: 1, median, p90, mean }
    }

    #[test]
    fn a_page_states_its_factors() {
        let stated = stated_factors(PAGE);
        assert_eq!(stated.len(), 3);
        assert_eq!(stated[0], PublishedFactors { rows: 123, ..factors("all rows", 1.2, 2.0, 1.1) });
        assert_eq!(stated[2].group, "b200");
        assert!(stated_factors("no table").is_empty());
    }

    #[test]
    fn medians_percentiles_and_means_of_generations_are_held() {
        let stated = stated_factors(PAGE);
        let lines = |now: &[PublishedFactors]| {
            let grown = grown_factors(now, &stated);
            grown.iter().filter(|line| !line.contains(" rows are predicted")).count()
        };
        // The mean of all rows and everything of one accelerator are free.
        let kept = [
            factors("all rows", 1.204, 2.01, 1.5),
            factors("hopper", 9.0, 9.0, 0.81),
            factors("b200", 9.0, 9.0, 9.0),
        ];
        assert_eq!(lines(&kept), 0);
        assert_eq!(lines(&[factors("all rows", 1.25, 2.0, 1.0)]), 1);
        assert_eq!(lines(&[factors("all rows", 1.25, 2.2, 1.0)]), 2);
        // Further below 1 than stated, and as far above it.
        assert_eq!(lines(&[factors("hopper", 1.0, 1.0, 0.7)]), 1);
        assert_eq!(lines(&[factors("hopper", 1.0, 1.0, 1.3)]), 1);
        assert_eq!(lines(&[factors("hopper", 1.0, 1.0, 1.25)]), 0);
        // A page that says nothing of a held group.
        assert_eq!(lines(&[factors("rubin", 1.0, 1.0, 1.0)]), 1);
        let told = grown_factors(&[factors("all rows", 1.25, 2.0, 1.0)], &stated);
        assert!(told.contains(
            &"published throughputs, all rows: median factor 1.25, stated 1.20".to_owned()
        ));
    }

    #[test]
    fn rows_that_lose_their_prediction_are_missed() {
        let stated = stated_factors(PAGE);
        assert!(grown_factors(&stated, &stated).is_empty());
        let mut now = stated.clone();
        now[0].rows -= 1;
        let told = ["published throughputs, all rows: 122 rows are predicted, stated 123"];
        assert_eq!(grown_factors(&now, &stated), told);
        // A generation of which nothing is left.
        now = vec![stated[0].clone(), stated[2].clone()];
        let told = ["published throughputs, hopper: 0 rows are predicted, stated 20"];
        assert_eq!(grown_factors(&now, &stated), told);
    }
}
