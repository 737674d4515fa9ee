//! The tables of `rounds` and `idle`.

use std::fmt::Write as _;

use super::{Skipped, case::Measured, idle, limits::Limits};

const MEBIBYTE: f64 = 1_048_576.0;
/// The server holds at most this many models, whatever the number of sites, and `SITE_ROOM` for each.
const SERVER_MODELS_MAX: f64 = 2.5;
const SITE_ROOM: f64 = MEBIBYTE;
/// A site holds at most this many models beside its training, and `SITE_BASE`.
const SITE_MODELS_MAX: f64 = 3.0;
const SITE_BASE: f64 = 50.0 * MEBIBYTE;

/// Other programs' rounds, and the floor's of that day: measured in November 2026 on 2 x86-64 cores with Flower 1.41, its legacy
/// gRPC, and NVFlare 2.9, without training, over loopback.
const PEERS: [Peer; 5] = [
    peer(1.0, 2, 0.022, [Some(16.9), Some(0.19), Some(3.0)]),
    peer(1.0, 8, 0.098, [None, Some(0.58), Some(3.0)]),
    peer(11.7, 8, 1.05, [Some(99.0), Some(11.7), Some(10.6)]),
    peer(25.6, 8, 2.04, [Some(64.5), Some(19.1), Some(21.2)]),
    peer(138.0, 2, 2.64, [None, Some(77.0), Some(16.0)]),
];

struct Peer {
    millions: f64,
    sites: u32,
    floor_seconds: f64,
    seconds: [Option<f64>; 3],
}

const fn peer(millions: f64, sites: u32, floor_seconds: f64, seconds: [Option<f64>; 3]) -> Peer {
    Peer {
        millions,
        sites,
        floor_seconds,
        seconds,
    }
}

impl Measured {
    fn model_bytes(&self) -> f64 {
        self.parameters as f64 * 4.0
    }

    fn seconds(&self) -> f64 {
        median(&self.round_seconds)
    }

    fn processor_seconds(&self) -> f64 {
        self.server_processor_seconds + self.sites_processor_seconds
    }

    /// Seconds that the machine needs beside the floor to make each update durable twice, at its site and at the server.
    fn durable(&self, limits: &Limits) -> f64 {
        let bytes = self.model_bytes() * f64::from(self.sites);
        (2.0 * bytes + self.model_bytes()) / limits.durable_bytes_per_second
    }
}

/// The machine's limits, one a line.
pub fn limits(limits: &Limits) -> String {
    let mut text = String::new();
    let mut line = |what: &str, value: f64, unit: &str| {
        let _ = writeln!(text, "{what:<58} {value:>8.2} {unit}");
    };
    line("adding a number, into binary32", limits.float_add_nanoseconds, "ns");
    line(
        "adding a number, into whole numbers of 64 bits",
        limits.whole_add_nanoseconds,
        "ns",
    );
    line("SHA-256, one processor", limits.sha256_bytes_per_second / 1e9, "GB/s");
    line(
        "TLS 1.3, one connection, both ends here",
        limits.tls_bytes_per_second / 1e9,
        "GB/s",
    );
    line(
        "writing to the work folder until it is durable",
        limits.durable_bytes_per_second / 1e9,
        "GB/s",
    );
    text
}

/// Two tables, a line a case in each: time beside both floors, memory beside its goals.
pub fn rounds(rows: &[Measured], limits: &Limits) -> String {
    let mut text = format!(
        "{:>11} {:>5} {:>8} {:>15} {:>8} {:>6} {:>8} {:>6} | {:>7} {:>7} {:>8} {:>6} {:>8} {:>6}\n",
        "parameters",
        "sites",
        "round s",
        "fastest-slowest",
        "bare s",
        "x bare",
        "floor s",
        "x",
        "cpu s",
        "server",
        "bare cpu",
        "x bare",
        "floor",
        "x"
    );
    for row in rows {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for seconds in &row.round_seconds {
            (least, most) = (least.min(*seconds), most.max(*seconds));
        }
        let span = format!("{least:.2}-{most:.2}");
        let (bare, hashed) = (&row.floor, &row.hashed_floor);
        let _ = writeln!(
            text,
            "{:>11} {:>5} {:>8.3} {span:>15} {:>8.3} {:>6.2} {:>8.3} {:>6.2} | {:>7.2} {:>7.2} {:>8.2} {:>6.2} {:>8.2} {:>6.2}",
            row.parameters,
            row.sites,
            row.seconds(),
            median(&bare.seconds),
            row.seconds() / median(&bare.seconds).max(1e-9),
            median(&hashed.seconds),
            row.seconds() / median(&hashed.seconds).max(1e-9),
            row.processor_seconds(),
            row.server_processor_seconds,
            bare.processor_seconds,
            row.processor_seconds() / bare.processor_seconds,
            hashed.processor_seconds,
            row.processor_seconds() / hashed.processor_seconds,
        );
    }
    let _ = writeln!(
        text,
        "\n{:>11} {:>5} {:>9} {:>17} {:>15}",
        "parameters", "sites", "durable s", "server MiB (goal)", "site MiB (goal)"
    );
    for row in rows {
        let server_max = SERVER_MODELS_MAX * row.model_bytes() + SITE_ROOM * f64::from(row.sites);
        let site_max = SITE_MODELS_MAX * row.model_bytes() + SITE_BASE;
        let memory = |bytes: u64, max: f64| format!("{:.0} ({:.0})", bytes as f64 / MEBIBYTE, max / MEBIBYTE);
        let _ = writeln!(
            text,
            "{:>11} {:>5} {:>9.3} {:>17} {:>15}",
            row.parameters,
            row.sites,
            row.durable(limits),
            memory(row.server_memory_bytes_max, server_max),
            memory(row.site_memory_bytes_max, site_max),
        );
    }
    text
}

/// Beside other programs, through the floor of each day: machines differ, ratios to the floor less so.
pub fn peers(rows: &[Measured]) -> String {
    let mut text = String::from(
        "other programs, measured in November 2026 on 2 x86-64 cores; each as a multiple of the floor of its day\n",
    );
    let _ = writeln!(
        text,
        "{:>11} {:>5} {:>10} {:>10} {:>10} {:>10}",
        "parameters", "sites", "here", "Flower", "its gRPC", "NVFlare"
    );
    for row in rows {
        let millions = row.parameters as f64 / 1e6;
        let near = |peer: &&Peer| peer.sites == row.sites && (0.7..1.4).contains(&(millions / peer.millions));
        let Some(peer) = PEERS.iter().find(near) else { continue };
        let times = |seconds: Option<f64>| {
            seconds.map_or_else(
                || "-".to_owned(),
                |seconds| format!("{:.1}", seconds / peer.floor_seconds),
            )
        };
        let [flower, legacy, nvflare] = peer.seconds.map(times);
        let here = times(Some(
            row.seconds() / median(&row.floor.seconds).max(1e-9) * peer.floor_seconds,
        ));
        let _ = writeln!(
            text,
            "{:>11} {:>5} {here:>10} {flower:>10} {legacy:>10} {nvflare:>10}",
            row.parameters, row.sites
        );
    }
    text
}

/// Cases that were not run, and why.
pub fn skipped(skipped: &[Skipped]) -> String {
    let mut text = String::new();
    for case in skipped {
        let _ = writeln!(
            text,
            "skipped: {} sites, {} million parameters: {}",
            case.sites, case.millions, case.reason
        );
    }
    text
}

/// One line a number of idle sites.
pub fn idle(rows: &[idle::Row]) -> String {
    let mut text = format!(
        "{:>5} {:>11} {:>10} {:>11} {:>10} {:>11}\n",
        "sites", "% of a core", "server MiB", "descriptors", "parameters", "its round s"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:>5} {:>11.1} {:>10.0} {:>11} {:>10} {:>11.2}",
            row.sites,
            row.processor_percent,
            row.server_memory_bytes_max as f64 / MEBIBYTE,
            row.descriptors,
            row.round.parameters,
            row.round.seconds(),
        );
    }
    text
}

/// The middle of the figures; of two middle ones the lower.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(sorted.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(f64::NAN)
}
