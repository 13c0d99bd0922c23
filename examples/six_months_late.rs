//! What does a delay of six months of every own site do to the gap?
//!
//! The scenario is edited in place. Both runs meet the same draws (common random numbers), so the
//! difference is taken world by world, and its error is far below that of either gap.

use std::path::Path;

use sparkgap::plan::{WorldYear, required_external};
use sparkgap::scenario::Scenario;
use sparkgap::stats::Estimate;
use sparkgap::study::{Watch, characterise};
use sparkgap::time::{DAY, FleetTime};

fn main() {
    let mut planned = Scenario::embedded();
    planned.sampling.worlds = 10;
    let mut late = planned.clone();
    for phase in late.sites.values_mut().flat_map(|site| &mut site.phases) {
        if !phase.delivered {
            phase.on = FleetTime(phase.on.0 + 183 * DAY);
        }
    }
    let cache = Path::new("out/.serving");
    let table = characterise(&planned, Some(cache), Watch::nobody()).expect("nobody stops it");
    let gaps = |scenario: &Scenario| -> Vec<WorldYear> {
        let answer = required_external(scenario, &table.rates(scenario), Watch::nobody());
        answer.expect("nobody stops it").worlds
    };
    let (before, after) = (gaps(&planned), gaps(&late));
    println!("year   candidate GPUs more, for six months of delay");
    for year in planned.horizon.first_year..=planned.horizon.last_year {
        let pairs = before.iter().zip(&after).filter(|pair| pair.0.year == year);
        let more: Vec<f64> = pairs.map(|(plan, late)| late.gap_gpus - plan.gap_gpus).collect();
        let Estimate { mean, standard_error } = Estimate::of(&more);
        println!("{year}{mean:>12.0} +- {standard_error:.0}");
    }
}
