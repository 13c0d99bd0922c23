//! From the shortfalls of inner samples to [`Adequacy`]: means over worlds and inner years, each
//! with a standard error.
//!
//! Only worlds are independent of one another: the inner years of a world share everything that
//! is not known. Every error is therefore one over worlds, of the means of their inner years.

use super::adequacy::{Adequacy, AdequacyYear, Lolp, PeakSurvival, ScopeAdequacy, SupplyAdequacy};
use super::result::Eue;
use super::three_part::{YearEvents, three_part};
use super::world_year::WorldResult;
use crate::fleet::{CELLS, Outcome, PeakLoss, Scopes, Shortfall, Shortfalls, WEEKS, World};
use crate::scenario::Scenario;
use crate::stats::Estimate;
use crate::study::WorldRun;

/// Share of the inner years in the tail of [`ScopeAdequacy::cvar_95`].
const TAIL: f64 = 0.05;

/// Levels of supply: own only, and with contracts.
const LEVELS: usize = 2;

/// What was short in one inner year of a world.
#[derive(Debug, Clone, Copy)]
struct Short {
    level: usize,
    year: usize,
    scope: usize,
    sample: usize,
    what: Shortfall,
}

/// What is kept of a world: shortfalls only where there are any.
#[derive(Debug, Clone, Default)]
pub(super) struct WorldMeasures {
    samples: usize,
    short: Vec<Short>,
    /// Level, year x [`CELLS`] and short epochs of all inner samples together.
    cells: Vec<(usize, usize, u32)>,
    /// Years x scopes: calls offered, mean over inner samples.
    offered: Vec<f64>,
    /// Years x inner samples: peak demand, reference GPUs.
    peaks: Vec<f64>,
    /// By kind of loss as [`Losses`], and year.
    losses: [Vec<WorldLoss>; 3],
}

/// Kinds of loss.
#[derive(Debug, Clone, Copy)]
enum Losses {
    OwnSite,
    Site,
    Contract,
}

/// Weekly peaks of a world and year without the largest.
#[derive(Debug, Clone, Default)]
struct WorldLoss {
    /// Share of weeks survived and reference GPUs missing in the worst, means of inner samples.
    survived: f64,
    missing: f64,
    /// The worst of all, and who was lost.
    worst: (f64, Option<usize>),
    /// Weeks in which each was the largest.
    lost: Vec<u32>,
}

impl WorldMeasures {
    /// Reduces a simulated world.
    pub fn of(run: &WorldRun) -> Self {
        let samples = run.outcomes.len();
        let years = run.drawn.world.years.len();
        let mut kept = Self { samples, ..Self::default() };
        for (sample, outcome) in run.outcomes.iter().enumerate() {
            let measures = &outcome.measures;
            for (level, found) in [&measures.own, &measures.with_contracts].into_iter().enumerate()
            {
                kept.keep_short((level, sample), found, years);
            }
            kept.offered.resize(measures.offered.len(), 0.0);
            for (sum, calls) in kept.offered.iter_mut().zip(&measures.offered) {
                *sum += calls / samples as f64;
            }
        }
        for level in 0..LEVELS {
            kept.keep_cells(level, run, years);
        }
        for year in 0..years {
            kept.peaks.extend(run.outcomes.iter().map(|outcome| outcome.years[year].peak_demand));
        }
        let kinds: [fn(&Outcome) -> &Vec<PeakLoss>; 3] = [
            |outcome| &outcome.peak_losses.own_site,
            |outcome| &outcome.peak_losses.site,
            |outcome| &outcome.peak_losses.contract,
        ];
        kept.losses = kinds.map(|kind| {
            let of_year = |year: usize| {
                WorldLoss::of(run.outcomes.iter().filter_map(|outcome| kind(outcome).get(year)))
            };
            (0..years).map(of_year).collect()
        });
        kept
    }

    fn keep_short(&mut self, (level, sample): (usize, usize), found: &Shortfalls, years: usize) {
        for year in 0..years {
            let rows = found.year(year).iter().enumerate();
            let rows = rows.filter(|(_, row)| row.short_epochs > 0);
            self.short.extend(rows.map(|(scope, what)| Short {
                level,
                year,
                scope,
                sample,
                what: *what,
            }));
        }
    }

    fn keep_cells(&mut self, level: usize, run: &WorldRun, years: usize) {
        let found = |outcome: &Outcome, cell: usize| match level {
            0 => outcome.measures.own.cells[cell],
            _ => outcome.measures.with_contracts.cells[cell],
        };
        for cell in 0..years * CELLS {
            let count: u32 = run.outcomes.iter().map(|outcome| found(outcome, cell)).sum();
            if count > 0 {
                self.cells.push((level, cell, count));
            }
        }
    }
}

impl WorldLoss {
    fn of<'a>(samples: impl Iterator<Item = &'a PeakLoss> + Clone) -> Self {
        let count = samples.clone().count().max(1) as f64;
        let mut of = Self::default();
        for sample in samples {
            of.survived += f64::from(sample.survived) / WEEKS as f64 / count;
            of.missing += sample.missing / count;
            if sample.missing > of.worst.0 {
                of.worst = (sample.missing, sample.worst);
            }
            of.lost.resize(sample.lost.len(), 0);
            for (sum, weeks) in of.lost.iter_mut().zip(&sample.lost) {
                *sum += weeks;
            }
        }
        of
    }
}

/// All worlds, and what their numbers mean.
struct Worlds<'a> {
    scenario: &'a Scenario,
    world: &'a World,
    scopes: Scopes,
    worlds: Vec<&'a WorldMeasures>,
    samples: usize,
    /// Levels x years x scopes: what was short, by world and inner sample in a row.
    short: Vec<Vec<(usize, Shortfall)>>,
}

/// The adequacy of the simulated worlds; `world` is any of them, for its calendar and classes.
pub(super) fn adequacy(scenario: &Scenario, world: &World, worlds: &[WorldResult]) -> Adequacy {
    let scopes = Scopes::of(world);
    let worlds: Vec<&WorldMeasures> = worlds.iter().map(|world| &world.measures).collect();
    let samples = worlds.first().map_or(1, |world| world.samples);
    let years = world.years.len();
    let mut short = vec![Vec::new(); LEVELS * years * scopes.count()];
    for (index, kept) in worlds.iter().enumerate() {
        for Short { level, year, scope, sample, what } in &kept.short {
            let row = (level * years + year) * scopes.count() + scope;
            short[row].push((index * samples + sample, *what));
        }
    }
    let all = Worlds { scenario, world, scopes, worlds, samples, short };
    let year = |year: usize| AdequacyYear {
        year: world.years[year].year,
        own: all.supply(0, year),
        with_contracts: all.supply(1, year),
        largest_contract: all.survival(Losses::Contract, year),
    };
    Adequacy {
        years: (0..years).map(year).collect(),
        lolp_own: all.lolp(0, 0..years),
        lolp_with_contracts: all.lolp(1, 0..years),
    }
}

impl Worlds<'_> {
    fn supply(&self, level: usize, year: usize) -> SupplyAdequacy {
        let scopes = self.scopes;
        let region = |index| self.scenario.regions.keys().nth(index).cloned();
        let workload = |index| self.scenario.workloads.keys().nth(index).cloned();
        let classes = &self.world.classes;
        let asked = |index: &usize| classes.iter().any(|class| class.workload == *index);
        let scope = |scope, region, workload| {
            let measures = self.scope(level, year, scope);
            ScopeAdequacy { region, workload, ..measures }
        };
        let whole = scope(0, None, None);
        let three_part = three_part(
            self.scenario.criterion.three_part.unwrap_or_default(),
            whole.lolev,
            &self.events(level, year),
            self.samples,
        );
        let kind = [Losses::OwnSite, Losses::Site][level];
        SupplyAdequacy {
            whole,
            regions: (0..scopes.regions)
                .map(|index| scope(scopes.region(index), region(index), None))
                .collect(),
            workloads: (0..scopes.workloads)
                .filter(asked)
                .map(|index| scope(scopes.workload(index), None, workload(index)))
                .collect(),
            classes: classes
                .iter()
                .enumerate()
                .map(|(index, class)| {
                    scope(scopes.class(index), region(class.region), workload(class.workload))
                })
                .collect(),
            lolp: self.lolp(level, year..year + 1),
            three_part,
            largest_site: self.survival(kind, year),
        }
    }

    fn row(&self, level: usize, year: usize, scope: usize) -> &[(usize, Shortfall)] {
        &self.short[(level * self.world.years.len() + year) * self.scopes.count() + scope]
    }

    /// One number of every inner sample, world by world.
    fn by_sample(&self, row: &[(usize, Shortfall)], of: impl Fn(&Shortfall) -> f64) -> Vec<f64> {
        let mut values = vec![0.0; self.worlds.len() * self.samples];
        for (sample, what) in row {
            values[*sample] = of(what);
        }
        values
    }

    /// The means of the inner samples of each world.
    fn by_world(&self, samples: &[f64]) -> Vec<f64> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        samples.chunks(self.samples).map(mean).collect()
    }

    fn scope(&self, level: usize, year: usize, scope: usize) -> ScopeAdequacy {
        let row = self.row(level, year, scope);
        if row.is_empty() {
            return ScopeAdequacy::default();
        }
        let hours = self.world.epoch_hours();
        let samples = |of: fn(&Shortfall) -> f64| self.by_sample(row, of);
        let mean = |of: fn(&Shortfall) -> f64| Estimate::of(&self.by_world(&samples(of)));
        let largest = |of: fn(&Shortfall) -> f64| samples(of).into_iter().fold(0.0, f64::max);
        let offered: Vec<f64> = self
            .worlds
            .iter()
            .map(|world| world.offered[year * self.scopes.count() + scope])
            .collect();
        let calls = self.by_world(&samples(|row| row.calls));
        let work = samples(|row| row.reference_gpu_hours);
        ScopeAdequacy {
            region: None,
            workload: None,
            lole_hours: mean(|row| row.short_epochs as f64).times(hours),
            lole_days: mean(|row| row.short_days as f64),
            lolev: mean(|row| row.events as f64),
            eue: Eue {
                calls: Estimate::of(&calls),
                output_tokens: mean(|row| row.output_tokens),
                reference_gpu_hours: mean(|row| row.reference_gpu_hours),
            },
            neue_ppm: Estimate::of_ratio(&calls, &offered).times(1e6),
            cvar_95: Estimate::of_grouped_tail(&work, self.samples, TAIL),
            longest: mean(|row| row.longest_epochs as f64).times(hours),
            longest_of_all: largest(|row| row.longest_epochs as f64) * hours,
            deepest: mean(|row| row.deepest),
            deepest_of_all: largest(|row| row.deepest),
        }
    }

    /// The longest event, hours, and the deepest epoch, as a share of the year's peak demand, of
    /// everyone in every inner sample.
    fn events(&self, level: usize, year: usize) -> Vec<YearEvents> {
        let mut events = vec![YearEvents::default(); self.worlds.len() * self.samples];
        for (sample, what) in self.row(level, year, 0) {
            let (world, inner) = (sample / self.samples, sample % self.samples);
            let peak = self.worlds[world].peaks[year * self.samples + inner];
            events[*sample] = YearEvents {
                hours: what.longest_epochs as f64 * self.world.epoch_hours(),
                depth: what.deepest / peak,
            };
        }
        events
    }

    fn survival(&self, kind: Losses, year: usize) -> PeakSurvival {
        let losses: Vec<&WorldLoss> =
            self.worlds.iter().map(|world| &world.losses[kind as usize][year]).collect();
        let estimate = |of: fn(&WorldLoss) -> f64| {
            Estimate::of(&losses.iter().map(|loss| of(loss)).collect::<Vec<f64>>())
        };
        let name = |index: usize| match kind {
            Losses::Contract => self.scenario.contracts.keys().nth(index).cloned(),
            _ => self.scenario.sites.keys().nth(index).cloned(),
        };
        let width = losses.iter().map(|loss| loss.lost.len()).max().unwrap_or(0);
        let weeks = |index: usize| -> u64 {
            losses.iter().filter_map(|loss| loss.lost.get(index)).map(|w| u64::from(*w)).sum()
        };
        let mut most = (0, None);
        for index in 0..width {
            if weeks(index) > most.0 {
                most = (weeks(index), Some(index));
            }
        }
        let mut worst = (0.0, None);
        for loss in &losses {
            if loss.worst.0 > worst.0 {
                worst = loss.worst;
            }
        }
        PeakSurvival {
            survived: estimate(|loss| loss.survived),
            missing: estimate(|loss| loss.missing),
            missing_of_all: worst.0,
            lost: most.1.and_then(name),
            lost_share: most.0 as f64 / (losses.len() * self.samples * WEEKS).max(1) as f64,
            worst: worst.1.and_then(name),
        }
    }

    /// Short epochs over all epochs, by hour and month, of some years together.
    fn lolp(&self, level: usize, years: std::ops::Range<usize>) -> Option<Lolp> {
        let mut short = vec![0.0; self.worlds.len() * CELLS];
        for (world, kept) in self.worlds.iter().enumerate() {
            for (of_level, cell, count) in &kept.cells {
                if *of_level == level && years.contains(&(cell / CELLS)) {
                    short[world * CELLS + cell % CELLS] += f64::from(*count);
                }
            }
        }
        if short.iter().all(|count| *count <= 0.0) {
            return None;
        }
        let mut epochs = [0.0; 12];
        for (index, span) in self.world.spans.iter().enumerate() {
            if years.contains(&span.year) {
                epochs[index % 12] += (span.end - span.first) as f64 / 24.0;
            }
        }
        // Every hour of the day has as many epochs in a month as any other.
        let of = |cells: &dyn Fn(usize) -> bool| {
            let chosen: Vec<usize> = (0..CELLS).filter(|cell| cells(*cell)).collect();
            let all = chosen.iter().map(|cell| epochs[cell / 24]).sum::<f64>();
            let share = |world: &[f64]| chosen.iter().map(|cell| world[*cell]).sum::<f64>();
            let shares: Vec<f64> = short.chunks(CELLS).map(share).collect();
            Estimate::of(&shares).times(1.0 / (all * self.samples as f64))
        };
        let cell = |month: usize, hour: usize| of(&|cell| cell == month * 24 + hour);
        let hours_of_epochs = self.world.epoch_hours() / years.len() as f64;
        Some(Lolp {
            by_hour: (0..24).map(|hour| of(&|cell| cell % 24 == hour)).collect(),
            by_month: (0..12).map(|month| of(&|cell| cell / 24 == month)).collect(),
            table: (0..12).map(|month| (0..24).map(|hour| cell(month, hour)).collect()).collect(),
            hours: epochs.map(|count| count * hours_of_epochs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Draw, draw_world};

    /// Worlds of two inner years with so many short hours each.
    fn worlds(short: &[[u64; 2]]) -> Vec<WorldMeasures> {
        let of_year = |(sample, hours): (usize, &u64)| Short {
            level: 0,
            year: 0,
            scope: 0,
            sample,
            what: Shortfall {
                short_epochs: *hours,
                calls: *hours as f64,
                reference_gpu_hours: *hours as f64,
                ..Shortfall::default()
            },
        };
        let world = |hours: &[u64; 2]| WorldMeasures {
            samples: 2,
            short: hours.iter().enumerate().filter(|(_, hours)| **hours > 0).map(of_year).collect(),
            offered: vec![1e6; 1_000],
            ..WorldMeasures::default()
        };
        short.iter().map(world).collect()
    }

    fn found(short: &[[u64; 2]]) -> ScopeAdequacy {
        let text = include_str!("../../tests/data/small.ron");
        let scenario = Scenario::from_ron(text, "small.ron").expect("it is sound");
        let world = draw_world(&scenario, Draw::central(), &|_| 1.0).world;
        let kept = worlds(short);
        let rows = kept.iter().enumerate().flat_map(|(world, kept)| {
            kept.short.iter().map(move |short| (world * 2 + short.sample, short.what))
        });
        let scopes = Scopes::of(&world);
        let mut by_row = vec![Vec::new(); LEVELS * world.years.len() * scopes.count()];
        by_row[0] = rows.collect();
        let worlds = kept.iter().collect();
        let (scenario, world) = (&scenario, &world);
        Worlds { scenario, world, scopes, worlds, samples: 2, short: by_row }.scope(0, 0, 0)
    }

    #[test]
    fn errors_are_over_worlds_as_worked_by_hand() {
        // Four years of 4, 0, 2 and 2 h: the worlds agree on 2 h, although the years do not.
        let agree = found(&[[4, 0], [2, 2]]);
        assert_eq!(agree.lole_hours, Estimate { mean: 2.0, standard_error: 0.0 });
        // The same years dealt otherwise: 3 and 1 h, variance 2, standard error 1.
        let differ = found(&[[4, 2], [0, 2]]);
        assert_eq!(differ.lole_hours, Estimate { mean: 2.0, standard_error: 1.0 });
        assert_eq!(differ.neue_ppm, Estimate { mean: 2.0, standard_error: 1.0 });
        // The tail of four years is the worst one alone; without its world it is 2, without the
        // other one 4: the jackknife's error is 1.
        assert_eq!(differ.cvar_95, Estimate { mean: 4.0, standard_error: 1.0 });
    }
}
