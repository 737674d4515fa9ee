//! What a stranger may take of a dashboard: connections, time.

use std::time::Duration;

/// How much, how long. Tests have shorter ones.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once. A browser opens up to six, and one for each page that renews itself.
    pub connections_max: usize,
    /// Connections of one address at once: all of them may come through one tunnel or one proxy, and yet not take all places.
    pub of_one_address_max: usize,
    /// How long a TLS handshake may take.
    pub handshake_max: Duration,
    /// How long the head of a request may take, also of the next one on the same connection.
    pub head_max: Duration,
    /// How long the body of a form may take to come.
    pub body_max: Duration,
    /// How long an answer may take to be made.
    pub answer_max: Duration,
    /// How long an answer may stand without a byte of it going out.
    pub stall_max: Duration,
    /// How long open requests may go on after the stop.
    pub drain_max: Duration,
}

impl Bounds {
    /// Those of a program.
    pub const STANDARD: Self = Self {
        connections_max: 128,
        of_one_address_max: 64,
        handshake_max: Duration::from_secs(10),
        head_max: Duration::from_secs(20),
        body_max: Duration::from_secs(20),
        answer_max: Duration::from_secs(30),
        stall_max: Duration::from_secs(30),
        drain_max: Duration::from_secs(5),
    };
}
