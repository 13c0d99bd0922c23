//! The accelerator of the tests that work step times by hand.

use sparkgap::hardware::{Accelerator, accelerators};
use sparkgap::units::{Seconds, Share};

/// An H100 of which half the compute and 80 % of the bandwidth are realised, 50 us a layer and
/// nothing a sequence.
pub fn hand_worked() -> Accelerator {
    let mut h100 = accelerators()["h100"].clone();
    h100.efficiency.compute = Share(0.5);
    h100.efficiency.memory = Share(0.8);
    h100.efficiency.narrow_compute = Share(0.5);
    h100.efficiency.layer_overhead = Seconds(50e-6);
    h100.efficiency.sequence_overhead = Seconds(0.0);
    h100
}
