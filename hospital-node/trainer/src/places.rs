//! The devices of a job together: what is cut into slices is dealt out to them in turn, and what comes of it is put back in order.
//!
//! So which device did which slice shows nowhere but in a GPU's rounding: on CPUs the result is the same bits whatever their number. On
//! GPUs no bits are promised, of one kind or of several.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
    thread,
};

use rayon::{ThreadPool, prelude::*};
use snowball_models::Halves;
use snowball_worker::job::{DeviceChoice, Gpus, Precision, ProbedDevice, together};

use crate::{
    device::{self, Place},
    failure::Failure,
    passes::SLICE,
    probe, work,
};

/// At least one device.
pub struct Places {
    all: Vec<Place>,
    /// Of several devices each has threads of its own: one that waits for its GPU must not be given another's slices meanwhile.
    pools: Vec<ThreadPool>,
}

impl Places {
    /// The devices that a job asked for. A GPU is tried with a small computation first; no other stands in for it unasked.
    pub fn open(choice: &DeviceChoice) -> Result<Self, Failure> {
        match choice {
            DeviceChoice::Cpu => Self::of(vec![Place::cpu()]),
            DeviceChoice::Gpu(_) if !device::KNOWS_GPUS => Err(Failure::new(
                "this trainer is built for CPUs only",
                "install the trainer built with --features wgpu, or train on the CPU",
            )),
            DeviceChoice::Gpu(gpus) => Self::among(&device::adapters(), gpus),
        }
    }

    /// Those of the adapters `listed` that were asked for; all of them, and all sound, or a failure that names the one that is not. Halves
    /// are tried only where the job asks for them.
    fn among(listed: &[Place], gpus: &Gpus) -> Result<Self, Failure> {
        let one = |number: &u32| {
            let place = listed.iter().find(|place| place.number == *number).ok_or_else(|| {
                Failure::new(
                    format!("there is no GPU {number}; {} are listed", listed.len()),
                    "run snowball-trainer probe to see which; name others under [training] in node.toml, or check the driver",
                )
            })?;
            let probed = probe::probe(place);
            if !probed.sound {
                return Err(Failure::new(
                    format!(
                        "{}: {}",
                        place.name,
                        probed.note.as_deref().unwrap_or("it is not sound")
                    ),
                    "run snowball-trainer probe; check the driver, name other GPUs, or train on the CPU",
                ));
            }
            let halves = match gpus.precision {
                Precision::Full => None,
                Precision::Mixed => {
                    let mixed = Some(probe::mixed(place, place.halves()));
                    let tried = ProbedDevice { mixed, ..probed };
                    tried.halves().map_err(|why| {
                        Failure::new(
                            format!("{} does not train in mixed precision: {why}", place.name),
                            "set precision = \"full\" under [training] in node.toml",
                        )
                    })?;
                    place.halves()
                }
            };
            Ok(Place {
                halves,
                ..place.clone()
            })
        };
        Self::of(gpus.adapters.iter().map(one).collect::<Result<_, _>>()?)
    }

    /// These devices.
    pub fn of(all: Vec<Place>) -> Result<Self, Failure> {
        if all.is_empty() {
            return Err(Failure::new(
                "the job names no device",
                "check that node and trainer are of the same version",
            ));
        }
        let mut pools = Vec::new();
        if all.len() > 1 {
            let threads = (rayon::current_num_threads() / all.len()).max(1);
            for _ in &all {
                pools.push(work::pool(threads)?);
            }
        }
        Ok(Self { all, pools })
    }

    /// The device for what is not cut into slices.
    pub fn first(&self) -> &Place {
        &self.all[0]
    }

    /// Their names, for people.
    pub fn name(&self) -> String {
        let places = self.all.iter();
        let told: Vec<(&str, Option<&str>)> = places
            .map(|place| (place.name.as_str(), place.halves.map(Halves::code)))
            .collect();
        together(&told)
    }

    /// How many slices overflowed in halves on them and were done once more in full.
    pub fn again_in_full(&self) -> u64 {
        let times = self.all.iter().map(|place| place.again_in_full.load(Ordering::Relaxed));
        times.sum()
    }

    /// How many of the `count` pictures of a step go through the network at once: what a CPU's thread takes, or a GPU's share of the step,
    /// which ends where a group of pictures that are mixed ends.
    pub fn slice_size(&self, count: usize) -> usize {
        match self.all.as_slice() {
            [place] if !place.is_cpu => count,
            all if all.iter().any(|place| place.is_cpu) => SLICE,
            all => count.div_ceil(all.len()).next_multiple_of(SLICE),
        }
    }

    /// Does `work` for each of `items`, which the devices take in turn, and gives what came of it in the items' order. What fails on one
    /// device ends it all, with the device's name: the others do not do its share, or a GPU that is about to die would go unseen.
    pub fn share<T, R>(
        &self,
        items: &[T],
        work: impl Fn(&Place, &T) -> Result<R, Failure> + Sync,
    ) -> Result<Vec<R>, Failure>
    where
        T: Sync,
        R: Send,
    {
        if let [place] = self.all.as_slice() {
            return place.each(items.iter().collect(), &work);
        }
        let count = self.all.len();
        let places = self.all.iter().zip(&self.pools).enumerate();
        let shares: Vec<Result<Vec<R>, Failure>> = thread::scope(|scope| {
            let running: Vec<_> = places
                .map(|(number, (place, pool))| {
                    let own: Vec<&T> = items.iter().skip(number).step_by(count).collect();
                    let work = &work;
                    scope.spawn(move || pool.install(|| place.each(own, work)))
                })
                .collect();
            let ended = running.into_iter().map(|thread| thread.join());
            ended
                .map(|share| share.unwrap_or_else(|_| Err(broken("a device"))))
                .collect()
        });
        let mut shares: Vec<_> = shares
            .into_iter()
            .map(|share| share.map(Vec::into_iter))
            .collect::<Result<_, _>>()?;
        // The devices took turns, so taking turns among their shares is the items' order.
        Ok((0..items.len())
            .filter_map(|number| shares[number % count].next())
            .collect())
    }
}

impl Place {
    /// Its share of the work. Threads share a CPU well and a GPU badly.
    fn each<T, R>(
        &self,
        items: Vec<&T>,
        work: &(impl Fn(&Self, &T) -> Result<R, Failure> + Sync),
    ) -> Result<Vec<R>, Failure>
    where
        T: Sync,
        R: Send,
    {
        let one = |item: &T| match catch_unwind(AssertUnwindSafe(|| work(self, item))) {
            Ok(done) => done.map_err(|failure| failure.on(self)),
            Err(_) => Err(broken(&self.name)),
        };
        if self.is_cpu {
            items.into_par_iter().map(one).collect()
        } else {
            items.into_iter().map(one).collect()
        }
    }
}

impl Failure {
    /// Of a GPU it is said which: there may be several.
    fn on(self, place: &Place) -> Self {
        if place.is_cpu {
            return self;
        }
        Self {
            reason: format!("{}: {}", place.name, self.reason),
            ..self
        }
    }
}

/// A panic's text is on standard error already.
fn broken(name: &str) -> Failure {
    Failure::new(
        format!("{name} failed in the tensor library"),
        "look at the node's log of the trainer; run snowball-trainer probe, and leave the device out under [training] in node.toml",
    )
}

#[cfg(test)]
mod tests;
