//! Masks: kept sealed, replaced, gone with their patient, many to a commit.

use std::{collections::BTreeSet, fs};

use super::*;
use crate::{Cell, sample::Sample};

/// An L in the corner, so that no mirroring leaves it as it is.
fn mask(rows: u32, columns: u32, value: u8) -> Mask {
    let is_marked = |row: u32, column: u32| row < rows / 2 && column < 4 || row < 3 && column < columns / 2;
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    Mask {
        rows,
        columns,
        values: places
            .map(|(row, column)| value * u8::from(is_marked(row, column)))
            .collect(),
    }
}

#[test]
fn a_mask_is_kept_sealed_counted_replaced_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let (first, second) = (Sample::new(1, 1).radiograph(), Sample::new(2, 2).radiograph());
    store.add_all(&[first.clone(), second.clone()]).unwrap();
    let keep = |id: &Pseudonym, mask: &Mask| store.keep_mask(id, "lungs_of_invention", mask).unwrap();
    assert_eq!(keep(first.id(), &mask(24, 20, 1)), MaskKept::New);
    assert_eq!(keep(first.id(), &mask(24, 20, 1)), MaskKept::Same);
    assert_eq!(keep(first.id(), &mask(20, 24, 1)), MaskKept::OtherSize);
    let stranger = Pseudonym::from_bytes([9; 32]);
    assert_eq!(keep(&stranger, &mask(24, 20, 1)), MaskKept::NoRadiograph);
    let kept = store.mask(first.id(), "lungs_of_invention").unwrap();
    assert_eq!(kept, Some(mask(24, 20, 1)));
    assert_eq!(store.mask(second.id(), "lungs_of_invention").unwrap(), None);
    let census = store.census().unwrap();
    assert!(
        matches!(
            census.tables["site: lungs_of_invention"].get("a mask"),
            Some(Cell::Counted {
                radiographs: 1,
                patients: 1
            })
        ),
        "{census:?}"
    );
    for file in ["store.sqlite", "store.sqlite-wal", "packs/000001.pack"] {
        let bytes = fs::read(folder.path().join(file)).unwrap_or_default();
        assert!(
            !bytes.windows(18).any(|window| window == b"lungs_of_invention"),
            "{file}"
        );
    }

    let before = fs::read(folder.path().join("packs/000001.pack")).unwrap();
    assert_eq!(keep(first.id(), &mask(24, 20, 3)), MaskKept::Replaced);
    assert_eq!(
        store.mask(first.id(), "lungs_of_invention").unwrap(),
        Some(mask(24, 20, 3))
    );
    let after = fs::read(folder.path().join("packs/000001.pack")).unwrap();
    assert_ne!(after[..before.len()], before, "the one before is overwritten");
    assert_eq!(
        (
            store.damaged().unwrap(),
            store.remove_masks("lungs_of_invention").unwrap()
        ),
        (0, 1)
    );
    assert_eq!(store.mask(first.id(), "lungs_of_invention").unwrap(), None);
    assert!(!store.census().unwrap().tables.contains_key("site: lungs_of_invention"));
}

#[test]
fn a_mask_goes_with_its_patient_and_damage_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiograph = Sample::new(1, 1).radiograph();
    store.add(&radiograph).unwrap();
    let pack = folder.path().join("packs/000001.pack");
    let pictures_end = fs::metadata(&pack).unwrap().len() as usize;
    store.keep_mask(radiograph.id(), "lungs", &mask(24, 20, 1)).unwrap();
    let sound = fs::read(&pack).unwrap();
    let mut spoiled = sound.clone();
    *spoiled.last_mut().unwrap() ^= 1;
    fs::write(&pack, spoiled).unwrap();
    assert_eq!(store.damaged().unwrap(), 1);
    assert!(matches!(
        store.mask(radiograph.id(), "lungs"),
        Err(StoreError::Damaged { .. })
    ));
    fs::write(&pack, &sound).unwrap();
    assert!(sound[pictures_end..].iter().any(|byte| *byte != 0));
    store.withdraw(radiograph.patient()).unwrap();
    assert_eq!(store.mask(radiograph.id(), "lungs").unwrap(), None);
    assert!(fs::read(&pack).unwrap().iter().all(|byte| *byte == 0), "overwritten");
    let count: i64 = store
        .read(|connection| Ok(connection.query_row("SELECT count(*) FROM masks", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(count, 0);
}

#[test]
fn a_large_radiograph_s_mask_is_kept_in_the_size_of_its_picture() {
    let folder = tempfile::tempdir().unwrap();
    let settings = crate::Settings { master_side_max: 16 };
    let store = Store::open_with(folder.path(), crate::sample::keys(), settings).unwrap();
    let sample = Sample {
        rows: 48,
        columns: 32,
        ..Sample::new(1, 1)
    };
    let radiograph = sample.radiograph();
    store.add(&radiograph).unwrap();
    assert_eq!(
        store.keep_mask(radiograph.id(), "lungs", &mask(48, 32, 2)).unwrap(),
        MaskKept::New
    );
    let kept = store.mask(radiograph.id(), "lungs").unwrap().unwrap();
    let master = store.master(radiograph.id()).unwrap().unwrap();
    assert_eq!((kept.rows, kept.columns), (master.rows, master.columns));
    assert_eq!(kept.values.iter().copied().collect::<BTreeSet<u8>>(), [0, 2].into());
    let at = |row: usize, column: usize| kept.values[row * kept.columns as usize + column];
    assert_eq!((at(0, 0), at(0, 10), at(15, 0), at(7, 0), at(7, 9)), (2, 0, 0, 2, 0));
}

#[test]
fn a_label_and_a_mask_never_have_one_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiograph = Sample::new(1, 1).radiograph();
    store.add(&radiograph).unwrap();
    let label = SiteLabel {
        value: SiteValue::Number(1.0),
        noisy: false,
    };
    let import = |name: &str| {
        let labels = [(*radiograph.id(), [(name.to_owned(), label.clone())].into())].into();
        store.set_site_labels(&[name.to_owned()].into(), &labels, crate::Others::Forget)
    };
    import("grade").unwrap();
    let fault = store.keep_mask(radiograph.id(), "grade", &mask(24, 20, 1)).unwrap_err();
    assert!(matches!(fault, StoreError::NameTaken { .. }), "{fault}");
    store.keep_mask(radiograph.id(), "lungs", &mask(24, 20, 1)).unwrap();
    assert!(matches!(import("lungs"), Err(StoreError::NameTaken { .. })));
    assert_eq!(store.site_labels(radiograph.id()).unwrap().len(), 1);
}

#[test]
fn many_masks_share_a_commit_and_one_that_is_replaced_is_overwritten_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiographs = crate::sample::cohort(5);
    store.add_all(&radiographs).unwrap();
    let pack = folder.path().join("packs/000001.pack");
    let drawn: Vec<Mask> = (1..6).map(|value| mask(24, 20, value)).collect();
    // Opened before: to open takes the right to write, which the batch holds.
    let other = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let importer = store.mask_importer("lungs");
    for (radiograph, mask) in radiographs.iter().zip(&drawn) {
        assert_eq!(importer.weigh(radiograph.id(), mask).unwrap(), MaskKept::New);
        assert_eq!(importer.keep(radiograph.id(), mask).unwrap(), MaskKept::New);
        assert_eq!(
            importer.weigh(radiograph.id(), mask).unwrap(),
            MaskKept::Same,
            "at once"
        );
    }
    // Another process sees none of it before the batch is durable, and all of it afterwards.
    assert_eq!(other.mask(radiographs[0].id(), "lungs").unwrap(), None);
    importer.flush().unwrap();
    for (radiograph, mask) in radiographs.iter().zip(&drawn) {
        assert_eq!(other.mask(radiograph.id(), "lungs").unwrap().as_ref(), Some(mask));
    }

    let before = fs::read(&pack).unwrap();
    let importer = store.mask_importer("lungs");
    let replaced = mask(24, 20, 9);
    assert_eq!(
        importer.weigh(radiographs[0].id(), &replaced).unwrap(),
        MaskKept::Replaced
    );
    assert_eq!(
        importer.keep(radiographs[0].id(), &replaced).unwrap(),
        MaskKept::Replaced
    );
    assert_eq!(
        fs::read(&pack).unwrap()[..before.len()],
        before,
        "what is not durable yet costs nothing that is"
    );
    importer.flush().unwrap();
    assert_ne!(fs::read(&pack).unwrap()[..before.len()], before);
    assert_eq!(store.mask(radiographs[0].id(), "lungs").unwrap(), Some(replaced));
    assert_eq!(store.damaged().unwrap(), 0);
}

#[test]
fn a_batch_that_was_cut_off_leaves_what_was_there_and_is_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiograph = Sample::new(1, 1).radiograph();
    store.add(&radiograph).unwrap();
    store.keep_mask(radiograph.id(), "lungs", &mask(24, 20, 1)).unwrap();
    // As a kill leaves it: nothing says goodbye, and the transaction is nobody's.
    let importer = store.mask_importer("lungs");
    importer.keep(radiograph.id(), &mask(24, 20, 2)).unwrap();
    std::mem::forget(importer);
    drop(store);
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    assert_eq!(store.mask(radiograph.id(), "lungs").unwrap(), Some(mask(24, 20, 1)));
    let importer = store.mask_importer("lungs");
    assert_eq!(
        importer.keep(radiograph.id(), &mask(24, 20, 2)).unwrap(),
        MaskKept::Replaced
    );
    drop(importer);
    assert_eq!(store.mask(radiograph.id(), "lungs").unwrap(), Some(mask(24, 20, 2)));
    assert_eq!(store.damaged().unwrap(), 0);
}
