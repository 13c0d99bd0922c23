//! One replica: a continuously batching engine on the token clock.
//!
//! All decoding sequences advance one step together, so the step in which a sequence ends is known
//! when it starts to decode. The state is a handful of counters plus lists of completions keyed by
//! step number; a step costs O(1) and O(completions), not O(batch). Which work goes into a step is
//! decided here; what it costs in [`crate::hardware::StepTime`].

use std::collections::VecDeque;

use super::kv_cache::{BlockGrowth, blocks_of};
use super::request::{Observer, Request};
use super::slots::{NONE, Running, Slots};
use super::{Prefill, Scheduler};
use crate::hardware::{KV_UNIT, StepTime, StepWork, TICK_BITS};
use crate::time::EngineTime;

/// A request that waits, for the first time or again after a preemption.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) request: Request,
    pub(super) id: u32,
    /// Decode steps already done, all of them lost from memory.
    pub(super) done: u32,
    /// Instant of the first token; meaningful once `started`.
    pub(super) first_token: EngineTime,
    pub(super) started: bool,
}

/// A sequence whose prompt is being computed, part by part.
#[derive(Debug, Clone, Copy)]
struct Prefilling {
    waiting: Waiting,
    context: u64,
    computed: u64,
}

/// Prompt tokens that need not be computed; the last one always is.
fn cached_of(request: &Request) -> u64 {
    u64::from(request.cached).min(u64::from(request.prompt).saturating_sub(1))
}

/// Exact sums over everything that a replica has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Requests that arrived and were admitted to the queue.
    pub arrived: u64,
    /// Requests done.
    pub completed: u64,
    /// Requests that could never fit into memory.
    pub rejected: u64,
    /// Times that a sequence lost its memory and had to be computed again.
    pub preemptions: u64,
    /// Steps.
    pub steps: u64,
    /// Sum of the batch over the decode steps.
    pub decoded: u64,
    /// Decode steps that the recomputing prefills stood in for.
    pub recomputed_steps: u64,
    /// Decode steps that the completed requests had to make.
    pub owed_steps: u64,
    /// Output tokens of completed requests.
    pub output_tokens: u64,
    /// Prompt tokens computed, recomputation included.
    pub prefilled: u64,
    /// Prompt tokens of completed requests that were not cached.
    pub owed_prefill: u64,
    /// Tokens computed again after a preemption, or in vain before one.
    pub recomputed_prefill: u64,
    /// Integral of the number of requests in the system, request-picoseconds.
    pub occupancy: u128,
    /// Sum of the sojourn times of completed requests, picoseconds.
    pub sojourn: u128,
    /// Time in steps, picoseconds.
    pub busy: u64,
}

impl Totals {
    /// Adds another replica's sums.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.completed += other.completed;
        self.rejected += other.rejected;
        self.preemptions += other.preemptions;
        self.steps += other.steps;
        self.decoded += other.decoded;
        self.recomputed_steps += other.recomputed_steps;
        self.owed_steps += other.owed_steps;
        self.output_tokens += other.output_tokens;
        self.prefilled += other.prefilled;
        self.owed_prefill += other.owed_prefill;
        self.recomputed_prefill += other.recomputed_prefill;
        self.occupancy += other.occupancy;
        self.sojourn += other.sojourn;
        self.busy += other.busy;
    }
}

/// One replica. Feed it requests in order of arrival with [`Replica::enqueue`] and let it run with
/// [`Replica::advance`].
#[derive(Debug, Clone)]
pub struct Replica<'a> {
    step_time: &'a StepTime,
    scheduler: &'a Scheduler,
    blocks: BlockGrowth,
    total_blocks: u64,
    free_blocks: u64,
    now: u64,
    below: u64,
    step: u64,
    residue: usize,
    kv: u64,
    claims: Vec<u32>,
    queue: VecDeque<Waiting>,
    arrived: usize,
    in_system: u64,
    counted_until: u64,
    prefilling: Option<Prefilling>,
    ready: Vec<Prefilling>,
    slots: Slots,
    totals: Totals,
}

impl<'a> Replica<'a> {
    /// An idle, empty replica with room for `kv_tokens` context tokens.
    #[must_use]
    pub fn new(step_time: &'a StepTime, scheduler: &'a Scheduler, kv_tokens: u64) -> Self {
        let blocks = BlockGrowth::new(step_time.growth());
        let total_blocks = kv_tokens / super::kv_cache::BLOCK;
        Self {
            step_time,
            scheduler,
            blocks,
            total_blocks,
            free_blocks: total_blocks,
            now: 0,
            below: 0,
            step: 0,
            residue: 0,
            kv: 0,
            claims: vec![0; blocks.period as usize],
            queue: VecDeque::new(),
            arrived: 0,
            in_system: 0,
            counted_until: 0,
            prefilling: None,
            ready: Vec::new(),
            slots: Slots::new(),
            totals: Totals::default(),
        }
    }

    /// Hands over a request; `false` when it could never fit into memory and is rejected.
    /// Requests come in order of arrival.
    pub fn enqueue(&mut self, id: u32, request: Request) -> bool {
        let steps = self.step_time.steps_for(u64::from(request.output.max(1) - 1));
        let whole = blocks_of(u64::from(request.prompt)) + steps / self.blocks.period + 3;
        if whole > self.total_blocks {
            self.totals.rejected += 1;
            return false;
        }
        let first_token = EngineTime(0);
        self.queue.push_back(Waiting { request, id, done: 0, first_token, started: false });
        true
    }

    /// Requests handed over and not done: what a load report says.
    #[must_use]
    pub fn load(&self) -> u64 {
        let pending = self.queue.len() - self.arrived;
        self.in_system + pending as u64
    }

    /// The sums so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// End of the last step.
    #[must_use]
    pub fn now(&self) -> EngineTime {
        EngineTime(self.now)
    }

    /// Runs every step that starts before `until`; all requests that arrive before `until` must
    /// have been handed over.
    pub fn advance<O: Observer>(&mut self, until: EngineTime, observer: &mut O) {
        while self.now < until.0 {
            self.take_arrivals();
            if self.slots.is_empty() && self.prefilling.is_none() && self.arrived == 0 {
                match self.queue.front() {
                    Some(next) if next.request.arrival < until => {
                        self.now = next.request.arrival.0;
                        self.below = 0;
                        continue;
                    }
                    _ => return,
                }
            }
            let full = self.slots.len() >= u64::from(self.scheduler.max_sequences);
            let steady = self.prefilling.is_none() && (self.arrived == 0 || full);
            if !steady || !self.coast(until, observer) {
                self.take_step(observer);
            }
        }
    }

    /// Decodes an unchanged batch until something may happen: an arrival that can be admitted, a
    /// completion, a shortage of memory, or `until`. Whether any step was made.
    #[inline]
    fn coast<O: Observer>(&mut self, until: EngineTime, observer: &mut O) -> bool {
        let next = self.queue.front().map_or(u64::MAX, |next| next.request.arrival.0);
        let stop = if self.arrived == 0 { until.0.min(next) } else { until.0 };
        let decode = self.slots.len();
        let mut run = self.step_time.decode_run(decode, self.kv);
        let (start, first) = (self.now, self.step);
        let mut ended = false;
        while self.now < stop && !ended {
            let wanted = u64::from(self.claims[self.residue]);
            if wanted > self.free_blocks {
                break;
            }
            self.free_blocks -= wanted;
            let ticks = self.below + run.next_ticks();
            self.now += ticks >> TICK_BITS;
            self.below = ticks & ((1 << TICK_BITS) - 1);
            self.next_step();
            ended = self.slots.may_finish(self.step);
        }
        let steps = self.step - first;
        self.kv += steps * decode * self.step_time.growth();
        self.totals.busy += self.now - start;
        self.totals.steps += steps;
        self.totals.decoded += steps * decode;
        if ended {
            self.take_arrivals();
            self.complete_finished(observer);
        }
        steps > 0
    }

    #[inline]
    fn next_step(&mut self) {
        self.step += 1;
        self.residue += 1;
        if self.residue == self.claims.len() {
            self.residue = 0;
        }
    }

    /// Runs until every request is done, then checks the books.
    ///
    /// # Panics
    /// When the sums do not balance: a defect of this engine.
    pub fn finish<O: Observer>(&mut self, observer: &mut O) {
        self.advance(EngineTime(u64::MAX), observer);
        let sums = &self.totals;
        assert_eq!(sums.occupancy, sums.sojourn, "Little's law");
        assert_eq!(sums.arrived, sums.completed, "requests are conserved");
        assert_eq!(sums.decoded + sums.recomputed_steps, sums.owed_steps, "tokens out");
        assert_eq!(sums.prefilled, sums.owed_prefill + sums.recomputed_prefill, "tokens in");
        assert_eq!((self.free_blocks, self.kv), (self.total_blocks, 0), "memory is returned");
    }

    /// Counts the requests that have arrived by now.
    #[inline]
    fn take_arrivals(&mut self) {
        while let Some(next) = self.queue.get(self.arrived) {
            let at = next.request.arrival.0;
            if at > self.now {
                break;
            }
            if at < self.counted_until {
                // Handed over after the step in flight had been settled.
                self.totals.occupancy += u128::from(self.counted_until - at);
            } else {
                self.count_until(at);
            }
            self.in_system += 1;
            self.arrived += 1;
            self.totals.arrived += 1;
        }
    }

    #[inline]
    fn count_until(&mut self, at: u64) {
        let span = at - self.counted_until;
        self.totals.occupancy += u128::from(self.in_system) * u128::from(span);
        self.counted_until = at;
    }

    /// Plans one step, lets its time pass and settles what it did.
    #[inline]
    fn take_step<O: Observer>(&mut self, observer: &mut O) {
        let mut work = StepWork::default();
        let blocking = self.scheduler.prefill == Prefill::Blocking;
        if blocking {
            self.plan_prefill(&mut work, u64::from(self.scheduler.token_budget));
        }
        let decodes = !blocking || (work.prefill == 0 && self.ready.is_empty());
        if decodes {
            let preempted = self.claim_blocks();
            work.decode = self.slots.len();
            work.kv = self.kv;
            if !blocking && !preempted {
                let budget = u64::from(self.scheduler.token_budget).saturating_sub(work.decode);
                self.plan_prefill(&mut work, budget);
            }
        }
        self.pass_time(&work);
        self.take_arrivals();
        if decodes {
            self.finish_decode_step(work.decode, observer);
        }
        if !self.ready.is_empty() {
            self.start_ready(observer);
        }
    }

    #[inline]
    fn pass_time(&mut self, work: &StepWork) {
        let ticks = self.below + self.step_time.ticks(work);
        let before = self.now;
        self.now += ticks >> TICK_BITS;
        self.below = ticks & ((1 << TICK_BITS) - 1);
        self.totals.busy += self.now - before;
        self.totals.steps += 1;
        self.totals.decoded += work.decode;
        self.totals.prefilled += work.prefill;
    }

    /// Gives the decoding sequences the blocks of their next token; the newest ones lose their
    /// memory while there are not enough. Whether any did.
    #[inline]
    fn claim_blocks(&mut self) -> bool {
        let mut preempted = false;
        loop {
            let wanted = u64::from(self.claims[self.residue]);
            if wanted <= self.free_blocks {
                self.free_blocks -= wanted;
                return preempted;
            }
            self.preempt_newest();
            preempted = true;
        }
    }

    /// Fills the step with prompt tokens, first come first served.
    #[inline]
    fn plan_prefill(&mut self, work: &mut StepWork, mut budget: u64) {
        loop {
            if budget == 0 {
                return;
            }
            if let Some(head) = &mut self.prefilling {
                let chunk = budget.min(head.context - head.computed);
                work.add_chunk(chunk, head.computed);
                head.computed += chunk;
                budget -= chunk;
                if head.computed < head.context {
                    return;
                }
                self.ready.push(*head);
                self.prefilling = None;
            }
            let running = self.slots.len() + self.ready.len() as u64;
            let full = running >= u64::from(self.scheduler.max_sequences);
            if self.arrived == 0 || full || !self.admit() {
                return;
            }
        }
    }

    /// Moves the head of the queue into memory; `false` when it does not fit now.
    fn admit(&mut self) -> bool {
        let waiting = self.queue[0];
        let context = self.context_of(&waiting);
        let blocks = blocks_of(context);
        if blocks > self.free_blocks {
            return false;
        }
        self.free_blocks -= blocks;
        self.queue.pop_front();
        self.arrived -= 1;
        let computed = cached_of(&waiting.request);
        self.prefilling = Some(Prefilling { waiting, context, computed });
        true
    }

    /// Tokens to be in memory before the next token can be made.
    fn context_of(&self, waiting: &Waiting) -> u64 {
        let prompt = u64::from(waiting.request.prompt);
        if !waiting.started {
            return prompt;
        }
        prompt + (u64::from(waiting.done) + 1) * self.step_time.growth() / KV_UNIT
    }

    /// Takes the memory of the newest sequence and puts it back at the head of the queue.
    #[cold]
    fn preempt_newest(&mut self) {
        self.totals.preemptions += 1;
        if let Some(head) = self.prefilling.take() {
            self.free_blocks += blocks_of(head.context);
            self.totals.recomputed_prefill += head.computed - cached_of(&head.waiting.request);
            self.requeue(head.waiting);
            return;
        }
        let newest = self.slots.newest();
        debug_assert_ne!(newest, NONE);
        let running = self.slots.remove(newest);
        let steps = self.step - running.start;
        self.forget(&running, steps);
        let mut waiting = running.waiting;
        waiting.done += steps as u32;
        self.requeue(waiting);
    }

    fn requeue(&mut self, waiting: Waiting) {
        self.queue.push_front(waiting);
        self.arrived += 1;
    }

    /// Returns the memory and the claims of a sequence after `steps` decode steps.
    #[inline]
    fn forget(&mut self, running: &Running, steps: u64) {
        self.free_blocks += self.blocks.held(running.context, steps);
        self.kv -= running.context * KV_UNIT + steps * self.step_time.growth();
        self.claims[running.class as usize] -= 1;
    }

    /// Counts a decode step and completes the sequences that end with it.
    #[inline]
    fn finish_decode_step<O: Observer>(&mut self, decode: u64, observer: &mut O) {
        self.next_step();
        self.kv += decode * self.step_time.growth();
        self.complete_finished(observer);
    }

    #[inline]
    fn complete_finished<O: Observer>(&mut self, observer: &mut O) {
        while let Some(running) = self.slots.pop_finished(self.step) {
            self.forget(&running, running.finish - running.start);
            self.complete(&running.waiting, observer);
        }
    }

    /// Gives the sequences whose prompt is done their next token and lets them decode.
    fn start_ready<O: Observer>(&mut self, observer: &mut O) {
        for index in 0..self.ready.len() {
            let mut head = self.ready[index];
            let waiting = &mut head.waiting;
            if waiting.started {
                waiting.done += 1;
                self.totals.recomputed_steps += 1;
                self.totals.recomputed_prefill += head.context - cached_of(&waiting.request);
            } else {
                waiting.started = true;
                waiting.first_token = EngineTime(self.now);
                observer.first_token(waiting.id, waiting.first_token);
            }
            let tokens = u64::from(waiting.request.output.max(1) - 1);
            let left = self.step_time.steps_for(tokens) - u64::from(waiting.done);
            if left == 0 {
                self.free_blocks += blocks_of(head.context);
                self.complete(&head.waiting, observer);
                continue;
            }
            let free = self.blocks.free_steps(head.context);
            let class = ((self.residue as u64 + free) % self.blocks.period) as u32;
            self.claims[class as usize] += 1;
            self.kv += head.context * KV_UNIT;
            self.slots.insert(Running {
                waiting: head.waiting,
                context: head.context,
                start: self.step,
                finish: self.step + left,
                class,
            });
        }
        self.ready.clear();
    }

    #[inline]
    fn complete<O: Observer>(&mut self, waiting: &Waiting, observer: &mut O) {
        self.count_until(self.now);
        self.in_system -= 1;
        let request = &waiting.request;
        let sums = &mut self.totals;
        sums.completed += 1;
        sums.owed_prefill += u64::from(request.prompt) - cached_of(request);
        sums.sojourn += u128::from(self.now - request.arrival.0);
        sums.output_tokens += u64::from(request.output.max(1));
        sums.owed_steps += self.step_time.steps_for(u64::from(request.output.max(1) - 1));
        observer.finished(waiting.id, request, waiting.first_token, EngineTime(self.now));
    }
}
