//! Who gets memory, and who gives it back: admission, preemption, completion.

use super::super::calls::Call;
use super::super::kv_cache::{BLOCK, blocks_of};
use super::super::request::{Observer, Retained};
use super::{Replica, wrapped};
use crate::hardware::{KV_UNIT, StepWork};
use crate::time::EngineTime;

impl Replica<'_> {
    /// Blocks that a call takes, and those of an earlier turn's context that it finds.
    #[inline]
    fn needs(&self, call: &Call) -> (u64, u64) {
        if call.started() || self.cache.blocks() == 0 {
            return (blocks_of(self.context_wanted(call)), 0);
        }
        let found = self.cache.held(call.ticket()).min(u64::from(call.prompt - 1) / BLOCK);
        (blocks_of(u64::from(call.prompt)), found)
    }

    /// Whether the head of the line could have memory now.
    #[inline]
    pub(super) fn fits(&self, index: u32) -> bool {
        // Found blocks are needed and available all the same.
        self.needs(&self.calls[index]).0 <= self.available_blocks()
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        let running = u64::from(self.calls.decoding()) + self.ready.len() as u64;
        running >= u64::from(self.scheduler.max_sequences)
    }

    /// Gives memory to the head of the line and takes it out.
    #[inline(always)]
    fn admit<O: Observer>(&mut self, index: u32, observer: &mut O) {
        let call = &self.calls[index];
        let (needed, found) = self.needs(call);
        let (priority, ticket) = (call.priority, call.ticket());
        if self.cache.blocks() > 0 {
            self.free_blocks += self.cache.take(ticket);
        }
        self.take_blocks(needed);
        self.line.take_head(priority, &self.calls);
        let call = &mut self.calls[index];
        let known = ((found * BLOCK) as u32).max(call.cached);
        (call.start, call.finish) = (known, known);
        if call.admit() {
            observer.admitted(call.id, &call.request(), EngineTime(self.now));
        }
    }

    /// Lets handed calls decode at once, as long as they come first and fit.
    pub(super) fn admit_handed<O: Observer>(&mut self, observer: &mut O) {
        while let Some(index) = self.line.head(&mut self.calls) {
            if !self.calls[index].comes_ready() || self.is_full() || !self.fits(index) {
                return;
            }
            self.admit(index, observer);
            if self.paced {
                self.pace.begin(self.now, self.step, self.calls.decoding() == 0);
            }
            if self.is_late(&self.calls[index]) {
                self.abandon(index, observer);
                self.drop_prefill(index);
                self.calls.remove(index);
                continue;
            }
            let call = &mut self.calls[index];
            call.first_token = self.now;
            observer.first_token(call.id, EngineTime(self.now));
            self.start_decoding(index, observer);
        }
    }

    /// Fills the step with prompt tokens, first come first served.
    #[inline(always)]
    pub(super) fn plan_prefill<O: Observer>(
        &mut self,
        work: &mut StepWork,
        mut budget: u64,
        observer: &mut O,
    ) {
        while budget > 0 {
            if let Some(index) = self.prefilling {
                let context = self.context_wanted(&self.calls[index]);
                let head = &mut self.calls[index];
                let computed = u64::from(head.start);
                let chunk = budget.min(context - computed);
                work.add_chunk(chunk, computed);
                head.start += chunk as u32;
                budget -= chunk;
                if u64::from(head.start) < context {
                    return;
                }
                self.ready.push(index);
                self.prefilling = None;
                if budget == 0 {
                    return;
                }
            }
            match self.line.head(&mut self.calls) {
                Some(index) if !self.is_full() && self.fits(index) => {
                    if self.calls[index].comes_ready() {
                        return;
                    }
                    self.admit(index, observer);
                    self.prefilling = Some(index);
                }
                _ => return,
            }
        }
    }

    /// Gives the decoding sequences the blocks of their next token; the newest ones of the least
    /// urgent priority lose their memory while there are not enough. Whether any did.
    #[inline]
    pub(super) fn claim_blocks(&mut self) -> bool {
        let mut preempted = false;
        loop {
            let wanted = u64::from(self.claims[self.residue as usize]);
            if wanted <= self.available_blocks() {
                self.take_blocks(wanted);
                return preempted;
            }
            // What nobody uses goes before what somebody does.
            let kept = self.cache.blocks();
            self.cache.evict(kept);
            self.free_blocks += kept;
            self.preempt();
            preempted = true;
        }
    }

    /// Takes the memory of the newest of the least urgent and puts it back at the head of its
    /// line.
    #[cold]
    fn preempt(&mut self) {
        self.totals.preemptions += 1;
        let newest = self.calls.least_urgent();
        if let Some(head) = self.prefilling {
            let urgent = |index: u32| self.calls[index].priority;
            if newest.is_none_or(|newest| urgent(head) >= urgent(newest)) {
                self.prefilling = None;
                self.drop_prefill(head);
                self.void_ticket(head);
                self.line.put_back(head, &mut self.calls);
                return;
            }
        }
        let Some(newest) = newest else { return };
        self.calls.stop(newest);
        let steps = self.step.wrapping_sub(self.calls[newest].start);
        self.return_memory(newest, steps, false);
        self.calls[newest].done += steps;
        self.void_ticket(newest);
        self.line.put_back(newest, &mut self.calls);
    }

    fn void_ticket(&mut self, index: u32) {
        let call = &mut self.calls[index];
        (call.start, call.finish) = (Retained::NONE.entry, Retained::NONE.stamp);
    }

    /// Frees the blocks of a prompt in progress, whose work was in vain.
    pub(super) fn drop_prefill(&mut self, index: u32) {
        let call = &self.calls[index];
        self.free_blocks += blocks_of(self.context_wanted(call));
        self.totals.recomputed_prefill += u64::from(call.start - call.finish);
    }

    /// Returns the memory and the claims of a sequence after `steps` decode steps; with `keep`
    /// its whole blocks go to the prefix cache.
    #[inline(always)]
    pub(super) fn return_memory(&mut self, index: u32, steps: u32, keep: bool) -> Retained {
        let call = &self.calls[index];
        let (context, steps) = (self.context_at_start(call), u64::from(steps));
        let grown = steps * self.step_time.growth();
        let held = self.blocks.held(context, steps);
        self.claims[call.residue as usize] -= 1;
        self.kv -= context * KV_UNIT + grown;
        let kept = if keep { (context + grown / KV_UNIT) / BLOCK } else { 0 };
        self.free_blocks += held - kept;
        if keep { self.cache.release(kept) } else { Retained::NONE }
    }

    /// Lets a call decode from the next decode step on, or completes it where one token was all.
    #[inline(always)]
    pub(super) fn start_decoding<O: Observer>(&mut self, index: u32, observer: &mut O) {
        let call = &self.calls[index];
        let context = self.context_at_start(call);
        let left = self.step_time.steps_for(u64::from(call.output - 1)) - u64::from(call.done);
        if left == 0 {
            let kept = if call.keep() { context / BLOCK } else { 0 };
            self.free_blocks += blocks_of(context) - kept;
            let retained = if kept > 0 { self.cache.release(kept) } else { Retained::NONE };
            self.complete(index, retained, observer);
            return;
        }
        let free = self.blocks.free_steps(context) as u32;
        let period = self.blocks.period as u32;
        let residue = wrapped(self.residue + free, period);
        self.claims[residue as usize] += 1;
        self.kv += context * KV_UNIT;
        let (start, finish) = (self.step, self.step.wrapping_add(left as u32));
        let call = &mut self.calls[index];
        (call.residue, call.start, call.finish) = (residue as u8, start, finish);
        self.calls.start(index, start);
        if O::GAPS {
            self.gaps.start(self.now, 1);
        }
    }
}
