//! A103: the consortium's CAs hold, and the next one comes in time.

use anyhow::Result;
use snowball_service::{
    clock,
    doctor::{Check, Finding},
    tls::Life,
};

use super::fault;
use crate::home::Home;

const CHECK: Check = Check::new("A103", "authorities");

pub fn look(home: &Home) -> Finding {
    match lives(home) {
        Ok(lives) => judge(&lives, clock::now()),
        Err(error) => CHECK.of(Err(fault(&error, "restore ca.pem and ca.key.pem from one backup"))),
    }
}

fn lives(home: &Home) -> Result<Vec<(String, Life)>> {
    let authorities = home.authorities()?;
    let all = authorities.all().iter();
    Ok(all
        .map(|authority| (authority.fingerprint().short(), authority.life()))
        .collect())
}

fn judge(lives: &[(String, Life)], now: i64) -> Finding {
    let words = |(name, life): &(String, Life)| format!("CA {name} for {} days", life.days_left(now));
    let says = lives.iter().map(words).collect::<Vec<_>>().join(", ");
    let remedy =
        "add the next one with aggregator ca rotate, and retire this one when every site is ready (aggregator ca list)";
    if lives.iter().any(|(_, life)| life.not_after <= now) {
        CHECK.bad(says, remedy)
    } else if lives.iter().any(|(_, life)| life.warning(now).is_some()) {
        CHECK.look(says, remedy)
    } else {
        CHECK.good(says)
    }
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    #[test]
    fn a_ca_near_its_end_is_said_and_one_past_it_is_bad() {
        const DAY: i64 = 86_400;
        let life = |days| {
            (
                String::from("5f2b"),
                Life {
                    not_before: 0,
                    not_after: days * DAY,
                },
            )
        };
        let state = |days: i64| judge(&[life(3650), life(days)], 0).state;
        assert_eq!([365, 20, 0].map(state), [State::Good, State::Look, State::Bad]);
    }
}
