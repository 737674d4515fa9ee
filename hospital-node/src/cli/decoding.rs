//! What a command takes from itself before it decodes files that strangers made: the network and other programs. The service
//! that speaks to the aggregator, and the ways in that speak to archives, cannot. Where a second reader is asked for, it may be
//! started; it is confined more closely than this process.

use snowball_confine::Hold;

use crate::config::{SecondReaderWish, TextConfig};

/// Once, before the first file is opened. It never comes back.
pub fn alone(text: &TextConfig) {
    match snowball_confine::without_network(text.second_reader != SecondReaderWish::None) {
        Hold::Whole => {}
        Hold::Partly(why) | Hold::Nothing(why) => {
            tracing::warn!(%why, "files are decoded by a process that could reach the network");
        }
    }
}
