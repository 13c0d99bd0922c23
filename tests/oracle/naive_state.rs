//! What the slow reference knows at an instant: who waits, who is served, what memory holds. What
//! it does next is in [`crate::naive`].

use std::collections::VecDeque;

use sparkgap::engine::{Request, Totals};

/// What became of a request, picoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fate {
    /// When it first had a place in memory.
    pub admitted: Option<u64>,
    pub first_token: Option<u64>,
    pub finish: Option<u64>,
    /// When its user left.
    pub left: Option<u64>,
}

/// A request with the earlier one whose context it may find in the prefix cache.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub request: Request,
    pub follows: Option<usize>,
}

/// The run of a naive replica.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub fates: Vec<Fate>,
    pub totals: Totals,
    /// Blocks of entries of the prefix cache that were evicted.
    pub evicted: u64,
    /// The requests that are done, in the order in which they were.
    pub done: Vec<usize>,
    /// Every gap between two tokens of a sequence, picoseconds.
    pub gaps: Vec<u64>,
}

#[derive(Debug, Clone)]
pub struct Sequence {
    pub id: usize,
    pub request: Request,
    pub follows: Option<usize>,
    /// It had a place in memory before.
    pub seen: bool,
    pub first_token: Option<u64>,
    pub last_token: u64,
    /// Decode steps made so far, over all passes.
    pub done: u64,
    /// Tokens that this pass must compute and those it has.
    pub context: u64,
    pub computed: u64,
    /// Tokens that this pass found computed.
    pub known: u64,
    /// Decode steps of this pass.
    pub steps: u64,
    pub blocks: u64,
}

impl Sequence {
    /// Its context was computed elsewhere and is still to be taken in.
    pub fn comes_ready(&self) -> bool {
        self.request.handed && !self.seen
    }
}

/// Context of a request that is done, left in the prefix cache.
pub struct Entry {
    pub of: usize,
    pub blocks: u64,
}

pub struct State {
    /// Handed over and not arrived.
    pub coming: VecDeque<(usize, Turn)>,
    /// Handed over and neither done nor gone.
    pub load: u64,
    pub now: u64,
    pub below: u64,
    pub free: u64,
    /// Waiting lines, most urgent first.
    pub lines: [VecDeque<Sequence>; 4],
    pub prefilling: Option<Sequence>,
    /// Decoding sequences, oldest first.
    pub running: Vec<Sequence>,
    /// Least recently released first.
    pub cache: Vec<Entry>,
    /// Ends of decode steps so far.
    pub edges: u64,
    /// (instant, ends of decode steps by then) at which sequences began to decode.
    pub marks: [(u64, u64); 2],
    pub outcome: Outcome,
}

impl State {
    pub fn evictable(&self, besides: Option<usize>) -> u64 {
        self.cache.iter().filter(|e| Some(e.of) != besides).map(|e| e.blocks).sum()
    }

    /// Takes one block of the entry that was released first.
    pub fn evict(&mut self) {
        self.cache[0].blocks -= 1;
        self.free += 1;
        self.outcome.evicted += 1;
        if self.cache[0].blocks == 0 {
            self.cache.remove(0);
        }
    }

    pub fn urgent_line(&mut self) -> Option<&mut VecDeque<Sequence>> {
        self.lines.iter_mut().find(|line| !line.is_empty())
    }

    pub fn is_idle(&self) -> bool {
        let waiting = self.lines.iter().any(|line| !line.is_empty());
        !waiting && self.prefilling.is_none() && self.running.is_empty()
    }

    /// Those who have arrived join their lines.
    pub fn take_in(&mut self) {
        let now = self.now;
        while let Some((id, turn)) =
            self.coming.pop_front_if(|next| next.1.request.arrival.0 <= now)
        {
            self.outcome.totals.arrived += 1;
            self.lines[usize::from(turn.request.priority)].push_back(Sequence {
                id,
                request: turn.request,
                follows: turn.follows,
                seen: false,
                first_token: None,
                last_token: 0,
                done: 0,
                context: 0,
                computed: 0,
                known: 0,
                steps: 0,
                blocks: 0,
            });
        }
    }

    /// Those without a first token whose patience is over leave.
    pub fn let_go(&mut self) {
        let now = self.now;
        let over = |s: &Sequence| s.first_token.is_none() && deadline(&s.request) <= now;
        let mut gone = Vec::new();
        for line in &mut self.lines {
            gone.extend(line.iter().filter(|s| over(s)).cloned());
            line.retain(|s| !over(s));
        }
        gone.extend(self.prefilling.take_if(|head| over(head)));
        for sequence in &gone {
            self.leave(sequence);
        }
    }

    /// A user leaves; what was computed for him is lost.
    pub fn leave(&mut self, sequence: &Sequence) {
        self.outcome.fates[sequence.id].left = Some(deadline(&sequence.request));
        self.load -= 1;
        self.free += sequence.blocks;
        let totals = &mut self.outcome.totals;
        totals.abandoned += 1;
        totals.recomputed_prefill += sequence.computed - sequence.known;
        // Who will not see a token in time that is made now is out now.
        let out = deadline(&sequence.request).min(self.now);
        totals.sojourn += u128::from(out - sequence.request.arrival.0);
    }

    /// A request is done.
    pub fn complete(&mut self, sequence: &Sequence, steps: u64) {
        let request = &sequence.request;
        self.outcome.fates[sequence.id].finish = Some(self.now);
        self.outcome.done.push(sequence.id);
        self.load -= 1;
        self.free += sequence.blocks;
        let totals = &mut self.outcome.totals;
        totals.completed += 1;
        totals.owed_steps += steps;
        totals.output_tokens += u64::from(request.output);
        if !request.handed {
            totals.owed_prefill += u64::from(request.prompt) - cached_of(request);
        }
        totals.sojourn += u128::from(self.now - request.arrival.0);
    }

    /// Blocks in use by sequences.
    pub fn note_blocks(&mut self, total: u64) {
        let used = total - self.free - self.evictable(None);
        let totals = &mut self.outcome.totals;
        totals.most_blocks = totals.most_blocks.max(used);
    }
}

pub fn cached_of(request: &Request) -> u64 {
    u64::from(request.cached.min(request.prompt - 1))
}

pub fn deadline(request: &Request) -> u64 {
    if request.patience == Request::PATIENT {
        return u64::MAX;
    }
    request.arrival.0 + u64::from(request.patience) * 1_000_000
}
