//! Does the adequacy loop agree with a system whose exact answer is known?
//!
//! The Roy Billinton Test System from its file. Exact, by convolution: LOLE 1.09156 h, EUE 9.861.

use sparkgap::scenario::System;
use sparkgap::study::{Watch, assess_system};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut system = System::load("configs/systems/rbts.ron")?;
    system.samples = 20_000;
    let found = assess_system(&system, Watch::nobody()).ok_or("stopped")?;
    println!("{}: {} samples of {} hours", system.name, found.samples, found.hours);
    for (name, estimate, exact) in
        [("LOLE, h", found.lole_hours, 1.09156), ("EUE, MWh", found.eue, 9.861)]
    {
        let off = (estimate.mean - exact) / estimate.standard_error;
        println!(
            "{name:<9} {:.4} +- {:.4}, exact {exact}: {off:+.1} standard errors",
            estimate.mean, estimate.standard_error
        );
    }
    Ok(())
}
