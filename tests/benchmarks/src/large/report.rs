//! What a large run has to tell, as text and as JSON.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;

use super::{
    Clinical,
    consistency::{Check, Stock},
    curve::Curve,
    estimate::{Estimate, Measured, estimates},
    stamp::Written,
};

pub struct Report {
    pub cores: usize,
    pub load_before: f64,
    pub instances: u64,
    pub side: u32,
    pub bases: usize,
    pub written: Written,
    pub generating_seconds: f64,
    pub curves: Vec<Curve>,
    pub known_seconds: f64,
    pub census_seconds: f64,
    pub stock: Stock,
    pub checks: Vec<Check>,
    pub clinical: Option<Clinical>,
    pub studies: u64,
    pub images_per_study: f64,
}

impl Report {
    /// Where pictures of clinical size were measured, and the run was long enough for quarters.
    fn estimates(&self) -> Option<[Estimate; 2]> {
        let clinical = self.clinical.as_ref()?;
        let first = self.curves.first()?.quarters.first()?;
        let last = self.curves.last()?.quarters.last()?;
        let each = |bytes: u64, of: u64| bytes as f64 / of.max(1) as f64;
        let measured = Measured {
            per_second: last.radiographs_per_second,
            per_second_at_first: first.radiographs_per_second,
            known_per_second: self.instances as f64 / self.known_seconds,
            clinical_per_second: clinical.images as f64 / clinical.seconds,
            database_bytes_each: each(self.stock.database_bytes, self.stock.files),
            pack_bytes_each: each(self.stock.pack_bytes, self.stock.radiographs),
            clinical_pack_bytes_each: each(clinical.pack_bytes, clinical.accepted),
        };
        Some(estimates(&measured, self.studies, self.images_per_study))
    }

    pub fn json(&self) -> Result<String> {
        let document = json!({
            "cores": self.cores,
            "load_before": self.load_before,
            "instances": self.instances,
            "side": self.side,
            "bases": self.bases,
            "studies_generated": self.written.studies,
            "patients_generated": self.written.patients,
            "bytes_generated": self.written.bytes,
            "generating_seconds": self.generating_seconds,
            "processes": self.curves,
            "known_seconds": self.known_seconds,
            "census_seconds": self.census_seconds,
            "stock": self.stock,
            "checks": self.checks,
            "clinical": self.clinical,
            "estimates": self.estimates(),
        });
        Ok(serde_json::to_string(&document)?)
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "{} radiographs of {} studies and {} patients, longest side {} px, {:.2} GB, from {} phantoms in {:.0} s ({:.0} a second)\n\
             {} processors; load of the machine before: {:.2}\n\n",
            self.instances,
            self.written.studies,
            self.written.patients,
            self.side,
            self.written.bytes as f64 / 1e9,
            self.bases,
            self.generating_seconds,
            self.instances as f64 / self.generating_seconds.max(1e-9),
            self.cores,
            self.load_before
        );
        for (number, curve) in self.curves.iter().enumerate() {
            text.push_str(&process(number + 1, curve));
        }
        let stock = &self.stock;
        let reasons: Vec<String> = stock
            .reasons
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let reasons = if reasons.is_empty() {
            String::new()
        } else {
            format!(" ({})", reasons.join(", "))
        };
        let each = |bytes: u64, of: u64| bytes as f64 / of.max(1) as f64;
        let _ = write!(
            text,
            "\nlooked at again, all known: {:.1} s ({:.0} files a second)\ncensus: {:.1} s\n\
             kept: {} radiographs of {} patients, {} files set aside{reasons}; each {:.0} bytes of pixels and {:.0} bytes of database\n\n",
            self.known_seconds,
            self.instances as f64 / self.known_seconds,
            self.census_seconds,
            stock.radiographs,
            stock.patients,
            stock.excluded,
            each(stock.pack_bytes, stock.radiographs),
            each(stock.database_bytes, stock.files),
        );
        for check in &self.checks {
            let verdict = if check.holds { "ok    " } else { "FAILED" };
            let _ = writeln!(
                text,
                "{verdict} {}: {} (expected {})",
                check.what, check.found, check.expected
            );
        }
        if let Some(clinical) = &self.clinical {
            let _ = writeln!(
                text,
                "\npictures of clinical size (longest side 2048 px, {:.1} MB each): {} in {:.1} s ({:.2} a second), {} taken in, \
                 {:.0} MB of memory at most",
                each(clinical.bytes, clinical.images) / 1e6,
                clinical.images,
                clinical.seconds,
                clinical.images as f64 / clinical.seconds,
                clinical.accepted,
                clinical.memory_bytes_max as f64 / 1e6
            );
        }
        let sizes = [format!("{} px", self.side), "2048 px".to_owned()];
        for (size, estimate) in sizes.iter().zip(self.estimates().into_iter().flatten()) {
            let _ = writeln!(
                text,
                "estimate, {} studies of {} images of {size}: {:.1} hours to take in, {:.2} hours to find all known again, \
                 database {:.1} GB, pixels {:.0} GB",
                estimate.studies,
                self.images_per_study,
                estimate.hours,
                estimate.hours_known,
                estimate.database_bytes / 1e9,
                estimate.pack_bytes / 1e9
            );
        }
        text
    }
}

fn process(number: usize, curve: &Curve) -> String {
    let end = if curve.was_killed {
        "killed with SIGKILL"
    } else {
        "ended by itself"
    };
    let mut text = format!(
        "process {number}: from {} to {} radiographs in {:.1} s, {end}; memory at most {:.0} MB, slope {:+.2} MB for 100,000\n",
        curve.stored_before,
        curve.stored_after,
        curve.seconds,
        curve.memory_bytes_max as f64 / 1e6,
        curve.memory_slope_bytes_per_100_000 / 1e6
    );
    for (quarter, figures) in curve.quarters.iter().enumerate() {
        let _ = writeln!(
            text,
            "  quarter {}: {:>7.1} radiographs/s, {:>6.1} MB",
            quarter + 1,
            figures.radiographs_per_second,
            figures.memory_bytes_max as f64 / 1e6
        );
    }
    text
}
