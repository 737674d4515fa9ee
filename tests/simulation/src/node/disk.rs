//! What a node keeps: its ledger and its outbox. Each write may be the one before which the power goes; a full disk takes no
//! entry, as the ledger of a node whose disk is full says.

use std::collections::BTreeMap;

use snowball_ledger::Head;
use snowball_protocol::{RoundNumber, receipt::Receipt, update::UpdateHeader};

use crate::{
    ledger::{Entry, Ledger},
    power::{Crash, Power},
};

/// Why a write did not come about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unwritten {
    /// The process died.
    Crash,
    /// The disk is full.
    Full,
}

impl From<Crash> for Unwritten {
    fn from(_: Crash) -> Self {
        Self::Crash
    }
}

/// An update on its way out: its bytes are there first, then the header that names its record.
#[derive(Clone, Debug, Default)]
struct Kept {
    bytes: Option<Vec<u8>>,
    header: Option<UpdateHeader>,
}

/// What a node keeps for itself of the network: here the rounds that it was trained in, the last for the update that it belongs to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Own {
    /// In order.
    pub rounds: Vec<RoundNumber>,
    /// The site's control variate after the last of them; empty without SCAFFOLD.
    pub control: Vec<f32>,
}

/// A node's disk.
#[derive(Debug)]
pub struct Disk {
    /// The node's ledger.
    pub ledger: Ledger,
    /// Power of the machine.
    pub power: Power,
    /// Whether there is room for no more.
    pub is_full: bool,
    /// The receipts that the ledger holds.
    pub receipts: Vec<Receipt>,
    /// The aggregator's head that the ledger holds last.
    pub kept_head: Option<Head>,
    /// What the site keeps for itself, after the last update that it has a receipt for.
    pub settled: Own,
    /// The same after a training of whose update nothing was heard yet.
    pub pending: Option<Own>,
    outbox: BTreeMap<RoundNumber, Kept>,
}

impl Disk {
    /// The disk of a node that has just enrolled.
    #[must_use]
    pub fn of(owner: &str) -> Self {
        Self {
            ledger: Ledger::of(owner),
            power: Power::default(),
            is_full: false,
            receipts: Vec::new(),
            kept_head: None,
            settled: Own::default(),
            pending: None,
            outbox: BTreeMap::new(),
        }
    }

    /// Writes an entry of the ledger.
    ///
    /// # Errors
    /// When the power goes or the disk is full.
    pub fn record(&mut self, entry: Entry) -> Result<Head, Unwritten> {
        self.power.write()?;
        if self.is_full {
            return Err(Unwritten::Full);
        }
        match &entry {
            Entry::ReceiptKept(receipt) => self.receipts.push(receipt.as_ref().clone()),
            Entry::HeadsExchanged(head) => self.kept_head = Some(head.clone()),
            _ => {}
        }
        Ok(self.ledger.append(entry))
    }

    /// Keeps what a training in `round` made of what the site keeps for itself.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn keep_kept(&mut self, round: RoundNumber, control: Vec<f32>) -> Result<(), Unwritten> {
        self.power.write()?;
        if self.is_full {
            return Err(Unwritten::Full);
        }
        let mut own = self.settled.clone();
        own.rounds.push(round);
        own.control = control;
        self.pending = Some(own);
        Ok(())
    }

    /// The update of `round` counts: a rename.
    ///
    /// # Errors
    /// When the power goes.
    pub fn settle_kept(&mut self, round: RoundNumber) -> Result<(), Unwritten> {
        if self.pending_round() != Some(round) {
            return Ok(());
        }
        self.power.write()?;
        self.settled = self.pending.take().unwrap_or_default();
        Ok(())
    }

    /// The update never counts.
    ///
    /// # Errors
    /// When the power goes.
    pub fn drop_kept(&mut self) -> Result<(), Unwritten> {
        self.power.write()?;
        self.pending = None;
        Ok(())
    }

    /// The round of the update that what is pending belongs to.
    #[must_use]
    pub fn pending_round(&self) -> Option<RoundNumber> {
        self.pending.as_ref()?.rounds.last().copied()
    }

    /// Keeps an update's bytes.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn keep(&mut self, round: RoundNumber, bytes: Vec<u8>) -> Result<(), Unwritten> {
        self.power.write()?;
        if self.is_full {
            return Err(Unwritten::Full);
        }
        self.outbox.entry(round).or_default().bytes = Some(bytes);
        Ok(())
    }

    /// Keeps an update's header, once its record is in the ledger.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn keep_header(&mut self, header: &UpdateHeader) -> Result<(), Unwritten> {
        self.power.write()?;
        if self.is_full {
            return Err(Unwritten::Full);
        }
        self.outbox.entry(header.round).or_default().header = Some(header.clone());
        Ok(())
    }

    /// The update of this round that was recorded and has no receipt.
    #[must_use]
    pub fn find(&self, round: RoundNumber) -> Option<(&UpdateHeader, &[u8])> {
        let kept = self.outbox.get(&round)?;
        Some((kept.header.as_ref()?, kept.bytes.as_deref()?))
    }

    /// The rounds before `round` of which an update was recorded and has no receipt, in order.
    #[must_use]
    pub fn earlier(&self, round: RoundNumber) -> Vec<RoundNumber> {
        let recorded = self.outbox.range(..round).filter(|(_, kept)| kept.header.is_some());
        recorded.map(|(earlier, _)| *earlier).collect()
    }

    /// Forgets an update: first its header, then its bytes.
    ///
    /// # Errors
    /// When the power goes.
    pub fn forget(&mut self, round: RoundNumber) -> Result<(), Unwritten> {
        self.power.write()?;
        if let Some(kept) = self.outbox.get_mut(&round) {
            kept.header = None;
        }
        self.power.write()?;
        self.outbox.remove(&round);
        Ok(())
    }
}
