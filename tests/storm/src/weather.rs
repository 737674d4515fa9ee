//! What happens to the lines: now and then one is cut, stands still, or is gone for a moment; one site is away for long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task::JoinSet, time::sleep};

use crate::{
    chance::Chance,
    line::{Condition, Line},
    plan::ROUND_SECONDS_MAX,
};

/// How long a site is away in the one long outage: longer than a round waits.
const OUTAGE: Duration = Duration::from_secs(ROUND_SECONDS_MAX as u64 + 4);

/// How often each thing happened.
#[derive(Default)]
pub struct Weather {
    pub cuts: AtomicU32,
    pub stalls: AtomicU32,
    pub refusals: AtomicU32,
    /// Begins the long outage.
    pub outage: Notify,
    /// Whether it is over.
    pub is_outage_over: AtomicBool,
}

/// Blows over `lines` for as long as what is returned lives; `away` is the site of the long outage.
pub fn blow(lines: &Arc<Vec<Line>>, seed: u64, away: usize, weather: &Arc<Weather>) -> JoinSet<()> {
    let mut blowing = JoinSet::new();
    for number in 0..lines.len() {
        let (lines, weather) = (Arc::clone(lines), Arc::clone(weather));
        let chance = Chance::of(seed, 100 + number as u64);
        blowing.spawn(async move { over(&lines[number], &weather, chance, number == away).await });
    }
    blowing
}

async fn over(line: &Line, weather: &Weather, mut chance: Chance, is_away: bool) {
    if is_away {
        tokio::select! {
            () = weather.outage.notified() => {}
            () = gusts(line, weather, &mut chance) => {}
        }
        line.set(Condition::Down);
        sleep(OUTAGE).await;
        line.set(Condition::Fair);
        weather.is_outage_over.store(true, Ordering::SeqCst);
    }
    gusts(line, weather, &mut chance).await;
}

/// Never ends.
async fn gusts(line: &Line, weather: &Weather, chance: &mut Chance) {
    loop {
        sleep(chance.milliseconds(500, 5_000)).await;
        match chance.place(4) {
            0 | 1 => {
                line.cut();
                weather.cuts.fetch_add(1, Ordering::Relaxed);
            }
            2 => {
                line.set(Condition::Stalled);
                weather.stalls.fetch_add(1, Ordering::Relaxed);
                sleep(chance.milliseconds(200, 3_000)).await;
                // After a stall the line may be the same one, or another.
                if chance.place(2) == 0 {
                    line.cut();
                }
                line.set(Condition::Fair);
            }
            _ => {
                line.set(Condition::Down);
                weather.refusals.fetch_add(1, Ordering::Relaxed);
                sleep(chance.milliseconds(200, 3_000)).await;
                line.set(Condition::Fair);
            }
        }
    }
}
