//! The detector's shape. Each cell of four by four pixels gets three scores: background, text, a letter that stands alone.

use crate::{convolve::BLOCK, network::Step};

/// Pixels on a side of a cell.
pub const CELL: usize = 4;
/// Channels of what it sees.
pub const CHANNELS: usize = 2;
/// Its steps. Seventeen cells on a side bear on each score: 68 pixels, a short word.
pub const STEPS: &[Step] = &[
    Step::Fold,
    Step::Convolve {
        outputs: 16,
        dilation: 1,
    },
    Step::Convolve {
        outputs: 16,
        dilation: 1,
    },
    Step::Fold,
    Step::Convolve {
        outputs: 32,
        dilation: 1,
    },
    Step::Add { dilation: 1 },
    Step::Add { dilation: 2 },
    Step::Add { dilation: 4 },
    Step::Add { dilation: 1 },
    Step::Head { outputs: BLOCK },
];
