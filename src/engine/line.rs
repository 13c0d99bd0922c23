//! Who waits on a replica: calls that have not arrived yet, one line for each priority, and the
//! instants at which users lose patience. The lines are linked through the calls themselves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::calls::{Calls, NONE};
use super::request::PRIORITIES;

/// Calls one behind the other.
#[derive(Debug, Clone, Copy)]
struct Queue {
    first: u32,
    last: u32,
}

impl Queue {
    const EMPTY: Self = Self { first: NONE, last: NONE };

    #[inline]
    fn push_back(&mut self, index: u32, calls: &mut Calls) {
        calls[index].next = NONE;
        if self.last == NONE {
            self.first = index;
        } else {
            calls[self.last].next = index;
        }
        self.last = index;
    }

    fn push_front(&mut self, index: u32, calls: &mut Calls) {
        calls[index].next = self.first;
        self.first = index;
        if self.last == NONE {
            self.last = index;
        }
    }

    #[inline]
    fn pop_front(&mut self, calls: &Calls) {
        self.first = calls[self.first].next;
        // Written in any case: nobody can foretell whether it was the last.
        self.last = if self.first == NONE { NONE } else { self.last };
    }
}

/// The waiting calls of a replica.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// Handed over and not arrived, in order of arrival.
    coming: Queue,
    coming_count: u32,
    /// Arrival of the first of these; `u64::MAX` where there is none.
    next_arrival: u64,
    lines: [Queue; PRIORITIES],
    /// Calls in the lines whose users are still there.
    present: [u32; PRIORITIES],
    waiting: u32,
    /// (deadline, call); an entry may outlive its call.
    deadlines: BinaryHeap<Reverse<(u64, u32)>>,
    /// Whether any call was less urgent than the most urgent priority.
    pub(super) mixed: bool,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            coming: Queue::EMPTY,
            coming_count: 0,
            next_arrival: u64::MAX,
            lines: [Queue::EMPTY; PRIORITIES],
            present: [0; PRIORITIES],
            waiting: 0,
            deadlines: BinaryHeap::new(),
            mixed: false,
        }
    }

    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        self.deadlines.capacity() * size_of::<(u64, u32)>()
    }

    /// Calls that have not arrived.
    #[inline]
    pub(super) fn coming(&self) -> u32 {
        self.coming_count
    }

    /// Calls that have arrived and wait.
    #[inline]
    pub(super) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Adds a call that will arrive.
    #[inline(always)]
    pub(super) fn push(&mut self, index: u32, calls: &mut Calls) {
        let call = &calls[index];
        let (arrival, deadline) = (call.arrival, call.deadline());
        self.mixed |= call.priority > 0;
        if self.coming_count == 0 {
            self.next_arrival = arrival;
        }
        self.coming_count += 1;
        self.coming.push_back(index, calls);
        if deadline != u64::MAX {
            self.deadlines.push(Reverse((deadline, index)));
        }
    }

    /// When the next call arrives; `u64::MAX` for never.
    #[inline]
    pub(super) fn next_arrival(&self) -> u64 {
        self.next_arrival
    }

    /// Lets the next call join its line; its arrival.
    #[inline(always)]
    pub(super) fn join(&mut self, calls: &mut Calls) -> u64 {
        let (index, arrival) = (self.coming.first, self.next_arrival);
        self.coming.pop_front(calls);
        self.coming_count -= 1;
        let next = self.coming.first;
        self.next_arrival = if next == NONE { u64::MAX } else { calls[next].arrival };
        let priority = calls[index].priority as usize % PRIORITIES;
        self.lines[priority].push_back(index, calls);
        self.present[priority] += 1;
        self.waiting += 1;
        arrival
    }

    /// Puts a call back in front of its line.
    pub(super) fn put_back(&mut self, index: u32, calls: &mut Calls) {
        let priority = calls[index].priority as usize;
        self.lines[priority].push_front(index, calls);
        self.present[priority] += 1;
        self.waiting += 1;
    }

    /// The first call of the most urgent line.
    #[inline(always)]
    pub(super) fn head(&mut self, calls: &mut Calls) -> Option<u32> {
        if self.waiting == 0 {
            return None;
        }
        let priority = self.present.iter().position(|present| *present > 0)?;
        loop {
            let index = self.lines[priority].first;
            if !calls[index].gone() {
                return Some(index);
            }
            self.lines[priority].pop_front(calls);
            calls.remove(index);
        }
    }

    /// Takes the head out.
    #[inline(always)]
    pub(super) fn take_head(&mut self, priority: u8, calls: &Calls) {
        let priority = priority as usize % PRIORITIES;
        self.lines[priority].pop_front(calls);
        self.present[priority] -= 1;
        self.waiting -= 1;
    }

    /// The next instant at which somebody may lose patience.
    #[inline]
    pub(super) fn next_deadline(&self) -> u64 {
        self.deadlines.peek().map_or(u64::MAX, |Reverse((deadline, _))| *deadline)
    }

    /// The next call without a first token whose deadline has passed by `now`.
    pub(super) fn take_impatient(&mut self, now: u64, calls: &Calls) -> Option<u32> {
        while self.next_deadline() <= now {
            let Reverse((deadline, index)) = self.deadlines.pop()?;
            let call = &calls[index];
            if call.deadline() == deadline && !call.started() && !call.gone() {
                return Some(index);
            }
        }
        None
    }

    /// Counts out a call in a line whose user has left. It stays there as a gap until it is the
    /// first.
    pub(super) fn leave(&mut self, index: u32, calls: &mut Calls) {
        let priority = calls[index].priority as usize;
        calls[index].leave();
        self.present[priority] -= 1;
        self.waiting -= 1;
        // A line that is never served must not grow by its gaps.
        let line = &mut self.lines[priority];
        while line.first != NONE && calls[line.first].gone() {
            let gap = line.first;
            line.pop_front(calls);
            calls.remove(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Request;
    use crate::time::EngineTime;

    #[test]
    fn a_starved_line_holds_those_who_are_there() {
        let (mut line, mut calls) = (Line::new(), Calls::new());
        let mut full = 0;
        for id in 0..10_000u32 {
            let arrival = EngineTime(u64::from(id) * 1_000_000);
            let plain = Request::new(arrival, 1, 1);
            // Twenty are there at a time, and nobody looks at their line.
            let index = calls.add(id, &Request { priority: 1, patience: 20, ..plain });
            line.push(index, &mut calls);
            line.join(&mut calls);
            while let Some(gone) = line.take_impatient(arrival.0, &calls) {
                line.leave(gone, &mut calls);
            }
            if id == 100 {
                full = calls.bytes();
            }
        }
        assert_eq!((line.waiting(), calls.bytes()), (20, full));
        assert_eq!(line.head(&mut calls).map(|index| calls[index].id), Some(9_980));
    }
}
