//! What goes wrong, carried out.

use super::{Event, Operation, World, traffic::NOTICE};
use crate::{
    coordinator::Command,
    node::{Doing, Millis, Next, Node},
};

/// Of the aggregator's clock: as far as an administrator may set it in a run.
const AGGREGATORS_CLOCK_SECONDS_MAX: i64 = 40;
/// Of a node's clock: further than the aggregator lets in.
const NODES_CLOCK_SECONDS_MAX: i64 = 400;
/// How long a command waits to come between a read and a write of the server.
const BETWEEN_MAX: Millis = 20_000;

impl World {
    pub(super) fn operates(&mut self) {
        if self.is_clear {
            return;
        }
        let operation = self.weather.operation(&mut self.chance);
        self.trace.say(self.now, || format!("** {operation:?}"));
        match operation {
            Operation::CrashAggregator if self.aggregator.is_up => {
                self.aggregator.crash();
                self.aggregator_has_died();
            }
            Operation::CutAggregatorsPower => {
                let writes = self.chance.count(0, 6);
                self.aggregator.store.power.fails_after(writes);
            }
            Operation::CrashNode(node) => {
                self.nodes[node].crash();
                self.goes_on(node, Next::Nothing);
            }
            Operation::CutNodesPower(node) => {
                let writes = self.chance.count(0, 6);
                self.nodes[node].disk.power.fails_after(writes);
            }
            Operation::TurnLine(node) => self.weather.is_cut_off[node] ^= true,
            Operation::TurnAllLines => {
                let is_cut_off = self.chance.happens(500);
                self.weather.is_cut_off.fill(is_cut_off);
            }
            Operation::ChangeLoss => self.weather.lost_per_mille = self.chance.count(0, 500),
            Operation::SetAggregatorsClock => {
                let seconds = AGGREGATORS_CLOCK_SECONDS_MAX;
                self.aggregator.clock_offset_seconds = self.chance.between(-seconds, seconds);
            }
            Operation::SetNodesClock(node) => {
                let seconds = NODES_CLOCK_SECONDS_MAX;
                self.nodes[node].clock_offset_seconds = self.chance.between(-seconds, seconds);
            }
            Operation::TurnDisk(node) => self.nodes[node].disk.is_full ^= true,
            Operation::RepeatOldRequest => self.repeats(),
            Operation::Revoke(node) => {
                // What matters happens while something of the site is under way.
                let is_sending = |node: &Node| matches!(node.doing, Doing::Sending(..));
                let node = self.nodes.iter().position(is_sending).unwrap_or(node);
                let site = self.nodes[node].site.clone();
                self.comes_between(Command::Revoke(site));
            }
            Operation::TurnPause => {
                let is_paused = self.aggregator.store.phase.paused().is_some();
                self.comes_between(if is_paused { Command::Resume } else { Command::Pause });
            }
            Operation::Abort => self.comes_between(Command::Abort),
            Operation::CrashAggregator => {}
        }
        let pause = self.chance.between(500, self.weather.operation_pause_max);
        self.after(pause, Event::Operation);
    }

    /// Nothing goes wrong any more: lines, disks and clocks are mended, and whoever is down starts.
    pub(super) fn clears(&mut self) {
        self.trace.say(self.now, || "** nothing goes wrong any more".to_owned());
        self.is_clear = true;
        self.weather.ends = self.weather.ends.min(self.now);
        self.weather.clears();
        self.aggregator.clock_offset_seconds = 0;
        self.aggregator.store.power.returns();
        self.after(100, Event::AggregatorStarts);
        // The command itself may still come, and have it rest once more before that.
        if matches!(self.aggregator.store.interloper, Some((_, Command::Pause))) {
            self.aggregator.store.interloper = None;
        }
        self.after(2 * BETWEEN_MAX, Event::Command(Command::Resume));
        for node in 0..self.nodes.len() {
            self.nodes[node].disk.is_full = false;
            self.nodes[node].disk.power.returns();
            self.nodes[node].clock_offset_seconds = 0;
            if !self.aggregator.store.is_revoked(&self.nodes[node].site) {
                self.after(200, Event::NodeStarts(node));
            }
        }
    }

    /// The coordinator's program does what it is told; the server hears of it a moment later.
    pub(super) fn commands(&mut self, command: &Command) {
        self.trace.say(self.now, || format!("the coordinator {command}"));
        let clock = self.aggregators_clock();
        command.perform(&mut self.aggregator.store, &self.study, clock);
        if *command == Command::Resume {
            // A release of a paused study was refused.
            self.releases = false;
        }
        self.after(NOTICE, Event::Notice);
    }

    /// Most commands fall between what the server read and what it writes next.
    fn comes_between(&mut self, command: Command) {
        if self.chance.happens(300) {
            return self.commands(&command);
        }
        let writes = self.chance.count(0, 3);
        self.aggregator.store.interloper = Some((writes, command.clone()));
        self.after(BETWEEN_MAX, Event::Command(command));
    }

    fn repeats(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let place = self.chance.place(self.recent.len());
        if let Some((node, number, request)) = self.recent.get(place).cloned() {
            self.after(10, Event::Arrives(node, number, request));
        }
    }
}
