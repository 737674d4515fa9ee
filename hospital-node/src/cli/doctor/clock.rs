//! N206: this machine's clock and the aggregator's tell the same time.

use snowball_protocol::{ids::UnixSeconds, limits::CLOCK_SKEW_SECONDS_MAX};
use snowball_service::doctor::{Check, Finding};

const CHECK: Check = Check::new("N206", "clock");
/// More than this, and no time service works here.
const SKEW_SECONDS_LOOK: u64 = 10;

/// `there` was said between `asked_at` and `heard_at` by this machine's clock.
pub fn look(there: UnixSeconds, asked_at: UnixSeconds, heard_at: UnixSeconds) -> Finding {
    let ahead = if there < asked_at {
        asked_at.saturating_sub(there)
    } else if there > heard_at {
        heard_at.saturating_sub(there)
    } else {
        0
    };
    let says = match ahead {
        0 => "as the aggregator's, to the second".to_owned(),
        ahead if ahead > 0 => format!("{} ahead of the aggregator's", span(ahead.unsigned_abs())),
        behind => format!("{} behind the aggregator's", span(behind.unsigned_abs())),
    };
    let remedy = "set it by the hospital's time service (timedatectl set-ntp true; chronyc tracking); if it is right, tell the coordinator, \
                  whose clock is then wrong";
    match ahead.unsigned_abs() {
        skew if skew > CLOCK_SKEW_SECONDS_MAX.unsigned_abs() => CHECK.bad(
            format!("{says}: more than {CLOCK_SKEW_SECONDS_MAX} seconds, so enrolment and signed times are refused"),
            remedy,
        ),
        skew if skew > SKEW_SECONDS_LOOK => CHECK.look(says, remedy),
        _ => CHECK.good(says),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..600 => format!("{seconds} seconds"),
        600..172_800 => format!("{} minutes", seconds / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    #[test]
    fn a_slow_line_is_no_skew_and_a_wrong_year_is_one() {
        assert_eq!(look(1000, 990, 1020).state, State::Good);
        assert_eq!(look(985, 990, 1020).state, State::Good);
        let look_at = look(1100, 990, 1020);
        assert!(
            look_at.state == State::Look && look_at.says.contains("80 seconds behind"),
            "{look_at:?}"
        );
        let ahead = look(1000, 1000 + 40 * 86_400, 1001 + 40 * 86_400);
        assert!(
            ahead.state == State::Bad && ahead.says.contains("40 days ahead"),
            "{ahead:?}"
        );
        assert!(look(10_000, 0, 0).says.contains("166 minutes behind"));
        // Whoever answers may say anything.
        assert_eq!(look(i64::MIN, 1, 1).state, State::Bad);
        assert_eq!(look(i64::MAX, -5, -5).state, State::Bad);
    }
}
