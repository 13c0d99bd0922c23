//! Drawn releases of the model: the steps in work and requests that hold in each month.

use super::{Calendar, Draw};
use crate::scenario::Scenario;
use crate::time::FleetTime;

/// One release as it was drawn.
#[derive(Debug, Clone)]
struct Step {
    /// When it comes.
    out: FleetTime,
    /// First span in which it holds: the month of the release.
    from: usize,
    work: f64,
    requests: f64,
    /// Whether it changes the work of each workload.
    touches: Vec<bool>,
}

/// All releases of a world.
#[derive(Debug, Clone)]
pub(super) struct Releases(Vec<Step>);

impl Releases {
    pub fn new(scenario: &Scenario, draw: Draw<'_>, calendar: &Calendar) -> Self {
        let steps = scenario.releases.iter().map(|(name, release)| {
            let at = |part: &str| format!("releases/{name}/{part}");
            let out = release.on.0 + draw.value(&at("slip"), &release.slip).0 as i64;
            let holds = |span: &usize| {
                let end = calendar.spans[*span].end as i64 * calendar.epoch_s as i64;
                calendar.start.0 + end > out
            };
            Step {
                out: FleetTime(out),
                from: (0..calendar.spans.len()).find(holds).unwrap_or(usize::MAX),
                work: draw.value(&at("work"), &release.work).0,
                requests: draw.value(&at("requests"), &release.requests).0,
                touches: scenario.workloads.keys().map(|name| release.touches(name)).collect(),
            }
        });
        Self(steps.collect())
    }

    fn out(&self, span: usize) -> impl Iterator<Item = &Step> {
        self.0.iter().filter(move |step| step.from <= span)
    }

    /// What the work of a token of a workload is multiplied by in a span.
    pub fn work(&self, span: usize, workload: usize) -> f64 {
        self.out(span).filter(|step| step.touches[workload]).map(|step| step.work).product()
    }

    /// The same on a date, be it within the horizon or not.
    pub fn work_on(&self, date: FleetTime, workload: usize) -> f64 {
        let out = self.0.iter().filter(|step| step.out <= date && step.touches[workload]);
        out.map(|step| step.work).product()
    }

    /// What user requests are multiplied by in a span.
    pub fn requests(&self, span: usize) -> f64 {
        self.out(span).map(|step| step.requests).product()
    }
}
