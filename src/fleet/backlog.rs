//! Deferrable work waiting for spare capacity: what is due first is done first, what reaches its
//! deadline is dropped. Which capacity is spare is decided in [`super::dispatch`].

/// Deferrable work by the epoch in which it is due.
#[derive(Debug, Clone)]
pub struct Backlog {
    /// Deadline in epochs of each kind of work, the epoch of arrival included.
    deadlines: Vec<usize>,
    /// Work by the epoch in which it is due, modulo the longest deadline.
    due: Vec<f64>,
    now: usize,
    /// No work is due before this epoch.
    earliest: usize,
}

/// What a backlog did in one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BacklogStep {
    /// Work done.
    pub done: f64,
    /// Work that reached its deadline undone.
    pub missed: f64,
}

impl Backlog {
    /// An empty backlog for kinds of work with these deadlines in epochs, the epoch of arrival
    /// included; 0 counts as 1.
    #[must_use]
    pub fn new(deadlines: &[usize]) -> Self {
        let deadlines: Vec<usize> = deadlines.iter().map(|epochs| (*epochs).max(1)).collect();
        let longest = deadlines.iter().copied().max().unwrap_or(1);
        Self { deadlines, due: vec![0.0; longest], now: 0, earliest: 0 }
    }

    /// Takes in what arrives of each kind, spends `capacity` on what is due first, drops what is
    /// due at the end of the epoch before and was not done.
    pub fn step(&mut self, arrivals: &[f64], capacity: f64) -> BacklogStep {
        let length = self.due.len();
        // The slot of the epoch before is free from now on.
        let past = (self.now + length - 1) % length;
        let missed = std::mem::take(&mut self.due[past]);
        self.earliest = self.earliest.max(self.now);
        for (work, deadline) in arrivals.iter().zip(&self.deadlines) {
            if *work > 0.0 {
                let due = self.now + deadline - 1;
                self.due[due % length] += work;
                self.earliest = self.earliest.min(due);
            }
        }
        let mut left = capacity.max(0.0);
        let mut done = 0.0;
        let last = self.now + length - 1;
        while left > 0.0 && self.earliest <= last {
            let waiting = &mut self.due[self.earliest % length];
            let taken = waiting.min(left);
            *waiting -= taken;
            done += taken;
            left -= taken;
            if *waiting > 0.0 || self.earliest == last {
                break;
            }
            self.earliest += 1;
        }
        self.now += 1;
        BacklogStep { done, missed }
    }

    /// Work still waiting.
    #[must_use]
    pub fn waiting(&self) -> f64 {
        self.due.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_serves_the_oldest_first_and_drops_what_is_due() {
        let mut backlog = Backlog::new(&[2]);
        assert_eq!(backlog.step(&[10.0], 4.0), BacklogStep { done: 4.0, missed: 0.0 });
        assert_eq!(backlog.step(&[5.0], 3.0), BacklogStep { done: 3.0, missed: 0.0 });
        // 3 of the first epoch reach their deadline; then 5 waiting and 1 new.
        assert_eq!(backlog.step(&[1.0], 5.5), BacklogStep { done: 5.5, missed: 3.0 });
        assert_eq!(backlog.waiting(), 0.5);
        assert_eq!(backlog.step(&[0.0], 100.0), BacklogStep { done: 0.5, missed: 0.0 });
    }

    #[test]
    fn what_is_due_first_goes_before_what_came_first() {
        // Kinds due within 3 epochs and within 1.
        let mut backlog = Backlog::new(&[3, 1]);
        assert_eq!(backlog.step(&[6.0, 0.0], 0.0), BacklogStep::default());
        // The 2 that are due now go before the 6 that came first.
        assert_eq!(backlog.step(&[0.0, 2.0], 3.0), BacklogStep { done: 3.0, missed: 0.0 });
        assert_eq!(backlog.step(&[1.0, 4.0], 3.0), BacklogStep { done: 3.0, missed: 0.0 });
        // Six of the nine that were due are dropped; half of the 1 due later is done.
        assert_eq!(backlog.step(&[0.0, 0.0], 0.5), BacklogStep { done: 0.5, missed: 6.0 });
        assert_eq!(backlog.waiting(), 0.5);
        assert_eq!(backlog.step(&[0.0, 0.0], 0.0), BacklogStep { done: 0.0, missed: 0.0 });
        assert_eq!(backlog.step(&[0.0, 0.0], 0.0), BacklogStep { done: 0.0, missed: 0.5 });
    }

    /// The same from a list of all pieces of work, sorted anew in every epoch.
    #[test]
    fn a_backlog_is_as_a_sorted_list_of_all_work() {
        let deadlines = [5, 1, 9];
        let mut backlog = Backlog::new(&deadlines);
        let mut pieces: Vec<(usize, f64)> = Vec::new();
        for epoch in 0..3_000usize {
            let arrivals = [7, 11, 13]
                .map(|step| (epoch * step % 17) as f64 * f64::from(u8::from(epoch % step != 0)));
            let capacity = (epoch * 29 % 47) as f64;
            let missed: f64 =
                pieces.iter().filter(|(due, _)| *due < epoch).map(|(_, work)| work).sum();
            pieces.retain(|(due, _)| *due >= epoch);
            pieces.extend(deadlines.iter().zip(arrivals).map(|(d, work)| (epoch + d - 1, work)));
            pieces.sort_by_key(|(due, _)| *due);
            let mut left = capacity;
            for (_, work) in &mut pieces {
                let taken = work.min(left);
                *work -= taken;
                left -= taken;
            }
            let expected = BacklogStep { done: capacity - left, missed };
            assert_eq!(backlog.step(&arrivals, capacity), expected, "epoch {epoch}");
        }
        assert_eq!(backlog.waiting(), pieces.iter().map(|(_, work)| work).sum::<f64>());
    }

    #[test]
    fn a_backlog_loses_nothing() {
        let mut backlog = Backlog::new(&[24]);
        let (mut arrived, mut gone) = (0.0, 0.0);
        for epoch in 0..5_000u32 {
            let work = f64::from(epoch * 37 % 101);
            let step = backlog.step(&[work], f64::from(epoch * 53 % 97));
            arrived += work;
            gone += step.done + step.missed;
        }
        assert_eq!(arrived, gone + backlog.waiting());
    }
}
