//! The smallest candidate block that would serve what is left of an epoch.

use super::world::Class;

/// The smallest candidate block, in GPUs, that serves every residual. With regions it is Hall's
/// condition: for every set of candidate regions, the work that may go nowhere else must fit into
/// the block's part there. Infinite where some work cannot be served by the candidate at all.
pub(super) fn required_block(
    classes: &[Class],
    residual: &[f64],
    cost: &[f64],
    weights: &[f64],
) -> f64 {
    let sets = 1usize << weights.len();
    let mut by_reach = [0.0; 256];
    for (class, left) in classes.iter().zip(residual) {
        if *left > 0.0 {
            let gpus = left * cost[class.workload];
            if class.candidate_reach == 0 || !gpus.is_finite() {
                return f64::INFINITY;
            }
            by_reach[class.candidate_reach as usize] += gpus;
        }
    }
    let mut block: f64 = 0.0;
    for set in 1..sets {
        let inside = (1..sets).filter(|reach| reach & !set == 0);
        let work: f64 = inside.map(|reach| by_reach[reach]).sum();
        let weight: f64 =
            (0..weights.len()).filter(|region| set >> region & 1 == 1).map(|r| weights[r]).sum();
        if work > 0.0 {
            block = block.max(work / weight);
        }
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(candidate_reach: u32) -> Class {
        Class { region: 0, workload: 0, curve: 0, candidate_reach }
    }

    #[test]
    fn a_block_must_fit_the_work_that_can_go_nowhere_else() {
        // Two candidate regions with 3/4 and 1/4 of the block. 30 units may go anywhere, 20 only
        // to the small region: 20 / (1/4) = 80 binds over 50 / 1.
        let classes = [class(0b11), class(0b10)];
        let block = required_block(&classes, &[30.0, 20.0], &[1.0], &[0.75, 0.25]);
        assert_eq!(block, 80.0);
        assert_eq!(required_block(&classes, &[30.0, 5.0], &[1.0], &[0.75, 0.25]), 35.0);
        assert_eq!(required_block(&[class(0)], &[1.0], &[1.0], &[1.0]), f64::INFINITY);
        assert_eq!(required_block(&[class(0)], &[0.0], &[1.0], &[1.0]), 0.0);
    }
}
