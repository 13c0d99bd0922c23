//! A slow replica that touches every sequence in every step: the reference for the token clock.
//! It shares with the engine the price of a step and nothing else.
//!
//! What the engine's description leaves open is not decided here but taken from outside: in which
//! order the contexts of sequences that are done at the same instant are released.

use std::collections::VecDeque;

use sparkgap::engine::{FirstToken, Prefill, Request, Scheduler};
use sparkgap::hardware::{KV_UNIT, StepTime, StepWork, TICK_BITS};

use crate::naive_state::{Entry, Fate, Outcome, Sequence, State, Turn, cached_of, deadline};

/// What a replica is given, and in which order its requests are released.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub step_time: &'a StepTime,
    pub scheduler: &'a Scheduler,
    pub kv_tokens: u64,
    /// Parts of a token that a sequence gains in a decode step.
    pub growth: u64,
    /// What users wait for a first token beyond it.
    pub first_token: FirstToken,
    /// Place of every request in the order in which they are released; any where it is empty.
    pub order: &'a [usize],
}

/// A replica at work.
pub struct Naive<'a> {
    setting: Setting<'a>,
    state: State,
}

impl<'a> Naive<'a> {
    pub fn new(setting: Setting<'a>, requests: usize) -> Self {
        let fates = vec![Fate::default(); requests];
        let state = State {
            coming: VecDeque::new(),
            load: 0,
            now: 0,
            below: 0,
            free: setting.kv_tokens / 16,
            lines: Default::default(),
            prefilling: None,
            running: Vec::new(),
            cache: Vec::new(),
            edges: 0,
            marks: [(0, 0); 2],
            outcome: Outcome { fates, ..Outcome::default() },
        };
        Self { setting, state }
    }

    /// Takes over a request, unless it could never fit.
    pub fn push(&mut self, id: usize, turn: Turn) {
        if self.setting.accepts(&turn.request) {
            self.state.coming.push_back((id, turn));
            self.state.load += 1;
        } else {
            self.state.outcome.totals.rejected += 1;
        }
    }

    /// Requests handed over and not done.
    pub fn load(&self) -> u64 {
        self.state.load
    }

    /// When its next step starts; `u64::MAX` for never.
    pub fn next_step(&self) -> u64 {
        if !self.state.is_idle() {
            return self.state.now;
        }
        let next = self.state.coming.front().map(|next| next.1.request.arrival.0);
        next.map_or(u64::MAX, |next| next.max(self.state.now))
    }

    /// What has happened so far.
    pub fn so_far(&self) -> &Outcome {
        &self.state.outcome
    }

    /// Makes every step that starts before `until`.
    pub fn advance(&mut self, until: u64) {
        let (setting, state) = (self.setting, &mut self.state);
        while state.now < until {
            state.take_in();
            state.let_go();
            setting.admit_handed(state);
            if !state.is_idle() {
                setting.step(state);
                continue;
            }
            match state.coming.front().map(|next| next.1.request.arrival.0) {
                Some(next) if next < until => {
                    if next > state.now {
                        (state.now, state.below) = (next, 0);
                    }
                }
                _ => return,
            }
        }
    }

    /// Runs out.
    pub fn finish(mut self) -> Outcome {
        self.advance(u64::MAX);
        let mut state = self.state;
        assert_eq!(state.load, 0);
        assert_eq!(state.free + state.evictable(None), self.setting.kv_tokens / 16);
        let totals = &mut state.outcome.totals;
        totals.occupancy = totals.sojourn;
        state.outcome
    }
}

impl Setting<'_> {
    fn period(&self) -> u64 {
        (16 * KV_UNIT / self.growth).max(1)
    }

    fn total_steps(&self, request: &Request) -> u64 {
        // Counted out rather than divided.
        let wanted = u64::from(request.output - 1) * KV_UNIT;
        let (mut steps, mut made) = (0, 0);
        while made < wanted {
            made += self.growth;
            steps += 1;
        }
        steps
    }

    /// Whether a sequence has filled its last block.
    fn claims(&self, sequence: &Sequence) -> bool {
        let room = sequence.context.next_multiple_of(16) - sequence.context;
        let free = (room * KV_UNIT / self.growth).min(self.period() - 1);
        sequence.steps >= free && (sequence.steps - free).is_multiple_of(self.period())
    }

    /// Whether a request could ever fit.
    fn accepts(&self, request: &Request) -> bool {
        let prompt = u64::from(request.prompt).div_ceil(16);
        prompt + self.total_steps(request) / self.period() + 3 <= self.kv_tokens / 16
    }

    fn step(&self, state: &mut State) {
        let budget = u64::from(self.scheduler.token_budget);
        let mut work = StepWork::default();
        let mut ready = Vec::new();
        let blocking = self.scheduler.prefill == Prefill::Blocking;
        if blocking {
            self.fill(state, &mut work, budget, &mut ready);
        }
        let decodes = !blocking || work.prefill == 0;
        let mut decoding = 0;
        if decodes {
            let before = state.outcome.totals.preemptions;
            self.claim(state);
            decoding = state.running.len();
            work.decode = decoding as u64;
            for sequence in &state.running {
                work.kv += sequence.context * KV_UNIT + sequence.steps * self.growth;
            }
            if !blocking && before == state.outcome.totals.preemptions {
                let room = budget.saturating_sub(decoding as u64);
                self.fill(state, &mut work, room, &mut ready);
            }
        }
        self.pass_time(state, &work);
        for sequence in &mut state.running[..decoding] {
            sequence.done += 1;
            sequence.steps += 1;
            let last = std::mem::replace(&mut sequence.last_token, state.now);
            state.outcome.gaps.push(state.now - last);
        }
        state.edges += u64::from(decodes);
        if !ready.is_empty() {
            self.mark(state);
        }
        for mut sequence in ready {
            let seen = self.seen(state, &sequence);
            let totals = &mut state.outcome.totals;
            if sequence.first_token.is_some() {
                sequence.done += 1;
                totals.recomputed_steps += 1;
                totals.recomputed_prefill += sequence.context - sequence.known;
            } else if seen > deadline(&sequence.request) {
                state.leave(&sequence);
                continue;
            } else {
                totals.found += sequence.known - cached_of(&sequence.request);
                sequence.first_token = Some(state.now);
                state.outcome.fates[sequence.id].first_token = Some(state.now);
            }
            sequence.last_token = state.now;
            state.running.push(sequence);
        }
        self.release_finished(state);
    }

    /// Sequences that are not at their end.
    fn going<'b>(&self, state: &'b State) -> impl Iterator<Item = &'b Sequence> {
        state.running.iter().filter(|s| s.done < self.total_steps(&s.request))
    }

    /// Notes that sequences begin to decode: the last two such instants that are at least 32 decode
    /// steps apart, none of them before everybody was gone.
    fn mark(&self, state: &mut State) {
        let now = (state.now, state.edges);
        if self.going(state).next().is_none() {
            state.marks = [now; 2];
        } else if state.edges - state.marks[1].1 >= 32 {
            state.marks = [state.marks[1], now];
        }
    }

    /// When the user of a sequence sees the first token that it has now, at the mean step since
    /// the earlier mark. What is missing to 32 steps is like the next one.
    fn seen(&self, state: &State, sequence: &Sequence) -> u64 {
        let (time, steps) = (state.now - state.marks[0].0, state.edges - state.marks[0].1);
        let mut next = StepWork { decode: 1, kv: sequence.context * KV_UNIT, ..Default::default() };
        for other in self.going(state) {
            next.decode += 1;
            next.kv += other.context * KV_UNIT + other.steps * self.growth;
        }
        let next = self.step_time.ticks(&next) >> TICK_BITS;
        let missing = 32_u64.saturating_sub(steps);
        let mean = (time as f64 + missing as f64 * next as f64) / (steps + missing) as f64;
        let tpot = mean * KV_UNIT as f64 / self.growth as f64;
        let later = if sequence.request.output > 1 { tpot } else { 0.0 };
        let FirstToken { steps, prompt_token } = self.first_token;
        let prompt = prompt_token.0 * 1e12 * f64::from(sequence.request.prompt);
        state.now + (steps.0 * later + prompt) as u64
    }

    fn pass_time(&self, state: &mut State, work: &StepWork) {
        let ticks = state.below + self.step_time.ticks(work);
        state.outcome.totals.busy += u128::from(ticks >> TICK_BITS);
        state.now += ticks >> TICK_BITS;
        state.below = ticks & ((1 << TICK_BITS) - 1);
        let totals = &mut state.outcome.totals;
        totals.steps += 1;
        totals.decode_steps += u64::from(work.decode > 0);
        totals.decoded += work.decode;
        totals.context_read += u128::from(work.kv);
        totals.prefilled += work.prefill;
    }

    /// Lets the sequences go that have made all their steps.
    fn release_finished(&self, state: &mut State) {
        let ends = |s: &mut Sequence| s.done >= self.total_steps(&s.request);
        let mut finished: Vec<Sequence> = state.running.extract_if(.., ends).collect();
        finished.sort_by_key(|sequence| self.order.get(sequence.id));
        for sequence in finished {
            state.complete(&sequence, self.total_steps(&sequence.request));
            if !sequence.request.keep {
                continue;
            }
            let tokens = sequence.context + sequence.steps * self.growth / KV_UNIT;
            let blocks = tokens / 16;
            if blocks > 0 {
                assert!(blocks <= sequence.blocks, "{sequence:?}");
                state.free -= blocks;
                state.cache.push(Entry { of: sequence.id, blocks });
            }
        }
    }

    /// Takes in the requests whose prompt was computed elsewhere.
    fn admit_handed(&self, state: &mut State) {
        loop {
            let running = state.running.len();
            let Some(line) = state.urgent_line() else { return };
            if !line[0].comes_ready() {
                return;
            }
            let Some(mut head) = self.admit(state, running) else { return };
            self.mark(state);
            if self.seen(state, &head) > deadline(&head.request) {
                head.computed = head.known;
                state.leave(&head);
                continue;
            }
            (head.first_token, head.last_token) = (Some(state.now), state.now);
            head.computed = head.context;
            state.outcome.fates[head.id].first_token = Some(state.now);
            state.running.push(head);
            self.release_finished(state);
        }
    }

    /// Gives the blocks of the next token to the decoding sequences.
    fn claim(&self, state: &mut State) {
        loop {
            let wanted = state.running.iter().filter(|s| self.claims(s)).count() as u64;
            if wanted <= state.free {
                break;
            }
            if !state.cache.is_empty() {
                state.evict();
                continue;
            }
            let mut victim = Self::victim(state);
            let totals = &mut state.outcome.totals;
            totals.preemptions += 1;
            if victim.computed < victim.context {
                totals.recomputed_prefill += victim.computed - victim.known;
            }
            state.free += victim.blocks;
            (victim.blocks, victim.steps) = (0, 0);
            (victim.computed, victim.known) = (0, 0);
            state.lines[usize::from(victim.request.priority)].push_front(victim);
        }
        for index in 0..state.running.len() {
            if self.claims(&state.running[index]) {
                state.running[index].blocks += 1;
                state.free -= 1;
            }
        }
        state.note_blocks(self.kv_tokens / 16);
    }

    /// The newest sequence of the least urgent priority that is there.
    fn victim(state: &mut State) -> Sequence {
        let priority = |sequence: &Sequence| sequence.request.priority;
        let all = state.running.iter().chain(&state.prefilling).map(priority);
        let least = all.max().unwrap();
        if let Some(head) = state.prefilling.take_if(|head| priority(head) == least) {
            return head;
        }
        let newest = state.running.iter().rposition(|s| priority(s) == least);
        state.running.remove(newest.unwrap())
    }

    /// The head of the most urgent line with memory for its context, if there is room.
    fn admit(&self, state: &mut State, occupied: usize) -> Option<Sequence> {
        let head = state.urgent_line()?[0].clone();
        let request = &head.request;
        let mut context = u64::from(request.prompt);
        if head.first_token.is_some() {
            context += (head.done + 1) * self.growth / KV_UNIT;
        }
        let ticket = head.follows.filter(|_| !head.seen);
        let entry = state.cache.iter().position(|entry| Some(entry.of) == ticket);
        let kept = entry.map_or(0, |entry| state.cache[entry].blocks);
        let found = kept.min((u64::from(request.prompt) - 1) / 16);
        let blocks = context.div_ceil(16);
        let room = state.free + (kept - found) + state.evictable(ticket);
        if occupied >= self.scheduler.max_sequences as usize || blocks - found > room {
            return None;
        }
        let mut head = state.urgent_line()?.pop_front()?;
        if let Some(entry) = entry {
            state.cache.remove(entry);
            state.free += kept - found;
        }
        while state.free < blocks - found {
            state.evict();
        }
        state.free -= blocks - found;
        if !head.seen {
            state.outcome.fates[head.id].admitted = Some(state.now);
        }
        head.seen = true;
        head.blocks = blocks;
        head.context = context;
        head.known = cached_of(&head.request).max(found * 16);
        head.computed = head.known;
        state.note_blocks(self.kv_tokens / 16);
        Some(head)
    }

    /// Fills a step with prompt tokens.
    fn fill(
        &self,
        state: &mut State,
        work: &mut StepWork,
        mut budget: u64,
        ready: &mut Vec<Sequence>,
    ) {
        while budget > 0 {
            if state.prefilling.is_none() {
                let occupied = state.running.len() + ready.len();
                // Contexts that come ready are taken in at step edges only.
                if state.urgent_line().is_some_and(|line| line[0].comes_ready()) {
                    return;
                }
                state.prefilling = self.admit(state, occupied);
            }
            let Some(mut head) = state.prefilling.take() else { return };
            // Token by token: each attends to everything before it and to itself.
            let start = head.computed;
            let chunk = budget.min(head.context - head.computed);
            for token in 0..chunk {
                work.prefill += 1;
                work.prefill_attention += start + token + 1;
            }
            work.prefill_context += start;
            head.computed += chunk;
            budget -= chunk;
            if head.computed == head.context {
                ready.push(head);
            } else {
                state.prefilling = Some(head);
            }
        }
    }
}
