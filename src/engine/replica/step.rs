//! One step: what goes into it, how long it takes, what it finishes.

use super::super::Prefill;
use super::super::calls::Call;
use super::super::request::Observer;
use super::{BELOW, Replica, wrapped};
use crate::hardware::{DecodeRun, KV_UNIT, StepWork, TICK_BITS};
use crate::time::EngineTime;

impl Replica<'_> {
    /// Plans one step, lets its time pass and settles what it did.
    #[inline]
    pub(super) fn take_step<O: Observer>(&mut self, observer: &mut O) {
        if self.takes_handed {
            self.admit_handed(observer);
            if self.is_idle() {
                return;
            }
        }
        let mut work = StepWork::default();
        let blocking = self.scheduler.prefill == Prefill::Blocking;
        let budget = u64::from(self.scheduler.token_budget);
        if blocking {
            self.plan_prefill(&mut work, budget, observer);
        }
        let decodes = !blocking || (work.prefill == 0 && self.ready.is_empty());
        if decodes {
            let preempted = self.claim_blocks();
            work.decode = u64::from(self.calls.decoding());
            work.kv = self.kv;
            if !blocking && !preempted {
                let left = budget.saturating_sub(work.decode);
                self.plan_prefill(&mut work, left, observer);
            }
        }
        let begun = self.now;
        self.pass_time(&work);
        if decodes {
            if O::GAPS && work.decode > 0 {
                let run = DecodeRun::of_step(self.step_time.ticks(&work));
                self.gaps.tell(observer, (begun, self.now), work.decode, &run, 1);
            }
            self.next_steps(1);
            self.kv += work.decode * self.step_time.growth();
            self.complete_ended(observer);
        }
        if !self.ready.is_empty() {
            self.start_ready(observer);
        }
    }

    #[inline]
    fn pass_time(&mut self, work: &StepWork) {
        let ticks = self.below + self.step_time.ticks(work);
        self.now += ticks >> TICK_BITS;
        self.below = ticks & BELOW;
        let sums = &mut self.totals;
        self.bare_steps += u64::from(work.decode == 0);
        sums.steps += 1;
        sums.decoded += work.decode;
        sums.context_read += u128::from(work.kv);
        sums.prefilled += work.prefill;
    }

    /// Counts decode steps.
    #[inline]
    pub(super) fn next_steps(&mut self, steps: u32) {
        self.step = self.step.wrapping_add(steps);
        let period = self.blocks.period as u32;
        let residue = self.residue + steps;
        self.residue = if steps <= period { wrapped(residue, period) } else { residue % period };
    }

    /// Completes the sequences that end with the present step number.
    #[inline(always)]
    pub(super) fn complete_ended<O: Observer>(&mut self, observer: &mut O) {
        while let Some(index) = self.calls.take_ended(self.step) {
            let call = &self.calls[index];
            let (steps, keep) = (call.finish.wrapping_sub(call.start), call.keep());
            let retained = self.return_memory(index, steps, keep);
            self.complete(index, retained, observer);
        }
    }

    /// Whether the user of a call that has its first token now has left when he would see it.
    /// What a serving stack adds by the pace of the call is not known yet: the pace of the
    /// sequences of late stands in.
    #[inline]
    pub(super) fn is_late(&self, call: &Call) -> bool {
        let deadline = call.deadline();
        if deadline == u64::MAX || self.first_token.is_none() {
            return deadline < self.now;
        }
        let tpot = if call.output > 1 { self.time_per_token(call) } else { 0.0 };
        deadline < self.now.saturating_add(self.first_token.beyond(call.prompt, tpot))
    }

    /// Time of an output token at the pace of late, where `call` joins the batch; picoseconds.
    fn time_per_token(&self, call: &Call) -> f64 {
        let present = || {
            let decode = u64::from(self.calls.decoding()) + 1;
            let kv = self.kv + self.context_at_start(call) * KV_UNIT;
            self.step_time.ticks(&StepWork { decode, kv, ..StepWork::default() }) >> TICK_BITS
        };
        let step = self.pace.mean(self.now, self.step, present);
        step * KV_UNIT as f64 / self.step_time.growth() as f64
    }

    /// Gives the calls whose prompt is done their next token and lets them decode.
    #[inline(always)]
    fn start_ready<O: Observer>(&mut self, observer: &mut O) {
        if self.paced {
            self.pace.begin(self.now, self.step, self.calls.decoding() == 0);
        }
        for place in 0..self.ready.len() {
            let index = self.ready[place];
            let late = self.is_late(&self.calls[index]);
            let call = &mut self.calls[index];
            if call.started() {
                call.done += 1;
                self.totals.recomputed_steps += 1;
                self.totals.recomputed_prefill += u64::from(call.start - call.finish);
            } else if late {
                self.abandon(index, observer);
                self.drop_prefill(index);
                self.calls.remove(index);
                continue;
            } else {
                self.totals.found += u64::from(call.finish - call.cached);
                call.first_token = self.now;
                observer.first_token(call.id, EngineTime(self.now));
            }
            self.start_decoding(index, observer);
        }
        self.ready.clear();
    }
}
