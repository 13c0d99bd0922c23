//! How much external capacity does a scenario need, year by year?
//!
//! Ten worlds only, to be quick; the program draws 100. Name a scenario file, or get the default.

use std::path::Path;

use sparkgap::plan::required_external;
use sparkgap::scenario::Scenario;
use sparkgap::study::{Watch, characterise};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut scenario = match std::env::args().nth(1) {
        Some(file) => Scenario::load(file)?,
        None => Scenario::embedded(),
    };
    scenario.sampling.worlds = 10;
    let cache = Path::new("out/.serving");
    let table = characterise(&scenario, Some(cache), Watch::nobody()).ok_or("stopped")?;
    let rate = table.rates(&scenario);
    let answer = required_external(&scenario, &rate, Watch::nobody())?;
    println!("{}\n", answer.finding);
    println!("firm {} GPUs: + short, - surplus", answer.candidate.accelerator);
    println!("year    need P50     gap P10     gap P50     gap P90   worlds short");
    for year in &answer.years {
        let (need, gap) = (year.need_gpus.p50.value, year.gap_gpus);
        let (low, middle, high) = (gap.p10.value, gap.p50.value, gap.p90.value);
        let short = year.short_worlds * 100.0;
        println!(
            "{}{need:>12.0}{low:>+12.0}{middle:>+12.0}{high:>+12.0}{short:>13.0} %",
            year.year
        );
    }
    Ok(())
}
