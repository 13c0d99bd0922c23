//! Firm capacity for a risk, and what a unit, a group or a link is worth (ELCC, EFC), exactly or
//! from samples on common random numbers. The bracket is narrowed in [`super::crossing`].

use serde::Serialize;

use super::Watch;
use super::crossing::{Crossing, NoCrossing, Search, Tried};
use super::exact_areas::exact_areas;
use super::loss::{Period, SampleLoss};
use super::system::{in_blocks, periods};
use crate::fleet::{
    AreaDraw, AreaPart, AreaVariant, ExactSystem, JointStates, LinkedAreas, LossMeasure,
};
use crate::rng::StreamKey;
use crate::scenario::{Area, Level, Network};
use crate::stats::Estimate;

/// Joint states of all hours beyond which a search, which asks some fifty times, is not exact.
const MOST_SEARCHED: f64 = (1_u64 << 22) as f64;
/// How narrow a bracket becomes, as a share of what is searched: exactly, from samples, and the
/// ends of the interval.
const FINE: [f64; 3] = [1e-10, 1e-6, 3e-5];

/// A risk of the system that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskMeasure {
    /// LOLE, hours of the period.
    LoleHours,
    /// LOLE, days of the period.
    LoleDays,
    /// LOLEv, events of the period. Two events may become one as risk grows: it need not rise with
    /// the load, and a search finds one of its crossings.
    Lolev,
    /// EUE, capacity-hours of the period.
    Eue,
    /// NEUE, parts per million of the load as it is.
    NeuePpm,
}

/// A part of a system that may be valued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValuedPart {
    /// One unit of a group, or all of them.
    Units {
        /// Name of the area.
        area: String,
        /// Name of the group.
        group: String,
        /// Whether all of them.
        all: bool,
    },
    /// A link.
    Link(String),
}

/// How risks are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// By convolution or joint states.
    Exact,
    /// From samples; every capacity is tried on the same ones.
    MonteCarlo,
}

/// What a part of a system is worth, by LOLE in hours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CapacityValue {
    /// What it gives while it is up, in the mean over the hours; a link, forward.
    pub nameplate: f64,
    /// LOLE of the system with it, hours of the period.
    pub lole_with: Estimate,
    /// LOLE of the system without it.
    pub lole_without: Estimate,
    /// Load that can be added in every hour to the system with it before LOLE is what it is without
    /// (effective load carrying capability): `low` is the answer.
    pub elcc: Crossing,
    /// Firm capacity in its place that gives the LOLE with it (equivalent firm capacity): `high` is
    /// the answer.
    pub efc: Crossing,
}

/// A system of which risks can be asked for.
pub struct CapacityStudy<'a> {
    network: &'a Network,
    method: Method,
    /// By area, the part of added capacity that stands there.
    shares: Vec<f64>,
    watch: Watch<'a>,
}

/// Exact laws of a system.
enum Laws {
    One(Box<ExactSystem>),
    Several(Box<JointStates>),
}

impl Laws {
    fn of(network: &Network) -> Option<Self> {
        match network.single() {
            Some(system) => ExactSystem::new(&system).map(|exact| Self::One(Box::new(exact))),
            None => {
                let joint = JointStates::new(network)?;
                (joint.work() <= MOST_SEARCHED).then(|| Self::Several(Box::new(joint)))
            }
        }
    }
}

/// Whether risks of a system can be searched exactly: few capacities or joint states, and no count
/// of events.
#[must_use]
pub fn is_exact(network: &Network, measure: RiskMeasure) -> bool {
    measure != RiskMeasure::Lolev && Laws::of(network).is_some()
}

impl<'a> CapacityStudy<'a> {
    /// A study of a system; capacity is added in `area`, or everywhere in proportion to the largest
    /// load.
    #[must_use]
    pub fn new(network: &'a Network, method: Method, area: Option<&str>, watch: Watch<'a>) -> Self {
        let peaks: Vec<f64> = network.areas.values().map(peak).collect();
        let all: f64 = peaks.iter().sum();
        let count = peaks.len() as f64;
        let share = |(name, peak): (&String, &f64)| match area {
            Some(area) => f64::from(u8::from(area == name)),
            None if all > 0.0 => peak / all,
            None => 1.0 / count,
        };
        let shares = network.areas.keys().zip(&peaks).map(share).collect();
        Self { network, method, shares, watch }
    }

    /// The least firm capacity that must be added for a risk of at most `target`; negative where so
    /// much may be taken away (what is not there is added to the load).
    ///
    /// # Errors
    /// [`NoCrossing`] where no capacity suffices, it was stopped, or an exact study is too large.
    pub fn firm_for(&self, measure: RiskMeasure, target: f64) -> Result<Crossing, NoCrossing> {
        let wide = self.limits().1 / 32.0;
        let search = self.search((-wide, wide));
        match self.method {
            Method::Exact => {
                let laws = self.laws(self.network)?;
                search.run(|points| self.exactly(&laws, measure, target, points))
            }
            Method::MonteCarlo => {
                let sampled = Sampled::new(self.network, self.watch);
                search.run(|points| {
                    let against = Against::Target(target);
                    sampled.tried(measure, &self.shares, None, points, &against)
                })
            }
        }
    }

    /// What a part is worth; `None` where the system has none of that name.
    ///
    /// # Errors
    /// As [`CapacityStudy::firm_for`].
    pub fn value(&self, part: &ValuedPart) -> Result<Option<CapacityValue>, NoCrossing> {
        let Some(valued) = valued(self.network, part) else { return Ok(None) };
        let most = valued.most;
        let (elcc, efc) = (self.search((-most, 0.0)), self.search((0.0, most)));
        let measure = RiskMeasure::LoleHours;
        let (lole_with, lole_without, elcc, efc) = match self.method {
            Method::Exact => {
                let (with, without) = (self.laws(&valued.split)?, self.laws(&valued.without)?);
                let risk = |laws: &Laws| {
                    let at = self.exactly(laws, measure, 0.0, &[0.0]);
                    at.and_then(|tried| Some(tried.first()?.risk)).ok_or(NoCrossing::Stopped)
                };
                let (of_with, of_without) = (risk(&with)?, risk(&without)?);
                let elcc = elcc.run(|at| self.exactly(&with, measure, of_without.mean, at))?;
                let efc = efc.run(|at| self.exactly(&without, measure, of_with.mean, at))?;
                (of_with, of_without, elcc, efc)
            }
            Method::MonteCarlo => {
                let sampled = Sampled::new(&valued.split, self.watch);
                let gone = Some(valued.part);
                let lost = |without| {
                    let more = vec![0.0; self.shares.len()];
                    let variant = AreaVariant { more, without };
                    let values = sampled.values(measure, &[variant]);
                    values.and_then(|values| values.into_iter().next()).ok_or(NoCrossing::Stopped)
                };
                let (with, without) = (lost(None)?, lost(gone)?);
                let of = (Estimate::of(&with), Estimate::of(&without));
                let (with, without) = (Against::Samples(with), Against::Samples(without));
                let try_at = |gone, at: &[f64], against: &Against| {
                    sampled.tried(measure, &self.shares, gone, at, against)
                };
                let elcc = elcc.run(|at| try_at(None, at, &without))?;
                let efc = efc.run(|at| try_at(gone, at, &with))?;
                (of.0, of.1, elcc, efc)
            }
        };
        let nameplate = valued.nameplate;
        Ok(Some(CapacityValue { nameplate, lole_with, lole_without, elcc: elcc.negated(), efc }))
    }

    fn laws(&self, network: &Network) -> Result<Laws, NoCrossing> {
        Laws::of(network).ok_or(NoCrossing::TooLarge)
    }

    /// Nothing below minus all capacity and load, or above all load, is looked at.
    fn limits(&self) -> (f64, f64) {
        let load: f64 = self.network.areas.values().map(peak).sum();
        let capacity: f64 = self.network.areas.values().map(capacity).sum();
        (-(load + capacity) * (1.0 + 1e-9), load * (1.0 + 1e-9))
    }

    fn search(&self, begin: (f64, f64)) -> Search {
        let limits = self.limits();
        let wide = limits.1 - limits.0;
        let fine = match self.method {
            Method::Exact => FINE[0],
            Method::MonteCarlo => FINE[1],
        };
        Search { begin, limits, fine: fine * wide, coarse: FINE[2] * wide }
    }

    /// Exact risks at some capacities.
    fn exactly(
        &self,
        laws: &Laws,
        measure: RiskMeasure,
        target: f64,

        points: &[f64],
    ) -> Option<Vec<Tried>> {
        let at = |capacity: &f64| {
            let risk = self.exact_risk(laws, measure, *capacity)?;
            let exactly = |mean| Estimate { mean, standard_error: 0.0 };
            Some(Tried { capacity: *capacity, risk: exactly(risk), excess: exactly(risk - target) })
        };
        points.iter().map(at).collect()
    }

    fn exact_risk(&self, laws: &Laws, measure: RiskMeasure, more: f64) -> Option<f64> {
        // Events need the order of hours, which no law of an hour has.
        if self.watch.stopped() || measure == RiskMeasure::Lolev {
            return None;
        }
        match laws {
            Laws::One(exact) => Some(match measure {
                RiskMeasure::LoleDays => exact.risk_of(LossMeasure::Days, more),
                RiskMeasure::LoleHours | RiskMeasure::Lolev => {
                    exact.risk_of(LossMeasure::Hours, more)
                }
                RiskMeasure::Eue => exact.risk_of(LossMeasure::Unserved, more),
                RiskMeasure::NeuePpm => {
                    let all = self.network.areas.values().map(whole_load).sum();
                    per_million(exact.risk_of(LossMeasure::Unserved, more), all)
                }
            }),
            Laws::Several(joint) => {
                let more: Vec<f64> = self.shares.iter().map(|share| share * more).collect();
                let watch = Watch { stop: self.watch.stop, ..Watch::nobody() };
                let risk = exact_areas(joint, self.network, &more, watch)?.system;
                Some(match measure {
                    RiskMeasure::LoleHours | RiskMeasure::Lolev => risk.lole_hours,
                    RiskMeasure::LoleDays => risk.lole_days,
                    RiskMeasure::Eue => risk.eue,
                    RiskMeasure::NeuePpm => risk.neue_ppm,
                })
            }
        }
    }
}

fn per_million(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { 1e6 * part / whole } else { 0.0 }
}

fn peak(area: &Area) -> f64 {
    area.load.hours().into_iter().fold(0.0, f64::max)
}

fn whole_load(area: &Area) -> f64 {
    area.load.hours().iter().sum()
}

/// The largest number of a level.
fn largest(level: &Level, hours: usize) -> f64 {
    (0..hours).map(|hour| level.at(hour)).fold(0.0, f64::max)
}

/// Most that an area can have.
fn capacity(area: &Area) -> f64 {
    let hours = area.load.hours().len();
    let units = area.units.values();
    let units = units.map(|units| f64::from(units.count) * largest(&units.capacity, hours));
    largest(&area.firm, hours) + units.sum::<f64>()
}

/// A part that is valued, taken apart.
struct Valued {
    /// The system, with the part as a group of its own.
    split: Network,
    /// The part there.
    part: AreaPart,
    /// The system without it.
    without: Network,
    nameplate: f64,
    /// The most that it gives in an hour.
    most: f64,
}

/// Takes a part of a system apart. A unit of a group of several becomes a group of its own, with a
/// stream of its own: the others draw the same whether it is there or not.
fn valued(network: &Network, part: &ValuedPart) -> Option<Valued> {
    let (mut split, mut without) = (network.clone(), network.clone());
    let hours = network.hours();
    let mean =
        |level: &Level| (0..hours).map(|hour| level.at(hour)).sum::<f64>() / hours.max(1) as f64;
    match part {
        ValuedPart::Link(name) => {
            let number = network.links.keys().position(|known| known == name)?;
            let link = without.links.remove(name)?;
            let most = largest(&link.forward, hours).max(largest(&link.backward, hours));
            let (part, nameplate) = (AreaPart::Link(number), mean(&link.forward));
            Some(Valued { split, part, without, nameplate, most })
        }
        ValuedPart::Units { area, group, all } => {
            let number = network.areas.keys().position(|known| known == area)?;
            let of_split = &mut split.areas.get_mut(area)?.units;
            let units = of_split.get(group)?.clone();
            let count = if *all { units.count } else { 1 };
            let mut own = group.clone();
            if count < units.count {
                while of_split.contains_key(&own) {
                    own += " (one)";
                }
                of_split.get_mut(group)?.count -= 1;
                let one = crate::scenario::Units { count: 1, ..units.clone() };
                of_split.insert(own.clone(), one);
            }
            let position = of_split.keys().position(|known| *known == own)?;
            without.areas.get_mut(area)?.units.get_mut(group)?.count -= count;
            Some(Valued {
                part: AreaPart::Units { area: number, group: position },
                nameplate: f64::from(count) * mean(&units.capacity),
                most: f64::from(count) * largest(&units.capacity, hours),
                split,
                without,
            })
        }
    }
}

/// What a risk is held against.
enum Against {
    /// A number.
    Target(f64),
    /// The same samples of another system.
    Samples(Vec<f64>),
}

/// A system whose samples are read again and again.
struct Sampled<'a> {
    linked: LinkedAreas,
    period: Option<Period>,
    network: &'a Network,
    watch: Watch<'a>,
}

impl<'a> Sampled<'a> {
    fn new(network: &'a Network, watch: Watch<'a>) -> Self {
        let linked = LinkedAreas::new(network);
        Self { period: periods(&linked).pop(), linked, network, watch }
    }

    /// By variant and sample, what the system loses. Every sample is drawn once.
    fn values(&self, measure: RiskMeasure, variants: &[AreaVariant]) -> Option<Vec<Vec<f64>>> {
        let period = self.period.as_ref()?;
        let value = |lost: &SampleLoss| match measure {
            RiskMeasure::LoleHours => lost.hours,
            RiskMeasure::LoleDays => lost.days,
            RiskMeasure::Lolev => lost.events,
            RiskMeasure::Eue => lost.unserved,
            RiskMeasure::NeuePpm => per_million(lost.unserved, period.load()),
        };
        let begin = || (vec![Vec::new(); variants.len()], AreaDraw::default(), self.linked.scan());
        let sample = |state: &mut (Vec<Vec<f64>>, AreaDraw, _), number| {
            let (values, draw, scan) = state;
            let key = StreamKey::inner(self.network.seed, 0, u64::from(number));
            self.linked.draw(key, draw);
            for (variant, values) in variants.iter().zip(values) {
                let mut lost = SampleLoss::default();
                self.linked.shortfalls(draw, variant, scan, |hour, areas| {
                    let total = areas.total();
                    if total > 0.0 {
                        lost.add(hour, total, period);
                    }
                });
                values.push(value(&lost));
            }
        };
        let watch = Watch { stop: self.watch.stop, ..Watch::nobody() };
        let mut all: Vec<Vec<f64>> = vec![Vec::new(); variants.len()];
        in_blocks(self.network.samples, watch, begin, sample, |(values, _, _)| {
            for (all, values) in all.iter_mut().zip(values) {
                all.extend(values);
            }
        })?;
        Some(all)
    }

    /// Risks at some capacities, each against the same.
    fn tried(
        &self,
        measure: RiskMeasure,
        shares: &[f64],
        without: Option<AreaPart>,

        points: &[f64],
        against: &Against,
    ) -> Option<Vec<Tried>> {
        let variant = |capacity: &f64| AreaVariant {
            more: shares.iter().map(|share| capacity * share).collect(),
            without,
        };
        let variants: Vec<AreaVariant> = points.iter().map(variant).collect();
        let values = self.values(measure, &variants)?;
        let tried = |(capacity, values): (&f64, Vec<f64>)| {
            let risk = Estimate::of(&values);
            let excess = match against {
                Against::Target(target) => Estimate { mean: risk.mean - target, ..risk },
                Against::Samples(other) => {
                    let pairs = values.iter().zip(other).map(|(one, other)| one - other);
                    Estimate::of(&pairs.collect::<Vec<f64>>())
                }
            };
            Tried { capacity: *capacity, risk, excess }
        };
        Some(points.iter().zip(values).map(tried).collect())
    }
}
