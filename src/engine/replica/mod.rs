//! One replica: a continuously batching engine on the token clock.
//!
//! All decoding sequences advance one step together, so the step in which a sequence ends is known
//! when it starts to decode. The state is a handful of counters plus lists of completions keyed by
//! step number; a step costs O(1) and O(completions), not O(batch), and steps in which nothing
//! else can happen are summed in closed form ([`coast`]). Which work goes into a step is decided in
//! [`step`], who gets memory in [`admit`]; what a step costs in [`crate::hardware::StepTime`].

mod admit;
mod coast;
mod gaps;
mod pace;
mod step;

use self::gaps::Gaps;
use self::pace::Pace;
use super::calls::{Call, Calls};
use super::kv_cache::{BLOCK, BlockGrowth, blocks_of};
use super::line::Line;
use super::prefix_cache::PrefixCache;
use super::request::{Abandonment, Completion, Observer, Request, Retained};
use super::totals::Totals;
use super::{FirstToken, Scheduler};
use crate::hardware::{KV_UNIT, StepTime, TICK_BITS};
use crate::time::EngineTime;

/// Bits of a tick that are below a picosecond.
const BELOW: u64 = (1 << TICK_BITS) - 1;

/// `number` less `period` where it has reached it, without a branch: it cannot be foretold.
#[inline(always)]
fn wrapped(number: u32, period: u32) -> u32 {
    number - period * u32::from(number >= period)
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
    /// Fewest blocks that were ever left to sequences.
    least_blocks: u64,
    now: u64,
    /// Ticks below a picosecond that `now` leaves out.
    below: u64,
    step: u32,
    residue: u32,
    /// Context of the decoding sequences, [`KV_UNIT`] parts of a token.
    kv: u64,
    /// Decoding sequences by the residue of the steps in which they claim a block.
    claims: [u32; BLOCK as usize],
    line: Line,
    calls: Calls,
    cache: PrefixCache,
    /// The call whose prompt is being computed, part by part.
    prefilling: Option<u32>,
    /// Calls whose prompt is done with the step in flight.
    ready: Vec<u32>,
    takes_handed: bool,
    /// What users wait for a first token beyond it.
    first_token: FirstToken,
    /// Whether that goes by their pace, which is looked at only then.
    paced: bool,
    pace: Pace,
    gaps: Gaps,
    /// Picoseconds without a step.
    idle: u64,
    /// Steps in which nothing decoded.
    bare_steps: u64,
    in_system: u64,
    counted_until: u64,
    totals: Totals,
}

impl<'a> Replica<'a> {
    /// An idle, empty replica with room for `kv_tokens` context tokens.
    #[must_use]
    pub fn new(step_time: &'a StepTime, scheduler: &'a Scheduler, kv_tokens: u64) -> Self {
        let total_blocks = kv_tokens / BLOCK;
        Self {
            step_time,
            scheduler,
            blocks: BlockGrowth::new(step_time.growth()),
            total_blocks,
            free_blocks: total_blocks,
            least_blocks: total_blocks,
            now: 0,
            below: 0,
            step: 0,
            residue: 0,
            kv: 0,
            claims: [0; BLOCK as usize],
            line: Line::new(),
            calls: Calls::new(),
            cache: PrefixCache::new(),
            prefilling: None,
            ready: Vec::new(),
            takes_handed: false,
            first_token: FirstToken::NONE,
            paced: false,
            pace: Pace::default(),
            gaps: Gaps::default(),
            idle: 0,
            bare_steps: 0,
            in_system: 0,
            counted_until: 0,
            totals: Totals::default(),
        }
    }

    /// The same behind a serving stack: users lose patience by the first token as they see it.
    #[must_use]
    pub fn behind(self, first_token: FirstToken) -> Self {
        Self { first_token, paced: first_token.steps.0 > 0.0, ..self }
    }

    /// Hands over a request; `false` when it could never fit into memory and is rejected.
    /// Requests come in order of arrival.
    #[inline]
    pub fn enqueue(&mut self, id: u32, request: Request) -> bool {
        if !self.could_hold(&request) {
            self.totals.rejected += 1;
            return false;
        }
        self.takes_handed |= request.handed;
        let index = self.calls.add(id, &request);
        self.line.push(index, &mut self.calls);
        true
    }

    /// Whether a request fits into memory when it is alone.
    #[inline]
    #[must_use]
    pub fn could_hold(&self, request: &Request) -> bool {
        let steps = self.step_time.steps_for(u64::from(request.output.max(1) - 1));
        let claims = self.blocks.claims_within(steps);
        blocks_of(u64::from(request.prompt)) + claims + 3 <= self.total_blocks
    }

    /// Requests handed over and not done: what a load report says.
    #[inline]
    #[must_use]
    pub fn load(&self) -> u64 {
        self.in_system + u64::from(self.line.coming())
    }

    /// The sums so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        Totals {
            busy: u128::from(self.now - self.idle),
            decode_steps: self.totals.steps - self.bare_steps,
            most_blocks: self.total_blocks - self.least_blocks,
            ..self.totals
        }
    }

    /// End of the last step.
    #[must_use]
    pub fn now(&self) -> EngineTime {
        EngineTime(self.now)
    }

    /// Bytes of memory that it holds, itself included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lists = self.ready.capacity() * size_of::<u32>();
        size_of::<Self>() + self.calls.bytes() + self.line.bytes() + self.cache.bytes() + lists
    }

    /// When its next step starts; `None` when it has nothing to do.
    #[must_use]
    pub fn next_step_at(&self) -> Option<EngineTime> {
        if self.is_idle() {
            let next = self.line.next_arrival();
            return (next != u64::MAX).then(|| EngineTime(next.max(self.now)));
        }
        Some(EngineTime(self.now))
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.calls.decoding() == 0 && self.prefilling.is_none() && self.line.waiting() == 0
    }

    /// Runs every step that starts before `until`; all requests that arrive before `until` must
    /// have been handed over.
    pub fn advance<O: Observer>(&mut self, until: EngineTime, observer: &mut O) {
        self.meet_late(observer);
        while self.now < until.0 {
            if self.is_idle() {
                let next = self.line.next_arrival();
                if next >= until.0 {
                    return;
                }
                self.idle += next - self.now;
                (self.now, self.below) = (next, 0);
            } else {
                match self.quiet_until(until.0) {
                    Some(stop) if self.coast(stop, observer) => {}
                    _ => self.take_step(observer),
                }
            }
            self.meet(observer);
            if observer.pause() {
                return;
            }
        }
    }

    /// Runs until every request is done, then checks the books.
    ///
    /// # Panics
    /// When the sums do not balance: a defect of this engine.
    pub fn finish<O: Observer>(&mut self, observer: &mut O) {
        self.advance(EngineTime(u64::MAX), observer);
        self.balance();
    }

    /// Checks the books of a replica that has nothing left to do.
    ///
    /// # Panics
    /// When the sums do not balance: a defect of this engine.
    pub fn balance(&self) {
        let sums = &self.totals;
        assert_eq!(sums.occupancy, sums.sojourn, "Little's law");
        assert_eq!(sums.arrived, sums.completed + sums.abandoned, "requests are conserved");
        assert_eq!(sums.decoded + sums.recomputed_steps, sums.owed_steps, "tokens out");
        let computed = sums.owed_prefill + sums.recomputed_prefill;
        assert_eq!(sums.prefilled + sums.found, computed, "tokens in");
        let blocks = self.free_blocks + self.cache.blocks();
        assert_eq!((blocks, self.kv), (self.total_blocks, 0), "memory is returned");
    }

    /// Lets those who have arrived join their lines, and those go whose patience has ended.
    #[inline(always)]
    fn meet<O: Observer>(&mut self, observer: &mut O) {
        if self.line.next_arrival() <= self.now {
            self.take_arrivals();
        }
        if self.line.next_deadline() <= self.now {
            self.see_off(observer);
        }
    }

    #[inline(never)]
    fn meet_late<O: Observer>(&mut self, observer: &mut O) {
        self.meet(observer);
    }

    #[inline(always)]
    fn take_arrivals(&mut self) {
        while self.line.next_arrival() <= self.now {
            let at = self.line.join(&mut self.calls);
            self.count_at(at);
            self.in_system += 1;
            self.totals.arrived += 1;
        }
    }

    /// Brings the integral of the number in the system to the instant of a change by one, which
    /// is added. A change that is seen late is put right: the time since was counted without it.
    #[inline]
    fn count_at(&mut self, at: u64) {
        if at < self.counted_until {
            self.totals.occupancy += u128::from(self.counted_until - at);
        } else {
            self.count_until(at);
        }
    }

    #[inline]
    fn count_until(&mut self, at: u64) {
        let span = at - self.counted_until;
        self.totals.occupancy += u128::from(self.in_system) * u128::from(span);
        self.counted_until = at;
    }

    /// Lets the users go whose patience has ended without a first token.
    #[cold]
    fn see_off<O: Observer>(&mut self, observer: &mut O) {
        while let Some(index) = self.line.take_impatient(self.now, &self.calls) {
            self.abandon(index, observer);
            if self.prefilling == Some(index) {
                self.prefilling = None;
                self.drop_prefill(index);
                self.calls.remove(index);
            } else {
                self.line.leave(index, &mut self.calls);
            }
        }
    }

    /// Books a user who leaves at the deadline. One who will not see a token in time that is made
    /// now is not served until then.
    fn abandon<O: Observer>(&mut self, index: u32, observer: &mut O) {
        let call = &self.calls[index];
        let (at, arrival) = (call.deadline(), call.arrival);
        observer.abandoned(&Abandonment {
            id: call.id,
            class: call.class,
            counted: call.counted(),
            at: EngineTime(at),
        });
        let out = at.min(self.now);
        if out < self.counted_until {
            self.totals.occupancy -= u128::from(self.counted_until - out);
        } else {
            self.count_until(out);
        }
        self.in_system -= 1;
        self.totals.abandoned += 1;
        self.totals.sojourn += u128::from(out - arrival);
    }

    /// Books a call that is done now and whose memory has been returned.
    #[inline(always)]
    fn complete<O: Observer>(&mut self, index: u32, retained: Retained, observer: &mut O) {
        self.count_until(self.now);
        self.in_system -= 1;
        let call = &self.calls[index];
        let sums = &mut self.totals;
        sums.completed += 1;
        if !call.handed() {
            sums.owed_prefill += u64::from(call.prompt - call.cached);
        }
        sums.sojourn += u128::from(self.now - call.arrival);
        sums.output_tokens += u64::from(call.output);
        sums.owed_steps += self.step_time.steps_for(u64::from(call.output - 1));
        observer.finished(&Completion {
            id: call.id,
            class: call.class,
            counted: call.counted(),
            arrival: EngineTime(call.arrival),
            first_token: EngineTime(call.first_token),
            finish: EngineTime(self.now),
            prompt: call.prompt,
            output: call.output,
            retained,
        });
        self.calls.remove(index);
    }

    /// Tokens that a call has in memory when it starts to decode, in this pass.
    #[inline]
    fn context_at_start(&self, call: &Call) -> u64 {
        let regained = u64::from(call.done) * self.step_time.growth() / KV_UNIT;
        u64::from(call.prompt) + regained
    }

    /// Tokens to be in memory before the next token can be made.
    #[inline]
    fn context_wanted(&self, call: &Call) -> u64 {
        if !call.started() {
            return u64::from(call.prompt);
        }
        let regained = (u64::from(call.done) + 1) * self.step_time.growth() / KV_UNIT;
        u64::from(call.prompt) + regained
    }

    /// Blocks that are free or can be made so without touching a sequence.
    #[inline]
    fn available_blocks(&self) -> u64 {
        self.free_blocks + self.cache.blocks()
    }

    /// Takes blocks, of which enough must be available.
    #[inline]
    fn take_blocks(&mut self, wanted: u64) {
        if wanted > self.free_blocks {
            let short = wanted - self.free_blocks;
            self.cache.evict(short);
            self.free_blocks += short;
        }
        self.free_blocks -= wanted;
        self.least_blocks = self.least_blocks.min(self.available_blocks());
    }
}
