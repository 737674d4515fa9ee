//! Masks of bones come into two hospitals; a network learns to outline bone from both, and no mask leaves.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt, path::Path, process::Command};

use snowball_ledger::Entry;
use snowball_phantoms::Consortium as Phantoms;
use snowball_protocol::plan::HeadKind;

use crate::{
    learning::opens_in_pytorch,
    stage::{Stage, ended},
};

const IMAGES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hospitals_learn_to_outline_bone_from_masks_that_stay() {
    let stage = Stage::set_with(2, 3, IMAGES, 0.0, |plan| {
        plan.heads.truncate(1);
        plan.heads[0].label = "site_bone".to_owned().try_into().unwrap();
        plan.heads[0].kind = HeadKind::Mask {
            classes: vec!["bone".to_owned()],
        };
        plan.local.steps = 50;
        plan.optimiser.learning_rate = 0.02;
    })
    .await;
    stage.settle().await;
    let mut masked = Vec::new();
    // As stage::phantoms writes them.
    let phantoms = Phantoms {
        seed: 5,
        hospitals: 2,
        images_per_hospital: IMAGES,
        hostile_fraction: 0.0,
        longest_side: 96,
    };
    for (index, site) in (0..).zip(&stage.consortium.sites) {
        let folder = stage.folder.path().join(format!("masks-{index}"));
        std::fs::create_dir(&folder).unwrap();
        let bones = snowball_phantoms::bones(&phantoms, index);
        // Every sixth radiograph nobody drew on.
        for (_, bones) in bones.iter().enumerate().filter(|(place, _)| place % 6 != 0) {
            let picture = image::GrayImage::from_raw(bones.columns, bones.rows, bones.values.clone()).unwrap();
            picture.save(folder.join(format!("{}.png", bones.instance))).unwrap();
        }
        let stranger = image::GrayImage::from_raw(8, 8, vec![255; 64]).unwrap();
        stranger.save(folder.join("1.2.3.4.png")).unwrap();
        std::fs::write(folder.join("1.2.3.5.png"), b"no picture").unwrap();
        let arguments = [
            "masks",
            "import",
            folder.to_str().unwrap(),
            "--name",
            "bone",
            "--by",
            "instance",
        ];
        let dry = [&arguments[..], &["--dry-run"]].concat();
        let weighed = stage.consortium.node(site, &dry).await.unwrap();
        let imported = stage.consortium.node(site, &arguments).await.unwrap();
        assert_eq!(
            weighed, imported,
            "a dry run tells what becomes of the files and keeps none"
        );
        assert!(imported["new"].as_u64().unwrap() > IMAGES / 2, "{imported}");
        assert_eq!(imported["of_another_size"].as_array().unwrap().len(), 0, "{imported}");
        assert!(
            !imported.to_string().contains("1.2.3.4"),
            "a file is named by its digest: {imported}"
        );
        let again = stage.consortium.node(site, &arguments).await.unwrap();
        assert_eq!(
            (&again["new"], &again["same"]),
            (&serde_json::json!(0), &imported["new"])
        );
        let census = stage.consortium.node(site, &["census"]).await.unwrap();
        let masks = &census["tables"]["site: bone"]["a mask"]["radiographs"];
        assert_eq!(*masks, imported["new"]);
        masked.push(masks.as_u64().unwrap());
    }
    stage.start_study().await;
    let mut nodes = stage.run_nodes();
    let status = stage.wait_for_review().await;
    let release = stage.release().await;
    ended(&mut nodes).await;

    let head = &status["final"]["pooled"]["heads"][0];
    let before = &status["rounds"][0]["metrics"]["heads"][0];
    eprintln!("before {before}, after {head}");
    let class = &head["classes"][0];
    let number = |value: &serde_json::Value| value.as_f64().unwrap();
    assert_eq!(class["class"], "bone");
    assert!(
        number(&class["dice"]) > 0.65 && number(&class["dice"]) > number(&class["constant_dice"]) + 0.2,
        "{head}"
    );
    assert!(class["interval"].is_array(), "{head}");
    let card = std::fs::read_to_string(release.join("model-card.md")).unwrap();
    assert!(card.contains("| all | site_bone: bone, Dice ("), "{card}");
    opens_in_pytorch(&release, &["site_bone"]);

    let (site, plan) = (&stage.consortium.sites[0], stage.consortium.plan_file());
    let (plan, out) = (plan.to_str().unwrap(), stage.folder.path().join("drawn"));
    let model = ["--plan", plan, "--model", "federated"];
    let evaluation = [&["evaluate"][..], &model].concat();
    let evaluation = stage.consortium.node(site, &evaluation).await.unwrap();
    assert_eq!(evaluation["heads"][0]["kind"], "mask", "{evaluation}");
    let arguments = [
        &["segment"][..],
        &model,
        &["--out", out.to_str().unwrap(), "--pictures", "3", "--dicom"],
    ]
    .concat();
    let drawn = stage.consortium.node(site, &arguments).await.unwrap();
    assert!(drawn["masks"].as_u64() > Some(0), "{drawn}");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert_eq!(
        page.matches("<figure").count() as u64,
        drawn["pictures"].as_u64().unwrap()
    );
    let mut masks = 0;
    for file in std::fs::read_dir(&out).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        if path.extension().is_some_and(|extension| extension == "png") {
            let mask = image::open(&path).unwrap().to_luma8();
            assert!(mask.pixels().all(|pixel| [0, 255].contains(&pixel.0[0])));
            masks += 1;
        }
    }
    assert_eq!(drawn["masks"], masks);
    assert_eq!(drawn["dicom"], masks);
    objects_are_the_pictures(&out);
    the_ledger_tells_what_was_learned_from(&site.home, masked[0]);
}

/// The study's dataset has the radiographs with masks alone; all others stand apart, as what the model was asked about.
fn the_ledger_tells_what_was_learned_from(home: &Path, masks: u64) {
    let records = snowball_ledger::read(&home.join("ledger")).unwrap();
    let (mut learned, mut asked) = (BTreeSet::new(), BTreeSet::new());
    for record in &records {
        match &record.entry {
            Entry::DatasetFrozen {
                training,
                validation,
                testing,
                ..
            } => drop(learned.insert(training + validation + testing)),
            Entry::DatasetPrepared { radiographs, .. } => drop(asked.insert(*radiographs)),
            _ => {}
        }
    }
    assert_eq!(
        learned,
        BTreeSet::from([masks]),
        "every dataset that was learned from has as many as have masks"
    );
    let asked: Vec<u64> = asked.into_iter().collect();
    assert!(
        asked.len() == 1 && asked[0] > masks,
        "{asked:?} of which {masks} have masks"
    );
}

/// Each DICOM Segmentation object holds the bits of its PNG, as DCMTK reads it, and nothing of the hospital's.
fn objects_are_the_pictures(folder: &Path) {
    let Ok(found) = Command::new("dcmdump").arg("--version").output() else {
        eprintln!("SKIPPED: dcmdump is not installed; the objects were not read back");
        return;
    };
    assert!(found.status.success());
    let mut read = 0;
    let mut marked = 0;
    let mut names = BTreeSet::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "dcm") {
            continue;
        }
        let object = Dump::of(&path);
        let mask = image::open(path.with_extension("png")).unwrap().to_luma8();
        let bit = |bits: &[u8], place: usize| bits[place / 8] >> (place % 8) & 1 == 1;
        let bits = object.pixels();
        assert_eq!(object.value("Rows"), mask.height().to_string());
        assert_eq!(object.value("Columns"), mask.width().to_string());
        for (place, pixel) in mask.pixels().enumerate() {
            assert_eq!(bit(&bits, place), pixel.0[0] == 255, "{} at {place}", path.display());
        }
        marked += mask.pixels().filter(|pixel| pixel.0[0] == 255).count();
        for (name, value) in [
            ("SOPClassUID", "=SegmentationStorage"),
            ("Modality", "SEG"),
            ("SegmentationType", "BINARY"),
            ("NumberOfFrames", "1"),
            ("BitsAllocated", "1"),
            ("SegmentLabel", "bone"),
            ("SegmentAlgorithmType", "AUTOMATIC"),
            ("SegmentAlgorithmName", "story, small"),
            ("PatientIdentityRemoved", "YES"),
            ("ReferencedSOPClassUID", "=DigitalXRayImageStorageForPresentation"),
        ] {
            assert_eq!(object.value(name), value, "{name}");
        }
        // What the store does not hold is empty, and what it holds is called as `deidentify` calls it.
        for name in [
            "PatientName",
            "PatientBirthDate",
            "StudyDate",
            "AccessionNumber",
            "ContentCreatorName",
        ] {
            assert_eq!(object.value(name), "", "{name}");
        }
        assert!(object.value("PatientID").len() == 20, "{}", object.value("PatientID"));
        for name in [
            "SOPInstanceUID",
            "StudyInstanceUID",
            "SeriesInstanceUID",
            "ReferencedSOPInstanceUID",
        ] {
            assert!(object.value(name).starts_with("2.25."), "{name} is a keyed one");
        }
        names.insert(object.value("SOPInstanceUID"));
        read += 1;
    }
    assert!(
        read > 0 && names.len() == read && marked > 0,
        "{read} objects, {marked} pixels"
    );
}

/// What `dcmdump` says of a file.
struct Dump {
    text: String,
    raw: Vec<u8>,
}

impl Dump {
    fn of(path: &Path) -> Self {
        let raw = tempfile::tempdir().unwrap();
        let output = Command::new("dcmdump")
            .args(["--load-all", "--print-all", "+W"])
            .arg(raw.path())
            .arg(path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
        let files: Vec<_> = std::fs::read_dir(raw.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1, "one frame's pixels: {files:?}");
        Self {
            text: String::from_utf8_lossy(&output.stdout).into_owned(),
            raw: std::fs::read(&files[0]).unwrap(),
        }
    }

    /// The value of the first element of this name.
    fn value(&self, name: &str) -> String {
        let line = self
            .text
            .lines()
            .find(|line| line.split_whitespace().last() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {}", self.text));
        let (_, value) = line.trim().split_at(14);
        let value = value.split(" #").next().unwrap().trim();
        match value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
            Some(value) => value.to_owned(),
            None if value == "(no value available)" => String::new(),
            None => value.to_owned(),
        }
    }

    fn pixels(&self) -> Vec<u8> {
        self.raw.clone()
    }
}
