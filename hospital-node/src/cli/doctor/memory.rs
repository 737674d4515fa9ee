//! N109: memory for the trainer. What it needs follows from the networks of the studies whose datasets lie here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use snowball_layout::{Graph, Shape};
use snowball_protocol::{StudyPlan, limits::PLAN_BYTES_MAX};
use snowball_service::{
    doctor::{Check, Finding},
    files,
};

use crate::home::Home;

const CHECK: Check = Check::new("N109", "memory");
/// A trainer's program, its threads and its pictures, before the network counts. With it the estimate is 1.6 to 2.2 times what was
/// measured with one thread; the rest is for more threads, each of which has its own room for what it computes.
const TRAINER_BYTES: u64 = 24 << 20;
/// Of each parameter there are: itself, its slope and two moments of the optimiser, the next of these while a step is done, and the
/// block in which all came and goes.
const COPIES_OF_PARAMETERS: u64 = 10;
/// A number that a step computes on its way and keeps for the way back.
const NUMBER_BYTES: u64 = 4;

pub fn look(home: &Home) -> Finding {
    let Some(available) = available(Path::new("/")) else {
        return CHECK.look(
            "this system does not tell how much is free",
            "see free -m, and that the trainer has a gigabyte",
        );
    };
    let largest = plans(home)
        .into_iter()
        .filter_map(|plan| Some((training_bytes(&plan)?, plan.study.to_string())))
        .max();
    judge(available, largest)
}

fn judge(available: u64, largest: Option<(u64, String)>) -> Finding {
    let (needed, what) = match largest {
        Some((bytes, study)) => (bytes, format!("training {study} takes about")),
        None => (
            TRAINER_BYTES * 4,
            "no study's dataset lies here yet; training the smallest network takes less than".to_owned(),
        ),
    };
    let says = format!(
        "{} MiB available; {what} {} MiB on the CPU",
        available >> 20,
        needed >> 20
    );
    let remedy = "end other programs, raise the memory of this machine or of its container (MemoryMax of the unit), or ask the coordinator \
                  for a smaller batch_size";
    if available < needed {
        CHECK.bad(says, remedy)
    } else if available < needed.saturating_mul(5) / 4 {
        CHECK.look(says, remedy)
    } else {
        CHECK.good(says)
    }
}

/// What a step of training holds, by the network's layout: not less than the trainer's highest resident memory in `docs/speed.md`.
fn training_bytes(plan: &StudyPlan) -> Option<u64> {
    let graph = Graph::of(plan);
    let shapes = graph.shapes(plan.network.input_side as usize)?;
    let numbers: usize = shapes
        .iter()
        .map(|shape| match shape {
            Shape::Picture(sides) => sides.iter().product(),
            Shape::Features(count) => *count,
        })
        .sum();
    let of_pictures = numbers as u64 * u64::from(plan.local.batch_size) * NUMBER_BYTES;
    Some(TRAINER_BYTES + graph.layout.bytes() * COPIES_OF_PARAMETERS + of_pictures)
}

/// The plans whose frozen dataset lies here.
pub(super) fn plans(home: &Home) -> Vec<StudyPlan> {
    let read = |path: PathBuf| {
        let bytes = files::read_bounded(&path, PLAN_BYTES_MAX).ok()?;
        serde_json::from_slice::<StudyPlan>(&bytes).ok()
    };
    let kept = fs::read_dir(home.plans()).into_iter().flatten().flatten();
    kept.filter_map(|entry| read(entry.path()))
        .filter(|plan| home.dataset(&plan.study).exists())
        .collect()
}

/// What programs may still take, of the machine and of the group that this process is held in.
fn available(root: &Path) -> Option<u64> {
    let machine = of_machine(&fs::read_to_string(root.join("proc/meminfo")).ok()?)?;
    Some(of_group(root).map_or(machine, |group| group.min(machine)))
}

fn of_machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// Of the nearest bound above this process (cgroup 2).
fn of_group(root: &Path) -> Option<u64> {
    let own = fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let top = root.join("sys/fs/cgroup");
    let number = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let mut folder = top.join(path);
    let mut least: Option<u64> = None;
    while folder.starts_with(&top) {
        // A group without a bound says "max", which is no number.
        if let (Some(most), Some(taken)) = (number(folder.join("memory.max")), number(folder.join("memory.current"))) {
            let left = most.saturating_sub(taken);
            least = Some(least.map_or(left, |before| before.min(left)));
        }
        if !folder.pop() {
            break;
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use snowball_service::doctor::State;

    use super::*;

    fn plan(architecture: &str, side: u32, width: u32, batch: u32) -> StudyPlan {
        let text = include_str!("../../../../tests/benchmarks/src/training/plan.toml");
        let mut plan: StudyPlan = toml::from_str(text).unwrap();
        plan.network.architecture = serde_json::from_value(architecture.into()).unwrap();
        (plan.network.input_side, plan.network.width, plan.local.batch_size) = (side, width, batch);
        plan
    }

    #[test]
    fn the_estimate_is_near_what_was_measured() {
        // The highest resident memory of the trainer, in MiB, with one thread, as docs/speed.md has it.
        for (architecture, side, width, batch, measured) in [
            ("small", 64, 16, 32, 20.0),
            ("small", 128, 32, 32, 62.0),
            ("resnet-18", 64, 32, 32, 138.0),
            ("resnet-18-full", 128, 64, 16, 375.0),
        ] {
            let bytes = training_bytes(&plan(architecture, side, width, batch)).unwrap();
            let ratio = bytes as f64 / f64::from(1 << 20) / measured;
            assert!(
                (1.0..3.0).contains(&ratio),
                "{architecture}: {} MiB, {ratio} of what was measured",
                bytes >> 20
            );
        }
    }

    #[test]
    fn what_is_there_is_held_against_what_is_needed() {
        let state = |available: u64| judge(available << 20, Some((1000 << 20, "spines".to_owned()))).state;
        assert_eq!([999, 1100, 2000].map(state), [State::Bad, State::Look, State::Good]);
        assert_eq!(judge(1 << 30, None).state, State::Good);
    }

    #[test]
    fn the_bound_of_a_container_counts() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().join("sys/fs/cgroup/system.slice/node.service");
        fs::create_dir_all(&group).unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(
            root.path().join("proc/meminfo"),
            "MemTotal: 9 kB\nMemAvailable:    4194304 kB\n",
        )
        .unwrap();
        fs::write(root.path().join("proc/self/cgroup"), "0::/system.slice/node.service\n").unwrap();
        assert_eq!(available(root.path()), Some(4 << 30));
        fs::write(group.join("memory.max"), "max\n").unwrap();
        fs::write(group.join("memory.current"), "1048576\n").unwrap();
        assert_eq!(available(root.path()), Some(4 << 30));
        let slice = group.parent().unwrap();
        fs::write(slice.join("memory.max"), "1073741824\n").unwrap();
        fs::write(slice.join("memory.current"), "536870912\n").unwrap();
        assert_eq!(available(root.path()), Some(512 << 20));
    }
}
