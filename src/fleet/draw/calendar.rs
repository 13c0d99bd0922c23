//! The grid of a world: epochs, months, years; curves and events laid out on it.

use std::collections::BTreeMap;

use super::Draw;
use crate::demand::{Occurrence, Profile, Region};
use crate::fleet::world::{DemandEvent, Span, SurgeLaw, YearSpan};
use crate::scenario::Scenario;
use crate::time::{DAY, FleetTime, HOUR};
use crate::units::Seconds;

/// Seconds in a mean year.
const YEAR_S: f64 = 31_557_600.0;

/// The time grid of a scenario.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    pub start: FleetTime,
    pub epoch_s: u64,
    pub epochs: usize,
    pub spans: Vec<Span>,
    pub years: Vec<YearSpan>,
    /// Middle of each span as a decimal year.
    pub middles: Vec<f64>,
}

impl Calendar {
    pub fn new(scenario: &Scenario) -> Self {
        let (first, last) = (scenario.horizon.first_year, scenario.horizon.last_year);
        let start = FleetTime::start_of_year(first);
        let epoch_s = scenario.horizon.epoch.0 as u64;
        let epoch_of = |time: FleetTime| (time.0 - start.0) as usize / epoch_s as usize;
        let (mut spans, mut years, mut middles) = (Vec::new(), Vec::new(), Vec::new());
        for year in first..=last {
            let bounds = [FleetTime::start_of_year(year), FleetTime::start_of_year(year + 1)];
            let index = years.len();
            years.push(YearSpan { year, first: epoch_of(bounds[0]), end: epoch_of(bounds[1]) });
            for month in 1..=12u16 {
                let at = |month: u16| {
                    let date = FleetTime::from_date(i64::from(year), i64::from(month), 1);
                    date.unwrap_or(bounds[1])
                };
                let (from, to) = (at(month), if month < 12 { at(month + 1) } else { bounds[1] });
                spans.push(Span {
                    first: epoch_of(from),
                    end: epoch_of(to),
                    year: index,
                    quarter: index * 4 + (usize::from(month) - 1) / 3,
                });
                middles.push(FleetTime((from.0 + to.0) / 2).decimal_year());
            }
        }
        let epochs = epoch_of(FleetTime::start_of_year(last + 1));
        Self { start, epoch_s, epochs, spans, years, middles }
    }

    /// Seconds after the start of the horizon, 0 for anything before it.
    pub fn seconds(&self, time: FleetTime) -> u64 {
        (time.0 - self.start.0).max(0) as u64
    }

    /// Start of a span in seconds after the start of the horizon.
    pub fn span_start(&self, span: usize) -> u64 {
        self.spans[span].first as u64 * self.epoch_s
    }

    /// Bounds of a calendar year in seconds after the start of the horizon.
    pub fn year_bounds(&self, year: usize) -> (u64, u64) {
        let span = self.years[year];
        (span.first as u64 * self.epoch_s, span.end as u64 * self.epoch_s)
    }

    /// A duration in whole epochs, rounded down, within the horizon.
    pub fn whole_epochs(&self, time: Seconds) -> usize {
        ((time.0 / self.epoch_s as f64) as usize).clamp(1, self.epochs)
    }

    /// Epochs after which something happens at the earliest that happens after a duration.
    pub fn epochs_until(&self, time: Seconds) -> usize {
        ((time.0 / self.epoch_s as f64).ceil() as usize).max(1)
    }

    /// Index of the curve of a region, a profile and a kind of service.
    pub fn curve_index(
        scenario: &Scenario,
        region: usize,
        profile: &str,
        interactive: bool,
    ) -> usize {
        let profiles = scenario.profiles.len();
        let profile = scenario.profiles.keys().position(|name| name == profile).unwrap_or(0);
        (region * profiles + profile) * 2 + usize::from(interactive)
    }

    /// A week of factors by epoch for every region, profile and kind of service. Interactive
    /// curves carry the busiest five minutes of each hour: hourly means hide peaks.
    pub fn curves(&self, scenario: &Scenario) -> Vec<Vec<f64>> {
        let mut curves = Vec::new();
        for region in scenario.regions.values() {
            for profile in scenario.profiles.values() {
                let mean = self.curve(region, profile);
                let peak = mean.iter().map(|f| f * profile.busiest_five_minutes.0).collect();
                curves.push(mean);
                curves.push(peak);
            }
        }
        curves
    }

    fn curve(&self, region: &Region, profile: &Profile) -> Vec<f64> {
        let week = profile.week();
        let per_week = 7 * DAY as u64 / self.epoch_s;
        let first_hour = self.start.hour_of_week() as f64;
        let total: f64 = region.time_zones.iter().map(|zone| zone.1).sum();
        let at = |hour: f64| {
            let hour = hour.rem_euclid(168.0);
            let (whole, part) = (hour as usize % 168, hour.fract());
            week[whole] * (1.0 - part) + week[(whole + 1) % 168] * part
        };
        (0..per_week)
            .map(|epoch| {
                // A factor stands at the middle of its hour, straight lines between: what moves
                // from one hour to the next moves bit by bit in shorter epochs.
                let middle = (epoch * self.epoch_s) as f64 + self.epoch_s as f64 / 2.0;
                let utc = first_hour + middle / HOUR as f64 - 0.5;
                let zones = region.time_zones.iter();
                zones.map(|(offset, share)| at(utc + offset.0 / HOUR as f64) * share).sum::<f64>()
                    / total
            })
            .collect()
    }

    /// Planned events, widened to whole epochs and cut at the horizon.
    pub fn events(&self, scenario: &Scenario, draw: Draw<'_>) -> Vec<DemandEvent> {
        let mut events = Vec::new();
        let horizon = self.epochs as u64 * self.epoch_s;
        for (name, event) in &scenario.events {
            let factor = draw.value(&format!("events/{name}/factor"), &event.factor).0;
            let touched = region_set(&scenario.regions, &event.regions);
            let lasts = event.lasts.0 as i64;
            let mut add = |start: i64, regions: u32| {
                let (start, end) = (start - self.start.0, start + lasts - self.start.0);
                let start = start.max(0) as u64 / self.epoch_s * self.epoch_s;
                let end = (end.max(0) as u64).div_ceil(self.epoch_s) * self.epoch_s;
                if start < end.min(horizon) && regions != 0 {
                    events.push(DemandEvent { start, end: end.min(horizon), regions, factor });
                }
            };
            match &event.when {
                Occurrence::Dates { dates, hour } => {
                    for date in dates {
                        add(date.0 + i64::from(*hour) * HOUR, touched);
                    }
                }
                Occurrence::Yearly { month, day, hour } => {
                    // One year more on either side: local time may cross New Year.
                    let years = i64::from(self.years[0].year) - 1
                        ..=i64::from(self.years[0].year) + self.years.len() as i64;
                    for year in years {
                        let date = FleetTime::from_date(year, i64::from(*month), i64::from(*day));
                        let Some(date) = date else { continue };
                        for (index, region) in scenario.regions.values().enumerate() {
                            let local = date.0 + i64::from(*hour) * HOUR;
                            add(local - main_offset(region), touched & (1 << index));
                        }
                    }
                }
            }
        }
        events
    }

    /// Laws of the random surges.
    pub fn surges(&self, scenario: &Scenario) -> Vec<SurgeLaw> {
        let law = |(name, surge): (&String, &crate::demand::Surge)| SurgeLaw {
            name: name.clone(),
            rate: surge.per_year.0 / YEAR_S,
            lasts: surge.lasts.clone(),
            factor: surge.factor.clone(),
            regions: region_set(&scenario.regions, &surge.regions),
            spread: surge.spread.map(|share| share.0),
        };
        scenario.surges.iter().map(law).collect()
    }
}

/// Offset from UTC in seconds where most of a region's users live.
fn main_offset(region: &Region) -> i64 {
    let most = region.time_zones.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    most.map_or(0, |zone| zone.0.0 as i64)
}

/// Bit set of the named regions; all of them when none is named.
fn region_set(regions: &BTreeMap<String, Region>, names: &[String]) -> u32 {
    let touched = |name: &String| names.is_empty() || names.contains(name);
    regions.keys().enumerate().filter(|(_, name)| touched(name)).map(|(bit, _)| 1 << bit).sum()
}
