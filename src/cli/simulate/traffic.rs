//! How much is sent and for how long: loads become rates, and runs become long enough to have a
//! steady state, or are refused where they could not fit into memory.

use super::args::{SimulateArguments, TrafficArguments};
use crate::cli::Failure;
use crate::demand::{Interarrival, LengthTable, RateProfile};
use crate::engine::{
    CallClass, CallMeans, CallShape, ClusterModel, LoneCall, Pattern, Sessions, Traffic,
};
use crate::study::{
    Capacity, Simulation, clusters_of, deployment_capacity, measured_capacity, past_found,
    session_means,
};
use crate::units::Seconds;

/// Shards that a simulation has at least, unless it is told otherwise.
const SHARDS: u32 = 10;
/// Requests of the default run at least: about a second.
const LEAST: f64 = 8e6;
/// Times that the batch of every replica is renewed in a run.
const RENEWALS: f64 = 30.0;
/// Calls that may be in a shard at one time: 128 bytes each, for every thread.
const MOST_HELD: f64 = 4e6;
/// Requests of a simulation that nobody has asked for at most: some minutes.
const MOST: f64 = 3e9;
/// Seconds of a run at most: the engine's clock goes on for another six days.
const LONGEST: f64 = 8.64e6;
/// Shares of a run before and after the measured time.
const NOT_COUNTED: (f64, f64) = (0.2, 0.1);
/// Mean stays in the system that a run lasts for a steady state: its warm-up is four of them.
const STAYS: f64 = 20.0;

/// What is sent, and what of it follows from the capacity.
pub(super) struct Sent {
    pub(super) simulation: Simulation,
    /// 100 % of the load.
    pub(super) capacity: Capacity,
    /// Requests per second; none in a closed loop.
    pub(super) rate: Option<f64>,
    /// Requests that a steady state needs, where fewer are asked for.
    pub(super) advised: Option<u64>,
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::Usage(message.into())
}

/// Sessions, if there are any.
fn sessions(arguments: &TrafficArguments) -> Option<Sessions> {
    let plain = || LengthTable { source: "100".to_owned(), ..CallShape::fixed(100, 0.0, 1).prompt };
    arguments.turns.map(|turns| Sessions {
        turns,
        think: arguments.think.unwrap_or(Seconds(30.0)),
        added: arguments.added.clone().unwrap_or_else(plain),
    })
}

/// What is sent to a deployment.
pub(super) fn sent(
    arguments: &SimulateArguments,
    deployment: ClusterModel,
    classes: Vec<CallClass>,
    mut means: CallMeans,
) -> Result<Sent, Failure> {
    let traffic = &arguments.traffic;
    let sessions = sessions(traffic);
    let clusters = clusters_of(&deployment);
    if let Some(sessions) = &sessions {
        means = session_means(&means, sessions, past_found(&deployment, clusters));
    }
    let capacity = deployment_capacity(&deployment, &means).ok_or_else(|| {
        usage(format!(
            "a replica holds {} tokens of context, and a mean call needs {:.0}: give it more GPUs \
             (--gpus), shorter calls or fewer bits",
            deployment.replica.kv_tokens,
            means.context()
        ))
    })?;
    let capacity = match sessions {
        Some(_) => capacity,
        None => measured_capacity(&deployment, &classes, capacity),
    };
    let replications = arguments.replications.unwrap_or(SHARDS.div_ceil(clusters));
    let load = traffic.load.unwrap_or(0.75);
    let rate = traffic.rate.unwrap_or(load * capacity.calls_per_second);
    let (seed, requests, not_counted) = (arguments.seed, 0, NOT_COUNTED);
    let pattern = match traffic.concurrency {
        Some(concurrency) => Pattern::Closed { concurrency },
        None => Pattern::Open {
            calls_per_second: rate,
            gaps: traffic.arrivals.unwrap_or(Interarrival::Poisson),
            // Its range was checked when it was read.
            profile: traffic
                .diurnal
                .and_then(|(swing, period)| RateProfile::sinusoid(period, swing).ok()),
            sessions,
        },
    };
    let traffic = Traffic { classes, pattern, requests, not_counted };
    let mut simulation = Simulation { deployment, traffic, replications, seed };
    let stay = stay(&simulation.deployment, &means, &capacity);
    let length = Length { capacity, rate, stay, clusters };
    let least = match simulation.traffic.pattern {
        Pattern::Open { .. } => length.open(arguments, &mut simulation)?,
        Pattern::Closed { concurrency } => {
            length.closed(arguments, concurrency, &mut simulation)?
        }
    };
    let least = Length::total(&simulation, least);
    // A run of nearly that length is as good.
    let advised = (simulation.traffic.requests < least / 4 * 3).then_some(least);
    let open = matches!(simulation.traffic.pattern, Pattern::Open { .. });
    Ok(Sent { simulation, capacity, rate: open.then_some(rate), advised })
}

/// Mean time in the system at full load, without a queue.
fn stay(deployment: &ClusterModel, means: &CallMeans, capacity: &Capacity) -> f64 {
    let full = capacity.batch * f64::from(deployment.replicas) / capacity.calls_per_second;
    let alone = CallShape::fixed(means.prompt.max(1.0) as u32, 0.0, 1);
    let LoneCall { ttft, tpot } = deployment.replica.lone_call(&alone);
    let beyond = deployment.replica.first_token.seconds(means.prompt, full / means.output.max(1.0));
    (full + beyond).max(ttft.0 + tpot.0 * means.output)
}

/// What decides how many requests a simulation needs.
struct Length {
    capacity: Capacity,
    rate: f64,
    stay: f64,
    clusters: u32,
}

impl Length {
    /// Requests of all replications of a run of so many requests to the whole deployment.
    fn total(simulation: &Simulation, of_a_run: f64) -> u64 {
        (of_a_run * f64::from(simulation.replications)).ceil() as u64
    }

    /// Sets the requests of an open system; returns those that a run needs for a steady state.
    fn open(
        &self,
        arguments: &SimulateArguments,
        simulation: &mut Simulation,
    ) -> Result<f64, Failure> {
        let replications = f64::from(simulation.replications);
        let batches = self.capacity.batch * f64::from(simulation.deployment.replicas);
        let overload = self.rate > self.capacity.calls_per_second;
        let wanted = (RENEWALS * batches).max(LEAST / replications).min(LONGEST * self.rate);
        let mut least = STAYS * self.stay * self.rate;
        if let Pattern::Open { sessions: Some(sessions), .. } = &simulation.traffic.pattern {
            // Sessions fill up over their own length.
            least = STAYS * sessions.turns * (sessions.think.0 + self.stay) * self.rate;
        }
        let mut of_a_run = arguments.requests.map(|all| all as f64 / replications);
        if overload {
            let given = of_a_run.unwrap_or_else(|| wanted.min(self.most()).max(least));
            self.overload(arguments, replications, (given, least))?;
            of_a_run = Some(given);
        }
        let mut of_a_run = of_a_run.unwrap_or(wanted.max(least));
        let mut not_counted = NOT_COUNTED;
        if let Some((_, period)) = arguments.traffic.diurnal {
            // The measured time is a whole number of periods.
            let period = period.0 * self.rate;
            let (before, after) = NOT_COUNTED;
            let given = arguments.requests.map_or(0.0, |_| of_a_run / period - before - after);
            let periods = given.floor().max(1.0);
            let all = periods + before + after;
            of_a_run = period * all;
            not_counted = (before / all, after / all);
        }
        if of_a_run > LONGEST * self.rate {
            return Err(usage(format!(
                "a run of {:.0} requests lasts {:.0} days, and the clock ends after 100: raise \
                 the rate, shorten the period or lower --requests",
                of_a_run,
                of_a_run / self.rate / 86_400.0
            )));
        }
        let all = of_a_run * replications;
        if all > MOST && arguments.requests.is_none() {
            return Err(usage(format!(
                "a steady state needs {all:.0} requests, more than {MOST:.0}: insist on it with \
                 --requests, or lower the rate, the period or --replications"
            )));
        }
        simulation.traffic.not_counted = not_counted;
        simulation.traffic.requests = Self::total(simulation, of_a_run);
        self.enough(simulation)?;
        Ok(least)
    }

    /// Requests of a run of all clusters, at which what waits at its end fills the memory.
    fn most(&self) -> f64 {
        let waiting = 1.0 - self.capacity.calls_per_second / self.rate;
        MOST_HELD * f64::from(self.clusters) / waiting.max(1e-9)
    }

    /// Whether an overload can be simulated.
    fn overload(
        &self,
        arguments: &SimulateArguments,
        replications: f64,
        (of_a_run, least): (f64, f64),
    ) -> Result<(), Failure> {
        let times = self.rate / self.capacity.calls_per_second;
        let capacity = self.capacity.calls_per_second;
        let said = format!(
            "{} requests/s are {times:.0} times the capacity of {capacity:.1} requests/s, and what \
             is not served waits",
            self.rate
        );
        // With so many times the capacity, the shortest useful run just fills the memory.
        let highest = capacity + MOST_HELD * f64::from(self.clusters) / (STAYS * self.stay);
        // Users who leave bound the queue; those with an exponential patience are rarely patient.
        let held = arguments.traffic.timeout.map_or(f64::INFINITY, |(time, _)| self.rate * time.0);
        let fits = held < MOST_HELD * f64::from(self.clusters) / 4.0;
        if of_a_run > self.most() * 1.001 && !fits {
            let fix = if least <= self.most() {
                format!("lower --requests to {:.0}", self.most() * replications)
            } else {
                format!("lower the rate to {highest:.0} or less, or add replicas")
            };
            return Err(usage(format!(
                "{said}: {of_a_run:.0} requests of a run do not fit into memory; {fix}"
            )));
        }
        Ok(())
    }

    /// The same of a closed loop.
    fn closed(
        &self,
        arguments: &SimulateArguments,
        concurrency: u32,
        simulation: &mut Simulation,
    ) -> Result<f64, Failure> {
        let most = MOST_HELD * f64::from(self.clusters);
        if concurrency < self.clusters || f64::from(concurrency) > most {
            return Err(usage(format!(
                "{concurrency} users: so many replicas can have {} to {most:.0}, who fit into \
                 memory",
                self.clusters
            )));
        }
        let replications = f64::from(simulation.replications);
        let users = f64::from(concurrency);
        let wanted = (RENEWALS * users).max(LEAST / replications);
        // Even one after the other they end before the clock does.
        let wanted = wanted.min(LONGEST * users / self.stay / 4.0);
        let given = arguments.requests.map(|all| all as f64 / replications);
        simulation.traffic.requests = Self::total(simulation, given.unwrap_or(wanted));
        self.enough(simulation)?;
        Ok(STAYS * users)
    }

    /// Each shard has some requests to count.
    fn enough(&self, simulation: &Simulation) -> Result<(), Failure> {
        let shards = u64::from(self.clusters) * u64::from(simulation.replications);
        let least = 20 * shards;
        if simulation.traffic.requests >= least {
            return Ok(());
        }
        Err(usage(format!(
            "{} requests for {shards} independent runs: give at least --requests {least}, or fewer \
             --replications",
            simulation.traffic.requests
        )))
    }
}

/// How calls arrive, in words.
pub(super) fn arrivals(arguments: &TrafficArguments) -> String {
    let law = arguments.arrivals.unwrap_or(Interarrival::Poisson);
    let mut words = match arguments.concurrency {
        Some(users) => format!("{users} users with one at a time"),
        None => format!("{law} arrivals"),
    };
    if let Some((swing, period)) = arguments.diurnal {
        words += &format!(" at a rate that swings by {:.0} % in {} s", 100.0 * swing, period.0);
    }
    if let Some(Sessions { turns, think, added }) = sessions(arguments) {
        words += &format!(
            ", first of sessions of {turns} turns, {} s apart, that add {:.0} tokens each",
            think.0, added.mean
        );
    }
    words
}
