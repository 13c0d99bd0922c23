//! The calls that a replica holds, in one vector of 64-byte slots: found by the step in which they
//! end, and by age for preemption.
//!
//! A call is written once, when it is handed over, and moves by its index from line to prefill to
//! decode. Both orders are intrusive lists, so that inserting, completing and preempting cost O(1)
//! and allocate nothing once the vectors have grown.

use super::request::{PRIORITIES, Request, Retained};
use crate::time::EngineTime;

/// No call.
pub(super) const NONE: u32 = u32::MAX;
/// Instant of a first token that has not been made.
pub(super) const NEVER: u64 = u64::MAX;

const COUNTED: u8 = 1;
const HANDED: u8 = 2;
const KEEP: u8 = 4;
const GONE: u8 = 8;
const ADMITTED: u8 = 16;

/// One call on the replica. What `start` and `finish` hold depends on where the call is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) arrival: u64,
    /// [`NEVER`] until it has been made.
    pub(super) first_token: u64,
    pub(super) id: u32,
    pub(super) prompt: u32,
    pub(super) cached: u32,
    pub(super) output: u32,
    pub(super) patience: u32,
    /// In the line: entry of its ticket. In prefill: tokens that are in memory. In decode: step
    /// number before its first decode step.
    pub(super) start: u32,
    /// In the line: stamp of its ticket. In prefill: tokens that were found. In decode: step
    /// number after its last decode step.
    pub(super) finish: u32,
    /// Decode steps of earlier passes, all of them lost from memory.
    pub(super) done: u32,
    /// The next one in its line, or in its list of the wheel.
    pub(super) next: u32,
    older: u32,
    newer: u32,
    pub(super) class: u8,
    pub(super) priority: u8,
    /// Residue of the step numbers in which it claims a block.
    pub(super) residue: u8,
    flags: u8,
}

impl Call {
    const EMPTY: Self = Self {
        arrival: 0,
        first_token: NEVER,
        id: 0,
        prompt: 0,
        cached: 0,
        output: 0,
        patience: Request::PATIENT,
        start: 0,
        finish: 0,
        done: 0,
        next: NONE,
        older: NONE,
        newer: NONE,
        class: 0,
        priority: 0,
        residue: 0,
        flags: 0,
    };

    /// Writes a request into the slot, field by field: a slot put together elsewhere and copied
    /// here costs more than its bytes, for wide loads have to wait for narrow stores.
    #[inline(always)]
    fn fill(&mut self, id: u32, request: &Request) {
        let flag = |set: bool, bit: u8| u8::from(set) * bit;
        self.arrival = request.arrival.0;
        self.first_token = NEVER;
        self.id = id;
        self.prompt = request.prompt;
        self.cached = request.cached.min(request.prompt.saturating_sub(1));
        self.output = request.output.max(1);
        self.patience = request.patience;
        self.start = request.retained.entry;
        self.finish = request.retained.stamp;
        self.done = 0;
        self.class = request.class;
        self.priority = request.priority.min(PRIORITIES as u8 - 1);
        self.flags = flag(request.counted, COUNTED)
            | flag(request.handed, HANDED)
            | flag(request.keep, KEEP);
    }

    /// The request that it was made of, without its ticket.
    pub(super) fn request(&self) -> Request {
        Request {
            arrival: EngineTime(self.arrival),
            prompt: self.prompt,
            cached: self.cached,
            output: self.output,
            patience: self.patience,
            retained: Retained::NONE,
            class: self.class,
            priority: self.priority,
            keep: self.keep(),
            handed: self.handed(),
            counted: self.counted(),
        }
    }

    pub(super) fn ticket(&self) -> Retained {
        Retained { entry: self.start, stamp: self.finish }
    }

    pub(super) fn started(&self) -> bool {
        self.first_token != NEVER
    }

    /// Whether it comes with its context and has not been preempted since.
    pub(super) fn comes_ready(&self) -> bool {
        self.handed() && !self.started()
    }

    pub(super) fn deadline(&self) -> u64 {
        match self.patience {
            Request::PATIENT => u64::MAX,
            patience => self.arrival + u64::from(patience) * 1_000_000,
        }
    }

    pub(super) fn counted(&self) -> bool {
        self.flags & COUNTED != 0
    }

    pub(super) fn handed(&self) -> bool {
        self.flags & HANDED != 0
    }

    pub(super) fn keep(&self) -> bool {
        self.flags & KEEP != 0
    }

    /// Whether its user has left while it stood in the line.
    pub(super) fn gone(&self) -> bool {
        self.flags & GONE != 0
    }

    /// Notes that it has been given memory; whether it was the first time.
    #[inline]
    pub(super) fn admit(&mut self) -> bool {
        let first = self.flags & ADMITTED == 0;
        self.flags |= ADMITTED;
        first
    }

    pub(super) fn leave(&mut self) {
        self.flags |= GONE;
    }
}

/// Lists of the completion wheel at first. It doubles where outputs are longer and the batch is
/// large enough to pay for it; calls that end later than a turn are met once each turn.
const SMALLEST_WHEEL: usize = 512;

/// The calls of a replica.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    calls: Vec<Call>,
    free: Vec<u32>,
    wheel: Vec<u32>,
    /// One bit for each list of the wheel: whether it holds a call.
    occupied: Vec<u64>,
    newest: [u32; PRIORITIES],
    decoding: u32,
}

impl std::ops::Index<u32> for Calls {
    type Output = Call;
    #[inline]
    fn index(&self, index: u32) -> &Call {
        &self.calls[index as usize]
    }
}

impl std::ops::IndexMut<u32> for Calls {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut Call {
        &mut self.calls[index as usize]
    }
}

impl Calls {
    pub(super) fn new() -> Self {
        Self {
            calls: Vec::new(),
            free: Vec::new(),
            wheel: vec![NONE; SMALLEST_WHEEL],
            occupied: vec![0; SMALLEST_WHEEL / 64],
            newest: [NONE; PRIORITIES],
            decoding: 0,
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.calls.capacity() * size_of::<Call>()
            + (self.free.capacity() + self.wheel.capacity()) * size_of::<u32>()
            + self.occupied.capacity() * size_of::<u64>()
    }

    /// Calls that decode.
    #[inline]
    pub(super) fn decoding(&self) -> u32 {
        self.decoding
    }

    #[inline(always)]
    pub(super) fn add(&mut self, id: u32, request: &Request) -> u32 {
        if let Some(index) = self.free.pop() {
            self.calls[index as usize].fill(id, request);
            return index;
        }
        if self.calls.len() == self.calls.capacity() {
            // By a quarter: doubling would leave half of the memory empty in the worst case.
            let more = (self.calls.len() / 4).max(16);
            self.calls.reserve_exact(more);
            self.free.reserve_exact(self.calls.capacity());
        }
        let mut call = Call::EMPTY;
        call.fill(id, request);
        self.calls.push(call);
        (self.calls.len() - 1) as u32
    }

    /// Forgets a call that is in no list.
    #[inline]
    pub(super) fn remove(&mut self, index: u32) {
        // An entry of a deadline list may outlive the call: it must not match.
        self.calls[index as usize].patience = Request::PATIENT;
        self.free.push(index);
    }

    /// The newest decoding call of the least urgent priority.
    pub(super) fn least_urgent(&self) -> Option<u32> {
        self.newest.iter().rev().copied().find(|index| *index != NONE)
    }

    /// Lets a call decode whose `start` and `finish` are set; `step` is the present step number.
    #[inline(always)]
    pub(super) fn start(&mut self, index: u32, step: u32) {
        let call = &self.calls[index as usize];
        let (finish, priority) = (call.finish, call.priority as usize);
        let ahead = finish.wrapping_sub(step) as usize;
        self.decoding += 1;
        if ahead >= self.wheel.len() && self.wheel.len() < 4 * self.decoding as usize {
            self.widen();
        }
        let older = std::mem::replace(&mut self.newest[priority], index);
        if older != NONE {
            self.calls[older as usize].newer = index;
        }
        let call = &mut self.calls[index as usize];
        call.older = older;
        call.newer = NONE;
        self.link(index, finish);
    }

    #[inline(always)]
    fn link(&mut self, index: u32, finish: u32) {
        let list = finish as usize & (self.wheel.len() - 1);
        self.calls[index as usize].next = std::mem::replace(&mut self.wheel[list], index);
        self.occupied[list / 64] |= 1 << (list % 64);
    }

    #[cold]
    fn widen(&mut self) {
        let lists = std::mem::take(&mut self.wheel);
        self.wheel = vec![NONE; 2 * lists.len()];
        self.occupied = vec![0; self.wheel.len() / 64];
        for head in lists {
            let mut index = head;
            while index != NONE {
                let Call { next, finish, .. } = self.calls[index as usize];
                self.link(index, finish);
                index = next;
            }
        }
    }

    /// Takes a call out of the age list of its priority.
    #[inline(always)]
    fn unlink_age(&mut self, index: u32) {
        let Call { older, newer, priority, .. } = self.calls[index as usize];
        if newer == NONE {
            self.newest[priority as usize] = older;
        } else {
            self.calls[newer as usize].older = older;
        }
        if older != NONE {
            self.calls[older as usize].newer = newer;
        }
        self.decoding -= 1;
    }

    /// Takes a decoding call out of both orders before its end.
    #[cold]
    pub(super) fn stop(&mut self, index: u32) {
        self.unlink_age(index);
        let Call { next, finish, .. } = self.calls[index as usize];
        let list = finish as usize & (self.wheel.len() - 1);
        if self.wheel[list] == index {
            self.wheel[list] = next;
            if next == NONE {
                self.occupied[list / 64] &= !(1 << (list % 64));
            }
            return;
        }
        let mut at = self.wheel[list];
        while self.calls[at as usize].next != index {
            at = self.calls[at as usize].next;
        }
        self.calls[at as usize].next = next;
    }

    /// Steps from `step` to the next one with which a call may end, at least 1; a whole turn of
    /// the wheel where none does.
    #[inline(always)]
    pub(super) fn steps_ahead(&self, step: u32) -> u32 {
        let mask = self.wheel.len() - 1;
        let from = (step as usize + 1) & mask;
        let (words, first) = (self.occupied.len(), from / 64);
        let here = self.occupied[first] >> (from % 64);
        if here != 0 {
            return here.trailing_zeros() + 1;
        }
        let mut passed = 64 - (from % 64) as u32;
        for offset in 1..=words {
            let word = self.occupied[(first + offset) & (words - 1)];
            if word != 0 {
                return (passed + word.trailing_zeros() + 1).min(self.wheel.len() as u32);
            }
            passed += 64;
        }
        self.wheel.len() as u32
    }

    /// Takes out a call that ends with step number `step`.
    #[inline(always)]
    pub(super) fn take_ended(&mut self, step: u32) -> Option<u32> {
        let list = step as usize & (self.wheel.len() - 1);
        let head = self.wheel[list];
        if head == NONE {
            return None;
        }
        let Call { next, finish, .. } = self.calls[head as usize];
        let mut found = head;
        if finish == step {
            self.wheel[list] = next;
            if next == NONE {
                self.occupied[list / 64] &= !(1 << (list % 64));
            }
        } else {
            // Those before it end a turn of the wheel later.
            let mut before = head;
            loop {
                found = self.calls[before as usize].next;
                if found == NONE {
                    return None;
                }
                if self.calls[found as usize].finish == step {
                    break;
                }
                before = found;
            }
            self.calls[before as usize].next = self.calls[found as usize].next;
        }
        self.unlink_age(found);
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_fills_a_cache_line() {
        assert_eq!(size_of::<Call>(), 64);
    }

    #[test]
    fn calls_end_with_their_step_whatever_the_wheel() {
        let mut calls = Calls::new();
        let mut expected = Vec::new();
        let start = u32::MAX - 2_000;
        for id in 0..3_000u32 {
            let index = calls.add(id, &Request::new(EngineTime(0), 1, 2));
            let finish = start.wrapping_add(1 + (id * 7_919) % 5_000);
            calls[index].finish = finish;
            calls.start(index, start);
            expected.push((finish, id));
        }
        // A third is preempted.
        for index in (0..3_000).step_by(3) {
            calls.stop(index);
        }
        expected.retain(|(_, id)| id % 3 != 0);
        expected.sort_by_key(|(finish, id)| (finish.wrapping_sub(start), *id));
        let (mut step, mut seen) = (start, Vec::new());
        while calls.decoding() > 0 {
            step = step.wrapping_add(calls.steps_ahead(step));
            let ended = std::iter::from_fn(|| calls.take_ended(step));
            let mut ended: Vec<u32> = ended.collect();
            ended.sort_unstable();
            seen.extend(ended.drain(..).map(|index| (step, calls[index].id)));
        }
        assert_eq!(seen, expected);
    }
}
