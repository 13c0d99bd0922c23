//! How adequate is the fleet as it stands: how many hours a year is somebody not served?
//!
//! Own sites alone, and with the contracts in hand; mean over ten worlds with its standard error.

use std::path::Path;

use sparkgap::scenario::Scenario;
use sparkgap::stats::Estimate;
use sparkgap::study::{Watch, assess, characterise};

fn main() {
    let mut scenario = Scenario::embedded();
    scenario.sampling.worlds = 10;
    let cache = Path::new("out/.serving");
    let table = characterise(&scenario, Some(cache), Watch::nobody()).expect("nobody stops it");
    let target = scenario.criterion.interactive_lole.0;
    println!("LOLE in hours a year; the criterion allows {target}");
    println!("year           own only       with contracts");
    let show = |lole: Estimate| format!("{:.0} +- {:.0}", lole.mean, lole.standard_error);
    for year in assess(&scenario, &table.rates(&scenario)) {
        let (own, contracts) = (show(year.lole_own), show(year.lole_with_contracts));
        println!("{}{own:>19}{contracts:>21}", year.year);
    }
}
