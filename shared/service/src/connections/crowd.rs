//! Who holds how many connections: so many for each, so many for all, and the newest always finds room.
//!
//! Whoever floods only pushes out its own oldest connections. A node whose line broke comes back on a new connection while the
//! server still waits for the old one to time out; so the new one must never be turned away for the old one's sake.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Connections of one kind, by whose they are.
pub struct Crowd<K> {
    present: Mutex<Present<K>>,
    one_max: usize,
    all_max: usize,
}

struct Present<K> {
    next: u64,
    /// By age: whose it is, and what tells it to go.
    places: BTreeMap<u64, (K, oneshot::Sender<()>)>,
    by_owner: HashMap<K, BTreeSet<u64>>,
}

/// A connection's right to go on; it is given back when this is dropped.
pub struct Turn<K: Eq + Hash + Clone> {
    crowd: Arc<Crowd<K>>,
    number: u64,
    pushed_out: oneshot::Receiver<()>,
}

impl<K: Eq + Hash + Clone> Crowd<K> {
    /// At most `one_max` connections of one owner and `all_max` of all together.
    #[must_use]
    pub fn new(one_max: usize, all_max: usize) -> Arc<Self> {
        Arc::new(Self {
            present: Mutex::new(Present {
                next: 0,
                places: BTreeMap::new(),
                by_owner: HashMap::new(),
            }),
            one_max,
            all_max,
        })
    }

    /// Lets a connection of `owner` in; where that is one too many, the oldest has to go: the owner's, or of all.
    #[must_use]
    pub fn enter(self: &Arc<Self>, owner: K) -> Turn<K> {
        let (push_out, pushed_out) = oneshot::channel();
        let mut present = self.lock();
        let own = present.by_owner.get(&owner);
        let oldest = if own.is_some_and(|own| own.len() >= self.one_max) {
            own.and_then(|own| own.first().copied())
        } else if present.places.len() >= self.all_max {
            present.places.first_key_value().map(|(number, _)| *number)
        } else {
            None
        };
        if let Some(oldest) = oldest {
            // Its turn hears of it as the sender is dropped.
            present.leave(oldest);
        }
        let number = present.next;
        present.next += 1;
        present.by_owner.entry(owner.clone()).or_default().insert(number);
        present.places.insert(number, (owner, push_out));
        drop(present);
        Turn {
            crowd: Arc::clone(self),
            number,
            pushed_out,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Present<K>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash + Clone> Present<K> {
    fn leave(&mut self, number: u64) {
        let Some((owner, _)) = self.places.remove(&number) else {
            return;
        };
        if let Some(own) = self.by_owner.get_mut(&owner) {
            own.remove(&number);
            if own.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
    }
}

impl<K: Eq + Hash + Clone> Turn<K> {
    /// Returns when a newer connection has taken this one's place.
    pub async fn lost(&mut self) {
        // Nothing is ever sent: the other end is dropped.
        let _ = (&mut self.pushed_out).await;
    }
}

impl<K: Eq + Hash + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        self.crowd.lock().leave(self.number);
    }
}

/// What counts as one address: one subscriber has a whole /64 of IPv6.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_pushed_out(turn: &mut Turn<&'static str>) -> bool {
        turn.pushed_out.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_flood_pushes_out_its_own_oldest_and_nobody_else() {
        let crowd = Crowd::new(2, 10);
        let mut quiet = crowd.enter("quiet");
        let mut flood: Vec<_> = (0..50).map(|_| crowd.enter("flood")).collect();
        let left = flood.iter_mut().map(is_pushed_out);
        assert_eq!(left.collect::<Vec<_>>(), [vec![true; 48], vec![false; 2]].concat());
        assert!(!is_pushed_out(&mut quiet));
        drop(flood);
        assert_eq!(crowd.lock().places.len(), 1);
        assert_eq!(
            crowd.lock().by_owner.len(),
            1,
            "an owner without connections takes no memory"
        );
    }

    #[test]
    fn many_owners_together_are_bounded_and_the_oldest_goes_first() {
        let crowd = Crowd::new(2, 3);
        let mut turns: Vec<_> = ["a", "b", "c", "d"].map(|owner| crowd.enter(owner)).into();
        let left = turns.iter_mut().map(is_pushed_out);
        assert_eq!(left.collect::<Vec<_>>(), [true, false, false, false]);
        drop(turns.remove(1));
        let mut newest = crowd.enter("e");
        assert!(!is_pushed_out(&mut newest) && turns[1..].iter_mut().all(|turn| !is_pushed_out(turn)));
    }
}
