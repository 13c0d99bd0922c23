//! From a scenario to one world: every uncertain input drawn from its own named stream, every
//! name turned into an index, every curve laid out by epoch.

mod calendar;
mod contracts;
mod deliveries;
mod merit;
mod rates;
mod releases;
mod supply;
mod volumes;

pub use rates::ServingInputs;
pub use volumes::CallFacts;

use super::world::World;
use crate::demand::Growth;
use crate::rng::StreamKey;
use crate::scenario::Scenario;
use crate::units::{Quantity, Uncertain, normal_score, uniform_of_score};

use calendar::Calendar;
use rates::Rates;
use releases::Releases;
use supply::Supply;
use volumes::Volumes;

/// How a serving curve is asked: calls per second of one GPU, 0 where it cannot serve.
pub type ServingRate<'a> = dyn Fn(&ServingInputs<'_>) -> f64 + Sync + 'a;

/// The uniform numbers behind a world: drawn by name, or all 1/2 for the central case.
#[derive(Debug, Clone, Copy)]
pub struct Draw<'a> {
    key: Option<StreamKey>,
    /// Uniform numbers of the shared draws that are correlated.
    correlated: &'a [(&'a str, f64)],
}

impl Draw<'_> {
    /// The draws of one world.
    #[must_use]
    pub fn of_world(seed: u64, world: u64) -> Self {
        Self { key: Some(StreamKey::world(seed, world)), correlated: &[] }
    }

    /// Every uncertain input at its median.
    #[must_use]
    pub fn central() -> Self {
        Self { key: None, correlated: &[] }
    }

    /// The uniform number of a named input.
    #[must_use]
    pub fn uniform(self, name: &str) -> f64 {
        self.key.map_or(0.5, |key| key.uniform(name))
    }

    /// The uniform number of an input that may share its draw.
    fn named(self, name: &str, shared: Option<&str>) -> f64 {
        let Some(shared) = shared else { return self.uniform(name) };
        let correlated = self.correlated.iter().find(|entry| entry.0 == shared);
        correlated.map_or_else(|| self.uniform(&format!("shared/{shared}")), |entry| entry.1)
    }

    /// The shared draws that the scenario correlates: their own uniform numbers, mixed as normal
    /// scores. The central case has none.
    fn correlations(self, scenario: &Scenario) -> Vec<(&str, f64)> {
        let factors = self.key.and_then(|_| scenario.correlated_draws());
        let Some((names, factor)) = factors else { return Vec::new() };
        let score = |name: &&str| normal_score(self.uniform(&format!("shared/{name}")));
        let scores: Vec<f64> = names.iter().map(score).collect();
        let mixed = |row: &Vec<f64>| row.iter().zip(&scores).map(|(part, z)| part * z).sum();
        let uniforms = factor.iter().map(|row| uniform_of_score(mixed(row)));
        names.into_iter().zip(uniforms).collect()
    }

    /// The drawn value of a named input.
    #[must_use]
    pub fn value<Q: Quantity>(self, name: &str, value: &Uncertain<Q>) -> Q {
        if !value.is_uncertain() {
            return value.central();
        }
        value.at(self.named(name, value.draw.as_deref()))
    }

    /// The value of a named growth law at a decimal year.
    #[must_use]
    pub fn growth<Q: Quantity>(self, name: &str, law: &Growth<Q>, year: f64) -> Q {
        law.at(year, &mut |part, shared| match shared {
            Some(_) => self.named("", shared),
            None => self.uniform(&format!("{name}/{part}")),
        })
    }
}

/// What a world says about a calendar year before anything is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct YearFacts {
    /// People who use the assistant on a day.
    pub daily_users: f64,
    /// What people send, per day.
    pub user_requests_per_day: f64,
    /// Engine calls per day, deferrable ones included.
    pub engine_calls_per_day: f64,
    /// Prompt tokens per day.
    pub tokens_in_per_day: f64,
    /// Cached prompt tokens per day.
    pub tokens_cached_per_day: f64,
    /// Output tokens per day.
    pub tokens_out_per_day: f64,
    /// Contracted GPUs delivered, all uses, mean over the year.
    pub contracted_gpus: f64,
    /// The part of them that serves the assistant.
    pub assistant_gpus: f64,
    /// Paid for contracts in hand, USD.
    pub contract_dollars: f64,
    /// Reference GPUs that one candidate GPU is worth on the year's interactive mix.
    pub reference_per_candidate: f64,
}

/// A world with what belongs to it but not to the loop.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnWorld {
    /// For the loop.
    pub world: World,
    /// By calendar year.
    pub years: Vec<YearFacts>,
    /// Price of the candidate, USD per GPU-hour.
    pub candidate_price: f64,
    /// On-demand price, USD per GPU-hour.
    pub on_demand_price: f64,
    /// Names of the supply layers: accelerators of own pools, then contracts.
    pub sources: Vec<SourceName>,
}

/// A layer of supply by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceName {
    /// Own capacity of an accelerator.
    Own(String),
    /// A contract.
    Contract(String),
}

/// Draws one world of a scenario. `rate` answers what one GPU serves.
#[must_use]
pub fn draw_world(scenario: &Scenario, draw: Draw<'_>, rate: &ServingRate<'_>) -> DrawnWorld {
    let correlated = draw.correlations(scenario);
    let draw = Draw { key: draw.key, correlated: &correlated };
    let calendar = Calendar::new(scenario);
    let releases = Releases::new(scenario, draw, &calendar);
    let volumes = Volumes::new(scenario, draw, &calendar, &releases);
    let rows = rates::span_rates(scenario, draw, &calendar, &releases, rate);
    let rates = Rates::new(scenario, &calendar, &volumes, rows);
    let supply = Supply::new(scenario, draw, &calendar, &rates);
    let (classes, deferrables) = merit::classes(scenario, &calendar);
    let (deadlines, deadline_of) = merit::deadlines(scenario, &calendar, &deferrables);
    let merit = merit::merit(scenario, &calendar, &rates, &supply, &classes);
    let curves = calendar.curves(scenario);
    let spans = calendar.spans.len();
    let mut base = Vec::with_capacity(spans * classes.len());
    let mut deferrable_base = Vec::with_capacity(spans * deferrables.len());
    for span in 0..spans {
        let calls = |class: &super::world::Class| {
            volumes.calls_per_day(span, class.region, class.workload) / 86_400.0
        };
        base.extend(classes.iter().map(calls));
        deferrable_base.extend(deferrables.iter().map(|class| {
            calls(class) * rates.candidate_cost[span * rates.workloads + class.workload]
        }));
    }
    let years = (0..calendar.years.len())
        .map(|year| year_facts(year, &calendar, &volumes, &rates, &supply))
        .collect();
    let on_demand_price =
        scenario.market.as_ref().map_or(0.0, |market| draw.value("market/price", &market.price).0);
    let world = World {
        epoch_s: calendar.epoch_s,
        epochs: calendar.epochs,
        deadlines,
        deadline_of,
        policies: merit::policies(scenario, draw, &calendar),
        regions: scenario.regions.len(),
        workloads: rates.workloads,
        base,
        curves,
        deferrables,
        deferrable_base,
        output_tokens: rates.output_tokens.clone(),
        candidate_weights: scenario.candidate.regions.values().map(|share| share.0).collect(),
        own_pools: supply.own_pools,
        borrowed_pools: supply.borrowed_pools,
        merit,
        sites: supply.sites,
        events: calendar.events(scenario, draw),
        surges: calendar.surges(scenario),
        on_demand: merit::on_demand(scenario, draw, &rates, &classes),
        reload_share: draw.value("reload", &scenario.reload).0 / calendar.epoch_s as f64,
        sources: supply.sources.len(),
        pools: supply.pools,
        changes: supply.changes,
        rates: rates.rates,
        reference_cost: rates.reference_cost,
        candidate_cost: rates.candidate_cost,
        reference_worth: rates.reference_worth,
        candidate_worth: rates.candidate_worth,
        deferrable_worth: rates.deferrable_worth,
        classes,
        spans: calendar.spans,
        years: calendar.years,
    };
    let candidate_price = draw.value("candidate/price", scenario.candidate_price()).0;
    DrawnWorld { world, years, candidate_price, on_demand_price, sources: supply.sources }
}

fn year_facts(
    year: usize,
    calendar: &Calendar,
    volumes: &Volumes,
    rates: &Rates,
    supply: &Supply,
) -> YearFacts {
    let mut facts = YearFacts {
        contracted_gpus: supply.contracted_gpus[year],
        assistant_gpus: supply.assistant_gpus[year],
        contract_dollars: supply.contract_dollars[year],
        ..YearFacts::default()
    };
    let months: Vec<usize> =
        (0..calendar.spans.len()).filter(|span| calendar.spans[*span].year == year).collect();
    let count = months.len() as f64;
    for span in months {
        facts.daily_users += volumes.daily_users[span] / count;
        facts.user_requests_per_day += volumes.user_requests[span] / count;
        for workload in 0..rates.workloads {
            let calls: f64 = (0..volumes.regions)
                .map(|region| volumes.calls_per_day(span, region, workload))
                .sum::<f64>()
                / count;
            let call = volumes.call(span, workload);
            facts.engine_calls_per_day += calls;
            facts.tokens_in_per_day += calls * call.prompt;
            facts.tokens_cached_per_day += calls * call.prompt * call.cached;
            facts.tokens_out_per_day += calls * call.output;
        }
        let worth = rates.reference_worth[span * rates.accelerators + rates.candidate];
        facts.reference_per_candidate += worth / count;
    }
    facts
}
