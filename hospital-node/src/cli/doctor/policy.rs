//! N105: a policy is installed, signed by the site's ethics key, and holds for some time yet.

use snowball_policy::PolicyFault;
use snowball_service::{
    clock,
    doctor::{Check, Finding},
};

use crate::{home::Home, policy};

const CHECK: Check = Check::new("N105", "policy");
const DAYS_WARN: i64 = 14;
const DAY_SECONDS: i64 = 86_400;

pub fn look(home: &Home) -> Finding {
    let signed = match policy::in_force(home) {
        Ok(signed) => signed,
        Err(fault @ PolicyFault::Missing) => {
            return CHECK.bad(
                fault.reason(),
                "ask the ethics board for a signed policy, then hospital-node policy install FILE --ethics-key KEY; nothing runs before",
            );
        }
        Err(fault) => {
            return CHECK.bad(
                fault.reason(),
                "nothing runs: install the file again as the board signed it (hospital-node policy install); hospital-node policy \
                 check FILE says more",
            );
        }
    };
    let (policy, now) = (&signed.policy, clock::now());
    let seconds = policy.expires() - now;
    let says = format!(
        "version {}, signed, ends in {} days",
        policy.version(),
        seconds / DAY_SECONDS
    );
    if seconds <= 0 {
        CHECK.bad(
            format!(
                "version {} has expired, {} days ago: nothing runs",
                policy.version(),
                -seconds / DAY_SECONDS
            ),
            "ask the ethics board for the next version and install it",
        )
    } else if policy.begins() > now {
        CHECK.look(
            format!(
                "version {} begins in {} days: nothing runs before",
                policy.version(),
                (policy.begins() - now) / DAY_SECONDS
            ),
            "wait for its day, or ask the board for an earlier one",
        )
    } else if seconds / DAY_SECONDS < DAYS_WARN {
        CHECK.look(says, "ask the ethics board for the next version now: boards take weeks")
    } else {
        CHECK.good(says)
    }
}
