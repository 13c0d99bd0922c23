//! What becomes of interactive calls that find no free GPU: a smaller model answers, they are
//! asked again later, or they stay unserved. Which GPUs are free is decided in
//! [`super::dispatch`].

use super::dispatch::{Dispatch, Merit};
use super::world::{Policy, World};

/// What a class asked for in one epoch, in calls per second, and what became of it beyond what
/// was served in full.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Fate {
    /// Answered by the smaller model.
    pub degraded: f64,
    /// Refused.
    pub refused: f64,
}

impl Policy {
    /// Shares a shortage out: of `asked` calls `left` found no GPU for an answer in full. An
    /// answer of the smaller model takes `degraded_work` of the GPU time, so that each call
    /// turned over to it makes room for `1 - degraded_work` of another; at most `most_degraded` of
    /// what was asked is turned over, and no more than the GPUs of this class can answer.
    pub(super) fn settle(&self, asked: f64, left: f64) -> Fate {
        let gained = 1.0 - self.degraded_work;
        if left <= 0.0 || gained <= 0.0 || self.most_degraded <= 0.0 {
            return Fate { degraded: 0.0, refused: left.max(0.0) };
        }
        let held = (asked - left).max(0.0);
        let most = self.most_degraded * asked;
        let answered = if self.degraded_work > 0.0 { held / self.degraded_work } else { most };
        let degraded = (left / gained).min(most).min(answered);
        let refused = left - degraded * gained;
        // What rounding leaves of a shortage that is exactly covered.
        Fate { degraded, refused: if refused <= asked * 1e-12 { 0.0 } else { refused } }
    }

    /// Calls for which GPUs must be added, when the smaller model may take over what it may.
    pub(super) fn missing(&self, asked: f64, left: f64) -> f64 {
        let spared = self.most_degraded * asked * (1.0 - self.degraded_work).max(0.0);
        let missing = left - spared;
        if missing <= asked * 1e-12 { 0.0 } else { missing }
    }
}

/// Refused calls on their way back.
#[derive(Debug, Clone)]
pub(super) struct Returns {
    /// Epochs x classes, calls per second; epochs modulo the longest way.
    coming: Vec<f64>,
    classes: usize,
    epochs: usize,
    /// One past the last epoch in which some come back.
    until: usize,
    /// Calls per second that come back in this epoch.
    pub now: Vec<f64>,
}

impl Returns {
    pub fn new(world: &World) -> Self {
        let classes = world.classes.len();
        let longest = world.policies.iter().map(|policy| policy.returns_after).max();
        let epochs = longest.unwrap_or(1) + 1;
        Self {
            coming: vec![0.0; epochs * classes],
            classes,
            epochs,
            until: 0,
            now: vec![0.0; classes],
        }
    }

    /// Whether any call comes back in an epoch; then `now` has them.
    pub fn begin(&mut self, epoch: usize) -> bool {
        if epoch >= self.until {
            // Once: what came in the last epoch of a stretch is gone.
            if epoch == self.until {
                self.now.fill(0.0);
            }
            return false;
        }
        let first = epoch % self.epochs * self.classes;
        let slot = &mut self.coming[first..first + self.classes];
        self.now.copy_from_slice(slot);
        slot.fill(0.0);
        self.now.iter().any(|calls| *calls > 0.0)
    }

    /// Sends `calls` per second of a class back, by its policy. Returns how many come back.
    pub fn send(&mut self, epoch: usize, class: usize, policy: &Policy, calls: f64) -> f64 {
        let back = calls * policy.returning;
        if back > 0.0 {
            let at = epoch + policy.returns_after;
            self.coming[at % self.epochs * self.classes + class] += back;
            self.until = self.until.max(at + 1);
        }
        back
    }

    /// Calls per second still on their way, each for one epoch.
    pub fn waiting(&self) -> f64 {
        self.coming.iter().sum()
    }
}

/// What the loop keeps for epochs in which something finds no GPU; all by class, in calls per
/// second.
#[derive(Debug, Clone)]
pub(super) struct Shortage {
    /// What is asked for the first time in this epoch.
    pub asked: Vec<f64>,
    /// What of it and of what came back is refused.
    pub refused: Vec<f64>,
    /// What of that does not come back.
    pub lost: Vec<f64>,
    /// What own capacity alone would have refused, on its way back.
    own_returns: Returns,
    /// What own capacity and contracts refuse, on its way back.
    pub returns: Returns,
    /// What of the calls that came back is not served yet.
    late: Vec<f64>,
    /// Whether `late` holds anything of an epoch before.
    stale: bool,
    /// Free GPUs of own capacity alone.
    pub free: Vec<f64>,
    scratch: Vec<f64>,
}

impl Shortage {
    pub fn new(world: &World) -> Self {
        let none = vec![0.0; world.classes.len()];
        Self {
            asked: none.clone(),
            refused: none.clone(),
            lost: none.clone(),
            own_returns: Returns::new(world),
            returns: Returns::new(world),
            late: none.clone(),
            stale: false,
            free: vec![0.0; world.pools.len()],
            scratch: none,
        }
    }

    /// Serves calls that came back from what is still free; what is left of the others stays.
    pub fn serve_returns<const N: usize>(&mut self, dispatch: &mut Dispatch, merit: [&Merit; N]) {
        if self.late.iter().all(|calls| *calls <= 0.0) {
            return;
        }
        std::mem::swap(&mut dispatch.residual, &mut self.late);
        dispatch.wait();
        for list in merit {
            dispatch.serve(list);
        }
        std::mem::swap(&mut dispatch.residual, &mut self.late);
        dispatch.wait();
    }

    /// Shares out what own capacity alone leaves of what is asked, `left`, and of what it would
    /// have refused before; sends that back on its own way. What training lends is not for it.
    pub fn settle_own(
        &mut self,
        world: &World,
        epoch: usize,
        dispatch: &Dispatch,
        merit: [&Merit; 2],
    ) {
        self.free.copy_from_slice(&dispatch.free);
        self.scratch.copy_from_slice(&self.own_returns.now);
        for list in merit {
            list.take(&mut self.free, &mut self.scratch);
        }
        for (index, class) in world.classes.iter().enumerate() {
            let policy = &world.policies[class.workload];
            let asked = self.asked[index] + self.own_returns.now[index];
            let fate = policy.settle(asked, dispatch.residual[index] + self.scratch[index]);
            self.refused[index] = fate.refused;
            let back = self.own_returns.send(epoch, index, policy, fate.refused);
            self.lost[index] = fate.refused - back;
        }
    }

    /// Shares out what own capacity and contracts leave of what is asked, `left`, and of what came
    /// back; sends back what is refused. Returns the calls per second that the smaller model
    /// answers, and those that will come back.
    pub fn settle(&mut self, world: &World, epoch: usize, left: &[f64]) -> (f64, f64) {
        let (mut degraded, mut returned) = (0.0, 0.0);
        for (index, class) in world.classes.iter().enumerate() {
            let policy = &world.policies[class.workload];
            let asked = self.asked[index] + self.returns.now[index];
            let fate = policy.settle(asked, left[index] + self.late[index]);
            let back = self.returns.send(epoch, index, policy, fate.refused);
            self.refused[index] = fate.refused;
            self.lost[index] = fate.refused - back;
            degraded += fate.degraded;
            returned += back;
        }
        (degraded, returned)
    }

    /// What GPUs must be added for, of what is `left` of what is asked for the first time.
    pub fn missing(&mut self, world: &World, left: &[f64]) -> &[f64] {
        for (index, class) in world.classes.iter().enumerate() {
            let policy = &world.policies[class.workload];
            self.scratch[index] = policy.missing(self.asked[index], left[index]);
        }
        &self.scratch
    }

    /// Begins an epoch. Returns whether refused calls come back in it.
    pub fn begin(&mut self, epoch: usize) -> bool {
        let any = self.own_returns.begin(epoch) | self.returns.begin(epoch);
        if any | self.stale {
            self.late.copy_from_slice(&self.returns.now);
            self.stale = any;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(degraded_work: f64, most_degraded: f64) -> Policy {
        Policy { degraded_work, most_degraded, ..Policy::default() }
    }

    #[test]
    fn a_shortage_is_shared_out_as_worked_by_hand() {
        // 100 asked, 70 served. At a quarter of the work each call turned over makes room for 3/4
        // of another: 40 turned over leave none refused: 60 + 40 / 4 = 70.
        assert_eq!(policy(0.25, 0.5).settle(100.0, 30.0), Fate { degraded: 40.0, refused: 0.0 });
        // At most 20: room for 15 of the 30.
        assert_eq!(policy(0.25, 0.2).settle(100.0, 30.0), Fate { degraded: 20.0, refused: 15.0 });
        // 5 served: the GPUs answer 20 in small and nothing else.
        assert_eq!(policy(0.25, 1.0).settle(100.0, 95.0), Fate { degraded: 20.0, refused: 80.0 });
        // Nothing is served where there are no GPUs, and no policy changes nothing.
        assert_eq!(policy(0.25, 1.0).settle(100.0, 100.0), Fate { degraded: 0.0, refused: 100.0 });
        assert_eq!(Policy::default().settle(100.0, 30.0), Fate { degraded: 0.0, refused: 30.0 });
        // GPUs must be added for what no smaller model can make room for.
        assert_eq!(policy(0.25, 0.2).missing(100.0, 30.0), 15.0);
        assert_eq!(policy(0.25, 0.5).missing(100.0, 30.0), 0.0);
        assert_eq!(policy(0.25, 1.0).missing(100.0, 100.0), 25.0);
    }

    #[test]
    fn all_calls_have_a_fate() {
        for step in 0..1_000u32 {
            let part = |prime: u32| f64::from(step * prime % 101) / 100.0;
            let policy = policy(part(7), part(11));
            let (asked, left) = (50.0, 50.0 * part(13));
            let fate = policy.settle(asked, left);
            let full = asked - fate.degraded - fate.refused;
            assert!(full >= -1e-9 && fate.degraded >= 0.0 && fate.refused >= 0.0, "{step}");
            // GPU time in full answers: never more than was there.
            let used = full + fate.degraded * policy.degraded_work;
            assert!(used <= asked - left + 1e-9, "{step} {fate:?}");
        }
    }
}
