//! What goes wrong: drawn anew every few seconds, until it stops.

use crate::{chance::Chance, node::Millis};

/// How the network is.
#[derive(Clone, Debug)]
pub struct Weather {
    /// Of a thousand messages, how many are lost.
    pub lost_per_mille: u32,
    /// Of a thousand requests, how many come a second time.
    pub repeated_per_mille: u32,
    /// The longest that a message takes.
    pub delay_max: Millis,
    /// The longest between two operations.
    pub operation_pause_max: Millis,
    /// Whether each site is cut off.
    pub is_cut_off: Vec<bool>,
    /// When it all stops.
    pub ends: Millis,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// The aggregator dies at once.
    CrashAggregator,
    /// The aggregator dies in one of its next writes.
    CutAggregatorsPower,
    /// A node dies at once.
    CrashNode(usize),
    /// A node dies in one of its next writes.
    CutNodesPower(usize),
    /// A site is cut off, or is no longer.
    TurnLine(usize),
    /// Everybody is cut off, or nobody.
    TurnAllLines,
    /// More or fewer messages are lost.
    ChangeLoss,
    /// The aggregator's clock is set.
    SetAggregatorsClock,
    /// A node's clock is set.
    SetNodesClock(usize),
    /// A node's disk is full, or no longer.
    TurnDisk(usize),
    /// A request that came before comes once more, much later.
    RepeatOldRequest,
    /// The coordinator revokes a site.
    Revoke(usize),
    /// The coordinator has the study rest, or go on.
    TurnPause,
    /// The coordinator aborts the study.
    Abort,
}

impl Weather {
    /// The weather that `chance` gives to so many sites.
    #[must_use]
    pub fn drawn(chance: &mut Chance, sites: usize) -> Self {
        Self {
            lost_per_mille: chance.count(0, 150),
            repeated_per_mille: chance.count(0, 80),
            delay_max: chance.between(20, 2_000),
            operation_pause_max: chance.between(2_000, 30_000),
            is_cut_off: vec![false; sites],
            ends: chance.between(20_000, 400_000),
        }
    }

    /// Nothing goes wrong any more.
    pub fn clears(&mut self) {
        (self.lost_per_mille, self.repeated_per_mille, self.delay_max) = (0, 0, 50);
        self.is_cut_off.fill(false);
    }

    /// What goes wrong next.
    #[must_use]
    pub fn operation(&self, chance: &mut Chance) -> Operation {
        let site = chance.place(self.is_cut_off.len());
        match chance.count(0, 99) {
            0..=9 => Operation::CrashAggregator,
            10..=27 => Operation::CutAggregatorsPower,
            28..=35 => Operation::CrashNode(site),
            36..=53 => Operation::CutNodesPower(site),
            54..=65 => Operation::TurnLine(site),
            66..=68 => Operation::TurnAllLines,
            69..=73 => Operation::ChangeLoss,
            74..=77 => Operation::SetAggregatorsClock,
            78..=80 => Operation::SetNodesClock(site),
            81..=85 => Operation::TurnDisk(site),
            86..=92 => Operation::RepeatOldRequest,
            93..=95 => Operation::TurnPause,
            96..=98 => Operation::Revoke(site),
            _ if chance.happens(300) => Operation::Abort,
            _ => Operation::ChangeLoss,
        }
    }
}
