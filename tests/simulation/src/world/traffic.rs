//! Messages on their way: lost, late, repeated, out of order.

use super::{Event, World};
use crate::{
    aggregator::RequestNumber,
    message::{Answer, Request},
    node::{Millis, Next},
};

/// How many requests the network remembers, to repeat one much later.
const RECENT_MAX: usize = 12;
/// How soon the aggregator looks at what commands did.
pub(super) const NOTICE: Millis = 200;
/// How long the service manager takes to start a program that died.
const RESTART_MAX: Millis = 20_000;

impl World {
    /// What a node waits for now.
    pub(super) fn goes_on(&mut self, node: usize, next: Next) {
        self.number += 1;
        let number = self.number;
        self.waits[node] = number;
        match next {
            Next::Nothing => {}
            Next::Sleep(pause) => self.after(pause, Event::Timer(node, number)),
            Next::Answer(request, wait) => {
                self.askers.insert(number, node);
                self.after(wait, Event::Returns(node, number, None));
                self.sends(node, number, request);
            }
        }
        self.restarts_node(node);
    }

    fn sends(&mut self, node: usize, number: RequestNumber, request: Request) {
        let site = self.nodes[node].site.clone();
        if self.is_lost(node) {
            return self
                .trace
                .say(self.now, || format!("{site} -> aggregator, lost: {request}"));
        }
        if self.chance.happens(self.weather.repeated_per_mille) {
            let delay = self.delay() + self.chance.between(0, 5_000);
            self.after(delay, Event::Arrives(node, number, request.clone()));
        }
        self.recent.push_back((node, number, request.clone()));
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        let delay = self.delay();
        self.after(delay, Event::Arrives(node, number, request));
    }

    pub(super) fn arrives(&mut self, node: usize, number: RequestNumber, request: &Request) {
        let site = self.nodes[node].site.clone();
        if !self.aggregator.is_up {
            self.trace
                .say(self.now, || format!("{site} -> aggregator, which is down: {request}"));
            return self.after(50, Event::Returns(node, number, None));
        }
        self.trace.say(self.now, || format!("{site} -> aggregator: {request}"));
        if let Request::Task(seconds) = request {
            self.after(Millis::from(*seconds) * 1_000, Event::PollIsOver(number));
        }
        let clock = self.aggregators_clock();
        self.aggregator.request(number, &site, request, clock);
        self.aggregator_went_on();
    }

    /// Sends what the aggregator answered, and arranges what it waits for.
    pub(super) fn aggregator_went_on(&mut self) {
        let has_died = !self.aggregator.is_up;
        for (number, answer) in self.aggregator.take_answers() {
            let Some(node) = self.askers.get(&number).copied() else {
                continue;
            };
            // A process that dies may have handed its answer to the network or not.
            if self.is_lost(node) || (has_died && self.chance.happens(500)) {
                let site = &self.nodes[node].site;
                self.trace
                    .say(self.now, || format!("aggregator -> {site}, lost: {answer}"));
                continue;
            }
            let delay = self.delay();
            self.after(delay, Event::Returns(node, number, Some(answer)));
        }
        if has_died {
            return self.aggregator_has_died();
        }
        if let Some(wake) = self.aggregator.next_wake() {
            let moment = (wake - self.aggregators_clock()) * 1_000 - self.now % 1_000 + 100;
            let at = self.now + moment.max(100);
            if self.wake_at != Some(at) {
                self.wake_at = Some(at);
                self.after(at - self.now, Event::Wake);
            }
        }
    }

    pub(super) fn returns(&mut self, node: usize, number: RequestNumber, answer: Option<Answer>) {
        if self.waits[node] != number {
            return;
        }
        self.askers.remove(&number);
        let site = self.nodes[node].site.clone();
        match &answer {
            Some(answer) => self.trace.say(self.now, || format!("aggregator -> {site}: {answer}")),
            None => self.trace.say(self.now, || format!("{site} has no answer")),
        }
        let clock = self.clock(self.nodes[node].clock_offset_seconds);
        let next = self.nodes[node].hear(answer, clock);
        self.goes_on(node, next);
    }

    /// Every line is broken; the program starts again some time later.
    pub(super) fn aggregator_has_died(&mut self) {
        self.trace.say(self.now, || "the aggregator has died".to_owned());
        self.wake_at = None;
        for (number, node) in self.askers.clone() {
            self.after(100, Event::Returns(node, number, None));
        }
        let delay = self.chance.between(100, RESTART_MAX);
        self.after(delay, Event::AggregatorStarts);
    }

    pub(super) fn aggregator_starts(&mut self) {
        if self.aggregator.is_up {
            return;
        }
        let clock = self.aggregators_clock();
        self.trace.say(self.now, || "the aggregator starts".to_owned());
        self.aggregator.start(clock);
        self.aggregator_went_on();
    }

    pub(super) fn node_starts(&mut self, node: usize) {
        if self.nodes[node].doing != crate::node::Doing::Off {
            return;
        }
        let site = self.nodes[node].site.clone();
        self.trace.say(self.now, || format!("{site} starts"));
        let clock = self.clock(self.nodes[node].clock_offset_seconds);
        let next = self.nodes[node].start(clock);
        self.goes_on(node, next);
    }

    fn is_lost(&mut self, node: usize) -> bool {
        let is_lost = self.chance.happens(self.weather.lost_per_mille);
        is_lost || self.weather.is_cut_off[node]
    }

    fn delay(&mut self) -> Millis {
        self.chance.between(1, self.weather.delay_max)
    }

    /// A node that died in a write starts again.
    fn restarts_node(&mut self, node: usize) {
        if self.nodes[node].has_died() {
            let site = self.nodes[node].site.clone();
            self.trace.say(self.now, || format!("{site} has died"));
            let delay = self.chance.between(100, RESTART_MAX);
            self.after(delay, Event::NodeStarts(node));
        }
    }
}
