//! What a rank of data-parallel attention waits for the others: the imbalance between ranks that
//! step together. Derived in `docs/model.md`; who sends what to which rank is not known here.

use serde::Serialize;

use super::Roofline;

/// Chance of still more chunks of a prompt in one rank that is left out.
const NEGLIGIBLE: f64 = 1e-4;

/// The ranks of a replica as one of them meets them: each decodes as many sequences as it does, and
/// their prompts and contexts scatter independently.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Peers {
    /// Ranks that step together, this one included.
    pub ranks: f64,
    /// Prompt tokens that fall due in a step for each decoding sequence.
    pub prompt: f64,
    /// Prompt tokens that come together: mean square over mean of the uncached part of a prompt,
    /// at most `most` and at least a 64th of it.
    pub chunk: f64,
    /// Prompt tokens of a rank in a step at most; it decodes no more sequences than that.
    pub most: f64,
    /// Earlier context that is read for a prompt token.
    pub cached: f64,
    /// Pairs of a prompt token and the context that it attends to, for a prompt token.
    pub pairs: f64,
    /// Mean context of a sequence, tokens.
    pub context: f64,
    /// Context tokens by which the fullest rank exceeds the mean, over the square root of its
    /// sequences.
    pub excess: f64,
}

impl Peers {
    /// Seconds that a step takes in the mean beyond a rank's own price when every rank decodes
    /// `decode` sequences: the expected price of the busiest rank less that of any.
    ///
    /// The chunks of a rank in a step are Poisson, so the chance of at most j in every rank is
    /// that of one rank to the power of the ranks. The busiest rank is either the one with most
    /// chunks or the one with most context.
    pub(super) fn wait(&self, roofline: &Roofline, decode: f64) -> f64 {
        if decode <= 0.0 {
            return 0.0;
        }
        let due = (decode * self.prompt).min(self.most);
        let rate = due / self.chunk;
        let kv = decode * self.context;
        let fullest = kv + self.excess * decode.sqrt();
        let price = |shared: f64, kv: f64, own: f64| {
            let (before, pairs) = (own * self.cached, own * self.pairs);
            roofline.seconds_beside(shared, decode, kv, own, before, pairs)
        };
        let mut term = libm::exp(-rate);
        let (mut up_to, mut all_up_to) = (term, libm::pow(term, self.ranks));
        let mut busiest = all_up_to * price(0.0, fullest, 0.0);
        let mut own = up_to * price(0.0, kv, 0.0);
        // In steps with prompts the experts of all ranks share them.
        let shared = due / (1.0 - all_up_to).max(f64::MIN_POSITIVE);
        let floor = price(shared, fullest, 0.0);
        let mut chunks = 0.0;
        while 1.0 - all_up_to > NEGLIGIBLE {
            chunks += 1.0;
            term *= rate / chunks;
            let tokens = chunks * self.chunk;
            let last = tokens >= self.most;
            let next = if last { 1.0 } else { (up_to + term).min(1.0) };
            let all_next = libm::pow(next, self.ranks);
            let tokens = tokens.min(self.most);
            busiest += (all_next - all_up_to) * price(shared, kv, tokens).max(floor);
            own += (next - up_to) * price(tokens, kv, tokens);
            (up_to, all_up_to) = (next, all_next);
        }
        (busiest - own).max(0.0)
    }
}
