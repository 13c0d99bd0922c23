//! The smallest number that holds, by galloping from a guess and halving.

/// A number of replicas that holds, and the next lower one tried that does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fewest {
    pub(super) held: u64,
    pub(super) broken: Option<u64>,
}

impl Fewest {
    /// The number below the smallest one that may hold, where none is below `floor`.
    pub(super) fn broken_or(self, floor: u64) -> u64 {
        self.broken.unwrap_or(floor.min(self.held).saturating_sub(1))
    }
}

/// The smallest number from `floor` to `most` that holds, sought around `start`, to one part in
/// `parts` or to one; `None` where not even `most` does. More replicas are taken to hold wherever
/// fewer do.
pub(super) fn fewest(
    (floor, start, most): (u64, u64, u64),
    parts: u64,
    mut holds: impl FnMut(u64) -> bool,
) -> Option<Fewest> {
    let step = |count: u64| (count / parts).max(1);
    let start = start.clamp(floor, most);
    let mut broken = None;
    let mut held = start;
    if holds(start) {
        // The closed form asked for too many: downwards.
        let mut reach = (start / 50).max(1);
        while held > floor {
            let next = held.saturating_sub(reach).max(floor);
            if !holds(next) {
                broken = Some(next);
                break;
            }
            held = next;
            reach = reach.saturating_mul(2);
        }
    } else {
        broken = Some(start);
        let mut reach = (start / 10).max(1);
        loop {
            if broken == Some(most) {
                return None;
            }
            held = held.saturating_add(reach).min(most);
            if holds(held) {
                break;
            }
            broken = Some(held);
            reach = reach.saturating_mul(2);
        }
    }
    while let Some(low) = broken.filter(|low| held - low > step(held)) {
        let middle = u64::midpoint(low, held);
        if holds(middle) { held = middle } else { broken = Some(middle) }
    }
    Some(Fewest { held, broken })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESOLUTION: u64 = 200;

    #[test]
    fn the_fewest_are_found_from_wherever_the_search_starts() {
        for wanted in [1, 2, 3, 10, 97, 150] {
            for start in [1, 2, 9, 100, 400] {
                let found = fewest((1, start, 1_000), RESOLUTION, |count| count >= wanted);
                let broken = (wanted > 1).then(|| wanted - 1);
                assert_eq!(found, Some(Fewest { held: wanted, broken }), "{wanted} {start}");
            }
        }
        // Nothing below the floor, nothing above the most.
        assert_eq!(
            fewest((5, 9, 50), RESOLUTION, |_| true),
            Some(Fewest { held: 5, broken: None })
        );
        assert_eq!(fewest((5, 9, 50), RESOLUTION, |_| false), None);
        assert_eq!(
            fewest((5, 60, 50), RESOLUTION, |count| count >= 50).map(|found| found.held),
            Some(50)
        );
        // Large numbers to one part in 200.
        let found =
            fewest((1, 9_000, 100_000), RESOLUTION, |count| count >= 12_345).expect("it is there");
        assert!(found.held >= 12_345 && found.held <= 12_345 + 12_345 / 199, "{found:?}");
    }
}
