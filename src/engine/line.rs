//! Who waits on a replica: calls that have not arrived yet, one line for each priority, and the
//! instants at which users lose patience. Indices only: the calls are elsewhere.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::calls::Calls;
use super::request::PRIORITIES;

/// The waiting calls of a replica.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    /// Handed over and not arrived, in order of arrival.
    coming: VecDeque<u32>,
    lines: [VecDeque<u32>; PRIORITIES],
    /// Calls in the lines whose users are still there.
    present: [u32; PRIORITIES],
    waiting: u32,
    /// (deadline, call); an entry may outlive its call.
    deadlines: BinaryHeap<Reverse<(u64, u32)>>,
    /// Whether any call was less urgent than the most urgent priority.
    pub(super) mixed: bool,
}

impl Line {
    /// Bytes that it holds.
    pub(super) fn bytes(&self) -> usize {
        let places =
            self.coming.capacity() + self.lines.iter().map(VecDeque::capacity).sum::<usize>();
        places * size_of::<u32>() + self.deadlines.capacity() * size_of::<(u64, u32)>()
    }

    /// Calls that have not arrived.
    #[inline]
    pub(super) fn coming(&self) -> usize {
        self.coming.len()
    }

    /// Calls that have arrived and wait.
    #[inline]
    pub(super) fn waiting(&self) -> u32 {
        self.waiting
    }

    /// Adds a call that will arrive.
    #[inline]
    pub(super) fn push(&mut self, index: u32, priority: u8, deadline: u64) {
        self.coming.push_back(index);
        self.mixed |= priority > 0;
        if deadline != u64::MAX {
            self.deadlines.push(Reverse((deadline, index)));
        }
    }

    /// When the next call arrives.
    #[inline]
    pub(super) fn next_arrival(&self, calls: &Calls) -> Option<u64> {
        self.coming.front().map(|index| calls[*index].arrival)
    }

    /// Lets the next call join its line if it has arrived by `now`; its arrival.
    #[inline]
    pub(super) fn join(&mut self, now: u64, calls: &Calls) -> Option<u64> {
        let index = *self.coming.front()?;
        let (arrival, priority) = (calls[index].arrival, calls[index].priority as usize);
        if arrival > now {
            return None;
        }
        self.coming.pop_front();
        self.lines[priority].push_back(index);
        self.present[priority] += 1;
        self.waiting += 1;
        Some(arrival)
    }

    /// Puts a call back in front of its line.
    pub(super) fn put_back(&mut self, index: u32, calls: &Calls) {
        let priority = calls[index].priority as usize;
        self.lines[priority].push_front(index);
        self.present[priority] += 1;
        self.waiting += 1;
    }

    /// The first call of the most urgent line.
    #[inline]
    pub(super) fn head(&mut self, calls: &mut Calls) -> Option<u32> {
        if self.waiting == 0 {
            return None;
        }
        let priority = self.present.iter().position(|present| *present > 0)?;
        loop {
            let index = *self.lines[priority].front()?;
            if !calls[index].gone() {
                return Some(index);
            }
            self.lines[priority].pop_front();
            calls.remove(index);
        }
    }

    /// Takes the head out.
    #[inline]
    pub(super) fn take_head(&mut self, priority: u8) {
        self.lines[priority as usize].pop_front();
        self.present[priority as usize] -= 1;
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

    /// Counts out a call in a line whose user has left. It stays there as a gap until it would be
    /// the head, or nobody is left in the line.
    pub(super) fn leave(&mut self, index: u32, calls: &mut Calls) {
        let priority = calls[index].priority as usize;
        calls[index].leave();
        self.present[priority] -= 1;
        self.waiting -= 1;
        if self.present[priority] == 0 {
            self.lines[priority].drain(..).for_each(|gap| calls.remove(gap));
        }
    }
}
