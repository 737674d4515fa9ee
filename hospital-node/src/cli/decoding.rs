//! What a command takes from itself before it decodes files that strangers made: the network and other programs. The service
//! that speaks to the aggregator, and the ways in that speak to archives, cannot.

use snowball_confine::Hold;

/// Once, before the first file is opened. It never comes back.
pub fn alone() {
    match snowball_confine::without_network_and_programs() {
        Hold::Whole => {}
        Hold::Partly(why) | Hold::Nothing(why) => {
            tracing::warn!(%why, "files are decoded by a process that could reach the network");
        }
    }
}
