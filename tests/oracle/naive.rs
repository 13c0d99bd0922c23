//! A slow replica that touches every sequence in every step: the reference for the token clock.
//! It shares with the engine the price of a step and nothing else.

use std::collections::VecDeque;

use sparkgap::engine::{Prefill, Request, Scheduler};
use sparkgap::hardware::{KV_UNIT, StepTime, StepWork, TICK_BITS};

/// First token and end of a request, picoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    pub first_token: u64,
    pub finish: u64,
}

#[derive(Debug, Clone)]
struct Sequence {
    id: usize,
    request: Request,
    first_token: Option<u64>,
    /// Decode steps made so far, over all passes.
    done: u64,
    /// Tokens that this pass must compute and those it has.
    context: u64,
    computed: u64,
    /// Decode steps of this pass.
    steps: u64,
    blocks: u64,
}

pub struct Naive<'a> {
    pub step_time: &'a StepTime,
    pub scheduler: &'a Scheduler,
    pub kv_tokens: u64,
}

/// The run of a naive replica.
pub struct Outcome {
    pub times: Vec<Option<Times>>,
    pub preemptions: u64,
}

struct State {
    now: u64,
    below: u64,
    free: u64,
    waiting: VecDeque<Sequence>,
    prefilling: Option<Sequence>,
    running: Vec<Sequence>,
    outcome: Outcome,
}

impl Naive<'_> {
    fn period(&self) -> u64 {
        16 * KV_UNIT / self.step_time.growth()
    }

    fn total_steps(&self, request: &Request) -> u64 {
        // Counted out rather than divided.
        let wanted = u64::from(request.output - 1) * KV_UNIT;
        let (mut steps, mut made) = (0, 0);
        while made < wanted {
            made += self.step_time.growth();
            steps += 1;
        }
        steps
    }

    /// Whether a sequence has filled its last block.
    fn claims(&self, sequence: &Sequence) -> bool {
        let room = sequence.context.next_multiple_of(16) - sequence.context;
        let free = (room * KV_UNIT / self.step_time.growth()).min(self.period() - 1);
        sequence.steps >= free && (sequence.steps - free).is_multiple_of(self.period())
    }

    pub fn run(&self, requests: &[Request]) -> Outcome {
        let total = self.kv_tokens / 16;
        let outcome = Outcome { times: vec![None; requests.len()], preemptions: 0 };
        let mut state = State {
            now: 0,
            below: 0,
            free: total,
            waiting: VecDeque::new(),
            prefilling: None,
            running: Vec::new(),
            outcome,
        };
        let mut coming: VecDeque<(usize, Request)> = requests
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, request)| {
                let prompt = u64::from(request.prompt).div_ceil(16);
                prompt + self.total_steps(request) / self.period() + 3 <= total
            })
            .collect();
        loop {
            while let Some((id, request)) = coming.pop_front_if(|c| c.1.arrival.0 <= state.now) {
                state.waiting.push_back(Sequence {
                    id,
                    request,
                    first_token: None,
                    done: 0,
                    context: 0,
                    computed: 0,
                    steps: 0,
                    blocks: 0,
                });
            }
            let idle =
                state.running.is_empty() && state.prefilling.is_none() && state.waiting.is_empty();
            if idle {
                let Some((_, next)) = coming.front() else { break };
                (state.now, state.below) = (next.arrival.0, 0);
                continue;
            }
            self.step(&mut state);
        }
        assert_eq!(state.free, total);
        state.outcome
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
            let before = state.outcome.preemptions;
            self.claim(state);
            decoding = state.running.len();
            work.decode = decoding as u64;
            for sequence in &state.running {
                work.kv += sequence.context * KV_UNIT + sequence.steps * self.step_time.growth();
            }
            if !blocking && before == state.outcome.preemptions {
                let room = budget.saturating_sub(decoding as u64);
                self.fill(state, &mut work, room, &mut ready);
            }
        }
        let ticks = state.below + self.step_time.ticks(&work);
        state.now += ticks >> TICK_BITS;
        state.below = ticks & ((1 << TICK_BITS) - 1);
        for sequence in &mut state.running[..decoding] {
            sequence.done += 1;
            sequence.steps += 1;
        }
        for mut sequence in ready {
            match sequence.first_token {
                None => sequence.first_token = Some(state.now),
                Some(_) => sequence.done += 1,
            }
            state.running.push(sequence);
        }
        let now = state.now;
        let mut index = 0;
        while index < state.running.len() {
            let sequence = &state.running[index];
            if sequence.done < self.total_steps(&sequence.request) {
                index += 1;
                continue;
            }
            let sequence = state.running.remove(index);
            state.free += sequence.blocks;
            let first_token = sequence.first_token.unwrap();
            state.outcome.times[sequence.id] = Some(Times { first_token, finish: now });
        }
    }

    fn claim(&self, state: &mut State) {
        loop {
            let wanted = state.running.iter().filter(|s| self.claims(s)).count() as u64;
            if wanted <= state.free {
                break;
            }
            let newest = state.prefilling.take().or_else(|| state.running.pop());
            let mut victim = newest.unwrap();
            state.outcome.preemptions += 1;
            state.free += victim.blocks;
            victim.blocks = 0;
            victim.steps = 0;
            state.waiting.push_front(victim);
        }
        for index in 0..state.running.len() {
            if self.claims(&state.running[index]) {
                state.running[index].blocks += 1;
                state.free -= 1;
            }
        }
    }

    fn fill(
        &self,
        state: &mut State,
        work: &mut StepWork,
        mut budget: u64,
        ready: &mut Vec<Sequence>,
    ) {
        while budget > 0 {
            if state.prefilling.is_none() {
                let full = state.running.len() + ready.len();
                let Some(head) = state.waiting.front() else { return };
                let mut context = u64::from(head.request.prompt);
                if head.first_token.is_some() {
                    context += (head.done + 1) * self.step_time.growth() / KV_UNIT;
                }
                let blocks = context.div_ceil(16);
                if full >= self.scheduler.max_sequences as usize || blocks > state.free {
                    return;
                }
                let mut head = state.waiting.pop_front().unwrap();
                state.free -= blocks;
                head.blocks = blocks;
                head.context = context;
                head.computed = u64::from(head.request.cached.min(head.request.prompt - 1));
                state.prefilling = Some(head);
            }
            let mut head = state.prefilling.take().unwrap();
            while budget > 0 && head.computed < head.context {
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
            }
            if head.computed == head.context {
                ready.push(head);
            } else {
                state.prefilling = Some(head);
            }
        }
    }
}
