//! The proposer's shape: a cheap look at every cell of eight by eight pixels, which says where the detector has to look.
//! It is trained like the detector. `CARD.md` measures both together: what the proposer passes over counts as not found.

use crate::{convolve::BLOCK, network::Step};

/// Pixels on a side of a cell.
pub const CELL: usize = 8;
/// Channels of what it sees, the same as the detector's.
pub const CHANNELS: usize = 2;
/// Its steps: about a tenth of the detector's products. Five cells on a side bear on each score.
pub const STEPS: &[Step] = &[
    Step::Fold,
    Step::Fold,
    Step::Mix { outputs: 32 },
    Step::Fold,
    Step::Mix { outputs: 32 },
    Step::Add { dilation: 1 },
    Step::Add { dilation: 1 },
    Step::Head { outputs: BLOCK },
];
