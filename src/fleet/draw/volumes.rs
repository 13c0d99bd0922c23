//! How much is asked: users, requests, engine calls and tokens by month, region and workload.

use super::{Calendar, Draw, Releases};
use crate::demand::{Surface, Volume, Workload};
use crate::scenario::Scenario;

/// Mean lengths of a workload's calls at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallFacts {
    /// Prompt tokens, cached ones and images included.
    pub prompt: f64,
    /// Share of prompt tokens that the prefix cache holds.
    pub cached: f64,
    /// Output tokens, thinking included.
    pub output: f64,
}

impl CallFacts {
    /// The means of a workload's calls at a decimal year.
    #[must_use]
    pub fn at(name: &str, workload: &Workload, draw: Draw<'_>, year: f64) -> Self {
        let mean = |part: &str, lengths: &crate::demand::TokenLengths| {
            draw.growth(&format!("workloads/{name}/{part}"), &lengths.mean, year).0
        };
        let thinking = workload.thinking.as_ref().map_or(0.0, |length| mean("thinking", length));
        let text = mean("prompt", &workload.prompt);
        let images = workload.images.as_ref().map_or(0.0, |images| {
            let at = |part: &str| format!("workloads/{name}/images/{part}");
            draw.growth(&at("share"), &images.share, year).0
                * draw.value(&at("per_call"), &images.per_call).0
                * draw.value(&at("tokens"), &images.tokens).0
        });
        let cached = draw.value(&format!("workloads/{name}/cached"), &workload.cached).0;
        Self {
            prompt: text + images,
            // Images are in no cache: the share of the text, as a share of everything.
            cached: if images > 0.0 { cached * text / (text + images) } else { cached },
            output: mean("output", &workload.output) + thinking,
        }
    }
}

/// Demand by span.
#[derive(Debug, Clone)]
pub(super) struct Volumes {
    pub regions: usize,
    workloads: usize,
    /// Assistant users on a day, by span.
    pub daily_users: Vec<f64>,
    /// User requests per day, by span.
    pub user_requests: Vec<f64>,
    /// Spans x regions x workloads: engine calls per day.
    calls: Vec<f64>,
    /// Spans x workloads.
    lengths: Vec<CallFacts>,
}

impl Volumes {
    pub fn new(
        scenario: &Scenario,
        draw: Draw<'_>,
        calendar: &Calendar,
        releases: &Releases,
    ) -> Self {
        let (regions, workloads) = (scenario.regions.len(), scenario.workloads.len());
        let spans = calendar.spans.len();
        let mut volumes = Self {
            regions,
            workloads,
            daily_users: vec![0.0; spans],
            user_requests: vec![0.0; spans],
            calls: vec![0.0; spans * regions * workloads],
            lengths: Vec::with_capacity(spans * workloads),
        };
        for (span, year) in calendar.middles.iter().enumerate() {
            for (name, surface) in &scenario.surfaces {
                let at = (span, *year, releases.requests(span));
                volumes.add_surface(scenario, draw, at, name, surface);
            }
            for (index, (name, workload)) in scenario.workloads.iter().enumerate() {
                let calls = draw.growth(&format!("workloads/{name}/calls"), &workload.calls, *year);
                // Spans are months from January on.
                let season =
                    scenario.profiles.get(&workload.profile).map_or(1.0, |p| p.month(span % 12));
                for region in 0..regions {
                    volumes.calls[(span * regions + region) * workloads + index] *=
                        calls.0 * season;
                }
                volumes.lengths.push(CallFacts::at(name, workload, draw, *year));
            }
        }
        volumes
    }

    /// Adds the requests of one surface in a span, of which the releases make `released` times as
    /// many; the calls per request come later.
    fn add_surface(
        &mut self,
        scenario: &Scenario,
        draw: Draw<'_>,
        (span, year, released): (usize, f64, f64),
        name: &str,
        surface: &Surface,
    ) {
        let at = |part: &str| format!("surfaces/{name}/{part}");
        let people = draw.growth(&at("daily_users"), &surface.daily_users, year).0;
        let users = people * draw.growth(&at("adoption"), &surface.adoption, year).0;
        let requests = users * draw.growth(&at("requests"), &surface.requests, year).0 * released;
        self.daily_users[span] += users;
        self.user_requests[span] += requests;
        let offered: Vec<(usize, &String, &Workload)> = scenario
            .workloads
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| surface.workloads.contains(name))
            .map(|(index, (name, workload))| (index, name, workload))
            .collect();
        let share = |name: &str, workload: &Workload| match &workload.volume {
            Volume::ShareOfRequests(law) => {
                draw.growth(&format!("workloads/{name}/volume"), law, year).0
            }
            _ => 0.0,
        };
        let shares: f64 = offered.iter().map(|(_, name, workload)| share(name, workload)).sum();
        // Shares drawn above a whole are scaled back to it: no request is counted twice.
        let scale = 1.0 / shares.max(1.0);
        for (index, name, workload) in offered {
            let volume = match &workload.volume {
                Volume::ShareOfRequests(_) => requests * share(name, workload) * scale,
                Volume::Remainder => requests * (1.0 - shares).max(0.0),
                Volume::PerUserRequest(law) => {
                    requests * draw.growth(&format!("workloads/{name}/volume"), law, year).0
                }
                Volume::PerDailyUser(law) => {
                    people * draw.growth(&format!("workloads/{name}/volume"), law, year).0
                }
            };
            for (region, place) in scenario.regions.keys().enumerate() {
                let part = surface.regions.get(place).map_or(0.0, |share| share.0);
                self.calls[(span * self.regions + region) * self.workloads + index] +=
                    volume * part;
            }
        }
    }

    /// Engine calls per day of a workload in a region.
    pub fn calls_per_day(&self, span: usize, region: usize, workload: usize) -> f64 {
        self.calls[(span * self.regions + region) * self.workloads + workload]
    }

    /// Mean lengths of a workload's calls.
    pub fn call(&self, span: usize, workload: usize) -> CallFacts {
        self.lengths[span * self.workloads + workload]
    }
}
