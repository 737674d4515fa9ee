//! Other people's programs, used as their documents show. What is not installed is skipped, aloud.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::{Context as _, Result};

use crate::{
    corpus,
    deidentification::{Contestant, Kind, Outcome, Skipped},
    watched,
};

/// Files for one call of a program that takes them as arguments: few enough for every system's limit.
const ARGUMENTS_MAX: usize = 1_000;

/// Identifiers that `dcmodify` is told to overwrite wherever they stand.
const REPLACED: [&str; 8] = [
    "PatientName=ANONYMOUS",
    "PatientID=0000",
    "StudyDate=20000101",
    "SeriesDate=20000101",
    "AcquisitionDate=20000101",
    "ContentDate=20000101",
    "StudyTime=000000",
    "StudyID=0",
];

/// Identifiers that it is told to erase wherever they stand.
const ERASED: [&str; 20] = [
    "PatientBirthDate",
    "PatientAddress",
    "PatientTelephoneNumbers",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientComments",
    "AccessionNumber",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "RequestingPhysician",
    "OperatorsName",
    "StationName",
    "DeviceSerialNumber",
    "StudyDescription",
    "SeriesDescription",
    "ImageComments",
    "RequestAttributesSequence",
];

struct PythonPeer {
    name: &'static str,
    package: &'static str,
    module: &'static str,
    /// The program that a machine without this folder's files gets, too.
    script: &'static str,
    remark: &'static str,
}

const PYTHON_PEERS: [PythonPeer; 2] = [
    PythonPeer {
        name: "pydicom with deid",
        package: "deid",
        module: "deid.dicom",
        script: include_str!("../peers/pydicom_deid.py"),
        remark: "its default recipe and private attributes; pixels not looked at, nothing looked at twice",
    },
    PythonPeer {
        name: "dicom-anonymizer",
        package: "dicom-anonymizer",
        module: "dicomanonymizer",
        script: include_str!("../peers/dicom_anonymizer.py"),
        remark: "a table of PS3.15 Annex E at the top level; pixels not looked at, nothing looked at twice",
    },
];

/// Adds the peers that are there, in one process and in as many as there are processors.
pub fn contestants(python: Option<&Path>, contestants: &mut Vec<Contestant<'_>>, skipped: &mut Vec<Skipped>) {
    if is_there(Command::new("dcmodify").arg("--version")) {
        contestants.push(dcmodify(false));
        contestants.push(dcmodify(true));
    } else {
        skipped.push(Skipped {
            program: "dcmodify".to_owned(),
            remedy: "apt install dcmtk".to_owned(),
        });
    }
    for peer in &PYTHON_PEERS {
        let found = python.filter(|python| {
            let import = format!("import {}", peer.module);
            is_there(Command::new(python).args(["-c", &import]))
        });
        match found {
            Some(python) => contestants.extend([false, true].map(|all| by_python(peer, python.to_owned(), all))),
            None => skipped.push(Skipped {
                program: peer.name.to_owned(),
                remedy: format!(
                    "python3 -m venv /tmp/peers-venv && /tmp/peers-venv/bin/pip install pydicom {}; then --python \
                     /tmp/peers-venv/bin/python",
                    peer.package
                ),
            }),
        }
    }
}

fn is_there(command: &mut Command) -> bool {
    watched::ask(command).is_ok()
}

/// On how many processes the files are dealt out.
fn processes(all: bool, cores: usize) -> usize {
    if all { cores } else { 1 }
}

fn named(name: &str, all: bool) -> String {
    let processes = if all { "a process a core" } else { "one process" };
    format!("{name}, {processes}")
}

fn by_python(peer: &'static PythonPeer, python: PathBuf, all: bool) -> Contestant<'static> {
    Contestant {
        name: named(peer.name, all),
        kind: Kind::Header,
        remark: peer.remark,
        run: Box::new(move |place| {
            let (script, output) = (place.folder.join("peer.py"), place.new_folder("out")?);
            fs::write(&script, peer.script)?;
            let lists = place.corpus.lists(&place.folder, processes(all, place.cores))?;
            let commands = lists.iter().map(|list| {
                let mut command = Command::new(&python);
                command.arg(&script).arg(list).arg(&output);
                watched::on_cores(&command, place.cores)
            });
            let cost = watched::run(commands.collect(), &place.log(), ExitStatus::success)?;
            let written = fs::read_dir(&output)?.count() as u64;
            Ok(Outcome { cost, written })
        }),
    }
}

/// It edits in place, so it gets copies; making them is not timed.
fn dcmodify(all: bool) -> Contestant<'static> {
    Contestant {
        name: named("dcmodify", all),
        kind: Kind::Header,
        remark: "28 named identifiers, private attributes, new UIDs that differ from file to file of a study; no profile, no rule \
                 for what is not named, edits copies in place (making them is not timed), pixels not looked at",
        run: Box::new(move |place| {
            let output = place.new_folder("out")?;
            let lists = place.corpus.lists(&place.folder, processes(all, place.cores))?;
            let mut scripts = Vec::new();
            for (number, list) in lists.iter().enumerate() {
                let copies: Vec<PathBuf> = corpus::listed(list)?
                    .iter()
                    .map(|path| {
                        let to = output.join(path.file_name().unwrap_or_default());
                        fs::copy(path, &to).with_context(|| format!("cannot write {}", to.display()))?;
                        Ok(to)
                    })
                    .collect::<Result<_>>()?;
                // One call for a thousand files; a shell makes the calls one after the other.
                let calls: Vec<String> = copies.chunks(ARGUMENTS_MAX).map(call).collect();
                let script = place.folder.join(format!("calls-{number}.sh"));
                fs::write(&script, calls.join("\n") + "\n")?;
                scripts.push(script);
            }
            let commands = scripts.iter().map(|script| {
                let mut command = Command::new("sh");
                command.arg(script);
                watched::on_cores(&command, place.cores)
            });
            // It ends with a fault when one of its files had one; the others are done.
            let cost = watched::run(commands.collect(), &place.log(), |status| status.code().is_some())?;
            let mut written = 0;
            for path in &place.corpus.paths {
                let copy = output.join(path.file_name().unwrap_or_default());
                written += u64::from(fs::read(path)? != fs::read(copy)?);
            }
            Ok(Outcome { cost, written })
        }),
    }
}

fn call(paths: &[PathBuf]) -> String {
    let mut words = vec!["dcmodify -q -nb -ie -imt -ep -gst -gse -gin".to_owned()];
    words.extend(REPLACED.iter().map(|edit| format!("-ma '{edit}'")));
    words.extend(ERASED.iter().map(|name| format!("-ea {name}")));
    words.extend(paths.iter().map(|path| format!("'{}'", path.display())));
    words.join(" ")
}
