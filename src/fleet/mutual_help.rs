//! One hour of several areas: what those with capacity to spare send to those that are short, over
//! links of limited capacity.
//!
//! The rule: an area serves itself first. Then as much load is served as the links allow (maximum
//! flow), over as few links as possible (of all such flows one with the least sum of flows: minimum
//! cost with a cost of one per link, which is what PRAS does too). Of equal ways, the area that
//! comes first by name is helped first, from the area that comes first by name. Successive shortest
//! paths find it: Ahuja, Magnanti, Orlin, Network Flows (1993), section 9.7.

/// Shares of a capacity or load that are rounding and no more.
const SLIVER: f64 = 1e-12;
/// The end of a way.
const NOWHERE: u32 = u32::MAX;

/// What lies between areas, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub from: u32,
    pub to: u32,
}

/// The best way to an area that is known: links that are used more than before, less those that
/// are used less; links; the area that sends.
type Label = (i32, u32, u32);

/// One hour of areas and links, to be filled and served; working memory, to be used again.
#[derive(Debug, Clone, Default)]
pub struct AreaHour {
    /// By area: load.
    pub(super) load: Vec<f64>,
    /// By area: capacity that it does not need itself; after serving, what is left of it.
    pub(super) surplus: Vec<f64>,
    /// By area: load that it cannot serve itself; after serving, what is not served at all.
    pub(super) unserved: Vec<f64>,
    /// By link: most that flows forward and backward.
    pub(super) limits: Vec<[f64; 2]>,
    /// By link: what flows forward; negative is backward.
    pub(super) flows: Vec<f64>,
    labels: Vec<Label>,
    /// By area: the link and the area that the best way comes from.
    before: Vec<(u32, u32)>,
}

impl AreaHour {
    /// So many areas and links with nothing in them.
    pub(super) fn new(areas: usize, links: usize) -> Self {
        Self {
            load: vec![0.0; areas],
            surplus: vec![0.0; areas],
            unserved: vec![0.0; areas],
            limits: vec![[0.0; 2]; links],
            flows: vec![0.0; links],
            labels: vec![(0, 0, 0); areas],
            before: vec![(NOWHERE, NOWHERE); areas],
        }
    }

    /// By area: load that is not served.
    #[must_use]
    pub fn unserved(&self) -> &[f64] {
        &self.unserved
    }

    /// Load of all areas that is not served.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.unserved.iter().sum()
    }

    /// By link: what flows forward, negative where it flows backward.
    #[must_use]
    pub fn flows(&self) -> &[f64] {
        &self.flows
    }

    /// Most that a link can carry in the direction of its flow.
    #[must_use]
    pub fn limit(&self, link: usize) -> f64 {
        self.limits[link][usize::from(self.flows[link] < 0.0)]
    }

    /// Sends what can be spared to where it is missing.
    pub(super) fn serve(&mut self, ends: &[Ends]) {
        self.flows.fill(0.0);
        // Every way closes a link, uses up an area or helps one for good: far fewer than this.
        let most = 16 * (1 + self.load.len()) * (1 + ends.len());
        for _ in 0..most {
            let Some(to) = self.best(ends) else { break };
            self.send(to, ends);
        }
        for (unserved, load) in self.unserved.iter_mut().zip(&self.load) {
            if *unserved <= load * SLIVER {
                *unserved = 0.0;
            }
        }
    }

    /// What more may flow over a link in a direction, and what that costs: a flow the other way is
    /// taken back first.
    fn residual(&self, link: usize, backward: bool) -> (f64, i32) {
        let limit = self.limits[link][usize::from(backward)];
        let flow = if backward { -self.flows[link] } else { self.flows[link] };
        if flow < 0.0 {
            return (-flow, -1);
        }
        let left = limit - flow;
        (if left > limit * SLIVER { left } else { 0.0 }, 1)
    }

    /// The area to be helped next; the ways are in `before`.
    fn best(&mut self, ends: &[Ends]) -> Option<usize> {
        const FAR: Label = (i32::MAX, u32::MAX, u32::MAX);
        for area in 0..self.load.len() {
            let spare = self.surplus[area] > 0.0;
            self.labels[area] = if spare { (0, 0, area as u32) } else { FAR };
            self.before[area] = (NOWHERE, NOWHERE);
        }
        for _ in 0..self.load.len() {
            let mut changed = false;
            for (link, Ends { from, to }) in ends.iter().enumerate() {
                for (backward, at, next) in [(false, *from, *to), (true, *to, *from)] {
                    let (cost, links, sender) = self.labels[at as usize];
                    let (left, more) = self.residual(link, backward);
                    if sender == u32::MAX || left <= 0.0 {
                        continue;
                    }
                    let label = (cost + more, links + 1, sender);
                    if label < self.labels[next as usize] {
                        self.labels[next as usize] = label;
                        self.before[next as usize] = (link as u32, at);
                        changed = true;
                    }
                }
            }
            if !changed {
                break;
            }
        }
        let short = |area: &usize| self.unserved[*area] > self.load[*area] * SLIVER;
        let short = (0..self.load.len()).filter(short);
        let nearest = short.min_by_key(|area| (self.labels[*area].0, self.labels[*area].1))?;
        (self.labels[nearest].2 != u32::MAX).then_some(nearest)
    }

    /// Sends as much as the best way to an area allows.
    fn send(&mut self, to: usize, ends: &[Ends]) {
        let sender = self.labels[to].2 as usize;
        let mut much = self.unserved[to].min(self.surplus[sender]);
        self.along(to, ends, |hour, link, backward| {
            much = much.min(hour.residual(link, backward).0);
        });
        self.along(to, ends, |hour, link, backward| {
            let flow = hour.flows[link] + if backward { -much } else { much };
            let whole = hour.limits[link][0].max(hour.limits[link][1]);
            hour.flows[link] = if flow.abs() > whole * SLIVER { flow } else { 0.0 };
        });
        self.unserved[to] -= much;
        self.surplus[sender] -= much;
    }

    /// Visits the links of the best way to an area, from its end.
    fn along(&mut self, to: usize, ends: &[Ends], mut visit: impl FnMut(&mut Self, usize, bool)) {
        let mut at = to;
        // No way visits an area twice.
        for _ in 0..self.load.len() {
            let (link, from) = self.before[at];
            if link == NOWHERE {
                return;
            }
            visit(self, link as usize, ends[link as usize].from != from);
            at = from as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Areas as (surplus, deficit), links as (from, to, forward, backward).
    fn served(areas: &[(f64, f64)], links: &[(u32, u32, f64, f64)]) -> AreaHour {
        let mut hour = AreaHour::new(areas.len(), links.len());
        for (index, (surplus, deficit)) in areas.iter().enumerate() {
            (hour.surplus[index], hour.unserved[index]) = (*surplus, *deficit);
            hour.load[index] = 100.0;
        }
        for (index, link) in links.iter().enumerate() {
            hour.limits[index] = [link.2, link.3];
        }
        let ends: Vec<Ends> =
            links.iter().map(|(from, to, _, _)| Ends { from: *from, to: *to }).collect();
        hour.serve(&ends);
        hour
    }

    #[test]
    fn help_over_a_link_by_hand() {
        let hour = served(&[(30.0, 0.0), (0.0, 40.0)], &[(0, 1, 20.0, 5.0)]);
        assert_eq!((hour.unserved(), hour.flows()), (&[0.0, 20.0][..], &[20.0][..]));
        assert_eq!(hour.limit(0), 20.0);
        // The other way round, the backward limit holds.
        let hour = served(&[(0.0, 40.0), (30.0, 0.0)], &[(0, 1, 20.0, 5.0)]);
        assert_eq!((hour.unserved(), hour.flows()), (&[35.0, 0.0][..], &[-5.0][..]));
        assert_eq!(hour.limit(0), 5.0);
    }

    /// A row of areas 0 - 1 - 2: 0 has 10, both others miss 10. The nearer one is helped.
    #[test]
    fn nearer_areas_are_helped_first_and_then_those_first_by_name() {
        let row = [(0, 1, 50.0, 50.0), (1, 2, 50.0, 50.0)];
        let hour = served(&[(10.0, 0.0), (0.0, 10.0), (0.0, 10.0)], &row);
        assert_eq!(hour.unserved(), [0.0, 0.0, 10.0]);
        // Both as near: the first by name.
        let hour = served(&[(0.0, 10.0), (10.0, 0.0), (0.0, 10.0)], &row);
        assert_eq!(hour.unserved(), [0.0, 0.0, 10.0]);
        // Two senders as near: the first by name sends.
        let hour = served(&[(10.0, 0.0), (0.0, 10.0), (10.0, 0.0)], &row);
        assert_eq!((hour.flows(), &hour.surplus[..]), (&[10.0, 0.0][..], &[0.0, 0.0, 10.0][..]));
    }

    /// 0 and 1 can both help 2, only 1 can help 3: what 1 gave to 2 is taken back over the link
    /// from 0 when 3 needs it, so that nothing is lost by having helped the first one first.
    #[test]
    fn a_flow_gives_way_where_more_load_is_served_by_it() {
        let links = [(0, 2, 10.0, 0.0), (1, 2, 10.0, 0.0), (1, 3, 10.0, 0.0), (0, 1, 10.0, 10.0)];
        let areas = [(10.0, 0.0), (10.0, 0.0), (0.0, 10.0), (0.0, 10.0)];
        let hour = served(&areas, &links);
        assert_eq!(hour.total(), 0.0);
        // Two links are enough for both.
        assert_eq!(hour.flows().iter().map(|flow| flow.abs()).sum::<f64>(), 20.0);
        // Without the first link, 0 helps through 1.
        let hour = served(&areas, &links[1..]);
        assert_eq!((hour.total(), hour.flows()), (0.0, &[10.0, 10.0, 10.0][..]));
    }

    #[test]
    fn what_cannot_be_reached_stays_short() {
        let hour = served(&[(10.0, 0.0), (0.0, 10.0)], &[]);
        assert_eq!(hour.unserved(), [0.0, 10.0]);
        let hour = served(&[(10.0, 0.0), (0.0, 10.0)], &[(0, 1, 0.0, 99.0)]);
        assert_eq!((hour.total(), hour.flows()), (10.0, &[0.0][..]));
        // Equal is no loss, whatever the rounding of the parts: 0.7 and 0.1 for 0.8.
        let both = [(0.7, 0.0), (0.1, 0.0), (0.0, 0.8)];
        let hour = served(&both, &[(0, 2, 9.0, 9.0), (1, 2, 9.0, 9.0)]);
        assert_eq!(hour.total(), 0.0);
    }
}
