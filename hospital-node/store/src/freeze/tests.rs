use snowball_protocol::plan::HeadKind;

use super::*;
use crate::{
    Settings, part_of,
    sample::{Sample, cohort, head},
};

fn bodies_and_ages() -> &'static [Head] {
    static HEADS: std::sync::LazyLock<[Head; 2]> =
        std::sync::LazyLock::new(|| [head(LabelName::BodyPart), head(LabelName::Age)]);
    &*HEADS
}

fn request(folder: &std::path::Path) -> FreezeRequest<'static> {
    FreezeRequest {
        folder: folder.join("set"),
        side: 16,
        preprocessing: Preprocessing::LetterboxV1,
        heads: bodies_and_ages(),
        cell_min: 0,
    }
}

#[test]
fn the_order_of_import_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let radiographs = cohort(30);
    let digests: Vec<Sha256Digest> = (0..2)
        .map(|turn| {
            let store = Store::open(&folder.path().join(turn.to_string()), crate::sample::keys()).unwrap();
            let order: Vec<_> = if turn == 0 {
                radiographs.iter().collect()
            } else {
                radiographs.iter().rev().collect()
            };
            order
                .into_iter()
                .for_each(|radiograph| assert_eq!(store.add(radiograph).unwrap(), crate::Added::New));
            store.freeze(&request(store.folder())).unwrap().digest
        })
        .collect();
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn counts_are_those_of_the_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiographs = cohort(60);
    store.add_all(&radiographs).unwrap();
    let frozen = store.freeze(&request(folder.path())).unwrap();
    let shard = Shard::open(&store.source(&frozen.folder).unwrap()).unwrap();
    assert_eq!(shard.manifest().digest(), frozen.digest);
    for (part, count) in [
        (Part::Training, frozen.training),
        (Part::Validation, frozen.validation),
        (Part::Testing, frozen.testing),
    ] {
        let expected = radiographs
            .iter()
            .filter(|radiograph| part_of(radiograph.patient()) == part)
            .count();
        assert_eq!(
            (
                shard.part(part).len(),
                count.radiographs as usize,
                count.patients as usize
            ),
            (expected, expected, expected)
        );
    }
    assert_eq!(frozen.patients(), 60);
    let bodies = &frozen.cells[&LabelName::BodyPart];
    assert_eq!(bodies.keys().collect::<Vec<_>>(), ["CHEST", "HAND", "KNEE"]);
    let sum: u64 = bodies
        .values()
        .map(|cell| match cell {
            Cell::Counted { radiographs, .. } => *radiographs,
            Cell::Hidden { .. } => 0,
        })
        .sum();
    assert_eq!(sum, frozen.training.radiographs);
    assert!(frozen.class_cells_min() > 0);
    let square = store.square(&store.facts().unwrap()[7], 16).unwrap();
    assert_eq!(shard.square(7).unwrap(), square);
}

#[test]
fn a_sound_dataset_is_reused_and_any_other_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    store.add_all(&cohort(10)).unwrap();
    let first = store.freeze(&request(folder.path())).unwrap();
    let second = store.freeze(&request(folder.path())).unwrap();
    assert_eq!((first.reused, second.reused), (false, true));
    assert_eq!(
        Frozen {
            reused: false,
            ..second
        },
        first
    );

    let pixels = first.folder.join("pixels.sealed");
    let mut bytes = std::fs::read(&pixels).unwrap();
    bytes[5] ^= 1;
    std::fs::write(&pixels, bytes).unwrap();
    let third = store.freeze(&request(folder.path())).unwrap();
    assert_eq!((third.reused, third.digest), (false, first.digest));

    store.add(&Sample::new(99, 99).radiograph()).unwrap();
    let fourth = store.freeze(&request(folder.path())).unwrap();
    assert!(!fourth.reused && fourth.digest != first.digest);
    Shard::open(&store.source(&fourth.folder).unwrap())
        .unwrap()
        .verify()
        .unwrap();
    assert_eq!(
        (store.stands(&first).unwrap(), store.stands(&fourth).unwrap()),
        (false, true)
    );

    // Another store's key: not damage, and not a dataset of this one.
    let other = Store::open(
        &folder.path().join("other"),
        crate::sample::keys_of("43", "store-tests"),
    )
    .unwrap();
    assert!(matches!(
        other.source(&fourth.folder),
        Err(StoreError::ForeignDataset { .. })
    ));
}

#[test]
fn a_radiograph_without_any_label_asked_for_stays_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    store
        .add_all(&[
            Sample::new(1, 1).radiograph(),
            Sample {
                body_part: "",
                view: "",
                ..Sample::new(2, 2)
            }
            .radiograph(),
        ])
        .unwrap();
    let of = |labels: &[LabelName]| {
        let heads: Vec<Head> = labels.iter().map(|label| head(*label)).collect();
        store
            .freeze(&FreezeRequest {
                heads: &heads,
                cell_min: 0,
                ..request(folder.path())
            })
            .unwrap()
            .patients()
    };
    assert_eq!(
        (of(&[LabelName::View]), of(&[LabelName::View, LabelName::Sex]), of(&[])),
        (1, 2, 2)
    );
    // What the trainer makes it makes of every radiograph, and it fills no cell in which somebody could stand out.
    assert_eq!((of(&[LabelName::Rotation]), of(&[LabelName::Jigsaw])), (2, 2));
}

#[test]
fn a_made_label_is_no_class_that_somebody_could_stand_out_in() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    store.add_all(&cohort(40)).unwrap();
    let heads = [head(LabelName::Rotation)];
    let frozen = store
        .freeze(&FreezeRequest {
            heads: &heads,
            cell_min: 1_000,
            ..request(folder.path())
        })
        .unwrap();
    assert!(frozen.training.radiographs > 0 && frozen.cells[&LabelName::Rotation].is_empty());
}

#[test]
fn absurd_sides_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_with(folder.path(), crate::sample::keys(), Settings { master_side_max: 64 }).unwrap();
    for side in [0, 65, 2049, u32::MAX] {
        assert!(
            store
                .freeze(&FreezeRequest {
                    side,
                    ..request(folder.path())
                })
                .is_err(),
            "{side}"
        );
    }
    let empty = store.freeze(&request(folder.path())).unwrap();
    assert_eq!((empty.patients(), empty.class_cells_min()), (0, 0));
}

#[test]
fn damaged_pixels_are_found_before_anything_is_trained_on_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    store.add_all(&cohort(3)).unwrap();
    let pack = folder.path().join("packs/000001.pack");
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    assert!(matches!(
        store.freeze(&request(folder.path())),
        Err(StoreError::Damaged { .. })
    ));
    assert_eq!(store.damaged().unwrap(), 1);
    assert!(!folder.path().join("set").exists());
}

#[test]
fn small_classes_are_left_out_and_their_radiographs_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    store.add_all(&cohort(60)).unwrap();
    let all = store.freeze(&request(folder.path())).unwrap();
    let largest = |cell: &Cell| match cell {
        Cell::Counted { radiographs, .. } => *radiographs,
        Cell::Hidden { .. } => 0,
    };
    let cell_min = all.cells[&LabelName::BodyPart].values().map(largest).max().unwrap();
    let few = store
        .freeze(&FreezeRequest {
            cell_min,
            ..request(folder.path())
        })
        .unwrap();
    assert!(
        few.cells[&LabelName::BodyPart]
            .values()
            .all(|cell| largest(cell) >= cell_min)
    );
    assert!(few.cells[&LabelName::BodyPart].len() < all.cells[&LabelName::BodyPart].len());
    assert_eq!(few.training, all.training, "they have an age, so they stay");
}

#[test]
fn a_term_counts_as_the_class_that_it_lies_within_unless_it_is_a_class_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let spines: Vec<_> = (0..40)
        .map(|patient| {
            Sample {
                body_part: if patient % 2 == 0 { "LSPINE" } else { "SPINE" },
                ..Sample::new(patient, patient)
            }
            .radiograph()
        })
        .collect();
    store.add_all(&spines).unwrap();
    let classes = |classes: &[&str]| {
        let listed = Head {
            kind: HeadKind::Classes(classes.iter().map(|class| (*class).to_owned()).collect()),
            ..head(LabelName::BodyPart)
        };
        let frozen = store
            .freeze(&FreezeRequest {
                heads: &[listed],
                ..request(folder.path())
            })
            .unwrap();
        let keys: Vec<String> = frozen.cells[&LabelName::BodyPart].keys().cloned().collect();
        (keys, frozen.patients())
    };
    assert_eq!(classes(&["CHEST", "SPINE"]), (vec!["SPINE".to_owned()], 40));
    assert_eq!(
        classes(&["LSPINE", "SPINE"]),
        (vec!["LSPINE".to_owned(), "SPINE".to_owned()], 40)
    );
    assert_eq!(classes(&["CHEST", "LSPINE"]), (vec!["LSPINE".to_owned()], 20));
}

/// A table's grades are learned from as classes or as numbers, of the radiographs that have one; another label's are not in the dataset.
#[test]
fn the_hospitals_own_labels_are_learned_from() {
    use snowball_crypto::Pseudonym;
    use snowball_protocol::site_label::SiteValue;

    use crate::{SiteLabel, SiteLabels};

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiographs = cohort(60);
    store.add_all(&radiographs).unwrap();
    let label = |value| SiteLabel { value, noisy: false };
    let labels: BTreeMap<Pseudonym, SiteLabels> = (0..40)
        .map(|place| {
            let grade = label(SiteValue::Number((place % 2) as f32));
            let clinic = label(SiteValue::Class("cast".to_owned()));
            let both = [("grade".to_owned(), grade), ("clinic".to_owned(), clinic)];
            (*radiographs[place].id(), SiteLabels::from(both))
        })
        .collect();
    let names = BTreeSet::from(["grade".to_owned(), "clinic".to_owned()]);
    store.set_site_labels(&names, &labels, crate::Others::Forget).unwrap();
    let name: SiteLabelName = "site_grade".parse().unwrap();
    let kinds = [
        HeadKind::Classes(vec!["0".to_owned(), "1".to_owned()]),
        HeadKind::Regression { unit: 4.0 },
    ];
    for kind in kinds {
        let heads = [Head {
            label: LabelName::Site(name),
            kind: kind.clone(),
            weight: 1.0,
        }];
        let request = FreezeRequest {
            heads: &heads,
            ..request(folder.path())
        };
        let frozen = store.freeze(&request).unwrap();
        let shard = Shard::open(&store.source(&frozen.folder).unwrap()).unwrap();
        assert_eq!(shard.records().len(), 40);
        for record in shard.records() {
            assert_eq!(record.labels.site.keys().collect::<Vec<_>>(), [&name]);
            assert!(heads[0].class(&record.labels).is_some() || heads[0].number(&record.labels).is_some());
        }
        let classes: Vec<&str> = frozen.cells[&LabelName::Site(name)]
            .keys()
            .map(String::as_str)
            .collect();
        match kind {
            HeadKind::Classes(_) => assert_eq!(classes, ["0", "1"]),
            _ => assert_eq!(classes, ["a number"]),
        }
    }
}

/// Patches count as the radiographs that they were cut from, stay in their part, and come at the store's full size.
#[test]
fn a_radiograph_becomes_patches_where_the_plan_asks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiographs = cohort(30);
    store.add_all(&radiographs).unwrap();
    let side = radiographs[0].rows().min(radiographs[0].columns()) / 2;
    let wanted = FreezeRequest {
        side,
        heads: &[],
        preprocessing: Preprocessing::PatchesV1,
        ..request(folder.path())
    };
    let frozen = store.freeze(&wanted).unwrap();
    let shard = Shard::open(&store.source(&frozen.folder).unwrap()).unwrap();
    let counted = frozen.training.radiographs + frozen.validation.radiographs + frozen.testing.radiographs;
    assert_eq!(counted, 30);
    assert!(shard.records().len() > 30, "{}", shard.records().len());
    let mut position = 0;
    while position < shard.records().len() {
        let record = &shard.records()[position];
        let radiograph = (radiographs.iter())
            .find(|radiograph| radiograph.id().to_string() == record.radiograph)
            .unwrap();
        for expected in patches(radiograph.rows(), radiograph.columns(), radiograph.pixels(), side) {
            assert_eq!(&shard.records()[position], record, "one patient, one part");
            assert_eq!(shard.square(position).unwrap(), expected);
            position += 1;
        }
    }
    let whole = FreezeRequest {
        preprocessing: Preprocessing::LetterboxV1,
        ..wanted.clone()
    };
    assert_ne!(store.freeze(&whole).unwrap().digest, frozen.digest);
}

/// Masks are in the dataset where their pictures are; those with more classes than the plan has, and a handful alone, are not.
#[test]
fn masks_are_frozen_with_their_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), crate::sample::keys()).unwrap();
    let radiographs = cohort(60);
    store.add_all(&radiographs).unwrap();
    // The upper left corner: turned or mirrored it would lie elsewhere.
    let mask = |place: usize, value: u8| {
        let (rows, columns) = (radiographs[place].rows(), radiographs[place].columns());
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| row < rows / 2 && column < columns / 4));
        crate::Mask {
            rows,
            columns,
            values: places.map(|is_marked| value * u8::from(is_marked)).collect(),
        }
    };
    for (place, radiograph) in radiographs.iter().enumerate().take(40) {
        let value = if place < 30 { 1 } else { 2 };
        store.keep_mask(radiograph.id(), "lungs", &mask(place, value)).unwrap();
    }
    let heads = [Head {
        label: LabelName::Site("site_lungs".parse::<SiteLabelName>().unwrap()),
        kind: HeadKind::Mask {
            classes: vec!["lung".to_owned()],
        },
        weight: 1.0,
    }];
    let wanted = FreezeRequest {
        heads: &heads,
        ..request(folder.path())
    };
    let frozen = store.freeze(&wanted).unwrap();
    let shard = Shard::open(&store.source(&frozen.folder).unwrap()).unwrap();
    assert_eq!(shard.records().len(), 30, "two classes are not what the plan lists");
    for (position, record) in shard.records().iter().enumerate() {
        let place = radiographs
            .iter()
            .position(|radiograph| radiograph.id().to_string() == record.radiograph);
        let mask = mask(place.unwrap(), 1);
        let expected = snowball_imaging::letterbox_mask(mask.rows, mask.columns, &mask.values, wanted.side);
        assert_eq!(shard.mask(position).unwrap(), Some(expected));
    }
    assert!(store.freeze(&wanted).unwrap().reused);
    store.keep_mask(radiographs[0].id(), "lungs", &mask(1, 0)).unwrap();
    let again = store.freeze(&wanted).unwrap();
    assert!(
        !again.reused && again.digest != frozen.digest,
        "another mask is another dataset"
    );
    let few = FreezeRequest {
        cell_min: 31,
        ..wanted.clone()
    };
    let few = store.freeze(&few).unwrap();
    assert_eq!(
        few.training.radiographs + few.validation.radiographs + few.testing.radiographs,
        0
    );
}
