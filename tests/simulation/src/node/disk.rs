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
